//! From a report's place to who must act on what: joins the index to the rules of responsibility.

use super::error::{At, Result, ServiceError};
use crate::domain::catalog::DamageCode;
use crate::domain::cover::Place as CoverPlace;
use crate::domain::id::{CoverCode, CoverId, DistrictCode, GridCode};
use crate::domain::order::{Responsibility, Subject};
use crate::domain::position::{Position, Wgs84};
use crate::domain::report::{NewReport, Place};
use crate::domain::resolve::{Match, Pin};
use crate::domain::responsibility::{Known, responsible};
use crate::index::{Candidate, CoverView, Index, Resolution};

/// A pin and a cover's plate must speak of the same place.
const PLATE_REACH_M: f64 = 200.0;

/// Where a report belongs.
#[derive(Debug, Clone)]
pub(super) struct Settled {
    pub(super) position: Position<Wgs84>,
    pub(super) grid: GridCode,
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

/// Who is responsible for a cover.
pub(super) fn responsibility(cover: &CoverView, damage: &DamageCode, grid: GridCode) -> Responsibility {
    let known = Known::Cover {
        category: cover.code.category(),
        owner: cover.owner.as_ref().map(|owner| &owner.code),
        responsible_unit: cover.responsible_unit.as_ref().map(|unit| &unit.code),
    };
    Responsibility { cover: Some(subject(cover)), assignee: responsible(known, is_missing(damage), grid) }
}

fn is_missing(damage: &DamageCode) -> bool {
    damage.as_str() == "missing"
}

/// The cover with this code, as far as a report may name it.
pub(super) fn named_cover(index: &Index, code: CoverCode) -> Result<CoverView> {
    index
        .cover(code)
        .filter(|cover| cover.status != crate::domain::cover::Status::Removed)
        .ok_or_else(|| ServiceError::invalid("/cover", format!("cover {code} is not in the registry")))
}

/// The district that a report belongs to, before anything is decided.
pub(super) fn district_of(index: &Index, place: &Place) -> Result<DistrictCode> {
    match (place.cover(), place.pin()) {
        // Whether the cover is there is decided with the report: who asks again gets the first
        // answer even when the cover has gone since.
        (Some(code), _) if index.serves(code.district()) => Ok(code.district()),
        (Some(code), _) => named_cover(index, code).map(|_| code.district()),
        (None, Some(pin)) => resolve(index, &pin).map(|found| found.registry_version.0),
        (None, None) => Err(ServiceError::invalid("/position", "position or cover is needed")),
    }
}

fn resolve(index: &Index, pin: &Pin) -> Result<Resolution> {
    index.resolve(pin).map_err(|_| ServiceError::OutsideServiceArea(At::Pointer("/position".to_owned())))
}

/// Settles where a report belongs and who must act.
pub(super) fn settle(index: &Index, report: &NewReport) -> Result<Settled> {
    match (report.place.cover(), report.place.pin()) {
        (Some(code), pin) => settle_on_cover(index, report, &named_cover(index, code)?, pin),
        (None, Some(pin)) => settle_on_pin(index, report, &pin),
        (None, None) => Err(ServiceError::invalid("/position", "position or cover is needed")),
    }
}

fn settle_on_cover(index: &Index, report: &NewReport, cover: &CoverView, pin: Option<Pin>) -> Result<Settled> {
    if let Some(pin) = pin {
        let distance = pin.position().distance_m(cover.position);
        if distance > PLATE_REACH_M {
            let detail = format!("cover {} is {distance:.0} m away from the position (at most 200)", cover.code);
            return Err(ServiceError::invalid("/cover", detail));
        }
    }
    let here = resolve(index, &Pin::at(cover.position))?;
    let grid = cover.grid.as_ref().map_or(here.grid.grid.code, |grid| grid.code);
    Ok(Settled {
        position: cover.position,
        grid,
        responsibility: responsibility(cover, &report.damage, grid),
        matched: Match::Matched,
        candidates: Vec::new(),
        registry_seq: here.registry_version.1,
    })
}

fn settle_on_pin(index: &Index, report: &NewReport, pin: &Pin) -> Result<Settled> {
    let found = resolve(index, pin)?;
    let grid = found.grid.grid.code;
    let registry_seq = found.registry_version.1;
    if found.matched == Match::Matched
        && let Some(first) = found.candidates.first()
    {
        let grid = first.cover.grid.as_ref().map_or(grid, |grid| grid.code);
        return Ok(Settled {
            position: first.cover.position,
            grid,
            responsibility: responsibility(&first.cover, &report.damage, grid),
            matched: Match::Matched,
            candidates: Vec::new(),
            registry_seq,
        });
    }
    let known = if found.matched == Match::Ambiguous { Known::Ambiguous } else { Known::Unregistered };
    let assignee = responsible(known, is_missing(&report.damage), grid);
    Ok(Settled {
        position: pin.position(),
        grid,
        responsibility: Responsibility { cover: None, assignee },
        matched: found.matched,
        candidates: found.candidates,
        registry_seq,
    })
}
