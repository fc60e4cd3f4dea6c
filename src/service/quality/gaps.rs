//! What closes a gap of the grids (网格缝隙): each piece of its ground goes to a grid of the community that it lies in.

use std::collections::BTreeMap;

use geo::MultiPolygon;

use super::Redrawn;
use super::areas::{CommunityOutline, GridOutline, Outlines};
use crate::domain::partition::{self, lost, near, overlap};
use crate::domain::said::{Said, say};

/// The grids that close a gap, as they are to be, and what is to be known of it.
#[derive(Debug, Default)]
pub(super) struct Closed {
    pub(super) grids: Vec<Redrawn>,
    pub(super) notes: Vec<Said>,
}

/// Closes a gap, as far as communities have its ground.
pub(super) fn closed(outlines: &Outlines, gap: &MultiPolygon<f64>) -> Closed {
    let mut closed = Closed::default();
    let mut left = gap.clone();
    for community in outlines.communities.iter().filter(|community| near(&community.outline, gap)) {
        let Some(part) = overlap(gap, &community.outline) else { continue };
        if let Some(rest) = lost(&left, &part.outline) {
            left = rest.outline;
        } else {
            left.0.clear();
        }
        closed.close(outlines, community, &part.outline);
    }
    if !left.0.is_empty() {
        let size = partition::square_metres(&left);
        closed.notes.push(say!(
            "{size:.1} m² of it are in no community either, to which a grid could belong: draw a community there first",
            "其中 {size:.1} 平方米也不属于任何社区，无法划入网格：请先在该处划定社区"
        ));
    }
    closed
}

impl Closed {
    /// Gives the part of a gap that lies in a community to its grids, each piece to the one with the longest edge along it;
    /// a piece beside which none lies becomes a new one.
    fn close(&mut self, outlines: &Outlines, community: &CommunityOutline, part: &MultiPolygon<f64>) {
        let grids: Vec<&GridOutline> =
            outlines.grids.iter().filter(|grid| grid.code / 1_000 == community.code).collect();
        let pieces = partition::pieces(&community.outline, grids.iter().map(|grid| &grid.outline), part);
        let mut taken: BTreeMap<u64, (&GridOutline, MultiPolygon<f64>)> = BTreeMap::new();
        for piece in pieces {
            let now = |grid: &GridOutline| taken.get(&grid.code).map_or(&grid.outline, |(_, outline)| outline).clone();
            let beside = grids.iter().filter(|grid| near(&grid.outline, &piece));
            let joined = beside.filter_map(|grid| Some((*grid, partition::joined(&now(grid), &piece)?)));
            let longest = joined.max_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b));
            let taker = longest.map(|(grid, (_, outline))| (grid, outline));
            if let Some((grid, outline)) = taker {
                taken.insert(grid.code, (grid, outline));
                continue;
            }
            let name = &community.name;
            self.notes.push(say!(
                "no grid of {name} can take it: the mend makes a new one there",
                "{name}没有可以接收它的网格：修正将在该处新建网格"
            ));
            self.grids.push(Redrawn {
                code: None,
                name: format!("{name}新网格"),
                supervising_department: None,
                outline: piece,
            });
        }
        self.grids.extend(taken.into_values().filter_map(|(grid, outline)| grid.redrawn(outline)));
    }
}
