//! Taking an import back: what it brought is removed, what it changed is as before, each as a new version.
//!
//! Only where nothing stands on it: no later change of what it made, no open order on a cover that it brought.
//! Up to [`AT_ONCE`] covers are one transaction, more of them go in steps of [`STEP`]; an undoing that was
//! interrupted is finished by asking for it again. Areas, organisations and people: [`undo_few`](super::undo_few).

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::covers::{end, show};
use super::{AT_ONCE, STEP};
use crate::domain::actor::{self, Action, Actor, Resource};
use crate::domain::cover::{Cover, CoverDraft, Status};
use crate::domain::id::{CoverId, DistrictCode, ImportId, OrgCode};
use crate::domain::said::{Said, say};
use crate::service::command::{Answer, Render};
use crate::service::edit::Asking;
use crate::service::error::{Result, ServiceError};
use crate::service::reply::Reply;
use crate::service::writer::Patience;
use crate::service::{Context, Guli, idempotent};
use crate::store::cover_history::{self, CoverState, Made};
use crate::store::events::{self, Event};
use crate::store::imports::NotedImport;
use crate::store::{Conn, Result as StoreResult, corrupt, cover_source, head, idempotency, imports, organizations};

/// Things named in a refusal.
const NAMED: usize = 5;

/// What an undoing did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// What its records were.
    pub kind: String,
    /// What the import had brought.
    pub removed: u64,
    /// What it had changed.
    pub restored: u64,
    /// What stays: it was changed or reported in that very moment, or only a name or phone was changed.
    pub kept: u64,
    /// The number of the last change that this wrote.
    pub seq: i64,
}

/// An import that is to be taken back, and by whom.
#[derive(Debug)]
pub(super) struct Undoing {
    pub(super) import: NotedImport,
    /// The changes that it made.
    pub(super) seqs: Vec<i64>,
    /// The changes that have taken back a part of it, where that was interrupted.
    taken_back: Vec<i64>,
    pub(super) asking: Asking,
    render: Render<Undone>,
}

/// Kinds of files that can be taken back.
pub const UNDOABLE: [&str; 7] =
    ["covers", "district", "subdistricts", "communities", "grids", "organizations", "people"];

impl Guli {
    /// Takes an import back; refused, with reasons, where something stands on it.
    pub async fn undo_import(&self, id: ImportId, asking: Asking, render: Render<Undone>) -> Result<Answer> {
        // Whoever may not waits for nobody's turn.
        let district = self.import_to_undo(&asking.actor, id).await?.district;
        if let Some(answer) = self.answered(district, &asking).await? {
            return Ok(answer);
        }
        let _turn = self.import_turn().await?;
        // Whoever waited for a twin is answered as it was.
        if let Some(answer) = self.answered(district, &asking).await? {
            return Ok(answer);
        }
        let undoing = self.undoing(id, asking, render).await?;
        let reply = if undoing.import.kind == "covers" {
            self.undo_covers(Arc::new(undoing)).await?
        } else {
            self.undo_few(undoing).await?
        };
        Ok(Answer::Done(reply))
    }

    async fn answered(&self, district: DistrictCode, asking: &Asking) -> Result<Option<Answer>> {
        match &asking.idempotency {
            Some(asked) => self.answered_before(district, asked).await,
            None => Ok(None),
        }
    }

    async fn undo_covers(&self, undoing: Arc<Undoing>) -> Result<Reply> {
        let (covers, mut stay) = self.undoable(&undoing).await?;
        let step = if covers.len() as u64 <= AT_ONCE { covers.len() } else { usize::try_from(STEP).unwrap_or(1) };
        let mut undone = Undone { kind: undoing.import.kind.clone(), ..Undone::default() };
        let mut chunks = covers.chunks(step.max(1)).peekable();
        // Even where nothing is left to be done, that it is done is written down.
        loop {
            let chunk = Chunk {
                covers: chunks.next().unwrap_or_default().to_vec(),
                stay: std::mem::take(&mut stay),
                is_last: chunks.peek().is_none(),
            };
            let (context, shown, undoing) =
                (Arc::clone(&self.context), Arc::clone(&self.context), Arc::clone(&undoing));
            let district = undoing.import.district;
            let work = self.writer.run(
                district,
                Patience::Long,
                move |conn| {
                    Box::pin(async move { take_back(&context, &mut conn.conn(), &undoing, undone, chunk).await })
                },
                end,
                move |step: Result<Step>| {
                    step.map(|Step { covers, undone, reply }| {
                        show(&shown, district, undone.seq, covers);
                        (undone, reply)
                    })
                },
            );
            let (so_far, reply) = work.await??;
            undone = so_far;
            if let Some(reply) = reply {
                return Ok(reply);
            }
        }
    }

    /// Finds the import and asks whether the caller may take it back: whoever made it, or an administrator.
    async fn import_to_undo(&self, actor: &Actor, id: ImportId) -> Result<NotedImport> {
        let hidden = || ServiceError::NotFound(say!("import {id}", "导入记录 {id}"));
        let import = self.noted_import(id).await?.ok_or_else(hidden)?;
        if actor.is_anonymous() || import.actor != actor.log_name() {
            actor::authorize(actor, Action::Import, Resource::District(import.district))
                .map_err(|refusal| ServiceError::refused(refusal, say!("import {id}", "导入记录 {id}")))?;
        }
        Ok(import)
    }

    /// The import as it is to be taken back, if it can be.
    async fn undoing(&self, id: ImportId, asking: Asking, render: Render<Undone>) -> Result<Undoing> {
        let import = self.import_to_undo(&asking.actor, id).await?;
        let events =
            events::of(&mut self.store.read().await?.conn(), import.district, &id.to_string(), None, i64::MAX).await?;
        let seqs_of = |kind: &str| -> Vec<i64> {
            events.iter().filter(|event| event.kind == kind).map(|event| event.seq).collect()
        };
        let seqs = seqs_of("import.applied");
        let no = |why: Said| Err(ServiceError::Conflict(say!("import {id} {why}", "导入 {id} {why}", why = why)));
        match import.state.as_str() {
            "undone" => return no(say!("was taken back already", "已经撤销")),
            "applied" | "undoing" => {}
            // Of one that could not be applied to its end, what was.
            "failed" if !seqs.is_empty() => {}
            _ => return no(say!("stored nothing", "没有存入任何内容")),
        }
        if seqs.is_empty() {
            return no(say!("changed nothing", "没有改动任何内容"));
        }
        if !UNDOABLE.contains(&import.kind.as_str()) {
            return no(say!(
                "brought lines of a table, of which nothing earlier is kept",
                "导入的是字典表，不保留旧值"
            ));
        }
        let taken_back = seqs_of("import.undone");
        Ok(Undoing { import, seqs, taken_back, asking, render })
    }

    /// The covers that the import made and that are still to be taken back, unless something stands on them. What later
    /// changes left as the import made it stands on nothing. Where the undoing goes on there is no way back: covers that
    /// were changed since it began are given as those that stay.
    async fn undoable(&self, undoing: &Undoing) -> Result<(Vec<Made>, Vec<CoverId>)> {
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let Undoing { import, seqs, taken_back, .. } = undoing;
        let mut made = cover_history::made_by(conn, import.district, seqs).await?;
        // What was taken back may have come again with another import since.
        let done = cover_history::made_by(conn, import.district, taken_back).await?;
        let done: HashSet<CoverId> = done.into_iter().map(|done| done.id).collect();
        made.retain(|made| !done.contains(&made.id));
        let (mut covers, later): (Vec<Made>, Vec<Made>) = made.into_iter().partition(|made| made.made == made.now);
        let as_it_made = |made: &Made, state: &CoverState| state.cover.version == made.made;
        let mut changed = Vec::new();
        for (made, now, then) in
            cover_history::now_and_then(conn, import.district, &later, |made| made.id, as_it_made).await?
        {
            let as_made = |then: &CoverState| {
                then.cover.code == now.cover.code && CoverDraft::of(&then.cover) == CoverDraft::of(&now.cover)
            };
            if then.as_ref().is_some_and(as_made) {
                covers.push(made);
            } else {
                changed.push(now.cover);
            }
        }
        if taken_back.is_empty() {
            unchanged_since(&changed)?;
        }
        let index = &self.context.index;
        let brought = covers.iter().filter(|made| made.made == 1);
        let orders: Vec<_> = brought.filter_map(|made| index.order_on(made.id)).take(NAMED + 1).collect();
        if !orders.is_empty() {
            let orders = named(orders.iter().map(|order| order.code.to_string()).collect());
            return Err(ServiceError::Conflict(say!(
                "open orders stand on covers that it brought: {orders}",
                "它导入的井盖上有未结工单：{orders}"
            )));
        }
        let units = cover_history::units_before(conn, import.district, seqs).await?;
        let there = organizations::with_codes(conn, &units).await?;
        let is_there = |unit: &OrgCode| there.iter().any(|there| there.code == *unit);
        no_more(units.into_iter().filter(|unit| !is_there(unit)).collect())?;
        Ok((covers, changed.into_iter().map(|cover| cover.id).collect()))
    }
}

/// Refuses to take back what has been changed since.
fn unchanged_since(changed: &[Cover]) -> Result<()> {
    let more = if changed.len() > NAMED { ", …" } else { "" };
    let named = changed.iter().take(NAMED).map(|cover| {
        let (code, version) = (cover.code, cover.version);
        say!("{code} (version {version})", "{code}（版本 {version}）")
    });
    let Some(named) = Said::list(named) else { return Ok(()) };
    Err(ServiceError::Conflict(say!(
        "later changes stand on it: {named}{more}",
        "其后还有改动：{named}{more}",
        named = named,
    )))
}

/// Refuses to give covers back to units that are no more.
fn no_more(gone: Vec<OrgCode>) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let units = named(gone.iter().map(OrgCode::to_string).collect());
    Err(ServiceError::Conflict(say!(
        "covers would belong to units that are no more: {units}",
        "井盖将归属于已不存在的单位：{units}"
    )))
}

/// Holds the units that covers go back to; whoever removed one since it was asked for has kept it from that.
async fn hold_units(conn: &mut Conn<'_>, states: &[CoverState]) -> StoreResult<Result<()>> {
    let stand = states.iter().map(|state| &state.cover).filter(|cover| cover.status != Status::Removed);
    let units: BTreeSet<&OrgCode> = stand.flat_map(|cover| cover.owner.iter().chain(&cover.responsible_unit)).collect();
    let mut gone = Vec::new();
    for unit in units {
        if organizations::hold(conn, unit).await?.is_none() {
            gone.push(unit.clone());
        }
    }
    Ok(no_more(gone))
}

/// What one step takes back.
struct Chunk {
    covers: Vec<Made>,
    /// Those that stay as they are.
    stay: Vec<CoverId>,
    is_last: bool,
}

/// One step of an undoing.
struct Step {
    /// As they now are.
    covers: Vec<Cover>,
    /// What was done so far.
    undone: Undone,
    /// Once nothing is left to be done.
    reply: Option<Reply>,
}

/// Takes back what the import made of these covers, as one change of the registry.
async fn take_back(
    context: &Context,
    conn: &mut Conn<'_>,
    undoing: &Undoing,
    so_far: Undone,
    Chunk { covers, mut stay, is_last }: Chunk,
) -> StoreResult<Result<Step>> {
    let import = &undoing.import;
    let district = import.district;
    let mut head = head::lock(conn, district).await?.ok_or_else(|| corrupt("district_head", district))?;
    context.catch_up(conn, district, &head).await?;
    let now = head.advance(context.clock.now());
    let seq = head.next_seq();
    head.registry_seq = seq;
    let mut undone = Undone { kind: import.kind.clone(), seq, ..Undone::default() };
    let (mut states, mut brought, mut changed) = (Vec::with_capacity(covers.len()), Vec::new(), Vec::new());
    let as_before = |made: &Made, state: &CoverState| state.cover.version == made.made - 1;
    let states_then = cover_history::now_and_then(conn, district, &covers, |made| made.id, as_before).await?;
    for (made, present, before) in states_then {
        // What was changed in this moment stays.
        let removes = before.as_ref().is_none_or(|before| before.cover.status == Status::Removed);
        if present.cover.version != made.now || (removes && context.index.order_on(made.id).is_some()) {
            stay.push(made.id);
            continue;
        }
        let version = present.cover.version + 1;
        let state = if let Some(before) = before {
            undone.restored += 1;
            if !removes {
                changed.push(made.id);
            }
            // Its grid is that of today, wherever the grids were then.
            let grid = context.index.grid_at(before.cover.position).ok().map(|hit| hit.grid.code);
            let grid = grid.filter(|grid| grid.district() == district);
            CoverState { cover: Cover { grid, version, ..before.cover }, seq, source: before.source }
        } else {
            undone.removed += 1;
            brought.push(made.id);
            let removed = Cover { status: Status::Removed, version, ..present.cover };
            CoverState { cover: removed, seq, source: present.source }
        };
        states.push(state);
    }
    undone.kept = stay.len() as u64;
    if let Err(refused) = hold_units(conn, &states).await? {
        return Ok(Err(refused));
    }
    cover_history::replace(conn, district, seq, &states).await?;
    let ids: Vec<CoverId> = states.iter().map(|state| state.cover.id).collect();
    let known = cover_source::restore(conn, district, import.id, &ids).await?;
    changed.retain(|cover| !known.contains(cover));
    cover_source::stand(conn, district, seq, &changed).await?;
    cover_source::forget(conn, district, &brought).await?;
    cover_source::let_stand(conn, district, import.id, &stay).await?;
    let is_over = is_last && restore_rest(conn, district, import.id).await?;
    let state = if is_over { "undone" } else { "undoing" };
    let total = so_far.and(&undone);
    let reply = if is_over { Some(undoing.reply(context, conn, &total, now).await?) } else { None };
    imports::set_state(conn, (district, import.id), state, &import.counts, None).await?;
    events::rows(district, &[undoing.event(&undone, now)]).write(conn).await?;
    head::rows(district, &head).write(conn).await?;
    let covers = states.into_iter().map(|state| state.cover).collect();
    Ok(Ok(Step { covers, undone: total, reply }))
}

/// Takes back what an import only said of covers that it left as they were; whether that was all of it.
async fn restore_rest(conn: &mut Conn<'_>, district: DistrictCode, import: ImportId) -> StoreResult<bool> {
    let rest = cover_source::superseded_by(conn, district, import, AT_ONCE).await?;
    cover_source::restore(conn, district, import, &rest).await?;
    Ok((rest.len() as u64) < AT_ONCE)
}

impl Undone {
    /// The same with what another step did.
    fn and(self, step: &Self) -> Self {
        let Self { kind, removed, restored, kept, .. } = self;
        let (removed, restored, kept) = (removed + step.removed, restored + step.restored, kept + step.kept);
        Self { kind, removed, restored, kept, seq: step.seq }
    }
}

impl Undoing {
    /// The reply, kept for who asks again under the same key within the transaction that ends it.
    pub(super) async fn reply(
        &self,
        context: &Context,
        conn: &mut Conn<'_>,
        undone: &Undone,
        now: Timestamp,
    ) -> StoreResult<Reply> {
        let district = self.import.district;
        let reply = (self.render.0)(undone).reply(format!("{district}:{}", undone.seq));
        if let Some(asked) = &self.asking.idempotency {
            let kept = idempotent::keep(&context.seal, asked, &reply, now)?;
            idempotency::rows(district, &[kept]).write(conn).await?;
        }
        Ok(reply)
    }

    /// What is told of it.
    pub(super) fn event(&self, undone: &Undone, now: Timestamp) -> Event {
        let Self { import, asking: Asking { actor: by, reason, .. }, .. } = self;
        let data = json!({
            "profile": import.profile, "file": import.file, "kind": import.kind, "removed": undone.removed,
            "restored": undone.restored, "kept": undone.kept, "role": by.role.as_str(),
            "unit": by.unit().map(OrgCode::to_string),
        });
        Event {
            seq: undone.seq,
            at: now.as_microsecond(),
            actor: by.log_name(),
            kind: "import.undone".to_owned(),
            subject: import.id.to_string(),
            version: 2,
            data: data.to_string(),
            reason: reason.as_ref().map(|text| text.as_str().to_owned()),
        }
    }
}

/// Codes in a refusal: the first few, each once, whatever stands for it.
pub(in crate::service) fn named(mut codes: Vec<String>) -> String {
    let mut seen = HashSet::new();
    codes.retain(|code| seen.insert(code.clone()));
    let more = if codes.len() > NAMED { ", …" } else { "" };
    codes.truncate(NAMED);
    format!("{}{more}", codes.join(", "))
}
