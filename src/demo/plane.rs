//! The generator's own plane: whole units of 1e-8° that are written, and metres for computing.

use super::Error;
use crate::domain::position::Metres;

/// Metres east and north of the middle of the district.
pub(super) type Point = [f64; 2];

/// Units of 1e-8° in a degree.
const UNITS: f64 = 1e8;
/// Shibei's, in degrees.
const MIDDLE: [f64; 2] = [120.365, 36.115];

/// A position in whole units of 1e-8°, about 1 mm: what is compared is exactly what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Vertex {
    pub(super) lon: i64,
    pub(super) lat: i64,
}

impl Vertex {
    pub(super) fn degrees(self) -> [f64; 2] {
        [self.lon as f64 / UNITS, self.lat as f64 / UNITS]
    }
}

/// Twice the signed area of the triangle, exact: differences within a district stay below 2^25.
pub(super) fn orientation(a: Vertex, b: Vertex, c: Vertex) -> i64 {
    (b.lon - a.lon) * (c.lat - a.lat) - (b.lat - a.lat) * (c.lon - a.lon)
}

/// The vertex at these degrees.
pub(super) fn vertex_of(at: [f64; 2]) -> Vertex {
    Vertex { lon: whole(at[0] * UNITS), lat: whole(at[1] * UNITS) }
}

/// The nearest whole number; the values here are far below 2^53.
pub(super) fn whole(value: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "degrees in 1e-8 and millimetres fit i64 by far")]
    let rounded = value.round() as i64;
    rounded
}

/// The nearest count, none below zero.
pub(super) fn count(value: f64) -> usize {
    usize::try_from(whole(value)).unwrap_or(0)
}

/// Equirectangular metres about the middle of the district. Lengths err by up to 0.1 % at its
/// edges, which shapes nothing that anyone measures: what is written are degrees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    middle: [f64; 2],
    east: f64,
    north: f64,
}

impl Frame {
    /// About the middle of the district that lies so many degrees from Shibei.
    pub(super) fn about(moved: [f64; 2]) -> Self {
        let middle = [MIDDLE[0] + moved[0], MIDDLE[1] + moved[1]];
        let scale = Metres::at(middle[1]);
        Self { middle, east: scale.per_degree_east, north: scale.per_degree_north }
    }

    pub(super) fn metres(self, vertex: Vertex) -> Point {
        let [lon, lat] = vertex.degrees();
        [(lon - self.middle[0]) * self.east, (lat - self.middle[1]) * self.north]
    }

    /// The vertex at a point, to `step` units.
    pub(super) fn vertex(self, at: Point, step: i64) -> Vertex {
        let units = UNITS / step as f64;
        Vertex {
            lon: whole((self.middle[0] + at[0] / self.east) * units) * step,
            lat: whole((self.middle[1] + at[1] / self.north) * units) * step,
        }
    }
}

pub(super) fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1]]
}

pub(super) fn plus(a: Point, b: Point, times: f64) -> Point {
    [a[0] + b[0] * times, a[1] + b[1] * times]
}

pub(super) fn dot(a: Point, b: Point) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

pub(super) fn cross(a: Point, b: Point) -> f64 {
    a[0] * b[1] - a[1] * b[0]
}

/// Square root of a sum of squares: `hypot` is not the same on every platform, `sqrt` is.
pub(super) fn length(a: Point) -> f64 {
    dot(a, a).sqrt()
}

pub(super) fn distance(a: Point, b: Point) -> f64 {
    length(minus(a, b))
}

pub(super) fn unit(a: Point) -> Point {
    let l = length(a).max(1e-9);
    [a[0] / l, a[1] / l]
}

/// Distance from a point to the straight piece from `a` to `b`.
pub(super) fn to_piece(p: Point, a: Point, b: Point) -> f64 {
    let ab = minus(b, a);
    let t = (dot(minus(p, a), ab) / dot(ab, ab).max(1e-12)).clamp(0.0, 1.0);
    distance(p, plus(a, ab, t))
}

/// How a file's coordinates are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crs {
    Wgs84,
    Cgcs2000,
    Gcj02,
    /// Gauss-Krüger, central meridian 120°, false easting 500 km.
    Plane4549,
    /// The same with the number of its zone before the easting.
    Plane4528,
}

impl Crs {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Wgs84 => "EPSG:4326",
            Self::Cgcs2000 => "EPSG:4490",
            Self::Gcj02 => "GCJ-02",
            Self::Plane4549 => "EPSG:4549",
            Self::Plane4528 => "EPSG:4528",
        }
    }

    pub(super) const fn is_plane(self) -> bool {
        matches!(self, Self::Plane4549 | Self::Plane4528)
    }
}

/// Turns the generator's positions into each file's.
pub(super) struct Surveyor {
    gauss_krueger: proj::Proj,
}

impl Surveyor {
    /// The projection is spelled out (CGCS2000's ellipsoid is GRS 80's), so that no `proj.db`
    /// is looked for: it is EPSG:4549 with x east and y north.
    pub(super) fn new() -> Result<Self, Error> {
        let pipeline = "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad \
                        +step +proj=tmerc +lat_0=0 +lon_0=120 +k=1 +x_0=500000 +y_0=0 +ellps=GRS80";
        Ok(Self { gauss_krueger: proj::Proj::new(pipeline).map_err(|e| Error::Projection(e.to_string()))? })
    }

    /// East and north, or longitude and latitude, in the file's system and with its decimals
    /// (1 mm, or 1e-8°).
    pub(super) fn give(&self, vertex: Vertex, crs: Crs) -> Result<[String; 2], Error> {
        let [lon, lat] = vertex.degrees();
        let zone = if crs == Crs::Plane4528 { 40_000_000.0 } else { 0.0 };
        Ok(match crs {
            Crs::Wgs84 | Crs::Cgcs2000 => [format!("{lon:.8}"), format!("{lat:.8}")],
            Crs::Gcj02 => to_gcj02([lon, lat]).map(|d| format!("{d:.8}")),
            Crs::Plane4549 | Crs::Plane4528 => {
                let (e, n) = self.gauss_krueger.convert((lon, lat)).map_err(|e| Error::Projection(e.to_string()))?;
                [format!("{:.3}", e + zone), format!("{n:.3}")]
            }
        })
    }
}

/// WGS 84 → GCJ-02, the published transformation.
pub(super) fn to_gcj02([lon, lat]: [f64; 2]) -> [f64; 2] {
    use std::f64::consts::PI;
    const A: f64 = 6_378_245.0;
    const EE: f64 = 0.006_693_421_622_965_943;
    let s = |t: f64| (PI * t).sin();
    let (u, v) = (lon - 105.0, lat - 35.0);
    let w = 20.0 * s(6.0 * u) + 20.0 * s(2.0 * u);
    let root = u.abs().sqrt();
    let north = -100.0
        + 2.0 * u
        + 3.0 * v
        + 0.2 * v * v
        + 0.1 * u * v
        + 0.2 * root
        + 2.0 / 3.0 * (w + 20.0 * s(v) + 40.0 * s(v / 3.0) + 160.0 * s(v / 12.0) + 320.0 * s(v / 30.0));
    let east = 300.0
        + u
        + 2.0 * v
        + 0.1 * u * u
        + 0.1 * u * v
        + 0.1 * root
        + 2.0 / 3.0 * (w + 20.0 * s(u) + 40.0 * s(u / 3.0) + 150.0 * s(u / 12.0) + 300.0 * s(u / 30.0));
    let (sin, cos) = (lat.to_radians().sin(), lat.to_radians().cos());
    let m = 1.0 - EE * sin * sin;
    [lon + 180.0 * east * m.sqrt() / (PI * A * cos), lat + 180.0 * north * m * m.sqrt() / (PI * A * (1.0 - EE))]
}

/// GCJ-02 → WGS 84 by fixed-point rounds; six leave less than 1e-7 m.
pub(super) fn from_gcj02(target: [f64; 2]) -> [f64; 2] {
    let mut p = target;
    for _ in 0..6 {
        let f = to_gcj02(p);
        p = [p[0] + target[0] - f[0], p[1] + target[1] - f[1]];
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed independently in double precision with PROJ 9.5.1.
    const VECTORS: [[&str; 6]; 3] = [
        ["120.345", "36.085", "120.3500952", "36.0852281", "531073.115", "3995029.353"],
        ["120.38", "36.12", "120.3851375", "36.1202861", "534210.297", "3998924.758"],
        ["120.36", "36.15", "120.3651229", "36.1502684", "532397.413", "4002246.769"],
    ];

    #[test]
    fn every_system_agrees_with_independent_vectors() {
        let surveyor = Surveyor::new().unwrap();
        for line in VECTORS {
            let n = line.map(|text| text.parse::<f64>().unwrap());
            let vertex = Vertex { lon: whole(n[0] * UNITS), lat: whole(n[1] * UNITS) };
            assert_eq!(surveyor.give(vertex, Crs::Plane4549).unwrap(), [line[4], line[5]]);
            let gcj = to_gcj02([n[0], n[1]]);
            assert!((gcj[0] - n[2]).abs() < 6e-8 && (gcj[1] - n[3]).abs() < 6e-8, "{gcj:?}");
            let back = from_gcj02(gcj);
            assert!((back[0] - n[0]).abs() < 1e-11 && (back[1] - n[1]).abs() < 1e-11);
        }
    }
}
