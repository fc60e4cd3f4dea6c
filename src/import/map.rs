//! From a record and its profile to a draft: every word, number and code read, every fault named.

use std::str::FromStr;

use super::draft::{AreaCode, AreaDraft, Draft, GridDraft, OrganizationDraft, PersonDraft};
use super::field::{Field, Kind};
use super::finding::{Finding, FindingCode};
use super::profile::Profile;
use super::record::RawRecord;

use super::{Row, draft::Original};
use super::{map_catalog, map_cover};
use crate::crs::CrsService;
use crate::domain::grid::DutyKind;
use crate::domain::id::{CodeError, GridCode};
use crate::domain::organization::OrgKind;
use crate::domain::phone::Phone;
use crate::domain::said::{Said, say};

/// Characters that a name or an external id may have.
pub(super) const MAX_TEXT: usize = 200;

/// Reads one record.
pub(super) fn row(record: &RawRecord, profile: &Profile, crs: CrsService) -> Row {
    let mut reading = Reading { record, profile, crs, findings: Vec::new(), misplaced: None };
    let draft = match profile.kind {
        Kind::District => reading.area().map(Draft::District),
        Kind::Subdistricts => reading.area().map(Draft::Subdistrict),
        Kind::Communities => reading.area().map(Draft::Community),
        Kind::Grids => grid(&mut reading),
        Kind::Organizations => organization(&mut reading),
        Kind::People => person(&mut reading),
        Kind::Categories => map_catalog::category(&mut reading).map(Draft::Category),
        Kind::Damages => map_catalog::damage(&mut reading).map(Draft::Damage),
        Kind::Covers => map_cover::cover(&mut reading).map(Draft::Cover),
    };
    let draft = draft.filter(|_| !reading.findings.iter().any(Finding::is_error));
    let Reading { findings, misplaced, .. } = reading;
    // What cannot be read of a field that may be missing says nothing.
    let is_unread = |field: Field| {
        field == Field::Phone && findings.iter().any(|finding| finding.code == FindingCode::PhoneInvalid)
    };
    let silent = profile.kind.fields().iter().copied();
    let silent = silent.filter(|field| is_silent(record, profile, *field) || is_unread(*field)).collect();
    Row { row: record.row, line: record.line, draft, findings, silent, misplaced, is_break: false }
}

/// Whether a file says nothing of a field. Who names a column for it says what is there, be it nothing; Guli's own names
/// are only tried.
fn is_silent(record: &RawRecord, profile: &Profile, field: Field) -> bool {
    match profile.column(field) {
        Some(_) => profile.by_default && !record.has(field),
        None => profile.constant(field).is_none(),
    }
}

/// A record being read. A method that gives `None` where a value was needed or could not be read
/// has said so in `findings`.
pub(super) struct Reading<'a> {
    pub(super) record: &'a RawRecord,
    pub(super) profile: &'a Profile,
    pub(super) crs: CrsService,
    pub(super) findings: Vec<Finding>,
    /// Numbers that are no position as declared.
    pub(super) misplaced: Option<Original>,
}

impl<'a> Reading<'a> {
    pub(super) fn fault(&mut self, code: FindingCode, field: Field, detail: impl Into<Said>) {
        let label = self.profile.label(field);
        self.findings.push(Finding::new(self.record.at(), code, Some(label), detail));
    }

    /// The text of a field in Guli's words; `None` where there is none.
    pub(super) fn raw(&self, field: Field) -> Option<&'a str> {
        let (record, profile) = (self.record, self.profile);
        let text = record.get(field).or_else(|| profile.constant(field))?;
        match profile.words(field).and_then(|words| words.get(text)) {
            Some(word) => Some(word.as_str()).filter(|word| !word.is_empty()),
            None => Some(text),
        }
    }

    /// The text of a field that must have one.
    pub(super) fn need(&mut self, field: Field) -> Option<&'a str> {
        let text = self.raw(field);
        if text.is_none() {
            let name = field.as_str();
            self.fault(FindingCode::ValueMissing, field, say!("{name} is needed", "缺少 {name}"));
        }
        text
    }

    /// A bounded text without control characters.
    pub(super) fn text(&mut self, field: Field, text: Option<&str>) -> Option<String> {
        match crate::domain::text::Text::<MAX_TEXT>::new(text?) {
            Ok(text) => Some(text.into_string()),
            Err(error) => {
                self.fault(FindingCode::ValueInvalid, field, error);
                None
            }
        }
    }

    pub(super) fn need_text(&mut self, field: Field) -> Option<String> {
        let text = self.need(field);
        self.text(field, text)
    }

    fn phone(&mut self) -> Option<Phone> {
        let phone = self.raw(Field::Phone).map(Phone::new).transpose();
        phone.map_err(|detail| self.fault(FindingCode::PhoneInvalid, Field::Phone, detail)).ok().flatten()
    }

    /// A code; `text` is what [`Self::raw`] or [`Self::need`] gave.
    pub(super) fn code<T: FromStr<Err = CodeError>>(&mut self, field: Field, text: Option<&str>) -> Option<T> {
        match text?.parse() {
            Ok(code) => Some(code),
            Err(error) => {
                self.fault(FindingCode::CodeInvalid, field, wrong_code(error, text.unwrap_or_default()));
                None
            }
        }
    }

    /// One of the words of a field.
    pub(super) fn word<T>(&mut self, field: Field, text: Option<&str>, parse: fn(&str) -> Option<T>) -> Option<T> {
        let text = text?;
        let value = parse(text);
        if value.is_none() {
            let own = super::field::allowed_words(self.profile.kind, field).unwrap_or_default();
            let mut theirs: Vec<&str> =
                self.profile.words(field).map(|words| words.keys().map(String::as_str).collect()).unwrap_or_default();
            theirs.sort_unstable();
            let allowed = theirs.into_iter().chain(own).collect::<Vec<_>>().join(", ");
            let got = quoted(text);
            let detail = say!("unknown word {got}; allowed: {allowed}", "无法识别 {got}，可用的有：{allowed}");
            self.fault(FindingCode::ValueInvalid, field, detail);
        }
        value
    }

    fn area<C: FromStr<Err = CodeError>>(&mut self) -> Option<AreaDraft<C>> {
        let text = self.need(Field::Code);
        let code = self.code(Field::Code, text);
        self.area_with(code)
    }

    fn area_with<C>(&mut self, code: Option<C>) -> Option<AreaDraft<C>> {
        let name = self.need_text(Field::Name);
        let outline = match &self.record.geometry {
            Some(geometry) => crate::crs::outline::outline(geometry, self.profile.crs(), self.crs).map_err(Said::from),
            None => Err(say!("an area needs a geometry", "区域需要几何图形")),
        };
        let outline = outline.map_err(|detail| {
            self.findings.push(Finding::new(self.record.at(), FindingCode::GeometryInvalid, Some("geometry"), detail));
        });
        Some(AreaDraft { code: code?, name: name?, outline: outline.ok()? })
    }
}

/// A foreign text in a message, cut to a bearable length.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

/// What is wrong with a code, and what it is.
pub(super) fn wrong_code(error: CodeError, text: &str) -> Said {
    let got = quoted(text);
    say!("{error}: {got}", "{error}：{got}", error = error)
}

fn grid(reading: &mut Reading<'_>) -> Option<Draft> {
    let text = reading.need(Field::Code).map(with_three_digits);
    let code = reading.code(Field::Code, text.as_deref());
    let area = reading.area_with(code);
    let department = reading.raw(Field::SupervisingDepartment);
    let supervising_department = reading.code(Field::SupervisingDepartment, department);
    Some(Draft::Grid(GridDraft { area: area?, supervising_department }))
}

/// A grid's code as fifteen digits: the form of 2005 has fourteen, its last two become three.
fn with_three_digits(text: &str) -> String {
    let mut digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    if digits.len() == 14 && digits.is_ascii() {
        digits.insert(12, '0');
    }
    digits
}

fn organization(reading: &mut Reading<'_>) -> Option<Draft> {
    let text = reading.need(Field::Code);
    let code = reading.code(Field::Code, text);
    let name = reading.need_text(Field::Name);
    let word = reading.need(Field::OrgKind);
    let kind = reading.word(Field::OrgKind, word, OrgKind::parse);
    let credit_code = reading.raw(Field::CreditCode).map(str::to_ascii_uppercase);
    if let Some(got) = credit_code.as_deref().filter(|c| c.len() != 18 || !c.bytes().all(|b| b.is_ascii_alphanumeric()))
    {
        let got = quoted(got);
        let detail = say!(
            "a 统一社会信用代码 has 18 letters and digits, got {got}",
            "统一社会信用代码应为 18 位字母或数字，收到 {got}"
        );
        reading.fault(FindingCode::ValueInvalid, Field::CreditCode, detail);
    }
    let phone = reading.phone();
    Some(Draft::Organization(OrganizationDraft { code: code?, name: name?, kind: kind?, credit_code, phone }))
}

fn person(reading: &mut Reading<'_>) -> Option<Draft> {
    let external_id = reading.need_text(Field::ExternalId);
    let name = reading.need_text(Field::Name);
    let phone = reading.phone();
    let organization = reading.raw(Field::Organization);
    let organization = reading.code(Field::Organization, organization);
    let word = reading.need(Field::Duty);
    let duty = reading.word(Field::Duty, word, DutyKind::parse);
    let area = reading.need(Field::Area).and_then(|text| area_code(reading, text));
    let (external_id, name, duty, area) = (external_id?, name?, duty?, area?);
    Some(Draft::Person(PersonDraft { external_id, name, phone, organization, duty, area }))
}

fn area_code(reading: &mut Reading<'_>, text: &str) -> Option<AreaCode> {
    let digits = with_three_digits(text);
    let text = Some(digits.as_str());
    match digits.len() {
        9 => reading.code(Field::Area, text).map(AreaCode::Subdistrict),
        12 => reading.code(Field::Area, text).map(AreaCode::Community),
        _ => reading.code::<GridCode>(Field::Area, text).map(AreaCode::Grid),
    }
}
