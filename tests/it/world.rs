//! A world of several districts: made, imported from one folder, and asked.

use std::fs;
use std::path::Path;

use geo::{InteriorPoint as _, Intersects as _, Polygon};
use guli::demo::{Options, generate};
use serde_json::Value;

use crate::demo_data::files;
use crate::support::Home;

const DISTRICTS: [&str; 3] = ["370203", "380101", "380102"];
/// Covers in each.
const COVERS: u64 = 200;

fn make(out: &Path, districts: u32) {
    let covers = COVERS * u64::from(districts);
    let mut told = 0;
    let options = Options { seed: 7, covers, districts };
    let summary = generate(out, &options, &mut |done, _| told = done).unwrap();
    let grids = 940 * usize::try_from(districts).unwrap();
    assert_eq!((summary.covers, summary.rows, told, summary.grids), (covers, covers, covers, grids));
}

/// Codes and outlines of a layer, in WGS 84.
fn areas(file: &Path) -> Vec<(String, Polygon<f64>)> {
    let collection: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let area = |feature: &Value| {
        let code = feature["properties"].get("code").unwrap_or(&feature["properties"]["网格编码"]);
        let ring = feature["geometry"]["coordinates"][0].as_array().unwrap().iter();
        let ring: Vec<(f64, f64)> = ring.map(|at| (at[0].as_f64().unwrap(), at[1].as_f64().unwrap())).collect();
        (code.as_str().unwrap().to_owned(), Polygon::new(ring.into(), Vec::new()))
    };
    collection["features"].as_array().unwrap().iter().map(area).collect()
}

/// One test, since what takes its time is the making.
#[test]
fn a_world_is_the_same_whenever_it_is_made_shares_no_ground_and_is_imported_from_one_folder() {
    let home = Home::empty();
    let world = home.path().join("world");
    make(&world, 3);
    share_no_ground(&world);
    let smaller = home.path().join("smaller");
    let by_hand = ["--seed", "7", "--districts", "2", "--covers", "400", "--out", "smaller"];
    home.guli(&[&["demo", "generate"][..], &by_hand].concat()).ok();
    for code in &DISTRICTS[..2] {
        let made = files(&world.join(code));
        assert!(made.len() == 29 && made == files(&smaller.join(code)), "{code}");
    }
    for option in ["--district", "--rows"] {
        let refused = home.guli(&["import", "world", option, "380101"]).refused().err();
        assert!(refused.contains(option), "{refused}");
    }
    check(&home.guli(&["import", "world", "--json"]).ok().json());
    resolve_in_the_second(&home, &world);
    a_unit_of_the_third_owns_a_cover_in_the_second(&home, &world);
}

fn share_no_ground(world: &Path) {
    let outline = |code: &&str| areas(&world.join(code).join("district.geojson"));
    let outlines: Vec<(String, Polygon<f64>)> = DISTRICTS.iter().flat_map(outline).collect();
    assert!(outlines.iter().map(|(code, _)| code.as_str()).eq(DISTRICTS));
    for (code, outline) in &outlines {
        assert!(outlines.iter().all(|(other, theirs)| code == other || !outline.intersects(theirs)), "{code}");
    }
}

/// The reports of all files, with the folders in their names: everything was stored, nothing found.
fn check(reports: &Value) {
    let reports = reports.as_array().unwrap();
    for code in DISTRICTS {
        let within = format!("{code}/");
        let mine = || reports.iter().filter(|report| report["file"].as_str().unwrap().starts_with(&within));
        assert_eq!(mine().count(), 25, "{code}");
        let covers = mine().filter(|report| report["kind"] == "covers");
        assert_eq!(covers.map(|report| report["counts"]["created"].as_u64().unwrap()).sum::<u64>(), COVERS, "{code}");
    }
    for report in reports {
        // Of so few covers not every department has one.
        let is_empty = report["counts"]["rows"] == 0 && report["findings"][0]["code"] == "no_records";
        let found = i32::from(is_empty);
        assert_eq!((&report["findings_total"], &report["counts"]["rejected"]), (&found.into(), &0.into()), "{report}");
    }
}

fn resolve_in_the_second(home: &Home, world: &Path) {
    let (grid, outline) = areas(&world.join("380101/grids.geojson")).swap_remove(470);
    let pin = outline.interior_point().unwrap();
    let (lon, lat) = (pin.x().to_string(), pin.y().to_string());
    let answer = home.guli(&["resolve", &lon, &lat, "--json"]).ok().json();
    assert_eq!(answer["grid"]["code"], grid.as_str());
    let department = answer["grid"]["supervising_department"]["code"].as_str();
    assert!(department.unwrap().starts_with("380101"), "{answer}");
}

/// Each district holds its own organisations only, and those that its covers name.
fn a_unit_of_the_third_owns_a_cover_in_the_second(home: &Home, world: &Path) {
    let (_, outline) = areas(&world.join("380101/grids.geojson")).swap_remove(470);
    let pin = outline.interior_point().unwrap();
    let (lon, lat) = (pin.x().to_string(), pin.y().to_string());
    home.write("one.csv", format!("external_id,category,owner,lon,lat\nX-1,0127,380102-WAT01,{lon},{lat}\n"));
    home.guli(&["import", "one.csv", "--kind", "covers", "--source", "380101-WAT01"]).ok();
    let answer = home.guli(&["resolve", &lon, &lat, "--json"]).ok().json();
    let owner = &answer["candidates"][0]["cover"]["owner"];
    assert_eq!(
        (&owner["code"], &owner["name"]),
        (&"380102-WAT01".into(), &"青岛示范区0003供水有限公司".into()),
        "{answer}"
    );
}
