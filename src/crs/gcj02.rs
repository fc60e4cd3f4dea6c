//! GCJ-02 (火星坐标): WGS 84 shifted by a few hundred metres, as mainland maps are by law.
//!
//! The formula is the one that all open implementations share. Only mainland maps are shifted;
//! which ones these are nobody can tell from a number, so what is declared GCJ-02 is shifted back
//! wherever it lies in [`AREA`], and nothing else is.

use std::f64::consts::PI;

/// West, south, east, north of where the formula is meant for, in degrees. It holds more than the
/// mainland (Hong Kong, Taiwan, Korea, Bhutan): a bound on nonsense, not a border.
pub const AREA: [f64; 4] = [72.004, 0.8293, 137.8347, 55.8271];

/// Semi-major axis (m) and squared eccentricity of the Krasovsky ellipsoid that the formula uses.
const A: f64 = 6_378_245.0;
const EE: f64 = 0.006_693_421_622_965_943;

/// The shift in degrees, east and north, at a WGS 84 position.
fn shift(lon: f64, lat: f64) -> (f64, f64) {
    let (u, v) = (lon - 105.0, lat - 35.0);
    let s = |t: f64| (PI * t).sin();
    let wave = 20.0 * s(6.0 * u) + 20.0 * s(2.0 * u);
    let north = -100.0
        + 2.0 * u
        + 3.0 * v
        + 0.2 * v * v
        + 0.1 * u * v
        + 0.2 * u.abs().sqrt()
        + (wave + 20.0 * s(v) + 40.0 * s(v / 3.0) + 160.0 * s(v / 12.0) + 320.0 * s(v / 30.0)) * 2.0 / 3.0;
    let east = 300.0
        + u
        + 2.0 * v
        + 0.1 * u * u
        + 0.1 * u * v
        + 0.1 * u.abs().sqrt()
        + (wave + 20.0 * s(u) + 40.0 * s(u / 3.0) + 150.0 * s(u / 12.0) + 300.0 * s(u / 30.0)) * 2.0 / 3.0;
    let (sin, cos) = lat.to_radians().sin_cos();
    let m = 1.0 - EE * sin * sin;
    (180.0 * east * m.sqrt() / (PI * A * cos), 180.0 * north * m.powf(1.5) / (PI * A * (1.0 - EE)))
}

/// GCJ-02 of a WGS 84 position, in degrees.
pub fn from_wgs84(lon: f64, lat: f64) -> (f64, f64) {
    let (east, north) = shift(lon, lat);
    (lon + east, lat + north)
}

/// WGS 84 of a GCJ-02 position, in degrees, to better than 1e-7 m.
///
/// The common one-step inverse, subtracting the shift at the shifted place, errs by up to 5 m in China.
pub fn to_wgs84(lon: f64, lat: f64) -> (f64, f64) {
    invert((lon, lat), |(lon, lat)| from_wgs84(lon, lat))
}

/// Solves f(p) = target for an f that moves a point by little and evenly: p ← p + (target − f(p)).
/// In China both systems are within 1e-11° after at most six rounds; the bound ends what lies elsewhere.
pub(super) fn invert(target: (f64, f64), f: impl Fn((f64, f64)) -> (f64, f64)) -> (f64, f64) {
    let mut p = target;
    for _ in 0..10 {
        let at = f(p);
        let (east, north) = (target.0 - at.0, target.1 - at.1);
        p = (p.0 + east, p.1 + north);
        if east.abs().max(north.abs()) < 1e-11 {
            break;
        }
    }
    p
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crs::VECTORS;

    #[test]
    fn the_vectors_hold() {
        for [wgs84, gcj02, ..] in VECTORS {
            let (lon, lat) = from_wgs84(wgs84.0, wgs84.1);
            assert!((lon - gcj02.0).abs() < 6e-8 && (lat - gcj02.1).abs() < 6e-8, "{lon} {lat} {gcj02:?}");
        }
    }

    proptest! {
        #[test]
        fn there_and_back_is_within_a_micrometre(lon in 73.0..135.1, lat in 18.0..53.6) {
            let there = from_wgs84(lon, lat);
            let back = to_wgs84(there.0, there.1);
            prop_assert!((back.0 - lon).abs() < 1e-11 && (back.1 - lat).abs() < 1e-11, "{back:?}");
        }
    }
}
