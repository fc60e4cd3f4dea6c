//! Positions (坐标): what a pair of numbers means is part of its type.

use std::marker::PhantomData;

use super::said::{Said, say};

/// Geographic WGS 84 (EPSG:4326): degrees, longitude east and latitude north.
/// CGCS2000 (EPSG:4490) is the same here; the drift of ~3 cm a year is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wgs84;

/// A plane of metres (EPSG:4549, 4528, 3857): x east, y north, whatever the authority's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plane;

/// Why a pair of numbers is no position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PositionError {
    NotFinite { axis: Axis },
    OutOfRange { axis: Axis, min: f64, max: f64, got: f64 },
    Swapped { lat: f64 },
}

impl From<PositionError> for Said {
    fn from(error: PositionError) -> Self {
        match error {
            PositionError::NotFinite { axis } => say!("{axis} must be a finite number", "{axis} 必须是有限的数"),
            PositionError::OutOfRange { axis, min, max, got } => say!(
                "{axis} must lie between {min} and {max}, got {got}",
                "{axis} 必须在 {min} 到 {max} 之间，收到 {got}"
            ),
            PositionError::Swapped { lat } => say!(
                "lat must lie between -90 and 90, got {lat}: are lon and lat swapped?",
                "lat 必须在 -90 到 90 之间，收到 {lat}：lon 和 lat 是否写反了？"
            ),
        }
    }
}

impl PositionError {
    /// The member at fault.
    pub fn axis(&self) -> Axis {
        match *self {
            Self::NotFinite { axis } | Self::OutOfRange { axis, .. } => axis,
            Self::Swapped { .. } => Axis::Lat,
        }
    }
}

/// One of the two numbers, by its name on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    Lon,
    Lat,
    X,
    Y,
}

impl std::fmt::Display for Axis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lon => "lon",
            Self::Lat => "lat",
            Self::X => "x",
            Self::Y => "y",
        })
    }
}

/// Where something is, in the coordinate system `C`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position<C> {
    east: f64,
    north: f64,
    crs: PhantomData<C>,
}

/// Degrees are kept to 1e-8, about 1 mm: rounding before comparing and storing makes both agree.
fn round_degrees(value: f64) -> f64 {
    (value * 1e8).round() / 1e8
}

impl Position<Wgs84> {
    /// A position from degrees, rounded to 1e-8°.
    ///
    /// ```
    /// use guli::domain::position::Position;
    /// assert_eq!(Position::new(120.380000001, 36.12).unwrap().lon(), 120.38);
    /// assert!(Position::new(36.12, 120.38).is_err());
    /// ```
    pub fn new(lon: f64, lat: f64) -> Result<Self, PositionError> {
        for (axis, value) in [(Axis::Lon, lon), (Axis::Lat, lat)] {
            if !value.is_finite() {
                return Err(PositionError::NotFinite { axis });
            }
        }
        if lat.abs() > 90.0 && lat.abs() <= 180.0 && lon.abs() <= 90.0 {
            return Err(PositionError::Swapped { lat });
        }
        for (axis, value, max) in [(Axis::Lon, lon, 180.0), (Axis::Lat, lat, 90.0)] {
            if value.abs() > max {
                return Err(PositionError::OutOfRange { axis, min: -max, max, got: value });
            }
        }
        Ok(Self { east: round_degrees(lon), north: round_degrees(lat), crs: PhantomData })
    }

    pub const fn lon(self) -> f64 {
        self.east
    }

    pub const fn lat(self) -> f64 {
        self.north
    }

    /// Distance in metres on the ellipsoid.
    ///
    /// Uses the radii of curvature at the middle latitude, which within 20 km of each other
    /// differs from the geodesic by less than 1 mm per kilometre; a geodesic costs forty times more.
    pub fn distance_m(self, other: Self) -> f64 {
        let scale = Metres::at(f64::midpoint(self.north, other.north));
        scale.length(other.east - self.east, other.north - self.north)
    }

    /// The position moved by metres to the east and to the north; for boxes and simulations.
    pub fn offset(self, east_m: f64, north_m: f64) -> Result<Self, PositionError> {
        let scale = Metres::at(self.north);
        Self::new(self.east + east_m / scale.per_degree_east, self.north + north_m / scale.per_degree_north)
    }
}

impl Position<Plane> {
    /// A position from metres, kept to 1 mm.
    pub fn new_plane(x: f64, y: f64) -> Result<Self, PositionError> {
        for (axis, value) in [(Axis::X, x), (Axis::Y, y)] {
            if !value.is_finite() {
                return Err(PositionError::NotFinite { axis });
            }
            // Web Mercator ends at 20,037,508 m; zoned Gauss-Krüger eastings reach 46 million.
            if value.abs() > 5e7 {
                return Err(PositionError::OutOfRange { axis, min: -5e7, max: 5e7, got: value });
            }
        }
        Ok(Self { east: x, north: y, crs: PhantomData })
    }

    pub const fn x(self) -> f64 {
        self.east
    }

    pub const fn y(self) -> f64 {
        self.north
    }
}

/// Metres in a degree at a latitude on the WGS 84 ellipsoid (a = 6,378,137 m, 1/f = 298.257223563),
/// from the radii of curvature in the prime vertical and in the meridian.
#[derive(Debug, Clone, Copy)]
pub struct Metres {
    pub per_degree_east: f64,
    pub per_degree_north: f64,
}

impl Metres {
    pub fn at(lat: f64) -> Self {
        const A: f64 = 6_378_137.0;
        const E2: f64 = 0.006_694_379_990_141_32;
        let (sin, cos) = lat.to_radians().sin_cos();
        let w2 = 1.0 - E2 * sin * sin;
        let prime_vertical = A / w2.sqrt();
        let meridian = prime_vertical * (1.0 - E2) / w2;
        Self {
            per_degree_east: prime_vertical * cos * std::f64::consts::PI / 180.0,
            per_degree_north: meridian * std::f64::consts::PI / 180.0,
        }
    }

    /// Length in metres of a difference in degrees.
    pub fn length(self, east: f64, north: f64) -> f64 {
        (east * self.per_degree_east).hypot(north * self.per_degree_north)
    }
}

#[cfg(test)]
mod tests {
    use geo::{Distance as _, Geodesic, Point};
    use proptest::prelude::*;

    use super::super::said::english;
    use super::*;

    proptest! {
        #[test]
        fn the_short_way_agrees_with_the_geodesic(
            lon in 73.0..135.0, lat in 18.0..53.0, east in -2000.0..2000.0, north in -2000.0..2000.0,
        ) {
            let a = Position::new(lon, lat).unwrap();
            let b = a.offset(east, north).unwrap();
            let exact = Geodesic.distance(Point::new(a.lon(), a.lat()), Point::new(b.lon(), b.lat()));
            prop_assert!((a.distance_m(b) - exact).abs() < 0.001, "{} {exact}", a.distance_m(b));
        }
    }

    #[test]
    fn what_is_no_position_is_named() {
        for (lon, lat, error) in [
            (f64::NAN, 36.0, "lon must be a finite number"),
            (120.0, f64::INFINITY, "lat must be a finite number"),
            (181.0, 36.0, "lon must lie between -180 and 180, got 181"),
            (36.12, 120.38, "lat must lie between -90 and 90, got 120.38: are lon and lat swapped?"),
        ] {
            assert_eq!(english(Position::new(lon, lat).unwrap_err()), error);
        }
    }
}
