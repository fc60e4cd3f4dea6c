//! Files in: from what a department hands over to drafts and findings, as a stream.
//!
//! ```text
//! bytes ─ encoding ─ csv | geojson | geojsonseq ─ RawRecord ─ map ─ Draft ─ check ─ what the store takes
//! ```
//!
//! A [`profile`] says how a file is read. [`read`] gives one [`Row`] a record with everything wrong
//! with it by itself; [`check::Checker`] adds what only the registry can tell; [`run`] brings whole files in. Memory does not
//! grow with the file but for the codes and ids that the checker remembers (about 30 bytes a row). Only [`run`] writes,
//! through the service.

use std::io::Read;

use crate::crs::CrsService;
use draft::{Draft, Original};
use encoding::Decoder;
use field::{Field, Format};
use finding::Finding;
use profile::Profile;
use record::{RawRecord, Reader, Step};

pub mod check;
pub mod draft;
pub mod encoding;
pub mod field;
pub mod finding;
pub mod profile;
pub mod report;
pub mod run;

mod check_cover;
mod csv;
mod geojson;
mod geojsonseq;
mod lookup;
mod map;
mod map_catalog;
mod map_cover;
mod neighbours;
mod overlaps;
mod record;
mod rows_out;
mod run_covers;
mod run_few;
mod run_rights;
mod scan;
mod seen;

/// One record of a file: what it means, and what is wrong with it.
#[derive(Debug)]
pub struct Row {
    /// Counted from 1 without the header; 0 is the file itself.
    pub row: u64,
    /// Where it begins, counted from 1.
    pub line: u64,
    /// `None` where an error rejects the row.
    pub draft: Option<Draft>,
    pub findings: Vec<Finding>,
    /// Fields that the file does not have: of these it says nothing, not even that there is nothing.
    pub silent: Vec<Field>,
    /// Two finite numbers that are no position in the declared system: perhaps exchanged ones,
    /// which the checker finds out.
    pub misplaced: Option<Original>,
    /// What comes after it in the file could not be read.
    pub is_break: bool,
}

impl Row {
    fn of_file(findings: Vec<Finding>) -> Self {
        let (row, line) = findings.first().map_or((0, 1), |finding| (finding.row, finding.line));
        Self { row, line, draft: None, findings, silent: Vec::new(), misplaced: None, is_break: false }
    }

    /// Whether an error rejects the row.
    pub fn is_rejected(&self) -> bool {
        self.draft.is_none()
    }
}

/// The rows of a file. What makes the rest unreadable (another encoding, a missing column, a
/// truncated file) is the finding of a last row without a draft.
pub fn read<R: Read>(input: R, profile: &Profile, crs: CrsService) -> Rows<'_, R> {
    let decoder = Decoder::new(input, profile.encoding);
    let source = match profile.format {
        Format::Csv => match csv::CsvReader::new(decoder, profile) {
            Ok(reader) => Source::Csv(Box::new(reader)),
            Err(findings) => Source::Ended(findings),
        },
        Format::GeoJson => Source::GeoJson(Box::new(geojson::GeoJsonReader::new(decoder, profile))),
        Format::GeoJsonSeq => Source::GeoJsonSeq(Box::new(geojsonseq::GeoJsonSeqReader::new(decoder, profile))),
    };
    Rows { source, profile, crs, record: RawRecord::default() }
}

/// The iterator that [`read`] gives.
pub struct Rows<'p, R: Read> {
    source: Source<R>,
    profile: &'p Profile,
    crs: CrsService,
    record: RawRecord,
}

enum Source<R: Read> {
    Csv(Box<csv::CsvReader<R>>),
    GeoJson(Box<geojson::GeoJsonReader<R>>),
    GeoJsonSeq(Box<geojsonseq::GeoJsonSeqReader<R>>),
    /// Not to be read on; what is still to be said.
    Ended(Vec<Finding>),
}

impl<R: Read> Iterator for Rows<'_, R> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let step = match &mut self.source {
            Source::Csv(reader) => reader.next(&mut self.record),
            Source::GeoJson(reader) => reader.next(&mut self.record),
            Source::GeoJsonSeq(reader) => reader.next(&mut self.record),
            Source::Ended(findings) if findings.is_empty() => return None,
            Source::Ended(findings) => return Some(Row::of_file(std::mem::take(findings))),
        };
        match step {
            Step::Record => Some(map::row(&self.record, self.profile, self.crs)),
            Step::Fault(finding) => Some(Row::of_file(vec![finding])),
            Step::Fatal(finding) => {
                self.source = Source::Ended(Vec::new());
                Some(Row { is_break: true, ..Row::of_file(vec![finding]) })
            }
            Step::End => None,
        }
    }
}

#[cfg(test)]
mod tests;
