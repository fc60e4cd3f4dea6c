//! Which grids a spot may lie in: a lattice over them, each cell with the grids that have ground of it. Most cells lie within
//! one grid, which needs no look at its outline then.

use super::area::{Area, Side};
use super::frame::{Box32, Spot};
use super::lattice::Lattice;

/// Cells of a grid, on the average.
const CELLS: usize = 8;

/// Further from an edge than this, in units of 1e-8°, no spot is on it.
const EDGE: f64 = 2.0;

/// A grid that has ground of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Here(u32);

impl Here {
    const WHOLE: u32 = 1;

    /// A grid has an edge there.
    fn edge(grid: u32) -> Self {
        Self(grid << 1)
    }

    /// All of the cell is the grid's.
    fn whole(grid: u32) -> Self {
        Self(grid << 1 | Self::WHOLE)
    }

    fn grid(self) -> u32 {
        self.0 >> 1
    }

    fn is_whole(self) -> bool {
        self.0 & Self::WHOLE != 0
    }
}

#[derive(Debug)]
pub(super) struct GridCells {
    lattice: Lattice,
    /// Where the grids of each cell begin in `here`, and where they end.
    starts: Box<[u32]>,
    /// By rising number in each cell.
    here: Box<[Here]>,
}

impl GridCells {
    /// Of grids by their numbers.
    pub(super) fn over<'a>(areas: impl Iterator<Item = &'a Area> + Clone) -> Self {
        let corners = areas.clone().map(Area::corners).reduce(|(low, high), (other_low, other_high)| {
            let low = Spot { x: low.x.min(other_low.x), y: low.y.min(other_low.y) };
            (low, Spot { x: high.x.max(other_high.x), y: high.y.max(other_high.y) })
        });
        let corners = corners.unwrap_or((Spot { x: 0, y: 0 }, Spot { x: 0, y: 0 }));
        let length = |low: i32, high: i32| (f64::from(high) - f64::from(low)).max(1.0);
        let ground = length(corners.0.x, corners.1.x) * length(corners.0.y, corners.1.y);
        let cells = CELLS * areas.clone().count().max(1);
        let lattice = Lattice::over(corners, (ground / cells as f64).sqrt().max(1.0));
        let mut touched = vec![u32::MAX; lattice.len()];
        let mut found: Vec<(usize, Here)> = Vec::new();
        for (grid, area) in (0..).zip(areas) {
            for (a, b) in area.edges() {
                let low = Spot { x: a.x.min(b.x), y: a.y.min(b.y) };
                let high = Spot { x: a.x.max(b.x), y: a.y.max(b.y) };
                lattice.around(low, high, EDGE).for_each(|row| touched[row].fill(grid));
            }
            let (low, high) = area.corners();
            for cell in lattice.around(low, high, EDGE).flatten() {
                if touched[cell] == grid {
                    found.push((cell, Here::edge(grid)));
                } else if area.side(lattice.middle(cell)) == Side::Inside {
                    // Without an edge there, what one spot of it is all of them are.
                    found.push((cell, Here::whole(grid)));
                }
            }
        }
        found.sort_unstable();
        let start = |cell| u32::try_from(found.partition_point(|(other, _)| *other < cell)).unwrap_or(u32::MAX);
        Self {
            lattice,
            starts: (0..=lattice.len()).map(start).collect(),
            here: found.iter().map(|(_, here)| *here).collect(),
        }
    }

    fn of(&self, cell: usize) -> &[Here] {
        &self.here[self.starts[cell] as usize..self.starts[cell + 1] as usize]
    }

    /// The lowest number of those that a spot lies in or on the edge of; `area` gives the outline of one.
    pub(super) fn lowest<'a>(&self, spot: Spot, area: impl Fn(u32) -> &'a Area) -> Option<u32> {
        let mut here = self.of(self.lattice.cell(spot)).iter();
        let found = here.find(|here| here.is_whole() || area(here.grid()).side(spot) != Side::Outside);
        found.map(|here| here.grid())
    }

    /// The numbers of all that meet a box, rising, and of others near it.
    pub(super) fn near(&self, reach: &Box32) -> Vec<u32> {
        let mut found: Vec<u32> =
            self.lattice.rows(reach).flatten().flat_map(|cell| self.of(cell)).map(|here| here.grid()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use geo::{LineString, MultiPolygon, Polygon, coord};
    use proptest::prelude::*;

    use super::super::frame::{Frame, corner};
    use super::*;

    /// A star around a spot: as many corners as distances, in units of 1e-8°.
    fn star((x, y): (i32, i32), reach: &[i32]) -> Area {
        let step = std::f64::consts::TAU / reach.len() as f64;
        let corners = reach.iter().enumerate().map(|(n, far)| {
            let (sin, cos) = (n as f64 * step).sin_cos();
            let at = |from: i32, part: f64| ((f64::from(from) + f64::from(*far) * part).round()) / 1e8;
            coord! { x: at(x, cos), y: at(y, sin) }
        });
        let outline = MultiPolygon::new(vec![Polygon::new(LineString::new(corners.collect()), Vec::new())]);
        Area::new(&outline, Frame::at(0.0, 0.0)).unwrap()
    }

    prop_compose! {
        fn areas()(stars in prop::collection::vec(
            ((-50_000..50_000, -50_000..50_000), prop::collection::vec(300..40_000, 3..9)), 1..12,
        )) -> Vec<Area> {
            stars.iter().map(|(at, reach)| star(*at, reach)).collect()
        }
    }

    proptest! {
        /// Wherever it is, on an edge or a corner too, or far away.
        #[test]
        fn a_spot_is_of_the_lowest_that_has_it(
            areas in areas(), at in (-120_000..120_000, -120_000..120_000), which: prop::sample::Index, beside in (-2..3, -2..3),
        ) {
            let cells = GridCells::over(areas.iter());
            let corners: Vec<Spot> = areas.iter().flat_map(|area| area.edges().map(|(a, _)| a)).collect();
            let corner = which.get(&corners);
            for spot in [Spot { x: at.0, y: at.1 }, Spot { x: corner.x + beside.0, y: corner.y + beside.1 }] {
                let lowest = areas.iter().position(|area| area.side(spot) != Side::Outside);
                let found = cells.lowest(spot, |grid| &areas[grid as usize]).map(|grid| grid as usize);
                prop_assert_eq!(found, lowest);
            }
        }

        #[test]
        fn all_that_have_ground_of_a_box_are_near_it(areas in areas(), a in (-90_000..90_000, -90_000..90_000), wide in 0..20_000) {
            let cells = GridCells::over(areas.iter());
            let reach = Box32::from_corners(
                corner(f64::from(a.0), f64::from(a.1)),
                corner(f64::from(a.0 + wide), f64::from(a.1 + wide)),
            );
            let near = cells.near(&reach);
            prop_assert!(near.windows(2).all(|pair| pair[0] < pair[1]));
            for (n, area) in (0..).zip(&areas) {
                let steps = (0..=8).flat_map(|x| (0..=8).map(move |y| (x, y)));
                let mut spots = steps.map(|(x, y)| Spot { x: a.0 + wide * x / 8, y: a.1 + wide * y / 8 });
                if spots.any(|spot| area.side(spot) != Side::Outside) {
                    prop_assert!(near.contains(&n), "{n}");
                }
            }
        }
    }

    #[test]
    fn without_grids_there_is_none() {
        let cells = GridCells::over([].iter());
        assert_eq!(cells.lowest(Spot { x: 5, y: 5 }, |_| unreachable!()), None);
    }
}
