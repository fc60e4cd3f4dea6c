//! Covers that lie in a run of another category of their owner, and in none of their own.

use std::collections::{BTreeMap, HashMap, HashSet};

use rstar::RTree;
use rstar::primitives::GeomWithData;

use super::{Finding, Mend, about};
use crate::domain::catalog::CategoryCode;
use crate::domain::cover::Accuracy;
use crate::domain::id::{CoverCode, OrgCode};
use crate::domain::position::{Metres, Position, Wgs84};
use crate::domain::quality::Rule;
use crate::domain::runs::{NEAREST, Offset, REACH_M, fills_gap, may_belong};
use crate::domain::said::say;
use crate::index::{CoverView, Index};

/// A cover's place in metres, and whose it is.
type Place = GeomWithData<[f64; 2], u32>;

/// What is known of the covers of a category.
#[derive(Debug, Default)]
struct Chambers {
    places: Vec<Place>,
    /// Those whose category may be doubted: how sure a place is must not decide.
    measured: Vec<(CoverCode, [f64; 2], u32)>,
}

/// Where the covers of a district lie, by category.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// Where metres are counted from.
    origin: Option<(Position<Wgs84>, Metres)>,
    /// Owners by number, and the categories that each has.
    owners: HashMap<OrgCode, u32>,
    owned: Vec<HashSet<CategoryCode>>,
    chambers: BTreeMap<CategoryCode, Chambers>,
}

impl Runs {
    /// Takes a cover that has an owner into account.
    pub(super) fn add(&mut self, cover: &CoverView, owner: &OrgCode) {
        let position = cover.position;
        let (from, metres) = *self.origin.get_or_insert_with(|| (position, Metres::at(position.lat())));
        let place = [
            (position.lon() - from.lon()) * metres.per_degree_east,
            (position.lat() - from.lat()) * metres.per_degree_north,
        ];
        let number = if let Some(number) = self.owners.get(owner) {
            *number
        } else {
            let number = u32::try_from(self.owned.len()).unwrap_or(u32::MAX);
            self.owned.push(HashSet::new());
            self.owners.insert(owner.clone(), number);
            number
        };
        self.owned[number as usize].insert(cover.category());
        let chambers = self.chambers.entry(cover.category()).or_default();
        chambers.places.push(Place::new(place, number));
        if cover.accuracy != Accuracy::C {
            chambers.measured.push((cover.code, place, number));
        }
    }

    /// The covers whose neighbours say another category, and which.
    pub(super) fn check(self, index: &Index) -> Vec<Finding> {
        let mut trees: BTreeMap<CategoryCode, RTree<Place>> = BTreeMap::new();
        let mut doubted = Vec::new();
        for (category, chambers) in self.chambers {
            trees.insert(category, RTree::bulk_load(chambers.places));
            doubted.extend(chambers.measured);
        }
        let mut found = Vec::new();
        for (code, place, owner) in doubted {
            let others = self.owned[owner as usize].iter().filter(|category| **category != code.category());
            let mut of_run = others.filter(|category| {
                trees.get(category).is_some_and(|tree| fills_gap(&nearest(tree, place, |of| of == owner)))
            });
            // Two runs that it may be of say nothing.
            let (Some(category), None) = (of_run.next(), of_run.next()) else { continue };
            let own = trees.get(&code.category()).map(|tree| nearest(tree, place, |_| true)).unwrap_or_default();
            if may_belong(&own) {
                continue;
            }
            found.extend(index.cover(code).map(|cover| finding(&cover, *category)));
        }
        found
    }
}

/// The nearest others of a tree, as metres from a place.
fn nearest(tree: &RTree<Place>, [x, y]: [f64; 2], of: impl Fn(u32) -> bool) -> Vec<Offset> {
    let near = tree.nearest_neighbor_iter_with_distance_2(&[x, y]);
    let near = near.take_while(|(_, squared)| *squared <= REACH_M * REACH_M).filter(|(other, _)| of(other.data));
    let offsets = near.map(|(other, _)| [other.geom()[0] - x, other.geom()[1] - y]);
    // The cover itself, and what is said to be in the same place, leads nowhere.
    offsets.filter(|offset| *offset != [0.0, 0.0]).take(NEAREST).collect()
}

fn finding(cover: &CoverView, category: CategoryCode) -> Finding {
    let own = cover.category();
    let detail = say!(
        "lies in a run of category {category} of its owner where one is missing, and in no run of its own {own}",
        "位于同一权属单位小类 {category} 的管线上，正好补上空缺，而不在本小类 {own} 的任何管线上"
    );
    about(Rule::CategoryContradictsNeighbours, cover, detail).mended_by(Some(Mend::SetCategory(cover.code, category)))
}
