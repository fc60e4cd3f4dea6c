//! What becomes of imports, and the last of them with their reports.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tempfile::TempDir;
use utoipa::ToSchema;

use super::problem::Language;
use crate::domain::actor::Actor;
use crate::domain::id::ImportId;
use crate::domain::said::{Said, say};
use crate::import::profile::Profile;
use crate::import::report::Report;
use crate::service::command::Idempotency;
use crate::service::error::{Result, ServiceError};
use crate::service::import::Counts;

/// Imports whose reports are kept.
const KEPT: usize = 64;
/// Imports that run or wait for their turn at once.
const WAITING: usize = 16;

/// Profiles that an import may name, and the reports of the last imports.
#[derive(Debug, Default)]
pub struct Imports {
    pub(super) profiles: Vec<Profile>,
    made: Mutex<VecDeque<Arc<Made>>>,
}

/// An import that was asked for, with its report row by row once it has come to its end.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) id: ImportId,
    pub(super) actor: String,
    pub(super) dry_run: bool,
    pub(super) profile: String,
    pub(super) file: String,
    pub(super) kind: &'static str,
    pub(super) came: OnceLock<Result<Report>>,
    /// The number that its district's registry had then, as `Guli-Feed` says it; before `came`.
    pub(super) feed: OnceLock<String>,
    pub(super) folder: TempDir,
    /// The key that it was asked for under.
    pub(super) idempotency: Option<Idempotency>,
}

impl Made {
    /// Waits for its end, at most so long; whether it came.
    pub(super) async fn ends_within(&self, patience: Duration) -> bool {
        let until = tokio::time::Instant::now() + patience;
        while self.came.get().is_none() && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.came.get().is_some()
    }

    /// What became of it, or that it goes on.
    pub(super) fn report(&self, language: Language) -> ImportOut {
        let (state, failure) = match self.came.get() {
            Some(Ok(report)) => return ImportOut::new(report, self.id, language),
            Some(Err(error)) => (ImportState::Failed, Some(Said::from(error).into_language(language).into_owned())),
            None => (ImportState::Running, None),
        };
        ImportOut {
            id: self.id.to_string(),
            state,
            failure,
            dry_run: self.dry_run,
            profile: self.profile.clone(),
            file: self.file.clone(),
            kind: self.kind.to_owned(),
            counts: CountsOut::from(Counts::default()),
            findings: Vec::new(),
            findings_total: 0,
            rows_href: format!("/v1/imports/{}/rows", self.id),
        }
    }
}

impl Imports {
    pub fn new(profiles: Vec<Profile>) -> Self {
        Self { profiles, made: Mutex::default() }
    }

    /// Keeps an import that begins, instead of the oldest that has ended; or gives the one that runs under its key.
    pub(super) fn keep(&self, made: &Arc<Made>) -> Result<Option<Arc<Made>>> {
        let mut kept = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = |made: &Made| made.idempotency.as_ref().map(|asked| asked.slot.clone());
        let is_twin = |other: &&Arc<Made>| other.came.get().is_none() && slot(other) == slot(made);
        if let Some(twin) = kept.iter().find(is_twin).filter(|_| made.idempotency.is_some()) {
            return Ok(Some(Arc::clone(twin)));
        }
        if kept.iter().filter(|made| made.came.get().is_none()).count() >= WAITING {
            return Err(ServiceError::Unavailable);
        }
        if kept.len() == KEPT
            && let Some(oldest) = kept.iter().position(|made| made.came.get().is_some())
        {
            kept.remove(oldest);
        }
        kept.push_back(Arc::clone(made));
        Ok(None)
    }

    pub(super) fn find(&self, actor: &Actor, id: &str) -> Result<Arc<Made>> {
        let kept = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|made| made.id.to_string() == id && made.actor == actor.log_name());
        found.cloned().ok_or_else(|| ServiceError::NotFound(say!("import {id}", "导入记录 {id}")))
    }
}

/// Rows by what became of them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CountsOut {
    pub rows: u64,
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub rejected: u64,
    pub warned: u64,
}

impl From<Counts> for CountsOut {
    fn from(Counts { rows, created, updated, unchanged, rejected, warned }: Counts) -> Self {
        Self { rows, created, updated, unchanged, rejected, warned }
    }
}

/// A fault of a row.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RowFindingOut {
    /// Counts records from 1; 0 is the file itself.
    pub row: u64,
    /// Line of the file where the record begins.
    pub line: u64,
    #[schema(examples("error"))]
    pub severity: &'static str,
    #[schema(examples("value_invalid"))]
    pub code: &'static str,
    /// The file's own name of the column.
    pub column: Option<String>,
    /// In the language of `Accept-Language`.
    pub detail: String,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    Running,
    /// A dry run that came to its end.
    Tried,
    Stored,
    /// Nothing was stored, because of the file's errors.
    Rejected,
    /// It could not come to its end.
    Failed,
    /// It is being taken back.
    Undoing,
    /// It was taken back.
    Undone,
}

/// What became of a file.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ImportOut {
    pub id: String,
    pub state: ImportState,
    /// Why it failed.
    pub failure: Option<String>,
    pub dry_run: bool,
    pub profile: String,
    pub file: String,
    pub kind: String,
    pub counts: CountsOut,
    /// The first 1,000.
    pub findings: Vec<RowFindingOut>,
    pub findings_total: u64,
    /// One JSON line for each row; kept for 30 days, of a try until the server stops.
    pub rows_href: String,
}

impl ImportOut {
    /// The same as far as what was stored still is.
    pub(super) fn noted_as(self, noted: Option<&str>) -> Self {
        let state = match noted {
            Some("undoing") => ImportState::Undoing,
            Some("undone") => ImportState::Undone,
            _ => self.state,
        };
        Self { state, ..self }
    }

    pub(super) fn new(report: &Report, id: ImportId, language: Language) -> Self {
        let state = match (report.rejected, report.dry_run) {
            (_, true) => ImportState::Tried,
            (true, false) => ImportState::Rejected,
            (false, false) => ImportState::Stored,
        };
        let findings = report.findings.iter().map(|finding| RowFindingOut {
            row: finding.row,
            line: finding.line,
            severity: finding.severity.as_str(),
            code: finding.code.as_str(),
            column: finding.column.clone(),
            detail: finding.detail.in_language(language).to_owned(),
        });
        Self {
            rows_href: format!("/v1/imports/{id}/rows"),
            id: id.to_string(),
            state,
            failure: None,
            dry_run: report.dry_run,
            profile: report.profile.clone(),
            file: report.file.clone(),
            kind: report.kind.clone(),
            counts: report.counts.into(),
            findings: findings.collect(),
            findings_total: report.findings_total,
        }
    }
}
