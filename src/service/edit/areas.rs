//! Edits of areas: their names, who supervises them, and their outlines, which share the ground without gap
//! or overlap before and after.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ground::{Effects, Grain, Plan, Says, is_far, measure, parent_of, seamless};
use super::moved::moved_orders;
use super::{Asking, Begun, Change, Open, check, hold, parents, snapping, undo};
use crate::domain::actor::{self, Action, Resource};
use crate::domain::id::{DistrictCode, GridCode, OrgCode};
use crate::domain::order::Order;
use crate::domain::said::{Said, say};
use crate::index::{DistrictIndex, Index, Regridded};
use crate::service::command::{Answer, Precondition, Rendered};
use crate::service::error::{At, Fault, Result, ServiceError};
use crate::service::writer::{End, Patience};
use crate::service::{Context, Guli, load};
use crate::store::areas::{Area, Level};
use crate::store::events::{self, Event, REGRIDDED};
use crate::store::{Conn, Result as StoreResult, areas, corrupt, cover_history};

/// Says what an area is to be, from what it is.
pub type Redraft = Arc<dyn Redrafting>;

/// A function from what an area is to what it is to be.
pub trait Redrafting: Fn(&Area) -> Result<Area> + Send + Sync {}

impl<F: Fn(&Area) -> Result<Area> + Send + Sync> Redrafting for F {}

/// What is to be done to areas of a district.
#[derive(Clone)]
pub enum AreaEdit {
    /// Without a code (0) it gets the next one of the area that it lies in.
    Create {
        level: Level,
        area: Box<Area>,
    },
    Change {
        code: u64,
        precondition: Precondition,
        redraft: Redraft,
    },
    Remove {
        code: u64,
        precondition: Precondition,
    },
    /// The state before this version becomes the present again; only the last change can be undone.
    Undo {
        code: u64,
        version: i64,
    },
    /// Several at once, so that what one gives another can take: what has no code (0) is new.
    Redraw {
        put: Vec<GridDraft>,
        remove: Vec<GridCode>,
        /// Whether the areas above give and take the ground with them.
        parents_follow: bool,
    },
}

impl AreaEdit {
    fn says(&self) -> Says {
        match self {
            Self::Create { .. } | Self::Change { .. } => Says::One,
            Self::Remove { .. } | Self::Undo { .. } => Says::Path,
            Self::Redraw { .. } => Says::Several,
        }
    }
}

/// A grid as a redrawing says it.
#[derive(Debug, Clone)]
pub struct GridDraft {
    pub area: Area,
    /// Else a grid that is there keeps the supervising department that it has.
    pub names_department: bool,
    /// The version that it was redrawn from, where the request says so.
    pub version: Option<i64>,
}

/// Whether it is done, or only said what it would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    Real,
    Dry,
}

/// What became of an edit.
pub struct AreaOutcome {
    /// The registry with the areas as they now are.
    pub registry: Index,
    pub areas: Vec<Area>,
    pub effects: Effects,
}

/// Turns the outcome into the bytes of the answer.
pub type RenderAreas = Arc<dyn Fn(&AreaOutcome) -> Rendered + Send + Sync>;

struct Done {
    answer: Answer,
    shows: Option<Shows>,
}

/// What memory is to show of an edit: the district, orders in other grids, and the first and last number it took.
struct Shows {
    fresh: Arc<DistrictIndex>,
    orders: Vec<Order>,
    events: (i64, i64),
}

impl Done {
    fn refused(error: ServiceError) -> Self {
        Self { answer: Answer::Refused(error), shows: None }
    }
}

impl Guli {
    /// Has an edit of areas decided, and committed unless it is a dry run.
    pub async fn edit_areas(
        &self,
        district: DistrictCode,
        edit: AreaEdit,
        asking: Asking,
        run: Run,
        render: RenderAreas,
    ) -> Answer {
        let refused = self.serves(district).and_then(|()| {
            actor::authorize(&asking.actor, Action::EditAreas, Resource::District(district))
                .map_err(|refusal| ServiceError::refused(refusal, say!("this area", "此区域")))
        });
        if let Err(refused) = refused {
            return Answer::Refused(refused);
        }
        // Memory may be far behind, and an edit's transaction holds the district's head and may not last long.
        if self.is_shared()
            && let Err(error) = self.follow_district(district).await
        {
            return Answer::Refused(error.into());
        }
        let (context, shown) = (Arc::clone(&self.context), Arc::clone(&self.context));
        let end = match run {
            Run::Real => End::Commit,
            Run::Dry => End::Rollback,
        };
        let done = self.writer.run(
            district,
            Patience::Short,
            move |conn| {
                Box::pin(async move { edited(&context, &mut conn.conn(), district, edit, &asking, run, &render).await })
            },
            move |_| end,
            move |Done { answer, shows }| {
                if let Some(Shows { fresh, orders, events: (first, last) }) = shows.filter(|_| run == Run::Real) {
                    shown.index.replace(fresh);
                    orders.iter().for_each(|order| load::show(&shown, order));
                    shown.came_to(district, first, last);
                }
                answer
            },
        );
        done.await.unwrap_or_else(|error| Answer::Refused(error.into()))
    }

    /// Every state of an area or the district, with the events that began and ended them.
    pub async fn area_history(&self, district: DistrictCode, code: u64) -> Result<(Vec<areas::AreaState>, Vec<Event>)> {
        let hidden = || ServiceError::NotFound(say!("area {code}", "区域 {code}"));
        self.serves(district).map_err(|_| hidden())?;
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let states = if code == district.number() {
            areas::district_states(conn, district).await?
        } else {
            areas::states(conn, district, code).await?
        };
        if states.is_empty() {
            return Err(hidden());
        }
        let numbers: Vec<i64> =
            states.iter().flat_map(|state| [Some(state.seq_from), state.seq_to]).flatten().collect();
        let mut events = events::numbered(conn, district, &numbers).await?;
        // Areas that were changed in one call bear the number of its first event, and each has its own further on.
        let own = events::of(conn, district, &code.to_string(), None, i64::MAX).await?;
        for event in events.iter_mut().filter(|event| !event.kind.starts_with("import.")) {
            if let Some(further) = own.iter().find(|own| own.seq >= event.seq) {
                *event = Event { seq: event.seq, ..further.clone() };
            }
        }
        Ok((states, events))
    }
}

async fn edited(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    edit: AreaEdit,
    asking: &Asking,
    run: Run,
    render: &RenderAreas,
) -> StoreResult<Done> {
    let open = match Open::begin(context, conn, district, asking).await? {
        Begun::Answered(answer) => return Ok(Done { answer, shows: None }),
        Begun::Open(open) => open,
    };
    let (says, is_undo) = (edit.says(), matches!(edit, AreaEdit::Undo { .. }));
    let plan = match plan(context, conn, district, edit).await? {
        Ok(plan) => plan.settled(),
        Err(refused) => return Ok(Done::refused(refused)),
    };
    let grain = if says == Says::Path { Grain::Coarse } else { Grain::Fine };
    let mut effects = measure(conn, district, &plan, grain).await?;
    if run == Run::Real
        && let Err(refused) = seamless(&plan, &effects, says)
    {
        return Ok(Done::refused(refused));
    }
    let areas: Vec<Area> = plan.put.iter().map(|(_, area)| area.clone()).collect();
    let registry = Index::default();
    if plan.changes().next().is_none() && plan.remove.is_empty() {
        registry.replace(context.index.district(district).ok_or_else(|| corrupt("district", district))?);
        let answer = open.unchanged(render(&AreaOutcome { registry, areas, effects }));
        return Ok(Done { answer, shows: None });
    }
    let seq = open.seq();
    let put: Vec<Area> = plan.changes().map(|(_, area)| area.clone()).collect();
    let removed: Vec<u64> = plan.remove.iter().map(|area| area.code).collect();
    areas::put(conn, district, seq, &put).await?;
    areas::remove(conn, district, seq, &removed).await?;
    let fresh = reload(context, conn, district).await?;
    effects.covers = regrid(conn, &fresh, seq).await?;
    // The new index does not know a grid that is gone; the present one does.
    for moved in effects.covers.iter_mut().filter(|moved| moved.from.is_none()) {
        moved.from = context.index.cover_by_id(moved.id).and_then(|view| Some(view.grid?.code));
    }
    let moved = moved_orders(context, conn, district, &fresh).await?;
    effects.orders = moved.iter().map(|moved| (moved.after.code, moved.before.order.grid, moved.after.grid)).collect();
    let mut changes: Vec<Change> = plan.changes().map(|(before, area)| change_of(before.as_ref(), area)).collect();
    changes.extend(plan.remove.iter().map(|area| {
        let kind = kind_of(area.code, ["subdistrict.removed", "community.removed", "grid.removed"]);
        // As its history counts it.
        Change::new(kind, area.code.to_string(), area.version + 1)
    }));
    let mut changes: Vec<Change> = changes.into_iter().map(|change| change.undoing(is_undo)).collect();
    changes.extend(effects.covers.iter().map(|moved| Change::new(REGRIDDED, moved.code.to_string(), moved.version)));
    let last = seq + i64::try_from(changes.len()).unwrap_or(0) - 1;
    fresh.set_change(last.unsigned_abs());
    let fresh = Arc::new(fresh);
    registry.replace(Arc::clone(&fresh));
    let rendered = render(&AreaOutcome { registry, areas, effects });
    // What is only tried takes no number: its answer says the present one.
    if run == Run::Dry {
        return Ok(Done { answer: open.unchanged(rendered), shows: None });
    }
    let events = (seq, last + i64::try_from(moved.len()).unwrap_or(0));
    let answer = open.finish_with(context, conn, asking, changes, &moved, rendered).await?;
    let orders: Vec<Order> = moved.into_iter().map(|moved| moved.after).collect();
    Ok(Done { answer, shows: Some(Shows { fresh, orders, events }) })
}

/// The district as the transaction sees it.
pub(in crate::service) async fn reload(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
) -> StoreResult<DistrictIndex> {
    let record = areas::district(conn, district).await?;
    load::district(context, conn, record.ok_or_else(|| corrupt("district", district))?).await
}

/// Puts every cover into the grid that it lies in, in memory and in the database.
pub(in crate::service) async fn regrid(
    conn: &mut Conn<'_>,
    fresh: &DistrictIndex,
    seq: i64,
) -> StoreResult<Vec<Regridded>> {
    let moved = fresh.regrid();
    let mut by_grid: BTreeMap<Option<GridCode>, Vec<_>> = BTreeMap::new();
    for moved in &moved {
        by_grid.entry(moved.to).or_default().push(moved.id);
    }
    for (grid, covers) in by_grid {
        cover_history::regrid(conn, fresh.code(), seq, grid, &covers).await?;
    }
    Ok(moved)
}

fn change_of(before: Option<&Area>, area: &Area) -> Change {
    let kinds = match before {
        Some(_) => ["subdistrict.updated", "community.updated", "grid.updated"],
        None => ["subdistrict.created", "community.created", "grid.created"],
    };
    Change::new(kind_of(area.code, kinds), area.code.to_string(), area.version)
}

fn kind_of(code: u64, [subdistrict, community, grid]: [&'static str; 3]) -> &'static str {
    match Level::of(code) {
        Level::Subdistrict => subdistrict,
        Level::Community => community,
        Level::Grid => grid,
    }
}

async fn plan(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    edit: AreaEdit,
) -> StoreResult<Result<Plan>> {
    match edit {
        AreaEdit::Create { level, mut area } => {
            if let Err(refused) = sound(context, conn, district, &area, "").await? {
                return Ok(Err(refused));
            }
            if let Err(refused) = place(conn, district, level, &mut area, &mut BTreeSet::new(), "").await? {
                return Ok(Err(refused));
            }
            if !areas::known(conn, district, &[area.code]).await?.is_empty() {
                let code = area.code;
                let detail = say!(
                    "area {code} is there already: change it with PUT or PATCH",
                    "区域 {code} 已经存在：请用 PUT 或 PATCH 修改"
                );
                return Ok(Err(ServiceError::invalid("/code", detail)));
            }
            area.version = 1;
            let mut plan = Plan { put: vec![(None, *area)], remove: Vec::new() };
            snapping::snap(conn, district, &mut plan).await?;
            Ok(Ok(plan))
        }
        AreaEdit::Change { code, precondition, redraft } => {
            let area = match known(conn, district, code).await? {
                Ok(area) => area,
                Err(refused) => return Ok(Err(refused)),
            };
            let mut after = match check(precondition, area.version).and_then(|()| redraft(&area)) {
                Ok(after) => after,
                Err(refused) => return Ok(Err(refused)),
            };
            after.version = area.version + 1;
            if let Err(refused) = sound(context, conn, district, &after, "").await? {
                return Ok(Err(refused));
            }
            let mut plan = Plan { put: vec![(Some(area), after)], remove: Vec::new() };
            snapping::snap(conn, district, &mut plan).await?;
            Ok(Ok(plan))
        }
        AreaEdit::Remove { code, precondition } => {
            let area = match known(conn, district, code).await? {
                Ok(area) => area,
                Err(refused) => return Ok(Err(refused)),
            };
            if let Err(refused) = check(precondition, area.version) {
                return Ok(Err(refused));
            }
            if let Some(below) = Level::of(code).below()
                && !areas::list(conn, district, None, below.within(code), 0, 1).await?.is_empty()
            {
                let detail =
                    say!("{code} is not empty: remove the areas within it first", "{code} 之内还有区域：请先移除它们");
                return Ok(Err(ServiceError::Conflict(detail)));
            }
            Ok(Ok(Plan { put: Vec::new(), remove: vec![area] }))
        }
        AreaEdit::Undo { code, version } => undo::areas(context, conn, district, code, version).await,
        AreaEdit::Redraw { put, remove, parents_follow } => {
            let mut plan = match redraw(context, conn, district, put, remove).await? {
                Ok(plan) => plan,
                Err(refused) => return Ok(Err(refused)),
            };
            snapping::snap(conn, district, &mut plan).await?;
            if parents_follow {
                parents::follow(conn, district, &mut plan).await?;
            }
            Ok(Ok(plan))
        }
    }
}

async fn redraw(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    put: Vec<GridDraft>,
    remove: Vec<GridCode>,
) -> StoreResult<Result<Plan>> {
    let mut plan = Plan::default();
    for (n, code) in remove.iter().enumerate() {
        let Ok(area) = known(conn, district, code.number()).await? else {
            let detail = say!("grid {code} does not exist", "责任网格 {code} 不存在");
            return Ok(Err(ServiceError::invalid(format!("/remove/{n}"), detail)));
        };
        plan.remove.push(area);
    }
    let put = match present(conn, district, put).await? {
        Ok(put) => put,
        Err(stale) => return Ok(Err(stale)),
    };
    let mut given = BTreeSet::new();
    for (n, (before, GridDraft { mut area, names_department, .. })) in put.into_iter().enumerate() {
        let pointer = format!("/grids/{n}");
        if let Some(before) = before.as_ref().filter(|_| !names_department) {
            area.supervising_department.clone_from(&before.supervising_department);
        }
        if let Err(refused) = sound(context, conn, district, &area, &pointer).await? {
            return Ok(Err(refused));
        }
        if let Err(refused) = place(conn, district, Level::Grid, &mut area, &mut given, &pointer).await? {
            return Ok(Err(refused));
        }
        area.version = before.as_ref().map_or(1, |before| before.version + 1);
        plan.put.push((before, area));
    }
    Ok(Ok(plan))
}

/// Drafts with the grids that there are, if these are those that they were made from.
async fn present(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    put: Vec<GridDraft>,
) -> StoreResult<Result<Vec<(Option<Area>, GridDraft)>>> {
    let mut present = Vec::with_capacity(put.len());
    for (n, draft) in put.into_iter().enumerate() {
        let before = areas::known(conn, district, &[draft.area.code]).await?.pop();
        if let (Some(Area { version: current, .. }), Some(version)) = (&before, draft.version)
            && version != *current
        {
            return Ok(Err(ServiceError::stale(At::Pointer(format!("/grids/{n}/version")), *current)));
        }
        let code = draft.area.code;
        if before.is_none() && code != 0 && draft.version.is_some() {
            let detail = say!(
                "there is no grid {code}, and a new one has no version",
                "没有编码为 {code} 的网格，而新网格没有版本号"
            );
            return Ok(Err(ServiceError::invalid(format!("/grids/{n}/code"), detail)));
        }
        present.push((before, draft));
    }
    Ok(Ok(present))
}

/// Gives a new area the next code of the area that it lies in, after those `given` before; the code that one came with
/// must be an area's, or a new one within an area that there is.
async fn place(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    level: Level,
    area: &mut Area,
    given: &mut BTreeSet<u64>,
    pointer: &str,
) -> StoreResult<Result<()>> {
    if area.code == 0 {
        let Some(parent) = parent_of(conn, district, level, &area.outline).await? else {
            let detail =
                say!("it lies in no area of the level above: say its code", "它不在任何上一级区域内：请写明编码");
            return Ok(Err(ServiceError::invalid(format!("{pointer}/geometry"), detail)));
        };
        let (first, last) = level.within(parent);
        let mut taken = areas::codes_given(conn, district, (first, last)).await?;
        taken.extend(given.range(first..=last));
        // After the last one; of a range that is used up to its end, what was left out.
        let next = taken.last().map_or(first, |last| *last) + 1;
        let Some(code) = (next..=last).chain(first + 1..next).find(|code| !taken.contains(code)) else {
            let detail = say!("area {parent} has no code left to give", "区域 {parent} 之内已没有可用的编码");
            return Ok(Err(ServiceError::invalid(format!("{pointer}/code"), detail)));
        };
        area.code = code;
        given.insert(code);
        return Ok(Ok(()));
    }
    let code = area.code;
    let no = |detail| Ok(Err(ServiceError::invalid(format!("{pointer}/code"), detail)));
    if !areas::known(conn, district, &[area.code]).await?.is_empty() {
        return Ok(Ok(()));
    }
    if !areas::states(conn, district, area.code).await?.is_empty() {
        return no(say!("{code} was an area's; no code is used again", "{code} 曾是某区域的编码，编码不重复使用"));
    }
    let parent = area.code / 1_000;
    if parent != district.number() && areas::known(conn, district, &[parent]).await?.is_empty() {
        return no(say!(
            "{code}: area {parent}, which it lies in, does not exist",
            "{code}：所属的上级区域 {parent} 不存在"
        ));
    }
    Ok(Ok(()))
}

async fn known(conn: &mut Conn<'_>, district: DistrictCode, code: u64) -> StoreResult<Result<Area>> {
    if let Some(area) = areas::known(conn, district, &[code]).await?.pop() {
        return Ok(Ok(area));
    }
    let was = !areas::states(conn, district, code).await?.is_empty();
    Ok(Err(if was { removed(code) } else { ServiceError::NotFound(say!("area {code}", "区域 {code}")) }))
}

/// An area that is no more.
pub fn removed(code: u64) -> ServiceError {
    let level = Level::of(code).plural();
    let detail = say!("area {code} was removed", "区域 {code} 已移除");
    ServiceError::Gone { detail, history: Some(format!("/v1/{level}/{code}/history")) }
}

/// What a name is not.
pub fn no_name() -> Said {
    say!("a name has 1 to 100 characters", "名称应为 1 到 100 个字符")
}

/// Whether what is said of an area can be; `base` is where it stands in the request.
pub(super) async fn sound(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    area: &Area,
    base: &str,
) -> StoreResult<Result<()>> {
    let code = area.supervising_department.as_ref().and_then(|text| text.parse::<OrgCode>().ok());
    hold(context, conn, district, code.as_ref()).await?;
    let mut faults = Vec::new();
    let record = areas::district(conn, district).await?;
    if record.is_some_and(|record| is_far(&area.outline, &record.outline)) {
        let detail = say!(
            "the outline lies nowhere near the district: is the coordinate system right?",
            "边界不在本行政区附近：坐标系是否正确？"
        );
        faults.push(Fault::pointer(format!("{base}/geometry"), detail));
    }
    if area.name.trim().is_empty() || area.name.chars().count() > 100 || area.name.contains('\0') {
        faults.push(Fault::pointer(format!("{base}/name"), no_name()));
    }
    if let Some(department) = &area.supervising_department {
        let known = code.as_ref().and_then(|code| context.index.organization(code));
        if known.is_none() {
            let detail = say!("organization {department} does not exist", "单位 {department} 不存在");
            faults.push(Fault::pointer(format!("{base}/supervising_department"), detail));
        }
    }
    Ok(if faults.is_empty() { Ok(()) } else { Err(ServiceError::Invalid(faults)) })
}
