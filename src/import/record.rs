//! A record as a file holds it: text by field, still without meaning.

use encoding_rs::Encoding;

use super::field::Field;
use super::finding::{Finding, FindingCode};
use crate::domain::said::{Said, say};

/// One record, reused from row to row: the cells are slices of one text.
#[derive(Debug)]
pub(super) struct RawRecord {
    /// Counted from 1 without the header.
    pub(super) row: u64,
    /// Where it begins, counted from 1.
    pub(super) line: u64,
    pub(super) geometry: Option<geojson::Geometry>,
    text: String,
    cells: [Option<(usize, usize)>; Field::COUNT],
}

impl Default for RawRecord {
    fn default() -> Self {
        Self { row: 0, line: 0, geometry: None, text: String::new(), cells: [None; Field::COUNT] }
    }
}

/// What a reader came to.
#[derive(Debug)]
pub(super) enum Step {
    /// The record has been filled.
    Record,
    /// One record cannot be read; the next one may be.
    Fault(Finding),
    /// The rest of the file cannot be read.
    Fatal(Finding),
    End,
}

/// A file, record by record.
pub(super) trait Reader {
    /// Fills `record` with the next one.
    fn next(&mut self, record: &mut RawRecord) -> Step;
}

impl RawRecord {
    /// Empties the record and begins the next row.
    pub(super) fn begin(&mut self, row: u64, line: u64) {
        (self.row, self.line) = (row, line);
        self.geometry = None;
        self.text.clear();
        self.cells = [None; Field::COUNT];
    }

    pub(super) fn set(&mut self, field: Field, text: &str) {
        let from = self.text.len();
        self.text.push_str(text);
        self.cells[field as usize] = Some((from, self.text.len()));
    }

    /// The text of a field, trimmed; `None` where there is none.
    pub(super) fn get(&self, field: Field) -> Option<&str> {
        let (from, to) = self.cells[field as usize]?;
        Some(self.text[from..to].trim()).filter(|text| !text.is_empty())
    }

    /// Whether the file has the field at all, be it empty.
    pub(super) const fn has(&self, field: Field) -> bool {
        self.cells[field as usize].is_some()
    }

    pub(super) const fn at(&self) -> (u64, u64) {
        (self.row, self.line)
    }
}

/// The finding for a record with bytes that the encoding does not know, which the decoder has
/// replaced by U+FFFD. A U+FFFD in the file itself is the scar of an earlier such accident.
pub(super) fn encoding_finding(at: (u64, u64), column: Option<&str>, encoding: &'static Encoding) -> Finding {
    let name = encoding.name();
    let detail = say!(
        "bytes that are no text in {name}: say in the profile which encoding the file is in",
        "有字节不符合 {name} 编码：请在导入配置中写明文件的编码"
    );
    Finding::new(at, FindingCode::EncodingInvalid, column, detail)
}

/// The finding that says why the file cannot be read on.
pub(super) fn malformed(at: (u64, u64), detail: Said) -> Finding {
    Finding::new(at, FindingCode::Malformed, None, detail)
}
