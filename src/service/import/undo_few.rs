//! Taking back an import of areas, organisations or people: one change of the registry, and all of it or nothing.

use std::collections::HashSet;
use std::sync::Arc;

use geo::{Intersects as _, Point};

use super::covers::end;
use super::people::said_of;
use super::undo::{Undoing, Undone, named};
use crate::domain::grid::District;
use crate::domain::id::{DistrictCode, OrgCode};
use crate::domain::order::Order;
use crate::domain::organization::Organization;
use crate::domain::said::{Said, say};
use crate::index::DistrictIndex;
use crate::service::edit::areas::{regrid, reload};
use crate::service::edit::moved::{MovedOrder, moved_orders};
use crate::service::edit::organizations::tied;
use crate::service::edit::undo::{held, plan_of, still_sound};
use crate::service::error::{Result, ServiceError};
use crate::service::reply::Reply;
use crate::service::writer::Patience;
use crate::service::{Context, Guli, load};
use crate::store::areas::Area;
use crate::store::delivered::{self, Kind};
use crate::store::people::Person;
use crate::store::personal::{self, Purpose};
use crate::store::{Conn, Result as StoreResult, Writing};
use crate::store::{areas, corrupt, events, head, imports, orders, organizations, people};

/// What memory is to show of it.
struct Shows {
    reply: Reply,
    seq: i64,
    fresh: DistrictIndex,
    orders: Vec<Order>,
    removed: Vec<OrgCode>,
    /// The last number that it took.
    last: i64,
}

impl Guli {
    /// Takes an import of few records back.
    pub(super) async fn undo_few(&self, undoing: Undoing) -> Result<Reply> {
        let district = undoing.import.district;
        self.is_own(district)?;
        let (context, shown) = (Arc::clone(&self.context), Arc::clone(&self.context));
        let work = self.writer.run(
            district,
            Patience::Long,
            move |conn| Box::pin(async move { take_back(&context, &mut conn.conn(), &undoing).await }),
            end,
            move |done: Result<Shows>| done.map(|shows| show(&shown, district, shows)),
        );
        let reply = work.await??;
        self.context.past.clear();
        self.load_marked().await;
        Ok(reply)
    }
}

fn show(context: &Context, district: DistrictCode, shows: Shows) -> Reply {
    let Shows { reply, seq, fresh, orders, removed, last } = shows;
    context.exchange(fresh);
    for code in removed {
        if let Err(error) = context.show_organization(Organization::nameless(code)) {
            tracing::error!(%error, "an organization cannot be held in memory");
        }
    }
    orders.iter().for_each(|order| load::show(context, order));
    context.came_to(district, seq, last);
    reply
}

/// What is to be told of what was taken back.
#[derive(Default)]
struct TakenBack {
    removed: Vec<String>,
    restored: Vec<String>,
    kept: u64,
}

async fn take_back(context: &Context, conn: &mut Conn<'_>, undoing: &Undoing) -> StoreResult<Result<Shows>> {
    let district = undoing.import.district;
    let mut head = head::lock(conn, district).await?.ok_or_else(|| corrupt("district_head", district))?;
    context.catch_up(conn, district, &head).await?;
    let now = head.advance(context.clock.now());
    let seq = head.next_seq();
    head.registry_seq = seq;
    // Of a district it is not kept what files said of it.
    let kind = match undoing.import.kind.as_str() {
        "organizations" => Some(Kind::Organization),
        "people" => Some(Kind::Person),
        "district" => None,
        _ => Some(Kind::Area),
    };
    let done = match kind {
        Some(Kind::Area) => undo_areas(context, conn, undoing, seq).await?,
        Some(Kind::Organization) => undo_organizations(conn, undoing, seq).await?,
        Some(Kind::Person) => undo_people(conn, undoing, seq).await?,
        None => undo_district(conn, undoing, seq).await?,
    };
    let TakenBack { removed, restored, kept } = match done {
        Ok(done) => done,
        Err(refused) => return Ok(Err(refused)),
    };
    if let Some(kind @ (Kind::Area | Kind::Organization)) = kind {
        delivered::forget(conn, district, kind, &removed).await?;
        let known = restore(conn, undoing, kind).await?;
        let unknown: Vec<String> = restored.iter().filter(|record| !known.contains(*record)).cloned().collect();
        delivered::stand(conn, district, kind, seq, &unknown).await?;
    }
    let fresh = reload(context, conn, district).await?;
    fresh.set_change(seq.unsigned_abs());
    let mut log = Vec::new();
    let mut shown = Vec::new();
    if matches!(kind, Some(Kind::Area) | None) {
        regrid(conn, &fresh, seq).await?;
        let moved = moved_orders(context, conn, district, &fresh).await?;
        for moved in &moved {
            log.push(moved.event(head.next_seq(), now.as_microsecond(), &undoing.asking.actor));
        }
        let changes: Vec<_> = moved.iter().map(MovedOrder::change).collect();
        crate::store::write(conn, Writing::Apart, orders::rows(district, &changes, now)).await?;
        shown.extend(moved.into_iter().map(|moved| moved.after));
    }
    let [brought, changed] = [&removed, &restored].map(|records| records.len() as u64);
    let undone = Undone { kind: undoing.import.kind.clone(), removed: brought, restored: changed, kept, seq };
    log.insert(0, undoing.event(&undone, now));
    events::rows(district, &log).write(conn).await?;
    let import = (district, undoing.import.id);
    imports::set_state(conn, import, "undone", &undoing.import.counts, None).await?;
    let reply = undoing.reply(context, conn, &undone, now).await?;
    head::rows(district, &head).write(conn).await?;
    let removed =
        removed.iter().filter(|_| kind == Some(Kind::Organization)).filter_map(|code| code.parse().ok()).collect();
    Ok(Ok(Shows { reply, seq, fresh, orders: shown, removed, last: head.seq }))
}

/// What records had said before the import is what they said last again; gives the records.
async fn restore(conn: &mut Conn<'_>, undoing: &Undoing, kind: Kind) -> StoreResult<HashSet<String>> {
    let mut records = HashSet::new();
    for &made in &undoing.seqs {
        records.extend(delivered::restore(conn, undoing.import.district, kind, made).await?);
    }
    Ok(records)
}

fn conflict<T>(detail: Said) -> Result<T> {
    Err(ServiceError::Conflict(detail))
}

fn later<T>(changed: Vec<String>) -> Result<T> {
    let changed = named(changed);
    conflict(say!("later changes stand on it: {changed}", "其后还有改动：{changed}"))
}

async fn undo_areas(
    context: &Context,
    conn: &mut Conn<'_>,
    undoing: &Undoing,
    seq: i64,
) -> StoreResult<Result<TakenBack>> {
    let district = undoing.import.district;
    let mut done = TakenBack::default();
    for &made in &undoing.seqs {
        let (plan, changed) = plan_of(conn, district, made).await?;
        if !changed.is_empty() {
            return Ok(later(changed.iter().map(ToString::to_string).collect()));
        }
        let plan = match still_sound(context, conn, district, plan).await? {
            Ok(plan) => plan,
            Err(refused) => return Ok(Err(refused)),
        };
        let gone: HashSet<String> = plan.remove.iter().map(|area| area.code.to_string()).collect();
        if let Some(held) = held(conn, district, &plan).await? {
            let detail = say!("people stand for areas that it brought: {held}", "它导入的区域有人员负责：{held}");
            return Ok(conflict(detail));
        }
        let put: Vec<Area> = plan.put.into_iter().map(|(_, area)| area).collect();
        let lost = lost_orders(conn, district, &gone, &put).await?;
        if !lost.is_empty() {
            let lost = named(lost);
            let detail = say!("open orders lie in areas that it brought: {lost}", "它导入的区域内有未结工单：{lost}");
            return Ok(conflict(detail));
        }
        let removed: Vec<u64> = plan.remove.iter().map(|area| area.code).collect();
        areas::put(conn, district, seq, &put).await?;
        areas::remove(conn, district, seq, &removed).await?;
        done.removed.extend(gone);
        done.restored.extend(put.iter().map(|area| area.code.to_string()));
    }
    Ok(Ok(done))
}

/// Name and outline as before.
async fn undo_district(conn: &mut Conn<'_>, undoing: &Undoing, seq: i64) -> StoreResult<Result<TakenBack>> {
    let code = undoing.import.district;
    let states = areas::district_states(conn, code).await?;
    let present = states.last().map(|state| state.seq_from);
    let before = states.into_iter().find(|state| state.seq_to.as_ref() == undoing.seqs.first());
    let Some(Area { name, outline, .. }) = before.map(|state| state.area) else {
        let detail = say!("nothing is kept of what district {code} was before", "没有保留行政区 {code} 此前的状态");
        return Ok(conflict(detail));
    };
    if present != undoing.seqs.last().copied() {
        return Ok(later(vec![code.to_string()]));
    }
    areas::put_district(conn, seq, &District { code, name, outline }).await?;
    Ok(Ok(TakenBack { restored: vec![code.to_string()], ..TakenBack::default() }))
}

/// Open orders whose grid goes, and none that comes back has their ground.
async fn lost_orders(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    gone: &HashSet<String>,
    put: &[Area],
) -> StoreResult<Vec<String>> {
    let open = orders::open(conn, district, None).await?.into_iter().map(|stored| stored.order);
    let lost = open.filter(|order| gone.contains(&order.grid.to_string())).filter(|order| {
        let at = Point::new(order.position.lon(), order.position.lat());
        !put.iter().any(|area| area.outline.intersects(&at))
    });
    Ok(lost.map(|order| order.code.to_string()).collect())
}

async fn undo_organizations(conn: &mut Conn<'_>, undoing: &Undoing, seq: i64) -> StoreResult<Result<TakenBack>> {
    let (district, mut done, mut changed) = (undoing.import.district, TakenBack::default(), Vec::new());
    let mut before = Vec::new();
    for &made in &undoing.seqs {
        for code in organizations::changed_by(conn, district, made).await? {
            let states = organizations::states(conn, &code).await?;
            if states.last().is_none_or(|last| last.seq_from != made || last.seq_to.is_some()) {
                changed.push(code.to_string());
            } else if let Some(then) = states.into_iter().rev().nth(1).filter(|then| then.seq_to == Some(made)) {
                done.restored.push(code.to_string());
                before.push(then.organization);
            } else {
                if let Some(tied) = tied(conn, &code).await? {
                    return Ok(conflict(tied));
                }
                organizations::remove(conn, seq, &code).await?;
                done.removed.push(code.to_string());
            }
        }
    }
    if !changed.is_empty() {
        return Ok(later(changed));
    }
    organizations::put(conn, seq, &before).await?;
    Ok(Ok(done))
}

/// Unit and duties as before; names and phones as they are, for nothing earlier of them is kept.
async fn undo_people(conn: &mut Conn<'_>, undoing: &Undoing, seq: i64) -> StoreResult<Result<TakenBack>> {
    let (district, mut done, mut changed) = (undoing.import.district, TakenBack::default(), Vec::new());
    let said_before = restore(conn, undoing, Kind::Person).await?;
    for &made in &undoing.seqs {
        for id in people::changed_by(conn, district, made).await? {
            let states = people::states(conn, id).await?;
            let person = people::known(conn, id).await?;
            let (Some(person), Some(last)) = (person, states.last().filter(|last| last.seq_from == made)) else {
                changed.push(format!("person {id}"));
                continue;
            };
            let record = said_of(&person);
            let is_unknown = !said_before.contains(&record);
            let Some(before) = states.iter().find(|state| state.seq_to == Some(made)) else {
                people::remove(conn, district, seq, id).await?;
                personal::remove(conn, district, &load::subject(id), Purpose::Duty).await?;
                if is_unknown {
                    delivered::forget(conn, district, Kind::Person, &[record]).await?;
                }
                done.removed.push(id.to_string());
                continue;
            };
            let (duties, unit) = (before.duties(), &before.organization);
            if *unit == last.organization && duties == last.duties() {
                done.kept += 1;
                continue;
            }
            if let Some(gone) = gone(conn, district, unit.as_ref(), duties.iter().map(|(_, area)| *area)).await? {
                let detail = say!(
                    "person {id} would stand for or belong to what is no more: {gone}",
                    "人员 {id} 将负责或隶属于已不存在的对象：{gone}",
                    gone = gone,
                );
                return Ok(conflict(detail));
            }
            if is_unknown {
                delivered::forget(conn, district, Kind::Person, &[record]).await?;
            }
            let duties: Vec<_> = duties.iter().map(|(kind, area)| (*area, *kind, id)).collect();
            let person = Person { organization: unit.clone(), ..person };
            people::put(conn, district, seq, &[person]).await?;
            people::clear_duties(conn, district, id).await?;
            people::put_duties(conn, district, &duties).await?;
            done.restored.push(id.to_string());
        }
    }
    Ok(if changed.is_empty() { Ok(done) } else { later(changed) })
}

/// What of these is no more.
async fn gone(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    unit: Option<&OrgCode>,
    areas: impl Iterator<Item = u64>,
) -> StoreResult<Option<Said>> {
    if let Some(unit) = unit
        && organizations::hold(conn, unit).await?.is_none()
    {
        return Ok(Some(say!("organization {unit}", "单位 {unit}")));
    }
    let wanted: Vec<u64> = areas.collect();
    let there = areas::known(conn, district, &wanted).await?;
    let missing = wanted.iter().find(|code| !there.iter().any(|area| area.code == **code));
    Ok(missing.map(|code| say!("area {code}", "区域 {code}")))
}
