//! All served districts: which of them a position belongs to.

use std::sync::Arc;

use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

use super::area::Side;
use super::district::DistrictIndex;
use super::ground::GridInfo;
use crate::domain::id::DistrictCode;
use crate::domain::position::{Metres, Position, Wgs84};

/// The districts at one moment; a new one is made when a district is replaced.
#[derive(Debug, Default)]
pub(super) struct Atlas {
    /// By rising code.
    districts: Vec<Arc<DistrictIndex>>,
    boxes: RTree<GeomWithData<Rectangle<[f64; 2]>, usize>>,
}

/// Where a position lies: its district, grid and the distance to that grid.
pub(super) struct Located<'a> {
    pub(super) district: &'a Arc<DistrictIndex>,
    pub(super) grid: &'a Arc<GridInfo>,
    pub(super) distance_m: f64,
}

impl Atlas {
    fn new(districts: Vec<Arc<DistrictIndex>>) -> Self {
        let boxes = districts.iter().enumerate().map(|(i, district)| {
            let [west, south, east, north] = district.ground.bounds;
            GeomWithData::new(Rectangle::from_corners([west, south], [east, north]), i)
        });
        let boxes = RTree::bulk_load(boxes.collect());
        Self { districts, boxes }
    }

    /// The same with this district instead of the one with its code.
    pub(super) fn with(&self, district: &Arc<DistrictIndex>) -> Self {
        let others = self.districts.iter().filter(|other| other.code() != district.code());
        let mut districts: Vec<_> = others.chain([district]).cloned().collect();
        districts.sort_by_key(|d| d.code());
        Self::new(districts)
    }

    pub(super) fn without(&self, code: DistrictCode) -> Self {
        Self::new(self.districts.iter().filter(|d| d.code() != code).cloned().collect())
    }

    pub(super) fn districts(&self) -> &[Arc<DistrictIndex>] {
        &self.districts
    }

    pub(super) fn get(&self, code: DistrictCode) -> Option<&Arc<DistrictIndex>> {
        self.districts.binary_search_by_key(&code, |d| d.code()).ok().map(|i| &self.districts[i])
    }

    /// The districts whose outline's box meets west, south, east, north, by code.
    pub(super) fn within(&self, [west, south, east, north]: [f64; 4]) -> Vec<&Arc<DistrictIndex>> {
        let reach = AABB::from_corners([west, south], [east, north]);
        let mut found: Vec<_> = self.boxes.locate_in_envelope_intersecting(&reach).map(|b| b.data).collect();
        found.sort_unstable();
        found.into_iter().map(|i| &self.districts[i]).collect()
    }

    /// The districts whose outline's box comes within the radius, one millimetre more at least.
    pub(super) fn near(&self, at: Position<Wgs84>, radius_m: f64) -> impl Iterator<Item = &Arc<DistrictIndex>> {
        let metres = Metres::at(at.lat());
        let radius = 1.01 * radius_m + 0.01;
        let (dx, dy) = (radius / metres.per_degree_east, radius / metres.per_degree_north);
        let reach = AABB::from_corners([at.lon() - dx, at.lat() - dy], [at.lon() + dx, at.lat() + dy]);
        self.boxes.locate_in_envelope_intersecting(&reach).map(|b| &self.districts[b.data])
    }

    /// The district in whose outline the position lies.
    pub(super) fn around(&self, at: Position<Wgs84>) -> Option<DistrictCode> {
        let within = self.near(at, 0.0).filter(|district| {
            district.ground.ruler(at).is_some_and(|(spot, _)| district.ground.outline.side(spot) != Side::Outside)
        });
        within.map(|district| district.code()).min()
    }

    /// The lowest grid code that the position lies in or on the edge of; in a sliver within a
    /// district's outline its nearest grid; `None` outside every district. A district without grids
    /// serves nobody yet.
    pub(super) fn locate(&self, at: Position<Wgs84>) -> Option<Located<'_>> {
        let in_grid = self.near(at, 0.0).filter_map(|district| {
            let (spot, ruler) = district.ground.ruler(at)?;
            let grid = district.ground.grid_at(&ruler, spot)?;
            Some(Located { district, grid, distance_m: 0.0 })
        });
        in_grid.min_by_key(|located| located.grid.code).or_else(|| self.sliver(at))
    }

    fn sliver(&self, at: Position<Wgs84>) -> Option<Located<'_>> {
        let nearest = self.near(at, 0.0).filter_map(|district| {
            let (spot, ruler) = district.ground.ruler(at)?;
            if district.ground.outline.side(spot) == Side::Outside {
                return None;
            }
            let (grid, distance_m) = district.ground.nearest_grid(&ruler)?;
            Some(Located { district, grid, distance_m: (distance_m * 100.0).round() / 100.0 })
        });
        nearest.min_by(|a, b| a.distance_m.total_cmp(&b.distance_m).then(a.grid.code.cmp(&b.grid.code)))
    }
}
