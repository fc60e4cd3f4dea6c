use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::crs::{CrsService, VECTORS};
use crate::domain::said::english;

/// What [`a_bad_proj_data_changes_nothing`] runs again in a child.
#[test]
fn the_vectors_hold() {
    let mut converter = Converter::new();
    for [wgs84, gcj02, bd09, gk] in VECTORS {
        let at = Position::new(wgs84.0, wgs84.1).unwrap();
        for (crs, pair, tolerance) in [
            (Crs::Cgcs2000, wgs84, 1e-9),
            (Crs::Gcj02, gcj02, 6e-8),
            (Crs::Bd09, bd09, 6e-8),
            (Crs::Gk120, gk, 6e-4),
            (Crs::Gk40, (gk.0 + 40_000_000.0, gk.1), 6e-4),
        ] {
            let there = converter.from_wgs84(crs, at).unwrap();
            assert!((there.0 - pair.0).abs() < tolerance && (there.1 - pair.1).abs() < tolerance, "{crs} {there:?}");
            let back = converter.to_wgs84(crs, there.0, there.1).unwrap();
            assert!(back.distance_m(at) < 0.002, "{crs}: {back:?} is {} m away", back.distance_m(at));
        }
    }
}

/// The operations written down here are what EPSG's registry (PROJ's database) says.
#[test]
fn the_operations_are_those_of_the_registry() {
    let mut converter = Converter::new();
    for (crs, code) in [(Crs::Gk120, "EPSG:4549"), (Crs::Gk40, "EPSG:4528"), (Crs::WebMercator, "EPSG:3857")] {
        let registry = Proj::new_known_crs("EPSG:4326", code, None).unwrap();
        for (lon, lat) in [(120.38, 36.12), (118.5, 22.0), (121.9, 53.0)] {
            let exact: (f64, f64) = registry.convert((lon, lat)).unwrap();
            let own = converter.from_wgs84(crs, Position::new(lon, lat).unwrap()).unwrap();
            assert!((own.0 - exact.0).abs() < 6e-4 && (own.1 - exact.1).abs() < 6e-4, "{crs} {own:?} {exact:?}");
        }
    }
}

#[test]
fn a_bad_proj_data_changes_nothing() {
    // Not a database, an empty one, none.
    for database in [Some(&b"this is no database"[..]), Some(&b""[..]), None] {
        let trap = tempfile::tempdir().unwrap();
        if let Some(bytes) = database {
            std::fs::write(trap.path().join("proj.db"), bytes).unwrap();
        }
        let ini = "[general]\ntmerc_default_algo = evenden_snyder\nnetwork = on\n";
        std::fs::write(trap.path().join("proj.ini"), ini).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crs::converter::tests::the_vectors_hold"])
            .env("PROJ_DATA", trap.path())
            .env("PROJ_LIB", trap.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&child.stderr)
        );
    }
}

#[test]
fn errors_tell_what_kind_of_mistake_it_is() {
    let mut converter = Converter::new();
    for (crs, east, north, error) in [
        (Crs::Gk120, f64::NAN, 4e6, "x must be a finite number"),
        (Crs::Gcj02, 120.0, f64::INFINITY, "lat must be a finite number"),
        (Crs::Wgs84, 36.1, 120.4, "lat must lie between -90 and 90, got 120.4: are lon and lat swapped?"),
        (Crs::Gcj02, 200.0, 36.0, "lon must lie between -180 and 180, got 200"),
        (Crs::Gcj02, 2.35, 48.85, "lon of GCJ-02 must lie between 72.004 and 137.8347, got 2.35"),
        (
            Crs::Gk120,
            3_998_924.0,
            534_210.0,
            "x of EPSG:4549 must lie between 277000 and 723000, got 3998924: x is east, y is north",
        ),
        (
            Crs::Gk120,
            40_534_210.0,
            3_998_924.0,
            "x of EPSG:4549 must lie between 277000 and 723000, got 40534210: with the zone number it is EPSG:4528",
        ),
        (
            Crs::Gk40,
            534_210.0,
            3_998_924.0,
            "x of EPSG:4528 must lie between 40277000 and 40723000, got 534210: without the zone number it is EPSG:4549",
        ),
        (Crs::Gk120, 120.38, 36.12, "x of EPSG:4549 must lie between 277000 and 723000, got 120.38: is it in degrees?"),
        (Crs::Gk120, 1e9, 36.12, "x must lie between -50000000 and 50000000, got 1000000000"),
    ] {
        assert_eq!(english(converter.to_wgs84(crs, east, north).unwrap_err()), error);
    }
    let paris = Position::new(2.35, 48.85).unwrap();
    assert!(matches!(converter.from_wgs84(Crs::Gk120, paris), Err(CrsError::OutsideArea { axis: Axis::Lon, .. })));
}

#[test]
fn a_batch_names_the_pair_at_fault() {
    let mut pairs = [VECTORS[0][3], (1.0, 2.0), VECTORS[1][3]];
    let (index, error) = Converter::new().to_wgs84_all(Crs::Gk120, &mut pairs).unwrap_err();
    assert_eq!((index, error.axis()), (1, Some(Axis::X)));
    let mut pairs = [VECTORS[0][0], VECTORS[1][0]];
    Converter::new().from_wgs84_all(Crs::Gk120, &mut pairs).unwrap();
    assert_eq!(pairs, [VECTORS[0][3], VECTORS[1][3]]);
}

proptest! {
    #[test]
    fn every_system_there_and_back_is_within_two_millimetres(lon in 118.01..121.99, lat in 18.0..53.0) {
        let converter = CrsService::new();
        let at = Position::new(lon, lat).unwrap();
        for crs in Crs::ALL {
            let (east, north) = converter.from_wgs84(*crs, at).unwrap();
            let back = converter.to_wgs84(*crs, east, north).unwrap();
            prop_assert!(back.distance_m(at) < 0.002, "{crs}");
        }
    }

    #[test]
    fn any_numbers_are_answered(east in any::<f64>(), north in any::<f64>()) {
        let converter = CrsService::new();
        for crs in Crs::ALL {
            let _ = converter.to_wgs84(*crs, east, north);
        }
    }
}
