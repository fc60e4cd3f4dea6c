//! Tiles and layers as a reader that is not ours reads them: GDAL's drivers for Mapbox Vector Tiles and `GeoJSON`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::Home;
use crate::support::client::Client;

/// Whether GDAL is there; with `GULI_TEST_REQUIRE_GDAL` it must be.
fn gdal() -> bool {
    let drivers = Command::new("ogr2ogr").arg("--formats").output();
    let there = drivers.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("MVT -vector-"));
    if !there {
        assert!(std::env::var_os("GULI_TEST_REQUIRE_GDAL").is_none(), "GDAL with its MVT driver is not installed");
        eprintln!("skipped: no ogr2ogr with MVT, so no tile is read by another reader");
    }
    there
}

/// Half the side of the square of Web Mercator, in metres.
const HALF: f64 = 20_037_508.342_789_244;

/// Column and row of a position at a zoom, with what is behind the point.
fn column_and_row(lon: f64, lat: f64, z: u32) -> (f64, f64) {
    let side = f64::from(1u32 << z);
    let south = f64::tan(lat.to_radians()).asinh() / std::f64::consts::PI;
    ((lon + 180.0) / 360.0 * side, (1.0 - south) / 2.0 * side)
}

/// A tile's features as GDAL gives them, in metres of Web Mercator.
async fn read(client: &Client, folder: &Path, layer: &str, (z, x, y): (u32, u32, u32)) -> Vec<Value> {
    let bytes = client.get_bytes(&format!("/tiles/{layer}/{z}/{x}/{y}.mvt")).await;
    if bytes.is_empty() {
        return Vec::new();
    }
    // GDAL knows where a tile lies by the folders that it is in.
    let folder = folder.join(layer).join(z.to_string()).join(x.to_string());
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{y}.mvt"));
    std::fs::write(&file, bytes).unwrap();
    let out = Command::new("ogr2ogr")
        .args(["-f", "GeoJSON", "/vsistdout/", "-lco", "RFC7946=NO", "-preserve_fid"])
        .args(["-lco", "WRITE_BBOX=NO", "-oo", "CLIP=NO"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let complaints = String::from_utf8_lossy(&out.stderr);
    assert!(!complaints.contains("ERROR"), "{complaints}");
    let collection: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(collection["name"], layer);
    collection["features"].as_array().unwrap().clone()
}

/// Every position in a geometry.
fn positions(geometry: &Value, found: &mut Vec<(f64, f64)>) {
    match geometry.as_array().map(Vec::as_slice) {
        Some([x, y]) if x.is_number() => found.push((x.as_f64().unwrap(), y.as_f64().unwrap())),
        Some(parts) => parts.iter().for_each(|part| positions(part, found)),
        None => positions(&geometry["coordinates"], found),
    }
}

#[tokio::test]
async fn another_reader_finds_the_registry_in_the_tiles() {
    if !gdal() {
        return;
    }
    let home = Home::with_district();
    let server = home.demo();
    let (anyone, planner) = (server.anyone(), server.with("demo-planner"));
    let (lon, lat) = (120.336_41, 36.115_37);

    // Every cover of the tile, where the registry has it, to half a unit.
    for z in [14u32, 16] {
        let (x, y) = column_and_row(lon, lat, z);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^z")]
        let tile = (z, x as u32, y as u32);
        let covers = planner.get("/v1/layers/covers.geojson").await.expect(200);
        let within = |feature: &&Value| {
            let at = &feature["geometry"]["coordinates"];
            let (x, y) = column_and_row(at[0].as_f64().unwrap(), at[1].as_f64().unwrap(), z);
            (x.floor(), y.floor()) == (f64::from(tile.1), f64::from(tile.2))
        };
        let expected: BTreeMap<&str, &Value> = covers["features"]
            .as_array()
            .unwrap()
            .iter()
            .filter(within)
            .map(|feature| (feature["properties"]["code"].as_str().unwrap(), feature))
            .collect();
        let read = read(&planner, home.path(), "covers", tile).await;
        let found: BTreeMap<&str, &Value> =
            read.iter().map(|feature| (feature["properties"]["code"].as_str().unwrap(), feature)).collect();
        assert!(expected.len() > 20 && read.len() == found.len(), "{} {}", expected.len(), read.len());
        let unit = 2.0 * HALF / f64::from(1u32 << z) / 4_096.0;
        for (code, cover) in &expected {
            let drawn = found.get(code).unwrap_or_else(|| panic!("{code} is not in the tile"));
            for property in ["category", "owner", "responsible_unit", "status", "accuracy"] {
                let of = |feature: &Value| feature["properties"].get(property).cloned().unwrap_or_default();
                assert_eq!(of(drawn), of(cover), "{code} {property}");
            }
            let mut at = Vec::new();
            positions(&drawn["geometry"], &mut at);
            let [lon, lat] = [0, 1].map(|i| cover["geometry"]["coordinates"][i].as_f64().unwrap());
            let (x, y) = (lon / 180.0 * HALF, f64::tan(lat.to_radians()).asinh() / std::f64::consts::PI * HALF);
            assert!((at[0].0 - x).abs() <= 0.51 * unit && (at[0].1 - y).abs() <= 0.51 * unit, "{code} {at:?} {x} {y}");
            assert_eq!(drawn["properties"]["mvt_id"].as_u64().unwrap().to_string(), *code);
        }
    }

    // Grids: as many as meet the tile, none open or inside out, and each corner of one in the next one too.
    let (x, y) = column_and_row(lon, lat, 14);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^14")]
    let (x, y) = (x as u32, y as u32);
    let drawn = read(&anyone, home.path(), "grids", (14, x, y)).await;
    let degrees = |column: f64, row: f64| {
        let half = std::f64::consts::PI * (1.0 - 2.0 * row / 16_384.0);
        (column / 16_384.0 * 360.0 - 180.0, half.sinh().atan().to_degrees())
    };
    let ((west, north), (east, south)) = (degrees(x.into(), y.into()), degrees(f64::from(x) + 1.0, f64::from(y) + 1.0));
    let met = anyone.get(&format!("/v1/layers/grids.geojson?bbox={west},{south},{east},{north}")).await.expect(200);
    let codes = |features: &[Value]| {
        let code = |feature: &Value| feature["properties"]["code"].as_str().unwrap().to_owned();
        features.iter().map(code).collect::<BTreeSet<_>>()
    };
    let (drawn_codes, met) = (codes(&drawn), codes(met["features"].as_array().unwrap()));
    let missing: Vec<_> = met.difference(&drawn_codes).collect();
    assert!(met.len() > 20 && missing.is_empty(), "{} grids meet the tile, not in it: {missing:?}", met.len());
    let mut corners = BTreeMap::<(i64, i64), usize>::new();
    for grid in &drawn {
        assert!(matches!(grid["geometry"]["type"].as_str(), Some("Polygon" | "MultiPolygon")), "{grid}");
        let mut at = Vec::new();
        positions(&grid["geometry"], &mut at);
        #[expect(clippy::cast_possible_truncation, reason = "metres")]
        let at: BTreeSet<_> =
            at.iter().map(|(x, y)| ((x * 100.0).round() as i64, (y * 100.0).round() as i64)).collect();
        at.into_iter().for_each(|corner| *corners.entry(corner).or_default() += 1);
    }
    let shared = corners.values().filter(|count| **count > 1).count();
    assert!(shared * 10 > corners.len() * 6, "{shared} of {} corners are shared", corners.len());

    // One label in each grid, and the areas above them.
    let labels = read(&anyone, home.path(), "grid_label", (14, x, y)).await;
    assert!(codes(&labels).iter().filter(|code| met.contains(*code)).count() * 10 > met.len() * 5);
    for layer in ["communities", "subdistricts", "districts"] {
        let areas = read(&anyone, home.path(), layer, (14, x, y)).await;
        assert!(!areas.is_empty(), "{layer}");
    }
    // A whole city in one tile.
    let far = column_and_row(lon, lat, 8);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^8")]
    let city = (8, far.0 as u32, far.1 as u32);
    assert_eq!(read(&anyone, home.path(), "districts", city).await.len(), 1);
    let named = read(&anyone, home.path(), "subdistrict_label", city).await;
    assert_eq!((named.len(), codes(&named).len()), (22, 22));
}

#[tokio::test]
async fn another_reader_finds_a_layer_where_the_registry_has_it() {
    if !gdal() {
        return;
    }
    let home = Home::with_district();
    let server = home.demo();
    let planner = server.with("demo-planner");
    let places = |collection: &Value| -> BTreeMap<String, (f64, f64)> {
        let place = |feature: &Value| {
            let at = [0, 1].map(|i| feature["geometry"]["coordinates"][i].as_f64().unwrap());
            (feature["properties"]["code"].as_str().unwrap().to_owned(), (at[0], at[1]))
        };
        collection["features"].as_array().unwrap().iter().map(place).collect()
    };
    let bbox = "120.33,36.11,120.34,36.12";
    let expected = places(&planner.get(&format!("/v1/layers/covers.geojson?bbox={bbox}")).await.expect(200));
    assert!(expected.len() > 20, "{}", expected.len());
    for crs in ["EPSG:4490", "EPSG:4549", "EPSG:4528", "EPSG:3857"] {
        let path = format!("/v1/layers/covers.geojson?bbox={bbox}&out_crs={crs}");
        let file = home.path().join("covers.geojson");
        std::fs::write(&file, planner.get_bytes(&path).await).unwrap();
        let out = Command::new("ogr2ogr")
            .args(["-f", "GeoJSON", "/vsistdout/", "-t_srs", "EPSG:4326", "-lco", "COORDINATE_PRECISION=9"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(out.status.success(), "{crs}: {}", String::from_utf8_lossy(&out.stderr));
        let found = places(&serde_json::from_slice(&out.stdout).unwrap());
        assert_eq!(found.len(), expected.len(), "{crs}");
        for (code, (lon, lat)) in &expected {
            let (x, y) = found[code];
            let off = f64::hypot((x - lon) * 90_000.0, (y - lat) * 111_000.0);
            assert!(off < 1.0, "{crs}: {code} is {off} m off, at {x} {y} instead of {lon} {lat}");
        }
    }
}
