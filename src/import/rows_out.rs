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
use crate::domain::id::{DistrictCode, ImportId};
use crate::service::Guli;
use crate::service::error::ServiceError;
use crate::store::import_rows::Piece;

/// What became of a row.
#[derive(Serialize)]
pub(super) struct RowLine<'a> {
    pub(super) file: &'a str,
    pub(super) row: u64,
    pub(super) line: u64,
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

/// The rows of a file as they are kept: compressed at once, some bytes a row, and written when the file is through.
#[derive(Default)]
pub(super) struct KeptRows {
    pieces: Vec<Vec<u8>>,
    /// The piece at hand.
    text: Vec<u8>,
}

impl KeptRows {
    /// Adds a row, of people without what the file says of them.
    pub(super) fn write(&mut self, line: &RowLine<'_>, kind: Kind) {
        let mut findings = Vec::new();
        if kind == Kind::People {
            findings = line.findings.to_vec();
            findings.iter_mut().for_each(Finding::forget_value);
        }
        let findings = if kind == Kind::People { &findings } else { line.findings };
        // Neither text nor numbers can fail to be written to memory.
        let _ = serde_json::to_writer(&mut self.text, &RowLine { findings, ..*line });
        self.text.push(b'\n');
        if self.text.len() >= PIECE {
            self.pack();
        }
    }

    fn pack(&mut self) {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        let _ = packed.write_all(&self.text);
        self.pieces.extend(packed.finish());
        self.text.clear();
    }

    /// Writes them into the database.
    pub(super) async fn keep(
        mut self,
        guli: &Guli,
        district: DistrictCode,
        import: ImportId,
    ) -> Result<(), ServiceError> {
        if !self.text.is_empty() {
            self.pack();
        }
        for (number, rows) in (0..).zip(self.pieces) {
            guli.keep_rows(Piece { district, import, number, rows }).await?;
        }
        Ok(())
    }
}
