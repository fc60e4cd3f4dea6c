//! Vector tiles out of the index: what a map shows of one layer in one square of the world.
//!
//! A tile is drawn when it is asked for, from memory alone, and kept until what it was drawn from has changed
//! (its districts' [stamps](crate::index::MapStamp)). Format: Mapbox Vector Tile 2.1, one layer in each tile, of
//! the name that the address has.
//!
//! Who sees what is decided here, with [`authorize`](crate::domain::actor::authorize): areas are for anyone; of
//! covers anyone sees where one of which category lies, from zoom 16; more, and from zoom 14, who may read covers
//! of the district; orders are drawn as their list shows them.

mod cache;
mod clip;
mod draw;
mod encode;
mod place;
mod rings;
mod trace;

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::actor::{self, Action, Actor, Refusal, Resource};
use crate::domain::id::DistrictCode;
use crate::index::{Index, MapStamp};
use cache::Cache;

pub use cache::Drawn;
pub use place::{EXTENT, MAX_ZOOM, OutOfRange, Tile};

/// What can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    Covers,
    Grids,
    /// A point inside each grid, for its name.
    GridLabel,
    Communities,
    Subdistricts,
    /// A point inside each sub-district, for its name.
    SubdistrictLabel,
    Districts,
    WorkOrders,
}

/// How much of a district's covers the caller sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detail {
    /// Nothing, for the map shows too much of the world.
    Hidden,
    /// Where, and of which category.
    Public,
    Full,
}

impl Detail {
    /// The zoom from which on covers are drawn so.
    pub const fn min_zoom(self) -> u8 {
        match self {
            Self::Hidden | Self::Public => 16,
            Self::Full => 14,
        }
    }
}

impl Layer {
    pub const ALL: &[Self] = &[
        Self::Covers,
        Self::Grids,
        Self::GridLabel,
        Self::Communities,
        Self::Subdistricts,
        Self::SubdistrictLabel,
        Self::Districts,
        Self::WorkOrders,
    ];

    /// The zoom whose tiles are exact to 15 cm at the equator: deeper ones show nothing more.
    pub const DEEPEST: u8 = 16;

    /// The name in addresses and in the tiles.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Covers => "covers",
            Self::Grids => "grids",
            Self::GridLabel => "grid_label",
            Self::Communities => "communities",
            Self::Subdistricts => "subdistricts",
            Self::SubdistrictLabel => "subdistrict_label",
            Self::Districts => "districts",
            Self::WorkOrders => "work-orders",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|layer| layer.as_str() == text)
    }

    /// The properties of a feature.
    pub const fn keys(self, detail: Detail) -> &'static [&'static str] {
        match (self, detail) {
            (Self::Covers, Detail::Full) => &["category", "code", "owner", "responsible_unit", "status", "accuracy"],
            (Self::Covers, _) => &["category"],
            (Self::WorkOrders, _) => &["code", "status", "damage", "due_at", "overdue", "grid"],
            _ => &["code", "name"],
        }
    }

    /// The zoom from which on there is something to see.
    pub const fn min_zoom(self, detail: Detail) -> u8 {
        match self {
            Self::Covers => detail.min_zoom(),
            _ => 0,
        }
    }
}

/// A district's part of a tile: what of it is drawn, and in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    district: DistrictCode,
    detail: Detail,
    stamp: MapStamp,
}

/// How much the caller sees of a district's covers, if the map is near enough.
pub fn detail(actor: &Actor, district: DistrictCode) -> Detail {
    let may = actor::authorize(actor, Action::ReadCovers, Resource::District(district));
    if may.is_ok() { Detail::Full } else { Detail::Public }
}

/// Draws tiles, and keeps them.
#[derive(Debug, Default)]
pub struct Tiles {
    cache: Cache,
}

impl Tiles {
    /// The tile as the caller may see it at this time.
    pub fn get(
        &self,
        index: &Index,
        actor: &Actor,
        layer: Layer,
        tile: Tile,
        now: Timestamp,
    ) -> Result<Arc<Drawn>, Refusal> {
        if layer == Layer::WorkOrders {
            if actor.is_anonymous() {
                return Err(Refusal::Unauthenticated);
            }
            // Not kept: orders change all the time, what is seen differs from caller to caller, and they are few.
            return Ok(Arc::new(Drawn::new(draw::orders(index, actor, tile, now))));
        }
        let parts: Vec<Part> = index
            .map_stamps(draw::bounds(layer, tile))
            .into_iter()
            .map(|(district, stamp)| {
                if layer != Layer::Covers {
                    return Part { district, detail: Detail::Full, stamp: stamp.of_areas() };
                }
                let detail = detail(actor, district);
                let detail = if tile.zoom() < detail.min_zoom() { Detail::Hidden } else { detail };
                Part { district, detail, stamp }
            })
            .collect();
        if let Some(drawn) = self.cache.get(layer, tile, &parts) {
            return Ok(drawn);
        }
        let bytes = match layer {
            Layer::Covers => draw::covers(index, tile, &parts),
            _ => draw::areas(index, layer, tile),
        };
        let drawn = Arc::new(Drawn::new(bytes));
        self.cache.put(layer, tile, parts, &drawn);
        Ok(drawn)
    }
}
