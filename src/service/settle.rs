//! From a report's place to who must act on what: joins the index to the rules of responsibility.

use super::error::{At, Result, ServiceError};
use crate::domain::catalog::DamageCode;
use crate::domain::cover::Place as CoverPlace;
use crate::domain::id::{CoverCode, CoverId, DistrictCode, GridCode};
use crate::domain::order::{Responsibility, Subject};
use crate::domain::report::{NewReport, Place};
use crate::domain::resolve::{Match, Pin};
use crate::domain::responsibility::{Known, responsible};
use crate::domain::said::say;
use crate::index::{Candidate, CoverView, Index, Resolution};

/// A pin and a cover's plate must speak of the same place.
pub(super) const PLATE_REACH_M: f64 = 200.0;

/// Where a report belongs.
#[derive(Debug, Clone)]
pub(super) struct Settled {
    pub(super) responsibility: Responsibility,
    pub(super) matched: Match,
    /// Named where the pin did not decide.
    pub(super) candidates: Vec<Candidate>,
    /// The state of the registry that this was resolved at.
    pub(super) registry_seq: u64,
}

/// What an order needs to know of a cover.
pub(super) fn subject(cover: &CoverView) -> Subject {
    Subject {
        id: cover.id,
        code: cover.code,
        owner: cover.owner.as_ref().map(|owner| owner.code.clone()),
        in_carriageway: cover.spec.place == Some(CoverPlace::Carriageway),
    }
}

/// The subject of a stored order, if the cover is still known.
pub(super) fn subject_by_id(index: &Index, cover: Option<CoverId>) -> Option<Subject> {
    cover.and_then(|id| index.cover_by_id(id)).map(|view| subject(&view))
}

/// Who is responsible for a cover; `here` is the grid for one that lies in none.
pub(super) fn responsibility(cover: &CoverView, damage: &DamageCode, here: GridCode) -> Responsibility {
    let grid = cover.grid.as_ref().map_or(here, |grid| grid.code);
    let known = Known::Cover {
        category: cover.code.category(),
        owner: cover.owner.as_ref().map(|owner| &owner.code),
        responsible_unit: cover.responsible_unit.as_ref().map(|unit| &unit.code),
    };
    let assignee = responsible(known, is_missing(damage), grid);
    Responsibility { cover: Some(subject(cover)), assignee, grid, position: cover.position }
}

fn is_missing(damage: &DamageCode) -> bool {
    damage.as_str() == "missing"
}

/// The cover with this code, as far as a report may name it.
pub(super) fn named_cover(index: &Index, code: CoverCode) -> Result<CoverView> {
    index.cover(code).filter(|cover| cover.status != crate::domain::cover::Status::Removed).ok_or_else(|| {
        ServiceError::invalid("/cover", say!("cover {code} is not in the registry", "登记库中没有井盖 {code}"))
    })
}

/// The district that a report belongs to, before anything is decided.
pub(super) fn district_of(index: &Index, place: &Place) -> Result<DistrictCode> {
    match (place.cover(), place.pin()) {
        // Whether the cover is there is decided with the report: who asks again gets the first
        // answer even when the cover has gone since.
        (Some(code), _) if index.serves(code.district()) => Ok(code.district()),
        (Some(code), _) => named_cover(index, code).map(|_| code.district()),
        // Near a border the pin may mean a cover of the neighbour's.
        (None, Some(pin)) => resolve(index, &pin).map(|found| grid_of(&found, place).district()),
        (None, None) => Err(no_place()),
    }
}

/// The grid that must act: that of the cover, if the pin means one.
fn grid_of(found: &Resolution, place: &Place) -> GridCode {
    let of_cover = matched(found, place).and_then(|first| first.cover.grid.as_ref()).map(|grid| grid.code);
    of_cover.unwrap_or(found.grid.grid.code)
}

/// The cover that the pin means, unless the reporter says that it is none of those.
fn matched<'a>(found: &'a Resolution, place: &Place) -> Option<&'a Candidate> {
    let means_one = found.matched == Match::Matched && !matches!(place, Place::Unregistered(_));
    found.candidates.first().filter(|_| means_one)
}

fn resolve(index: &Index, pin: &Pin) -> Result<Resolution> {
    index.resolve(pin).map_err(|_| ServiceError::OutsideServiceArea(At::Pointer("/position".to_owned())))
}

/// Settles where a report belongs and who must act.
pub(super) fn settle(index: &Index, report: &NewReport) -> Result<Settled> {
    match (report.place.cover(), report.place.pin()) {
        (Some(code), pin) => settle_on_cover(index, report, &named_cover(index, code)?, pin),
        (None, Some(pin)) => settle_on_pin(index, report, &pin),
        (None, None) => Err(no_place()),
    }
}

fn settle_on_cover(index: &Index, report: &NewReport, cover: &CoverView, pin: Option<Pin>) -> Result<Settled> {
    if let Some(pin) = pin {
        let distance = pin.position().distance_m(cover.position);
        if distance > PLATE_REACH_M {
            let code = cover.code;
            let detail = say!(
                "cover {code} is {distance:.0} m away from the position (at most 200)",
                "井盖 {code} 距该位置 {distance:.0} 米（最多 200 米）"
            );
            return Err(ServiceError::invalid("/cover", detail));
        }
    }
    let here = match &cover.grid {
        Some(grid) => grid.code,
        None => index.grid_at(cover.position).map_err(|_| no_grid(index, cover))?.grid.code,
    };
    let responsibility = responsibility(cover, &report.damage, here);
    Ok(Settled::new(index, responsibility, Match::Matched, Vec::new()))
}

fn no_grid(index: &Index, cover: &CoverView) -> ServiceError {
    let code = cover.code;
    let detail = match index.district_around(cover.position) {
        Some(around) => say!(
            "cover {code} lies in no grid: district {around} has none",
            "井盖 {code} 不在任何网格内：行政区 {around} 没有网格"
        ),
        None => {
            say!("cover {code} lies outside every district served here", "井盖 {code} 不在本系统服务的任何行政区内")
        }
    };
    ServiceError::invalid("/cover", detail)
}

/// A report that says no place.
pub fn no_place() -> ServiceError {
    ServiceError::invalid("/position", say!("position or cover is needed", "需要 position 或 cover"))
}

fn settle_on_pin(index: &Index, report: &NewReport, pin: &Pin) -> Result<Settled> {
    let found = resolve(index, pin)?;
    let grid = grid_of(&found, &report.place);
    if let Some(first) = matched(&found, &report.place) {
        let responsibility = responsibility(&first.cover, &report.damage, grid);
        return Ok(Settled::new(index, responsibility, Match::Matched, Vec::new()));
    }
    let (known, how) = match (&report.place, found.matched) {
        (Place::Unregistered(_), _) => (Known::Unregistered, Match::Unregistered),
        (_, Match::Ambiguous) => (Known::Ambiguous, Match::Ambiguous),
        (_, how) => (Known::Unregistered, how),
    };
    let assignee = responsible(known, is_missing(&report.damage), grid);
    let responsibility = Responsibility { cover: None, assignee, grid, position: pin.position() };
    Ok(Settled::new(index, responsibility, how, found.candidates))
}

impl Settled {
    fn new(index: &Index, responsibility: Responsibility, matched: Match, candidates: Vec<Candidate>) -> Self {
        let registry_seq = index.registry_seq(responsibility.grid.district()).unwrap_or(0);
        Self { responsibility, matched, candidates, registry_seq }
    }
}
