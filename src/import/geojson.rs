//! `GeoJSON` (RFC 7946), feature by feature.
//!
//! A collection of 1.7 million features is a gigabyte, so the file is cut at the brackets of its
//! `features` and each feature is parsed by itself; what stands around them (`type`, `name`, `bbox`,
//! in any order) is kept and must be a `FeatureCollection` when the end is reached. A file that
//! is one single feature is read too.

use std::io::{BufRead, Read};

use geojson::{Feature, JsonObject, JsonValue, feature};

use super::encoding::{Decoder, unreadable};
use super::field::Field;
use super::finding::Finding;
use super::profile::Profile;
use super::record::{RawRecord, Reader, Step, encoding_finding, malformed};
use super::scan::{Cut, Scan};
use crate::domain::said::say;

/// The features of a `GeoJSON` file.
pub(super) struct GeoJsonReader<R: Read> {
    input: Decoder<R>,
    slots: Vec<(Field, String)>,
    scan: Scan,
    row: u64,
    ended: bool,
}

impl<R: Read> GeoJsonReader<R> {
    pub(super) fn new(input: Decoder<R>, profile: &Profile) -> Self {
        Self { input, slots: slots(profile), scan: Scan::new(), row: 0, ended: false }
    }

    /// Reads to the end of the next feature.
    fn cut(&mut self) -> Result<bool, Finding> {
        loop {
            let at = (self.row + 1, self.scan.line);
            let piece = self.input.fill_buf().map_err(|error| malformed(at, unreadable(&error)))?;
            if piece.is_empty() {
                return Ok(false);
            }
            let (cut, used) = self.scan.take_piece(piece);
            self.input.consume(used);
            match cut {
                Cut::Nothing => {}
                Cut::Feature => return Ok(true),
                Cut::Bad(reason) => return Err(malformed((self.row + 1, self.scan.line), reason)),
            }
        }
    }

    /// What is left at the end: a whole frame, or one single feature.
    fn end(&mut self, record: &mut RawRecord) -> Step {
        self.ended = true;
        let at = (self.row + 1, self.scan.line);
        if !self.scan.is_whole() {
            let row = self.row;
            let detail = say!("the file ends too early, after {row} features", "文件没有完整结束，到此有 {row} 个要素");
            return Step::Fatal(malformed(at, detail));
        }
        let frame: JsonObject = match serde_json::from_slice(&self.scan.frame) {
            Ok(frame) => frame,
            Err(error) => return Step::Fatal(malformed((0, 1), say!("no GeoJSON: {error}", "不是 GeoJSON：{error}"))),
        };
        match (frame.get("type").and_then(JsonValue::as_str), self.scan.has_features()) {
            (Some("FeatureCollection"), true) => Step::End,
            (Some("Feature"), false) => {
                record.begin(1, 1);
                let text = std::mem::take(&mut self.scan.frame);
                fill(record, &text, &self.slots)
            }
            _ => {
                let detail = say!("no FeatureCollection with features", "不是含有 features 的 FeatureCollection");
                Step::Fatal(malformed((0, 1), detail))
            }
        }
    }
}

impl<R: Read> Reader for GeoJsonReader<R> {
    fn next(&mut self, record: &mut RawRecord) -> Step {
        if self.ended {
            return Step::End;
        }
        match self.cut() {
            Ok(true) => {
                self.row += 1;
                record.begin(self.row, self.scan.feature_line);
                fill(record, &self.scan.feature, &self.slots)
            }
            Ok(false) => self.end(record),
            Err(finding) => {
                self.ended = true;
                Step::Fatal(finding)
            }
        }
    }
}

/// The properties that hold fields.
pub(super) fn slots(profile: &Profile) -> Vec<(Field, String)> {
    let named = |field: &Field| profile.column(*field).map(|name| (*field, name.to_owned()));
    profile.kind.fields().iter().filter_map(named).collect()
}

/// Fills a record from the text of one feature.
pub(super) fn fill(record: &mut RawRecord, text: &[u8], slots: &[(Field, String)]) -> Step {
    let at = record.at();
    let Ok(text) = std::str::from_utf8(text) else {
        return Step::Fault(encoding_finding(at, None));
    };
    if text.contains('\u{FFFD}') {
        return Step::Fault(encoding_finding(at, None));
    }
    let feature: Feature = match serde_json::from_str(text) {
        Ok(feature) => feature,
        Err(error) => {
            return Step::Fault(malformed(at, say!("no GeoJSON feature: {error}", "不是 GeoJSON 要素：{error}")));
        }
    };
    let properties = feature.properties.unwrap_or_default();
    for (field, name) in slots {
        match (properties.get(name), &feature.id) {
            (Some(JsonValue::String(text)), _) => record.set(*field, text),
            (Some(JsonValue::Null), _) => record.set(*field, ""),
            (Some(value), _) => record.set(*field, &value.to_string()),
            // The feature's own id serves where a property of that name does not exist.
            (None, Some(feature::Id::String(text))) if name == "id" => record.set(*field, text),
            (None, Some(feature::Id::Number(number))) if name == "id" => record.set(*field, &number.to_string()),
            (None, _) => {}
        }
    }
    record.geometry = feature.geometry;
    Step::Record
}

#[cfg(test)]
#[path = "geojson_tests.rs"]
mod tests;
