//! EPSG:3857, Web Mercator: the sphere of radius 6,378,137 m under the ellipsoid's degrees.
//!
//! Closed formulas (EPSG method 1024, "Popular Visualisation Pseudo Mercator"); a test holds them against PROJ.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

const R: f64 = 6_378_137.0;

/// Half the side of the square of the web's tiles in metres: the equator's half, to the east and to the north.
pub const HALF_SQUARE: f64 = std::f64::consts::PI * R;

/// Where the square of the web's tiles ends, in degrees.
pub const MAX_LAT: f64 = 85.06;

/// Where it ends in metres, on every side; a little more than πR.
pub const MAX_METRES: f64 = 20_050_000.0;

/// x and y in metres of a position in degrees.
pub fn from_wgs84(lon: f64, lat: f64) -> (f64, f64) {
    (R * lon.to_radians(), R * (FRAC_PI_4 + lat.to_radians() / 2.0).tan().ln())
}

/// Degrees of x and y in metres.
pub fn to_wgs84(x: f64, y: f64) -> (f64, f64) {
    ((x / R).to_degrees(), (FRAC_PI_2 - 2.0 * (-y / R).exp().atan()).to_degrees())
}

#[cfg(test)]
mod tests {
    use proj::Proj;
    use proptest::prelude::*;

    use super::*;

    thread_local! {
        static PROJ: Proj = Proj::new("+proj=webmerc +ellps=WGS84").unwrap();
    }

    proptest! {
        #[test]
        fn the_formulas_agree_with_proj(lon in -180.0..180.0, lat in -85.0..85.0) {
            let exact = PROJ.with(|proj| proj.project((f64::to_radians(lon), f64::to_radians(lat)), false)).unwrap();
            let (x, y) = from_wgs84(lon, lat);
            prop_assert!((x - exact.0).abs() < 1e-6 && (y - exact.1).abs() < 1e-6, "{x} {y} {exact:?}");
            let back = to_wgs84(x, y);
            prop_assert!((back.0 - lon).abs() < 1e-10 && (back.1 - lat).abs() < 1e-10, "{back:?}");
        }
    }
}
