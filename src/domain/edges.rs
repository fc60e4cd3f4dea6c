//! Outlines as sums of directed edges in units of 1e-8°, as exact as they are kept: an edge that two areas share is walked
//! once in either direction and cancels out.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use geo::{Contains as _, Coord, InteriorPoint as _, LineString, MultiPolygon, Polygon, coord};

/// A place in 1e-8°.
pub(super) type Vertex = (i64, i64);

#[expect(clippy::cast_possible_truncation, reason = "at most 180e8")]
pub(super) fn vertex(at: geo::Coord<f64>) -> Vertex {
    ((at.x * 1e8).round() as i64, (at.y * 1e8).round() as i64)
}

/// The edges of an outline with its ground on their left.
pub(super) fn edges(outline: &MultiPolygon<f64>) -> impl Iterator<Item = (Vertex, Vertex)> {
    let rings = outline.iter().flat_map(|polygon| {
        std::iter::once((polygon.exterior(), true)).chain(polygon.interiors().iter().map(|ring| (ring, false)))
    });
    rings.flat_map(|(ring, outer)| {
        let mut vertices: Vec<Vertex> = ring.coords().copied().map(vertex).collect();
        vertices.dedup();
        if (twice_area(&vertices) > 0) != outer {
            vertices.reverse();
        }
        (1..vertices.len()).map(|k| (vertices[k - 1], vertices[k])).collect::<Vec<_>>()
    })
}

/// The place of a vertex.
pub(super) fn degrees((x, y): Vertex) -> Coord<f64> {
    coord! { x: x as f64 / 1e8, y: y as f64 / 1e8 }
}

/// A sum of edges: how often each is walked from its lower vertex to its higher one, less how often back.
#[derive(Debug, Default)]
pub(super) struct Edges(HashMap<(Vertex, Vertex), i32>);

impl Edges {
    /// Adds an outline so many times.
    pub(super) fn add(&mut self, outline: &MultiPolygon<f64>, times: i32) {
        for (a, b) in edges(outline) {
            self.walk(a, b, times);
        }
    }

    fn walk(&mut self, a: Vertex, b: Vertex, times: i32) {
        let (edge, times) = if a < b { ((a, b), times) } else { ((b, a), -times) };
        *self.0.entry(edge).or_default() += times;
    }

    /// The same with each edge through the vertices beside which it lies by no more than rounding does.
    pub(super) fn noded(self) -> Self {
        let edges: Vec<_> = self.left().collect();
        let vertices: BTreeSet<Vertex> = edges.iter().flat_map(|(a, b, _)| [*a, *b]).collect();
        let mut noded = Self::default();
        for (a, b, times) in edges {
            let near = vertices.range((a.0 - ROUNDED, i64::MIN)..(b.0 + ROUNDED, i64::MAX));
            let mut through: Vec<Vertex> = near.copied().filter(|at| is_beside(*at, (a, b))).collect();
            through.sort_by_key(|at| along(*at, (a, b)));
            through.insert(0, a);
            through.push(b);
            through.windows(2).for_each(|pair| noded.walk(pair[0], pair[1], times));
        }
        noded
    }

    /// What does not cancel out.
    pub(super) fn left(self) -> impl Iterator<Item = (Vertex, Vertex, i32)> {
        self.0.into_iter().filter(|(_, sum)| *sum != 0).map(|((a, b), sum)| (a, b, sum))
    }

    /// The outline that is left; `None` where edges do not fit each other vertex by vertex.
    pub(super) fn outline(self) -> Option<MultiPolygon<f64>> {
        let (outer, holes) = self.rings()?;
        let all = holes.len();
        let outline = polygons(outer, holes);
        let placed: usize = outline.iter().map(|polygon| polygon.interiors().len()).sum();
        (placed == all).then_some(outline)
    }

    /// Each connected piece of ground that is left, whatever else may be wrong; nothing where edges do not fit.
    pub(super) fn pieces(self) -> MultiPolygon<f64> {
        self.rings().map_or_else(|| MultiPolygon::new(Vec::new()), |(outer, holes)| polygons(outer, holes))
    }

    /// The rings that are left, none of which meets itself: those with their ground inside, and those around which it lies.
    fn rings(self) -> Option<(Rings, Rings)> {
        let mut next: Ways = BTreeMap::new();
        for (a, b, sum) in self.left() {
            let (from, to) = match sum {
                1 => (a, b),
                -1 => (b, a),
                _ => return None,
            };
            next.entry(from).or_default().push(to);
        }
        let (mut outer, mut holes) = (Vec::new(), Vec::new());
        while let Some((&start, _)) = next.first_key_value() {
            let (mut walked, mut passed) = (vec![start], HashMap::from([(start, 0)]));
            let mut from = start;
            let mut at = go_on(&mut next, None, start)?;
            loop {
                if let Some(place) = passed.get(&at).copied() {
                    // Where it meets itself a ring ends, and the way goes on without it.
                    let mut ring = walked.split_off(place);
                    passed.retain(|_, passed| *passed < place);
                    ring.push(at);
                    let line = LineString::new(ring.iter().copied().map(degrees).collect());
                    match twice_area(&ring).cmp(&0) {
                        Ordering::Greater => outer.push(line),
                        Ordering::Less => holes.push(line),
                        // Along an edge and back.
                        Ordering::Equal => {}
                    }
                    if walked.is_empty() {
                        break;
                    }
                }
                passed.insert(at, walked.len());
                walked.push(at);
                (from, at) = (at, go_on(&mut next, Some(from), at)?);
            }
        }
        Some((outer, holes))
    }
}

type Rings = Vec<LineString<f64>>;

/// Where edges lead from each vertex.
type Ways = BTreeMap<Vertex, Vec<Vertex>>;

/// Takes the edge that goes on from a vertex: where there are several, the one furthest to the left, so that ground that
/// only touches other ground stays by itself.
fn go_on(next: &mut Ways, from: Option<Vertex>, at: Vertex) -> Option<Vertex> {
    let ways = next.get_mut(&at)?;
    let left = |to: &Vertex| {
        let Some(from) = from else { return 0.0 };
        let step = |a: Vertex, b: Vertex| ((b.0 - a.0) as f64, (b.1 - a.1) as f64);
        let ((ax, ay), (bx, by)) = (step(from, at), step(at, *to));
        (ax * by - ay * bx).atan2(ax * bx + ay * by)
    };
    let (place, _) = ways.iter().enumerate().max_by(|a, b| left(a.1).total_cmp(&left(b.1)))?;
    let to = ways.swap_remove(place);
    if ways.is_empty() {
        next.remove(&at);
    }
    Some(to)
}

/// Two places rounded to 1e-8° each are no further from where they were, in units of it.
const ROUNDED: i64 = 2;

/// Whether a vertex that is none of its ends lies on an edge but for rounding.
fn is_beside(at: Vertex, (a, b): (Vertex, Vertex)) -> bool {
    let across = (at.0 - a.0) as f64 * (b.1 - a.1) as f64 - (at.1 - a.1) as f64 * (b.0 - a.0) as f64;
    let length = ((b.0 - a.0) as f64).hypot((b.1 - a.1) as f64);
    (1..along(b, (a, b))).contains(&along(at, (a, b))) && across.abs() <= ROUNDED as f64 * length
}

/// How far along an edge a vertex is, in lengths of the edge.
fn along(at: Vertex, (a, b): (Vertex, Vertex)) -> i128 {
    let step = |to: Vertex| (i128::from(to.0 - a.0), i128::from(to.1 - a.1));
    let ((x, y), (to_x, to_y)) = (step(at), step(b));
    x * to_x + y * to_y
}

/// Rings as polygons, each hole in the smallest one around it; a hole in none is left out.
fn polygons(outer: Rings, holes: Rings) -> MultiPolygon<f64> {
    let mut polygons: Vec<Polygon<f64>> = outer.into_iter().map(|ring| Polygon::new(ring, Vec::new())).collect();
    let shells = polygons.clone();
    for hole in holes {
        let Some(inside) = Polygon::new(hole.clone(), Vec::new()).interior_point() else { continue };
        let around = shells.iter().enumerate().filter(|(_, shell)| shell.contains(&inside));
        let size = |shell: &Polygon<f64>| geo::Area::unsigned_area(shell);
        if let Some((place, _)) = around.min_by(|a, b| size(a.1).total_cmp(&size(b.1))) {
            polygons[place].interiors_push(hole);
        }
    }
    MultiPolygon::new(polygons)
}

fn twice_area(vertices: &[Vertex]) -> i128 {
    let cross = |pair: &[Vertex]| {
        let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
        i128::from(ax) * i128::from(by) - i128::from(bx) * i128::from(ay)
    };
    vertices.windows(2).map(cross).sum()
}

#[cfg(test)]
mod tests {
    use geo::Validation as _;

    use super::*;

    fn area(rings: &[&[(i64, i64)]]) -> MultiPolygon<f64> {
        let mut rings: Vec<LineString<f64>> =
            rings.iter().map(|ring| LineString::new(ring.iter().copied().map(degrees).collect())).collect();
        let exterior = rings.remove(0);
        MultiPolygon::new(vec![Polygon::new(exterior, rings)])
    }

    fn sum(areas: &[(&MultiPolygon<f64>, i32)]) -> Edges {
        let mut edges = Edges::default();
        areas.iter().for_each(|(area, times)| edges.add(area, *times));
        edges
    }

    #[test]
    fn what_two_areas_share_cancels_out() {
        let west = area(&[&[(0, 0), (5, 0), (5, 4), (5, 9), (0, 9), (0, 0)]]);
        let east = area(&[&[(5, 0), (9, 0), (9, 9), (5, 9), (5, 4), (5, 0)]]);
        let whole = sum(&[(&west, 1), (&east, 1)]).outline().unwrap();
        assert_eq!(whole, area(&[&[(0, 0), (5, 0), (9, 0), (9, 9), (5, 9), (0, 9), (0, 0)]]));
        assert_eq!(sum(&[(&whole, 1), (&east, -1)]).outline().unwrap(), west);
        assert_eq!(sum(&[(&whole, 1), (&east, -1), (&west, -1)]).left().count(), 0);
    }

    #[test]
    fn a_hole_stays_one_and_what_does_not_fit_is_no_outline() {
        let whole = area(&[&[(0, 0), (9, 0), (9, 9), (0, 9), (0, 0)]]);
        let inner = area(&[&[(3, 3), (6, 3), (6, 6), (3, 6), (3, 3)]]);
        let ring = sum(&[(&whole, 1), (&inner, -1)]).outline().unwrap();
        assert_eq!((ring.0.len(), ring.0[0].interiors().len()), (1, 1));
        // A corner that touches the edge between two vertices, ground that is taken twice.
        let beside = area(&[&[(9, 3), (12, 3), (12, 6), (9, 6), (9, 3)]]);
        assert!(sum(&[(&whole, 1), (&beside, 1)]).outline().is_some_and(|two| two.0.len() == 2));
        assert_eq!(sum(&[(&whole, 2)]).outline(), None);
    }

    #[test]
    fn an_edge_leads_through_what_rounding_put_beside_it() {
        let west = area(&[&[(0, 0), (900, 0), (901, 900), (0, 900), (0, 0)]]);
        let east = area(&[&[(900, 0), (2000, 0), (2000, 900), (901, 900), (902, 600), (899, 300), (900, 0)]]);
        let whole = area(&[&[(0, 0), (900, 0), (2000, 0), (2000, 900), (901, 900), (0, 900), (0, 0)]]);
        assert_eq!(sum(&[(&west, 1), (&east, 1)]).noded().outline().unwrap(), whole);
        assert_eq!(sum(&[(&west, 1), (&east, 1), (&whole, -1)]).noded().left().count(), 0);
        assert_ne!(sum(&[(&west, 1), (&east, 1), (&whole, -1)]).left().count(), 0);
    }

    #[test]
    fn rings_that_touch_stay_by_themselves() {
        let whole = area(&[&[(0, 0), (9, 0), (9, 9), (0, 9), (0, 0)]]);
        let corner = area(&[&[(9, 9), (12, 9), (12, 12), (9, 12), (9, 9)]]);
        let two = sum(&[(&whole, 1), (&corner, 1)]).outline().unwrap();
        assert!(two.0.len() == 2 && two.is_valid(), "{two:?}");
        // A hole that touches the ring around it, two that touch each other, and ground within a hole.
        let notch = area(&[&[(0, 0), (3, 1), (1, 3), (0, 0)]]);
        let (low, high) =
            (area(&[&[(4, 4), (6, 4), (6, 6), (4, 6), (4, 4)]]), area(&[&[(6, 6), (8, 6), (8, 8), (6, 8), (6, 6)]]));
        let holed = sum(&[(&whole, 1), (&notch, -1), (&low, -1), (&high, -1)]).outline().unwrap();
        assert!(holed.0.len() == 1 && holed.0[0].interiors().len() == 3 && holed.is_valid(), "{holed:?}");
        let (lake, island) = (area(&[&[(2, 2), (8, 2), (8, 8), (2, 2)]]), area(&[&[(5, 3), (7, 3), (7, 5), (5, 3)]]));
        let with = sum(&[(&whole, 1), (&lake, -1), (&island, 1)]).outline().unwrap();
        assert!(with.0.len() == 2 && with.is_valid(), "{with:?}");
        // What would have to be a hole is in nothing.
        assert_eq!(sum(&[(&whole, -1)]).outline(), None);
        assert_eq!(sum(&[(&whole, -1), (&beyond(), 1)]).pieces(), beyond());
    }

    fn beyond() -> MultiPolygon<f64> {
        area(&[&[(20, 0), (29, 0), (29, 9), (20, 0)]])
    }
}
