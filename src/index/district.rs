//! One district in memory, and how it is built.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::IndexError;
use super::covers::Covers;
use super::ground::Ground;
use crate::domain::catalog::Catalog;
use crate::domain::cover::Cover;
use crate::domain::grid::{Community, District, Grid, Subdistrict};
use crate::domain::id::{CoverCode, CoverId, DistrictCode, GridCode, OrgCode};
use crate::domain::organization::Organization;
use crate::domain::position::{Position, Wgs84};

/// A district as the store has it at one `registry_seq`, without its covers: those follow one by one.
#[derive(Debug, Clone)]
pub struct DistrictSnapshot {
    pub district: District,
    pub subdistricts: Vec<Subdistrict>,
    pub communities: Vec<Community>,
    /// Each with the name of its leader (网格长).
    pub grids: Vec<(Grid, Option<String>)>,
    /// The district's own organisations, and those of others that its grids name.
    pub organizations: Vec<Organization>,
    pub catalog: Catalog,
    pub registry_seq: u64,
}

/// Takes the covers of a district as they are read, so that there is no second copy of them.
#[derive(Debug)]
pub struct DistrictBuilder {
    ground: Ground,
    covers: Covers,
    registry_seq: u64,
}

impl DistrictBuilder {
    pub fn new(mut snapshot: DistrictSnapshot) -> Result<Self, IndexError> {
        let organizations = std::mem::take(&mut snapshot.organizations).into_iter().map(Arc::new);
        let organizations: HashMap<_, _> = organizations.map(|o| (o.code.as_str().to_owned(), o)).collect();
        let registry_seq = snapshot.registry_seq;
        let ground = Ground::new(snapshot, &organizations)?;
        let mut covers = Covers::within_outline(ground.outline.corners());
        for organization in organizations.into_values() {
            covers.put_unit(organization)?;
        }
        Ok(Self { ground, covers, registry_seq })
    }

    /// Makes room for this many covers at once, where the number is known.
    #[must_use]
    pub fn expect(mut self, covers: usize) -> Self {
        self.covers.reserve(covers);
        self
    }

    /// Takes one cover; its code must be of this district and not have come before.
    pub fn cover(&mut self, cover: Cover) -> Result<(), IndexError> {
        if cover.code.district() != self.ground.district.code {
            return Err(IndexError::NotServed(cover.code.district()));
        }
        self.covers.load(cover, &self.ground)
    }

    /// The organisations that covers name and nobody told of yet.
    pub fn nameless(&self) -> Vec<OrgCode> {
        self.covers.nameless()
    }

    /// Tells of an organisation.
    pub fn organization(&mut self, organization: Organization) -> Result<(), IndexError> {
        self.covers.put_unit(Arc::new(organization))
    }

    pub fn finish(mut self) -> DistrictIndex {
        self.covers.seal(self.ground.outline.corners());
        DistrictIndex {
            ground: self.ground,
            covers: RwLock::new(self.covers),
            registry_seq: AtomicU64::new(self.registry_seq),
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
        }
    }
}

/// A cover that has come into another grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Regridded {
    pub id: CoverId,
    pub code: CoverCode,
    pub from: Option<GridCode>,
    pub to: Option<GridCode>,
    /// Its version from then on.
    pub version: i64,
}

/// Numbers districts as they are built.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// A district, ready to be asked; [`super::Index::replace`] puts it in service.
#[derive(Debug)]
pub struct DistrictIndex {
    pub(super) ground: Ground,
    covers: RwLock<Covers>,
    registry_seq: AtomicU64,
    /// No other district that was ever built here has it.
    serial: u64,
}

impl DistrictIndex {
    pub fn code(&self) -> DistrictCode {
        self.ground.district.code
    }

    /// Number of covers in memory, in every status.
    pub fn covers(&self) -> usize {
        self.read().len()
    }

    /// The covers whose grid is no longer the one that they lie in, with that one; and puts them there.
    pub fn regrid(&self) -> Vec<Regridded> {
        self.write().regrid(&self.ground)
    }

    /// The grid that a position in this district belongs to: the nearest one in a sliver, `None` outside.
    pub fn grid_at(&self, at: Position<Wgs84>) -> Option<GridCode> {
        let (spot, ruler) = self.ground.ruler(at)?;
        self.ground.grid_or_nearest(&ruler, spot).map(|grid| grid.code)
    }

    // A panic while the lock is held leaves at worst one cover half listed; readers go on.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Covers> {
        self.covers.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Covers> {
        self.covers.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn seq(&self) -> u64 {
        self.registry_seq.load(Ordering::Acquire)
    }

    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// Says that every change up to `seq` is in, before the district is put in service.
    pub fn set_change(&self, seq: u64) {
        self.set_seq(seq);
    }

    pub(super) fn set_seq(&self, seq: u64) {
        self.registry_seq.store(seq, Ordering::Release);
    }
}
