//! Codes and names as they go out. They are borrowed from where they are known and written when the
//! answer is: an answer with five candidates names fifty of them.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::domain::catalog::CategoryCode;
use crate::domain::id::{CommunityCode, CoverCode, DistrictCode, GridCode, OrgCode, SubdistrictCode};
use crate::domain::organization::Organization;
use crate::index::{GridInfo, Named};

/// A code on its way out.
#[derive(Debug, Clone)]
pub enum Code<'a> {
    /// So many digits, with leading zeros.
    Digits {
        number: u64,
        width: usize,
    },
    Text(Cow<'a, str>),
}

impl Serialize for Code<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            &Self::Digits { mut number, width } => {
                // A u64 has at most twenty digits.
                let mut digits = [b'0'; 20];
                let width = width.min(digits.len());
                for digit in digits[..width].iter_mut().rev() {
                    *digit += u8::try_from(number % 10).unwrap_or_default();
                    number /= 10;
                }
                serializer.serialize_str(std::str::from_utf8(&digits[..width]).unwrap_or_default())
            }
        }
    }
}

macro_rules! digits {
    ($($code:ty),*) => {$(
        impl From<$code> for Code<'_> {
            fn from(code: $code) -> Self {
                Self::Digits { number: code.number(), width: <$code>::DIGITS as usize }
            }
        }
    )*};
}

digits!(DistrictCode, SubdistrictCode, CommunityCode, GridCode);

impl From<CategoryCode> for Code<'_> {
    fn from(code: CategoryCode) -> Self {
        Self::Digits { number: code.number().into(), width: 4 }
    }
}

impl From<CoverCode> for Code<'_> {
    fn from(code: CoverCode) -> Self {
        Self::Digits { number: code.number(), width: 16 }
    }
}

impl Code<'_> {
    /// The same on its own feet.
    pub fn into_owned(self) -> Code<'static> {
        match self {
            Self::Digits { number, width } => Code::Digits { number, width },
            Self::Text(text) => Code::Text(Cow::Owned(text.into_owned())),
        }
    }

    /// A cover's in GB/T 47678.5-2026.
    pub fn of_2026(code: CoverCode) -> Self {
        Self::Digits { number: code.number_2026(), width: 17 }
    }
}

impl<'a> From<&'a OrgCode> for Code<'a> {
    fn from(code: &'a OrgCode) -> Self {
        Self::Text(code.as_str().into())
    }
}

/// `{code, name}`: how everything that has both is referred to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Ref<'a> {
    #[schema(value_type = String, examples("370203-WAT01"))]
    pub code: Code<'a>,
    #[schema(value_type = String)]
    pub name: Cow<'a, str>,
}

impl<'a> Ref<'a> {
    pub fn new(code: impl Into<Code<'a>>, name: impl Into<Cow<'a, str>>) -> Self {
        Self { code: code.into(), name: name.into() }
    }

    /// What goes by its code alone.
    pub fn nameless(code: String) -> Self {
        Self { name: code.clone().into(), code: Code::Text(code.into()) }
    }

    pub fn organization(organization: &'a Organization) -> Self {
        Self::new(&organization.code, &*organization.name)
    }

    pub fn grid(grid: &'a GridInfo) -> Self {
        Self::new(grid.code, &*grid.name)
    }

    pub fn named<C: Copy + Into<Code<'a>>>(named: &'a Named<C>) -> Self {
        Self::new(named.code, &*named.name)
    }

    /// The same on its own feet.
    pub fn into_owned(self) -> Ref<'static> {
        Ref { code: self.code.into_owned(), name: Cow::Owned(self.name.into_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_with_all_their_digits() {
        let check = |code: Code<'_>, want: &str| assert_eq!(serde_json::to_string(&code).expect("JSON"), want);
        let cover: CoverCode = "3702030103000123".parse().expect("a code");
        check(cover.into(), "\"3702030103000123\"");
        check(Code::of_2026(cover), "\"37020301003000123\"");
        check(cover.category().into(), "\"0103\"");
        check(Code::Digits { number: u64::MAX, width: 20 }, "\"18446744073709551615\"");
        let unit: OrgCode = "370203-WAT01".parse().expect("a code");
        check((&unit).into(), "\"370203-WAT01\"");
    }
}
