//! Which grids of a file cannot be taken because others have their ground. One that is refused has none: what it would have
//! had is no reason to refuse another.

use std::collections::BTreeMap;

use geo::MultiPolygon;

use crate::domain::partition::{near, overlap};
use crate::domain::seams::seams;

/// Grids by their codes.
pub(super) type Outlines = BTreeMap<u64, MultiPolygon<f64>>;

/// A grid that is refused, and one that has ground of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Refused {
    pub(super) gives: u64,
    pub(super) keeps: u64,
    pub(super) square_metres: f64,
}

/// Whose ground a grid of the file would have too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// What the registry has stays.
    Registry(u64),
    /// Of two in the file either may go.
    File(u64),
}

#[derive(Debug, Clone, Copy)]
struct Overlap {
    grid: u64,
    holder: Holder,
    square_metres: f64,
}

/// Grids of a file that have ground in common with others, as few of them as is easily told. `present`: what the registry
/// has, also of those that the file redraws; that they get back when they are refused.
pub(super) fn refused(district: &MultiPolygon<f64>, present: &Outlines, mut file: Outlines) -> Vec<Refused> {
    let mut overlaps = overlaps(district, present, &file);
    let mut refused = Vec::new();
    while let Some(next) = most_in_the_way(&overlaps) {
        refused.push(next);
        file.remove(&next.gives);
        overlaps.retain(|of| of.grid != next.gives && of.holder != Holder::File(next.gives));
        let Some(again) = present.get(&next.gives) else { continue };
        overlaps.extend(file.iter().filter(|(_, outline)| near(outline, again)).filter_map(|(grid, outline)| {
            let square_metres = overlap(outline, again)?.square_metres;
            Some(Overlap { grid: *grid, holder: Holder::Registry(next.gives), square_metres })
        }));
    }
    refused
}

/// Each overlap of the file's grids, of two in the file from either side.
fn overlaps(district: &MultiPolygon<f64>, present: &Outlines, file: &Outlines) -> Vec<Overlap> {
    let mut all = present.clone();
    all.extend(file.iter().map(|(code, outline)| (*code, outline.clone())));
    let (codes, outlines): (Vec<u64>, Vec<_>) = all.into_iter().unzip();
    let mut overlaps = Vec::new();
    for (a, b, ground) in seams(district, &outlines).overlaps {
        for (grid, other) in [(codes[a], codes[b]), (codes[b], codes[a])] {
            let holder = if file.contains_key(&other) { Holder::File(other) } else { Holder::Registry(other) };
            if file.contains_key(&grid) {
                overlaps.push(Overlap { grid, holder, square_metres: ground.square_metres });
            }
        }
    }
    overlaps
}

/// One on the registry's ground first; then that which the most others are in the way of, of equal ones that with the most
/// ground, then the highest code.
fn most_in_the_way(overlaps: &[Overlap]) -> Option<Refused> {
    let of = |overlap: &Overlap| {
        let (Holder::Registry(keeps) | Holder::File(keeps)) = overlap.holder;
        Refused { gives: overlap.grid, keeps, square_metres: overlap.square_metres }
    };
    if let Some(held) = overlaps.iter().find(|overlap| matches!(overlap.holder, Holder::Registry(_))) {
        return Some(of(held));
    }
    let mut by_grid: BTreeMap<u64, (usize, f64)> = BTreeMap::new();
    for overlap in overlaps {
        let (others, ground) = by_grid.entry(overlap.grid).or_default();
        *others += 1;
        *ground += overlap.square_metres;
    }
    let most = by_grid.iter().max_by(|(_, a), (_, b)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))?;
    overlaps.iter().find(|overlap| overlap.grid == *most.0).map(of)
}

#[cfg(test)]
mod tests {
    use geo::{Rect, coord};

    use super::*;

    fn strip(west: f64, east: f64) -> MultiPolygon<f64> {
        MultiPolygon::new(vec![Rect::new(coord! { x: west, y: 36.11 }, coord! { x: east, y: 36.13 }).to_polygon()])
    }

    fn strips<const N: usize>(strips: [(u64, f64, f64); N]) -> Outlines {
        strips.into_iter().map(|(code, west, east)| (code, strip(west, east))).collect()
    }

    fn gives(present: &Outlines, file: Outlines) -> Vec<(u64, u64)> {
        let refused = refused(&strip(120.37, 120.39), present, file);
        refused.iter().map(|refused| (refused.gives, refused.keeps)).collect()
    }

    #[test]
    fn one_that_lies_on_many_is_refused_and_not_the_many() {
        let right = [(1, 120.37, 120.374), (3, 120.378, 120.382), (4, 120.382, 120.39)];
        let file = strips([right[0], (2, 120.373, 120.3825), right[1], right[2]]);
        assert_eq!(gives(&Outlines::new(), file.clone()), [(2, 1)]);
        // Nor does it matter which code it has.
        let first = strips([(5, 120.37, 120.374), (2, 120.373, 120.3825), (7, 120.378, 120.382), (8, 120.382, 120.39)]);
        assert_eq!(gives(&Outlines::new(), first), [(2, 5)]);
        // Of two the one with the higher code.
        assert_eq!(gives(&Outlines::new(), strips([(1, 120.37, 120.38), (2, 120.379, 120.39)])), [(2, 1)]);
    }

    #[test]
    fn the_registry_keeps_its_ground_also_where_a_grid_of_it_is_refused() {
        let present = strips([(1, 120.37, 120.376), (2, 120.376, 120.38), (3, 120.38, 120.39)]);
        // The first takes ground that the second gives, and some of the third, which stays.
        let file = strips([(1, 120.37, 120.381), (2, 120.3755, 120.3758)]);
        assert_eq!(gives(&present, file), [(1, 3), (2, 1)]);
        assert_eq!(gives(&present, strips([(1, 120.37, 120.378), (2, 120.378, 120.38)])), []);
    }
}
