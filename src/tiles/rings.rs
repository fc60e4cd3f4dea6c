//! Rings on integers.

use std::ops::Range;

use super::place::Spot;

/// Rings one after the other in one piece of memory, none of them closed.
#[derive(Debug, Default)]
pub(super) struct Rings {
    corners: Vec<Spot>,
    ends: Vec<usize>,
}

impl Rings {
    pub(super) fn clear(&mut self) {
        self.corners.clear();
        self.ends.clear();
    }

    /// Adds a ring and gives it, if it has ground. Corners that repeat the one before are left out, and so are spikes:
    /// there and straight back again.
    pub(super) fn add(&mut self, ring: impl IntoIterator<Item = Spot>) -> Option<&mut [Spot]> {
        let start = self.corners.len();
        for spot in ring {
            match self.corners[start..] {
                [.., last] if last == spot => {}
                [.., before, _] if before == spot => {
                    self.corners.pop();
                }
                _ => self.corners.push(spot),
            }
        }
        while let [first, second, .., before, last] = self.corners[start..] {
            if first == last || first == before {
                self.corners.pop();
            } else if second == last {
                self.corners.remove(start);
            } else {
                break;
            }
        }
        if twice_area(&self.corners[start..]) == 0 {
            self.corners.truncate(start);
            return None;
        }
        self.ends.push(self.corners.len());
        Some(&mut self.corners[start..])
    }

    pub(super) fn corners(&self) -> &[Spot] {
        &self.corners
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[Spot]> {
        self.ranges().map(|range| &self.corners[range])
    }

    /// The ends of every edge, as places among the corners.
    pub(super) fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        self.ranges().flat_map(|Range { start, end }| (start + 1..end).map(|to| (to - 1, to)).chain([(end - 1, start)]))
    }

    fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| start..end)
    }
}

pub(super) fn edges(ring: &[Spot]) -> impl Iterator<Item = (Spot, Spot)> {
    let last = ring.last().copied().zip(ring.first().copied());
    ring.windows(2).map(|pair| (pair[0], pair[1])).chain(last)
}

/// Above zero where the ring is clockwise as seen where y points down.
pub(super) fn twice_area(ring: &[Spot]) -> i64 {
    edges(ring).map(|(a, b)| i64::from(cross(a, b))).sum()
}

pub(super) fn step(from: Spot, to: Spot) -> Spot {
    (to.0 - from.0, to.1 - from.1)
}

/// Above zero where `b` points to the right of `a` as seen where y points down.
pub(super) fn cross(a: Spot, b: Spot) -> i32 {
    a.0 * b.1 - b.0 * a.1
}

/// Whether a spot lies on an edge between its ends.
pub(super) fn is_on(spot: Spot, a: Spot, b: Spot) -> bool {
    cross(step(a, spot), step(a, b)) == 0 && (a < spot) == (spot < b) && spot != a && spot != b
}

/// Whether a ring lies around another, of which it has no edge.
pub(super) fn surrounds(ring: &[Spot], other: &[Spot]) -> bool {
    let [a, b, ..] = *other else { return false };
    // Where ends of edges may touch, the middle of one does not; in halves of a unit.
    let (x, y) = (a.0 + b.0, a.1 + b.1);
    let passed = edges(ring).filter(|&(a, b)| {
        let (a, b) = ((2 * a.0, 2 * a.1), (2 * b.0, 2 * b.1));
        (a.1 > y) != (b.1 > y) && (cross(step(a, b), step(a, (x, y))) > 0) == (b.1 > a.1)
    });
    passed.count() % 2 == 1
}
