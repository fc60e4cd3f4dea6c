//! `GeoJSON` (RFC 7946), feature by feature.
//!
//! A collection of 1.7 million features is a gigabyte, so the file is cut at the brackets of its
//! `features` and each feature is parsed by itself; what stands around them (`type`, `name`, `bbox`,
//! in any order) is kept and must be a `FeatureCollection` when the end is reached. A file that
//! is one single feature is read too.

use std::io::{BufRead, Read};

use geojson::{Feature, JsonObject, JsonValue, feature};

use super::encoding::Decoder;
use super::field::Field;
use super::finding::Finding;
use super::profile::Profile;
use super::record::{RawRecord, Reader, Step, encoding_finding, malformed};

/// What one feature may be long in bytes.
pub(super) const FEATURE_LIMIT: usize = 64 << 20;

/// The features of a `GeoJSON` file.
pub(super) struct GeoJsonReader<R: Read> {
    input: Decoder<R>,
    slots: Vec<(Field, String)>,
    scan: Scan,
    row: u64,
    ended: bool,
}

/// Where the scanner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    /// Between the brackets of `features`; a value may, or may not, come next.
    Between {
        value_may_come: bool,
    },
    /// In a value of `features`; a scalar has no brackets to end at.
    Inside {
        scalar: bool,
    },
    After,
}

/// Cuts the text at the brackets: it knows strings and nesting and nothing else of JSON.
struct Scan {
    phase: Phase,
    line: u64,
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The string read last at the depth of the members, and whether its colon followed.
    key: Vec<u8>,
    key_is_next: bool,
    /// All but the features.
    frame: Vec<u8>,
    feature: Vec<u8>,
    feature_line: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Cut {
    Nothing,
    Feature,
    Bad(&'static str),
}

impl Scan {
    fn new() -> Self {
        Self {
            phase: Phase::Before,
            line: 1,
            depth: 0,
            in_string: false,
            escaped: false,
            key: Vec::new(),
            key_is_next: false,
            frame: Vec::new(),
            feature: Vec::new(),
            feature_line: 1,
        }
    }

    /// Takes one byte.
    fn take(&mut self, byte: u8) -> Cut {
        if byte == b'\n' {
            self.line += 1;
        }
        match self.phase {
            Phase::Before | Phase::After => self.take_frame(byte),
            Phase::Between { value_may_come } => self.take_between(byte, value_may_come),
            Phase::Inside { scalar } => self.take_feature(byte, scalar),
        }
    }

    /// Follows strings and brackets; true where the byte is one of structure.
    fn follow(&mut self, byte: u8) -> bool {
        if self.in_string {
            let closes = byte == b'"' && !self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            self.in_string = !closes;
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        true
    }

    fn take_frame(&mut self, byte: u8) -> Cut {
        if self.frame.len() >= FEATURE_LIMIT {
            return Cut::Bad("no features in the first 64 MiB");
        }
        let was_in_string = self.in_string;
        let structure = self.follow(byte);
        self.frame.push(byte);
        if self.phase == Phase::After {
            return Cut::Nothing;
        }
        if !structure {
            if self.depth == 1 && self.key.len() < 16 {
                self.key.push(byte);
            }
            return Cut::Nothing;
        }
        match byte {
            b'"' if !was_in_string => self.key.clear(),
            b':' if self.depth == 1 => self.key_is_next = self.key == b"features\"",
            b'[' if self.depth == 2 && self.key_is_next => self.phase = Phase::Between { value_may_come: true },
            _ if byte.is_ascii_whitespace() => {}
            _ => self.key_is_next = false,
        }
        Cut::Nothing
    }

    fn take_between(&mut self, byte: u8, value_may_come: bool) -> Cut {
        match byte {
            _ if byte.is_ascii_whitespace() => Cut::Nothing,
            b']' => {
                self.depth -= 1;
                self.frame.push(byte);
                self.phase = Phase::After;
                Cut::Nothing
            }
            b',' if !value_may_come => {
                self.phase = Phase::Between { value_may_come: true };
                Cut::Nothing
            }
            b',' => Cut::Bad("a comma without a feature before it"),
            _ if !value_may_come => Cut::Bad("a comma is missing between two features"),
            _ => {
                self.feature.clear();
                self.feature_line = self.line;
                self.phase = Phase::Inside { scalar: !matches!(byte, b'{' | b'[') };
                self.take_feature(byte, !matches!(byte, b'{' | b'['))
            }
        }
    }

    fn take_feature(&mut self, byte: u8, scalar: bool) -> Cut {
        if self.feature.len() >= FEATURE_LIMIT {
            return Cut::Bad("a feature of more than 64 MiB");
        }
        if scalar && !self.in_string && matches!(byte, b',' | b']') {
            self.phase = Phase::Between { value_may_come: false };
            // A scalar is no feature, and only the next byte tells that it has ended.
            self.take_between(byte, false);
            return Cut::Feature;
        }
        if scalar && !self.in_string && matches!(byte, b'{' | b'[' | b'}') {
            return Cut::Bad("brackets that do not match in features");
        }
        let structure = self.follow(byte);
        self.feature.push(byte);
        if structure && !scalar && self.depth == 2 && matches!(byte, b'}' | b']') {
            self.phase = Phase::Between { value_may_come: false };
            return Cut::Feature;
        }
        Cut::Nothing
    }
}

impl<R: Read> GeoJsonReader<R> {
    pub(super) fn new(input: Decoder<R>, profile: &Profile) -> Self {
        Self { input, slots: slots(profile), scan: Scan::new(), row: 0, ended: false }
    }

    /// Reads to the end of the next feature.
    fn cut(&mut self) -> Result<bool, Finding> {
        loop {
            let at = (self.row + 1, self.scan.line);
            let piece = self.input.fill_buf().map_err(|error| malformed(at, error.to_string()))?;
            if piece.is_empty() {
                return Ok(false);
            }
            let mut cut = Cut::Nothing;
            let mut used = 0;
            for byte in piece {
                used += 1;
                cut = self.scan.take(*byte);
                if cut != Cut::Nothing {
                    break;
                }
            }
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
        if self.scan.depth > 0 || self.scan.in_string || !matches!(self.scan.phase, Phase::Before | Phase::After) {
            return Step::Fatal(malformed(at, format!("the file ends too early, after {} features", self.row)));
        }
        let frame: JsonObject = match serde_json::from_slice(&self.scan.frame) {
            Ok(frame) => frame,
            Err(error) => return Step::Fatal(malformed((0, 1), format!("no GeoJSON: {error}"))),
        };
        match (frame.get("type").and_then(JsonValue::as_str), self.scan.phase) {
            (Some("FeatureCollection"), Phase::After) => Step::End,
            (Some("Feature"), Phase::Before) => {
                record.begin(1, 1);
                let text = std::mem::take(&mut self.scan.frame);
                fill(record, &text, &self.slots)
            }
            _ => Step::Fatal(malformed((0, 1), "no FeatureCollection with features")),
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
        Err(error) => return Step::Fault(malformed(at, format!("no GeoJSON feature: {error}"))),
    };
    let properties = feature.properties.unwrap_or_default();
    for (field, name) in slots {
        match (properties.get(name), &feature.id) {
            (Some(JsonValue::String(text)), _) => record.set(*field, text),
            (Some(JsonValue::Null), _) => {}
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
