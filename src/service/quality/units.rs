//! Units that nobody reaches: those that the registry does not know, and those at which nobody can be called.

use std::collections::{BTreeMap, HashMap};

use super::areas::Outlines;
use super::{Finding, Place, Subject};
use crate::domain::id::{CoverCode, OrgCode};
use crate::domain::quality::Rule;
use crate::domain::said::{Said, say};
use crate::index::Index;

/// What names a unit: how many covers and grids, and the first of each.
#[derive(Debug, Default)]
struct By {
    covers: Option<(u32, CoverCode)>,
    grids: Option<(i64, u64)>,
}

/// The units that a district's covers and grids name.
#[derive(Debug, Default)]
pub(super) struct Named(BTreeMap<OrgCode, By>);

/// The units that are known, and whether anybody can be called there.
pub(super) type Callable = HashMap<OrgCode, bool>;

impl Named {
    pub(super) fn by_cover(&mut self, unit: &OrgCode, cover: CoverCode) {
        let by = match self.0.get_mut(unit) {
            Some(by) => by,
            None => self.0.entry(unit.clone()).or_default(),
        };
        by.covers.get_or_insert((0, cover)).0 += 1;
    }

    /// That it supervises so many grids, `first` the first of them.
    pub(super) fn by_grids(&mut self, unit: OrgCode, grids: i64, first: u64) {
        self.0.entry(unit).or_default().grids = Some((grids, first));
    }

    pub(super) fn codes(&self) -> impl Iterator<Item = &OrgCode> {
        self.0.keys()
    }

    /// Those that nobody reaches.
    pub(super) fn check(&self, callable: &Callable, index: &Index, outlines: &Outlines) -> Vec<Finding> {
        let unreachable = self.0.iter().filter_map(|(unit, by)| {
            let named = by.said()?;
            let detail = match callable.get(unit) {
                Some(true) => return None,
                None => {
                    say!("{named}, and the registry does not know it", "{named}，登记库里却没有这个单位", named = named)
                }
                Some(false) => say!(
                    "{named}, and nobody can be called: it has no duty telephone, and no person belongs to it",
                    "{named}，却无人可联系：没有值班电话，也没有所属人员",
                    named = named
                ),
            };
            let subjects = vec![Subject::Organization(unit.clone())];
            let finding = Finding::new(Rule::UnitUnreachable, subjects, by.place(index, outlines), detail);
            Some(finding.of_units([Some(unit)]))
        });
        unreachable.collect()
    }
}

impl By {
    /// Where the first of its covers is, or of its grids.
    fn place(&self, index: &Index, outlines: &Outlines) -> Option<Place> {
        match (self.covers, self.grids) {
            (Some((_, cover)), _) => index.cover(cover).map(|cover| Place::At(cover.position)),
            (None, Some((_, grid))) => outlines.place_of(grid),
            (None, None) => None,
        }
    }

    /// What names the unit, in words.
    fn said(&self) -> Option<Said> {
        let covers = self
            .covers
            .map(|(count, first)| say!("{count} covers name it ({first} first)", "{count} 个井盖写着它（如 {first}）"));
        let grids = self.grids.map(|(count, first)| {
            say!("it supervises {count} grids ({first} first)", "它负责 {count} 个网格（如 {first}）")
        });
        Said::list(covers.into_iter().chain(grids))
    }
}
