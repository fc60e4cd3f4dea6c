//! What only the registry can tell about a cover.

use std::collections::HashMap;

use super::check::{Checker, Faults, Holder, Near, exchanged};
use super::draft::CoverDraft;
use super::field::Field;
use super::finding::{Finding, FindingCode};
use super::neighbours::{Neighbours, Seen};
use super::profile::Profile;
use super::seen::SeenKeys;
use crate::domain::catalog::{CategoryCode, OWNERLESS};
use crate::domain::id::{CoverCode, OrgCode};
use crate::domain::said::say;
use crate::service::edit::covers::ENTERED;

/// Nearer than this, two covers of one category from two sources are probably one, in metres.
const NEAR_M: f64 = 1.0;

/// The covers of this run.
#[derive(Default)]
pub(super) struct SeenCovers {
    keys: SeenKeys,
    /// Whether the first cover of a category in the file had a code.
    coded: HashMap<CategoryCode, bool>,
    places: Option<Neighbours>,
    /// The sources and files of the run, so that a remembered place needs only their numbers.
    sources: Vec<Option<OrgCode>>,
    files: Vec<String>,
}

impl SeenCovers {
    pub(super) fn remembering() -> Self {
        Self { places: Some(Neighbours::default()), ..Self::default() }
    }

    pub(super) fn begin(&mut self, profile: &Profile) {
        self.keys = SeenKeys::default();
        self.coded.clear();
        self.files.push(profile.file.display().to_string());
    }

    /// The number of a source; the same each time.
    fn source(&mut self, source: Option<&OrgCode>) -> u16 {
        let index = self.sources.iter().position(|known| known.as_ref() == source).unwrap_or_else(|| {
            self.sources.push(source.cloned());
            self.sources.len() - 1
        });
        u16::try_from(index).unwrap_or(u16::MAX)
    }
}

/// Checks a cover.
pub(super) fn cover(checker: &mut Checker<'_>, draft: &CoverDraft, faults: &mut Faults<'_>) {
    checker.covers.keys.text(&draft.external_id, Field::ExternalId, faults);
    codes(checker, draft, faults);
    // What was said before was asked then, and what became of it here since is no fault of the file.
    let takes = checker.world.asks.takes;
    if takes("category") && !checker.world.catalog.enables(draft.category) {
        let category = draft.category;
        let detail = say!("category {category} is not in this district's table", "本区的小类表中没有 {category}");
        faults.add(FindingCode::CategoryUnknown, category_field(faults.profile), detail);
    }
    checker.exists(draft.owner.as_ref().filter(|_| takes("owner")), Field::Owner, faults);
    let unit = draft.responsible_unit.as_ref().filter(|_| takes("responsible_unit"));
    checker.exists(unit, Field::ResponsibleUnit, faults);
    if draft.owner.is_none() && draft.category != OWNERLESS {
        let detail = say!("no owner, and its category is not 0114 无主井盖", "没有权属单位，小类又不是 0114 无主井盖");
        faults.add(FindingCode::OwnerMissing, Field::Owner, detail);
    }
    if let Some(year) = draft.spec.installed.filter(|year| *year > checker.world.year) {
        let detail = say!("{year} is still to come", "{year} 年还没有到");
        faults.add(FindingCode::ValueInvalid, Field::Installed, detail);
    }
    if !takes("position") || place(checker, draft, faults) {
        near_duplicate(checker, draft, faults);
    }
}

fn codes(checker: &mut Checker<'_>, draft: &CoverDraft, faults: &mut Faults<'_>) {
    let coded = *checker.covers.coded.entry(draft.category).or_insert(draft.code.is_some());
    if coded != draft.code.is_some() {
        let category = draft.category;
        let detail = if coded {
            say!(
                "has none, but others of category {category} in this file have codes: all or none",
                "没有编码，而本文件中小类 {category} 的其他井盖有编码：要么都有，要么都没有"
            )
        } else {
            say!(
                "has one, but others of category {category} in this file have none: all or none",
                "有编码，而本文件中小类 {category} 的其他井盖没有编码：要么都有，要么都没有"
            )
        };
        faults.add(FindingCode::CodeInvalid, Field::Code, detail);
    }
    let Some(code) = draft.code else { return };
    checker.covers.keys.code(code.number(), Field::Code, faults);
    checker.in_district(code.district(), None, Field::Code, faults);
    held_by_another(checker, code, draft, faults);
}

fn held_by_another(checker: &Checker<'_>, code: CoverCode, draft: &CoverDraft, faults: &mut Faults<'_>) {
    if let Some(Holder { source, external_id }) = (checker.world.asks.holder)(code)
        && (Some(&*source) != faults.profile.source.as_ref().map(OrgCode::as_str) || external_id != draft.external_id)
    {
        let detail = if source == ENTERED {
            say!("{code} was given to a cover that was entered here", "{code} 已用于在此登记的井盖")
        } else {
            say!(
                "{code} is the code of record {external_id} of {source}",
                "{code} 是 {source} 的记录 {external_id} 的编码"
            )
        };
        faults.add(FindingCode::CodeRepeated, Field::Code, detail);
    }
}

/// Whether it lies in the district; a finding if not.
fn place(checker: &Checker<'_>, draft: &CoverDraft, faults: &mut Faults<'_>) -> bool {
    if checker.inside(Some(draft.position)) {
        return true;
    }
    let (east, _) = faults.profile.position_fields();
    let given = draft.original;
    if checker.inside(checker.crs.to_wgs84(given.crs, given.north, given.east).ok()) {
        faults.add(FindingCode::AxesSwapped, east, exchanged());
    } else if let Some(district) = &checker.world.district {
        let (lon, lat, code) = (draft.position.lon(), draft.position.lat(), district.code);
        let detail =
            say!("lon {lon}, lat {lat} lies outside district {code}", "lon {lon}、lat {lat} 在行政区 {code} 之外");
        faults.add(FindingCode::OutsideDistrict, east, detail);
    } else {
        // The position is not at fault.
        let detail = checker.no_district(faults.profile);
        faults.findings.push(Finding::new(faults.at, FindingCode::ParentMissing, None, detail));
    }
    false
}

fn near_duplicate(checker: &mut Checker<'_>, draft: &CoverDraft, faults: &mut Faults<'_>) {
    let source = faults.profile.source.as_ref();
    let registered = (checker.world.asks.nearest)(draft.category, draft.position, source);
    let number = checker.covers.source(source);
    let seen = checker.covers.places.as_ref().and_then(|p| p.nearest(draft.category, draft.position, number, NEAR_M));
    let seen = seen.map(|(Seen { row, file, .. }, metres)| {
        let name = if let Some(file) = checker.covers.files.get(usize::from(file)) {
            say!("row {row} of {file}", "{file} 第 {row} 条记录")
        } else {
            say!("row {row} of this file", "本文件第 {row} 条记录")
        };
        Near { name, metres }
    });
    let nearest = registered.into_iter().chain(seen).min_by(|a, b| a.metres.total_cmp(&b.metres));
    if let Some(Near { name, metres }) = nearest.filter(|near| near.metres <= NEAR_M) {
        let (east, _) = faults.profile.position_fields();
        let detail = say!("{metres:.2} m from {name}", "相距 {metres:.2} 米：{name}", name = name);
        faults.add(FindingCode::NearDuplicate, east, detail);
    }
    let file = u16::try_from(checker.covers.files.len().saturating_sub(1)).unwrap_or(u16::MAX);
    if let Some(places) = &mut checker.covers.places {
        places.put(draft.category, draft.position, number, file, faults.at.0);
    }
}

/// Where the category of this profile's covers comes from.
fn category_field(profile: &Profile) -> Field {
    if profile.has(Field::Category) { Field::Category } else { Field::Code }
}
