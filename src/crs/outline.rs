//! Outlines (边界): from a feature's geometry in any coordinate system to a valid one in WGS 84.

use geo::algorithm::validation::{GeometryIndex, InvalidMultiPolygon, InvalidPolygon, RingRole};
use geo::line_intersection::{LineIntersection, line_intersection};
use geo::{Line, LineString, MultiPolygon, Orient as _, Validation as _, coord, orient::Direction};
use geojson::{Geometry, GeometryValue, Position};

use super::{Crs, CrsError, CrsService};
use crate::domain::partition::{is_same_ground, settled};
use crate::domain::said::{Said, say};

/// More vertices than any real area has (the demo's district has 570). Finding a crossing compares
/// every edge with every other, so the number is looked at first.
pub const MAX_VERTICES: usize = 20_000;

/// The same for what comes over HTTP.
pub const MAX_PUBLIC_VERTICES: usize = 2_000;

/// Why a geometry is no outline.
#[derive(Debug, Clone, PartialEq)]
pub enum OutlineError {
    NotAPolygon(&'static str),
    Empty,
    TooManyVertices {
        got: usize,
        most: usize,
    },
    TooFewPositions {
        ring: Ring,
        got: usize,
    },
    Unclosed {
        ring: Ring,
    },
    Ordinates {
        ring: Ring,
        index: usize,
        got: usize,
    },
    Position {
        ring: Ring,
        index: usize,
        reason: CrsError,
    },
    /// The edges after two positions, counted from 0, meet at a place in the coordinates that came.
    Crossing {
        ring: Ring,
        edges: (usize, usize),
        at: (f64, f64),
    },
    Invalid(InvalidMultiPolygon),
}

/// Which ring of a geometry, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    polygon: usize,
    ring: usize,
}

impl From<Ring> for Said {
    fn from(Ring { polygon, ring }: Ring) -> Self {
        say!("ring {ring} of polygon {polygon}", "第 {polygon} 个多边形的第 {ring} 个环")
    }
}

impl From<OutlineError> for Said {
    fn from(error: OutlineError) -> Self {
        match error {
            OutlineError::NotAPolygon(got) => say!(
                "an area needs a Polygon or MultiPolygon, got {got}",
                "区域边界应为 Polygon 或 MultiPolygon，收到 {got}"
            ),
            OutlineError::Empty => say!("the geometry is empty", "几何图形为空"),
            OutlineError::TooManyVertices { got, most } => {
                say!("{got} vertices; at most {most} are read", "有 {got} 个顶点，最多读取 {most} 个")
            }
            OutlineError::TooFewPositions { ring, got } => say!(
                "{ring} has {got} positions; a ring needs at least 4",
                "{ring}只有 {got} 个点，至少需要 4 个",
                ring = ring,
            ),
            OutlineError::Unclosed { ring } => say!(
                "{ring} is not closed: its first and last positions differ",
                "{ring}没有闭合：首尾两点不同",
                ring = ring,
            ),
            OutlineError::Ordinates { ring, index, got } => say!(
                "position {index} of {ring} has {got} numbers instead of 2 or 3",
                "{ring}中序号为 {index} 的点有 {got} 个数，应为 2 个或 3 个",
                ring = ring,
            ),
            OutlineError::Position { ring, index, reason } => say!(
                "position {index} of {ring}: {reason}",
                "{ring}中序号为 {index} 的点：{reason}",
                ring = ring,
                reason = reason,
            ),
            OutlineError::Crossing { ring, edges: (one, other), at: (x, y) } => say!(
                "{ring} crosses or touches itself: its edges after positions {one} and {other} meet at {x}, {y}",
                "{ring}自相交或与自身相接：序号 {one} 与 {other} 的点之后的两条边在 {x}, {y} 处相遇",
                ring = ring,
            ),
            OutlineError::Invalid(reason) => invalid(&reason),
        }
    }
}

/// A ring as the library counts them.
fn ring(polygon: &GeometryIndex, role: &RingRole) -> Ring {
    let ring = match role {
        RingRole::Exterior => 1,
        RingRole::Interior(index) => index + 2,
    };
    Ring { polygon: polygon.0 + 1, ring }
}

/// Why a geometry whose positions read well is no area.
fn invalid(reason: &InvalidMultiPolygon) -> Said {
    let pair = |a: &GeometryIndex, b: &GeometryIndex| (a.0 + 1, b.0 + 1);
    let (at, reason) = match reason {
        InvalidMultiPolygon::ElementsOverlaps(a, b) => {
            let (a, b) = pair(a, b);
            return say!("polygons {a} and {b} overlap", "第 {a} 个与第 {b} 个多边形相互重叠");
        }
        InvalidMultiPolygon::ElementsTouchOnALine(a, b) => {
            let (a, b) = pair(a, b);
            return say!(
                "polygons {a} and {b} touch on a line: make them one",
                "第 {a} 个与第 {b} 个多边形有公共边：请合为一个"
            );
        }
        InvalidMultiPolygon::InvalidPolygon(at, reason) => (at, reason),
    };
    let of = |role: &RingRole| ring(at, role);
    match reason {
        InvalidPolygon::TooFewPointsInRing(role) => {
            say!("{ring} has fewer than 3 distinct points", "{ring}不足 3 个不同的点", ring = of(role))
        }
        InvalidPolygon::SelfIntersection(role) => {
            say!("{ring} crosses or touches itself", "{ring}自相交或与自身相接", ring = of(role))
        }
        InvalidPolygon::NonFiniteCoord(role, index) => {
            let index = index.0;
            say!(
                "position {index} of {ring} is no finite number",
                "{ring}的第 {index} 个位置不是有限的数",
                ring = of(role)
            )
        }
        InvalidPolygon::InteriorRingNotContainedInExteriorRing(role) => {
            say!("{ring} does not lie within the outer ring", "{ring}不在外环之内", ring = of(role))
        }
        InvalidPolygon::IntersectingRingsOnALine(a, b) => {
            say!("{a} and {b} touch on a line", "{a}与{b}有公共边", a = of(a), b = of(b))
        }
        InvalidPolygon::IntersectingRingsOnAnArea(a, b) => {
            say!("{a} and {b} overlap", "{a}与{b}相互重叠", a = of(a), b = of(b))
        }
    }
}

/// The outline that a geometry in `crs` draws.
///
/// # Errors
/// Anything but a polygon whose rings are closed, cross neither themselves nor each other, and
/// lie where the coordinate system is used.
pub fn outline(geometry: &Geometry, crs: Crs, service: CrsService) -> Result<MultiPolygon<f64>, OutlineError> {
    outline_of(geometry, crs, service, MAX_VERTICES)
}

/// The same with at most `most` vertices.
pub fn outline_of(
    geometry: &Geometry,
    crs: Crs,
    service: CrsService,
    most: usize,
) -> Result<MultiPolygon<f64>, OutlineError> {
    let polygons: &[Vec<Vec<Position>>] = match &geometry.value {
        GeometryValue::Polygon { coordinates } => std::slice::from_ref(coordinates),
        GeometryValue::MultiPolygon { coordinates } => coordinates,
        other => return Err(OutlineError::NotAPolygon(other.type_name())),
    };
    if polygons.is_empty() || polygons.iter().any(Vec::is_empty) {
        return Err(OutlineError::Empty);
    }
    let vertices = polygons.iter().flatten().map(Vec::len).sum();
    if vertices > most {
        return Err(OutlineError::TooManyVertices { got: vertices, most });
    }
    let mut converted = Vec::with_capacity(polygons.len());
    for (p, rings) in polygons.iter().enumerate() {
        let mut lines = Vec::with_capacity(rings.len());
        for (r, positions) in rings.iter().enumerate() {
            lines.push(line(positions, crs, service, Ring { polygon: p + 1, ring: r + 1 })?);
        }
        let interiors = lines.split_off(1);
        converted.extend(lines.pop().map(|exterior| geo::Polygon::new(exterior, interiors)));
    }
    let outline = MultiPolygon::new(converted);
    let Err(invalid) = outline.check_validation() else { return Ok(outline.orient(Direction::Default)) };
    // What is drawn well may come across itself by less than the millimetre that positions are kept to.
    let settled = as_drawn(polygons).is_valid().then(|| settled(outline.clone())).flatten();
    let settled = settled.filter(|settled| !settled.0.is_empty() && is_same_ground(settled, &outline));
    settled.ok_or_else(|| crossing(polygons, &invalid).unwrap_or(OutlineError::Invalid(invalid)))
}

/// Where a ring that meets itself does so first, if it does so in the very numbers that came.
fn crossing(polygons: &[Vec<Vec<Position>>], reason: &InvalidMultiPolygon) -> Option<OutlineError> {
    let InvalidMultiPolygon::InvalidPolygon(polygon, InvalidPolygon::SelfIntersection(role)) = reason else {
        return None;
    };
    let ring = ring(polygon, role);
    let drawn: LineString<f64> = drawn(polygons.get(ring.polygon - 1)?.get(ring.ring - 1)?);
    let edges: Vec<(usize, Line<f64>)> = drawn.lines().enumerate().filter(|(_, edge)| edge.start != edge.end).collect();
    let last = edges.len().checked_sub(1)?;
    for (i, (one, edge)) in edges.iter().enumerate() {
        for (j, (other, beside)) in edges.iter().enumerate().skip(i + 1) {
            let are_joined = j == i + 1 || (i, j) == (0, last);
            let met = match line_intersection(*edge, *beside) {
                Some(LineIntersection::SinglePoint { intersection, .. }) if !are_joined => intersection,
                Some(LineIntersection::Collinear { intersection }) => intersection.start,
                _ => continue,
            };
            let rounded = |number: f64| (number * 1e8).round() / 1e8;
            let at = (rounded(met.x), rounded(met.y));
            return Some(OutlineError::Crossing { ring, edges: (*one, *other), at });
        }
    }
    None
}

fn drawn(ring: &[Position]) -> LineString<f64> {
    ring.iter().map(|at| coord! { x: at[0], y: at[1] }).collect()
}

/// A geometry with the very numbers that came.
fn as_drawn(polygons: &[Vec<Vec<Position>>]) -> MultiPolygon<f64> {
    let polygon = |rings: &Vec<Vec<Position>>| {
        let mut rings = rings.iter().map(|ring| drawn(ring));
        Some(geo::Polygon::new(rings.next()?, rings.collect()))
    };
    MultiPolygon::new(polygons.iter().filter_map(polygon).collect())
}

fn line(
    positions: &[Position],
    crs: Crs,
    service: CrsService,
    ring: Ring,
) -> Result<geo::LineString<f64>, OutlineError> {
    if positions.len() < 4 {
        return Err(OutlineError::TooFewPositions { ring, got: positions.len() });
    }
    if positions.first() != positions.last() {
        return Err(OutlineError::Unclosed { ring });
    }
    let mut coords = Vec::with_capacity(positions.len());
    for (index, position) in positions.iter().enumerate() {
        if !(2..=3).contains(&position.len()) {
            return Err(OutlineError::Ordinates { ring, index, got: position.len() });
        }
        let misplaced = |reason| OutlineError::Position { ring, index, reason };
        let at = service.to_wgs84(crs, position[0], position[1]).map_err(misplaced)?;
        coords.push(geo::Coord { x: at.lon(), y: at.lat() });
    }
    // Vertices less than a millimetre apart have become one.
    coords.dedup();
    Ok(geo::LineString::new(coords))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use geo::Area as _;

    use super::*;
    use crate::domain::said::english;

    fn read(text: &str) -> Result<MultiPolygon<f64>, Cow<'static, str>> {
        let geometry: Geometry = serde_json::from_str(text).unwrap();
        outline(&geometry, Crs::Wgs84, CrsService::new()).map_err(english)
    }

    fn polygon(rings: &str) -> Result<MultiPolygon<f64>, Cow<'static, str>> {
        read(&format!(r#"{{"type":"Polygon","coordinates":{rings}}}"#))
    }

    #[test]
    fn a_polygon_becomes_one_of_many_and_turns_the_right_way() {
        let square = polygon("[[[120,36],[120,36.1],[120.1,36.1,7.5],[120.1,36],[120,36]]]").unwrap();
        assert_eq!(square.0.len(), 1);
        assert!(square.signed_area() > 0.0);
    }

    #[test]
    fn what_is_no_outline_says_why() {
        for (rings, error) in [
            (
                "[[[120,36],[120.1,36.1],[120.1,36],[120,36.1],[120,36]]]",
                "ring 1 of polygon 1 crosses or touches itself: its edges after positions 0 and 2 meet at 120.05, 36.05",
            ),
            // Forth and back on the same way.
            (
                "[[[120,36],[120.1,36],[120.1,36.1],[120.1,36.2],[120.1,36.1],[120,36]]]",
                "ring 1 of polygon 1 crosses or touches itself: its edges after positions 1 and 3 meet at 120.1, 36.1",
            ),
            (
                "[[[120,36],[120.1,36],[120.1,36.1],[120,36.1]]]",
                "ring 1 of polygon 1 is not closed: its first and last positions differ",
            ),
            ("[[[120,36],[120.1,36],[120,36]]]", "ring 1 of polygon 1 has 3 positions; a ring needs at least 4"),
            (
                "[[[120,36],[120.1,36,1,2],[120.1,36.1],[120,36]]]",
                "position 1 of ring 1 of polygon 1 has 4 numbers instead of 2 or 3",
            ),
            (
                "[[[36,120],[36,120.1],[36.1,120.1],[36,120]]]",
                "position 0 of ring 1 of polygon 1: lat must lie between -90 and 90, got 120: are lon and lat swapped?",
            ),
            ("[[[120,36],[120,36],[120,36],[120,36]]]", "ring 1 of polygon 1 has fewer than 3 distinct points"),
            ("[]", "the geometry is empty"),
        ] {
            assert_eq!(polygon(rings).unwrap_err(), error);
        }
        let point = read(r#"{"type":"Point","coordinates":[120,36]}"#).unwrap_err();
        assert_eq!(point, "an area needs a Polygon or MultiPolygon, got Point");
    }

    #[test]
    fn what_only_rounding_brings_across_itself_is_taken() {
        // A corner a third of a millimetre from an edge, as an overlay of two outlines leaves it.
        let near = polygon("[[[120,36],[120.1,36],[120.1,36.1],[120.05,36.000000003],[120,36.1],[120,36]]]").unwrap();
        assert!(near.is_valid() && (near.signed_area() - 0.005).abs() < 1e-9, "{near:?}");
        // On the edge it was said to touch it, and what has no ground is none.
        let on = polygon("[[[120,36],[120.1,36],[120.1,36.1],[120.05,36],[120,36.1],[120,36]]]").unwrap_err();
        let why = "ring 1 of polygon 1 crosses or touches itself: its edges after positions 0 and 2 meet at 120.05, 36";
        assert_eq!(on, why);
        let none = polygon("[[[120,36],[120.000000001,36],[120,36.000000001],[120,36]]]").unwrap_err();
        assert_eq!(none, "ring 1 of polygon 1 has fewer than 3 distinct points");
    }

    #[test]
    fn a_ring_of_a_hundred_thousand_vertices_is_refused_at_once() {
        let ring: Vec<_> = (0..100_000).map(|i| format!("[{},36]", 120.0 + f64::from(i) / 1e6)).collect();
        let error = polygon(&format!("[[{}]]", ring.join(","))).unwrap_err();
        assert_eq!(error, "100000 vertices; at most 20000 are read");
    }
}
