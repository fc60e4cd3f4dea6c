//! Where a tile lies, and where in it a position falls.
//!
//! Tiles cut the square of Web Mercator (EPSG:3857) into 2^z × 2^z, numbered from the north-west as in the OGC's
//! `WebMercatorQuad`; within a tile, units of 1/4096 count to the east and to the south.

use crate::crs::mercator;
use crate::domain::said::{Said, say};

/// Units along a tile's side.
pub const EXTENT: i32 = 4_096;

/// The deepest zoom that is drawn.
pub const MAX_ZOOM: u8 = 22;

/// A place in units of its tile.
pub(super) type Spot = (i32, i32);

/// A tile's address, within the square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    z: u8,
    x: u32,
    y: u32,
}

/// Which part of an address lies outside the square, and what it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfRange {
    pub part: &'static str,
    most: u32,
    got: String,
}

impl From<OutOfRange> for Said {
    fn from(OutOfRange { part, most, got }: OutOfRange) -> Self {
        say!("{part} must lie between 0 and {most}, got {got:?}", "{part} 必须在 0 到 {most} 之间，收到 {got:?}")
    }
}

impl Tile {
    pub fn new(z: u8, x: u32, y: u32) -> Result<Self, OutOfRange> {
        Self::parse(&z.to_string(), &x.to_string(), &y.to_string())
    }

    /// Reads an address as people write it: plain decimal digits.
    pub fn parse(z: &str, x: &str, y: &str) -> Result<Self, OutOfRange> {
        let part = |part, text: &str, most: u32| {
            let plain = !text.is_empty() && text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit());
            let number = text.parse().ok().filter(|number| plain && *number <= most);
            number.ok_or_else(|| OutOfRange { part, most, got: text.chars().take(20).collect() })
        };
        let z = part("z", z, MAX_ZOOM.into())?;
        let last = (1u32 << z) - 1;
        Ok(Self { x: part("x", x, last)?, y: part("y", y, last)?, z: u8::try_from(z).unwrap_or(MAX_ZOOM) })
    }

    pub const fn zoom(self) -> u8 {
        self.z
    }

    /// West, south, east, north in degrees, so many units wider on every side.
    pub(super) fn bounds(self, margin: i32) -> [f64; 4] {
        let scale = Scale::of(self);
        let (margin, extent) = (i64::from(margin), i64::from(EXTENT));
        let (west, north) = scale.degrees(scale.east - margin, scale.south - margin);
        let (east, south) = scale.degrees(scale.east + extent + margin, scale.south + extent + margin);
        [west, south, east, north]
    }
}

/// From degrees to the units of one tile.
///
/// A position is rounded to the units of the whole square before the tile's corner is taken off, so it falls on
/// the same place for every area that it is a corner of, and in every tile of the zoom that holds it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Units of the square in a metre.
    units: f64,
    /// The tile's north-western corner in units from that of the square.
    east: i64,
    south: i64,
}

impl Scale {
    pub(super) fn of(tile: Tile) -> Self {
        let side = f64::from(EXTENT) * f64::from(1u32 << tile.z);
        let corner = |number: u32| i64::from(number) * i64::from(EXTENT);
        Self { units: side / (2.0 * mercator::HALF_SQUARE), east: corner(tile.x), south: corner(tile.y) }
    }

    /// Units to the east and south of the tile's north-western corner, which may be far outside.
    pub(super) fn place(&self, lon: f64, lat: f64) -> (i64, i64) {
        let lat = lat.clamp(-mercator::MAX_LAT, mercator::MAX_LAT);
        let (x, y) = mercator::from_wgs84(lon, lat);
        #[expect(clippy::cast_possible_truncation, reason = "at most 2^34 at the deepest zoom")]
        let units = |metres: f64| (metres * self.units).round() as i64;
        (units(mercator::HALF_SQUARE + x) - self.east, units(mercator::HALF_SQUARE - y) - self.south)
    }

    /// The place, if it lies in the tile or within the margin beside it.
    pub(super) fn spot(&self, (lon, lat): (f64, f64), margin: i32) -> Option<Spot> {
        let (x, y) = self.place(lon, lat);
        let within = |v: i64| i32::try_from(v).ok().filter(|v| (-margin..=EXTENT + margin).contains(v));
        Some((within(x)?, within(y)?))
    }

    fn degrees(&self, x: i64, y: i64) -> (f64, f64) {
        let metres = |units: i64| units as f64 / self.units - mercator::HALF_SQUARE;
        mercator::to_wgs84(metres(x), -metres(y))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_lies_in_the_square_or_says_what_does_not() {
        for (z, x, y, fault) in [
            ("0", "0", "0", None),
            ("14", "13671", "6425", None),
            ("22", "4194303", "4194303", None),
            ("23", "0", "0", Some("z")),
            ("14", "16384", "0", Some("x")),
            ("1", "0", "2", Some("y")),
            ("-1", "0", "0", Some("z")),
            ("1", "+1", "0", Some("x")),
            ("1", "0", "", Some("y")),
            ("1", "99999999999", "0", Some("x")),
        ] {
            assert_eq!(Tile::parse(z, x, y).err().map(|e| e.part), fault, "{z}/{x}/{y}");
        }
    }

    /// Qingdao, by the formula of <https://wiki.openstreetmap.org/wiki/Slippy_map_tilenames>:
    /// x = (lon + 180) / 360 · 2^z, y = (1 − asinh(tan lat) / π) / 2 · 2^z.
    #[test]
    fn known_positions_fall_where_they_should() {
        for (lon, lat, z, x, y) in [(120.38, 36.12, 14, 13_670, 6_427), (120.375, 36.11, 16, 54_681, 25_710)] {
            let tile = Tile::new(z, x, y).unwrap();
            let side = f64::from(1u32 << z) * 4_096.0;
            let east = (lon + 180.0) / 360.0 * side - f64::from(x) * 4_096.0;
            let south = (1.0 - f64::tan(f64::to_radians(lat)).asinh() / std::f64::consts::PI) / 2.0 * side;
            let place = Scale::of(tile).place(lon, lat);
            let south = south - f64::from(y) * 4_096.0;
            assert!((place.0 as f64 - east).abs() <= 0.5 + 1e-6 && (place.1 as f64 - south).abs() <= 0.5 + 1e-6);
            assert!((0..4_096).contains(&place.0) && (0..4_096).contains(&place.1), "{place:?} in {tile:?}");
        }
        let world = Tile::new(0, 0, 0).unwrap();
        assert_eq!(Scale::of(world).place(0.0, 0.0), (2_048, 2_048));
        assert_eq!(Scale::of(world).place(-180.0, 85.051_128_779_806_6), (0, 0));
        let [west, south, east, north] = world.bounds(0);
        for (got, expected) in [(west, -180.0), (south, -85.051_128_78), (east, 180.0), (north, 85.051_128_78)] {
            assert!((got - expected).abs() < 1e-8, "{got} {expected}");
        }
    }

    proptest! {
        #[test]
        fn neighbouring_tiles_agree_on_a_place(lon in 120.0..121.0, lat in 36.0..37.0, z in 10u8..=22) {
            let square = Scale { east: 0, south: 0, ..Scale::of(Tile::new(z, 0, 0).unwrap()) };
            let (x, y) = square.place(lon, lat);
            let number = |units: i64| u32::try_from(units / 4_096).unwrap();
            let here = Scale::of(Tile::new(z, number(x), number(y)).unwrap()).place(lon, lat);
            let east = Scale::of(Tile::new(z, number(x) + 1, number(y)).unwrap()).place(lon, lat);
            prop_assert_eq!((here.0, here.1), (east.0 + 4_096, east.1));
            prop_assert_eq!(here, (x % 4_096, y % 4_096));
        }
    }
}
