//! A pin into a grid and candidates.

use std::cmp::Ordering;
use std::sync::Arc;

use super::atlas::Atlas;
use super::covers::{CoverView, Covers};
use super::district::DistrictIndex;
use super::ground::GridInfo;
use super::layers::NamesStamp;
use crate::domain::id::{CoverId, DistrictCode};
use crate::domain::position::{Position, Wgs84};
use crate::domain::resolve::{Evidence, Match, Pin, Ranking, ResolveModel, Weighed, Weighing, rank};

/// Why a position has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("the position lies outside every district served here")]
    OutsideServiceArea,
}

/// The grid that a position belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct GridHit {
    pub grid: Arc<GridInfo>,
    /// 0 within the grid or on its edge, else metres to it.
    pub distance_m: f64,
}

/// A cover found, where it lies in memory. What is shown with it is shared by all threads, so that holding it costs
/// more than finding it.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    district: &'a DistrictIndex,
    covers: &'a Covers,
    slot: u32,
}

/// Equal stamps, equal answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoverStamp {
    pub id: CoverId,
    version: u32,
    grid: u32,
    names: NamesStamp,
}

impl Found<'_> {
    pub fn stamp(&self) -> CoverStamp {
        let (id, version, grid) = self.covers.state(self.slot);
        let names = NamesStamp { district: self.district.serial(), units: self.covers.unit_changes() };
        CoverStamp { id, version, grid, names }
    }

    pub fn view(&self) -> Option<CoverView> {
        self.covers.view(self.slot, &self.district.ground)
    }
}

/// A cover that a pin may mean, as it is to be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate<C = CoverView> {
    pub cover: C,
    /// Rounded to 1 cm.
    pub distance_m: f64,
    /// 0–1; see [`crate::domain::resolve`].
    pub confidence: f64,
}

/// What a pin means.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution<C = CoverView> {
    pub position: Position<Wgs84>,
    /// The state of the registry that was read, or an earlier one: the district and its `registry_seq`.
    pub registry_version: (DistrictCode, u64),
    pub grid: GridHit,
    pub matched: Match,
    pub none_confidence: f64,
    pub candidates: Vec<Candidate<C>>,
}

pub(super) fn resolve<C>(
    atlas: &Atlas,
    model: &ResolveModel,
    pin: &Pin,
    show: impl FnMut(Found<'_>) -> Option<C>,
) -> Result<Resolution<C>, ResolveError> {
    let at = pin.position();
    let located = atlas.locate(at).ok_or(ResolveError::OutsideServiceArea)?;
    let district = located.district;
    // Read before the covers: what changes in between makes the answer look older than it is, never newer.
    let registry_version = (district.code(), district.seq());
    let grid = GridHit { grid: Arc::clone(located.grid), distance_m: located.distance_m };
    let (ranking, candidates) = candidates(atlas, model, pin, district, show);
    let Ranking { none_confidence, matched, .. } = ranking;
    Ok(Resolution { position: at, registry_version, grid, matched, none_confidence, candidates })
}

/// Covers in reach of a phone's pin in a street; more than this take a second allocation.
const EXPECTED: usize = 32;

/// Which of the locked districts, and the slot there.
type Key = (usize, u32);

fn candidates<C>(
    atlas: &Atlas,
    model: &ResolveModel,
    pin: &Pin,
    home: &Arc<DistrictIndex>,
    mut show: impl FnMut(Found<'_>) -> Option<C>,
) -> (Ranking<Key>, Vec<Candidate<C>>) {
    let (at, reach) = (pin.position(), pin.reach_m());
    let share = pin.category().map_or(0.0, |hint| home.read().share(hint));
    let mut weighing = Weighing::new(model, pin, share);
    let mut weighed: Vec<Weighed<Key>> = Vec::with_capacity(EXPECTED);
    // The locks are held until the covers are shown, so that all of them are of one moment.
    let mut locked = Vec::with_capacity(1);
    for district in atlas.near(at, reach) {
        let Some((_, ruler)) = district.ground.ruler(at) else { continue };
        let covers = district.read();
        covers.within(&ruler, reach, |entry, squared| {
            if entry.status.is_resolvable() {
                let distance_m = squared.sqrt();
                let (accuracy, category, status) = (entry.accuracy, entry.category, entry.status);
                let weight = weighing.add(&Evidence { distance_m, accuracy, category, status });
                weighed.push(Weighed { key: (locked.len(), entry.slot), distance_m, weight });
            }
        });
        locked.push((district, covers));
    }
    let by_code = |a: &Key, b: &Key| -> Ordering {
        let code = |&(n, slot): &Key| (locked[n].0.code(), locked[n].1.code_key(slot));
        code(a).cmp(&code(b))
    };
    let ranking = rank(weighed, weighing.none(), pin.limit(), by_code);
    let shown = ranking.candidates.iter().filter_map(|ranked| {
        let (district, covers) = &locked[ranked.key.0];
        let cover = show(Found { district, covers, slot: ranked.key.1 })?;
        Some(Candidate { cover, distance_m: ranked.distance_m, confidence: ranked.confidence })
    });
    let shown = shown.collect();
    (ranking, shown)
}
