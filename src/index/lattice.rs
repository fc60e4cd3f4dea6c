//! Equal cells over a box. What lies beyond it is in the cells at its rim, and so is every search that reaches there.

use std::ops::Range;

use super::frame::{Box32, Spot};

/// One axis.
#[derive(Debug, Clone, Copy)]
struct Axis {
    low: f64,
    side: f64,
    /// Cells in a unit.
    scale: f64,
    count: u32,
}

impl Axis {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to a few thousand")]
    fn new(low: i32, high: i32, side: f64) -> Self {
        let length = f64::from(high) - f64::from(low);
        let count = (length / side).ceil().max(1.0);
        Self { low: f64::from(low), side, scale: 1.0 / side, count: count as u32 }
    }

    /// The cell that a coordinate belongs to. It never falls while the coordinate rises, so whatever lies between two
    /// coordinates is in their cells or between them.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what lies beyond belongs to the rim")]
    fn cell(&self, at: f64) -> u32 {
        (((at - self.low) * self.scale) as u32).min(self.count - 1)
    }

    #[expect(clippy::cast_possible_truncation, reason = "within the box, or half a cell beyond it")]
    fn middle(&self, cell: usize) -> i32 {
        (self.low + (cell as f64 + 0.5) * self.side) as i32
    }
}

/// Cells by rows from the south-west, each a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lattice {
    east: Axis,
    north: Axis,
}

impl Lattice {
    /// Cells with this side, in units of a spot.
    pub(super) fn over((low, high): (Spot, Spot), side: f64) -> Self {
        Self { east: Axis::new(low.x, high.x, side), north: Axis::new(low.y, high.y, side) }
    }

    pub(super) fn len(&self) -> usize {
        self.east.count as usize * self.north.count as usize
    }

    /// The cell that a spot belongs to; cells that follow each other lie side by side.
    pub(super) fn cell(&self, spot: Spot) -> usize {
        self.place(self.east.cell(f64::from(spot.x)), self.north.cell(f64::from(spot.y)))
    }

    fn place(&self, column: u32, row: u32) -> usize {
        row as usize * self.east.count as usize + column as usize
    }

    /// The spot in the middle of a cell.
    pub(super) fn middle(&self, cell: usize) -> Spot {
        let columns = self.east.count as usize;
        Spot { x: self.east.middle(cell % columns), y: self.north.middle(cell / columns) }
    }

    /// The cells of every spot in a box, row by row.
    pub(super) fn rows(&self, reach: &Box32) -> impl Iterator<Item = Range<usize>> {
        let ([west, south], [east, north]) = (reach.lower(), reach.upper());
        self.between((west.into(), south.into()), (east.into(), north.into()))
    }

    /// The cells of every spot from a south-western one to a north-eastern one and so many units around, row by row.
    pub(super) fn around(&self, low: Spot, high: Spot, margin: f64) -> impl Iterator<Item = Range<usize>> {
        let low = (f64::from(low.x) - margin, f64::from(low.y) - margin);
        self.between(low, (f64::from(high.x) + margin, f64::from(high.y) + margin))
    }

    fn between(&self, low: (f64, f64), high: (f64, f64)) -> impl Iterator<Item = Range<usize>> {
        let (west, east) = (self.east.cell(low.0), self.east.cell(high.0));
        let lattice = *self;
        (self.north.cell(low.1)..=self.north.cell(high.1))
            .map(move |row| lattice.place(west, row)..lattice.place(east, row) + 1)
    }
}
