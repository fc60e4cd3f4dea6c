//! Areas cut to a tile and its margin, on integers.
//!
//! Corners are rounded first and cut after, and where an edge meets the border follows from its two ends alone,
//! whichever comes first: what two areas share they share afterwards too. Nothing is simplified but corners that
//! have become one and spikes without ground. The cutting is Sutherland and Hodgman's, one border after the other;
//! what it lets run there and back along a border is [drawn apart](super::trace) after it.

use super::place::{EXTENT, Spot};
use super::rings::{Rings, twice_area};
use super::trace::Tracer;

/// A corner in units of the tile, not yet cut.
type Far = (i64, i64);

/// Cuts areas; keeps its memory from one to the next.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    from: Vec<Far>,
    to: Vec<Far>,
    rings: Rings,
    tracer: Tracer,
}

/// A border of the tile: the axis it crosses, where, and on which side of it the tile lies.
#[derive(Debug, Clone, Copy)]
enum Border {
    West(i64),
    East(i64),
    North(i64),
    South(i64),
}

impl Border {
    fn keeps(self, (x, y): Far) -> bool {
        match self {
            Self::West(at) => x >= at,
            Self::East(at) => x <= at,
            Self::North(at) => y >= at,
            Self::South(at) => y <= at,
        }
    }

    /// Where the edge between two corners on either side meets the border, to the nearest unit.
    fn meets(self, a: Far, b: Far) -> Far {
        match self {
            Self::West(at) | Self::East(at) => (at, along(a, b, at)),
            Self::North(at) | Self::South(at) => (along((a.1, a.0), (b.1, b.0), at), at),
        }
    }
}

/// The second coordinate of the line from `a` to `b` where the first is `at`, which lies between theirs.
fn along(a: Far, b: Far, at: i64) -> i64 {
    // A neighbour has the edge the other way round and must come to the same.
    let (a, b) = if a.0 < b.0 { (a, b) } else { (b, a) };
    let (run, rise) = (i128::from(b.0 - a.0), i128::from(b.1 - a.1));
    let twice = 2 * i128::from(at - a.0) * rise;
    let rounded = (twice + run).div_euclid(2 * run);
    a.1 + i64::try_from(rounded).unwrap_or(0)
}

impl Cutter {
    /// The part of an area that lies in the tile or within the margin beside it. The area comes as rings, closed or
    /// not, holes marked and after the exterior that they are in; it goes as rings that are not closed and do not
    /// touch themselves, each exterior before its holes: clockwise as seen where y points down, and the holes the other
    /// way round.
    pub(super) fn cut<R: Iterator<Item = Far>>(
        &mut self,
        area: impl Iterator<Item = (bool, R)>,
        margin: i32,
    ) -> impl Iterator<Item = &[Spot]> {
        self.rings.clear();
        // A hole goes where the exterior went.
        let mut in_sight = false;
        for (hole, ring) in area {
            if !hole || in_sight {
                let kept = self.add(ring, margin, hole);
                in_sight = hole || kept;
            }
        }
        self.tracer.apart(&self.rings).iter()
    }

    /// Adds what is left of a ring, if it has ground.
    fn add(&mut self, ring: impl Iterator<Item = Far>, margin: i32, hole: bool) -> bool {
        let (low, high) = (i64::from(-margin), i64::from(EXTENT + margin));
        self.from.clear();
        self.from.extend(ring);
        if self.from.first() == self.from.last() {
            self.from.pop();
        }
        for border in [Border::West(low), Border::East(high), Border::North(low), Border::South(high)] {
            if self.from.iter().all(|&corner| border.keeps(corner)) {
                continue;
            }
            self.to.clear();
            let Some(&(mut before)) = self.from.last() else { return false };
            for &corner in &self.from {
                if border.keeps(corner) != border.keeps(before) {
                    self.to.push(border.meets(before, corner));
                }
                if border.keeps(corner) {
                    self.to.push(corner);
                }
                before = corner;
            }
            std::mem::swap(&mut self.from, &mut self.to);
        }
        // What is left lies in the tile or its margin.
        let spots = self.from.iter().filter_map(|&(x, y)| Some((i32::try_from(x).ok()?, i32::try_from(y).ok()?)));
        let Some(ring) = self.rings.add(spots) else { return false };
        if (twice_area(ring) > 0) == hole {
            ring.reverse();
        }
        true
    }
}

#[cfg(test)]
#[path = "clip_tests.rs"]
mod tests;
