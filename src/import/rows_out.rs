//! What became of each row: one JSON line each, to a file, and into the database for as long as somebody may ask.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::field::Kind;
use super::finding::Finding;
use super::run::RunError;

/// What became of a row.
#[derive(Serialize)]
pub(super) struct RowLine<'a> {
    pub(super) file: &'a str,
    pub(super) row: u64,
    pub(super) line: u64,
    /// Of a cover that passed: the department's own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) external_id: Option<&'a str>,
    pub(super) outcome: &'static str,
    #[serde(skip_serializing_if = "<[Finding]>::is_empty")]
    pub(super) findings: &'a [Finding],
}

/// The file that the report row by row goes to.
pub(super) struct RowsOut {
    path: PathBuf,
    out: BufWriter<File>,
}

impl RowsOut {
    pub(super) fn create(path: &Path) -> Result<Self, RunError> {
        let file = File::create(path).map_err(|source| RunError::File { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), out: BufWriter::new(file) })
    }

    pub(super) fn write(&mut self, line: &RowLine<'_>) -> Result<(), RunError> {
        let written = serde_json::to_writer(&mut self.out, line).map_err(std::io::Error::from);
        written
            .and_then(|()| self.out.write_all(b"\n"))
            .map_err(|source| RunError::File { path: self.path.clone(), source })
    }

    pub(super) fn finish(mut self) -> Result<(), RunError> {
        self.out.flush().map_err(|source| RunError::File { path: self.path, source })
    }
}

/// Bytes of a piece before it is compressed.
const PIECE: usize = 1 << 20;

/// A piece of the rows as it is kept: its number, and the rows, compressed.
pub(super) type Packed = (i64, Vec<u8>);

/// The rows of a file as they are kept, some bytes a row: each piece is to be written once it is full, but for the first.
/// That one comes last, and says that they are all there.
#[derive(Default)]
pub(super) struct KeptRows {
    first: Option<Vec<u8>>,
    /// The number of the last piece that was full.
    last: i64,
    /// The piece at hand.
    text: Vec<u8>,
}

impl KeptRows {
    /// Adds a row, of people without what the file says of them; gives a piece that is full.
    pub(super) fn write(&mut self, line: &RowLine<'_>, kind: Kind) -> Option<Packed> {
        let mut findings = Vec::new();
        if kind == Kind::People {
            findings = line.findings.to_vec();
            findings.iter_mut().for_each(Finding::forget_value);
        }
        let findings = if kind == Kind::People { &findings } else { line.findings };
        // Neither text nor numbers can fail to be written to memory.
        let _ = serde_json::to_writer(&mut self.text, &RowLine { findings, ..*line });
        self.text.push(b'\n');
        if self.text.len() < PIECE { None } else { self.pack() }
    }

    fn pack(&mut self) -> Option<Packed> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        let _ = packed.write_all(&self.text);
        self.text.clear();
        let packed = packed.finish().ok()?;
        if self.first.is_none() {
            self.first = Some(packed);
            return None;
        }
        self.last += 1;
        Some((self.last, packed))
    }

    /// What is left, in the order in which it is to be written.
    pub(super) fn finish(mut self) -> impl Iterator<Item = Packed> {
        let rest = if self.text.is_empty() { None } else { self.pack() };
        rest.into_iter().chain(self.first.map(|first| (0, first)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn pieces_are_given_as_they_fill_and_the_first_one_at_the_end() {
        let (mut kept, mut pieces) = (KeptRows::default(), BTreeMap::new());
        let file = "x".repeat(1_000);
        for row in 1..=3_500 {
            let line =
                RowLine { file: &file, row, line: row + 1, external_id: None, outcome: "created", findings: &[] };
            pieces.extend(kept.write(&line, Kind::Covers));
        }
        assert_eq!(pieces.keys().collect::<Vec<_>>(), [&1, &2]);
        let rest: Vec<Packed> = kept.finish().collect();
        assert_eq!(rest.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3, 0]);
        pieces.extend(rest);
        let mut text = String::new();
        for packed in pieces.values() {
            GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
        }
        let rows = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["row"].as_u64());
        assert!(rows.eq((1..=3_500).map(Some)));
        assert_eq!(KeptRows::default().finish().count(), 0);
    }
}
