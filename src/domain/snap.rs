//! Vertices that are meant to be one (顶点捕捉).
//!
//! What comes back through a plane of metres, or with seven digits, lies a few millimetres beside what was sent. Were it taken as
//! it comes, each such way would open a seam of nobody's or of two; so a vertex that is as near as that to one that there is, is
//! that one, one that is as near to an edge lies on it, and an edge that passes one as near leads through it.

use std::collections::{HashMap, HashSet};

use geo::{LineString, MultiPolygon, Polygon, Validation as _};

use super::edges::{Vertex, degrees, edges, vertex};
use super::position::Metres;

/// Nearer than this, in metres, two vertices are one: seven digits of a degree are up to 7.9 mm off, millimetres of a plane less.
pub const SAME_M: f64 = 0.008;

/// Units of 1e-8° in a cell: more than what [`SAME_M`] is to the north, and to the east up to 60° of latitude.
const CELL: i64 = 16;

/// How far along an edge a place is looked for that lies on it, in units of 1e-8°: none does exactly but by chance.
const ALONG: i64 = 5;

/// Vertices that there are.
#[derive(Debug, Clone, Default)]
pub struct Vertices(HashMap<(i64, i64), Vec<Vertex>>);

impl Vertices {
    pub fn add(&mut self, outline: &MultiPolygon<f64>) {
        for (at, _) in edges(outline) {
            let cell = self.0.entry(cell(at)).or_default();
            if !cell.contains(&at) {
                cell.push(at);
            }
        }
    }

    fn has(&self, at: Vertex) -> bool {
        self.0.get(&cell(at)).is_some_and(|cell| cell.contains(&at))
    }

    /// The nearest that is the same.
    fn nearest(&self, at: Vertex) -> Option<Vertex> {
        let (x, y) = cell(at);
        let around = (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| (x + dx, y + dy)));
        let scale = Scale::at(at);
        let near = around.filter_map(|key| self.0.get(&key)).flatten();
        let near = near.map(|other| (scale.metres(at, *other), *other)).filter(|(metres, _)| *metres <= SAME_M);
        near.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))).map(|(_, vertex)| vertex)
    }
}

fn cell((x, y): Vertex) -> (i64, i64) {
    (x.div_euclid(CELL), y.div_euclid(CELL))
}

/// An outline with those vertices that are of `own`, which it was before, or else of others, if it stays one.
pub fn to_vertices(outline: &MultiPolygon<f64>, own: &Vertices, others: &Vertices) -> MultiPolygon<f64> {
    moved(outline, |at| {
        if own.has(at) || others.has(at) {
            return at;
        }
        own.nearest(at).or_else(|| others.nearest(at)).unwrap_or(at)
    })
}

/// An outline whose vertices lie on the edges of `others` that they are as near to, but for those that there are, if it
/// stays one.
pub fn to_edges<'a>(
    outline: &MultiPolygon<f64>,
    there: &Vertices,
    others: impl IntoIterator<Item = &'a MultiPolygon<f64>>,
) -> MultiPolygon<f64> {
    let others: Vec<_> = others.into_iter().flat_map(edges).collect();
    moved(outline, |at| {
        if there.has(at) {
            return at;
        }
        let scale = Scale::at(at);
        let near = others.iter().filter_map(|edge| Some((scale.beside(at, *edge)?, *edge)));
        let nearest = near.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        nearest.map_or(at, |(_, edge)| scale.on(at, edge))
    })
}

/// An outline whose edges lead through those vertices of `others` that they pass as near, if it stays one. Edges of `own`, which
/// it was before, may pass those of them that are `there` already.
pub fn through<'a>(
    outline: &MultiPolygon<f64>,
    own: Option<&MultiPolygon<f64>>,
    there: &Vertices,
    others: impl IntoIterator<Item = &'a MultiPolygon<f64>>,
) -> MultiPolygon<f64> {
    let own: HashSet<(Vertex, Vertex)> = own.into_iter().flat_map(edges).flat_map(|(a, b)| [(a, b), (b, a)]).collect();
    led(outline, others, |at, edge| off(at, edge) > 0 && (!own.contains(&edge) || !there.has(at)))
}

/// An outline with each vertex of `others` that lies on an edge of it as exactly as places do.
pub fn noded<'a>(
    outline: &MultiPolygon<f64>,
    others: impl IntoIterator<Item = &'a MultiPolygon<f64>>,
) -> MultiPolygon<f64> {
    led(outline, others, |at, (a, b)| off(at, (a, b)) as f64 <= ((b.0 - a.0) as f64).hypot((b.1 - a.1) as f64))
}

fn led<'a>(
    outline: &MultiPolygon<f64>,
    others: impl IntoIterator<Item = &'a MultiPolygon<f64>>,
    is_led: impl Fn(Vertex, (Vertex, Vertex)) -> bool,
) -> MultiPolygon<f64> {
    let vertices: HashSet<Vertex> = others.into_iter().flat_map(edges).map(|(at, _)| at).collect();
    let passed: HashSet<Vertex> = edges(outline).map(|(at, _)| at).collect();
    let vertices: Vec<Vertex> = vertices.difference(&passed).copied().collect();
    let ring = |ring: &LineString<f64>| {
        let corners: Vec<Vertex> = ring.coords().copied().map(vertex).collect();
        let mut led = Vec::with_capacity(corners.len());
        for pair in corners.windows(2) {
            let edge = (pair[0], pair[1]);
            let scale = Scale::at(edge.0);
            let beside = vertices.iter().filter(|at| scale.beside(**at, edge).is_some() && is_led(**at, edge));
            let mut between: Vec<Vertex> = beside.copied().collect();
            between.sort_by(|a, b| scale.metres(edge.0, *a).total_cmp(&scale.metres(edge.0, *b)));
            led.push(edge.0);
            led.append(&mut between);
        }
        led.extend(corners.last());
        LineString::new(led.into_iter().map(degrees).collect())
    };
    redrawn(outline, ring)
}

fn moved(outline: &MultiPolygon<f64>, to: impl Fn(Vertex) -> Vertex) -> MultiPolygon<f64> {
    let ring = |ring: &LineString<f64>| {
        let mut ring = LineString::new(ring.coords().map(|at| degrees(to(vertex(*at)))).collect());
        ring.0.dedup();
        ring
    };
    redrawn(outline, ring)
}

fn redrawn(outline: &MultiPolygon<f64>, ring: impl Fn(&LineString<f64>) -> LineString<f64>) -> MultiPolygon<f64> {
    let parts =
        outline.iter().map(|part| Polygon::new(ring(part.exterior()), part.interiors().iter().map(&ring).collect()));
    let after = MultiPolygon::new(parts.collect());
    if after.is_valid() { after } else { outline.clone() }
}

/// 0 of a place that is exactly on an edge, and the more the further beside it.
fn off((x, y): Vertex, (a, b): (Vertex, Vertex)) -> u128 {
    let cross = i128::from(x - a.0) * i128::from(b.1 - a.1) - i128::from(y - a.1) * i128::from(b.0 - a.0);
    cross.unsigned_abs()
}

/// Metres of a unit of 1e-8° at a vertex.
#[derive(Debug, Clone, Copy)]
struct Scale {
    east: f64,
    north: f64,
}

impl Scale {
    fn at(at: Vertex) -> Self {
        let metres = Metres::at(degrees(at).y);
        Self { east: metres.per_degree_east * 1e-8, north: metres.per_degree_north * 1e-8 }
    }

    fn step(self, a: Vertex, b: Vertex) -> (f64, f64) {
        ((b.0 - a.0) as f64 * self.east, (b.1 - a.1) as f64 * self.north)
    }

    fn metres(self, a: Vertex, b: Vertex) -> f64 {
        let (east, north) = self.step(a, b);
        east.hypot(north)
    }

    /// How far a vertex is beside an edge; `None` where that is too far, or it is not between the edge's ends.
    fn beside(self, at: Vertex, (a, b): (Vertex, Vertex)) -> Option<f64> {
        let room = CELL;
        if at.0 < a.0.min(b.0) - room
            || at.0 > a.0.max(b.0) + room
            || at.1 < a.1.min(b.1) - room
            || at.1 > a.1.max(b.1) + room
        {
            return None;
        }
        let ((x, y), (to_x, to_y)) = (self.step(a, at), self.step(a, b));
        let length = to_x.hypot(to_y);
        let along = (x * to_x + y * to_y) / length;
        let beside = (x * to_y - y * to_x).abs() / length;
        (along > 0.0 && along < length && beside <= SAME_M).then_some(beside)
    }

    /// The place nearby that lies on the edge, as exactly as places are.
    fn on(self, at: Vertex, (a, b): (Vertex, Vertex)) -> Vertex {
        let off = |place: Vertex| off(place, (a, b));
        if off(at) == 0 {
            return at;
        }
        let ((x, y), (to_x, to_y)) = (self.step(a, at), self.step(a, b));
        let along = (x * to_x + y * to_y) / (to_x * to_x + to_y * to_y);
        #[expect(clippy::cast_possible_truncation, reason = "between two vertices")]
        let foot = |a: i64, b: i64| a + (along * (b - a) as f64).round() as i64;
        let foot = (foot(a.0, b.0), foot(a.1, b.1));
        let around = (-ALONG..=ALONG).flat_map(|dx| (-ALONG..=ALONG).map(move |dy| (foot.0 + dx, foot.1 + dy)));
        let between = around.filter(|place| self.beside(*place, (a, b)).is_some());
        let best = between.min_by(|p, q| {
            off(*p).cmp(&off(*q)).then(self.metres(at, *p).total_cmp(&self.metres(at, *q))).then(p.cmp(q))
        });
        best.unwrap_or(at)
    }
}

#[cfg(test)]
mod tests {
    use geo::coord;
    use proptest::prelude::*;

    use super::*;

    fn area(corners: &[Vertex]) -> MultiPolygon<f64> {
        MultiPolygon::new(vec![Polygon::new(
            LineString::new(corners.iter().copied().map(degrees).collect()),
            Vec::new(),
        )])
    }

    const AT: Vertex = (12_037_000_000, 3_611_000_000);

    fn from(x: i64, y: i64) -> Vertex {
        (AT.0 + x, AT.1 + y)
    }

    fn of<'a>(outlines: impl IntoIterator<Item = &'a MultiPolygon<f64>>) -> Vertices {
        let mut vertices = Vertices::default();
        outlines.into_iter().for_each(|outline| vertices.add(outline));
        vertices
    }

    proptest! {
        #[test]
        fn what_is_a_few_millimetres_off_is_what_it_was(off in prop::collection::vec((-5_i64..=5, -5_i64..=5), 4)) {
            let corners = [from(0, 0), from(90_000, 20), from(90_010, 80_000), from(-7, 80_003)];
            let before = area(&corners);
            let sent: Vec<Vertex> = corners.iter().zip(off).map(|(at, (x, y))| (at.0 + x, at.1 + y)).collect();
            prop_assert_eq!(to_vertices(&area(&sent), &of([&before]), &Vertices::default()), before.clone());
            prop_assert_eq!(to_vertices(&area(&sent), &Vertices::default(), &of([&before])), before);
        }

        /// Closer to it than rounding would bring it.
        #[test]
        fn a_vertex_beside_an_edge_comes_to_lie_on_it(
            x in 1_000_i64..99_000, slope in -90_000_i64..90_000, off in -6_i64..=6,
        ) {
            let edge = area(&[from(0, 0), from(100_000, slope), from(50_000, 300_000)]);
            let at = from(x, x * slope / 100_000 + off);
            let sent = area(&[at, from(60_000, -200_000), from(40_000, -200_000)]);
            let on = to_edges(&sent, &Vertices::default(), [&edge]);
            let (x, y) = vertex(on.0[0].exterior().0[0]);
            let (x, y) = ((x - AT.0) as f64, (y - AT.1) as f64);
            let beside = (y - x * slope as f64 / 100_000.0).abs();
            prop_assert!(beside <= 0.5, "{} {:?}", beside, on);
            prop_assert_eq!(to_edges(&sent, &of([&sent]), [&edge]), sent);
        }
    }

    #[test]
    fn an_edge_leads_through_what_it_passes() {
        let sent = area(&[from(0, 0), from(100_000, 0), from(100_000, 80_000), from(0, 80_000)]);
        let other = area(&[from(40_000, 3), from(70_000, -2), from(90_000, 0), from(50_000, -90_000), from(20_000, 9)]);
        let there = of([&other]);
        let led = through(&sent, None, &Vertices::default(), [&other]);
        let corners =
            [from(0, 0), from(40_000, 3), from(70_000, -2), from(100_000, 0), from(100_000, 80_000), from(0, 80_000)];
        assert_eq!(led, area(&corners));
        // As it was it stays, but for what is new.
        assert_eq!(through(&sent, Some(&sent), &there, [&other]), sent);
        assert_eq!(through(&sent, Some(&sent), &Vertices::default(), [&other]), led);
    }

    #[test]
    fn what_is_further_off_or_would_be_no_outline_stays() {
        let before = area(&[from(0, 0), from(90_000, 0), from(90_000, 80_000)]);
        let moved = area(&[from(10, 0), from(90_000, 0), from(90_000, 80_000)]);
        assert_eq!(to_vertices(&moved, &of([&before]), &Vertices::default()), moved);
        // Of another's vertex and its own, each a millimetre off, it is its own, unless it is the other's exactly.
        let other = area(&[from(1, 0), from(-90_000, 0), from(-90_000, 80_000)]);
        let (own, others) = (of([&before]), of([&other]));
        let sent = area(&[from(2, 0), from(90_000, 0), from(90_000, 80_000)]);
        assert_eq!(to_vertices(&sent, &own, &others), before);
        let sent = area(&[from(1, 0), from(90_000, 0), from(90_000, 80_000)]);
        assert_eq!(to_vertices(&sent, &own, &others), sent);
        // Narrower than what is the same.
        let thin = area(&[from(0, 0), from(4, 0), from(4, 3), from(0, 4)]);
        assert_eq!(to_vertices(&thin, &of([&before]), &Vertices::default()), thin);
        assert_eq!(coord! { x: 120.37, y: 36.11 }, degrees(AT));
    }
}
