//! What may be wrong in a registry (数据质量): the rules, and those of their questions that need no index.

use super::catalog::CategoryCode;
use super::cover::{Accuracy, LoadClass, Place, Spec, words};
use super::id::CoverId;

words! {
    /// What a finding finds. Stable: programs rely on the words, and identities are made of them.
    Rule {
        /// A cover in no grid of its district: nobody goes there.
        CoverOutsideGrids = "cover-outside-grids",
        /// Ground of two grids.
        GridsOverlap = "grids-overlap",
        /// Ground of the district in no grid.
        GridsGap = "grids-gap",
        /// An organisation that covers name or that supervises grids, and nobody reaches: the registry does not know it, or
        /// it has neither a duty telephone (值班电话) nor anybody who belongs to it.
        UnitUnreachable = "unit-unreachable",
        /// Two covers of a category within a metre, from two sources or of two owners: probably one.
        NearDuplicate = "near-duplicate",
        /// Nobody owns it, and its category is not 无主井盖.
        OwnerMissing = "owner-missing",
        /// A class too low for the place.
        LoadClassUnfit = "load-class-unfit",
        /// A grid that no 网格长 stands for.
        GridWithoutLeader = "grid-without-leader",
        /// A cover of a category that its owner hardly has.
        CategoryContradictsOwner = "category-contradicts-owner",
        /// A cover that lies in a run of covers of another category of its owner, and in none of its own.
        CategoryContradictsNeighbours = "category-contradicts-neighbours",
        /// A person with no duty in any area that there is.
        PersonWithoutArea = "person-without-area",
    }
    /// How much a finding matters.
    Severity {
        /// Work goes wrong because of it.
        Error = "error",
        /// The record is wrong, or the street is.
        Warning = "warning",
        /// Worth a look.
        Notice = "notice",
    }
    /// What became of a finding.
    State {
        Open = "open",
        /// It is so, and may stay so.
        Accepted = "accepted",
        /// It was so.
        Mended = "mended",
    }
    /// What may be done about a finding.
    Deed {
        /// To send the request that would mend it.
        Mend = "mend",
        /// To say that it may stay so.
        Accept = "accept",
        /// To say that it may not stay so after all.
        Reopen = "reopen",
        /// To take back what mended it.
        Undo = "undo",
    }
}

impl Rule {
    pub const fn severity(self) -> Severity {
        match self {
            Self::CoverOutsideGrids | Self::GridsOverlap | Self::GridsGap | Self::UnitUnreachable => Severity::Error,
            Self::NearDuplicate | Self::OwnerMissing | Self::LoadClassUnfit | Self::GridWithoutLeader => {
                Severity::Warning
            }
            Self::CategoryContradictsOwner | Self::CategoryContradictsNeighbours | Self::PersonWithoutArea => {
                Severity::Notice
            }
        }
    }
}

/// Nearer than this, in metres, two covers of a category from two sources are probably one.
pub const NEAR_M: f64 = 1.0;

/// Inlet grates (雨水箅子), which lie at the kerb.
const INLET_GRATE: u16 = 104;

/// The class that a cover should at least have, where its own is too low for its place (GB/T 23858). A carriageway
/// needs D400, but up to half a metre from the kerb C250 is enough: that is where inlet grates lie.
pub fn class_needed(category: CategoryCode, spec: &Spec) -> Option<LoadClass> {
    if spec.place != Some(Place::Carriageway) {
        return None;
    }
    let needed = if category.number() == INLET_GRATE { LoadClass::C250 } else { LoadClass::D400 };
    spec.load_class.filter(|class| *class < needed).map(|_| needed)
}

/// Whether a category is strange among an owner's covers: a handful, at most one in fifty of at least fifty others.
/// A company that has taken up a small line of its own (85 of 2,295) is not strange.
pub const fn is_strange(of_category: u32, of_owner: u32) -> bool {
    let others = of_owner.saturating_sub(of_category);
    of_category <= 3 && others >= 50 && of_category * 50 <= others
}

/// Whether of two records of one cover the first is to go: the one measured worse, else the one that came later.
pub fn goes_first(a: (Accuracy, CoverId), b: (Accuracy, CoverId)) -> bool {
    (a.0, a.1) > (b.0, b.1)
}

/// What several neighbours agree on: at least two of the same, none other.
pub fn agreed<T: PartialEq>(mut said: impl Iterator<Item = T>) -> Option<T> {
    let first = said.next()?;
    let mut others = 0;
    for other in said {
        if other != first {
            return None;
        }
        others += 1;
    }
    (others > 0).then_some(first)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_carriageway_needs_a_class_and_the_kerb_a_lower_one() {
        let check = |category: &str, place, class, needed| {
            let spec = Spec { place: Some(place), load_class: class, ..Spec::default() };
            assert_eq!(class_needed(category.parse().unwrap(), &spec), needed, "{category} {place:?} {class:?}");
        };
        let (road, path) = (Place::Carriageway, Place::Pavement);
        check("0103", road, Some(LoadClass::C250), Some(LoadClass::D400));
        check("0103", road, Some(LoadClass::D400), None);
        check("0103", road, Some(LoadClass::E600), None);
        check("0103", path, Some(LoadClass::B125), None);
        check("0103", road, None, None);
        check("0104", road, Some(LoadClass::C250), None);
        check("0104", road, Some(LoadClass::B125), Some(LoadClass::C250));
    }

    #[test]
    fn a_few_among_many_are_strange() {
        for (of_category, of_owner, strange) in
            [(1, 51, true), (3, 500, true), (1, 50, false), (2, 60, false), (4, 5_000, false), (85, 2_295, false)]
        {
            assert_eq!(is_strange(of_category, of_owner), strange, "{of_category} of {of_owner}");
        }
    }

    #[test]
    fn the_worse_or_later_record_goes() {
        let id = |n| CoverId(Uuid::from_u128(n));
        assert!(goes_first((Accuracy::C, id(1)), (Accuracy::A, id(2))));
        assert!(!goes_first((Accuracy::A, id(2)), (Accuracy::C, id(1))));
        assert!(goes_first((Accuracy::B, id(2)), (Accuracy::B, id(1))));
    }

    #[test]
    fn neighbours_agree_or_say_nothing() {
        assert_eq!(agreed([1, 1, 1].into_iter()), Some(1));
        assert_eq!(agreed([1, 2, 1].into_iter()), None);
        assert_eq!(agreed([1].into_iter()), None);
        assert_eq!(agreed(std::iter::empty::<u8>()), None);
    }
}
