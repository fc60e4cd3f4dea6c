//! Identities: UUIDs inside, human codes outside (编码).
//!
//! A code is parsed once, at the edge; what holds a [`GridCode`] holds fifteen digits whose
//! parents are known by arithmetic. Sources of the structures: GB/T 2260 (district), GB/T 10114
//! (sub-district, community), GB/T 30428.2-2013 and GB/T 47678.5-2026 (covers), ISO 7064
//! MOD 11,10 (the check digit of orders and reports).

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::catalog::{self, CategoryCode};

mod error;

pub use error::{CodeError, CodeKind};

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

uuid_id! {
    /// Identity of a cover for all time; its codes are attributes.
    CoverId,
    /// Identity of a person (网格长, 巡治员, …).
    PersonId,
    /// Identity of an API key; the key itself is never kept.
    KeyId,
    /// Identity of one import.
    ImportId,
}

/// Digits of a code as people write it: spaces and hyphens are theirs to use.
fn digits(what: CodeKind, text: &str) -> Result<String, CodeError> {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(CodeError::NotDigits(what));
    }
    Ok(digits)
}

macro_rules! area_code {
    ($($(#[$doc:meta])* $name:ident $what:ident $len:literal),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u64);

        impl $name {
            /// Number of digits.
            pub const DIGITS: u32 = $len;

            /// The code as the number that the database keeps, or `None` when it has not
            /// as many digits as this level of area needs.
            pub fn from_number(number: u64) -> Option<Self> {
                (number >= 10u64.pow($len - 1) && number < 10u64.pow($len)).then_some(Self(number))
            }

            /// All digits as one number.
            pub const fn number(self) -> u64 {
                self.0
            }

            /// The district (区县) that this area is, or lies in.
            pub const fn district(self) -> DistrictCode {
                DistrictCode(self.0 / 10u64.pow($len - 6))
            }
        }

        impl FromStr for $name {
            type Err = CodeError;

            fn from_str(text: &str) -> Result<Self, CodeError> {
                let digits = digits(CodeKind::$what, text)?;
                digits
                    .parse()
                    .ok()
                    .filter(|_| digits.len() == $len)
                    .and_then(Self::from_number)
                    .ok_or(CodeError::Length { what: CodeKind::$what, needs: $len, got: digits.len() })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

area_code! {
    /// A district (区县), six digits of GB/T 2260: `370203`.
    DistrictCode District 6,
    /// A sub-district (街道), nine digits of GB/T 10114.
    SubdistrictCode Subdistrict 9,
    /// A community (社区), twelve digits of GB/T 10114.
    CommunityCode Community 12,
    /// A responsibility grid (责任网格), fifteen digits.
    GridCode Grid 15,
}

impl DistrictCode {
    /// The value of the `district` column.
    pub fn as_i64(self) -> i64 {
        self.0.cast_signed()
    }

    /// The number of the district, of its city (370200) and of its province (370000), by GB/T 2260.
    pub const fn with_those_above(self) -> [u64; 3] {
        [self.0, self.0 / 100 * 100, self.0 / 10_000 * 10_000]
    }
}

impl SubdistrictCode {
    /// The sub-district that a community's code begins with.
    pub const fn of(community: CommunityCode) -> Self {
        Self(community.0 / 1_000)
    }
}

impl CommunityCode {
    /// The community that a grid's code begins with.
    pub const fn of(grid: GridCode) -> Self {
        Self(grid.0 / 1_000)
    }
}

/// A cover's code (部件编码): the district, the category and a sequence in both.
///
/// Shown with 16 digits (GB/T 30428.2-2013); [`CoverCode::code_2026`] has the 17 of
/// GB/T 47678.5-2026. Either is read.
///
/// ```
/// use guli::domain::id::CoverCode;
/// let code: CoverCode = "37020301003000123".parse().unwrap();
/// assert_eq!(code.to_string(), "3702030103000123");
/// assert_eq!(code.code_2026(), "37020301003000123");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CoverCode {
    district: DistrictCode,
    category: CategoryCode,
    sequence: u32,
}

impl CoverCode {
    /// The code with this sequence, 1–999,999.
    pub fn new(district: DistrictCode, category: CategoryCode, sequence: u32) -> Result<Self, CodeError> {
        match sequence {
            0 => Err(CodeError::ReservedSequence),
            1..=999_999 => Ok(Self { district, category, sequence }),
            _ => Err(CodeError::CoverLength(17)),
        }
    }

    pub const fn district(self) -> DistrictCode {
        self.district
    }

    pub const fn category(self) -> CategoryCode {
        self.category
    }

    pub const fn sequence(self) -> u32 {
        self.sequence
    }

    /// The 17 digits of GB/T 47678.5-2026.
    pub fn code_2026(self) -> String {
        self.number_2026().to_string()
    }

    /// Those digits as one number.
    pub fn number_2026(self) -> u64 {
        let type_2026 = u64::from(catalog::type_2026(self.category));
        self.district.0 * 100_000_000_000 + type_2026 * 1_000_000 + u64::from(self.sequence)
    }

    /// The sixteen digits as one number: order by it is order by code.
    pub fn number(self) -> u64 {
        self.district.0 * 10_000_000_000 + u64::from(self.category.number()) * 1_000_000 + u64::from(self.sequence)
    }

    /// First and last number of the codes that begin with these 6 to 15 digits; a whole code, of either edition, is
    /// alone.
    pub fn beginning_with(text: &str) -> Option<(u64, u64)> {
        if let Ok(code) = text.parse::<Self>() {
            return Some((code.number(), code.number()));
        }
        if !(6..=15).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let span = 10_u64.pow(u32::try_from(16 - text.len()).ok()?);
        let first = text.parse::<u64>().ok()? * span;
        Some((first, first + span - 1))
    }

    /// The inverse of [`CoverCode::number`].
    pub fn from_number(number: u64) -> Option<Self> {
        let district = DistrictCode::from_number(number / 10_000_000_000)?;
        let category = CategoryCode::from_number(u16::try_from(number / 1_000_000 % 10_000).ok()?)?;
        Self::new(district, category, u32::try_from(number % 1_000_000).ok()?).ok()
    }
}

impl FromStr for CoverCode {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        let digits = digits(CodeKind::Cover, text)?;
        let category = match digits.len() {
            16 => CategoryCode::from_str(&digits[6..10])?,
            17 => digits[6..11]
                .parse()
                .ok()
                .and_then(catalog::category_of_2026)
                .ok_or_else(|| CodeError::UnknownCategory(digits[6..11].to_owned()))?,
            other => return Err(CodeError::CoverLength(other)),
        };
        let sequence = digits[digits.len() - 6..].parse().map_err(|_| CodeError::NotDigits(CodeKind::Cover))?;
        Self::new(digits[..6].parse()?, category, sequence)
    }
}

impl fmt::Display for CoverCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// The district's local calendar day that numbers its orders and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(u32);

impl Day {
    /// From year, month, day; the code keeps the year's last two digits.
    pub fn new(year: i16, month: i8, day: i8) -> Self {
        Self(
            u32::from(year.rem_euclid(100).unsigned_abs()) * 10_000
                + u32::from(month.unsigned_abs()) * 100
                + u32::from(day.unsigned_abs()),
        )
    }

    /// `yymmdd` as a number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Check digit of ISO 7064 MOD 11,10 over decimal digits.
fn mod_11_10(digits: impl Iterator<Item = u32>) -> u32 {
    let mut product = 10;
    for digit in digits {
        let sum = (product + digit) % 10;
        product = (if sum == 0 { 10 } else { sum }) * 2 % 11;
    }
    (11 - product) % 10
}

macro_rules! dated_code {
    ($($(#[$doc:meta])* $name:ident $prefix:literal $what:ident $example:literal),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name { district: DistrictCode, day: Day, counter: u32 }

        impl $name {
            /// The code of the `counter`-th of the day in the district.
            pub const fn new(district: DistrictCode, day: Day, counter: u32) -> Self {
                Self { district, day, counter }
            }

            pub const fn district(self) -> DistrictCode {
                self.district
            }

            /// Day and counter as one number, which with the district identifies it in the database.
            pub fn number(self) -> i64 {
                i64::from(self.day.0) * 1_000_000_000 + i64::from(self.counter)
            }

            /// The inverse of `number`.
            pub fn from_number(district: DistrictCode, number: i64) -> Option<Self> {
                let day = u32::try_from(number / 1_000_000_000).ok()?;
                let counter = u32::try_from(number % 1_000_000_000).ok()?;
                Some(Self { district, day: Day(day), counter })
            }

            fn body(self) -> String {
                format!("{}{:06}{:05}", self.district, self.day.0, self.counter)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let check = mod_11_10(self.body().bytes().map(|b| u32::from(b - b'0')));
                write!(f, "{}-{}-{:06}-{:05}-{check}", $prefix, self.district, self.day.0, self.counter)
            }
        }

        impl FromStr for $name {
            type Err = CodeError;

            fn from_str(text: &str) -> Result<Self, CodeError> {
                let shape = || CodeError::Shape {
                    what: CodeKind::$what,
                    example: $example,
                    got: text.chars().take(40).collect(),
                };
                let upper = text.trim().to_ascii_uppercase();
                let digits = digits(CodeKind::$what, upper.strip_prefix($prefix).ok_or_else(shape)?).map_err(|_| shape())?;
                // 6 + 6 + at least 5 + the check digit; no district has 10⁹ orders a day.
                if !(18..=22).contains(&digits.len()) {
                    return Err(shape());
                }
                let (body, check) = digits.split_at(digits.len() - 1);
                if mod_11_10(body.bytes().map(|b| u32::from(b - b'0'))).to_string() != check {
                    return Err(CodeError::CheckDigit(CodeKind::$what));
                }
                Ok(Self {
                    district: body[..6].parse()?,
                    day: Day(body[6..12].parse().map_err(|_| shape())?),
                    counter: body[12..].parse().map_err(|_| shape())?,
                })
            }
        }
    )*};
}

dated_code! {
    /// A work order's code (工单编号): `WO-370203-261123-00042-3`.
    OrderCode "WO" Order "WO-370203-261123-00042-3",
    /// A report's code (上报编号). It opens nothing: tracking needs the [`TrackingToken`].
    ReportCode "RP" Report "RP-370203-261123-00042-3",
}

/// An organisation's code: `370203-WAT01`, or a sub-district's section `370203005-K01`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrgCode(String);

impl OrgCode {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The district where the code was given.
    pub fn district(&self) -> DistrictCode {
        // Six leading digits are what the constructor checked.
        self.0[..6].parse().unwrap_or(DistrictCode(100_000))
    }
}

impl FromStr for OrgCode {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        let text = text.trim();
        let fits = text.split_once('-').is_some_and(|(area, own)| {
            matches!(area.len(), 6 | 9)
                && area.parse::<u64>().is_ok_and(|n| n >= 100_000)
                && area.bytes().all(|b| b.is_ascii_digit())
                && (1..=12).contains(&own.len())
                && own.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        });
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(CodeError::Shape {
                what: CodeKind::Organization,
                example: "370203-WAT01",
                got: text.chars().take(40).collect(),
            })
        }
    }
}

impl fmt::Display for OrgCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The secret with which a resident follows a report: the district and 128 random bits in
/// Crockford's base 32. Only its SHA-256 is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct TrackingToken {
    district: DistrictCode,
    secret: u128,
}

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl TrackingToken {
    pub const fn new(district: DistrictCode, secret: u128) -> Self {
        Self { district, secret }
    }

    pub const fn district(&self) -> DistrictCode {
        self.district
    }

    /// The token as the resident keeps it.
    pub fn reveal(&self) -> String {
        let mut text = self.district.to_string();
        for i in (0..26).rev() {
            let five_bits = (self.secret >> (5 * i)) & 31;
            text.push(char::from(CROCKFORD[usize::try_from(five_bits).unwrap_or(0)]));
        }
        text
    }
}

impl fmt::Debug for TrackingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrackingToken({}…)", self.district)
    }
}

impl FromStr for TrackingToken {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        // The token is a secret: what was sent is not repeated.
        let shape = || CodeError::Token { got: text.len() };
        let upper = text.to_ascii_uppercase();
        if !upper.is_ascii() || upper.len() != 32 {
            return Err(shape());
        }
        let district = upper[..6].parse().map_err(|_| shape())?;
        let mut secret: u128 = 0;
        for (i, byte) in upper.bytes().skip(6).enumerate() {
            // Crockford: letters easily misread stand for the digits they look like.
            let byte = match byte {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            let value = CROCKFORD.iter().position(|&c| c == byte).ok_or_else(shape)?;
            // 26 × 5 = 130 bits: the first letter carries only three.
            if i == 0 && value > 7 {
                return Err(shape());
            }
            secret = (secret << 5) | value as u128;
        }
        Ok(Self { district, secret })
    }
}

#[cfg(test)]
mod tests {
    use super::super::said::english;
    use super::*;

    #[test]
    fn area_codes_know_their_parents() {
        let grid: GridCode = "370203 033 002 005".parse().unwrap();
        assert_eq!(CommunityCode::of(grid).to_string(), "370203033002");
        assert_eq!(SubdistrictCode::of(CommunityCode::of(grid)).to_string(), "370203033");
        assert_eq!(grid.district().to_string(), "370203");
        assert_eq!(english("37020303300205".parse::<GridCode>().unwrap_err()), "grid code needs 15 digits, got 14");
    }

    #[test]
    fn cover_codes_are_read_in_both_editions() {
        for (text, shown) in [("3702030103000123", "3702030103000123"), ("370203-01-023-000001", "3702030114000001")] {
            assert_eq!(text.parse::<CoverCode>().unwrap().to_string(), shown);
        }
        for (text, error) in [
            ("370203010300012", "cover code needs 16 digits (GB/T 30428.2) or 17 (GB/T 47678.5), got 15"),
            ("3702030103000000", "sequence 000000 is reserved"),
            ("3702030199000001", "0199 is not a category of GB/T 30428.2 or GB/T 47678.5"),
        ] {
            assert_eq!(english(text.parse::<CoverCode>().unwrap_err()), error);
        }
        let code: CoverCode = "3702030130000340".parse().unwrap();
        assert_eq!(code.code_2026(), "37020301022000340");
        assert_eq!(CoverCode::from_number(code.number()), Some(code));
    }

    #[test]
    fn the_check_digit_catches_one_wrong_digit_and_neighbours_swapped() {
        let code = OrderCode::new("370203".parse().unwrap(), Day::new(2026, 11, 23), 42);
        let text = code.to_string();
        assert_eq!(text.parse::<OrderCode>(), Ok(code));
        let digits: Vec<usize> = text.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(i, _)| i).collect();
        for &i in &digits {
            for other in '0'..='9' {
                let mut wrong = text.clone();
                wrong.replace_range(i..=i, &other.to_string());
                assert_eq!(wrong.parse::<OrderCode>().is_ok(), wrong == text, "{wrong}");
            }
        }
        assert_eq!(
            english("WO-370203-261123-00043-3".parse::<OrderCode>().unwrap_err()),
            "order code mistyped: last digit does not match"
        );
    }

    #[test]
    fn a_tracking_token_survives_the_way_over_the_phone() {
        let token = TrackingToken::new("370203".parse().unwrap(), u128::MAX - 12345);
        let text = token.reveal();
        assert_eq!(text.len(), 32);
        assert_eq!(text.to_lowercase().parse::<TrackingToken>().unwrap(), token);
        assert!("370203ZZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<TrackingToken>().is_err());
        assert!(!format!("{token:?}").contains(&text[6..]));
    }
}
