//! Which of the database's districts this process serves, and where the others lie.

use arc_swap::ArcSwap;
use geo::{BoundingRect as _, Intersects as _, MultiPolygon, Point, Rect, coord};

use super::error::{At, ServiceError};
use super::{Context, Guli};
use crate::domain::grid::District;
use crate::domain::id::DistrictCode;
use crate::domain::position::{Position, Wgs84};
use crate::domain::said::say;
use crate::index::Index;
use crate::store::{Result, areas};

/// Degrees within which covers of two districts may be one.
const BESIDE: f64 = 0.000_1;

/// The database's districts by code: whose outline a position lies in is known of those too that are not in memory.
#[derive(Debug, Default)]
pub(super) struct Known(ArcSwap<Outlines>);

#[derive(Debug, Default)]
struct Outlines {
    versions: Vec<(DistrictCode, i64)>,
    districts: Vec<KnownDistrict>,
}

/// A district, and the box that it lies in: most positions are seen by that to lie elsewhere.
#[derive(Debug)]
struct KnownDistrict {
    code: DistrictCode,
    outline: MultiPolygon<f64>,
    bounds: Option<Rect<f64>>,
}

impl KnownDistrict {
    fn holds(&self, point: &Point<f64>) -> bool {
        self.bounds.is_some_and(|bounds| bounds.intersects(point)) && self.outline.intersects(point)
    }
}

impl From<District> for KnownDistrict {
    fn from(District { code, outline, .. }: District) -> Self {
        Self { code, bounds: outline.bounding_rect(), outline }
    }
}

impl Known {
    /// Whether all of them are in memory.
    pub(super) fn all_in(&self, index: &Index) -> bool {
        self.0.load().districts.iter().all(|district| index.serves(district.code))
    }

    pub(super) fn has(&self, district: DistrictCode) -> bool {
        self.0.load().districts.binary_search_by_key(&district, |known| known.code).is_ok()
    }

    /// A district and those whose outline's box lies beside its own.
    fn beside(&self, district: DistrictCode) -> Vec<DistrictCode> {
        let known = self.0.load();
        let reach = known.districts.iter().find(|known| known.code == district).and_then(|own| {
            let own = own.bounds?;
            let by = coord! { x: BESIDE, y: BESIDE };
            Some(Rect::new(own.min() - by, own.max() + by))
        });
        let is_beside = |known: &&KnownDistrict| {
            known.code == district || reach.zip(known.bounds).is_some_and(|(reach, ground)| reach.intersects(&ground))
        };
        known.districts.iter().filter(is_beside).map(|known| known.code).collect()
    }
}

impl Context {
    /// Why something of this district is not here; `None` where nobody has it.
    fn why_absent(&self, district: DistrictCode) -> Option<ServiceError> {
        if self.index.serves(district) {
            return None;
        }
        if !self.known.has(district) {
            return (!self.progress.is_loaded()).then(|| ServiceError::NotYet(super::loading()));
        }
        // It is being loaded, or is another process's.
        let own = self.districts.serve(district);
        Some(if own {
            ServiceError::NotYet(say!("district {district} is being loaded", "行政区 {district} 正在加载"))
        } else {
            ServiceError::OtherDistrict(district)
        })
    }

    /// Why a position lies in no district in memory.
    pub(super) fn outside(&self, position: Position<Wgs84>, at: At) -> ServiceError {
        let point = Point::new(position.lon(), position.lat());
        let known = self.known.0.load();
        let mut around = known.districts.iter().filter(|district| district.holds(&point));
        let why = around.find_map(|district| self.why_absent(district.code));
        why.unwrap_or_else(|| {
            if self.progress.is_loaded() {
                ServiceError::OutsideServiceArea(at)
            } else {
                ServiceError::NotYet(super::loading())
            }
        })
    }
}

impl Guli {
    /// Why a position lies in no district in memory: in none at all, in one served elsewhere, in one not loaded yet.
    pub fn outside(&self, position: Position<Wgs84>, at: At) -> ServiceError {
        self.context.outside(position, at)
    }

    /// Checks that a district is served here.
    pub fn serves(&self, district: DistrictCode) -> super::error::Result<()> {
        if self.context.index.serves(district) {
            return Ok(());
        }
        let nobody = || ServiceError::NotFound(say!("district {district}", "行政区 {district}"));
        Err(self.context.why_absent(district).unwrap_or_else(nobody))
    }

    /// Refuses what another process is to serve.
    pub(super) fn is_own(&self, district: DistrictCode) -> super::error::Result<()> {
        if self.context.districts.serve(district) { Ok(()) } else { Err(ServiceError::OtherDistrict(district)) }
    }

    /// Refuses what is said of a district of the database that is not in memory here.
    pub fn is_not_elsewhere(&self, district: DistrictCode) -> super::error::Result<()> {
        self.context.why_absent(district).map_or(Ok(()), Err)
    }

    /// The districts that can be imported into.
    pub async fn open_to_imports(&self) -> super::error::Result<Vec<DistrictCode>> {
        if !self.is_lean {
            return Ok(self.districts());
        }
        let known = areas::district_versions(&mut self.store.read().await?.conn()).await?;
        let codes = known.into_iter().map(|(code, _)| code);
        Ok(codes.filter(|code| self.context.districts.serve(*code)).collect())
    }

    /// Where only what imports need is in memory: brings the district there that is imported into, with those beside it,
    /// whose covers a file may have too, and lets all others go.
    pub async fn make_room(&self, into: Option<DistrictCode>) -> super::error::Result<()> {
        if !self.is_lean {
            return Ok(());
        }
        let versions = areas::district_versions(&mut self.store.read().await?.conn()).await?;
        self.know(versions).await?;
        let needed = into.map_or_else(Vec::new, |district| self.context.known.beside(district));
        let index = &self.context.index;
        for district in self.districts().into_iter().filter(|held| !needed.contains(held)) {
            index.withdraw(district);
            index.retain_orders(district, |_| false);
        }
        for district in needed {
            if self.context.districts.serve(district) && !index.serves(district) {
                self.follow_district(district).await?;
            }
        }
        Ok(())
    }

    /// Reads where the districts lie, when there are others than were known, or other outlines.
    pub(super) async fn know(&self, versions: Vec<(DistrictCode, i64)>) -> Result<()> {
        if self.context.known.0.load().versions != versions {
            let districts = areas::districts(&mut self.store.read().await?.conn()).await?;
            let districts = districts.into_iter().map(KnownDistrict::from).collect();
            self.context.known.0.store(std::sync::Arc::new(Outlines { versions, districts }));
        }
        Ok(())
    }
}
