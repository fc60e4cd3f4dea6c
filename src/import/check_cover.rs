//! What only the registry can tell about a cover.

use std::collections::HashMap;

use super::check::{Checker, EXCHANGED, Faults, Near};
use super::draft::CoverDraft;
use super::field::Field;
use super::finding::FindingCode;
use super::neighbours::Neighbours;
use super::profile::Profile;
use super::seen::SeenKeys;
use crate::domain::catalog::{CategoryCode, OWNERLESS};
use crate::domain::id::{CoverCode, OrgCode};

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
    if !checker.world.catalog.enables(draft.category) {
        let detail = format!("category {} is not in this district's table", draft.category);
        faults.add(FindingCode::CategoryUnknown, category_field(faults.profile), detail);
    }
    checker.exists(draft.owner.as_ref(), Field::Owner, faults);
    checker.exists(draft.responsible_unit.as_ref(), Field::ResponsibleUnit, faults);
    if draft.owner.is_none() && draft.category != OWNERLESS {
        faults.add(FindingCode::OwnerMissing, Field::Owner, "no owner, and its category is not 0114 无主井盖");
    }
    if let Some(year) = draft.spec.installed.filter(|year| *year > checker.world.year) {
        faults.add(FindingCode::ValueInvalid, Field::Installed, format!("{year} is still to come"));
    }
    if place(checker, draft, faults) {
        near_duplicate(checker, draft, faults);
    }
}

fn codes(checker: &mut Checker<'_>, draft: &CoverDraft, faults: &mut Faults<'_>) {
    let coded = *checker.covers.coded.entry(draft.category).or_insert(draft.code.is_some());
    if coded != draft.code.is_some() {
        let (this, others) = if coded { ("has none", "have codes") } else { ("has one", "have none") };
        let detail = format!("{this}, but others of category {} in this file {others}: all or none", draft.category);
        faults.add(FindingCode::CodeInvalid, Field::Code, detail);
    }
    let Some(code) = draft.code else { return };
    checker.covers.keys.code(code.number(), Field::Code, faults);
    checker.in_district(code.district(), None, Field::Code, faults);
    held_by_another(checker, code, draft, faults);
}

fn held_by_another(checker: &Checker<'_>, code: CoverCode, draft: &CoverDraft, faults: &mut Faults<'_>) {
    if let Some(holder) = (checker.world.holder)(code)
        && (Some(&holder.source) != faults.profile.source.as_ref() || holder.external_id != draft.external_id)
    {
        let detail = format!("{code} is the code of record {} of {}", holder.external_id, holder.source);
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
        faults.add(FindingCode::AxesSwapped, east, EXCHANGED);
    } else if let Some(district) = &checker.world.district {
        let (lon, lat) = (draft.position.lon(), draft.position.lat());
        let detail = format!("lon {lon}, lat {lat} lies outside district {}", district.code);
        faults.add(FindingCode::OutsideDistrict, east, detail);
    } else {
        faults.add(FindingCode::ParentMissing, east, "there is no district yet: import its outline first");
    }
    false
}

fn near_duplicate(checker: &mut Checker<'_>, draft: &CoverDraft, faults: &mut Faults<'_>) {
    let source = faults.profile.source.as_ref();
    let registered = (checker.world.nearest)(draft.category, draft.position, source);
    let number = checker.covers.source(source);
    let seen = checker.covers.places.as_ref().and_then(|p| p.nearest(draft.category, draft.position, number, NEAR_M));
    let file_of = |file: u16| checker.covers.files.get(usize::from(file)).map_or("this file", String::as_str);
    let seen = seen.map(|(seen, metres)| Near { name: format!("row {} of {}", seen.row, file_of(seen.file)), metres });
    let nearest = registered.into_iter().chain(seen).min_by(|a, b| a.metres.total_cmp(&b.metres));
    if let Some(Near { name, metres }) = nearest.filter(|near| near.metres <= NEAR_M) {
        let (east, _) = faults.profile.position_fields();
        faults.add(FindingCode::NearDuplicate, east, format!("{metres:.2} m from {name}"));
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
