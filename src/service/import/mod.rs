//! Imports into the registry: what a checked file changes, and how it gets in.
//!
//! Up to [`AT_ONCE`] covers of a file are one transaction. More of them, where an error further down
//! may still refuse the file, are staged where nobody sees them and applied once the whole file has
//! passed, in steps of [`STEP`], the writer free for reports in between; each step is a change of the
//! registry with a number of its own. An import that has begun to be applied is finished, after a
//! crash at the next start ([`recover`]); one that was only staged is given up. Where no error refuses
//! a file, steps are written as they come. Areas, organisations and people are few: one transaction a file.

pub mod areas;
pub mod codes;
pub mod covers;
pub mod few;
pub mod people;
mod rebase;
pub mod reports;
pub mod undo;
mod undo_few;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Guli;
use super::clock::Clock;
use super::error::{Result, ServiceError};
use crate::domain::id::{DistrictCode, ImportId};
use crate::store::events::{self, Event};
use crate::store::imports::NotedImport;
use crate::store::{Conn, ImportLock, Result as StoreResult, Store, StoreError, WriteConn};
use crate::store::{corrupt, cover_stage, head, imports};

/// Rows that one transaction may apply while reports are taken.
pub const AT_ONCE: u64 = 20_000;
/// Rows of one step of a larger import.
pub const STEP: u64 = 5_000;

/// One file on its way into the registry.
#[derive(Debug, Clone)]
pub struct ImportFile {
    pub id: ImportId,
    pub district: DistrictCode,
    /// Name of the profile that it was read with.
    pub profile: String,
    /// Its name, for people.
    pub file: String,
    /// What its records are: `covers`, `grids`, …
    pub kind: &'static str,
    /// How the log names who asked for it.
    pub by: String,
}

/// Who imports at the machine itself.
pub const OPERATOR: &str = "operator";

/// What became of a row that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Created,
    Updated,
    Unchanged,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Rows of a file by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub rows: u64,
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub rejected: u64,
    /// With a warning, and not rejected.
    pub warned: u64,
}

impl Counts {
    pub fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Created => self.created += 1,
            Outcome::Updated => self.updated += 1,
            Outcome::Unchanged => self.unchanged += 1,
        }
    }

    fn as_json(&self) -> String {
        json!(self).to_string()
    }
}

impl ImportFile {
    /// The import as it is noted; its identity says when it began.
    fn noted(&self, state: &str, now: Timestamp) -> NotedImport {
        let begun = self.id.0.get_timestamp().map(|at| at.to_unix());
        let begun = begun
            .and_then(|(seconds, nanos)| Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok());
        NotedImport {
            district: self.district,
            id: self.id,
            profile: self.profile.clone(),
            file: self.file.clone(),
            kind: self.kind.to_owned(),
            actor: self.by.clone(),
            state: state.to_owned(),
            started_at: begun.unwrap_or(now),
            ended_at: None,
            counts: "{}".to_owned(),
        }
    }
}

impl Guli {
    /// An identity for an import.
    pub fn new_import_id(&self) -> ImportId {
        ImportId(self.context.clock.uuid())
    }

    /// A new import of a file.
    pub fn new_import(
        &self,
        id: Option<ImportId>,
        district: DistrictCode,
        profile: &str,
        file: &str,
        kind: &'static str,
        by: &str,
    ) -> ImportFile {
        let id = id.unwrap_or_else(|| self.new_import_id());
        let (profile, file, by) = (profile.to_owned(), file.to_owned(), by.to_owned());
        ImportFile { id, district, profile, file, kind, by }
    }

    /// Waits for its turn: imports into a database go one after the other, whichever process they are of, and one that
    /// could not be applied to its end (a full disk, a crash) is brought there before the next begins.
    pub async fn import_turn(&self) -> Result<Turn<'_>> {
        let here = self.importing.lock().await;
        let everywhere = self.store.import_lock().await?;
        self.abandon_imports().await?;
        let waiting = imports::in_state(&mut self.store.read().await?.conn(), "applying").await?;
        for import in waiting {
            tracing::warn!(import = %import.id, file = import.file, "finishing an import that was interrupted");
            self.finish_import(import).await?;
        }
        Ok(Turn { _here: here, _everywhere: everywhere })
    }

    /// Forgets what was staged by an import that ended before its file was read, where nobody is importing now.
    pub(super) async fn sweep_stage(&self) -> Result<()> {
        match self.store.free_import_lock().await? {
            Some(_turn) => self.abandon_imports().await,
            None => Ok(()),
        }
    }

    /// Gives up the imports that a process was reading when it ended. Whoever has the right to import knows that nobody
    /// is reading one.
    async fn abandon_imports(&self) -> Result<()> {
        let abandoned = imports::in_state(&mut self.store.read().await?.conn(), "staging").await?;
        for import in abandoned {
            let (district, now) = (import.district, self.context.clock.now());
            let abandon = self.writer.patiently(
                district,
                move |conn| Box::pin(async move { abandon(&mut conn.conn(), &import, now).await }),
                |()| (),
            );
            abandon.await?;
        }
        Ok(())
    }

    /// Applies what is left of an import. One that cannot be applied any more is given up, so that others can be made.
    async fn finish_import(&self, import: NotedImport) -> Result<()> {
        let (file, counts) = import_of(import)?;
        let state = match self.apply_import(&file, &counts).await {
            Ok(()) => "applied",
            Err(ServiceError::Unavailable) => return Err(ServiceError::Unavailable),
            Err(error) => {
                given_up(&file, &error);
                "failed"
            }
        };
        self.end_import(&file, &counts, state).await
    }
}

/// The right to import, until it is dropped: among this process's imports, and among those of all processes.
#[derive(Debug)]
pub struct Turn<'g> {
    _here: tokio::sync::MutexGuard<'g, ()>,
    _everywhere: Option<ImportLock>,
}

/// Takes a number for a change of the registry and logs it, within the open transaction.
async fn log(clock: &Clock, conn: &mut Conn<'_>, file: &ImportFile, rows: serde_json::Value) -> StoreResult<i64> {
    let district = file.district;
    let mut head = head::lock(conn, district).await?.ok_or_else(|| corrupt("district_head", district))?;
    let now = head.advance(clock.now());
    let seq = head.next_seq();
    head.registry_seq = seq;
    let event = Event {
        seq,
        at: now.as_microsecond(),
        actor: file.by.clone(),
        kind: "import.applied".to_owned(),
        subject: file.id.to_string(),
        version: 1,
        data: json!({ "profile": file.profile, "file": file.file, "kind": file.kind, "rows": rows }).to_string(),
        reason: None,
    };
    events::rows(district, &[event]).write(conn).await?;
    head::rows(district, &head).write(conn).await?;
    Ok(seq)
}

/// Notes an import that is complete within this transaction.
async fn note(conn: &mut Conn<'_>, file: &ImportFile, counts: &Counts, now: Timestamp) -> StoreResult<()> {
    imports::begin(conn, &file.noted("staging", now)).await?;
    imports::set_state(conn, (file.district, file.id), "applied", &counts.as_json(), Some(now)).await
}

/// An import of covers as it was noted.
fn import_of(import: NotedImport) -> StoreResult<(ImportFile, Counts)> {
    let counts = serde_json::from_str(&import.counts).map_err(|e| corrupt("an import's counts", e))?;
    let NotedImport { district, id, profile, file, actor, .. } = import;
    // Older databases do not say who sent it.
    let by = if actor.is_empty() { OPERATOR.to_owned() } else { actor };
    Ok((ImportFile { id, district, profile, file, kind: "covers", by }, counts))
}

/// Gives up an import that ended before its file was read: nothing of it was seen by anyone.
async fn abandon(conn: &mut Conn<'_>, import: &NotedImport, now: Timestamp) -> StoreResult<()> {
    tracing::warn!(import = %import.id, file = import.file, "an import was interrupted while it was read; import it again");
    cover_stage::unstage(conn, import.district, import.id, u64::MAX >> 1).await?;
    imports::set_state(conn, (import.district, import.id), "abandoned", &import.counts, Some(now)).await
}

/// Finishes what a crash interrupted: before anything is loaded into memory.
pub(super) async fn recover(clock: &Clock, store: &Store) -> StoreResult<()> {
    let mut writer = store.write().await?;
    let abandoned = imports::in_state(&mut writer.conn(), "staging").await?;
    for import in abandoned {
        writer.begin().await?;
        abandon(&mut writer.conn(), &import, clock.now()).await?;
        writer.commit().await?;
    }
    for import in imports::in_state(&mut writer.conn(), "applying").await? {
        tracing::warn!(import = %import.id, file = import.file, "finishing an import that was interrupted");
        let (file, counts) = import_of(import)?;
        if let Err(error) = finish(clock, &mut writer, &file, &counts).await? {
            // Whatever keeps it from being finished does not keep the server from starting.
            writer.rollback().await?;
            given_up(&file, &error);
            let import = (file.district, file.id);
            covers::end_of(&mut writer.conn(), import, &counts.as_json(), "failed", clock.now()).await?;
        }
    }
    writer.close().await
}

/// Applies what is left of an import; why it cannot be, with the transaction still open.
async fn finish(clock: &Clock, writer: &mut WriteConn, file: &ImportFile, counts: &Counts) -> StoreResult<Result<()>> {
    while let Some(step) = covers::next_step(&mut writer.conn(), file).await? {
        writer.begin().await?;
        match covers::apply_step(clock, &mut writer.conn(), file, step, counts).await {
            Ok(Ok(_)) => writer.commit().await?,
            Ok(Err(refused)) => return Ok(Err(refused)),
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => return Ok(Err(error.into())),
        }
    }
    Ok(Ok(()))
}

fn given_up(file: &ImportFile, error: &ServiceError) {
    tracing::error!(%error, import = %file.id, file = file.file, "an interrupted import cannot be finished; its rest is given up");
}
