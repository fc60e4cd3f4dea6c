//! Where the covers of a district lie: a lattice of cells, each with a list that runs through the slots.
//!
//! A tree spends 44 bytes on a cover, this 8. What lies beyond the lattice is in the cells at its rim, and so is every
//! search that reaches there.

use super::frame::{Box32, Spot};

/// Cells of a district with fewer covers than that.
const FEWEST: usize = 16_384;

/// The side of the smallest cells, in 1e-8°: about 24 m. A pin reaches further.
const NARROWEST: f64 = 22_000.0;

/// How many times as many covers as were expected make cells so full that narrower ones are worth their making.
const FULL: usize = 4;

/// Ends a list.
const NONE: u32 = u32::MAX;

/// One axis of the lattice.
#[derive(Debug, Clone, Copy)]
struct Axis {
    low: f64,
    /// Cells in a unit.
    scale: f64,
    count: u32,
}

impl Axis {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to a few thousand")]
    fn new(low: i32, high: i32, side: f64) -> Self {
        let length = f64::from(high) - f64::from(low);
        let count = (length / side).ceil().max(1.0);
        Self { low: f64::from(low), scale: 1.0 / side, count: count as u32 }
    }

    /// The cell that a coordinate belongs to. It never falls while the coordinate rises, so whatever lies between two
    /// coordinates is in their cells or between them.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what lies beyond belongs to the rim")]
    fn cell(&self, at: f64) -> u32 {
        (((at - self.low) * self.scale) as u32).min(self.count - 1)
    }
}

#[derive(Debug)]
pub(super) struct Cells {
    east: Axis,
    north: Axis,
    /// The first slot of each cell, row by row from the south-west.
    first: Vec<u32>,
    /// The slot after each slot in its cell.
    next: Vec<u32>,
    /// With more slots than that narrower cells are better.
    room: usize,
}

impl Cells {
    /// Empty ones over a box, about as many as covers.
    pub(super) fn over((low, high): (Spot, Spot), covers: usize) -> Self {
        let length = |low: i32, high: i32| (f64::from(high) - f64::from(low)).max(1.0);
        let area = length(low.x, high.x) * length(low.y, high.y);
        let covers = covers.max(FEWEST);
        let side = (area / covers as f64).sqrt();
        let room = if side > NARROWEST { FULL * covers } else { usize::MAX };
        let side = side.max(NARROWEST);
        let (east, north) = (Axis::new(low.x, high.x, side), Axis::new(low.y, high.y, side));
        Self { east, north, first: vec![NONE; east.count as usize * north.count as usize], next: Vec::new(), room }
    }

    /// Whether narrower ones are better by now.
    pub(super) fn are_full(&self) -> bool {
        self.next.len() > self.room
    }

    /// Makes room for the slots of this many covers.
    pub(super) fn reserve(&mut self, covers: usize) {
        self.next.reserve_exact(covers);
    }

    /// The number of the cell that a spot belongs to; cells that follow each other lie side by side.
    pub(super) fn cell(&self, spot: Spot) -> usize {
        self.place(self.east.cell(f64::from(spot.x)), self.north.cell(f64::from(spot.y)))
    }

    fn place(&self, column: u32, row: u32) -> usize {
        row as usize * self.east.count as usize + column as usize
    }

    /// Takes a slot that it does not hold.
    pub(super) fn insert(&mut self, slot: u32, spot: Spot) {
        let cell = self.cell(spot);
        if self.next.len() <= slot as usize {
            self.next.resize(slot as usize + 1, NONE);
        }
        self.next[slot as usize] = std::mem::replace(&mut self.first[cell], slot);
    }

    /// Lets go of a slot that it took with this spot.
    pub(super) fn remove(&mut self, slot: u32, spot: Spot) {
        let after = self.next[slot as usize];
        let cell = self.cell(spot);
        let mut at = &mut self.first[cell];
        while *at != NONE {
            let here = *at;
            if here == slot {
                *at = after;
                return;
            }
            at = &mut self.next[here as usize];
        }
    }

    /// Every slot whose spot lies in the box, and others near it.
    pub(super) fn slots_in(&self, reach: &Box32) -> impl Iterator<Item = u32> {
        let ([west, south], [east, north]) = (reach.lower(), reach.upper());
        let columns = (self.east.cell(f64::from(west)), self.east.cell(f64::from(east)));
        let rows = self.north.cell(f64::from(south))..=self.north.cell(f64::from(north));
        let row =
            move |row| self.first.get(self.place(columns.0, row)..=self.place(columns.1, row)).unwrap_or_default();
        rows.flat_map(row).flat_map(|&first| self.list(first))
    }

    fn list(&self, first: u32) -> impl Iterator<Item = u32> {
        let known = |slot: u32| (slot != NONE).then_some(slot);
        std::iter::successors(known(first), move |&slot| known(self.next[slot as usize]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::frame::corner;
    use super::*;

    fn spot() -> impl Strategy<Value = Spot> {
        // The lattice reaches to 1,000,000 each way.
        let axis =
            || prop_oneof![-1_500_000..1_500_000, Just(1_000_000), Just(-1_000_000), Just(i32::MAX), Just(i32::MIN)];
        (axis(), axis()).prop_map(|(x, y)| Spot { x, y })
    }

    proptest! {
        /// What was taken is found once wherever a search covers it, what was let go nowhere.
        #[test]
        fn a_search_finds_what_is_there_once(
            spots in prop::collection::vec((spot(), any::<bool>()), 0..60), a in spot(), b in spot(),
        ) {
            let mut cells = Cells::over((Spot { x: -1_000_000, y: -1_000_000 }, Spot { x: 1_000_000, y: 1_000_000 }), 0);
            for (slot, (spot, _)) in (0..).zip(&spots) {
                cells.insert(slot, *spot);
            }
            for (slot, (spot, _)) in (0..).zip(&spots).filter(|(_, (_, stays))| !stays) {
                cells.remove(slot, *spot);
            }
            let (west, east) = (f64::from(a.x.min(b.x)), f64::from(a.x.max(b.x)));
            let (south, north) = (f64::from(a.y.min(b.y)), f64::from(a.y.max(b.y)));
            let mut found: Vec<u32> = cells.slots_in(&Box32::from_corners(corner(west, south), corner(east, north))).collect();
            found.sort_unstable();
            prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?}");
            prop_assert!(found.iter().all(|&slot| spots[slot as usize].1), "{found:?}");
            for (slot, (spot, stays)) in (0..).zip(&spots) {
                // Corners of f32 lie up to 64 beside; whoever searches adds more than that.
                let inside = |at: i32, low: f64, high: f64| (low + 128.0..=high - 128.0).contains(&f64::from(at));
                if *stays && inside(spot.x, west, east) && inside(spot.y, south, north) {
                    prop_assert!(found.contains(&slot), "{slot} of {spots:?}");
                }
            }
        }
    }
}
