//! What a finding of the quality check is about, and where that is.

use geo::MultiPolygon;

use super::id::{CoverCode, DistrictCode, OrgCode};
use super::position::{Position, Wgs84};

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Cover(CoverCode),
    /// By its code, such as a grid's 15 digits.
    Grid(u64),
    District(DistrictCode),
    Organization(OrgCode),
    /// By its identity.
    Person(String),
}

impl Subject {
    /// Reads what [`named`](Self::named) says.
    pub fn parse(kind: &str, code: &str) -> Option<Self> {
        Some(match kind {
            "cover" => Self::Cover(code.parse().ok()?),
            "grid" => Self::Grid(code.parse().ok()?),
            "district" => Self::District(code.parse().ok()?),
            "organization" => Self::Organization(code.parse().ok()?),
            "person" => Self::Person(code.to_owned()),
            _ => return None,
        })
    }

    /// The code of a cover.
    pub const fn cover(&self) -> Option<CoverCode> {
        match self {
            Self::Cover(code) => Some(*code),
            _ => None,
        }
    }

    /// The word for its kind, and its code.
    pub fn named(&self) -> (&'static str, String) {
        match self {
            Self::Cover(code) => ("cover", code.to_string()),
            Self::Grid(code) => ("grid", code.to_string()),
            Self::District(code) => ("district", code.to_string()),
            Self::Organization(code) => ("organization", code.to_string()),
            Self::Person(id) => ("person", id.clone()),
        }
    }
}

/// Where it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    At(Position<Wgs84>),
    Ground(MultiPolygon<f64>),
}

impl Place {
    /// Whether it meets west, south, east, north, by its box.
    pub fn meets(&self, [west, south, east, north]: [f64; 4]) -> bool {
        use geo::BoundingRect as _;
        let (low, high) = match self {
            Self::At(at) => ((at.lon(), at.lat()), (at.lon(), at.lat())),
            Self::Ground(outline) => match outline.bounding_rect() {
                Some(rect) => (rect.min().x_y(), rect.max().x_y()),
                None => return false,
            },
        };
        low.0 <= east && high.0 >= west && low.1 <= north && high.1 >= south
    }
}
