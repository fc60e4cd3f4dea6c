//! The covers of a run on their way into the registry.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::Row;
use super::draft::CoverDraft;
use super::lookup::{Merged, cover};
use super::profile::Profile;
use super::report::Tally;
use super::run::{Mode, OnError, Run, RunError};
use crate::domain::catalog::CategoryCode;
use crate::domain::cover::Cover;
use crate::domain::id::{CoverCode, DistrictCode};
use crate::service::error::ServiceError;
use crate::service::import::codes::full;
use crate::service::import::{AT_ONCE, ImportFile, Outcome, STEP};
use crate::store::cover_stage::{Seen, StagedCover};
use crate::store::imports;

/// The cover that a record tells of again, as it is to be, and what it was compared with.
fn carry(run: &Run<'_>, district: DistrictCode, draft: &CoverDraft, merged: Merged) -> (Cover, Option<Seen>) {
    let stands = merged.changes_nothing().then_some(merged.present.seq);
    let Merged { present, draft: wanted, says, .. } = merged;
    let present = present.cover;
    let grid = if wanted.position == present.position {
        present.grid
    } else {
        let grid = run.guli.context.index.grid_at(wanted.position).ok().map(|hit| hit.grid.code);
        grid.filter(|grid| grid.district() == district)
    };
    let cover = wanted.into_cover(present.id, present.code, grid, present.version);
    let kept = imports::kept(&says, draft.code, &cover);
    (cover, Some(Seen { version: present.version, stands, kept }))
}

/// Whether what is staged now can still be applied.
fn is_wanted(run: &Run<'_>, tally: &Tally) -> bool {
    let refused = tally.counts.rejected > 0 && run.request.on_error == OnError::RefuseFile;
    run.request.mode == Mode::Apply && !refused
}

/// The covers of one file on their way in.
#[derive(Default)]
pub(super) struct CoverRun {
    import: Option<ImportFile>,
    /// Rows that are neither written nor staged yet.
    waiting: Vec<StagedCover>,
    is_staged: bool,
    /// The last sequence given to covers that came without a code.
    sequences: HashMap<CategoryCode, u32>,
    /// The rows before, while they are being written or staged and the next ones are read.
    writing: Option<JoinHandle<Result<(), ServiceError>>>,
}

impl CoverRun {
    /// Settles the identity of each good row and stages what is new or changed; an outcome for each.
    pub(super) fn take(
        &mut self,
        run: &mut Run<'_>,
        district: Option<DistrictCode>,
        rows: &[Row],
        profile: &Profile,
        name: &str,
        tally: &mut Tally,
    ) -> Result<Vec<Outcome>, RunError> {
        let (Some(district), Some(source)) = (district, &profile.source) else { return Ok(Vec::new()) };
        let mut outcomes = Vec::with_capacity(rows.len());
        for (row, draft) in rows.iter().filter_map(|row| Some((row, row.draft.as_ref().and_then(cover)?))) {
            let (known, digest) = (run.lookup.known(&draft.external_id), draft.digest(&row.silent));
            let merged = known.as_ref().and_then(|_| run.lookup.merged(row));
            let outcome = match &merged {
                None if known.is_none() => Outcome::Created,
                None => Outcome::Unchanged,
                Some(merged) if merged.changes_nothing() || merged.stays_removed() => Outcome::Unchanged,
                Some(_) => Outcome::Updated,
            };
            tally.counts.add(outcome);
            outcomes.push(outcome);
            let is_remembered = match &merged {
                None => known.is_none(),
                Some(merged) => !merged.stays_removed(),
            };
            if is_remembered && is_wanted(run, tally) {
                let (cover, seen) = match merged {
                    None => (self.settle(run, district, draft)?, None),
                    Some(merged) => carry(run, district, draft, merged),
                };
                self.waiting.push(StagedCover {
                    row: row.row,
                    source: source.to_string(),
                    external_id: draft.external_id.clone(),
                    digest,
                    original: (draft.original.east, draft.original.north),
                    original_crs: draft.original.crs.as_str(),
                    seen,
                    names_code: draft.code.is_some(),
                    cover,
                });
            }
        }
        if self.import.is_none() && !self.waiting.is_empty() {
            let (id, kind) = (run.id, profile.kind.as_str());
            self.import = Some(run.guli.new_import(Some(id), district, &profile.name, name, kind, &run.request.by));
        }
        let waiting = self.waiting.len() as u64;
        match run.request.on_error {
            OnError::KeepGoing if waiting >= STEP => self.write(run, tally)?,
            OnError::RefuseFile if self.is_staged || waiting > AT_ONCE => self.stage(run)?,
            _ => {}
        }
        Ok(outcomes)
    }

    /// The new cover that a record tells of.
    fn settle(&mut self, run: &Run<'_>, district: DistrictCode, draft: &CoverDraft) -> Result<Cover, RunError> {
        let code = match draft.code {
            Some(code) => code,
            None => self.next_code(run, district, draft.category)?,
        };
        let grid = run.guli.context.index.grid_at(draft.position).ok().map(|hit| hit.grid.code);
        let grid = grid.filter(|grid| grid.district() == district);
        Ok(draft.said().into_cover(run.guli.new_cover_id(), code, grid, 1))
    }

    fn next_code(
        &mut self,
        run: &Run<'_>,
        district: DistrictCode,
        category: CategoryCode,
    ) -> Result<CoverCode, RunError> {
        let last = match self.sequences.get(&category) {
            Some(last) => *last,
            None => run.handle.block_on(run.guli.last_sequence(district, category))?,
        };
        self.sequences.insert(category, last + 1);
        CoverCode::new(district, category, last + 1).map_err(|_| RunError::Service(full(category)))
    }

    /// Writes what waits, as one step.
    fn write(&mut self, run: &Run<'_>, tally: &Tally) -> Result<(), RunError> {
        self.wait(run)?;
        let Some(import) = self.import.clone().filter(|_| !self.waiting.is_empty()) else { return Ok(()) };
        let (guli, rows, counts) = (Arc::clone(run.guli), std::mem::take(&mut self.waiting), tally.counts);
        self.writing = Some(run.handle.spawn(async move { guli.write_covers(&import, rows, &counts).await }));
        Ok(())
    }

    /// Stages what waits: an error further down may still refuse the file.
    fn stage(&mut self, run: &Run<'_>) -> Result<(), RunError> {
        self.wait(run)?;
        let Some(import) = self.import.clone() else { return Ok(()) };
        if !self.is_staged {
            run.handle.block_on(run.guli.begin_import(&import))?;
            self.is_staged = true;
        }
        let (guli, rows) = (Arc::clone(run.guli), std::mem::take(&mut self.waiting));
        self.writing = Some(run.handle.spawn(async move { guli.stage(&import, rows).await }));
        Ok(())
    }

    /// Waits until the rows before are in.
    fn wait(&mut self, run: &Run<'_>) -> Result<(), RunError> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        let written = run.handle.block_on(writing);
        Ok(written.map_err(|error| ServiceError::Internal(format!("writing failed: {error}")))??)
    }

    /// Brings in what is left, or gives everything up.
    pub(super) fn finish(
        mut self,
        run: &Run<'_>,
        tally: &Tally,
        rejected: bool,
    ) -> Result<Option<ImportFile>, RunError> {
        match (self.is_staged, rejected) {
            (false, true) => {}
            (false, false) => self.write(run, tally)?,
            (true, _) => self.stage(run)?,
        }
        self.wait(run)?;
        if let (Some(import), true) = (&self.import, self.is_staged) {
            let done = if rejected {
                run.handle.block_on(run.guli.give_up_import(import, &tally.counts))
            } else {
                run.handle.block_on(run.guli.apply_import(import, &tally.counts))
            };
            done?;
        }
        Ok(self.import)
    }
}
