//! Outlines as sums of directed edges in units of 1e-8°, as exact as they are kept: an edge that two areas share is walked
//! once in either direction and cancels out.

use std::collections::{BTreeMap, HashMap};

use geo::{Coord, LineString, MultiPolygon, Polygon, coord};

type Vertex = (i64, i64);

#[expect(clippy::cast_possible_truncation, reason = "at most 180e8")]
fn vertex(at: geo::Coord<f64>) -> Vertex {
    ((at.x * 1e8).round() as i64, (at.y * 1e8).round() as i64)
}

/// The edges of an outline with its ground on their left.
fn edges(outline: &MultiPolygon<f64>) -> impl Iterator<Item = (Vertex, Vertex)> {
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
            let (edge, times) = if a < b { ((a, b), times) } else { ((b, a), -times) };
            *self.0.entry(edge).or_default() += times;
        }
    }

    /// What does not cancel out.
    pub(super) fn left(self) -> impl Iterator<Item = (Vertex, Vertex, i32)> {
        self.0.into_iter().filter(|(_, sum)| *sum != 0).map(|((a, b), sum)| (a, b, sum))
    }

    /// The outline that is left; `None` where rings touch or edges do not fit each other vertex by vertex.
    pub(super) fn outline(self) -> Option<MultiPolygon<f64>> {
        let mut next: BTreeMap<Vertex, Vertex> = BTreeMap::new();
        for (a, b, sum) in self.left() {
            let (from, to) = match sum {
                1 => (a, b),
                -1 => (b, a),
                _ => return None,
            };
            if next.insert(from, to).is_some() {
                return None;
            }
        }
        let (mut outer, mut holes) = (Vec::new(), Vec::new());
        while let Some((start, mut at)) = next.pop_first() {
            let mut ring = vec![start];
            while at != start {
                ring.push(at);
                at = next.remove(&at)?;
            }
            ring.push(start);
            let line = LineString::new(ring.iter().copied().map(degrees).collect());
            if twice_area(&ring) > 0 { outer.push(line) } else { holes.push(line) }
        }
        match (outer.len(), holes.is_empty()) {
            (1, false) => Some(MultiPolygon::new(vec![Polygon::new(outer.pop()?, holes)])),
            // Which of several a hole is in is for others to find out.
            (_, false) => None,
            (_, true) => {
                Some(MultiPolygon::new(outer.into_iter().map(|ring| Polygon::new(ring, Vec::new())).collect()))
            }
        }
    }
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
        // A corner that touches the edge between two vertices, ground that is taken twice, rings that touch.
        let beside = area(&[&[(9, 3), (12, 3), (12, 6), (9, 6), (9, 3)]]);
        assert!(sum(&[(&whole, 1), (&beside, 1)]).outline().is_some_and(|two| two.0.len() == 2));
        assert_eq!(sum(&[(&whole, 2)]).outline(), None);
        let corner = area(&[&[(9, 9), (12, 9), (12, 12), (9, 12), (9, 9)]]);
        assert_eq!(sum(&[(&whole, 1), (&corner, 1)]).outline(), None);
    }
}
