//! What only the registry can tell about a row: whether its parents exist, its codes are free and
//! its place lies in the district.

use std::collections::HashSet;

use geo::{
    BoundingRect as _, Contains as _, Intersects as _, MultiPolygon, Point, Rect, indexed::IntervalTreeMultiPolygon,
};

use super::Row;
use super::check_cover::{SeenCovers, cover};
use super::draft::{AreaCode, AreaDraft, Draft, GridDraft, OrganizationDraft, PersonDraft};
use super::field::Field;
use super::finding::{Finding, FindingCode};
use super::profile::Profile;
use super::seen::SeenKeys;
use crate::crs::CrsService;
use crate::domain::catalog::{Catalog, CategoryCode};
use crate::domain::id::{CommunityCode, CoverCode, DistrictCode, GridCode, OrgCode, SubdistrictCode};
use crate::domain::position::{Position, Wgs84};
use crate::domain::said::{Said, say};

/// The record whose cover has a code, or once had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// An organisation's code; [`ENTERED`](crate::service::edit::covers::ENTERED) of a cover that no file brought.
    pub source: String,
    pub external_id: String,
}

/// A cover nearby.
#[derive(Debug, Clone, PartialEq)]
pub struct Near {
    /// What a clerk finds it by: its code and source, or its row and file.
    pub name: Said,
    pub metres: f64,
}

/// Looks for a cover of the category near a position that is not of the source.
pub type Nearest<'a> = dyn Fn(CategoryCode, Position<Wgs84>, Option<&OrgCode>) -> Option<Near> + Sync + 'a;

/// The district that is served, ready to be asked for many points.
pub struct Served {
    pub code: DistrictCode,
    outline: MultiPolygon<f64>,
    edges: IntervalTreeMultiPolygon<f64>,
    bounds: Option<Rect<f64>>,
}

impl Served {
    /// A district and its outline in WGS 84, holes turned against outer rings (as
    /// [`outline`](crate::crs::outline::outline) gives it).
    pub fn new(code: DistrictCode, outline: MultiPolygon<f64>) -> Self {
        Self { code, edges: IntervalTreeMultiPolygon::new(&outline), bounds: outline.bounding_rect(), outline }
    }

    /// Whether a position lies in the district or on its edge.
    pub fn covers(&self, at: Position<Wgs84>) -> bool {
        let point = Point::new(at.lon(), at.lat());
        // The fast answer leaves out the edge, which next to no point lies on.
        self.edges.contains(&point) || self.outline.intersects(&point)
    }

    fn meets(&self, outline: &MultiPolygon<f64>) -> bool {
        matches!((self.bounds, outline.bounding_rect()), (Some(own), Some(theirs)) if own.intersects(&theirs))
    }
}

/// What the checks need to know of the registry. The codes that a run brings are added as it goes.
pub struct World<'a> {
    pub district: Option<Served>,
    /// The district that is asked for, which may not be here.
    pub wanted: Option<DistrictCode>,
    pub subdistricts: HashSet<SubdistrictCode>,
    pub communities: HashSet<CommunityCode>,
    pub grids: HashSet<GridCode>,
    pub organizations: HashSet<OrgCode>,
    pub catalog: Catalog,
    /// This year, in which a cover may have been installed last.
    pub year: u16,
    /// What was delivered before and removed here since: what the file said of it then may be said again.
    pub removed_areas: HashSet<u64>,
    pub removed_organizations: HashSet<OrgCode>,
    pub asks: Asks<'a>,
}

/// What is asked of the registry cover by cover.
#[derive(Clone, Copy)]
pub struct Asks<'a> {
    /// The record that holds a code.
    pub holder: &'a (dyn Fn(CoverCode) -> Option<Holder> + Sync),
    /// The nearest registered cover of the category that is not of the source; beyond 1 m it does not matter.
    pub nearest: &'a Nearest<'a>,
    /// Whether the record at hand says something in a column that it did not say before.
    pub takes: &'a (dyn Fn(&str) -> bool + Sync),
}

/// Checks the rows of one run, file after file.
pub struct Checker<'a> {
    pub(super) world: World<'a>,
    pub(super) crs: CrsService,
    pub(super) covers: SeenCovers,
    seen: SeenKeys,
}

impl<'a> Checker<'a> {
    pub fn new(world: World<'a>, crs: CrsService) -> Self {
        Self { world, crs, covers: SeenCovers::default(), seen: SeenKeys::default() }
    }

    /// As [`Checker::new`], remembering each cover's place (60 bytes) so that duplicates between the
    /// run's files are found before they are in the registry, as in a dry run over a folder.
    pub fn remembering(world: World<'a>, crs: CrsService) -> Self {
        Self { covers: SeenCovers::remembering(), ..Self::new(world, crs) }
    }

    /// Begins the next file: codes and external ids may not repeat within one.
    pub fn begin(&mut self, profile: &Profile) {
        self.seen = SeenKeys::default();
        self.covers.begin(profile);
    }

    /// Adds the findings of a row, and takes its draft away if one is an error. What a good row
    /// brings exists for the rows after it.
    pub fn check(&mut self, row: &mut Row, profile: &Profile) {
        let Some(draft) = row.draft.take() else {
            self.perhaps_swapped(row);
            return;
        };
        let mut faults = Faults { at: (row.row, row.line), profile, findings: &mut row.findings };
        match &draft {
            Draft::District(area) => self.district(area, &mut faults),
            Draft::Subdistrict(area) => self.subdistrict(area, &mut faults),
            Draft::Community(area) => self.community(area, &mut faults),
            Draft::Grid(grid) => self.grid(grid, &mut faults),
            Draft::Organization(organization) => self.organization(organization, &mut faults),
            Draft::Person(person) => self.person(person, &mut faults),
            Draft::Category(category) => self.table_line(&category.code.to_string(), &mut faults),
            Draft::Damage(damage) => self.table_line(damage.code.as_str(), &mut faults),
            Draft::Cover(draft) => cover(self, draft, &mut faults),
        }
        if !row.findings.iter().any(Finding::is_error) {
            self.add(&draft);
            row.draft = Some(draft);
        }
    }

    /// What is no position as given may be one in the district with its numbers exchanged.
    fn perhaps_swapped(&self, row: &mut Row) {
        let Some(original) = row.misplaced else { return };
        if self.inside(self.crs.to_wgs84(original.crs, original.north, original.east).ok()) {
            for finding in row.findings.iter_mut().filter(|finding| finding.code == FindingCode::PositionInvalid) {
                finding.code = FindingCode::AxesSwapped;
                finding.detail = exchanged();
            }
        }
    }

    /// What is missing before a row can be placed: which district, and what says that it is that one.
    pub(super) fn no_district(&self, profile: &Profile) -> Said {
        match (self.world.wanted, &profile.source) {
            (Some(code), Some(source)) if source.district() == code => say!(
                "district {code} of the source {source} is not here yet: import its outline first, or correct the source",
                "数据来源 {source} 所属的行政区 {code} 尚未导入：请先导入它的边界，或更正数据来源"
            ),
            (Some(code), _) => {
                say!(
                    "there is no district {code} yet: import its outline first",
                    "还没有行政区 {code}：请先导入它的边界"
                )
            }
            (None, _) => say!("there is no district yet: import its outline first", "还没有行政区：请先导入它的边界"),
        }
    }

    pub(super) fn inside(&self, at: Option<Position<Wgs84>>) -> bool {
        matches!((&self.world.district, at), (Some(district), Some(at)) if district.covers(at))
    }

    fn add(&mut self, draft: &Draft) {
        match draft {
            Draft::District(area) => self.world.district = Some(Served::new(area.code, area.outline.clone())),
            Draft::Subdistrict(area) => drop(self.world.subdistricts.insert(area.code)),
            Draft::Community(area) => drop(self.world.communities.insert(area.code)),
            Draft::Grid(grid) => drop(self.world.grids.insert(grid.area.code)),
            Draft::Organization(organization) => drop(self.world.organizations.insert(organization.code.clone())),
            Draft::Category(category) => drop(self.world.catalog.categories.insert(category.code, category.clone())),
            Draft::Person(_) | Draft::Damage(_) | Draft::Cover(_) => {}
        }
    }

    fn table_line(&mut self, code: &str, faults: &mut Faults<'_>) {
        self.seen.text(code, Field::Code, faults);
        if self.world.district.is_none() {
            faults.add(FindingCode::ParentMissing, Field::Code, self.no_district(faults.profile));
        }
    }

    fn district(&mut self, area: &AreaDraft<DistrictCode>, faults: &mut Faults<'_>) {
        if let Some(served) = &self.world.district
            && served.code != area.code
        {
            faults.add(FindingCode::CodeInvalid, Field::Code, not_served(area.code));
        }
        self.seen.code(area.code.number(), Field::Code, faults);
    }

    fn subdistrict(&mut self, area: &AreaDraft<SubdistrictCode>, faults: &mut Faults<'_>) {
        self.seen.code(area.code.number(), Field::Code, faults);
        self.in_district(area.code.district(), Some(&area.outline), Field::Code, faults);
    }

    fn community(&mut self, area: &AreaDraft<CommunityCode>, faults: &mut Faults<'_>) {
        self.seen.code(area.code.number(), Field::Code, faults);
        self.in_district(area.code.district(), Some(&area.outline), Field::Code, faults);
        let parent = SubdistrictCode::of(area.code);
        let known = self.world.subdistricts.contains(&parent) || self.was_removed(parent.number());
        let missing = || say!("sub-district {parent} does not exist", "街道 {parent} 不存在");
        faults.parent(known, Field::Code, missing);
    }

    fn grid(&mut self, grid: &GridDraft, faults: &mut Faults<'_>) {
        self.seen.code(grid.area.code.number(), Field::Code, faults);
        self.in_district(grid.area.code.district(), Some(&grid.area.outline), Field::Code, faults);
        let parent = CommunityCode::of(grid.area.code);
        let known = self.world.communities.contains(&parent) || self.was_removed(parent.number());
        let missing = || say!("community {parent} does not exist", "社区 {parent} 不存在");
        faults.parent(known, Field::Code, missing);
        self.is_or_was(grid.supervising_department.as_ref(), Field::SupervisingDepartment, faults);
    }

    fn organization(&mut self, organization: &OrganizationDraft, faults: &mut Faults<'_>) {
        self.seen.text(organization.code.as_str(), Field::Code, faults);
        self.in_district(organization.code.district(), None, Field::Code, faults);
    }

    fn person(&mut self, person: &PersonDraft, faults: &mut Faults<'_>) {
        // The same person has many rows; the same duty for the same area is one too many.
        let key = format!("{}\u{1F}{}\u{1F}{}", person.external_id, person.duty.as_str(), person.area);
        self.seen.text(&key, Field::ExternalId, faults);
        self.is_or_was(person.organization.as_ref(), Field::Organization, faults);
        let (world, area) = (&self.world, &person.area);
        let exists = self.was_removed(area.number())
            || match area {
                AreaCode::Subdistrict(code) => world.subdistricts.contains(code),
                AreaCode::Community(code) => world.communities.contains(code),
                AreaCode::Grid(code) => world.grids.contains(code),
            };
        faults.parent(exists, Field::Area, || match area {
            AreaCode::Subdistrict(code) => say!("sub-district {code} does not exist", "街道 {code} 不存在"),
            AreaCode::Community(code) => say!("community {code} does not exist", "社区 {code} 不存在"),
            AreaCode::Grid(code) => say!("grid {code} does not exist", "责任网格 {code} 不存在"),
        });
    }

    /// Whether an area was delivered before and removed here since. Whether it is needed is asked when the row is compared.
    fn was_removed(&self, area: u64) -> bool {
        self.world.removed_areas.contains(&area)
    }

    fn is_or_was(&self, organization: Option<&OrgCode>, field: Field, faults: &mut Faults<'_>) {
        self.exists(organization.filter(|code| !self.world.removed_organizations.contains(*code)), field, faults);
    }

    /// Whether it is an organisation of the registry or of a file before, or was one.
    pub(super) fn knows(&self, organization: &OrgCode) -> bool {
        self.world.organizations.contains(organization) || self.world.removed_organizations.contains(organization)
    }

    pub(super) fn exists(&self, organization: Option<&OrgCode>, field: Field, faults: &mut Faults<'_>) {
        if let Some(code) = organization {
            let missing = || say!("organization {code} does not exist", "单位 {code} 不存在");
            faults.parent(self.world.organizations.contains(code), field, missing);
        }
    }

    pub(super) fn in_district(
        &self,
        code: DistrictCode,
        outline: Option<&MultiPolygon<f64>>,
        field: Field,
        faults: &mut Faults<'_>,
    ) {
        match &self.world.district {
            None => faults.parent(false, field, || say!("district {code} does not exist", "行政区 {code} 不存在")),
            Some(served) if served.code != code => faults.add(FindingCode::CodeInvalid, field, not_served(code)),
            Some(served) if outline.is_some_and(|outline| !served.meets(outline)) => {
                let detail = say!(
                    "the outline lies nowhere near the district: is the coordinate system right?",
                    "边界不在本行政区附近：坐标系是否正确？"
                );
                faults.add(FindingCode::OutsideDistrict, field, detail);
            }
            Some(_) => {}
        }
    }
}

/// What is said of swapped axes.
pub(super) fn exchanged() -> Said {
    say!("inside the district if the two numbers are exchanged", "两个数对调后就在本行政区内")
}

fn not_served(code: DistrictCode) -> Said {
    say!("district {code} is not served here", "本系统不服务行政区 {code}")
}

/// Where the findings of a row go.
pub(super) struct Faults<'r> {
    pub(super) at: (u64, u64),
    pub(super) profile: &'r Profile,
    pub(super) findings: &'r mut Vec<Finding>,
}

impl Faults<'_> {
    pub(super) fn add(&mut self, code: FindingCode, field: Field, detail: impl Into<Said>) {
        let label = self.profile.label(field);
        self.findings.push(Finding::new(self.at, code, Some(label), detail));
    }

    pub(super) fn parent(&mut self, exists: bool, field: Field, missing: impl FnOnce() -> Said) {
        if !exists {
            self.add(FindingCode::ParentMissing, field, missing());
        }
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
