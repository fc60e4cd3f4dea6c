//! What lies in the street: the sixteen categories (小类), how many, where, and made how.

use crate::domain::cover::{LoadClass, Material, Shape};

/// How the covers of a category follow a street.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Along {
    /// One after the other along a pipe.
    Line,
    /// At both kerbs, opposite each other.
    Kerbs,
}

/// A category as the demo district has it. Shares and typical covers: the district's figures.
pub(super) struct Utility {
    pub(super) category: u16,
    /// Covers of 17,000.
    pub(super) covers: u64,
    pub(super) along: Along,
    /// Metres from one to the next.
    pub(super) spacing: f64,
    /// Metres to the left (negative: right) of the street's middle: `near` + `part` × half the
    /// carriageway.
    near: f64,
    part: f64,
    pub(super) shape: Shape,
    pub(super) opening_mm: [u16; 2],
    pub(super) material: Material,
    pub(super) load: LoadClass,
    /// Depth of the shaft in metres.
    pub(super) depth: [f64; 2],
}

impl Utility {
    /// Metres from the middle of a street whose carriageway is twice `half` wide.
    pub(super) fn lateral(&self, half: f64) -> f64 {
        self.near + self.part * half
    }
}

use LoadClass::{B125, C250, D400};
use Material::{Composite, DuctileIron, ReinforcedConcrete};
use Shape::{Rectangular, Round, Square};

/// Where it lies (`near`, `part`), how far apart, how deep.
type Line = (f64, f64, f64, [f64; 2]);
/// Shape, clear opening, material, class.
type Make = (Shape, [u16; 2], Material, LoadClass);

const fn utility(category: u16, covers: u64, (near, part, spacing, depth): Line, make: Make) -> Utility {
    let along = if category == 104 { Along::Kerbs } else { Along::Line };
    Utility {
        category,
        covers,
        along,
        spacing,
        near,
        part,
        shape: make.0,
        opening_mm: make.1,
        material: make.2,
        load: make.3,
        depth,
    }
}

const DI: Material = DuctileIron;

/// In the order of their codes; the counts sum to 17,000.
pub(super) const UTILITIES: [Utility; 16] = [
    utility(101, 2_210, (0.9, 0.40, 62.0, [1.0, 2.2]), (Round, [600, 600], DI, D400)),
    utility(102, 2_890, (0.9, 0.00, 38.0, [1.6, 4.5]), (Round, [700, 700], DI, D400)),
    utility(103, 2_380, (-0.9, 0.0, 42.0, [1.4, 4.0]), (Round, [700, 700], DI, D400)),
    utility(104, 2_210, (-0.3, 1.0, 40.0, [0.6, 1.2]), (Rectangular, [750, 450], DI, C250)),
    utility(105, 1_190, (2.1, 1.00, 55.0, [1.2, 2.4]), (Rectangular, [1000, 800], ReinforcedConcrete, C250)),
    utility(106, 680, (0.8, 1.00, 30.0, [0.5, 0.9]), (Square, [500, 500], Composite, B125)),
    utility(107, 1_870, (-2.1, -1.0, 48.0, [1.2, 2.2]), (Rectangular, [1200, 600], DI, D400)),
    utility(108, 510, (-3.5, -1.0, 60.0, [0.9, 1.6]), (Square, [600, 600], DI, C250)),
    utility(109, 425, (3.4, 1.00, 60.0, [0.9, 1.6]), (Square, [600, 600], DI, C250)),
    utility(110, 1_020, (-0.9, -0.4, 70.0, [1.4, 3.0]), (Round, [800, 800], DI, D400)),
    utility(111, 595, (-0.7, -1.0, 75.0, [0.8, 1.5]), (Round, [600, 600], DI, D400)),
    utility(112, 255, (4.7, 1.00, 45.0, [0.6, 1.2]), (Square, [500, 500], Composite, B125)),
    utility(113, 170, (-6.3, -1.0, 120.0, [0.9, 1.5]), (Round, [600, 600], DI, C250)),
    utility(114, 170, (-7.7, -1.0, 90.0, [0.8, 2.5]), (Round, [600, 600], DI, C250)),
    utility(127, 85, (6.0, 1.00, 70.0, [1.0, 2.0]), (Round, [600, 600], DI, C250)),
    utility(130, 340, (-4.9, -1.0, 55.0, [0.9, 1.5]), (Square, [600, 600], DI, C250)),
];

/// The place of a category in [`UTILITIES`].
pub(super) fn index_of(category: u16) -> usize {
    UTILITIES.iter().position(|u| u.category == category).unwrap_or(0)
}

/// How many covers of each category for so many in all: the district's shares, summing exactly.
pub(super) fn shares(covers: u64) -> [u64; 16] {
    let total: u64 = UTILITIES.iter().map(|u| u.covers).sum();
    let (mut before, mut sum) = (0, 0);
    UTILITIES.each_ref().map(|utility| {
        sum += utility.covers;
        let here = covers * sum / total;
        let share = here - before;
        before = here;
        share
    })
}
