//! `GeoJSON` (RFC 7946), feature by feature.
//!
//! A collection of 1.7 million features is a gigabyte, so the file is cut at the brackets of its
//! `features` and each feature is parsed by itself; what stands around them (`type`, `name`, `bbox`,
//! in any order) is kept and must be a `FeatureCollection` when the end is reached. A file that
//! is one single feature is read too.

use std::io::{BufRead, Read};

use encoding_rs::Encoding;
use geojson::{Feature, JsonObject, JsonValue, feature};

use super::encoding::{Decoder, unreadable};
use super::field::Field;
use super::finding::Finding;
use super::profile::Profile;
use super::record::{RawRecord, Reader, Step, encoding_finding, malformed};
use super::scan::{Cut, Scan};
use crate::crs::Crs;
use crate::domain::said::{Said, say};

/// The features of a `GeoJSON` file.
pub(super) struct GeoJsonReader<R: Read> {
    input: Decoder<R>,
    filling: Filling,
    scan: Scan,
    row: u64,
    ended: bool,
}

impl<R: Read> GeoJsonReader<R> {
    pub(super) fn new(input: Decoder<R>, profile: &Profile) -> Self {
        Self { input, filling: Filling::new(profile), scan: Scan::new(), row: 0, ended: false }
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

    /// What stands before the features may say what system they are in.
    fn another_crs(&self) -> Option<Finding> {
        let mut before = self.scan.frame.clone();
        before.extend_from_slice(b"]}");
        let before: JsonObject = serde_json::from_slice(&before).ok()?;
        self.filling.another_crs(&before).map(|detail| malformed((0, 1), detail))
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
                self.filling.fill(record, &text, self.input.encoding())
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
                if self.row == 0
                    && let Some(finding) = self.another_crs()
                {
                    self.ended = true;
                    return Step::Fatal(finding);
                }
                self.row += 1;
                record.begin(self.row, self.scan.feature_line);
                self.filling.fill(record, &self.scan.feature, self.input.encoding())
            }
            Ok(false) => self.end(record),
            Err(finding) => {
                self.ended = true;
                Step::Fatal(finding)
            }
        }
    }
}

/// How a record comes of a feature.
pub(super) struct Filling {
    /// The properties that hold fields.
    slots: Vec<(Field, String)>,
    /// Whether nobody said what system the coordinates are in, so that the file's own word counts.
    believes_file: bool,
}

impl Filling {
    pub(super) fn new(profile: &Profile) -> Self {
        let named = |field: &Field| profile.column(*field).map(|name| (*field, name.to_owned()));
        Self {
            slots: profile.kind.fields().iter().filter_map(named).collect(),
            believes_file: profile.stated_crs.is_none(),
        }
    }

    /// What is wrong where the members of a file or a feature say another system than WGS 84, and nobody else said any:
    /// Guli's own `coordinate_system`, and `crs`, which was part of `GeoJSON` before RFC 7946.
    fn another_crs(&self, members: &JsonObject) -> Option<Said> {
        if !self.believes_file {
            return None;
        }
        let legacy = || members.get("crs")?.get("properties")?.get("name");
        let name = members.get("coordinate_system").or_else(legacy)?.as_str()?;
        let plain = name.trim_start_matches("urn:ogc:def:crs:");
        let is_wgs84 = plain.ends_with(":CRS84") || plain.parse() == Ok(Crs::Wgs84);
        (!is_wgs84).then(|| {
            say!(
                "the file says that its coordinates are in {plain}: say crs = \"…\" in the profile, or --crs",
                "文件注明其坐标为 {plain}：请在导入配置中写明 crs = \"…\"，或用 --crs"
            )
        })
    }

    /// Fills a record from the text of one feature.
    pub(super) fn fill(&self, record: &mut RawRecord, text: &[u8], encoding: &'static Encoding) -> Step {
        let at = record.at();
        let text = match std::str::from_utf8(text) {
            Ok(text) if !text.contains('\u{FFFD}') => text,
            _ => return Step::Fault(encoding_finding(at, None, encoding)),
        };
        let feature: Feature = match serde_json::from_str(text) {
            Ok(feature) => feature,
            Err(error) => return Step::Fault(malformed(at, no_feature(text, &error))),
        };
        if let Some(detail) = feature.foreign_members.as_ref().and_then(|members| self.another_crs(members)) {
            return Step::Fatal(malformed(at, detail));
        }
        let properties = feature.properties.unwrap_or_default();
        for (field, name) in &self.slots {
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
}

/// Why a text is no feature. Where in the text is left to the row and line of the finding: the parser counts from the
/// feature's beginning.
fn no_feature(text: &str, error: &serde_json::Error) -> Said {
    let kind = serde_json::from_str::<JsonObject>(text).ok();
    match kind.as_ref().map(|members| members.get("type").and_then(JsonValue::as_str)) {
        Some(Some("FeatureCollection")) => say!(
            "a whole FeatureCollection where one feature was expected: say format = \"geojson\" in the profile",
            "此处应为单个要素，却是整个 FeatureCollection：请在导入配置中写 format = \"geojson\""
        ),
        Some(_) => {
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            say!("no GeoJSON feature: {said}", "不是 GeoJSON 要素：{said}")
        }
        None => say!(
            "no JSON object: it is cut off, or has what JSON has not, as NaN, single quotation marks or a comma too many",
            "不是 JSON 对象：内容被截断，或含有 JSON 没有的写法，如 NaN、单引号、多余的逗号"
        ),
    }
}

#[cfg(test)]
#[path = "geojson_tests.rs"]
mod tests;
