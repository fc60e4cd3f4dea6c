//! The demo district in the repository is what the generator writes.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use guli::demo::{Options, generate};
use serde_json::Value;

use crate::support::{Home, shibei};

/// The files of a folder; hidden ones are git's.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()));
    named.filter(|(name, _)| !name.starts_with('.')).collect()
}

#[test]
fn the_committed_files_are_what_the_generator_writes_byte_for_byte() {
    let home = Home::empty();
    let out = home.path().join("shibei");
    let summary = generate(&out, &Options::default(), &mut |_, _| {}).unwrap();
    assert_eq!((summary.covers, summary.grids, summary.communities), (17_000, 940, 137));
    let (written, committed) = (files(&out), files(&shibei()));
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&written), names(&committed));
    for (name, bytes) in &committed {
        assert!(*bytes == written[name], "{name} differs: run make demo-data");
    }
}

type Point = (u64, u64);

/// The directed edges of all outlines of a file, each once.
fn edges(name: &str) -> (usize, HashSet<(Point, Point)>) {
    let collection: Value = serde_json::from_slice(&fs::read(shibei().join(name)).unwrap()).unwrap();
    let mut edges = HashSet::new();
    let features = collection["features"].as_array().unwrap();
    for feature in features {
        let geometry = &feature["geometry"];
        let polygons = match geometry["type"].as_str().unwrap() {
            "Polygon" => vec![&geometry["coordinates"]],
            _ => geometry["coordinates"].as_array().unwrap().iter().collect(),
        };
        for ring in polygons.into_iter().flat_map(|polygon| polygon.as_array().unwrap()) {
            let bits = |point: &Value| (point[0].as_f64().unwrap().to_bits(), point[1].as_f64().unwrap().to_bits());
            let ring: Vec<Point> = ring.as_array().unwrap().iter().map(bits).collect();
            for edge in ring.windows(2) {
                assert!(edges.insert((edge[0], edge[1])), "{name}: two areas lie on the same side of an edge");
            }
        }
    }
    (features.len(), edges)
}

/// Each inner edge is walked once in either direction, and what is walked in one only is the district's
/// own outline: so the areas' winding numbers sum to the district's, and every place lies in exactly one.
#[test]
fn each_level_of_areas_covers_the_district_without_gap_or_overlap() {
    let (_, outline) = edges("district.geojson");
    for (name, count) in [("grids.geojson", 940), ("communities.geojson", 137), ("subdistricts.geojson", 22)] {
        let (areas, edges) = edges(name);
        assert_eq!(areas, count, "{name}");
        let outer: HashSet<_> = edges.iter().filter(|(from, to)| !edges.contains(&(*to, *from))).copied().collect();
        assert!(outer == outline, "{name}");
    }
}
