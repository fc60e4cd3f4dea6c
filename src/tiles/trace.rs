//! Rings that touch, drawn apart: the format knows no ring that meets itself.
//!
//! Cutting lets a ring run there and back along a border, and rounding brings together what lay less than a unit
//! apart. So where rings touch, their edges are added up, what runs there and back cancels out, and rings are traced
//! anew along what is left. That moves no corner and adds none but where one lay on an edge already, so neighbours
//! meet as before. Edges that cross each other, which rounding hardly ever makes them do, are left as they are: a
//! corner there would be one that the neighbours do not have.

use std::ops::Range;

use super::place::Spot;
use super::rings::{Rings, cross, edges, is_on, step, surrounds, twice_area};

/// Traces rings; keeps its memory from one area to the next.
#[derive(Debug, Default)]
pub(super) struct Tracer {
    folded: Folded,
    /// The corners by their coordinates, which is how they lie along any edge too, with their places among the rings';
    /// and at each such place where the corner is here.
    sorted: Vec<(Spot, usize)>,
    ranks: Vec<usize>,
    /// Pieces of edges from the lower end to the higher one, and whether they are walked so (1) or back (-1).
    pieces: Vec<(Spot, Spot, i32)>,
    /// What is left of them, by where they start.
    edges: Vec<(Spot, Spot)>,
    walked: Vec<bool>,
    path: Vec<Spot>,
    traced: Rings,
    polygons: Rings,
}

impl Tracer {
    /// The same ground within rings that do not touch themselves, and others in single corners only: each exterior
    /// before its holes. Exteriors come and go clockwise as seen where y points down, holes the other way round.
    pub(super) fn apart<'a>(&'a mut self, rings: &'a Rings) -> &'a Rings {
        if !self.folded.may_touch(rings) {
            return rings;
        }
        self.sort(rings);
        let touch = self.sorted.windows(2).any(|pair| pair[0].0 == pair[1].0)
            || rings.edges().any(|edge| self.on_edge(rings, edge).next().is_some());
        if !touch {
            return rings;
        }
        self.add_up(rings);
        self.trace();
        self.arrange();
        &self.polygons
    }

    fn sort(&mut self, rings: &Rings) {
        self.sorted.clear();
        self.sorted.extend(rings.corners().iter().copied().zip(0..));
        self.sorted.sort_unstable();
        self.ranks.clear();
        self.ranks.resize(self.sorted.len(), 0);
        for (rank, &(_, place)) in self.sorted.iter().enumerate() {
            self.ranks[place] = rank;
        }
    }

    /// The corners on an edge between its ends, from the lower end on.
    fn on_edge(&self, rings: &Rings, (a, b): (usize, usize)) -> impl Iterator<Item = Spot> {
        let (low, high) = (self.ranks[a].min(self.ranks[b]), self.ranks[a].max(self.ranks[b]));
        let (a, b) = (rings.corners()[a], rings.corners()[b]);
        self.sorted[low..high].iter().map(|&(spot, _)| spot).filter(move |&spot| is_on(spot, a, b))
    }

    /// The sum of all edges, each led through the corners on it.
    fn add_up(&mut self, rings: &Rings) {
        let mut pieces = std::mem::take(&mut self.pieces);
        pieces.clear();
        for edge in rings.edges() {
            let (a, b) = (rings.corners()[edge.0], rings.corners()[edge.1]);
            let (mut from, high, way) = if a < b { (a, b, 1) } else { (b, a, -1) };
            for to in self.on_edge(rings, edge).chain([high]) {
                // A corner of several rings comes several times.
                if to != from {
                    pieces.push((from, to, way));
                    from = to;
                }
            }
        }
        pieces.sort_unstable();
        self.edges.clear();
        for same in pieces.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (low, high, _) = same[0];
            let sum: i32 = same.iter().map(|piece| piece.2).sum();
            let edge = if sum > 0 { (low, high) } else { (high, low) };
            self.edges.extend((0..sum.abs()).map(|_| edge));
        }
        self.edges.sort_unstable();
        self.pieces = pieces;
    }

    /// Walks every edge once. Where the way meets itself a ring ends, and the way goes on without it.
    fn trace(&mut self) {
        self.traced.clear();
        self.path.clear();
        self.walked.clear();
        self.walked.resize(self.edges.len(), false);
        for start in 0..self.edges.len() {
            let mut next = Some(start).filter(|&start| !self.walked[start]);
            while let Some(edge) = next {
                self.walked[edge] = true;
                let (from, at) = self.edges[edge];
                self.path.push(from);
                let ways = self.ways(at);
                // It has been before only where it began or several ways lead on.
                if (ways.len() > 1 || self.path[0] == at)
                    && let Some(met) = self.path.iter().rposition(|&spot| spot == at)
                {
                    self.traced.add(self.path.drain(met..));
                }
                next = self.go_on(from, at, ways);
            }
        }
    }

    /// The edges that start somewhere.
    fn ways(&self, at: Spot) -> Range<usize> {
        let start = self.edges.partition_point(|edge| edge.0 < at);
        start..start + self.edges[start..].iter().take_while(|edge| edge.0 == at).count()
    }

    /// Where several ways lead on, the first across the ground, so that ground that only touches other ground stays by
    /// itself.
    fn go_on(&self, from: Spot, at: Spot, ways: Range<usize>) -> Option<usize> {
        let back = step(at, from);
        ways.filter(|&way| !self.walked[way]).min_by(|&a, &b| {
            let (a, b) = (step(at, self.edges[a].1), step(at, self.edges[b].1));
            let half = |way| cross(back, way).signum();
            half(a).cmp(&half(b)).then_with(|| cross(a, b).cmp(&0))
        })
    }

    /// Puts each hole after the smallest exterior around it; what has none around it is no hole.
    fn arrange(&mut self) {
        self.polygons.clear();
        let (mut outer, mut holes): (Vec<_>, Vec<_>) = self.traced.iter().partition(|ring| twice_area(ring) > 0);
        outer.sort_by_key(|ring| twice_area(ring));
        for ring in outer {
            self.polygons.add(ring.iter().copied());
            holes.retain(|hole| {
                let inside = surrounds(ring, hole);
                if inside {
                    self.polygons.add(hole.iter().copied());
                }
                !inside
            });
        }
    }
}

/// A bit for every spot, where squares of [`FOLD`] units lie folded upon each other: small enough for the nearest
/// cache, and of most areas it tells at once that nothing touches.
#[derive(Debug, Default)]
struct Folded(Vec<u64>);

const FOLD: i32 = 512;

impl Folded {
    /// False only if no two corners are one and none lies on an edge along an axis, as are all that cutting makes.
    /// That rounding brings a corner onto an edge aslant and no two together is rarer than edges that cross, and to
    /// look for it would take as long as all the rest of drawing.
    fn may_touch(&mut self, rings: &Rings) -> bool {
        self.0.resize(bit((-1, -1)).0 + 1, 0);
        let mut met = false;
        for &corner in rings.corners() {
            let (word, bit) = bit(corner);
            met |= self.0[word] & bit != 0;
            self.0[word] |= bit;
        }
        met = met || rings.iter().any(|ring| edges(ring).any(|(a, b)| self.may_be_on(rings.corners(), a, b)));
        for &corner in rings.corners() {
            self.0[bit(corner).0] = 0;
        }
        met
    }

    fn may_be_on(&self, corners: &[Spot], a: Spot, b: Spot) -> bool {
        let (x, y) = step(a, b);
        if x != 0 && y != 0 {
            return false;
        }
        let length = (x + y).abs();
        if length.unsigned_abs() as usize > corners.len() {
            return corners.iter().any(|&corner| is_on(corner, a, b));
        }
        (1..length).any(|along| {
            let (word, bit) = bit((a.0 + x.signum() * along, a.1 + y.signum() * along));
            self.0[word] & bit != 0
        })
    }
}

/// Where a spot's bit is.
fn bit((x, y): Spot) -> (usize, u64) {
    let place = ((y & (FOLD - 1)) * FOLD + (x & (FOLD - 1))).unsigned_abs();
    (place as usize / 64, 1 << (place % 64))
}
