//! What an import finds wrong: one finding a fault, as a table for people and as JSON for programs.

use std::fmt::Write as _;

use comfy_table::{Cell, Color};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::domain::cover::words;
use crate::domain::said::{Language, Said, say};

words! {
    /// What is wrong. Stable: programs and the answer key of the demo district rely on it.
    FindingCode {
        /// A column that the profile needs is not in the file.
        ColumnMissing = "column_missing",
        /// Bytes that are no text in the file's encoding.
        EncodingInvalid = "encoding_invalid",
        /// Unreadable or truncated.
        Malformed = "malformed",
        /// An empty table or collection.
        NoRecords = "no_records",
        ValueMissing = "value_missing",
        /// An unknown word, a bad number.
        ValueInvalid = "value_invalid",
        CodeInvalid = "code_invalid",
        /// The same code or external id twice in the file, or a code that another record holds.
        CodeRepeated = "code_repeated",
        /// A community, sub-district or organisation that does not exist.
        ParentMissing = "parent_missing",
        CategoryUnknown = "category_unknown",
        /// Not a number, not finite, out of range.
        PositionInvalid = "position_invalid",
        /// Outside the district as given, inside with the two numbers exchanged.
        AxesSwapped = "axes_swapped",
        OutsideDistrict = "outside_district",
        /// Self-intersection, unclosed ring, not a polygon, too many vertices.
        GeometryInvalid = "geometry_invalid",
        /// A grid that has ground of another.
        GridOverlaps = "grid_overlaps",
        /// Nobody owns it, and its category is not 无主井盖.
        OwnerMissing = "owner_missing",
        /// A cover of the same category from another source within a metre.
        NearDuplicate = "near_duplicate",
        /// A cover of another department's.
        NotPermitted = "not_permitted",
        /// The file changed what had been corrected in the registry since it was delivered last.
        OverwritesCorrection = "overwrites_correction",
        /// It was removed in the registry, and stays so.
        RemovedHere = "removed_here",
        /// No number that can be called: the record is taken without it.
        PhoneInvalid = "phone_invalid",
    }
    /// Whether a finding rejects its row.
    Severity { Error = "error", Warning = "warning" }
}

impl FindingCode {
    pub const fn severity(self) -> Severity {
        match self {
            Self::NoRecords
            | Self::OwnerMissing
            | Self::NearDuplicate
            | Self::OverwritesCorrection
            | Self::RemovedHere
            | Self::PhoneInvalid => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

macro_rules! serde_as_word {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                Self::parse(&word).ok_or_else(|| D::Error::custom(format!("unknown word {word:?}")))
            }
        }
    )*};
}
serde_as_word!(FindingCode, Severity);

/// One fault of one row, or of the whole file (row 0).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Record, counted from 1 without the header.
    pub row: u64,
    /// Line of the file where the record begins, counted from 1.
    pub line: u64,
    pub severity: Severity,
    pub code: FindingCode,
    /// The file's name of the column or property at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    #[serde(flatten, with = "sentence")]
    pub detail: Said,
}

/// A sentence in a report: `detail` is English, `detail_zh` Chinese.
mod sentence {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::domain::said::Said;

    #[derive(Serialize, Deserialize)]
    struct Both<'a> {
        detail: Cow<'a, str>,
        /// Reports kept by earlier versions have none.
        detail_zh: Option<Cow<'a, str>>,
    }

    pub(super) fn serialize<S: Serializer>(said: &Said, serializer: S) -> Result<S::Ok, S::Error> {
        let Said { english, chinese } = said;
        Both { detail: Cow::Borrowed(english), detail_zh: Some(Cow::Borrowed(chinese)) }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Said, D::Error> {
        let Both { detail, detail_zh } = Both::deserialize(deserializer)?;
        let english = detail.into_owned();
        let chinese = detail_zh.map_or_else(|| english.clone(), Cow::into_owned);
        Ok(Said::new(english, chinese))
    }
}

impl Finding {
    pub fn new(at: (u64, u64), code: FindingCode, column: Option<&str>, detail: impl Into<Said>) -> Self {
        let (row, line) = at;
        Self { row, line, severity: code.severity(), code, column: column.map(str::to_owned), detail: detail.into() }
    }

    /// Leaves only what kind of fault it is and where: the sentence may quote a name or a phone.
    pub fn forget_value(&mut self) {
        self.detail = say!("not kept: it may quote somebody's name or phone", "不予保留：其中可能有姓名或电话");
    }

    pub const fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Error)
    }
}

/// Lines of rows, each with its findings as reports have them, in one language: `detail` is what is said in it.
pub fn rows_in(language: Language, lines: &str) -> String {
    let mut said = String::with_capacity(lines.len());
    for line in lines.lines() {
        said.push_str(&row_in(language, line).unwrap_or_else(|| line.to_owned()));
        said.push('\n');
    }
    said
}

/// `None` where nothing is to be changed.
fn row_in(language: Language, line: &str) -> Option<String> {
    // Most rows have no finding, and need not be parsed.
    let mut row: Value = line.contains("\"detail_zh\"").then(|| serde_json::from_str(line).ok())??;
    for finding in row["findings"].as_array_mut()?.iter_mut().filter_map(Value::as_object_mut) {
        let chinese = finding.remove("detail_zh");
        if let (Language::Chinese, Some(chinese)) = (language, chinese) {
            finding.insert("detail".to_owned(), chinese);
        }
    }
    Some(row.to_string())
}

/// A table of the findings for a terminal, and a last line if there are more than `limit`.
pub fn table(findings: &[Finding], limit: usize, coloured: bool) -> String {
    let mut table = crate::table::new(["row", "line", "finding", "column", "detail"], coloured);
    for finding in findings.iter().take(limit) {
        let colour = if finding.is_error() { Color::Red } else { Color::Yellow };
        table.add_row([
            Cell::new(finding.row),
            Cell::new(finding.line),
            Cell::new(finding.code.as_str()).fg(colour),
            Cell::new(finding.column.as_deref().unwrap_or_default()),
            Cell::new(&finding.detail.english),
        ]);
    }
    let mut text = table.to_string();
    if findings.len() > limit {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n… and {} more", findings.len() - limit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_as_json_and_as_a_line() {
        let findings = [
            Finding::new((3, 4), FindingCode::ValueInvalid, Some("状态"), say!("unknown word", "无法识别")),
            Finding::new((5, 6), FindingCode::OwnerMissing, None, say!("no owner", "没有权属单位")),
        ];
        assert_eq!(
            serde_json::to_string(&findings).unwrap(),
            r#"[{"row":3,"line":4,"severity":"error","code":"value_invalid","column":"状态","detail":"unknown word","detail_zh":"无法识别"},{"row":5,"line":6,"severity":"warning","code":"owner_missing","detail":"no owner","detail_zh":"没有权属单位"}]"#
        );
        let read: Vec<Finding> = serde_json::from_str(&serde_json::to_string(&findings).unwrap()).unwrap();
        assert_eq!(read, findings);
        let plain = table(&findings, 1, false);
        assert!(plain.contains("value_invalid") && plain.ends_with("… and 1 more"), "{plain}");
        assert!(table(&findings, 9, true).contains('\u{1b}'));
    }

    #[test]
    fn rows_are_said_in_one_language() {
        let detail = "\"findings\":[{\"code\":\"x\",\"detail\":\"lon is needed\",\"detail_zh\":\"缺少 lon\"}]";
        let lines = format!("{{\"row\":1}}\n{{{detail},\"row\":2}}\n");
        for (language, said) in [(Language::English, "lon is needed"), (Language::Chinese, "缺少 lon")] {
            let one = format!("{{\"findings\":[{{\"code\":\"x\",\"detail\":\"{said}\"}}],\"row\":2}}");
            assert_eq!(rows_in(language, &lines), format!("{{\"row\":1}}\n{one}\n"));
        }
    }

    #[test]
    fn a_report_that_was_kept_in_one_language_is_read() {
        let kept = r#"{"row":3,"line":4,"severity":"error","code":"value_missing","detail":"lon is needed"}"#;
        let finding: Finding = serde_json::from_str(kept).unwrap();
        assert_eq!(finding.detail, Said::new("lon is needed", "lon is needed"));
    }
}
