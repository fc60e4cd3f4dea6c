//! `GeoJSON` text sequences (RFC 8142): one feature a line, or each feature behind a record
//! separator (U+001E), which may then span lines.

use std::io::{BufRead, Read};

use super::encoding::{Decoder, unreadable};
use super::finding::Finding;
use super::geojson::Filling;
use super::profile::Profile;
use super::record::{RawRecord, Reader, Step, malformed};
use super::scan::{FEATURE_LIMIT, too_long};

const SEPARATOR: u8 = 0x1E;

/// The features of a sequence.
pub(super) struct GeoJsonSeqReader<R: Read> {
    input: Decoder<R>,
    filling: Filling,
    /// What ends a text: the next separator in a file that begins with one, else the line's end.
    delimiter: Option<u8>,
    text: Vec<u8>,
    line: u64,
    row: u64,
    ended: bool,
}

impl<R: Read> GeoJsonSeqReader<R> {
    pub(super) fn new(input: Decoder<R>, profile: &Profile) -> Self {
        Self { input, filling: Filling::new(profile), delimiter: None, text: Vec::new(), line: 1, row: 0, ended: false }
    }

    /// Reads up to and with the delimiter; false at the end.
    fn read_text(&mut self) -> Result<bool, Finding> {
        self.text.clear();
        loop {
            let at = (self.row + 1, self.line);
            let piece = self.input.fill_buf().map_err(|error| malformed(at, unreadable(&error)))?;
            let Some(first) = piece.first() else { return Ok(!self.text.is_empty()) };
            let delimiter = *self.delimiter.get_or_insert(if *first == SEPARATOR { SEPARATOR } else { b'\n' });
            let end = piece.iter().position(|byte| *byte == delimiter);
            let used = end.map_or(piece.len(), |index| index + 1);
            self.text.extend_from_slice(&piece[..used]);
            self.input.consume(used);
            if self.text.len() > FEATURE_LIMIT {
                return Err(malformed(at, too_long()));
            }
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

impl<R: Read> Reader for GeoJsonSeqReader<R> {
    fn next(&mut self, record: &mut RawRecord) -> Step {
        while !self.ended {
            match self.read_text() {
                Ok(true) => {}
                Ok(false) => self.ended = true,
                Err(finding) => {
                    self.ended = true;
                    return Step::Fatal(finding);
                }
            }
            let begins = self.line;
            self.line += self.text.split(|byte| *byte == b'\n').count() as u64 - 1;
            if self.text.last() == Some(&SEPARATOR) {
                self.text.pop();
            }
            let text = self.text.trim_ascii();
            if !text.is_empty() {
                self.row += 1;
                record.begin(self.row, begins);
                return self.filling.fill(record, text, self.input.encoding());
            }
        }
        Step::End
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{covers, rows};
    use super::*;

    const A: &str = r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[120.38,36.12]},"properties":{"external_id":"a","category":"0101"}}"#;

    fn ids(text: &str) -> Vec<String> {
        rows(text.as_bytes(), &covers("x.geojsonl"))
            .iter()
            .map(|row| format!("{}@{}{}", row.row, row.line, if row.draft.is_some() { "" } else { "!" }))
            .collect()
    }

    #[test]
    fn lines_and_separators_are_read() {
        assert_eq!(ids(&format!("{A}\n\n{A}\r\n{A}")), ["1@1", "2@3", "3@4"]);
        assert_eq!(ids(&format!("\u{1E}{A}\n\u{1E}{A}\n")), ["1@1", "2@2"]);
        let pretty = A.replace(',', ",\n");
        assert_eq!(ids(&format!("\u{1E}{pretty}\n\u{1E}{A}\n")).len(), 2);
    }

    #[test]
    fn a_torn_line_is_one_fault() {
        assert_eq!(ids(&format!("{A}\n{}\n{A}\n", &A[..50])), ["1@1", "2@2!", "3@3"]);
        assert!(matches!(
            GeoJsonSeqReader::new(Decoder::new(&b"[]\n"[..], None), &covers("x.geojsonl"))
                .next(&mut RawRecord::default()),
            Step::Fault(_)
        ));
    }
}
