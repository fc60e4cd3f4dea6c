//! Where the features of a layer come from: page by page, from the index or the store.

use std::collections::VecDeque;
use std::sync::Arc;

use geo::{Intersects as _, Rect, coord};

use super::row::{AreaRow, OrderRow, Row};
use super::{Ask, CoverFilter, Layer};
use crate::domain::actor::Actor;
use crate::domain::id::{CoverCode, DistrictCode, OrgCode};
use crate::domain::organization::Organization;
use crate::index::{CoverView, Index};
use crate::service::Guli;
use crate::service::error::Result;
use crate::service::moment::Moment;
use crate::service::orders::{After, ListOrders, ListedOrder, OrderSort};
use crate::service::registry::is_in;
use crate::store::areas::{Area, Level};

/// Features of a page: a page of areas holds outlines.
const FEATURES: usize = 1_000;
const AREAS: usize = 200;

/// Pages of one layer.
#[derive(Debug)]
pub(super) enum Source {
    Districts { districts: Vec<DistrictCode>, bounds: Option<[f64; 4]>, done: bool },
    Areas(Areas),
    Covers(Covers),
    Orders(Orders),
}

impl Source {
    pub(super) fn new(ask: &Ask, actor: Arc<Actor>, districts: Vec<DistrictCode>) -> Self {
        let areas = |level| {
            let within = match &*ask.within {
                [] => districts.iter().map(|code| code.number()).collect(),
                areas => areas.iter().copied().collect(),
            };
            Self::Areas(Areas { layer: ask.layer, level, within, after: 0, bounds: ask.bounds })
        };
        match ask.layer {
            Layer::Districts => Self::Districts { districts, bounds: ask.bounds, done: false },
            Layer::Subdistricts => areas(Level::Subdistrict),
            Layer::Communities => areas(Level::Community),
            Layer::Grids => areas(Level::Grid),
            Layer::Covers => Self::Covers(Covers {
                districts: districts.into(),
                codes: VecDeque::new(),
                bounds: ask.bounds,
                grids: Level::Grid.within_all(&ask.within),
                filter: ask.covers.clone(),
            }),
            Layer::WorkOrders => Self::Orders(Orders { actor, ask: orders(ask), done: false }),
        }
    }

    /// The next page; one that the filters emptied is not the last.
    pub(super) async fn next(&mut self, guli: &Guli, moment: &Moment) -> Result<Option<Vec<Row>>> {
        match self {
            Self::Districts { done: true, .. } => Ok(None),
            Self::Districts { districts, bounds, done } => {
                *done = true;
                let areas =
                    guli.district_versions(moment, districts).await?.into_iter().map(|(district, version)| Area {
                        code: district.code.number(),
                        name: district.name,
                        supervising_department: None,
                        outline: district.outline,
                        version,
                    });
                let met = areas.filter(|area| meets(area, *bounds));
                Ok(Some(met.map(|area| Row::Area(Box::new(AreaRow::district(area)))).collect()))
            }
            Self::Areas(areas) => areas.next(guli, moment).await,
            Self::Covers(covers) => Ok(covers.next(moment.registry(guli))),
            Self::Orders(orders) => orders.next(guli, moment).await,
        }
    }
}

/// Whether an area and the box have a point in common.
fn meets(area: &Area, bounds: Option<[f64; 4]>) -> bool {
    bounds.is_none_or(|[west, south, east, north]| {
        area.outline.intersects(&Rect::new(coord! { x: west, y: south }, coord! { x: east, y: north }))
    })
}

/// Areas of one level.
#[derive(Debug)]
pub(super) struct Areas {
    layer: Layer,
    level: Level,
    within: VecDeque<u64>,
    after: u64,
    bounds: Option<[f64; 4]>,
}

impl Areas {
    async fn next(&mut self, guli: &Guli, moment: &Moment) -> Result<Option<Vec<Row>>> {
        let Some(&within) = self.within.front() else { return Ok(None) };
        let found = guli.areas(moment, self.level, within, self.after, AREAS).await?;
        match found.last() {
            Some(last) if found.len() == AREAS => self.after = last.code,
            _ => drop(self.within.pop_front()),
        }
        let met = found.into_iter().filter(|area| meets(area, self.bounds));
        let index = moment.registry(guli);
        Ok(Some(met.map(|area| Row::Area(Box::new(AreaRow::new(area, self.layer, index)))).collect()))
    }
}

/// Covers of one district after the other.
#[derive(Debug)]
pub(super) struct Covers {
    districts: VecDeque<DistrictCode>,
    /// What is left of the first district; none before it is begun.
    codes: VecDeque<CoverCode>,
    bounds: Option<[f64; 4]>,
    /// First and last code of the grids that narrow it.
    grids: Vec<(u64, u64)>,
    filter: CoverFilter,
}

impl Covers {
    fn next(&mut self, index: &Index) -> Option<Vec<Row>> {
        if self.codes.is_empty() {
            self.codes = index.cover_codes(self.districts.pop_front()?, self.bounds).into();
        }
        let page: Vec<_> = self.codes.drain(..self.codes.len().min(FEATURES)).collect();
        let Some(first) = page.first() else { return Some(Vec::new()) };
        let mut found = index.covers_of(first.district(), &page);
        found.retain(|cover| self.wants(cover));
        Some(found.into_iter().map(|cover| Row::Cover(Box::new(cover))).collect())
    }

    fn wants(&self, cover: &CoverView) -> bool {
        let CoverFilter { categories, owners, responsible_units, statuses } = &self.filter;
        let of = |wanted: &[OrgCode], unit: &Option<Arc<Organization>>| {
            wanted.is_empty() || unit.as_ref().is_some_and(|unit| wanted.contains(&unit.code))
        };
        (categories.is_empty() || categories.contains(&cover.category()))
            && (statuses.is_empty() || statuses.contains(&cover.status))
            && of(owners, &cover.owner)
            && of(responsible_units, &cover.responsible_unit)
            && is_in(&self.grids, cover.grid.as_ref().map(|grid| grid.code.number()))
    }
}

/// The orders that a caller may see.
#[derive(Debug)]
pub(super) struct Orders {
    actor: Arc<Actor>,
    ask: ListOrders,
    done: bool,
}

fn orders(ask: &Ask) -> ListOrders {
    ListOrders {
        near: None,
        bounds: ask.bounds,
        statuses: ask.orders.statuses.clone(),
        units: ask.orders.units.clone(),
        grids: ask.orders.grids.clone(),
        covers: Vec::new(),
        damages: ask.orders.damages.clone(),
        overdue: None,
        updated_after: None,
        opened_after: None,
        sort: OrderSort::Code,
        after: None,
        limit: FEATURES,
    }
}

impl Orders {
    async fn next(&mut self, guli: &Guli, moment: &Moment) -> Result<Option<Vec<Row>>> {
        if self.done {
            return Ok(None);
        }
        let page = guli.list_orders(&self.actor, moment, &self.ask).await?;
        let next: Option<After> = page.next;
        (self.done, self.ask.after) = (next.is_none(), next);
        let row = |item: ListedOrder| Row::Order(Box::new(OrderRow::new(item.order, guli, moment)));
        Ok(Some(page.items.into_iter().map(row).collect()))
    }
}
