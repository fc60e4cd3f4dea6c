//! Covers: position, code and category, specification.

use geojson::GeometryValue;

use super::draft::{CoverDraft, Original};
use super::field::{Field, Format};
use super::finding::{Finding, FindingCode};
use super::map::{Reading, quoted, wrong_code};
use crate::domain::catalog::CategoryCode;
use crate::domain::cover::{Accuracy, LoadClass, Material, Place, Shape, Spec, Status};
use crate::domain::id::{CodeError, CoverCode};
use crate::domain::position::{Position, Wgs84};
use crate::domain::said::say;

pub(super) fn cover(reading: &mut Reading<'_>) -> Option<CoverDraft> {
    let external_id = reading.need_text(Field::ExternalId);
    let (code, category) = code_and_category(reading);
    let owner = reading.raw(Field::Owner);
    let owner = reading.code(Field::Owner, owner);
    let unit = reading.raw(Field::ResponsibleUnit);
    let responsible_unit = reading.code(Field::ResponsibleUnit, unit);
    let place = position(reading);
    let word = reading.raw(Field::Accuracy);
    // Who says nothing about accuracy is promised the least.
    let accuracy = reading.word(Field::Accuracy, word, Accuracy::parse).unwrap_or(Accuracy::C);
    let word = reading.raw(Field::Status);
    let status = reading.word(Field::Status, word, Status::parse).unwrap_or(Status::InService);
    let spec = specification(reading);
    let (position, original) = place?;
    let (external_id, category) = (external_id?, category?);
    Some(CoverDraft {
        external_id,
        code,
        category,
        owner,
        responsible_unit,
        position,
        original,
        accuracy,
        spec,
        status,
    })
}

/// The code, if there is one, and the category, which one of both must give.
fn code_and_category(reading: &mut Reading<'_>) -> (Option<CoverCode>, Option<CategoryCode>) {
    let text = reading.raw(Field::Code);
    let code = text.and_then(|text| match text.parse::<CoverCode>() {
        Ok(code) => Some(code),
        Err(error) => {
            let kind = match error {
                CodeError::UnknownCategory(_) => FindingCode::CategoryUnknown,
                _ => FindingCode::CodeInvalid,
            };
            reading.fault(kind, Field::Code, wrong_code(error, text));
            None
        }
    });
    let category = match (reading.raw(Field::Category), code) {
        (Some(text), _) => match text.parse::<CategoryCode>() {
            Ok(category) => Some(category),
            Err(error) => {
                reading.fault(FindingCode::CategoryUnknown, Field::Category, error);
                None
            }
        },
        (None, Some(code)) => Some(code.category()),
        // A code that cannot be read has its finding already.
        (None, None) if text.is_some() => None,
        (None, None) => {
            let detail = say!("a category is needed, or a code that contains it", "缺少小类，或者包含小类的井盖编码");
            reading.fault(FindingCode::ValueMissing, Field::Category, detail);
            None
        }
    };
    if let (Some(code), Some(category)) = (code, category)
        && code.category() != category
    {
        let detail = say!("category {category} contradicts code {code}", "小类 {category} 与编码 {code} 矛盾");
        reading.fault(FindingCode::CodeInvalid, Field::Code, detail);
    }
    (code, category)
}

/// The position in WGS 84, and as delivered.
fn position(reading: &mut Reading<'_>) -> Option<(Position<Wgs84>, Original)> {
    let (east_field, north_field) = reading.profile.position_fields();
    let original = if in_fields(reading, east_field, north_field) {
        let (east, north) = (number(reading, east_field), number(reading, north_field));
        Original { east: east?, north: north?, crs: reading.profile.crs() }
    } else {
        point(reading)?
    };
    match reading.crs.to_wgs84(original.crs, original.east, original.north) {
        Ok(position) => Some((position, original)),
        Err(error) => {
            let field = match error.axis() {
                Some(axis) => {
                    if axis.to_string() == north_field.as_str() {
                        north_field
                    } else {
                        east_field
                    }
                }
                None => east_field,
            };
            reading.fault(FindingCode::PositionInvalid, field, error);
            let finite = original.east.is_finite() && original.north.is_finite();
            reading.misplaced = finite.then_some(original);
            None
        }
    }
}

/// Whether the position stands in two fields: where the profile names them, or where a file
/// without a profile has them and no geometry.
fn in_fields(reading: &Reading<'_>, east: Field, north: Field) -> bool {
    let (profile, record) = (reading.profile, reading.record);
    let given = || record.get(east).or_else(|| record.get(north)).is_some();
    let tried = profile.by_default && profile.format != Format::Csv;
    profile.has(east) && (!tried || (record.geometry.is_none() && given()))
}

fn number(reading: &mut Reading<'_>, field: Field) -> Option<f64> {
    let text = reading.need(field)?;
    let number = text.parse().ok();
    if number.is_none() {
        let got = quoted(text);
        reading.fault(FindingCode::PositionInvalid, field, say!("{got} is not a number", "{got} 不是数字"));
    }
    number
}

/// The numbers of the feature's Point.
fn point(reading: &mut Reading<'_>) -> Option<Original> {
    let at = reading.record.at();
    let (code, detail) = match reading.record.geometry.as_ref().map(|geometry| &geometry.value) {
        Some(GeometryValue::Point { coordinates }) if (2..=3).contains(&coordinates.len()) => {
            return Some(Original { east: coordinates[0], north: coordinates[1], crs: reading.profile.crs() });
        }
        Some(GeometryValue::Point { coordinates }) => {
            let got = coordinates.len();
            let detail = say!("a position has 2 or 3 numbers, got {got}", "坐标应有 2 个或 3 个数，收到 {got} 个");
            (FindingCode::PositionInvalid, detail)
        }
        Some(other) => {
            let got = other.type_name();
            (FindingCode::GeometryInvalid, say!("a cover needs a Point, got {got}", "井盖应为 Point，收到 {got}"))
        }
        None => (FindingCode::ValueMissing, say!("a cover needs a position", "缺少井盖的位置")),
    };
    reading.findings.push(Finding::new(at, code, Some("geometry"), detail));
    None
}

fn specification(reading: &mut Reading<'_>) -> Spec {
    macro_rules! word {
        ($field:ident, $name:ty) => {{
            let text = reading.raw(Field::$field);
            reading.word(Field::$field, text, <$name>::parse)
        }};
    }
    Spec {
        shape: word!(Shape, Shape),
        opening_mm: whole(reading, Field::OpeningMm, 100.0, 3000.0, 1.0),
        opening_width_mm: whole(reading, Field::OpeningWidthMm, 100.0, 3000.0, 1.0),
        depth_mm: whole(reading, Field::DepthM, 0.2, 20.0, 1000.0),
        material: word!(Material, Material),
        load_class: word!(LoadClass, LoadClass),
        place: word!(Place, Place),
        // That it does not lie in the future is checked where the date is known.
        installed: whole(reading, Field::Installed, 1950.0, 2200.0, 1.0),
    }
}

/// A number between two bounds, times `scale`, as a whole number.
fn whole(reading: &mut Reading<'_>, field: Field, min: f64, max: f64, scale: f64) -> Option<u16> {
    let text = reading.raw(field)?;
    let value = text.parse::<f64>().ok().filter(|value| (min..=max).contains(value));
    match value.map(|value| (value * scale).round()) {
        Some(value) if scale > 1.0 || (value - text.parse().unwrap_or(value)).abs() < f64::EPSILON =>
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "20,000 at most, checked above"
            )]
            Some(value as u16)
        }
        _ => {
            let kind = if scale > 1.0 { say!("number", "数") } else { say!("whole number", "整数") };
            let got = quoted(text);
            let detail =
                say!("{got} is no {kind} from {min} to {max}", "{got} 不是 {min} 到 {max} 的{kind}", kind = kind);
            reading.fault(FindingCode::ValueInvalid, field, detail);
            None
        }
    }
}
