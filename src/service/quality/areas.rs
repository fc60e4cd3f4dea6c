//! What may be wrong with areas, and with who stands for them.

use std::collections::{BTreeMap, HashMap, HashSet};

use std::sync::Arc;

use geo::{Coord, LineString, MultiPolygon, Polygon};

use super::gaps::{Closed, closed};
use super::{Finding, Mend, Place, Redrawn, Subject};
use crate::domain::grid::{Duty, DutyKind};
use crate::domain::id::{DistrictCode, GridCode, PersonId};
use crate::domain::partition;
use crate::domain::position::Position;
use crate::domain::quality::Rule;
use crate::domain::said::{Said, say};
use crate::domain::seams::{Seams, seams};
use crate::index::{AreaLevel, GridInfo, Index, Outline};

/// The areas of a district as the index has them.
#[derive(Debug)]
pub(super) struct Outlines {
    district: MultiPolygon<f64>,
    pub(super) communities: Vec<CommunityOutline>,
    pub(super) grids: Vec<GridOutline>,
    /// The codes of all its areas.
    codes: HashSet<String>,
}

#[derive(Debug)]
pub(super) struct CommunityOutline {
    pub(super) code: u64,
    pub(super) name: String,
    pub(super) outline: MultiPolygon<f64>,
}

#[derive(Debug)]
pub(super) struct GridOutline {
    pub(super) code: u64,
    pub(super) outline: MultiPolygon<f64>,
    /// Longitude and latitude inside it.
    label: (f64, f64),
    info: Option<Arc<GridInfo>>,
}

impl GridOutline {
    fn place(&self) -> Option<Place> {
        Position::new(self.label.0, self.label.1).ok().map(Place::At)
    }

    /// The grid with another outline, as an edit that mends has it.
    pub(super) fn redrawn(&self, outline: MultiPolygon<f64>) -> Option<Redrawn> {
        let info = self.info.as_ref()?;
        Some(Redrawn {
            code: Some((info.code, info.version)),
            name: info.name.clone(),
            supervising_department: info.supervising_department.as_ref().map(|unit| unit.code.clone()),
            outline,
        })
    }
}

/// Takes them out of the index.
pub(super) fn outlines(index: &Index, district: DistrictCode) -> Outlines {
    let mut found = Outlines {
        district: MultiPolygon::new(Vec::new()),
        communities: Vec::new(),
        grids: Vec::new(),
        codes: HashSet::new(),
    };
    for level in [AreaLevel::District, AreaLevel::Subdistrict, AreaLevel::Community, AreaLevel::Grid] {
        index.outlines_of(district, level, |area| {
            match level {
                AreaLevel::District => found.district = polygons(&area),
                AreaLevel::Grid => {
                    let (outline, label) = (polygons(&area), area.label());
                    let info = GridCode::from_number(area.code).and_then(|code| index.grid(code));
                    found.grids.push(GridOutline { code: area.code, outline, label, info });
                }
                AreaLevel::Community => {
                    let (code, name) = (area.code, area.name.to_owned());
                    found.communities.push(CommunityOutline { code, name, outline: polygons(&area) });
                }
                AreaLevel::Subdistrict => {}
            }
            found.codes.insert(area.code.to_string());
        });
    }
    found
}

fn polygons(area: &Outline<'_>) -> MultiPolygon<f64> {
    let mut polygons: Vec<Polygon<f64>> = Vec::new();
    for (hole, ring) in area.rings() {
        let ring = LineString::new(ring.map(|(x, y)| Coord { x, y }).collect());
        match polygons.last_mut().filter(|_| hole) {
            Some(around) => around.interiors_push(ring),
            None => polygons.push(Polygon::new(ring, Vec::new())),
        }
    }
    MultiPolygon::new(polygons)
}

/// Whether the grids share out the district.
pub(super) fn check_outlines(district: DistrictCode, outlines: &Outlines) -> Vec<Finding> {
    let grids: Vec<MultiPolygon<f64>> = outlines.grids.iter().map(|grid| grid.outline.clone()).collect();
    let Seams { overlaps, gaps } = seams(&outlines.district, &grids);
    let mut found = Vec::with_capacity(overlaps.len() + gaps.len());
    for (a, b, ground) in overlaps {
        let subjects = [a, b].map(|k| Subject::Grid(outlines.grids[k].code)).to_vec();
        let size = ground.square_metres;
        let detail = say!("{size:.1} m² of ground are in both grids", "{size:.1} 平方米的地同时属于两个网格");
        // The one with the lower code has it now, where a pin lies in both.
        let (keeps, gives) = if outlines.grids[a].code < outlines.grids[b].code { (a, b) } else { (b, a) };
        let [gives, keeps] = [gives, keeps].map(|k| &outlines.grids[k]);
        let rest = partition::exchange(&gives.outline, &[&keeps.outline], &[]);
        // One that would be left with nothing is for others to remove.
        let mend = rest.filter(|rest| !rest.0.is_empty()).and_then(|rest| gives.redrawn(rest));
        let mend = mend.map(|grid| Mend::Redraw(vec![grid]));
        let place = Some(Place::Ground(ground.outline));
        found.push(Finding::new(Rule::GridsOverlap, subjects, place, detail).mended_by(mend));
    }
    for ground in gaps {
        let size = ground.square_metres;
        let mut detail = say!("{size:.1} m² of the district are in no grid", "区内 {size:.1} 平方米的地不属于任何网格");
        // A district may have several gaps: each goes by its south-western corner, to a metre.
        let corner = geo::BoundingRect::bounding_rect(&ground.outline).map(geo::Rect::min).unwrap_or_default();
        let Closed { grids, notes } = closed(outlines, &ground.outline);
        for note in notes {
            detail = say!("{detail}; {note}", "{detail}；{note}", detail = detail, note = note);
        }
        let mend = (!grids.is_empty()).then_some(Mend::Redraw(grids));
        let place = Some(Place::Ground(ground.outline));
        let mut finding = Finding::new(Rule::GridsGap, vec![Subject::District(district)], place, detail);
        finding.id = finding.identity(&format!("{:.5},{:.5}", corner.x, corner.y));
        found.push(finding.mended_by(mend));
    }
    found
}

impl Outlines {
    /// Where a grid is.
    pub(super) fn place_of(&self, code: u64) -> Option<Place> {
        self.grids.iter().find(|grid| grid.code == code)?.place()
    }
}

/// Whether each grid has a leader, and each person an area. `idle`: people without any duty, with their units.
pub(super) fn check_people(
    district: DistrictCode,
    outlines: &Outlines,
    duties: &[Duty],
    idle: &[(PersonId, String)],
) -> Vec<Finding> {
    let led: HashSet<&str> =
        duties.iter().filter(|duty| duty.kind == DutyKind::GridLeader).map(|duty| &*duty.area).collect();
    let mut found = Vec::new();
    for grid in &outlines.grids {
        if led.contains(&*grid.code.to_string()) {
            continue;
        }
        let detail = say!("no grid leader (网格长) stands for it", "没有网格长负责");
        found.push(Finding::new(Rule::GridWithoutLeader, vec![Subject::Grid(grid.code)], grid.place(), detail));
    }
    let mut lost: BTreeMap<String, &str> = BTreeMap::new();
    let mut placed: HashMap<PersonId, bool> = HashMap::new();
    for duty in duties {
        *placed.entry(duty.person).or_default() |= outlines.codes.contains(&duty.area);
    }
    for duty in duties.iter().filter(|duty| placed.get(&duty.person) == Some(&false)) {
        lost.insert(duty.person.to_string(), &duty.area);
    }
    let nowhere = |person: String, detail: Said| {
        Finding::new(Rule::PersonWithoutArea, vec![Subject::Person(person)], None, detail)
    };
    found.extend(lost.into_iter().map(|(person, area)| {
        let detail =
            say!("has duties for areas that are no more, {area} the last", "所负责的区域都已不存在，最后一个是 {area}");
        nowhere(person, detail)
    }));
    let prefix = district.to_string();
    let here = idle.iter().filter(|(_, unit)| unit.starts_with(&prefix));
    found.extend(here.map(|(person, unit)| {
        let detail = say!("of {unit}, has no duty in any area", "属于 {unit}，在任何区域都没有职责");
        nowhere(person.to_string(), detail)
    }));
    found
}
