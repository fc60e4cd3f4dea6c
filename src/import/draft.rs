//! What a row means, in Guli's own types, before the registry has been asked about it.

use geo::MultiPolygon;
use sha2::{Digest as _, Sha256};

use super::field::Field;
use crate::crs::Crs;
use crate::domain::catalog::{Category, CategoryCode};
use crate::domain::cover::{self, Accuracy, Spec, Status};
use crate::domain::deadline::DamageRule;
use crate::domain::grid::DutyKind;
use crate::domain::id::{CommunityCode, CoverCode, DistrictCode, GridCode, OrgCode, SubdistrictCode};
use crate::domain::organization::OrgKind;
use crate::domain::phone::Phone;
use crate::domain::position::{Position, Wgs84};

/// One record of any kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Draft {
    District(AreaDraft<DistrictCode>),
    Subdistrict(AreaDraft<SubdistrictCode>),
    Community(AreaDraft<CommunityCode>),
    Grid(GridDraft),
    Organization(OrganizationDraft),
    Person(PersonDraft),
    Category(Category),
    Damage(DamageRule),
    Cover(CoverDraft),
}

/// An area with its outline in WGS 84: closed rings that do not cross, outer ones counter-clockwise.
#[derive(Debug, Clone, PartialEq)]
pub struct AreaDraft<C> {
    pub code: C,
    pub name: String,
    pub outline: MultiPolygon<f64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct GridDraft {
    pub area: AreaDraft<GridCode>,
    /// 责任科室
    pub supervising_department: Option<OrgCode>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationDraft {
    pub code: OrgCode,
    pub name: String,
    pub kind: OrgKind,
    /// 统一社会信用代码, 18 characters.
    pub credit_code: Option<String>,
    /// 值班电话
    pub phone: Option<Phone>,
}

/// One duty of a person; the same external id again is the same person with another one.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonDraft {
    pub external_id: String,
    pub name: String,
    pub phone: Option<Phone>,
    pub organization: Option<OrgCode>,
    pub duty: DutyKind,
    pub area: AreaCode,
}

/// Names and phones do not belong in logs.
impl std::fmt::Debug for PersonDraft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonDraft")
            .field("external_id", &self.external_id)
            .field("duty", &self.duty)
            .field("area", &self.area)
            .finish_non_exhaustive()
    }
}

/// The area of a duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AreaCode {
    Subdistrict(SubdistrictCode),
    Community(CommunityCode),
    Grid(GridCode),
}

#[derive(Debug, Clone, PartialEq)]
pub struct CoverDraft {
    pub external_id: String,
    /// `None`: the registry gives the next free one of its category.
    pub code: Option<CoverCode>,
    /// As the file says, or as its code does.
    pub category: CategoryCode,
    /// 产权(权属)单位
    pub owner: Option<OrgCode>,
    /// 责任(养护)单位
    pub responsible_unit: Option<OrgCode>,
    pub position: Position<Wgs84>,
    /// The numbers as delivered, east first.
    pub original: Original,
    /// The file's word; the widest class, C, where it says nothing.
    pub accuracy: Accuracy,
    pub spec: Spec,
    pub status: Status,
}

/// A position as delivered: two numbers and the system that the profile declares for them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Original {
    pub east: f64,
    pub north: f64,
    pub crs: Crs,
}

impl std::fmt::Display for AreaCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Subdistrict(code) => code.fmt(f),
            Self::Community(code) => code.fmt(f),
            Self::Grid(code) => code.fmt(f),
        }
    }
}

impl CoverDraft {
    /// What the record says, in the registry's own terms.
    pub fn said(&self) -> cover::CoverDraft {
        cover::CoverDraft {
            category: self.category,
            owner: self.owner.clone(),
            responsible_unit: self.responsible_unit.clone(),
            position: self.position,
            accuracy: self.accuracy,
            spec: self.spec.clone(),
            status: self.status,
        }
    }

    /// What the record says, as 128 bits: the same again changes nothing. Of `silent` columns it says nothing, which is
    /// something else than what stands for them here.
    pub fn digest(&self, silent: &[Field]) -> [u8; 16] {
        let mut hash = Sha256::new();
        let mut part = |text: &dyn std::fmt::Display| hash.update(format!("{text}\u{1f}"));
        part(&self.code.map(|code| code.to_string()).unwrap_or_default());
        part(&self.category);
        for unit in [&self.owner, &self.responsible_unit] {
            part(&unit.as_ref().map(OrgCode::as_str).unwrap_or_default());
        }
        let Original { east, north, crs } = self.original;
        part(&east);
        part(&north);
        part(&crs);
        part(&self.accuracy.as_str());
        part(&self.status.as_str());
        let Spec { shape, opening_mm, opening_width_mm, depth_mm, material, load_class, place, installed } = &self.spec;
        part(&shape.map_or("", |word| word.as_str()));
        for number in [opening_mm, opening_width_mm, depth_mm, installed] {
            part(&number.unwrap_or(0));
        }
        part(&material.map_or("", |word| word.as_str()));
        part(&load_class.map_or("", |word| word.as_str()));
        part(&place.map_or("", |word| word.as_str()));
        for field in silent {
            part(&field.as_str());
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash.finalize()[..16]);
        digest
    }
}

impl AreaCode {
    /// All digits as one number; how many there are says the level.
    pub const fn number(self) -> u64 {
        match self {
            Self::Subdistrict(code) => code.number(),
            Self::Community(code) => code.number(),
            Self::Grid(code) => code.number(),
        }
    }
}
