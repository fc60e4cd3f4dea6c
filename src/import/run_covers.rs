//! The covers of a run: what the registry knows of them, and their way into it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Row;
use super::check::{Holder, Near};
use super::draft::{CoverDraft, Draft};
use super::field::Field;
use super::finding::{Finding, FindingCode};
use super::profile::Profile;
use super::run::{Mode, OnError, Run, RunError, Tally};
use crate::domain::catalog::CategoryCode;
use crate::domain::cover::Cover;
use crate::domain::id::{CoverCode, CoverId, DistrictCode, OrgCode};
use crate::domain::position::{Position, Wgs84};
use crate::domain::said::say;
use crate::service::Guli;
use crate::service::error::ServiceError;
use crate::service::import::{AT_ONCE, ImportFile, Outcome, STEP};
use crate::store::imports::{KnownRecord, StagedCover};

/// How near another department's cover of the category is looked for, in metres.
const NEAR_M: f64 = 1.0;

/// What the registry knows of the rows at hand, asked for a chunk at a time.
pub(super) struct Lookup<'r> {
    guli: &'r Arc<Guli>,
    handle: &'r Handle,
    /// Behind a lock because the checks that ask may run anywhere; nobody contends for it.
    chunk: Mutex<Chunk>,
}

#[derive(Default)]
struct Chunk {
    known: HashMap<String, KnownRecord>,
    /// `source/external id` of the covers that hold the chunk's codes.
    sources: HashMap<CoverCode, String>,
    /// The cover of the row at hand, if it was imported before, and whether the row says the same again.
    current: Option<(CoverId, bool)>,
}

impl<'r> Lookup<'r> {
    pub(super) fn new(guli: &'r Arc<Guli>, handle: &'r Handle) -> Self {
        Self { guli, handle, chunk: Mutex::default() }
    }

    fn chunk(&self) -> MutexGuard<'_, Chunk> {
        self.chunk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for everything that a chunk of rows will need.
    pub(super) fn prepare(
        &self,
        district: Option<DistrictCode>,
        profile: &Profile,
        rows: &[Row],
    ) -> Result<(), ServiceError> {
        let (Some(district), Some(source)) = (district, &profile.source) else { return Ok(()) };
        let drafts = || rows.iter().filter_map(|row| row.draft.as_ref()).filter_map(cover);
        let ids: Vec<&str> = drafts().map(|draft| draft.external_id.as_str()).collect();
        // A code that is not in memory is held by nobody.
        let index = &self.guli.context.index;
        let codes: Vec<CoverCode> =
            drafts().filter_map(|draft| draft.code).filter(|code| index.cover(*code).is_some()).collect();
        let known = self.handle.block_on(self.guli.known_records(district, source.as_str(), &ids))?;
        let sources = self.handle.block_on(self.guli.sources_of(district, &codes))?;
        *self.chunk() = Chunk { known, sources, current: None };
        Ok(())
    }

    /// Says which record is checked next.
    pub(super) fn turn_to(&self, draft: &CoverDraft) {
        let mut chunk = self.chunk();
        chunk.current = chunk.known.get(&draft.external_id).map(|known| (known.cover, known.digest == draft.digest()));
    }

    pub(super) fn known(&self, external_id: &str) -> Option<KnownRecord> {
        self.chunk().known.get(external_id).copied()
    }

    /// Who holds a code.
    pub(super) fn holder(&self, code: CoverCode) -> Option<Holder> {
        let chunk = self.chunk();
        let (source, external_id) = chunk.sources.get(&code)?.split_once('/')?;
        Some(Holder { source: source.parse().ok()?, external_id: external_id.to_owned() })
    }

    /// The nearest registered cover of the category that is not of the source.
    pub(super) fn nearest(
        &self,
        category: CategoryCode,
        at: Position<Wgs84>,
        source: Option<&OrgCode>,
    ) -> Option<Near> {
        let current = self.chunk().current;
        let near = self.guli.context.index.covers_near(at, NEAR_M);
        // Of two, the one that came later is the duplicate: imported again, each row is told what it was told before.
        let is_other = |id: CoverId| match current {
            Some((own, true)) => id < own,
            Some((own, false)) => id != own,
            None => true,
        };
        near.into_iter().filter(|(view, _)| view.category() == category && is_other(view.id)).find_map(
            |(view, metres)| {
                let asked = self.handle.block_on(self.guli.sources_of(view.code.district(), &[view.code]));
                let asked =
                    asked.inspect_err(|error| tracing::warn!(%error, "a neighbour's source is not known")).ok()?;
                let theirs = asked.get(&view.code)?.split_once('/')?.0.to_owned();
                let other = source.is_none_or(|source| source.as_str() != theirs);
                let code = view.code;
                other.then(|| Near { name: say!("{code} of {theirs}", "{theirs} 的 {code}"), metres })
            },
        )
    }

    /// A record's code is for life: a file cannot change it, nor the category that it contains.
    pub(super) fn contradiction(&self, row: &Row, profile: &Profile) -> Option<Finding> {
        let draft = row.draft.as_ref().and_then(cover)?;
        let known = self.known(&draft.external_id)?;
        let code = self.guli.context.index.cover_by_id(known.cover)?.code;
        let (field, detail) = match draft.code {
            Some(other) if other != code => {
                let detail = say!(
                    "this record was imported as {code}; its code cannot become {other}",
                    "该记录导入时的编码是 {code}，不能改为 {other}"
                );
                (Field::Code, detail)
            }
            None if draft.category != code.category() => {
                let field = if profile.has(Field::Category) { Field::Category } else { Field::Code };
                let category = draft.category;
                let detail = say!(
                    "this record was imported as {code}; its category cannot become {category}",
                    "该记录导入时的编码是 {code}，小类不能改为 {category}"
                );
                (field, detail)
            }
            _ => return None,
        };
        Some(Finding::new((row.row, row.line), FindingCode::CodeInvalid, Some(profile.label(field)), detail))
    }
}

fn cover(draft: &Draft) -> Option<&CoverDraft> {
    match draft {
        Draft::Cover(draft) => Some(draft),
        _ => None,
    }
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
            let (known, digest) = (run.lookup.known(&draft.external_id), draft.digest());
            let outcome = match known {
                Some(known) if known.digest == digest => Outcome::Unchanged,
                Some(_) => Outcome::Updated,
                None => Outcome::Created,
            };
            tally.counts.add(outcome);
            outcomes.push(outcome);
            if outcome != Outcome::Unchanged && is_wanted(run, tally) {
                let cover = self.settle(run, district, draft, known)?;
                self.waiting.push(StagedCover {
                    row: row.row,
                    source: source.to_string(),
                    external_id: draft.external_id.clone(),
                    digest,
                    original: (draft.original.east, draft.original.north),
                    original_crs: draft.original.crs.as_str(),
                    known: known.is_some(),
                    cover,
                });
            }
        }
        if self.import.is_none() && !self.waiting.is_empty() {
            let (id, kind) = (run.request.id, profile.kind.as_str());
            self.import = Some(run.guli.new_import(id, district, &profile.name, name, kind, &run.request.by));
        }
        let waiting = self.waiting.len() as u64;
        match run.request.on_error {
            OnError::KeepGoing if waiting >= STEP => self.write(run, tally)?,
            OnError::RefuseFile if self.is_staged || waiting > AT_ONCE => self.stage(run)?,
            _ => {}
        }
        Ok(outcomes)
    }

    fn settle(
        &mut self,
        run: &Run<'_>,
        district: DistrictCode,
        draft: &CoverDraft,
        known: Option<KnownRecord>,
    ) -> Result<Cover, RunError> {
        let index = &run.guli.context.index;
        let id = known.map_or_else(|| run.guli.new_cover_id(), |known| known.cover);
        let registered = known.and_then(|known| index.cover_by_id(known.cover)).map(|view| view.code);
        let code = match draft.code.or(registered) {
            Some(code) => code,
            None => self.next_code(run, district, draft.category)?,
        };
        let grid = index.grid_at(draft.position).ok().map(|hit| hit.grid.code);
        Ok(Cover {
            id,
            code,
            owner: draft.owner.clone(),
            responsible_unit: draft.responsible_unit.clone(),
            position: draft.position,
            accuracy: draft.accuracy,
            spec: draft.spec.clone(),
            status: draft.status,
            grid: grid.filter(|grid| grid.district() == district),
            version: 1,
        })
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
        CoverCode::new(district, category, last + 1).map_err(|_| {
            let detail = say!(
                "category {category} has no free sequence left below 1,000,000",
                "小类 {category} 在 1,000,000 以内已没有可用的顺序号"
            );
            RunError::Service(ServiceError::invalid("/category", detail))
        })
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
