//! Taking an import back: what it brought is removed, what it changed is as before, each as a new version.
//!
//! Only where nothing stands on it: no later change of what it made, no open order on a cover that it brought.
//! Up to [`AT_ONCE`] covers are one transaction, more of them go in steps of [`STEP`]; an undoing that was
//! interrupted is finished by asking for it again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::covers::show;
use super::{AT_ONCE, STEP};
use crate::domain::actor::{self, Action, Actor, Resource};
use crate::domain::cover::{Cover, CoverDraft, Status};
use crate::domain::id::{CoverId, DistrictCode, ImportId, OrgCode};
use crate::domain::said::{Said, say};
use crate::domain::text::Text;
use crate::service::error::{Result, ServiceError};
use crate::service::{Context, Guli};
use crate::store::cover_history::{self, CoverState, Made};
use crate::store::events::{self, Event};
use crate::store::imports::NotedImport;
use crate::store::{Conn, Result as StoreResult, corrupt, head, imports};

/// Things named in a refusal.
const NAMED: usize = 5;

/// What an undoing did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// What the import had brought.
    pub removed: u64,
    /// What it had changed.
    pub restored: u64,
    /// What was changed or reported in that very moment, and stays.
    pub kept: u64,
    /// The number of the last change that this wrote.
    pub seq: i64,
}

/// An import that is to be taken back, and by whom.
#[derive(Debug, Clone)]
struct Undoing {
    import: NotedImport,
    /// The changes that it made.
    seqs: Vec<i64>,
    /// Whether it was begun before, and interrupted.
    goes_on: bool,
    by: Actor,
    reason: Option<Text<2000>>,
}

impl Guli {
    /// Takes an import of covers back; refused, with reasons, where something stands on it.
    pub async fn undo_import(&self, actor: &Actor, id: ImportId, reason: Option<Text<2000>>) -> Result<Undone> {
        // Whoever may not waits for nobody's turn.
        self.undoing(actor, id, reason.clone()).await?;
        let _turn = self.import_turn().await?;
        let undoing = self.undoing(actor, id, reason).await?;
        let covers = self.undoable(&undoing).await?;
        let step = if covers.len() as u64 <= AT_ONCE { covers.len() } else { usize::try_from(STEP).unwrap_or(1) };
        let mut undone = Undone::default();
        // Even where nothing is left to be done, that it is done is written down.
        let chunks: Vec<&[Made]> = if covers.is_empty() { vec![&[]] } else { covers.chunks(step).collect() };
        let steps = chunks.len();
        for (n, chunk) in chunks.into_iter().enumerate() {
            let (chunk, is_last) = (chunk.to_vec(), n + 1 == steps);
            let (context, shown, undoing) = (Arc::clone(&self.context), Arc::clone(&self.context), undoing.clone());
            let district = undoing.import.district;
            let work = self.writer.patiently(
                district,
                move |conn| {
                    Box::pin(async move { take_back(&context, &mut conn.conn(), &undoing, &chunk, is_last).await })
                },
                move |(seq, covers, done)| {
                    show(&shown, district, seq, covers);
                    done
                },
            );
            let done = work.await?;
            undone.removed += done.removed;
            undone.restored += done.restored;
            undone.kept += done.kept;
            undone.seq = done.seq;
        }
        Ok(undone)
    }

    /// The district that an import was for.
    pub async fn district_of_import(&self, id: ImportId) -> Result<DistrictCode> {
        let mut reader = self.store.read().await?;
        for district in self.districts() {
            if imports::find(&mut reader.conn(), district, id).await?.is_some() {
                return Ok(district);
            }
        }
        Err(ServiceError::NotFound(say!("import {id}", "导入记录 {id}")))
    }

    /// Finds the import and asks whether the caller may take it back: whoever made it, or an administrator.
    async fn undoing(&self, actor: &Actor, id: ImportId, reason: Option<Text<2000>>) -> Result<Undoing> {
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let district = self.district_of_import(id).await?;
        let hidden = || ServiceError::NotFound(say!("import {id}", "导入记录 {id}"));
        let (import, state) = imports::find(conn, district, id).await?.ok_or_else(hidden)?;
        let events = events::of(conn, import.district, &id.to_string(), i64::MAX).await?;
        let applied: Vec<&Event> = events.iter().filter(|event| event.kind == "import.applied").collect();
        let own = !actor.is_anonymous() && applied.iter().all(|event| event.actor == actor.log_name());
        if !own {
            actor::authorize(actor, Action::Import, Resource::District(import.district))
                .map_err(|refusal| ServiceError::refused(refusal, say!("import {id}", "导入记录 {id}")))?;
        }
        let no = |why: Said| Err(ServiceError::Conflict(say!("import {id} {why}", "导入 {id} {why}", why = why)));
        match state.as_str() {
            "undone" => return no(say!("was taken back already", "已经撤销")),
            "applied" | "undoing" => {}
            _ => return no(say!("stored nothing", "没有存入任何内容")),
        }
        let data: Value = applied.first().and_then(|event| serde_json::from_str(&event.data).ok()).unwrap_or_default();
        match data["kind"].as_str() {
            Some("covers") => {}
            Some("people") => {
                return no(say!(
                    "brought people, of whose names and phones nothing earlier is kept",
                    "导入的是人员，其姓名和电话不保留旧值"
                ));
            }
            _ => {
                return no(say!(
                    "brought no covers; of areas and organizations, put back what their histories say",
                    "导入的不是井盖；区域和单位请按各自的历史改回"
                ));
            }
        }
        let seqs = applied.iter().map(|event| event.seq).collect();
        Ok(Undoing { import, seqs, goes_on: state == "undoing", by: actor.clone(), reason })
    }

    /// The covers that the import made, unless something stands on them. What later changes left as the import made
    /// it stands on nothing.
    async fn undoable(&self, undoing: &Undoing) -> Result<Vec<Made>> {
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let Undoing { import, seqs, goes_on, .. } = undoing;
        let more = |count: usize| if count > NAMED { ", …" } else { "" };
        let made = cover_history::made_by(conn, import.district, seqs).await?;
        let (mut covers, later): (Vec<Made>, Vec<Made>) = made.into_iter().partition(|made| made.made == made.now);
        let mut changed = Vec::new();
        for (made, now, then) in cover_history::now_and_then(conn, import.district, &later, |made| made.made).await? {
            let as_made = |then: &CoverState| {
                then.cover.code == now.cover.code && CoverDraft::of(&then.cover) == CoverDraft::of(&now.cover)
            };
            if then.as_ref().is_some_and(as_made) {
                covers.push(made);
            } else {
                changed.push((now.cover.code, now.cover.version));
            }
        }
        // Of an undoing that goes on, what was taken back already has changed since too.
        if !changed.is_empty() && !goes_on {
            let (more, named) = (more(changed.len()), changed.iter().take(NAMED));
            let named = named.map(|(code, version)| say!("{code} (version {version})", "{code}（版本 {version}）"));
            let named = Said::list(named).unwrap_or_else(|| Said::new("", ""));
            return Err(ServiceError::Conflict(say!(
                "later changes stand on it: {named}{more}",
                "其后还有改动：{named}{more}",
                named = named,
            )));
        }
        let index = &self.context.index;
        let brought = covers.iter().filter(|made| made.made == 1);
        let orders: Vec<_> = brought.filter_map(|made| index.order_on(made.id)).take(NAMED + 1).collect();
        if !orders.is_empty() {
            let named: Vec<_> = orders.iter().take(NAMED).map(|order| order.code.to_string()).collect();
            let (named, more) = (named.join(", "), more(orders.len()));
            return Err(ServiceError::Conflict(say!(
                "open orders stand on covers that it brought: {named}{more}",
                "它导入的井盖上有未结工单：{named}{more}"
            )));
        }
        Ok(covers)
    }
}

/// Takes back what the import made of these covers, as one change of the registry.
async fn take_back(
    context: &Context,
    conn: &mut Conn<'_>,
    Undoing { import, by, reason, .. }: &Undoing,
    covers: &[Made],
    is_last: bool,
) -> StoreResult<(i64, Vec<Cover>, Undone)> {
    let district = import.district;
    let mut head = head::lock(conn, district).await?.ok_or_else(|| corrupt("district_head", district))?;
    context.catch_up(conn, district, &head).await?;
    let now = head.advance(context.clock.now());
    let seq = head.next_seq();
    head.registry_seq = seq;
    let mut undone = Undone { seq, ..Undone::default() };
    let mut states = Vec::with_capacity(covers.len());
    for (made, present, before) in cover_history::now_and_then(conn, district, covers, |made| made.made - 1).await? {
        // What was changed in this moment stays.
        let removes = before.as_ref().is_none_or(|before| before.cover.status == Status::Removed);
        if present.cover.version != made.now || (removes && context.index.order_on(made.id).is_some()) {
            undone.kept += 1;
            continue;
        }
        let version = present.cover.version + 1;
        let state = if let Some(before) = before {
            undone.restored += 1;
            // Its grid is that of today, wherever the grids were then.
            let grid = context.index.grid_at(before.cover.position).ok().map(|hit| hit.grid.code);
            let grid = grid.filter(|grid| grid.district() == district);
            CoverState { cover: Cover { grid, version, ..before.cover }, seq, source: before.source }
        } else {
            undone.removed += 1;
            let removed = Cover { status: Status::Removed, version, ..present.cover };
            CoverState { cover: removed, seq, source: present.source }
        };
        states.push(state);
    }
    cover_history::replace(conn, district, seq, &states).await?;
    let ids: Vec<CoverId> = states.iter().map(|state| state.cover.id).collect();
    imports::forget_digests(conn, district, &ids).await?;
    imports::set_state(conn, district, import.id, if is_last { "undone" } else { "undoing" }, &import.counts).await?;
    let event = Event {
        seq,
        at: now.as_microsecond(),
        actor: by.log_name(),
        kind: "import.undone".to_owned(),
        subject: import.id.to_string(),
        version: 2,
        data: json!({
            "profile": import.profile, "file": import.file, "kind": "covers", "removed": undone.removed,
            "restored": undone.restored, "kept": undone.kept, "role": by.role.as_str(), "unit": by.unit().map(OrgCode::to_string),
        })
        .to_string(),
        reason: reason.as_ref().map(|text| text.as_str().to_owned()),
    };
    events::rows(district, &[event]).write(conn).await?;
    head::rows(district, &head).write(conn).await?;
    Ok((seq, states.into_iter().map(|state| state.cover).collect(), undone))
}
