//! Whole layers out of the index: covers by code, open orders by code, and what tells whether they changed.
//!
//! Whoever writes a layer takes the codes first and the covers of a few hundred of them at a time, so the lock
//! is held for microseconds however long the writing takes.

use std::sync::Arc;

use super::orders::OpenOrder;
use super::{CoverView, Index};
use crate::domain::id::{CoverCode, DistrictCode};

/// What a district's covers are written from: equal stamps, equal names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NamesStamp {
    /// Rises with every district that is put in service.
    pub(super) district: u64,
    /// Rises with every organisation that changes in place.
    pub(super) units: u64,
}

/// A cover and the version it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CoverVersion {
    pub code: CoverCode,
    pub version: u32,
}

impl Index {
    /// The covers of a district that are not removed, by code, with their versions; `None` where it is not served.
    pub fn cover_versions(&self, district: DistrictCode) -> Option<(NamesStamp, Vec<CoverVersion>)> {
        let district = self.district(district)?;
        let covers = district.read();
        let stamp = NamesStamp { district: district.serial(), units: covers.unit_changes() };
        let mut versions: Vec<_> = covers.versions(&district.ground).collect();
        drop(covers);
        versions.sort_unstable_by_key(|cover| cover.code);
        Some((stamp, versions))
    }

    /// Changes with every name that a district's covers are shown with.
    pub fn names_stamp(&self, district: DistrictCode) -> Option<NamesStamp> {
        let district = self.district(district)?;
        let units = district.read().unit_changes();
        Some(NamesStamp { district: district.serial(), units })
    }

    /// The codes of a district's covers that are not removed, by code; within west, south, east, north where given.
    pub fn cover_codes(&self, district: DistrictCode, bounds: Option<[f64; 4]>) -> Vec<CoverCode> {
        let Some(bounds) = bounds else {
            let versions = self.cover_versions(district).map(|(_, versions)| versions).unwrap_or_default();
            return versions.into_iter().map(|cover| cover.code).collect();
        };
        let Some(district) = self.district(district) else { return Vec::new() };
        let mut codes = Vec::new();
        district.read().in_box(bounds, &district.ground, |code| codes.push(code));
        codes.sort_unstable();
        codes
    }

    /// Those of the codes, all of one district, that are still in the registry and not removed.
    pub fn covers_of(&self, district: DistrictCode, codes: &[CoverCode]) -> Vec<CoverView> {
        let Some(district) = self.district(district) else { return Vec::new() };
        let covers = district.read();
        let found = codes.iter().filter_map(|&code| covers.view(covers.slot_of_code(code)?, &district.ground));
        found.filter(|cover| cover.status != crate::domain::cover::Status::Removed).collect()
    }

    /// How often what orders show has changed since the start.
    pub fn order_changes(&self) -> u64 {
        self.orders().changes()
    }

    /// Open orders within west, south, east, north, by code.
    pub fn orders_in(&self, bounds: [f64; 4]) -> Vec<Arc<OpenOrder>> {
        self.orders().within(bounds)
    }

    /// The served districts whose outline's box meets west, south, east, north.
    pub fn districts_in(&self, bounds: [f64; 4]) -> Vec<DistrictCode> {
        self.atlas.load().within(bounds).into_iter().map(|d| d.code()).collect()
    }
}
