//! The areas of a district (街道, 社区, 责任网格) and who stands for them.

use std::collections::BTreeSet;

use geo::MultiPolygon;

use super::id::{CommunityCode, DistrictCode, GridCode, OrgCode, PersonId, SubdistrictCode};

/// A district's outline and name.
#[derive(Debug, Clone, PartialEq)]
pub struct District {
    pub code: DistrictCode,
    pub name: String,
    pub outline: MultiPolygon<f64>,
}

/// The districts that a process serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Districts {
    /// Every one that is in the database.
    #[default]
    All,
    Only(BTreeSet<DistrictCode>),
}

impl Districts {
    pub fn serve(&self, district: DistrictCode) -> bool {
        match self {
            Self::All => true,
            Self::Only(districts) => districts.contains(&district),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Subdistrict {
    pub code: SubdistrictCode,
    pub name: String,
    pub outline: MultiPolygon<f64>,
    pub version: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Community {
    pub code: CommunityCode,
    pub name: String,
    pub outline: MultiPolygon<f64>,
    pub version: i64,
}

/// A responsibility grid: the smallest area with a leader, about 7 ha.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    pub code: GridCode,
    pub name: String,
    /// 责任科室: the section that supervises it.
    pub supervising_department: Option<OrgCode>,
    pub outline: MultiPolygon<f64>,
    pub version: i64,
}

/// What a person does for an area (职责).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DutyKind {
    /// 网格长
    GridLeader,
    /// 巡治员
    Patrol,
    /// 处级干部, 科级干部
    SeniorOfficer,
    Officer,
    /// 综合执法队员
    Enforcement,
    /// 民警
    Police,
    /// 交警
    Traffic,
}

impl DutyKind {
    pub const ALL: &[Self] = &[
        Self::GridLeader,
        Self::Patrol,
        Self::SeniorOfficer,
        Self::Officer,
        Self::Enforcement,
        Self::Police,
        Self::Traffic,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GridLeader => "grid_leader",
            Self::Patrol => "patrol",
            Self::SeniorOfficer => "senior_officer",
            Self::Officer => "officer",
            Self::Enforcement => "enforcement",
            Self::Police => "police",
            Self::Traffic => "traffic",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

/// A person's duty for one area, given by its code (sub-district, community or grid).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    pub person: PersonId,
    pub kind: DutyKind,
    pub area: String,
}
