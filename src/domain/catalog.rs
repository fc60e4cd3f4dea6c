//! The tables that say what can be reported (小类, 问题类型): categories of covers and kinds of damage.
//!
//! The national editions are here because they are what a cover's code means. Which of them a
//! district uses, what it adds and how fast each damage must be dealt with is data of the
//! district ([`Catalog`]), filled from [`NATIONAL`] and [`DAMAGE`] when the district is created.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::deadline::{DamageRule, Limit, Target};
use super::id::CodeError;

/// A category (小类) by its four digits in GB/T 30428.2-2013, major class and minor class: `0103`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CategoryCode(u16);

impl CategoryCode {
    /// The four digits as a number; `None` for what neither edition knows.
    pub fn from_number(number: u16) -> Option<Self> {
        NATIONAL.iter().any(|n| n.code == number).then_some(Self(number))
    }

    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CategoryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

impl FromStr for CategoryCode {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        let text = text.trim();
        let unknown = || CodeError::UnknownCategory(text.chars().take(20).collect());
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(unknown());
        }
        match text.len() {
            4 => text.parse().ok().and_then(Self::from_number),
            5 => text.parse().ok().and_then(category_of_2026),
            _ => None,
        }
        .ok_or_else(unknown)
    }
}

/// One line of the national tables. Source: GB/T 30428.2-2013 and GB/T 47678.5-2026, major class
/// 01 公用设施, as publicly transcribed; `osm` from the OpenStreetMap key `manhole`.
#[derive(Debug, Clone, Copy)]
pub struct National {
    /// 2013: major and minor class.
    pub code: u16,
    /// 2026: five digits, the first of them 0. Never derived from the 2013 code by inserting a zero: 01014 is 园林井盖, 0114 is 无主井盖.
    pub type_2026: u16,
    pub name: &'static str,
    pub name_en: &'static str,
    pub osm: &'static str,
    /// Known on import, but off until a district turns it on.
    pub off: bool,
}

const fn on(code: u16, type_2026: u16, name: &'static str, name_en: &'static str, osm: &'static str) -> National {
    National { code, type_2026, name, name_en, osm, off: false }
}

const fn off(code: u16, type_2026: u16, name: &'static str, name_en: &'static str) -> National {
    National { code, type_2026, name, name_en, osm: "other", off: true }
}

/// The categories that Guli knows. Types of the 2026 edition without a 2013 code of their own
/// (园林, 信号灯电源, 电缆, 化粪池, 沟槽盖板) have none to be shown under and are not listed.
pub const NATIONAL: &[National] = &[
    on(101, 1001, "上水井盖", "water", "water"),
    on(102, 1002, "污水井盖", "foul sewer", "sewer"),
    on(103, 1003, "雨水井盖", "storm sewer", "drain"),
    on(104, 1004, "雨水箅子", "inlet grate", "drain"),
    on(105, 1005, "电力井盖", "power", "power"),
    on(106, 1006, "路灯井盖", "street light", "power"),
    on(107, 1007, "通信井盖", "telecom", "telecom"),
    on(108, 1008, "电视井盖", "television", "telecom"),
    on(109, 1009, "网络井盖", "data network", "telecom"),
    on(110, 1010, "热力井盖", "heating", "heat"),
    on(111, 1011, "燃气井盖", "gas", "gas"),
    on(112, 1012, "公安井盖", "police, traffic", "other"),
    on(113, 1013, "消防设施", "hydrant", "water"),
    on(114, 1023, "无主井盖", "ownerless", "unknown"),
    off(128, 1020, "公交井盖", "bus"),
    off(129, 1021, "输油(气)井盖", "oil and gas pipeline"),
    on(127, 1019, "中水井盖", "reclaimed water", "water"),
    on(130, 1022, "特殊井盖(弱电)", "low-voltage", "telecom"),
];

/// The 2026 type of a 2013 category.
pub fn type_2026(category: CategoryCode) -> u16 {
    NATIONAL.iter().find(|n| n.code == category.0).map_or(1022, |n| n.type_2026)
}

/// The 2013 category of a 2026 type.
pub fn category_of_2026(type_2026: u16) -> Option<CategoryCode> {
    NATIONAL.iter().find(|n| n.type_2026 == type_2026).map(|n| CategoryCode(n.code))
}

/// 无主井盖: nobody is known to own it.
pub const OWNERLESS: CategoryCode = CategoryCode(114);

/// A category as a district uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    pub code: CategoryCode,
    pub name: String,
    pub name_en: String,
    pub enabled: bool,
}

/// The code of a damage (问题类型) in the district's table: `missing`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DamageCode(String);

impl DamageCode {
    /// The code, if it has the form of one (lower-case words and underscores); whether the
    /// district knows it, [`Catalog::damage`] says.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= 40 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
            .then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DamageCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One line of the damage table that a new district starts with.
#[derive(Debug, Clone, Copy)]
pub struct NationalDamage {
    pub code: &'static str,
    pub name: &'static str,
    pub urgency: u8,
    pub secure_min: u32,
    pub target: Target,
    pub repair: &'static str,
}

const fn damage(
    code: &'static str,
    name: &'static str,
    urgency: u8,
    secure_min: u32,
    target: Target,
    repair: &'static str,
) -> NationalDamage {
    NationalDamage { code, name, urgency, secure_min, target, repair }
}

/// Guli's starting table; 3 is 紧急, 2 is 紧急 under a condition that only the place shows, 1 is 一般.
pub const DAMAGE: &[NationalDamage] = &[
    damage("missing", "缺失", 3, 10, Target::Repair, "30min"),
    damage("broken", "破损", 3, 10, Target::Repair, "30min"),
    damage("displaced", "移位", 3, 10, Target::Repair, "30min"),
    damage("loose", "松动", 2, 15, Target::Repair, "30min"),
    damage("overflow", "冒溢", 3, 15, Target::Secure, "4h"),
    damage("sunken", "沉降", 2, 20, Target::Secure, "72h"),
    damage("raised", "凸起", 2, 20, Target::Secure, "72h"),
    damage("surround_damaged", "井周破损", 2, 20, Target::Secure, "72h"),
    damage("noisy", "异响", 1, 30, Target::Secure, "24h"),
    damage("other", "其他", 1, 20, Target::Secure, "72h"),
];

/// The tables of one district.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    pub categories: BTreeMap<CategoryCode, Category>,
    pub damages: Vec<DamageRule>,
}

impl Catalog {
    /// What a new district starts with.
    pub fn national() -> Self {
        let categories = NATIONAL.iter().map(|n| {
            let code = CategoryCode(n.code);
            (code, Category { code, name: n.name.to_owned(), name_en: n.name_en.to_owned(), enabled: !n.off })
        });
        let damages = DAMAGE.iter().map(|d| DamageRule {
            code: DamageCode(d.code.to_owned()),
            name: d.name.to_owned(),
            urgency: d.urgency,
            secure: Some(Limit::Minutes(d.secure_min)),
            target: d.target,
            repair: d.repair.parse().unwrap_or(Limit::Minutes(30)),
        });
        Self { categories: categories.collect(), damages: damages.collect() }
    }

    /// The rule of a damage, if the district has it.
    pub fn damage(&self, code: &str) -> Option<&DamageRule> {
        self.damages.iter().find(|rule| rule.code.as_str() == code)
    }

    /// The name of a category; its digits where the district has no line for it.
    pub fn category_name(&self, code: CategoryCode) -> String {
        self.categories.get(&code).map_or_else(|| code.to_string(), |c| c.name.clone())
    }

    /// Whether the district's covers may have this category.
    pub fn enables(&self, code: CategoryCode) -> bool {
        self.categories.get(&code).is_some_and(|c| c.enabled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_limit_reads() {
        for line in DAMAGE {
            line.repair.parse::<Limit>().unwrap();
        }
    }

    #[test]
    fn the_editions_are_a_table_not_arithmetic() {
        assert_eq!(category_of_2026(1023), Some(OWNERLESS));
        assert_eq!(category_of_2026(1014), None);
        assert_eq!("01003".parse::<CategoryCode>().unwrap().to_string(), "0103");
        assert_eq!("0114".parse::<CategoryCode>(), Ok(OWNERLESS));
    }
}
