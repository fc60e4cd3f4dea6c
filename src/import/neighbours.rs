//! Covers seen in this run, by place: finds the same one in two departments' files before either
//! is in the registry.

use std::collections::HashMap;

use crate::domain::catalog::CategoryCode;
use crate::domain::position::{Position, Wgs84};

/// Cells of about two metres: whatever lies within one metre is in the cell or in one around it.
const CELLS_PER_DEGREE: f64 = 50_000.0;

/// A hash grid of covers; about 60 bytes each.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// The last cover put into a cell; the others of the cell follow by `next`.
    cells: HashMap<(i32, i32), u32>,
    seen: Vec<Seen>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) category: CategoryCode,
    pub(super) position: Position<Wgs84>,
    /// Whose it is, and which file it stands in, as the caller counts them.
    pub(super) source: u16,
    pub(super) file: u16,
    pub(super) row: u64,
    next: Option<u32>,
}

impl Neighbours {
    /// Remembers a cover.
    pub(super) fn put(&mut self, category: CategoryCode, position: Position<Wgs84>, source: u16, file: u16, row: u64) {
        let Ok(index) = u32::try_from(self.seen.len()) else { return };
        let next = self.cells.insert(cell(position), index);
        self.seen.push(Seen { category, position, source, file, row, next });
    }

    /// The nearest cover of the category from another source, and its distance, within `radius_m` ≤ 1.
    pub(super) fn nearest(
        &self,
        category: CategoryCode,
        at: Position<Wgs84>,
        source: u16,
        radius_m: f64,
    ) -> Option<(Seen, f64)> {
        let (x, y) = cell(at);
        let around = (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| (x.saturating_add(dx), y.saturating_add(dy))));
        around
            .flat_map(|key| {
                std::iter::successors(self.cells.get(&key).copied(), |index| self.seen[*index as usize].next)
            })
            .map(|index| self.seen[index as usize])
            .filter(|seen| seen.category == category && seen.source != source)
            .map(|seen| (seen, seen.position.distance_m(at)))
            .filter(|(_, distance)| *distance <= radius_m)
            .min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

fn cell(at: Position<Wgs84>) -> (i32, i32) {
    #[expect(clippy::cast_possible_truncation, reason = "180° × 50,000 is nine million")]
    let index = |degrees: f64| (degrees * CELLS_PER_DEGREE).floor() as i32;
    (index(at.lon()), index(at.lat()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_within_a_metre_is_found(
            lon in 73.0..135.0, lat in 18.0..53.0, east in -1.2..1.2, north in -1.2..1.2,
        ) {
            let at = Position::new(lon, lat).unwrap();
            let there = at.offset(east, north).unwrap();
            let category = "0101".parse().unwrap();
            let mut neighbours = Neighbours::default();
            neighbours.put(category, at, 0, 0, 7);
            neighbours.put("0102".parse().unwrap(), there, 0, 0, 8);
            let found = neighbours.nearest(category, there, 1, 1.0).map(|(seen, _)| seen.row);
            prop_assert_eq!(found, (at.distance_m(there) <= 1.0).then_some(7));
            prop_assert!(neighbours.nearest(category, there, 0, 1.0).is_none());
        }
    }
}
