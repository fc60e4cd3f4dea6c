//! Integers of 1e-8° relative to a district, and metres between them.
//!
//! Positions are rounded to 1e-8° at the edge of the house, so nothing is lost here: what comes out
//! is what went in. 32 bits hold 21°; [`LIMIT`] keeps products of two differences within 64.

use rstar::AABB;

use crate::domain::position::{Metres, Position, Wgs84};

/// Units in a degree.
const UNITS: f64 = 1e8;

/// How far from the origin of a district anything of it may lie: 10°.
const LIMIT: i64 = 1_000_000_000;

/// A place relative to a [`Frame`], in 1e-8°.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    pub(super) x: i32,
    pub(super) y: i32,
}

/// The origin of a district, in 1e-8° from 0°, 0°.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    east: i64,
    north: i64,
}

#[expect(clippy::cast_possible_truncation, reason = "at most 180e8")]
fn units(degrees: f64) -> i64 {
    (degrees * UNITS).round() as i64
}

impl Frame {
    pub(super) fn at(lon: f64, lat: f64) -> Self {
        Self { east: units(lon), north: units(lat) }
    }

    /// `None` when the place is further than 10° away.
    pub(super) fn spot(self, lon: f64, lat: f64) -> Option<Spot> {
        let near = |difference: i64| i32::try_from(difference).ok().filter(|d| i64::from(d.unsigned_abs()) <= LIMIT);
        Some(Spot { x: near(units(lon) - self.east)?, y: near(units(lat) - self.north)? })
    }

    pub(super) fn spot_of(self, at: Position<Wgs84>) -> Option<Spot> {
        self.spot(at.lon(), at.lat())
    }

    /// A box that holds everything within west, south, east, north; cut off where no spot can be.
    pub(super) fn reach(self, [west, south, east, north]: [f64; 4]) -> Box32 {
        let limit = LIMIT as f64;
        let near = |degrees: f64, origin: i64| (degrees * UNITS - origin as f64).clamp(-limit, limit);
        let low = corner(near(west, self.east) - SLACK, near(south, self.north) - SLACK);
        AABB::from_corners(low, corner(near(east, self.east) + SLACK, near(north, self.north) + SLACK))
    }

    /// Longitude and latitude.
    pub(super) fn degrees(self, spot: Spot) -> (f64, f64) {
        let degrees = |origin: i64, difference: i32| (origin + i64::from(difference)) as f64 / UNITS;
        (degrees(self.east, spot.x), degrees(self.north, spot.y))
    }

    pub(super) fn position(self, spot: Spot) -> Position<Wgs84> {
        let (lon, lat) = self.degrees(spot);
        Position::new(lon, lat).expect("a spot is made of a position, and back again it is one")
    }
}

/// Boxes are of `f32` to be small in the trees, so they lie up to half of 64 units off within 10°;
/// searches grow by this much and decide by the integers.
const SLACK: f64 = 128.0;

pub(super) type Box32 = AABB<[f32; 2]>;

#[expect(clippy::cast_possible_truncation, reason = "SLACK covers what is lost")]
pub(super) fn corner(x: f64, y: f64) -> [f32; 2] {
    [x as f32, y as f32]
}

impl Spot {
    pub(super) fn corner(self) -> [f32; 2] {
        corner(f64::from(self.x), f64::from(self.y))
    }
}

/// Metres between spots near one of them.
///
/// The length of a degree of longitude is taken at the middle latitude of the two, by its slope at
/// the first: within 1 km the difference to [`Position::distance_m`] is below 1 µm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ruler {
    from: Spot,
    east: f64,
    /// Half the change of `east` for each unit of latitude.
    east_slope: f64,
    north: f64,
}

impl Ruler {
    pub(super) fn new(at: Position<Wgs84>, from: Spot) -> Self {
        const STEP: f64 = 1e-3;
        let (here, there) = (Metres::at(at.lat()), Metres::at(at.lat() + STEP));
        Self {
            from,
            east: here.per_degree_east / UNITS,
            east_slope: (there.per_degree_east - here.per_degree_east) / STEP / UNITS / UNITS / 2.0,
            north: here.per_degree_north / UNITS,
        }
    }

    /// East and north from the ruler's spot in metres.
    pub(super) fn metres_to(&self, spot: Spot) -> (f64, f64) {
        let x = f64::from(spot.x) - f64::from(self.from.x);
        let y = f64::from(spot.y) - f64::from(self.from.y);
        (x * (self.east + y * self.east_slope), y * self.north)
    }

    pub(super) fn squared_m(&self, spot: Spot) -> f64 {
        let (east, north) = self.metres_to(spot);
        east * east + north * north
    }

    /// A box that holds everything within the radius.
    pub(super) fn reach(&self, radius_m: f64) -> Box32 {
        let (x, y) = (f64::from(self.from.x), f64::from(self.from.y));
        // 1 % more than the radius: the box's northern side is shorter in degrees than its middle.
        let (dx, dy) = (1.01 * radius_m / self.east + SLACK, 1.01 * radius_m / self.north + SLACK);
        AABB::from_corners(corner(x - dx, y - dy), corner(x + dx, y + dy))
    }
}
