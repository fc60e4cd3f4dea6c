//! Imports of many districts by a process of their own.

use std::fs;
use std::path::Path;

use super::*;
use crate::service::Opening;
use crate::store::DatabaseUrl;

/// A district of 0.01° from this longitude on, with one cover of its water company.
fn deliver(folder: &Path, code: u32, west: f64, cover: f64) {
    let east = west + 0.01;
    let ring = json!([[west, 36.11], [east, 36.11], [east, 36.12], [west, 36.12], [west, 36.11]]);
    let feature = json!({
        "type": "Feature", "properties": {"code": code.to_string(), "name": "区"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    });
    let collection = json!({"type": "FeatureCollection", "features": [feature]});
    let unit = format!("{code}-WAT01");
    let profiles = format!(
        "[[profile]]\nname = \"district\"\nfile = \"district.geojson\"\nkind = \"district\"\n\
         [[profile]]\nname = \"units\"\nfile = \"units.csv\"\nkind = \"organizations\"\n\
         [[profile]]\nname = \"covers\"\nfile = \"covers.csv\"\nkind = \"covers\"\nsource = \"{unit}\"\n"
    );
    fs::create_dir_all(folder).unwrap();
    for (file, text) in [
        ("import.toml", profiles),
        ("district.geojson", collection.to_string()),
        ("units.csv", format!("code,name,kind\n{unit},水务,utility\n")),
        ("covers.csv", format!("external_id,category,owner,lon,lat\n1,0101,{unit},{cover},36.115\n")),
    ] {
        fs::write(folder.join(file), text).unwrap();
    }
}

fn import(guli: &Arc<Guli>, path: &Path) -> Vec<Report> {
    serde_json::from_value(try_import(guli, path).unwrap()).unwrap()
}

fn try_import(guli: &Arc<Guli>, path: &Path) -> Result<Value, String> {
    let none = || None::<String>;
    let request = ImportRequest {
        path: path.to_owned(),
        profiles: None,
        profile: none(),
        kind: none(),
        crs: none(),
        source: none(),
        district: none(),
        dry_run: false,
        keep_going: false,
        rows_to: None,
    };
    handle(guli, Request::Import(request), &mut |_| true)
}

/// A lean process beside a database in a folder.
async fn beside(dir: &Path) -> Arc<Guli> {
    let database = DatabaseUrl::sqlite(&dir.join("guli.db"));
    let opening = Opening { database, key_file: dir.join("guli.key"), is_lean: true, ..Opening::default() };
    Arc::new(Guli::connect(opening).await.unwrap().0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_tells_of_each_of_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let world = dir.path().join("world/2");
    let guli = beside(dir.path()).await;
    deliver(&world, 370_203, 120.37, 120.375);
    deliver(&dir.path().join("world/1"), 370_213, 121.37, 121.375);
    let covers = fs::read(world.join("covers.csv")).unwrap();
    fs::remove_file(world.join("covers.csv")).unwrap();
    let (guli, ()) = tokio::task::spawn_blocking(move || {
        // What is not there is seen before anything is stored.
        let away = try_import(&guli, &world).unwrap_err();
        assert!(away.starts_with("nothing was imported") && away.contains("covers.csv: No such file"), "{away}");
        // Not even what a folder before it holds.
        let away = try_import(&guli, world.parent().unwrap()).unwrap_err();
        assert!(away.starts_with("2: nothing was imported"), "{away}");
        assert!(guli.districts().is_empty());
        fs::write(world.join("covers.csv"), covers).unwrap();
        let units = world.join("units.csv");
        let good = fs::read(&units).unwrap();
        fs::write(&units, "code,name,kind\n370203-WAT01,水务,utility\n370203-FOO01,水务,nothing\n").unwrap();
        let told: Vec<_> = import(&guli, &world);
        let states: Vec<_> = told.iter().map(|r| (&*r.file, r.rejected, r.waits_for.as_deref())).collect();
        let wanted =
            [("district.geojson", false, None), ("units.csv", true, None), ("covers.csv", false, Some("units.csv"))];
        assert_eq!(states, wanted, "{told:#?}");
        // Of a refused file nothing was created.
        assert_eq!((told[1].counts.rows, told[1].counts.created, told[1].counts.rejected), (2, 0, 1));
        fs::write(&units, good).unwrap();
        assert!(import(&guli, &world).iter().all(|r| !r.rejected && r.waits_for.is_none()));
        (guli, ())
    })
    .await
    .unwrap();
    Arc::into_inner(guli).unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_districts_only_what_an_import_needs_is_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let world = dir.path().join("world");
    // Two that share an edge, at which both have a cover, and one far off that comes between them.
    deliver(&world.join("1"), 370_203, 120.37, 120.379_999);
    deliver(&world.join("2"), 370_213, 121.37, 121.375);
    deliver(&world.join("3"), 370_212, 120.38, 120.380_001);
    let guli = beside(dir.path()).await;
    let held = |guli: &Guli| guli.districts().iter().map(ToString::to_string).collect::<Vec<_>>();
    let (done, guli) = tokio::task::spawn_blocking(move || {
        let first = import(&guli, &world);
        let held_first = held(&guli);
        let again = import(&guli, &world.join("2"));
        ((first, held_first, again, held(&guli)), guli)
    })
    .await
    .unwrap();
    let (first, held_first, again, held_again) = done;
    assert!(
        first.len() == 9 && first.iter().all(|report| !report.rejected && report.counts.created == 1),
        "{first:#?}"
    );
    assert_eq!(held_first, ["370203", "370212"]);
    let findings: Vec<_> = first.iter().flat_map(|report| &report.findings).collect();
    let beside = english(findings[0].detail.clone());
    assert!(findings.len() == 1 && beside.contains("of 370203-WAT01"), "{findings:#?}");
    assert!(again.len() == 3 && again.iter().all(|report| report.counts.unchanged == 1), "{again:#?}");
    assert_eq!(held_again, ["370213"]);
    Arc::into_inner(guli).unwrap().close().await;
}
