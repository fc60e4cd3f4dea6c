//! CSV (RFC 4180, any one-byte delimiter): a header, then one record a row.

use std::io::Read;
use std::sync::atomic::Ordering;

use csv::{ErrorKind, StringRecord};

use super::encoding::{Budget, Decoder, never_closed, unreadable};
use super::field::Field;
use super::finding::{Finding, FindingCode};
use super::profile::Profile;
use super::record::{RawRecord, Reader, Step, encoding_finding, malformed};
use crate::domain::said::say;

/// What one record may be long in bytes: more is a quotation mark that is never closed.
const RECORD_LIMIT: usize = 1 << 20;

/// The rows of a CSV file.
pub(super) struct CsvReader<R: Read> {
    rows: csv::Reader<Decoder<R>>,
    budget: Budget,
    /// Which of the file's columns hold which fields; found once, from the header.
    slots: Vec<(Field, usize)>,
    header: Vec<String>,
    row: u64,
    cells: StringRecord,
    ended: bool,
}

impl<R: Read> CsvReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// All that is wrong with it: no header, another encoding, a missing column, a column twice.
    pub(super) fn new(decoder: Decoder<R>, profile: &Profile) -> Result<Self, Vec<Finding>> {
        let budget = decoder.budget();
        let rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(profile.delimiter)
            .buffer_capacity(64 * 1024)
            .from_reader(decoder);
        let mut reader = Self {
            rows,
            budget,
            slots: Vec::new(),
            header: Vec::new(),
            row: 0,
            cells: StringRecord::new(),
            ended: false,
        };
        reader.read_header(profile)?;
        Ok(reader)
    }

    fn read_header(&mut self, profile: &Profile) -> Result<(), Vec<Finding>> {
        let at = match self.read_cells() {
            Ok(Some(line)) => (0, line),
            Ok(None) => return Err(vec![malformed((0, 1), say!("the file is empty", "文件是空的"))]),
            Err(finding) => return Err(vec![finding]),
        };
        self.header = self.cells.iter().map(|name| name.trim().to_owned()).collect();
        if self.header.iter().any(|name| name.contains('\u{FFFD}')) {
            return Err(vec![encoding_finding(at, None, self.rows.get_ref().encoding())]);
        }
        let mut findings = Vec::new();
        for field in profile.kind.fields() {
            let Some(name) = profile.column(*field) else { continue };
            let mut places = self.header.iter().enumerate().filter(|(_, header)| *header == name).map(|(i, _)| i);
            match (places.next(), places.next()) {
                (Some(index), None) => self.slots.push((*field, index)),
                (Some(_), Some(_)) => {
                    findings.push(malformed(at, say!("there are two columns named {name}", "有两列名为 {name}")));
                }
                (None, _) if !profile.by_default || needed(profile, *field) => findings.push(self.missing(at, name)),
                (None, _) => {}
            }
        }
        if findings.is_empty() { Ok(()) } else { Err(findings) }
    }

    fn missing(&self, at: (u64, u64), name: &str) -> Finding {
        let columns: String = self.header.join(", ").chars().take(300).flat_map(char::escape_debug).collect();
        let detail =
            match self.header.first().and_then(|only| only.chars().find(|c| matches!(c, ';' | '\t' | '|' | ','))) {
                Some(between) if self.header.len() == 1 => {
                    let between = between.escape_default();
                    say!(
                        "the file's only column is {columns}: should the profile say delimiter = \"{between}\"?",
                        "文件只有一列 {columns}：导入配置是否应写 delimiter = \"{between}\"？"
                    )
                }
                _ => say!("the file's columns are: {columns}", "文件中的列有：{columns}"),
            };
        Finding::new(at, FindingCode::ColumnMissing, Some(name), detail)
    }

    /// Reads the next row and says on which line it begins.
    fn read_cells(&mut self) -> Result<Option<u64>, Finding> {
        self.budget.store(RECORD_LIMIT, Ordering::Relaxed);
        let before = self.rows.position().line();
        match self.rows.read_record(&mut self.cells) {
            Ok(false) => Ok(None),
            Ok(true) => {
                // The parser stands behind the row's own line end, which the decoder sees to.
                let inside = self.cells.as_slice().bytes().filter(|byte| *byte == b'\n').count() as u64;
                let begins = self.rows.position().line().saturating_sub(inside + 1).max(1);
                if begins < before {
                    // Its own line end is in a cell.
                    return Err(malformed((self.row + 1, before), never_closed()));
                }
                Ok(Some(begins))
            }
            Err(error) => {
                let detail = if let ErrorKind::Io(error) = error.kind() {
                    unreadable(error)
                } else {
                    say!("{error}", "无法按 CSV 解析：{error}")
                };
                Err(malformed((self.row + 1, before), detail))
            }
        }
    }
}

/// Whether even a profile that only tries Guli's own names cannot do without the field.
fn needed(profile: &Profile, field: Field) -> bool {
    let (east, north) = profile.position_fields();
    profile.kind.required().contains(&field) || field == east || field == north
}

impl<R: Read> Reader for CsvReader<R> {
    fn next(&mut self, record: &mut RawRecord) -> Step {
        if self.ended {
            return Step::End;
        }
        let line = loop {
            match self.read_cells() {
                // What a spreadsheet leaves behind its table.
                Ok(Some(_)) if self.cells.iter().all(|cell| cell.trim().is_empty()) => {}
                Ok(Some(line)) => break line,
                Ok(None) => return Step::End,
                Err(finding) => {
                    self.ended = true;
                    return Step::Fatal(finding);
                }
            }
        };
        self.row += 1;
        record.begin(self.row, line);
        if let Some(index) = self.cells.iter().position(|cell| cell.contains('\u{FFFD}')) {
            return Step::Fault(encoding_finding(
                record.at(),
                self.header.get(index).map(String::as_str),
                self.rows.get_ref().encoding(),
            ));
        }
        if self.cells.len() != self.header.len() {
            let (got, want) = (self.cells.len(), self.header.len());
            let detail = say!("{got} cells where the header has {want}", "有 {got} 个单元格，表头有 {want} 个");
            return Step::Fault(malformed(record.at(), detail));
        }
        for (field, index) in &self.slots {
            if let Some(text) = self.cells.get(*index) {
                record.set(*field, text);
            }
        }
        Step::Record
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
