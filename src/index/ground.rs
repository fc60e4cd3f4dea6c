//! What of a district changes only as a whole: its outline, grids and tables.

use std::collections::HashMap;
use std::sync::Arc;

use geo::{BoundingRect as _, MultiPolygon};
use rstar::{RTree, RTreeObject};
use serde_json::value::RawValue;

use super::IndexError;
use super::area::{Area, Side};
use super::district::DistrictSnapshot;
use super::frame::{Box32, Frame, Ruler, Spot};
use super::kept::Kept;
use crate::domain::catalog::{Catalog, CategoryCode};
use crate::domain::id::{CommunityCode, DistrictCode, GridCode, SubdistrictCode};
use crate::domain::organization::Organization;
use crate::domain::position::{Position, Wgs84};

/// A code with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<C> {
    pub code: C,
    pub name: String,
}

/// A grid with all that answers say of it.
#[derive(Debug, PartialEq, Eq)]
pub struct GridInfo {
    pub code: GridCode,
    pub name: String,
    pub community: Arc<Named<CommunityCode>>,
    pub subdistrict: Arc<Named<SubdistrictCode>>,
    pub district: Arc<Named<DistrictCode>>,
    /// 责任科室
    pub supervising_department: Option<Arc<Organization>>,
    /// 网格长: the name only.
    pub leader: Option<String>,
    pub version: i64,
    /// As answers write it, for whoever asks and for those with a key.
    pub written: [Kept<Box<RawValue>>; 2],
}

#[derive(Debug)]
struct GridBox {
    envelope: Box32,
    grid: u32,
}

impl RTreeObject for GridBox {
    type Envelope = Box32;

    fn envelope(&self) -> Box32 {
        self.envelope
    }
}

#[derive(Debug)]
pub(super) struct Ground {
    pub(super) district: Arc<Named<DistrictCode>>,
    pub(super) frame: Frame,
    pub(super) outline: Area,
    /// West, south, east, north in degrees.
    pub(super) bounds: [f64; 4],
    /// By rising code: a lower index is a lower code.
    pub(super) grids: Vec<(Arc<GridInfo>, Area)>,
    boxes: RTree<GridBox>,
    /// Those with an outline, by rising code.
    pub(super) subdistricts: Vec<(Arc<Named<SubdistrictCode>>, Area)>,
    pub(super) communities: Vec<(Arc<Named<CommunityCode>>, Area)>,
    pub(super) catalog: Arc<Catalog>,
    category_names: Vec<(CategoryCode, Arc<str>)>,
}

impl Ground {
    /// A sub-district as its first grid knows it.
    pub(super) fn subdistrict(&self, code: SubdistrictCode) -> Option<Arc<Named<SubdistrictCode>>> {
        let first = self.grids.partition_point(|(grid, _)| grid.subdistrict.code < code);
        let (grid, _) = self.grids.get(first)?;
        (grid.subdistrict.code == code).then(|| Arc::clone(&grid.subdistrict))
    }

    pub(super) fn new(
        snapshot: DistrictSnapshot,
        units: &HashMap<String, Arc<Organization>>,
    ) -> Result<Self, IndexError> {
        let code = snapshot.district.code;
        let too_wide = || IndexError::Outline(code.to_string());
        let rect = snapshot.district.outline.bounding_rect().ok_or_else(too_wide)?;
        let frame = Frame::at(rect.center().x, rect.center().y);
        let outline = Area::new(&snapshot.district.outline, frame).ok_or_else(too_wide)?;
        let district = Arc::new(Named { code, name: snapshot.district.name });
        let subdistricts = snapshot.subdistricts.into_iter().map(|s| (Named { code: s.code, name: s.name }, s.outline));
        let (subdistricts, drawn_subdistricts) = named(subdistricts, frame);
        let communities = snapshot.communities.into_iter().map(|c| (Named { code: c.code, name: c.name }, c.outline));
        let (communities, drawn_communities) = named(communities, frame);
        let mut grids = Vec::with_capacity(snapshot.grids.len());
        for (grid, leader) in snapshot.grids {
            let area = Area::new(&grid.outline, frame).ok_or_else(|| IndexError::Outline(grid.code.to_string()))?;
            let community = CommunityCode::of(grid.code);
            let subdistrict = SubdistrictCode::of(community);
            let info = GridInfo {
                code: grid.code,
                name: grid.name,
                community: communities.get(&community).cloned().unwrap_or_else(|| nameless(community)),
                subdistrict: subdistricts.get(&subdistrict).cloned().unwrap_or_else(|| nameless(subdistrict)),
                district: Arc::clone(&district),
                supervising_department: grid.supervising_department.and_then(|org| units.get(org.as_str()).cloned()),
                leader,
                version: grid.version,
                written: Default::default(),
            };
            grids.push((Arc::new(info), area));
        }
        grids.sort_by_key(|(info, _)| info.code);
        let boxes = (0..).zip(&grids).map(|(grid, (_, area))| GridBox { envelope: area.envelope(), grid }).collect();
        let names = snapshot.catalog.categories.values().map(|c| (c.code, Arc::from(&*c.name))).collect();
        Ok(Self {
            district,
            frame,
            outline,
            bounds: [rect.min().x, rect.min().y, rect.max().x, rect.max().y],
            grids,
            boxes: RTree::bulk_load(boxes),
            subdistricts: drawn_subdistricts,
            communities: drawn_communities,
            catalog: Arc::new(snapshot.catalog),
            category_names: names,
        })
    }

    pub(super) fn category_name(&self, code: CategoryCode) -> Arc<str> {
        let found = self.category_names.binary_search_by_key(&code, |(c, _)| *c);
        found.map_or_else(|_| Arc::from(code.to_string()), |i| Arc::clone(&self.category_names[i].1))
    }

    /// The grid with this index.
    pub(super) fn grid(&self, index: u32) -> Option<&Arc<GridInfo>> {
        self.grids.get(index as usize).map(|(info, _)| info)
    }

    pub(super) fn grid_index(&self, code: GridCode) -> Option<u32> {
        let found = self.grids.binary_search_by_key(&code, |(info, _)| info.code);
        found.ok().and_then(|i| u32::try_from(i).ok())
    }

    pub(super) fn grids(&self) -> impl Iterator<Item = &Arc<GridInfo>> {
        self.grids.iter().map(|(info, _)| info)
    }

    /// The grids whose box meets the box, by code, with their outlines; a few beside it too.
    pub(super) fn grids_near(&self, reach: Box32) -> impl Iterator<Item = &(Arc<GridInfo>, Area)> {
        let mut found: Vec<u32> = self.boxes.locate_in_envelope_intersecting(&reach).map(|b| b.grid).collect();
        found.sort_unstable();
        found.into_iter().filter_map(|grid| self.grids.get(grid as usize))
    }

    /// The grid of the lowest code that the spot lies in or on the edge of.
    pub(super) fn grid_at(&self, ruler: &Ruler, spot: Spot) -> Option<&Arc<GridInfo>> {
        let proposed = self.boxes.locate_in_envelope_intersecting(&ruler.reach(0.0));
        let touched = proposed.filter(|b| self.grids[b.grid as usize].1.side(spot) != Side::Outside);
        touched.map(|b| b.grid).min().and_then(|grid| self.grid(grid))
    }

    /// The nearest grid and its distance in metres; of equally near ones the lowest code.
    pub(super) fn nearest_grid(&self, ruler: &Ruler) -> Option<(&Arc<GridInfo>, f64)> {
        // Slivers are narrow: look nearby first, at last everywhere.
        [50.0, 2_000.0, 2e6]
            .into_iter()
            .find_map(|radius| {
                let proposed = self.boxes.locate_in_envelope_intersecting(&ruler.reach(radius));
                let measured = proposed.map(|b| (self.grids[b.grid as usize].1.distance_m(ruler), b.grid));
                let nearest =
                    measured.min_by(|a, b| millimetres(a.0).total_cmp(&millimetres(b.0)).then(a.1.cmp(&b.1)))?;
                (nearest.0 <= radius).then_some(nearest)
            })
            .and_then(|(distance, grid)| Some((self.grid(grid)?, distance)))
    }

    /// The grid that the spot lies in, or in a sliver within the outline the nearest one.
    pub(super) fn grid_or_nearest(&self, ruler: &Ruler, spot: Spot) -> Option<&Arc<GridInfo>> {
        self.grid_at(ruler, spot).or_else(|| {
            let inside = self.outline.side(spot) != Side::Outside;
            inside.then(|| self.nearest_grid(ruler)).flatten().map(|(grid, _)| grid)
        })
    }

    /// The spot and ruler of a position; `None` when it is too far away to be of this district.
    pub(super) fn ruler(&self, at: Position<Wgs84>) -> Option<(Spot, Ruler)> {
        let spot = self.frame.spot_of(at)?;
        Some((spot, Ruler::new(at, spot)))
    }
}

/// As exact as the positions are: what differs by less is equally far.
fn millimetres(metres: f64) -> f64 {
    (metres * 1_000.0).round()
}

/// Areas by their codes, and the outlines of those that have one in reach.
#[expect(clippy::type_complexity, reason = "two tables of the same areas")]
fn named<C: Copy + Eq + Ord + std::hash::Hash>(
    areas: impl Iterator<Item = (Named<C>, MultiPolygon<f64>)>,
    frame: Frame,
) -> (HashMap<C, Arc<Named<C>>>, Vec<(Arc<Named<C>>, Area)>) {
    let (mut by_code, mut drawn) = (HashMap::new(), Vec::new());
    for (area, outline) in areas {
        let area = Arc::new(area);
        drawn.extend(Area::new(&outline, frame).map(|outline| (Arc::clone(&area), outline)));
        by_code.insert(area.code, area);
    }
    drawn.sort_by_key(|(area, _)| area.code);
    (by_code, drawn)
}

fn nameless<C: ToString>(code: C) -> Arc<Named<C>> {
    let name = code.to_string();
    Arc::new(Named { code, name })
}
