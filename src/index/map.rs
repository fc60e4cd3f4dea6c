//! What a map is drawn from: outlines and spots within a box, without copies of what is not drawn.

use std::sync::Arc;

use super::area::Area;
use super::frame::Frame;
use super::ground::{GridInfo, Ground};
use super::layers::NamesStamp;
use super::{Index, OrgCode};
use crate::domain::catalog::CategoryCode;
use crate::domain::cover::{Accuracy, Status};
use crate::domain::id::{CoverCode, DistrictCode};

/// A level of areas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AreaLevel {
    District,
    Subdistrict,
    Community,
    Grid,
}

/// What a district's part of a map is drawn from: equal stamps, equal drawings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MapStamp {
    names: NamesStamp,
    registry_seq: u64,
}

impl MapStamp {
    /// The same for what changes only with the district as a whole: its areas.
    #[must_use]
    pub const fn of_areas(self) -> Self {
        Self { names: NamesStamp { units: 0, ..self.names }, registry_seq: 0 }
    }
}

/// An area as it is drawn; degrees of WGS 84.
#[derive(Debug, Clone, Copy)]
pub struct Outline<'a> {
    /// All digits of its code.
    pub code: u64,
    pub name: &'a str,
    frame: Frame,
    area: &'a Area,
}

impl Outline<'_> {
    /// West, south, east, north.
    pub fn bounds(&self) -> [f64; 4] {
        let (low, high) = self.area.corners();
        let ((west, south), (east, north)) = (self.frame.degrees(low), self.frame.degrees(high));
        [west, south, east, north]
    }

    /// Each ring, closed, longitude first, and whether it is a hole of the last ring before it that is none.
    pub fn rings(&self) -> impl Iterator<Item = (bool, impl Iterator<Item = (f64, f64)>)> {
        self.area.rings().iter().map(|ring| (ring.hole, ring.spots.iter().map(|&spot| self.frame.degrees(spot))))
    }

    /// A position inside that a label can stand at: longitude and latitude.
    pub fn label(&self) -> (f64, f64) {
        self.frame.degrees(self.area.label())
    }
}

/// A cover as anyone sees it on a map: longitude, latitude, category.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoverSpot {
    pub at: (f64, f64),
    pub category: CategoryCode,
}

/// A cover as holders of a key see it on a map; its units are places in [`CoverMarks::units`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoverMark {
    /// Longitude and latitude.
    pub at: (f64, f64),
    pub category: CategoryCode,
    pub sequence: u32,
    pub owner: Option<u16>,
    pub responsible_unit: Option<u16>,
    pub status: Status,
    pub accuracy: Accuracy,
}

/// Covers of one district, by code.
#[derive(Debug, Default)]
pub struct CoverMarks {
    pub marks: Vec<CoverMark>,
    /// The organisations that they name.
    pub units: Vec<OrgCode>,
}

impl Index {
    /// The districts whose outline's box meets west, south, east, north, by code, with their stamps. Taken before
    /// what is drawn, so that no drawing goes by too new a stamp.
    pub fn map_stamps(&self, bounds: [f64; 4]) -> Vec<(DistrictCode, MapStamp)> {
        let atlas = self.atlas.load();
        let stamped = atlas.within(bounds).into_iter().map(|district| {
            let registry_seq = district.seq();
            let names = NamesStamp { district: district.serial(), units: district.read().unit_changes() };
            (district.code(), MapStamp { names, registry_seq })
        });
        stamped.collect()
    }

    /// The areas of a level whose box meets west, south, east, north, by code.
    pub fn outlines_in(&self, level: AreaLevel, bounds: [f64; 4], mut visit: impl FnMut(Outline<'_>)) {
        let atlas = self.atlas.load();
        for district in atlas.within(bounds) {
            let mut within = |outline: Outline<'_>| {
                if meet(outline.bounds(), bounds) {
                    visit(outline);
                }
            };
            let ground = &district.ground;
            match level {
                AreaLevel::Grid => {
                    let near = ground.grids_near(ground.frame.reach(bounds));
                    near.for_each(|grid| within(ground.drawn(grid)));
                }
                _ => ground.outlines(level, within),
            }
        }
    }

    /// The areas of a level of one district, wherever they lie, by code.
    pub fn outlines_of(&self, district: DistrictCode, level: AreaLevel, visit: impl FnMut(Outline<'_>)) {
        if let Some(district) = self.district(district) {
            district.ground.outlines(level, visit);
        }
    }

    /// The covers that a pin may mean within west, south, east, north: by category, then from the south-west.
    /// Their codes decide nothing, not even the order.
    pub fn cover_spots(&self, district: DistrictCode, bounds: [f64; 4]) -> Vec<CoverSpot> {
        let Some(district) = self.district(district) else { return Vec::new() };
        let mut spots = Vec::new();
        district.read().spots_in(bounds, district.ground.frame, |entry, at| {
            if entry.status.is_resolvable() {
                spots.push(CoverSpot { at, category: entry.category });
            }
        });
        let lower = |a: (f64, f64), b: (f64, f64)| a.1.total_cmp(&b.1).then(a.0.total_cmp(&b.0));
        spots.sort_unstable_by(|a, b| a.category.cmp(&b.category).then_with(|| lower(a.at, b.at)));
        spots
    }

    /// The covers not removed within west, south, east, north.
    pub fn cover_marks(&self, district: DistrictCode, bounds: [f64; 4]) -> CoverMarks {
        let Some(district) = self.district(district) else { return CoverMarks::default() };
        let (mut marks, mut used): (Vec<CoverMark>, Vec<u16>) = (Vec::new(), Vec::new());
        let covers = district.read();
        // The place of each organisation among those named; looked up thousands of times, so a table.
        let mut places = vec![None; covers.unit_count()];
        let mut place = |number: u16| {
            *places.get_mut(usize::from(number))?.get_or_insert_with(|| {
                used.push(number);
                u16::try_from(used.len() - 1).ok()
            })
        };
        covers.spots_in(bounds, district.ground.frame, |entry, at| {
            let (owner, unit, sequence) = covers.units_of(entry.slot);
            marks.push(CoverMark {
                at,
                category: entry.category,
                sequence,
                owner: owner.and_then(&mut place),
                responsible_unit: unit.and_then(&mut place),
                status: entry.status,
                accuracy: entry.accuracy,
            });
        });
        let units = used.into_iter().filter_map(|number| covers.unit_numbered(number));
        let units = units.map(|unit: Arc<_>| unit.code.clone()).collect();
        drop(covers);
        marks.sort_unstable_by_key(|mark| (mark.category, mark.sequence));
        CoverMarks { marks, units }
    }

    /// The box of all districts: west, south, east, north; `None` where none is served.
    pub fn extent(&self) -> Option<[f64; 4]> {
        let atlas = self.atlas.load();
        let boxes = atlas.districts().iter().map(|district| district.ground.bounds);
        boxes.reduce(|a, b| [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])])
    }
}

impl Ground {
    fn drawn<'a>(&'a self, (grid, area): &'a (Arc<GridInfo>, Area)) -> Outline<'a> {
        Outline { code: grid.code.number(), name: &grid.name, frame: self.frame, area }
    }

    fn outlines(&self, level: AreaLevel, mut visit: impl FnMut(Outline<'_>)) {
        let mut draw = |code: u64, name: &str, area: &Area| visit(Outline { code, name, frame: self.frame, area });
        match level {
            AreaLevel::District => draw(self.district.code.number(), &self.district.name, &self.outline),
            AreaLevel::Subdistrict => {
                self.subdistricts.iter().for_each(|(named, area)| draw(named.code.number(), &named.name, area));
            }
            AreaLevel::Community => {
                self.communities.iter().for_each(|(named, area)| draw(named.code.number(), &named.name, area));
            }
            AreaLevel::Grid => self.grids.iter().for_each(|grid| visit(self.drawn(grid))),
        }
    }
}

/// Whether two boxes have a point in common.
fn meet(a: [f64; 4], b: [f64; 4]) -> bool {
    a[0] <= b[2] && a[2] >= b[0] && a[1] <= b[3] && a[3] >= b[1]
}

impl CoverMark {
    /// Its code in a district, as a number of 16 digits.
    pub fn code(&self, district: DistrictCode) -> Option<u64> {
        CoverCode::new(district, self.category, self.sequence).ok().map(CoverCode::number)
    }
}
