//! Covers of a file: staged, then applied in steps.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::rebase::{rebase, rebase_stage};
use super::{AT_ONCE, Counts, ImportFile, STEP, codes, log, note};
use crate::domain::catalog::CategoryCode;
use crate::domain::cover::Cover;
use crate::domain::id::{CoverCode, CoverId, DistrictCode, ImportId};
use crate::service::Guli;
use crate::service::clock::Clock;
use crate::service::error::{Result, ServiceError};
use crate::service::writer::{End, Patience};
use crate::store::cover_stage::{self, StagedCover};
use crate::store::covers::{self, Staged};
use crate::store::imports::{self, Earlier, KnownRecord};
use crate::store::{Conn, Result as StoreResult, cover_source};

/// All rows of a file.
const ALL: (u64, u64) = (0, u64::MAX >> 1);

/// Rows of one step, and how many follow it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    rows: (u64, u64),
    last: bool,
}

/// The next rows to be applied, if any are left.
pub(super) async fn next_step(conn: &mut Conn<'_>, file: &ImportFile) -> StoreResult<Option<Step>> {
    let Some((first, last)) = cover_stage::staged_range(conn, file.district, file.id).await? else { return Ok(None) };
    let end = if last - first < AT_ONCE { last } else { first + STEP - 1 };
    Ok(Some(Step { rows: (first, end), last: end == last }))
}

/// Applies one step within the open transaction; gives its number and the covers as they now are, or why it cannot be
/// applied.
pub(super) async fn apply_step(
    clock: &Clock,
    conn: &mut Conn<'_>,
    file: &ImportFile,
    step: Step,
    counts: &Counts,
) -> StoreResult<Result<(i64, Vec<Cover>)>> {
    let (district, id, (first, last)) = (file.district, file.id, step.rows);
    let seq = log(clock, conn, file, json!([first, last])).await?;
    if let Err(refused) = codes::settle_stage(conn, file, step.rows).await? {
        return Ok(Err(refused));
    }
    rebase_stage(conn, file, step.rows).await?;
    let staged = if counts.updated == 0 { Staged::New } else { Staged::Applied };
    if staged == Staged::Applied {
        cover_stage::keep_past(conn, district, id, seq, step.rows).await?;
    }
    // A first delivery supersedes nothing.
    if counts.updated + counts.unchanged > 0 {
        cover_source::keep_of_stage(conn, district, id, step.rows).await?;
    }
    cover_stage::apply(conn, district, id, seq, step.rows).await?;
    let covers = covers::of_stage(conn, district, id, step.rows, staged).await?;
    cover_stage::unstage(conn, district, id, last).await?;
    let state = if step.last { "applied" } else { "applying" };
    let ended = step.last.then(|| clock.now());
    imports::set_state(conn, (district, id), state, &counts.as_json(), ended).await?;
    Ok(Ok((seq, covers)))
}

impl Guli {
    /// The records that a source has delivered before, of these.
    pub async fn known_records(
        &self,
        district: DistrictCode,
        source: &str,
        external_ids: &[&str],
    ) -> Result<HashMap<String, KnownRecord>> {
        let mut reader = self.store.read().await?;
        Ok(imports::known(&mut reader.conn(), district, source, external_ids).await?.into_iter().collect())
    }

    /// What these records said last, and what the registry holds.
    pub async fn earlier_records(
        &self,
        district: DistrictCode,
        records: &[KnownRecord],
    ) -> Result<HashMap<CoverId, Earlier>> {
        let mut reader = self.store.read().await?;
        Ok(imports::earlier(&mut reader.conn(), district, records).await?)
    }

    /// Where the covers with these codes came from: `source/external id` by code.
    pub async fn sources_of(&self, district: DistrictCode, codes: &[CoverCode]) -> Result<HashMap<CoverCode, String>> {
        let mut reader = self.store.read().await?;
        Ok(covers::sources(&mut reader.conn(), district, codes).await?.into_iter().collect())
    }

    /// Where covers came from that had these codes, which no cover has now.
    pub async fn former_sources_of(
        &self,
        district: DistrictCode,
        codes: &[CoverCode],
    ) -> Result<HashMap<CoverCode, String>> {
        let mut reader = self.store.read().await?;
        Ok(covers::former_sources(&mut reader.conn(), district, codes).await?.into_iter().collect())
    }

    /// The highest sequence given to covers of a category.
    pub async fn last_sequence(&self, district: DistrictCode, category: CategoryCode) -> Result<u32> {
        let mut reader = self.store.read().await?;
        Ok(covers::last_sequence(&mut reader.conn(), district, category).await?)
    }

    /// A new identity for a cover.
    pub fn new_cover_id(&self) -> CoverId {
        CoverId(self.context.clock.uuid())
    }

    /// Writes covers at once, as one change of the registry: at most [`AT_ONCE`].
    pub async fn write_covers(&self, file: &ImportFile, mut rows: Vec<StagedCover>, counts: &Counts) -> Result<()> {
        let (context, served, file, counts) =
            (Arc::clone(&self.context), Arc::clone(&self.context), file.clone(), *counts);
        let district = file.district;
        let write = self.writer.run(
            district,
            Patience::Long,
            move |conn| {
                Box::pin(async move {
                    let conn = &mut conn.conn();
                    let span = json!([rows.first().map(|row| row.row), rows.last().map(|row| row.row)]);
                    let seq = log(&context.clock, conn, &file, span).await?;
                    if let Err(refused) = codes::settle(conn, district, &mut rows).await? {
                        return Ok(Err(refused));
                    }
                    rebase(conn, district, &mut rows).await?;
                    cover_stage::write(conn, district, file.id, seq, &rows).await?;
                    note(conn, &file, &counts, context.clock.now()).await?;
                    Ok(Ok((seq, rows.into_iter().filter_map(StagedCover::written).collect())))
                })
            },
            end,
            move |done: Result<_>| done.map(|(seq, covers)| show(&served, district, seq, covers)),
        );
        write.await?
    }

    /// Begins to stage a file's covers.
    pub async fn begin_import(&self, file: &ImportFile) -> Result<()> {
        let noted = file.noted("staging", self.context.clock.now());
        let begin = self.writer.patiently(
            file.district,
            move |conn| Box::pin(async move { imports::begin(&mut conn.conn(), &noted).await }),
            |()| (),
        );
        Ok(begin.await?)
    }

    /// Stages a chunk of covers.
    pub async fn stage(&self, file: &ImportFile, rows: Vec<StagedCover>) -> Result<()> {
        let (district, id) = (file.district, file.id);
        let stage = self.writer.patiently(
            district,
            move |conn| Box::pin(async move { cover_stage::stage(&mut conn.conn(), district, id, &rows).await }),
            |()| (),
        );
        Ok(stage.await?)
    }

    /// Gives an import up: nothing of it was seen by anyone.
    pub async fn give_up_import(&self, file: &ImportFile, counts: &Counts) -> Result<()> {
        self.end_import(file, counts, "rejected").await
    }

    /// Notes what became of an import in the end, and forgets what is left of it.
    pub(super) async fn end_import(&self, file: &ImportFile, counts: &Counts, state: &'static str) -> Result<()> {
        let (district, id, counts, now) = (file.district, file.id, counts.as_json(), self.context.clock.now());
        let end = self.writer.patiently(
            district,
            move |conn| Box::pin(async move { end_of(&mut conn.conn(), (district, id), &counts, state, now).await }),
            |()| (),
        );
        Ok(end.await?)
    }

    /// Makes the staged covers the present, in the database and then in memory.
    pub async fn apply_import(&self, file: &ImportFile, counts: &Counts) -> Result<()> {
        // All of it before the first step: what is refused is not stored in part.
        let taken = cover_stage::taken_codes(&mut self.store.read().await?.conn(), file.district, file.id, ALL).await?;
        if let Err(refused) = codes::refuse_named(&taken) {
            self.give_up_import(file, counts).await?;
            return Err(refused);
        }
        match self.apply_steps(file, counts).await {
            Err(refused @ (ServiceError::Conflict(_) | ServiceError::Invalid(_))) => {
                self.end_import(file, counts, "failed").await?;
                Err(refused)
            }
            applied => applied,
        }
    }

    async fn apply_steps(&self, file: &ImportFile, counts: &Counts) -> Result<()> {
        let file = Arc::new(file.clone());
        let counts = *counts;
        loop {
            let step = next_step(&mut self.store.read().await?.conn(), &file).await?;
            let Some(step) = step else { break };
            let (context, to_apply) = (Arc::clone(&self.context), Arc::clone(&file));
            let (index, district) = (Arc::clone(&self.context), file.district);
            let apply = self.writer.run(
                district,
                Patience::Long,
                move |conn| {
                    Box::pin(
                        async move { apply_step(&context.clock, &mut conn.conn(), &to_apply, step, &counts).await },
                    )
                },
                end,
                move |done: Result<_>| done.map(|(seq, covers)| show(&index, district, seq, covers)),
            );
            apply.await??;
        }
        Ok(())
    }
}

/// How a transaction ends that may have been refused.
pub(super) fn end<T>(done: &Result<T>) -> End {
    if done.is_ok() { End::Commit } else { End::Rollback }
}

/// Notes within the open transaction what became of an import in the end, and forgets what is left of it.
pub(super) async fn end_of(
    conn: &mut Conn<'_>,
    (district, id): (DistrictCode, ImportId),
    counts: &str,
    state: &str,
    now: Timestamp,
) -> StoreResult<()> {
    cover_stage::unstage(conn, district, id, ALL.1).await?;
    imports::set_state(conn, (district, id), state, counts, Some(now)).await
}

pub(super) fn show(context: &crate::service::Context, district: DistrictCode, seq: i64, covers: Vec<Cover>) {
    for cover in covers {
        if let Err(error) = context.index.put_cover(cover) {
            tracing::error!(%error, "a stored cover cannot be held in memory");
        }
    }
    context.registry_came_to(district, seq, seq);
}
