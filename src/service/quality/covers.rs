//! What may be wrong with covers.

use std::collections::{BTreeMap, BTreeSet};

use super::runs::Runs;
use super::units::Named;
use super::{Finding, Mend, Place, Subject, about, owner, unit};
use crate::domain::catalog::{CategoryCode, OWNERLESS};
use crate::domain::id::{CoverCode, DistrictCode, OrgCode};
use crate::domain::quality::{NEAR_M, Rule, agreed, class_needed, goes_first, is_strange};
use crate::domain::said::{Said, say};
use crate::index::{CoverView, Index};

/// Covers that are taken out of the index at once.
const AT_ONCE: usize = 512;
/// How far neighbours are asked for their owner, in metres, and how many of them.
const NEIGHBOURS_M: f64 = 200.0;
const NEIGHBOURS: usize = 3;
/// Covers of one owner and category that are remembered: more of them are not strange.
const FEW: usize = 4;

/// What was found without the database.
#[derive(Debug, Default)]
pub(super) struct Covers {
    pub(super) findings: Vec<Finding>,
    /// Covers that are probably one, if they are from two sources.
    pub(super) near: Vec<Pair>,
    /// The units that covers name, known or not.
    pub(super) units: Named,
}

/// Two covers of a category within [`NEAR_M`].
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) a: CoverView,
    pub(super) b: CoverView,
    metres: f64,
}

impl Pair {
    /// `sources`: `source/external id` by code.
    pub(super) fn finding(&self, sources: &BTreeMap<CoverCode, String>) -> Option<Finding> {
        let Self { a, b, metres } = self;
        let source = |cover: &CoverView| sources.get(&cover.code)?.split_once('/').map(|(source, _)| source);
        let (of_a, of_b) = (source(a), source(b));
        let two_owners = owner(a).is_some() && owner(b).is_some() && owner(a) != owner(b);
        if of_a == of_b && !two_owners {
            return None;
        }
        let first = goes_first((a.accuracy, a.id), (b.accuracy, b.id));
        let (stays, goes) = if first { (b, a) } else { (a, b) };
        let code = stays.code;
        let detail = say!(
            "{metres:.2} m apart, from {of_a} and {of_b}: probably one cover; {code} is measured better or was there first",
            "相距 {metres:.2} 米，分别来自 {of_a} 和 {of_b}，多半是同一个井盖；{code} 测量更准或登记在先",
            of_a = from(of_a),
            of_b = from(of_b),
        );
        let subjects = vec![Subject::Cover(a.code), Subject::Cover(b.code)];
        let finding = Finding::new(Rule::NearDuplicate, subjects, Some(Place::At(goes.position)), detail);
        Some(finding.mended_by(Some(Mend::Merge(goes.code, stays.code))).of_units([
            owner(a),
            unit(a),
            owner(b),
            unit(b),
        ]))
    }
}

fn from(source: Option<&str>) -> Said {
    let named = source.map(|source| Said::new(source.to_owned(), source.to_owned()));
    named.unwrap_or_else(|| say!("an unknown source", "未知来源"))
}

/// How many covers of a category an owner has, and the first of them.
#[derive(Debug, Default)]
struct Tally {
    count: u32,
    first: Vec<CoverCode>,
}

#[derive(Debug, Default)]
struct Look {
    covers: Covers,
    owned: BTreeMap<OrgCode, BTreeMap<CategoryCode, Tally>>,
    runs: Runs,
}

/// Looks at every cover that is not removed.
pub(super) fn check(index: &Index, district: DistrictCode) -> Covers {
    let mut look = Look::default();
    for codes in index.cover_codes(district, None).chunks(AT_ONCE) {
        for cover in index.covers_of(district, codes) {
            look.at(index, district, &cover);
        }
    }
    look.finish(index)
}

impl Look {
    fn at(&mut self, index: &Index, district: DistrictCode, cover: &CoverView) {
        let category = cover.category();
        self.place(index, district, cover);
        match owner(cover) {
            Some(code) => {
                self.runs.add(cover, code);
                let of_owner = match self.owned.get_mut(code) {
                    Some(known) => known,
                    None => self.owned.entry(code.clone()).or_default(),
                };
                let tally = of_owner.entry(category).or_default();
                tally.count += 1;
                if tally.first.len() < FEW {
                    tally.first.push(cover.code);
                }
            }
            None if category != OWNERLESS => {
                let mend = neighbours_owner(index, cover).map(|owner| Mend::SetOwner(cover.code, owner));
                let detail =
                    say!("no owner, and its category is not 0114 无主井盖", "没有权属单位，小类又不是 0114 无主井盖");
                self.covers.findings.push(about(Rule::OwnerMissing, cover, detail).mended_by(mend));
            }
            None => {}
        }
        // Of both together only once.
        let responsible = cover.responsible_unit.iter().filter(|unit| owner(cover) != Some(&unit.code));
        for unit in cover.owner.iter().chain(responsible) {
            self.covers.units.by_cover(&unit.code, cover.code);
        }
        if let (Some(needed), Some(class)) = (class_needed(category, &cover.spec), cover.spec.load_class) {
            let (class, needed) = (class.as_str(), needed.as_str());
            // Whether the record is wrong or the cover too weak is seen on site: no request may hide a weak one.
            let detail = say!(
                "{class} in a carriageway, which needs {needed} (GB/T 23858): to be inspected, and replaced if so",
                "车行道上的等级为 {class}，应不低于 {needed}（GB/T 23858）：请现场核查，属实则更换井盖"
            );
            self.covers.findings.push(about(Rule::LoadClassUnfit, cover, detail));
        }
        // Each pair once, at its lower code.
        for (other, metres) in index.covers_near(cover.position, NEAR_M) {
            if other.category() == category && other.code > cover.code && other.code.district() == district {
                self.covers.near.push(Pair { a: cover.clone(), b: other, metres });
            }
        }
    }

    fn place(&mut self, index: &Index, district: DistrictCode, cover: &CoverView) {
        let detail = match index.grid_at(cover.position).map(|hit| (hit.grid.code, hit.distance_m)) {
            Ok((grid, _)) if grid.district() != district => {
                say!("lies in grid {grid} of another district", "位于其他区的网格 {grid}")
            }
            Ok((grid, metres)) if metres > 0.0 => say!(
                "lies in no grid: {grid} is nearest, {metres:.1} m away",
                "不在任何网格内：最近的是 {grid}，相距 {metres:.1} 米"
            ),
            Ok(_) => return,
            Err(_) => nowhere(index, cover),
        };
        self.covers.findings.push(about(Rule::CoverOutsideGrids, cover, detail));
    }

    fn finish(mut self, index: &Index) -> Covers {
        let misplaced = self.runs.check(index);
        // Where they lie says more than whose they are.
        let told: BTreeSet<Subject> = misplaced.iter().flat_map(|finding| finding.subjects.clone()).collect();
        self.covers.findings.extend(misplaced);
        for (owner, categories) in &self.owned {
            let all = categories.values().map(|tally| tally.count).sum();
            for (category, tally) in categories.iter().filter(|(_, tally)| is_strange(tally.count, all)) {
                let strange = tally.first.iter().filter(|code| !told.contains(&Subject::Cover(**code)));
                for cover in strange.filter_map(|code| index.cover(*code)) {
                    let mend = neighbours_owner(index, &cover).filter(|other| other != owner);
                    let mend = mend.map(|owner| Mend::SetOwner(cover.code, owner));
                    let few = tally.count;
                    let detail = say!(
                        "of {all} covers of {owner} only {few} are of category {category}",
                        "{owner} 的 {all} 个井盖中，只有 {few} 个属于小类 {category}"
                    );
                    self.covers.findings.push(about(Rule::CategoryContradictsOwner, &cover, detail).mended_by(mend));
                }
            }
        }
        self.covers
    }
}

/// Why no grid is the nearest of a cover: it is outside, or its district has none.
fn nowhere(index: &Index, cover: &CoverView) -> Said {
    if let Some(around) = index.district_around(cover.position) {
        return say!(
            "lies in no grid: district {around}, in which it lies, has none",
            "不在任何网格内：它所在的行政区 {around} 没有网格"
        );
    }
    say!("lies outside every district served here", "位于本系统服务的各区之外")
}

/// The owner that the nearest covers of the category agree on.
fn neighbours_owner(index: &Index, cover: &CoverView) -> Option<OrgCode> {
    let near = index.covers_near(cover.position, NEIGHBOURS_M).into_iter();
    let of_category = near.filter(|(other, _)| other.category() == cover.category() && other.id != cover.id);
    let owners = of_category.filter_map(|(other, _)| other.owner.filter(|owner| owner.version > 0));
    agreed(owners.take(NEIGHBOURS).map(|owner| owner.code.clone()))
}
