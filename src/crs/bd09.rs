//! BD-09: Baidu's own shift on top of [GCJ-02](super::gcj02).

use std::f64::consts::PI;

use super::gcj02;

const K: f64 = 3000.0 * PI / 180.0;

/// BD-09 of a GCJ-02 position, in degrees.
fn from_gcj02((x, y): (f64, f64)) -> (f64, f64) {
    let z = x.hypot(y) + 2e-5 * (y * K).sin();
    let theta = y.atan2(x) + 3e-6 * (x * K).cos();
    (z * theta.cos() + 0.0065, z * theta.sin() + 0.006)
}

/// BD-09 of a WGS 84 position, in degrees.
pub fn from_wgs84(lon: f64, lat: f64) -> (f64, f64) {
    from_gcj02(gcj02::from_wgs84(lon, lat))
}

/// WGS 84 of a BD-09 position, in degrees, to better than 1e-7 m (the common closed inverse errs by 0.2 m).
pub fn to_wgs84(lon: f64, lat: f64) -> (f64, f64) {
    let (lon, lat) = gcj02::invert((lon, lat), from_gcj02);
    gcj02::to_wgs84(lon, lat)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crs::VECTORS;

    #[test]
    fn the_vectors_hold() {
        // The last one is Beijing, from the gcoord library's documentation.
        let beijing = ((116.403_988, 39.914_266), (116.416_615_6, 39.921_965_8));
        for (wgs84, bd09) in VECTORS.iter().map(|v| (v[0], v[2])).chain([beijing]) {
            let (lon, lat) = from_wgs84(wgs84.0, wgs84.1);
            assert!((lon - bd09.0).abs() < 6e-8 && (lat - bd09.1).abs() < 6e-8, "{lon} {lat} {bd09:?}");
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
