//! The spatial index: every served district in memory, derived from the store.
//!
//! Two levels: an `Atlas` of districts, exchanged whole (`arc-swap`) when one is loaded anew, and a
//! [`DistrictIndex`] each, whose covers change in place under a short lock. Readers never wait for a
//! rebuild, and no lock is held across an `.await`: nothing in here is async.
//!
//! The trees hold boxes of `f32` and only propose; what lies in a grid or within reach is decided on
//! integers of 1e-8° relative to the district (`frame`), which are the positions themselves.
//!
//! A cover is looked for in the district that its code names, and near a position in the districts
//! whose outline's box comes within reach: covers belong inside the outline of their district.

mod area;
mod atlas;
mod cells;
mod covers;
mod district;
mod frame;
mod ground;
mod kept;
mod layers;
mod map;
mod orders;
mod resolve;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::ArcSwap;

use crate::domain::catalog::{Catalog, CategoryCode};
use crate::domain::cover::Cover;
use crate::domain::id::{CoverCode, CoverId, DistrictCode, GridCode, OrderCode, OrgCode, SubdistrictCode};
use crate::domain::organization::Organization;
use crate::domain::position::{Position, Wgs84};
use crate::domain::resolve::{Pin, ResolveModel};
use atlas::Atlas;
use orders::Orders;

pub use covers::CoverView;
pub use district::{DistrictBuilder, DistrictIndex, DistrictSnapshot, Regridded};
pub use ground::{GridInfo, Named};
pub use layers::{CoverVersion, NamesStamp};
pub use map::{AreaLevel, CoverMark, CoverMarks, CoverSpot, MapStamp, Outline};
pub use orders::OpenOrder;
pub use resolve::{Candidate, CoverStamp, Found, GridHit, Resolution, ResolveError};

/// Why something cannot be held in memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    #[error("district {0} is not served here")]
    NotServed(DistrictCode),
    #[error("the outline of {0} is empty or reaches further than 10° from the middle of its district")]
    Outline(String),
    #[error("cover {0} lies more than 10° from the middle of its district")]
    TooFar(CoverCode),
    #[error("a district has more than 65,534 organisations")]
    TooManyUnits,
    #[error("a district has more than 4 billion covers")]
    TooManyCovers,
}

/// All served districts and the open orders in them. Shared: every method takes `&self`.
#[derive(Debug, Default)]
pub struct Index {
    atlas: ArcSwap<Atlas>,
    orders: RwLock<Orders>,
    model: ResolveModel,
}

impl Index {
    pub fn new(model: ResolveModel) -> Self {
        Self { model, ..Self::default() }
    }

    /// Puts a district in service, or in the place of the one with its code. The caller sees to it
    /// that no change of the covers falls between the reading of the snapshot and this.
    pub fn replace(&self, district: impl Into<Arc<DistrictIndex>>) {
        let district = district.into();
        self.atlas.rcu(|atlas| atlas.with(&district));
    }

    /// Takes a district out of service.
    pub fn withdraw(&self, code: DistrictCode) {
        self.atlas.rcu(|atlas| atlas.without(code));
    }

    /// A district as it is now.
    pub fn district(&self, code: DistrictCode) -> Option<Arc<DistrictIndex>> {
        self.atlas.load().get(code).cloned()
    }

    fn served(&self, code: DistrictCode) -> Result<Arc<DistrictIndex>, IndexError> {
        self.district(code).ok_or(IndexError::NotServed(code))
    }

    /// The served districts by code.
    pub fn districts(&self) -> Vec<Arc<Named<DistrictCode>>> {
        self.atlas.load().districts().iter().map(|d| Arc::clone(&d.ground.district)).collect()
    }

    /// The served districts that a pin at this position may be resolved in.
    pub fn districts_near(&self, at: Position<Wgs84>) -> Vec<DistrictCode> {
        self.atlas.load().near(at, Pin::FARTHEST_M).map(|district| district.code()).collect()
    }

    pub fn serves(&self, code: DistrictCode) -> bool {
        self.atlas.load().get(code).is_some()
    }

    /// Number of covers in memory, in every status.
    pub fn cover_count(&self) -> usize {
        self.atlas.load().districts().iter().map(|d| d.covers()).sum()
    }

    /// The `registry_seq` that the district in memory has come to.
    pub fn registry_seq(&self, code: DistrictCode) -> Option<u64> {
        self.district(code).map(|d| d.seq())
    }

    /// Says that every change up to `seq` is in; call it after the changes themselves.
    pub fn set_registry_seq(&self, code: DistrictCode, seq: u64) -> Result<(), IndexError> {
        self.served(code).map(|d| d.set_seq(seq))
    }

    pub fn catalog(&self, code: DistrictCode) -> Option<Arc<Catalog>> {
        self.district(code).map(|d| Arc::clone(&d.ground.catalog))
    }

    /// What a pin means.
    pub fn resolve(&self, pin: &Pin) -> Result<Resolution, ResolveError> {
        self.resolve_as(pin, |found| found.view())
    }

    /// What a pin means, its candidates as they are to be shown. Their district takes no change meanwhile.
    pub fn resolve_as<C>(
        &self,
        pin: &Pin,
        show: impl FnMut(Found<'_>) -> Option<C>,
    ) -> Result<Resolution<C>, ResolveError> {
        resolve::resolve(&self.atlas.load(), &self.model, pin, show)
    }

    /// The grid that a position belongs to.
    pub fn grid_at(&self, at: Position<Wgs84>) -> Result<GridHit, ResolveError> {
        let atlas = self.atlas.load();
        let located = atlas.locate(at).ok_or(ResolveError::OutsideServiceArea)?;
        Ok(GridHit { grid: Arc::clone(located.grid), distance_m: located.distance_m })
    }

    pub fn grid(&self, code: GridCode) -> Option<Arc<GridInfo>> {
        let district = self.district(code.district())?;
        district.ground.grid(district.ground.grid_index(code)?).cloned()
    }

    /// The district in whose outline a position lies, whether it has grids there or not.
    pub fn district_around(&self, at: Position<Wgs84>) -> Option<DistrictCode> {
        self.atlas.load().around(at)
    }

    /// A sub-district's code and name.
    pub fn subdistrict(&self, code: SubdistrictCode) -> Option<Arc<Named<SubdistrictCode>>> {
        self.district(code.district())?.ground.subdistrict(code)
    }

    /// The grids of a district by code.
    pub fn grids(&self, code: DistrictCode) -> Vec<Arc<GridInfo>> {
        self.district(code).map_or_else(Vec::new, |d| d.ground.grids().cloned().collect())
    }

    /// An organisation by its code; where another district knows it too, as its own district does. One that only a
    /// cover's record names is none.
    pub fn organization(&self, code: &OrgCode) -> Option<Arc<Organization>> {
        let atlas = self.atlas.load();
        let registered = |d: &Arc<DistrictIndex>| d.read().unit(code).filter(|unit| unit.version > 0);
        let own = atlas.get(code.district()).and_then(registered);
        own.or_else(|| atlas.districts().iter().find_map(registered))
    }

    /// Adds or changes an organisation in its district, and changes it wherever else it is known; covers show it at
    /// once.
    pub fn put_organization(&self, organization: Organization) -> Result<(), IndexError> {
        let own = organization.code.district();
        let organization = Arc::new(organization);
        for district in self.atlas.load().districts() {
            let is_known = district.code().with_those_above().contains(&own.number());
            if is_known || district.read().unit(&organization.code).is_some() {
                district.write().put_unit(Arc::clone(&organization))?;
            }
        }
        Ok(())
    }

    /// The districts that know an organisation.
    pub fn knowing_unit(&self, code: &OrgCode) -> Vec<DistrictCode> {
        let atlas = self.atlas.load();
        let knowing = atlas.districts().iter().filter(|district| district.read().unit(code).is_some());
        knowing.map(|district| district.code()).collect()
    }

    /// The organisations of a district that are other than those of the same district in service, as they now are; none
    /// where it is not in service.
    pub fn differing_units(&self, fresh: &DistrictIndex) -> Vec<Organization> {
        let Some(old) = self.district(fresh.code()) else { return Vec::new() };
        let (before, after) = (old.read(), fresh.read());
        let own = |unit: &&Arc<Organization>| unit.code.district() == fresh.code();
        let changed = after.units().filter(own).filter(|unit| before.unit(&unit.code).as_ref() != Some(*unit));
        let gone = before.units().filter(own).filter(|unit| after.unit(&unit.code).is_none());
        let gone = gone.map(|unit| Organization::nameless(unit.code.clone()));
        changed.map(|unit| Organization::clone(unit)).chain(gone).collect()
    }

    /// The organisations of districts that are not served, each once.
    pub fn strangers(&self) -> Vec<Arc<Organization>> {
        let atlas = self.atlas.load();
        let mut strangers = BTreeMap::new();
        for district in atlas.districts() {
            let units = district.read();
            let strange = units.units().filter(|unit| atlas.get(unit.code.district()).is_none());
            strangers.extend(strange.map(|unit| (unit.code.clone(), Arc::clone(unit))));
        }
        strangers.into_values().collect()
    }

    /// The districts with a grid that this organisation supervises.
    pub fn supervised_by(&self, code: &OrgCode) -> Vec<DistrictCode> {
        let supervises = |grid: &&Arc<GridInfo>| grid.supervising_department.as_ref().is_some_and(|o| o.code == *code);
        let atlas = self.atlas.load();
        let supervised = atlas.districts().iter().filter(|district| district.ground.grids().any(|g| supervises(&g)));
        supervised.map(|district| district.code()).collect()
    }

    /// Adds a cover or replaces the one with its identity, in place, in logarithmic time.
    pub fn put_cover(&self, cover: Cover) -> Result<(), IndexError> {
        let district = self.served(cover.code.district())?;
        for named in [&cover.owner, &cover.responsible_unit].into_iter().flatten() {
            self.introduce_named(&district, named)?;
        }
        district.write().put(cover, &district.ground)
    }

    /// Makes an organisation known in a district.
    pub fn introduce(&self, district: DistrictCode, organization: Organization) -> Result<(), IndexError> {
        self.served(district)?.write().put_unit(Arc::new(organization))
    }

    /// An organisation of another district becomes known in one with the first cover there that names it.
    fn introduce_named(&self, district: &DistrictIndex, code: &OrgCode) -> Result<(), IndexError> {
        if code.district() == district.code() || district.read().unit(code).is_some() {
            return Ok(());
        }
        match self.organization(code) {
            Some(organization) => district.write().put_unit(organization),
            None => Ok(()),
        }
    }

    /// Forgets a cover; whether there was one. A cover that was taken from the street is not
    /// forgotten but put with [`crate::domain::cover::Status::Removed`].
    pub fn remove_cover(&self, district: DistrictCode, id: CoverId) -> bool {
        self.district(district).is_some_and(|d| d.write().remove(id))
    }

    pub fn cover(&self, code: CoverCode) -> Option<CoverView> {
        let district = self.district(code.district())?;
        let covers = district.read();
        covers.view(covers.slot_of_code(code)?, &district.ground)
    }

    /// A cover as it would be shown, whether it is in here or not.
    pub fn show(&self, cover: &Cover) -> CoverView {
        let district = self.district(cover.code.district());
        let category = cover.code.category();
        let unit =
            |code: &OrgCode| self.organization(code).unwrap_or_else(|| Arc::new(Organization::nameless(code.clone())));
        CoverView {
            id: cover.id,
            code: cover.code,
            category_name: district.map_or_else(|| category.to_string().into(), |d| d.ground.category_name(category)),
            owner: cover.owner.as_ref().map(unit),
            responsible_unit: cover.responsible_unit.as_ref().map(unit),
            spec: cover.spec.clone(),
            status: cover.status,
            position: cover.position,
            accuracy: cover.accuracy,
            grid: cover.grid.and_then(|code| self.grid(code)),
            version: cover.version,
        }
    }

    /// A cover by its identity, asked of one district after the other.
    pub fn cover_by_id(&self, id: CoverId) -> Option<CoverView> {
        self.atlas.load().districts().iter().find_map(|district| {
            let covers = district.read();
            covers.view(covers.slot_of_id(id)?, &district.ground)
        })
    }

    /// Covers not removed within the radius (at most about 1 km), by distance in metres, then code.
    pub fn covers_near(&self, at: Position<Wgs84>, radius_m: f64) -> Vec<(CoverView, f64)> {
        let mut near = Vec::new();
        for district in self.atlas.load().near(at, radius_m) {
            let Some((_, ruler)) = district.ground.ruler(at) else { continue };
            let covers = district.read();
            covers.within(&ruler, radius_m, |entry, squared| {
                near.extend(covers.view(entry.slot, &district.ground).map(|view| (view, squared.sqrt())));
            });
        }
        near.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.code.cmp(&b.0.code)));
        near
    }

    /// The nearest cover of a category not removed within the radius, with its distance in metres:
    /// the same cover in two departments' files. `skip` names those that are known to be another.
    pub fn nearest_of(
        &self,
        category: CategoryCode,
        at: Position<Wgs84>,
        radius_m: f64,
        skip: impl Fn(CoverId) -> bool,
    ) -> Option<(CoverView, f64)> {
        let near = self.covers_near(at, radius_m);
        near.into_iter().find(|(view, _)| view.category() == category && !skip(view.id))
    }

    fn orders(&self) -> RwLockReadGuard<'_, Orders> {
        self.orders.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn orders_mut(&self) -> RwLockWriteGuard<'_, Orders> {
        self.orders.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an open order or replaces the one with its code.
    pub fn put_order(&self, order: OpenOrder) {
        self.orders_mut().put(order);
    }

    /// Forgets an order: it was closed or cancelled.
    pub fn remove_order(&self, code: OrderCode) -> Option<Arc<OpenOrder>> {
        self.orders_mut().remove(code)
    }

    /// Forgets those of a district's orders that are not to stay.
    pub fn retain_orders(&self, district: DistrictCode, stays: impl Fn(OrderCode) -> bool) {
        let mut orders = self.orders_mut();
        for code in orders.of(district) {
            if !stays(code) {
                orders.remove(code);
            }
        }
    }

    pub fn order(&self, code: OrderCode) -> Option<Arc<OpenOrder>> {
        self.orders().get(code)
    }

    pub fn order_count(&self) -> usize {
        self.orders().len()
    }

    /// The open order on a cover; of several the one reported first.
    pub fn order_on(&self, cover: CoverId) -> Option<Arc<OpenOrder>> {
        self.orders().on(cover)
    }

    /// Open orders within the radius, by distance in metres, then code.
    pub fn orders_near(&self, at: Position<Wgs84>, radius_m: f64) -> Vec<(Arc<OpenOrder>, f64)> {
        self.orders().near(at, radius_m)
    }
}
