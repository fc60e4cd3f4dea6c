//! Lines of a district's tables: categories (小类) and damages (问题类型).

use super::field::Field;
use super::finding::FindingCode;
use super::map::{Reading, quoted};
use crate::domain::catalog::{Category, CategoryCode, DamageCode};
use crate::domain::deadline::{DamageRule, Limit, Target};
use crate::domain::said::say;

pub(super) fn category(reading: &mut Reading<'_>) -> Option<Category> {
    let text = reading.need(Field::Code);
    let code = text.and_then(|text| {
        let code = text.parse::<CategoryCode>();
        code.map_err(|error| reading.fault(FindingCode::CategoryUnknown, Field::Code, error)).ok()
    });
    let (name, name_en) = (reading.need_text(Field::Name), reading.need_text(Field::NameEn));
    let word = reading.need(Field::Enabled);
    let enabled = reading.word(Field::Enabled, word, |word| word.parse::<bool>().ok());
    Some(Category { code: code?, name: name?, name_en: name_en?, enabled: enabled? })
}

pub(super) fn damage(reading: &mut Reading<'_>) -> Option<DamageRule> {
    let text = reading.need(Field::Code);
    let code = text.and_then(|text| {
        let code = DamageCode::new(text);
        if code.is_none() {
            let got = quoted(text);
            let detail = say!(
                "a damage's code has lower-case letters and _, at most 40, got {got}",
                "问题类型编码由小写字母和 _ 组成，最多 40 个字符，收到 {got}"
            );
            reading.fault(FindingCode::CodeInvalid, Field::Code, detail);
        }
        code
    });
    let name = reading.need_text(Field::Name);
    let word = reading.need(Field::Urgency);
    let urgency = reading.word(Field::Urgency, word, |word| word.parse().ok().filter(|n| (1..=3).contains(n)));
    let word = reading.need(Field::Target);
    let target = reading.word(Field::Target, word, Target::parse);
    let text = reading.raw(Field::SecureLimit);
    let secure = limit(reading, Field::SecureLimit, text);
    if target == Some(Target::Secure) && secure.is_none() {
        let detail = say!(
            "what need only be safe at the promise (target S) needs a limit for making it so",
            "到承诺时限只需控险的（target 为 S），要写明控险时限"
        );
        reading.fault(FindingCode::ValueMissing, Field::SecureLimit, detail);
    }
    let text = reading.need(Field::RepairLimit);
    let repair = limit(reading, Field::RepairLimit, text);
    Some(DamageRule { code: code?, name: name?, urgency: urgency?, secure, target: target?, repair: repair? })
}

fn limit(reading: &mut Reading<'_>, field: Field, text: Option<&str>) -> Option<Limit> {
    text?.parse::<Limit>().map_err(|error| reading.fault(FindingCode::ValueInvalid, field, error)).ok()
}
