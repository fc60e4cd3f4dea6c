//! What became of a file: row by row counted while it is read, told at its end.

use serde::{Deserialize, Serialize};

use super::Row;
use super::finding::Finding;
use crate::service::import::Counts;

/// Findings of a file that its report names; the rest are counted.
pub const FINDINGS: usize = 1_000;

/// What became of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    pub id: String,
    pub profile: String,
    pub file: String,
    pub kind: String,
    pub dry_run: bool,
    /// Nothing of the file was stored, because of its errors.
    pub rejected: bool,
    /// The file could not be read to its end: what came after is not in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broken_off: bool,
    /// The refused file without whose records this one was not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    pub counts: Counts,
    /// The first 1,000.
    pub findings: Vec<Finding>,
    pub findings_total: u64,
}

/// What is known of a file so far.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    pub(super) findings: Vec<Finding>,
    pub(super) findings_total: u64,
    pub(super) broken_off: bool,
}

impl Tally {
    pub(super) fn note(&mut self, row: &Row) {
        self.broken_off |= row.is_break;
        // A finding of the file as a whole is no row.
        if row.row > 0 {
            self.counts.rows += 1;
        }
        if row.is_rejected() {
            self.counts.rejected += 1;
        } else if !row.findings.is_empty() {
            self.counts.warned += 1;
        }
        self.findings_total += row.findings.len() as u64;
        let room = FINDINGS.saturating_sub(self.findings.len());
        self.findings.extend(row.findings.iter().take(room).cloned());
    }

    /// Notes what was found of a row that was noted before.
    pub(super) fn add(&mut self, row: &mut Row, finding: Finding) {
        let was_warned = u64::from(!row.findings.is_empty());
        if finding.is_error() {
            row.draft = None;
            self.counts.rejected += 1;
            self.counts.warned -= was_warned;
        } else {
            self.counts.warned += 1 - was_warned;
        }
        self.findings_total += 1;
        if self.findings.len() < FINDINGS {
            self.findings.push(finding.clone());
        }
        row.findings.push(finding);
    }
}
