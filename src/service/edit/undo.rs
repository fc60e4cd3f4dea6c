//! Taking back the last change of something whose history is kept: what was before it becomes the present again.

use std::collections::HashSet;

use super::areas::sound;
use super::ground::Plan;
use crate::domain::id::DistrictCode;
use crate::domain::said::{Said, say};
use crate::service::Context;
use crate::service::error::{Result, ServiceError};
use crate::service::import::undo::named;
use crate::store::areas::{self, Area, AreaState, Level};
use crate::store::{Conn, Result as StoreResult, events, people};

/// Where a change stands among the states of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastChange {
    /// The event that made it.
    pub(super) seq: i64,
    /// The number that the history gives it.
    pub(super) version: i64,
}

impl LastChange {
    /// The last change that states tell of: each its version, the event it is from, and the one that ended it.
    pub(super) fn of(states: impl Iterator<Item = (i64, i64, Option<i64>)>) -> Option<Self> {
        states.last().map(|(version, seq_from, seq_to)| match seq_to {
            None => Self { seq: seq_from, version },
            // A removal counts as a version.
            Some(seq) => Self { seq, version: version + 1 },
        })
    }

    /// Whether `version` is this change; earlier ones have others standing on them.
    pub(super) fn is(self, version: i64, what: Said) -> Result<()> {
        if version == self.version {
            Ok(())
        } else if (1..self.version).contains(&version) {
            let last = self.version;
            Err(ServiceError::Conflict(say!(
                "later changes stand on version {version}: the last one is {last}",
                "版本 {version} 之后还有改动：最后的版本是 {last}"
            )))
        } else {
            Err(ServiceError::NotFound(say!("version {version} of {what}", "{what} 的版本 {version}", what = what)))
        }
    }
}

/// What takes a change of areas back: of all that were changed in one call, for the ground is shared among them.
pub(super) async fn areas(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    code: u64,
    version: i64,
) -> StoreResult<Result<Plan>> {
    let states = areas::states(conn, district, code).await?;
    let Some(last) = last_of(&states) else {
        return Ok(Err(ServiceError::NotFound(say!("area {code}", "区域 {code}"))));
    };
    if let Err(refused) = last.is(version, say!("area {code}", "区域 {code}")) {
        return Ok(Err(refused));
    }
    let event = events::numbered(conn, district, &[last.seq]).await?.pop();
    if let Some(import) = event.filter(|event| event.kind.starts_with("import.")).map(|event| event.subject) {
        let detail = say!(
            "import {import} made this change: POST /v1/imports/{import}/undo takes it back as a whole",
            "此改动由导入 {import} 产生：POST /v1/imports/{import}/undo 可整批撤销"
        );
        return Ok(Err(ServiceError::Conflict(detail)));
    }
    let (plan, changed) = plan_of(conn, district, last.seq).await?;
    if let Some(code) = changed.first() {
        let detail = say!(
            "area {code} was changed in the same call, and again since",
            "区域 {code} 在同一次请求中改动，此后又有改动"
        );
        return Ok(Err(ServiceError::Conflict(detail)));
    }
    if let Some(held) = held(conn, district, &plan).await? {
        let detail = say!(
            "people stand for areas that this would remove: {held}: give their duties to others first",
            "撤销后将移除的区域有人员负责：{held}，请先将职责转给他人"
        );
        return Ok(Err(ServiceError::Conflict(detail)));
    }
    still_sound(context, conn, district, plan).await
}

/// Areas that are to be no more though people stand for them, by code: their duties would lead nowhere.
pub(in crate::service) async fn held(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    plan: &Plan,
) -> StoreResult<Option<String>> {
    let gone: HashSet<String> = plan.remove.iter().map(|area| area.code.to_string()).collect();
    let duties = people::duties(conn, district).await?.into_iter();
    let held: Vec<String> = duties.map(|duty| duty.area).filter(|area| gone.contains(area)).collect();
    Ok((!held.is_empty()).then(|| named(held)))
}

/// What takes a change back that an event made, and the areas that have been changed again since.
pub(in crate::service) async fn plan_of(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    seq: i64,
) -> StoreResult<(Plan, Vec<u64>)> {
    let (mut plan, mut changed) = (Plan::default(), Vec::new());
    for code in areas::changed_by(conn, district, seq).await? {
        let states = areas::states(conn, district, code).await?;
        if last_of(&states).is_none_or(|own| own.seq != seq) {
            changed.push(code);
            continue;
        }
        let before = states.iter().find(|state| state.seq_to == Some(seq)).map(|state| state.area.clone());
        let present = states.into_iter().find(|state| state.seq_to.is_none()).map(|state| state.area);
        match (before, present) {
            (Some(before), present) => {
                let gone = before.version + 2;
                let version = present.as_ref().map_or(gone, |present| present.version + 1);
                plan.put.push((present, Area { version, ..before }));
            }
            (None, Some(present)) => plan.remove.push(present),
            (None, None) => {}
        }
    }
    Ok((plan, changed))
}

fn last_of(states: &[AreaState]) -> Option<LastChange> {
    LastChange::of(states.iter().map(|state| (state.area.version, state.seq_from, state.seq_to)))
}

/// What was right then may be wrong now: a department that is gone, areas within one that is to go.
pub(in crate::service) async fn still_sound(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    plan: Plan,
) -> StoreResult<Result<Plan>> {
    for (_, area) in &plan.put {
        if let Err(refused) = sound(context, conn, district, area, "").await? {
            return Ok(Err(refused));
        }
    }
    for area in &plan.remove {
        if let Some(below) = Level::of(area.code).below()
            && !areas::list(conn, district, None, below.within(area.code), 0, 1).await?.is_empty()
        {
            let code = area.code;
            let detail = say!("{code} is not empty: areas have come to lie within it", "{code} 之内已有其他区域");
            return Ok(Err(ServiceError::Conflict(detail)));
        }
    }
    Ok(Ok(plan))
}
