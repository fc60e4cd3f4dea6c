//! Who is responsible (归属): the unit of the cover, or where nobody is known the street itself.

use super::catalog::OWNERLESS;
use super::id::{CommunityCode, GridCode, OrgCode, SubdistrictCode};
use super::order::Assignee;

/// What is known of the thing that was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<'a> {
    /// A registered cover.
    Cover { category: super::catalog::CategoryCode, owner: Option<&'a OrgCode>, responsible_unit: Option<&'a OrgCode> },
    /// One of several covers; the patrol will say which.
    Ambiguous,
    /// No registered cover.
    Unregistered,
}

/// The sub-district that a grid belongs to.
pub fn subdistrict_of(grid: GridCode) -> SubdistrictCode {
    SubdistrictCode::of(CommunityCode::of(grid))
}

/// Who must act. A missing cover is the owner's to replace, everything else the responsible
/// unit's; what nobody owns is the sub-district's until somebody claims it; an ambiguous pin is
/// the grid's, whose patrol names the cover.
pub fn responsible(known: Known<'_>, missing: bool, grid: GridCode) -> Assignee {
    match known {
        Known::Cover { category, owner, responsible_unit } if category != OWNERLESS => {
            let (first, second) = if missing { (owner, responsible_unit) } else { (responsible_unit, owner) };
            first.or(second).cloned().map_or_else(|| Assignee::Subdistrict(subdistrict_of(grid)), Assignee::Unit)
        }
        Known::Cover { .. } | Known::Unregistered => Assignee::Subdistrict(subdistrict_of(grid)),
        Known::Ambiguous => Assignee::Grid(grid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buck_stops_somewhere() {
        let grid: GridCode = "370203005002003".parse().unwrap();
        let (owner, unit): (OrgCode, OrgCode) = ("370203-WAT01".parse().unwrap(), "370203-WAT02".parse().unwrap());
        let cover = |category: &str, owner, responsible_unit| Known::Cover {
            category: category.parse().unwrap(),
            owner,
            responsible_unit,
        };
        for (what, known, missing, code) in [
            ("its unit", cover("0101", Some(&owner), Some(&unit)), false, "370203-WAT02"),
            ("missing: the owner", cover("0101", Some(&owner), Some(&unit)), true, "370203-WAT01"),
            ("no unit: the owner", cover("0101", Some(&owner), None), false, "370203-WAT01"),
            ("no owner at all", cover("0101", None, None), false, "370203005"),
            ("ownerless, whatever the record says", cover("0114", Some(&owner), None), false, "370203005"),
            ("unregistered", Known::Unregistered, false, "370203005"),
            ("ambiguous", Known::Ambiguous, true, "370203005002003"),
        ] {
            assert_eq!(responsible(known, missing, grid).code(), code, "{what}");
        }
    }
}
