//! Edits of covers.

use std::sync::Arc;

use super::moved::merged_orders;
use super::undo::LastChange;
use super::{Asking, Begun, Change, Open, check, hold};
use crate::domain::actor::{self, Action, Actor, Resource};
use crate::domain::catalog::CategoryCode;
use crate::domain::cover::{Cover, CoverDraft, Status};
use crate::domain::id::{CoverCode, CoverId, DistrictCode, GridCode, OrgCode};
use crate::domain::order::Order;
use crate::domain::said::{Said, say};
use crate::index::CoverView;
use crate::service::command::{Answer, Precondition, Render};
use crate::service::error::{At, Fault, Result, ServiceError};
use crate::service::{Context, Guli, load};
use crate::store::cover_history::{self, CoverState};
use crate::store::events::{self, Event};
use crate::store::{Conn, Result as StoreResult, covers};

/// Says what a cover is to be, from what it is; asked again when the edit is tried again.
#[derive(Clone)]
pub struct Redraft(pub Arc<dyn Redrafting>);

/// A function from what a cover is to what it is to be.
pub trait Redrafting: Fn(&Cover) -> Result<CoverDraft> + Send + Sync {}

impl<F: Fn(&Cover) -> Result<CoverDraft> + Send + Sync> Redrafting for F {}

impl std::fmt::Debug for Redraft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redraft")
    }
}

/// The source of covers that were entered here, which no file brought.
pub const ENTERED: &str = "registry";

/// What is to be done to a cover.
#[derive(Debug, Clone)]
pub enum CoverEdit {
    /// With the code given, or the next one of its category.
    Create {
        district: DistrictCode,
        code: Option<CoverCode>,
        draft: Box<CoverDraft>,
    },
    Change {
        code: CoverCode,
        precondition: Precondition,
        redraft: Redraft,
    },
    Remove {
        code: CoverCode,
        precondition: Precondition,
    },
    /// Removes a second record of the cover `into`, to which its code leads from then on; its open orders are that one's.
    Merge {
        code: CoverCode,
        precondition: Precondition,
        into: CoverCode,
    },
    /// Makes the state before this version the present again; only the last change can be undone.
    Undo {
        code: CoverCode,
        version: i64,
    },
}

impl CoverEdit {
    const fn district(&self) -> DistrictCode {
        match self {
            Self::Create { district, .. } => *district,
            Self::Change { code, .. }
            | Self::Remove { code, .. }
            | Self::Merge { code, .. }
            | Self::Undo { code, .. } => code.district(),
        }
    }
}

impl Guli {
    /// The district that a position lies in, which a new cover there belongs to.
    pub fn district_at(&self, draft: &CoverDraft) -> Result<DistrictCode> {
        grid_at(&self.context, draft).map(GridCode::district)
    }

    /// Has an edit decided and committed.
    pub async fn edit_cover(&self, edit: CoverEdit, asking: Asking, render: Render<CoverView>) -> Answer {
        let district = edit.district();
        if let Err(refused) = self.serves(district) {
            return Answer::Refused(refused);
        }
        let (context, shown) = (Arc::clone(&self.context), Arc::clone(&self.context));
        let done = self.writer.alone(
            district,
            move |conn| Box::pin(async move { run(&context, &mut conn.conn(), edit, &asking, &render).await }),
            move |(answer, changed)| {
                if let Some(changed) = changed {
                    changed.show(&shown);
                }
                answer
            },
        );
        done.await.unwrap_or_else(|error| Answer::Refused(error.into()))
    }
}

/// What memory is to show of an edit.
struct Changed {
    state: CoverState,
    orders: Vec<Order>,
}

impl Changed {
    fn show(self, context: &Context) {
        let CoverState { cover, seq, .. } = self.state;
        let district = cover.code.district();
        if let Err(error) = context.index.put_cover(cover) {
            tracing::error!(%error, "a stored cover cannot be held in memory");
        }
        self.orders.iter().for_each(|order| load::show(context, order));
        context.registry_came_to(district, seq, seq);
        if let Ok(orders @ 1..) = i64::try_from(self.orders.len()) {
            context.came_to(district, seq + 1, seq + orders);
        }
    }
}

async fn run(
    context: &Context,
    conn: &mut Conn<'_>,
    edit: CoverEdit,
    asking: &Asking,
    render: &Render<CoverView>,
) -> StoreResult<(Answer, Option<Changed>)> {
    let open = match Open::begin(context, conn, edit.district(), asking).await? {
        Begun::Answered(answer) => return Ok((answer, None)),
        Begun::Open(open) => open,
    };
    let is_undo = matches!(edit, CoverEdit::Undo { .. });
    let merge = match &edit {
        CoverEdit::Merge { code, into, .. } => Some((*code, *into)),
        _ => None,
    };
    let decided = match decide(context, conn, asking, edit).await? {
        Ok(decided) => decided,
        Err(refused) => return Ok((Answer::Refused(refused), None)),
    };
    let into = match merge {
        Some((code, into)) => match kept(context, code, into) {
            Ok(kept) => Some(kept),
            Err(refused) => return Ok((Answer::Refused(refused), None)),
        },
        None if is_undo => merged_again(context, conn, &decided).await?,
        None => None,
    };
    let rendered = match into.as_ref().filter(|_| merge.is_some()) {
        Some(kept) => (render.0)(kept),
        None => (render.0)(&context.index.show(decided.cover())),
    };
    let seq = open.seq();
    let (kind, state) = match decided {
        Decision::Unchanged(_) => return Ok((open.unchanged(rendered), None)),
        Decision::Created(after) => {
            let after = CoverState { seq, ..after };
            cover_history::put(conn, &after).await?;
            ("cover.created", after)
        }
        Decision::Changed(after) => {
            let after = CoverState { seq, ..after };
            cover_history::replace(conn, open.district, seq, std::slice::from_ref(&after)).await?;
            let removed = after.cover.status == Status::Removed;
            (if removed { "cover.removed" } else { "cover.updated" }, after)
        }
    };
    let moved = match &into {
        Some(kept) => merged_orders(conn, open.district, &state.cover, kept).await?,
        None => Vec::new(),
    };
    let change = Change::new(kind, state.cover.code.to_string(), state.cover.version);
    let change = change.undoing(is_undo).merging(into.map(|kept| kept.code));
    let answer = open.finish_with(context, conn, asking, vec![change], &moved, rendered).await?;
    let orders = moved.into_iter().map(|moved| moved.after).collect();
    Ok((answer, Some(Changed { state, orders })))
}

async fn decide(context: &Context, conn: &mut Conn<'_>, asking: &Asking, edit: CoverEdit) -> StoreResult<Decided> {
    let remove = |cover: &Cover| Ok(CoverDraft { status: Status::Removed, ..CoverDraft::of(cover) });
    match edit {
        CoverEdit::Create { district, code, draft } => create(context, conn, asking, district, code, *draft).await,
        CoverEdit::Change { code, precondition, redraft } => {
            let redraft = |cover: &Cover| (redraft.0)(cover);
            change(context, conn, &asking.actor, code, precondition, redraft).await
        }
        CoverEdit::Remove { code, precondition } | CoverEdit::Merge { code, precondition, .. } => {
            change(context, conn, &asking.actor, code, precondition, remove).await
        }
        CoverEdit::Undo { code, version } => undo(context, conn, &asking.actor, code, version).await,
    }
}

/// Where an undoing takes back that a merge was undone: the cover that the merge was into, if it is there still.
async fn merged_again(context: &Context, conn: &mut Conn<'_>, decided: &Decision) -> StoreResult<Option<CoverView>> {
    let Decision::Changed(CoverState { cover, .. }) = decided else { return Ok(None) };
    if cover.status != Status::Removed {
        return Ok(None);
    }
    let code = cover.code;
    let states = cover_history::states(conn, code.district(), cover.id).await?;
    let Some(before) = states.iter().rev().nth(1) else { return Ok(None) };
    let Some(into) = cover_history::merged_by(conn, code.district(), before).await? else { return Ok(None) };
    // It may have got another code since.
    let into = cover_history::code_of_former(conn, into).await?.unwrap_or(into);
    Ok(kept(context, code, into).ok())
}

/// Records of one cover lie no further apart than this, in metres: as far as the least exact of measurements err.
const ONE_COVER_M: f64 = 30.0;

/// The cover that another is merged into.
fn kept(context: &Context, code: CoverCode, into: CoverCode) -> Result<CoverView> {
    let not_there = || say!("cover {into} is not in the registry", "登记库中没有井盖 {into}");
    let kept = context.index.cover(into).filter(|kept| kept.status != Status::Removed);
    let kept = kept.ok_or_else(|| ServiceError::invalid("/into", not_there()))?;
    if kept.code == code {
        let detail = say!("a cover is merged into another one", "不能把井盖并入它自己");
        return Err(ServiceError::invalid("/into", detail));
    }
    if into.district() != code.district() {
        let detail = say!("the two covers are of different districts", "两个井盖不在同一行政区");
        return Err(ServiceError::invalid("/into", detail));
    }
    // Whoever may remove a cover may not give its orders to any other.
    let distance = context.index.cover(code).map_or(0.0, |goes| goes.position.distance_m(kept.position));
    if distance > ONE_COVER_M {
        let detail = say!(
            "cover {into} is {distance:.0} m away: two records of one cover are at most 30 m apart",
            "井盖 {into} 相距 {distance:.0} 米：同一井盖的两条记录最多相距 30 米"
        );
        return Err(ServiceError::invalid("/into", detail));
    }
    Ok(kept)
}

/// What an edit comes to: the cover as it stays, or as it is to be from the change's number on.
enum Decision {
    Unchanged(Box<Cover>),
    Created(CoverState),
    Changed(CoverState),
}

impl Decision {
    fn cover(&self) -> &Cover {
        match self {
            Self::Unchanged(cover) => cover,
            Self::Created(after) | Self::Changed(after) => &after.cover,
        }
    }
}

type Decided = Result<Decision>;

async fn create(
    context: &Context,
    conn: &mut Conn<'_>,
    asking: &Asking,
    district: DistrictCode,
    code: Option<CoverCode>,
    draft: CoverDraft,
) -> StoreResult<Decided> {
    let may = may_edit(&asking.actor, district, draft.owner.as_ref(), draft.responsible_unit.as_ref(), || {
        say!("covers", "井盖")
    });
    if may.is_ok() {
        hold(context, conn, district, draft.owner.as_ref()).await?;
        hold(context, conn, district, draft.responsible_unit.as_ref()).await?;
    }
    let settled = may.and_then(|()| settle(context, district, &draft, None));
    let grid = match settled {
        Ok(grid) => grid,
        Err(refused) => return Ok(Err(refused)),
    };
    let code = match code {
        Some(code) if code.district() != district => {
            let other = code.district();
            let detail = say!(
                "the position lies in district {district}, not in {other}",
                "该位置在行政区 {district}，不在 {other}"
            );
            return Ok(Err(ServiceError::invalid("/code", detail)));
        }
        Some(code) => {
            let given = cover_history::present(conn, code).await?.is_some()
                || cover_history::code_of_former(conn, code).await?.is_some();
            if given {
                let detail =
                    say!("{code} was given to a cover; no code is used again", "{code} 已用于某个井盖，编码不重复使用");
                return Ok(Err(ServiceError::invalid("/code", detail)));
            }
            code
        }
        None => match next_code(conn, district, draft.category).await? {
            Ok(code) => code,
            Err(refused) => return Ok(Err(refused)),
        },
    };
    let cover = draft.into_cover(CoverId(context.clock.uuid()), code, Some(grid), 1);
    Ok(Ok(Decision::Created(CoverState { source: format!("{ENTERED}/{code}"), seq: 0, cover })))
}

async fn change(
    context: &Context,
    conn: &mut Conn<'_>,
    actor: &Actor,
    code: CoverCode,
    precondition: Precondition,
    redraft: impl Fn(&Cover) -> Result<CoverDraft>,
) -> StoreResult<Decided> {
    let Some(state) = cover_history::present(conn, code).await? else {
        return Ok(Err(ServiceError::NotFound(say!("cover {code}", "井盖 {code}"))));
    };
    let decided = allowed(actor, &state.cover, precondition).and_then(|()| redraft(&state.cover));
    match decided {
        Ok(draft) => redrawn(context, conn, state, draft).await,
        Err(ServiceError::Gone { .. }) => {
            let into = cover_history::merged_by(conn, code.district(), &state).await?;
            Ok(Err(into.map_or_else(|| ServiceError::removed(code), |into| ServiceError::merged(code, into))))
        }
        Err(refused) => Ok(Err(refused)),
    }
}

async fn undo(
    context: &Context,
    conn: &mut Conn<'_>,
    actor: &Actor,
    code: CoverCode,
    version: i64,
) -> StoreResult<Decided> {
    let Some(state) = cover_history::present(conn, code).await? else {
        return Ok(Err(ServiceError::NotFound(say!("cover {code}", "井盖 {code}"))));
    };
    let CoverState { cover, .. } = &state;
    let may = may_edit(actor, code.district(), cover.owner.as_ref(), cover.responsible_unit.as_ref(), || {
        say!("covers", "井盖")
    });
    if let Err(refused) = may {
        return Ok(Err(refused));
    }
    let last = LastChange { seq: state.seq, version: cover.version };
    if let Err(refused) = last.is(version, say!("cover {code}", "井盖 {code}")) {
        return Ok(Err(refused));
    }
    let states = cover_history::states(conn, code.district(), cover.id).await?;
    let before = states.iter().rev().nth(1).map(|before| &before.cover);
    if before.is_some_and(|before| is_regridded(before, cover)) {
        let detail = by_redrawing(conn, code.district(), last).await?;
        return Ok(Err(ServiceError::Conflict(detail)));
    }
    let before = before.map(CoverDraft::of);
    // What was before there was anything: a cover that is not there.
    let draft = before.unwrap_or_else(|| CoverDraft { status: Status::Removed, ..CoverDraft::of(cover) });
    redrawn(context, conn, state, draft).await
}

/// Whether nothing but the grid around a cover is another.
fn is_regridded(before: &Cover, after: &Cover) -> bool {
    before.grid != after.grid && CoverDraft::of(before) == CoverDraft::of(after)
}

/// Why a version cannot be undone that came of grids being redrawn, and what can be.
async fn by_redrawing(conn: &mut Conn<'_>, district: DistrictCode, last: LastChange) -> StoreResult<Said> {
    let LastChange { seq, version } = last;
    let event = events::numbered(conn, district, &[seq]).await?.pop();
    let undo = event.and_then(|Event { kind, subject, version, .. }| match kind.split_once('.')? {
        ("grid", _) => Some(format!("/v1/grids/{subject}/history/{version}/undo")),
        ("community", _) => Some(format!("/v1/communities/{subject}/history/{version}/undo")),
        ("subdistrict", _) => Some(format!("/v1/subdistricts/{subject}/history/{version}/undo")),
        ("import", "applied") => Some(format!("/v1/imports/{subject}/undo")),
        _ => None,
    });
    Ok(if let Some(undo) = undo {
        say!(
            "version {version} is of grids that were redrawn around the cover: POST {undo} takes that back",
            "版本 {version} 由网格重划产生：POST {undo} 可撤销该次重划"
        )
    } else {
        say!(
            "version {version} is of grids that were redrawn around the cover: redraw them again",
            "版本 {version} 由网格重划产生：请再次重划网格"
        )
    })
}

/// A present cover with another draft.
async fn redrawn(
    context: &Context,
    conn: &mut Conn<'_>,
    CoverState { cover, source, .. }: CoverState,
    draft: CoverDraft,
) -> StoreResult<Decided> {
    let code = cover.code;
    hold(context, conn, code.district(), draft.owner.as_ref()).await?;
    hold(context, conn, code.district(), draft.responsible_unit.as_ref()).await?;
    let grid = match settle(context, code.district(), &draft, Some(&cover)) {
        Ok(grid) => grid,
        Err(refused) => return Ok(Err(refused)),
    };
    let version = cover.version;
    if draft == CoverDraft::of(&cover) {
        return Ok(Ok(Decision::Unchanged(Box::new(cover))));
    }
    // A code says the category: another category takes another code, and the old one leads to it. It is the cover's own
    // again, should it have had one.
    let code = if draft.category == code.category() {
        code
    } else {
        let states = cover_history::states(conn, code.district(), cover.id).await?;
        let own = states.iter().rev().map(|state| state.cover.code).find(|own| own.category() == draft.category);
        let code = match own {
            Some(own) => Ok(own),
            None => next_code(conn, code.district(), draft.category).await?,
        };
        match code {
            Ok(code) => code,
            Err(refused) => return Ok(Err(refused)),
        }
    };
    let stays = draft.position == cover.position && cover.status != Status::Removed;
    let grid = if stays { cover.grid } else { Some(grid) };
    let cover = draft.into_cover(cover.id, code, grid, version + 1);
    Ok(Ok(Decision::Changed(CoverState { cover, source, seq: 0 })))
}

fn allowed(actor: &Actor, cover: &Cover, precondition: Precondition) -> Result<()> {
    let code = cover.code;
    let name = || say!("cover {code}", "井盖 {code}");
    may_edit(actor, code.district(), cover.owner.as_ref(), cover.responsible_unit.as_ref(), name)?;
    if cover.status == Status::Removed {
        return Err(ServiceError::removed(cover.code));
    }
    check(precondition, cover.version)
}

fn may_edit(
    actor: &Actor,
    district: DistrictCode,
    owner: Option<&OrgCode>,
    unit: Option<&OrgCode>,
    name: impl FnOnce() -> Said,
) -> Result<()> {
    let resource = Resource::Cover { district, owner, unit };
    actor::authorize(actor, Action::EditCover, resource).map_err(|refusal| ServiceError::refused(refusal, name()))
}

/// The next code of a category that no cover has or had.
async fn next_code(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    category: CategoryCode,
) -> StoreResult<Result<CoverCode>> {
    let sequence = covers::last_sequence(conn, district, category).await? + 1;
    let code = CoverCode::new(district, category, sequence);
    let full = |_| {
        let detail = say!("category {category} has no codes left", "小类 {category} 已没有可用的编码");
        ServiceError::invalid("/category", detail)
    };
    Ok(code.map_err(full))
}

fn grid_at(context: &Context, draft: &CoverDraft) -> Result<GridCode> {
    let outside = |_| context.outside(draft.position, At::Pointer("/position".to_owned()));
    context.index.grid_at(draft.position).map(|hit| hit.grid.code).map_err(outside)
}

/// Asks the registry about a draft; gives the grid that the cover lies in. What was so before is not
/// questioned again.
fn settle(context: &Context, district: DistrictCode, draft: &CoverDraft, before: Option<&Cover>) -> Result<GridCode> {
    let mut faults = Vec::new();
    let catalog = context.index.catalog(district).unwrap_or_default();
    let same_category = before.is_some_and(|cover| cover.code.category() == draft.category);
    if !same_category && !catalog.enables(draft.category) {
        let category = draft.category;
        let detail = say!("category {category} is not in this district's table", "本区的小类表中没有 {category}");
        faults.push(Fault::pointer("/category", detail));
    }
    let units = [
        ("/owner", &draft.owner, before.map(|cover| &cover.owner)),
        ("/responsible_unit", &draft.responsible_unit, before.map(|cover| &cover.responsible_unit)),
    ];
    for (pointer, unit, before) in units {
        if let Some(code) = unit
            && before != Some(unit)
            && context.index.organization(code).is_none()
        {
            let detail = say!("organization {code} does not exist", "单位 {code} 不存在");
            faults.push(Fault::pointer(pointer, detail));
        }
    }
    let year = context.calendar.day(context.clock.now()).year();
    if let Some(installed) = draft.spec.installed.filter(|installed| i32::from(*installed) > i32::from(year)) {
        let detail = say!("{installed} is still to come", "{installed} 年还没有到");
        faults.push(Fault::pointer("/spec/installed", detail));
    }
    if !faults.is_empty() {
        return Err(ServiceError::Invalid(faults));
    }
    // The grids may have been redrawn since it was removed.
    let stayed = before.filter(|cover| cover.position == draft.position && cover.status != Status::Removed);
    if let Some(grid) = stayed.and_then(|cover| cover.grid) {
        return Ok(grid);
    }
    let grid = grid_at(context, draft)?;
    if grid.district() == district {
        Ok(grid)
    } else {
        let other = grid.district();
        let detail = say!(
            "the position lies in district {other}, and the code is of {district}",
            "该位置在行政区 {other}，而编码属于 {district}"
        );
        Err(ServiceError::invalid("/position", detail))
    }
}
