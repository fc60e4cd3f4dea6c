//! Open work orders on the map: "already reported?", and what a crew has nearby.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use rstar::primitives::GeomWithData;
use rstar::{AABB, RTree};

use crate::domain::catalog::DamageCode;
use crate::domain::id::{CoverId, DistrictCode, GridCode, OrderCode};
use crate::domain::order::Assignee;
use crate::domain::position::{Metres, Position, Wgs84};

/// What the map needs to know of an order that is neither closed nor cancelled.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenOrder {
    pub code: OrderCode,
    pub cover: Option<CoverId>,
    pub position: Position<Wgs84>,
    pub damage: DamageCode,
    pub status: &'static str,
    pub reported_at: Timestamp,
    pub report_count: u32,
    pub grid: GridCode,
    pub due_at: Timestamp,
    /// When it was repaired: from then on nothing is overdue any more.
    pub repaired_at: Option<Timestamp>,
    pub assignee: Assignee,
}

impl OpenOrder {
    /// Whether it is past its limit; what was repaired in time stays so.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.repaired_at.unwrap_or(now) > self.due_at
    }
}

type Point = GeomWithData<[f64; 2], OrderCode>;

fn point(order: &OpenOrder) -> Point {
    Point::new([order.position.lon(), order.position.lat()], order.code)
}

/// Orders of all districts: thousands, not millions.
#[derive(Debug, Default)]
pub(super) struct Orders {
    all: HashMap<OrderCode, Arc<OpenOrder>>,
    on_cover: HashMap<CoverId, Vec<OrderCode>>,
    tree: RTree<Point>,
    changes: u64,
}

impl Orders {
    /// The orders of a district.
    pub(super) fn of(&self, district: DistrictCode) -> Vec<OrderCode> {
        self.all.keys().filter(|code| code.district() == district).copied().collect()
    }

    pub(super) fn put(&mut self, order: OpenOrder) {
        self.remove(order.code);
        self.tree.insert(point(&order));
        if let Some(cover) = order.cover {
            self.on_cover.entry(cover).or_default().push(order.code);
        }
        self.all.insert(order.code, Arc::new(order));
    }

    pub(super) fn remove(&mut self, id: OrderCode) -> Option<Arc<OpenOrder>> {
        self.changes += 1;
        let order = self.all.remove(&id)?;
        self.tree.remove(&point(&order));
        if let Some(cover) = order.cover
            && let Some(orders) = self.on_cover.get_mut(&cover)
        {
            orders.retain(|&other| other != id);
            if orders.is_empty() {
                self.on_cover.remove(&cover);
            }
        }
        Some(order)
    }

    pub(super) fn get(&self, id: OrderCode) -> Option<Arc<OpenOrder>> {
        self.all.get(&id).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Rises with every change, that of an order which is no longer open included.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Orders within west, south, east, north, by code.
    pub(super) fn within(&self, [west, south, east, north]: [f64; 4]) -> Vec<Arc<OpenOrder>> {
        let found = self.tree.locate_in_envelope(&AABB::from_corners([west, south], [east, north]));
        let mut found: Vec<_> = found.filter_map(|p| self.all.get(&p.data)).cloned().collect();
        found.sort_unstable_by_key(|order| order.code);
        found
    }

    /// The open order on a cover; of several the one reported first.
    pub(super) fn on(&self, cover: CoverId) -> Option<Arc<OpenOrder>> {
        let orders = self.on_cover.get(&cover)?.iter().filter_map(|id| self.all.get(id));
        orders.min_by_key(|order| (order.reported_at, order.code)).cloned()
    }

    /// Orders within the radius by distance in metres, then code.
    pub(super) fn near(&self, at: Position<Wgs84>, radius_m: f64) -> Vec<(Arc<OpenOrder>, f64)> {
        // Meridians draw together poleward: the box takes the width of its end nearer to the pole.
        let metres = Metres::at(at.lat());
        let dy = 1.01 * radius_m / metres.per_degree_north;
        let poleward = Metres::at((at.lat().abs() + dy).min(89.9));
        let dx = 1.01 * radius_m / poleward.per_degree_east;
        let reach = AABB::from_corners([at.lon() - dx, at.lat() - dy], [at.lon() + dx, at.lat() + dy]);
        let found = self.tree.locate_in_envelope(&reach).filter_map(|p| self.all.get(&p.data));
        let measured = found.map(|order| (Arc::clone(order), at.distance_m(order.position)));
        let mut near: Vec<_> = measured.filter(|(_, distance)| *distance <= radius_m).collect();
        near.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.code.cmp(&b.0.code)));
        near
    }
}
