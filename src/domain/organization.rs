//! Organisations (单位): owners, responsible units, sections, sub-district offices.

use super::id::OrgCode;

/// What an organisation is to the district.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrgKind {
    /// 权属(养护)单位: owns or maintains covers.
    Utility,
    /// 责任科室: a sub-district's section that supervises grids.
    Section,
    /// 街道办事处.
    SubdistrictOffice,
    /// 主管部门: competent for categories.
    Department,
    /// 指挥中心.
    CommandCentre,
}

impl OrgKind {
    pub const ALL: &[Self] =
        &[Self::Utility, Self::Section, Self::SubdistrictOffice, Self::Department, Self::CommandCentre];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Utility => "utility",
            Self::Section => "section",
            Self::SubdistrictOffice => "subdistrict_office",
            Self::Department => "department",
            Self::CommandCentre => "command_centre",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

/// An organisation's public record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    pub code: OrgCode,
    pub name: String,
    pub kind: OrgKind,
    /// 统一社会信用代码, 18 characters, where known.
    pub credit_code: Option<String>,
    /// 值班电话: the institution's number, at which somebody is called. Nobody's own, so it is in the open and has a past.
    pub phone: Option<String>,
    pub version: i64,
}

impl Organization {
    /// One that the registry has not named: it goes by its code.
    pub fn nameless(code: OrgCode) -> Self {
        Self { name: code.to_string(), code, kind: OrgKind::Utility, credit_code: None, phone: None, version: 0 }
    }
}
