//! Reading work orders.

mod near;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Guli;
use super::command::OrderView;
use super::error::{Result, ServiceError};
use super::moment::{Moment, Reach};
use super::{load, settle, strangers};
use crate::domain::actor::{self, Action, Actor, OrderFilter, Resource};
use crate::domain::id::{CoverId, DistrictCode, GridCode, OrderCode};
use crate::domain::order::{ActionKind, Order, Rules, Status};
use crate::domain::position::{Metres, Position, Wgs84};
use crate::domain::said::say;
use crate::store::orders::{self, Sort, StoredOrder, Wanted};
use crate::store::{Conn, events, reports};
use near::{FEW, numbers_in};

/// What `actor` may do to the order now.
pub fn legal(actor: &Actor, order: &Order, rules: Rules<'_>) -> Vec<&'static str> {
    let owner = order.cover.as_ref().and_then(|cover| cover.owner.as_ref());
    let resource = Resource::Order { grid: order.grid, assignee: &order.assignee, owner };
    ActionKind::ALL
        .iter()
        .filter(|kind| order.allows(**kind, rules) && actor::authorize(actor, Action::Act(**kind), resource).is_ok())
        .map(|kind| kind.as_str())
        .collect()
}

/// Around where, and how far.
#[derive(Debug, Clone, Copy)]
pub struct Near {
    pub at: Position<Wgs84>,
    pub radius_m: f64,
}

/// In which order a list comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderSort {
    Code,
    Due,
    Distance,
    Updated,
}

/// A list as asked for.
#[derive(Debug, Clone)]
pub struct ListOrders {
    pub near: Option<Near>,
    /// West, south, east, north in degrees.
    pub bounds: Option<[f64; 4]>,
    pub statuses: Vec<Status>,
    pub units: Vec<String>,
    pub grids: Vec<GridCode>,
    /// As [`Guli::covers_called`] finds them.
    pub covers: Vec<CoverId>,
    pub damages: Vec<String>,
    pub overdue: Option<bool>,
    pub updated_after: Option<Timestamp>,
    pub opened_after: Option<Timestamp>,
    pub sort: OrderSort,
    pub after: Option<After>,
    pub limit: usize,
}

/// Where the last page ended: the sort value (microseconds, or distance in millimetres) and the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    pub district: DistrictCode,
    pub value: i64,
    pub number: i64,
}

/// One line of a list.
#[derive(Debug, Clone)]
pub struct ListedOrder {
    pub order: Order,
    pub updated_at: Timestamp,
    pub distance_m: Option<f64>,
}

/// A page and where the next one begins.
#[derive(Debug)]
pub struct Page {
    pub items: Vec<ListedOrder>,
    pub next: Option<After>,
    pub now: Timestamp,
}

/// Events and reports of an order that are shown: the newest.
pub(super) const SHOWN: i64 = 200;

impl Guli {
    /// Refuses damages (问题类型) that no district served here has in its table: nothing could ever be found.
    pub fn know_damages(&self, wanted: &[String]) -> Result<()> {
        let catalogs: Vec<_> =
            self.districts().into_iter().filter_map(|district| self.context.index.catalog(district)).collect();
        // Before there is a district there is no table to look at.
        if catalogs.is_empty() {
            return Ok(());
        }
        let Some(code) = wanted.iter().find(|code| !catalogs.iter().any(|catalog| catalog.damage(code).is_some()))
        else {
            return Ok(());
        };
        let known: BTreeSet<&str> =
            catalogs.iter().flat_map(|catalog| &catalog.damages).map(|rule| rule.code.as_str()).collect();
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        let detail = say!("one of {known}, got {code:?}", "应为 {known} 之一，收到 {code:?}");
        Err(ServiceError::parameter("damage", detail))
    }

    /// One order with its lists, as it is or was, if the caller may see it; and the moment that this is of.
    pub async fn order(&self, actor: &Actor, as_of: Option<Timestamp>, code: OrderCode) -> Result<(OrderView, Moment)> {
        let hidden = || hidden(code);
        if actor.is_anonymous() {
            return Err(ServiceError::unauthenticated());
        }
        self.serves(code.district()).map_err(|_| hidden())?;
        let moment = self.moment(as_of, Reach::District(code.district())).await?;
        let mut reader = self.store.read().await?;
        let mut conn = reader.conn();
        let present = orders::load(&mut conn, code.district(), &[], &[code]).await?.pop().ok_or_else(hidden)?;
        let stored = match as_of.filter(|instant| *instant < present.updated_at) {
            None => present,
            Some(instant) => self.before(&mut conn, actor, &moment, present, instant).await?,
        };
        self.context.introduce(&mut conn, code.district(), strangers::acting([&stored.order].into_iter())).await?;
        let order = self.with_subject(&moment, stored).order;
        may_read(actor, &order)?;
        let history = events::of(&mut conn, code.district(), &code.to_string(), as_of, SHOWN).await?;
        let reports = reports::of_order(&mut conn, code, as_of, SHOWN).await?;
        let now = as_of.unwrap_or_else(|| self.context.clock.now());
        Ok((OrderView { order, reports, history, now }, moment))
    }

    /// An order as it was at an instant before its last change.
    async fn before(
        &self,
        conn: &mut Conn<'_>,
        actor: &Actor,
        moment: &Moment,
        present: StoredOrder,
        instant: Timestamp,
    ) -> Result<StoredOrder> {
        let code = present.order.code;
        if instant < present.order.opened_at {
            return Err(hidden(code));
        }
        if let Some(past) = orders::past(conn, code, instant).await? {
            return Ok(past);
        }
        may_read(actor, &self.with_subject(moment, present).order)?;
        Err(not_kept(orders::kept_since(conn, code.district()).await?))
    }

    fn with_subject(&self, moment: &Moment, mut stored: StoredOrder) -> StoredOrder {
        let cover = stored.cover.and_then(|id| moment.cover(self, id));
        stored.order.cover = cover.as_ref().map(settle::subject);
        stored
    }

    /// The districts whose orders the caller may see, as far as the list's grids reach.
    pub fn order_districts(&self, actor: &Actor, grids: &[GridCode]) -> Vec<DistrictCode> {
        let mut districts = self.districts();
        districts.retain(|district| {
            (grids.is_empty() || grids.iter().any(|grid| grid.district() == *district))
                && actor::authorize(actor, Action::ReadOrders, Resource::District(*district)).is_ok()
        });
        districts
    }

    /// The orders that the caller may see, as they are or were, narrowed as asked.
    pub async fn list_orders(&self, actor: &Actor, moment: &Moment, asked: &ListOrders) -> Result<Page> {
        if actor.is_anonymous() {
            return Err(ServiceError::unauthenticated());
        }
        let now = moment.instant().unwrap_or_else(|| self.context.clock.now());
        let mut page = Page { items: Vec::new(), next: None, now };
        let districts = self.order_districts(actor, &asked.grids);
        match asked.near.filter(|_| asked.sort == OrderSort::Distance) {
            // What is near may lie in any.
            Some(near) => self.nearest(actor, moment, asked, near, &districts, &mut page).await?,
            // Else pages go through districts one after the other, so that a look-up has its district.
            None => self.one_by_one(actor, moment, asked, &districts, &mut page).await?,
        }
        if page.items.len() > asked.limit {
            page.items.truncate(asked.limit);
            page.next = page.items.last().map(|last| end_of(&last.order, last.updated_at, last.distance_m, asked.sort));
        }
        Ok(page)
    }

    /// Fills a page with orders of one district after the other, and one more if there is one.
    async fn one_by_one(
        &self,
        actor: &Actor,
        moment: &Moment,
        asked: &ListOrders,
        districts: &[DistrictCode],
        page: &mut Page,
    ) -> Result<()> {
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let known = self.known_near(moment, asked).filter(|known| known.len() <= FEW);
        let begun = |district: &&DistrictCode| asked.after.is_none_or(|after| **district >= after.district);
        for &district in districts.iter().filter(begun) {
            if let Some(instant) = moment.instant() {
                kept(conn, district, instant).await?;
            }
            let mut wanted = asked.wanted(actor, district, page.now);
            wanted.numbers = known.as_ref().map(|known| numbers_in(known, district));
            loop {
                let found = orders::list(conn, district, moment.orders(district), &wanted).await?;
                let is_all = i64::try_from(found.len()).is_ok_and(|found| found < wanted.limit);
                let last = found.last().map(|last| end_of(&last.order, last.updated_at, None, asked.sort));
                page.items.extend(self.listed(conn, moment, asked, district, found).await?);
                if is_all || page.items.len() > asked.limit {
                    break;
                }
                // Some lay in the corners of the box.
                wanted.after = last.map(|last| (last.value, last.number));
                wanted.limit *= 2;
            }
            if page.items.len() > asked.limit {
                break;
            }
        }
        Ok(())
    }

    /// What is stored of a district's orders, as a list shows it.
    async fn listed(
        &self,
        conn: &mut Conn<'_>,
        moment: &Moment,
        asked: &ListOrders,
        district: DistrictCode,
        found: Vec<StoredOrder>,
    ) -> Result<Vec<ListedOrder>> {
        let acting = strangers::acting(found.iter().map(|stored| &stored.order));
        self.context.introduce(conn, district, acting).await?;
        let found = found.into_iter().map(|stored| self.with_subject(moment, stored));
        Ok(found.filter_map(|stored| listed(asked.near, stored)).collect())
    }

    /// Puts the orders that were open then beside the covers of then; those of now are beside theirs.
    pub async fn recall_orders(&self, moment: &Moment) -> Result<()> {
        let Some(instant) = moment.instant() else { return Ok(()) };
        let (registry, mut reader) = (moment.registry(self), self.store.read().await?);
        for district in registry.districts() {
            let conn = &mut reader.conn();
            kept(conn, district.code, instant).await?;
            for stored in orders::open(conn, district.code, Some(instant)).await? {
                registry.put_order(load::open_order(&self.with_subject(moment, stored).order));
            }
        }
        Ok(())
    }
}

impl ListOrders {
    /// The same of one district, as far as the caller may see it.
    fn wanted(&self, actor: &Actor, district: DistrictCode, now: Timestamp) -> Wanted {
        let by_distance = self.sort == OrderSort::Distance;
        let after = self.after.filter(|after| after.district == district && !by_distance);
        Wanted {
            visible: OrderFilter::of(actor),
            numbers: None,
            statuses: self.statuses.clone(),
            assignees: self.units.clone(),
            grids: self.grids.clone(),
            covers: self.covers.clone(),
            damages: self.damages.clone(),
            overdue_at: (self.overdue == Some(true)).then_some(now),
            not_overdue_at: (self.overdue == Some(false)).then_some(now),
            updated_after: self.updated_after,
            opened_after: self.opened_after,
            bounds: self.near.map(bounds).or(self.bounds),
            sort: match self.sort {
                OrderSort::Code | OrderSort::Distance => Sort::Code,
                OrderSort::Due => Sort::Due,
                OrderSort::Updated => Sort::Updated,
            },
            after: after.map(|after| (after.value, after.number)),
            limit: i64::try_from(self.limit).unwrap_or(1_000) + 1,
        }
    }
}

fn hidden(code: OrderCode) -> ServiceError {
    ServiceError::NotFound(say!("work order {code}", "工单 {code}"))
}

fn may_read(actor: &Actor, order: &Order) -> Result<()> {
    let (code, owner) = (order.code, order.cover.as_ref().and_then(|cover| cover.owner.as_ref()));
    let resource = Resource::Order { grid: order.grid, assignee: &order.assignee, owner };
    actor::authorize(actor, Action::ReadOrder, resource)
        .map_err(|r| ServiceError::refused(r, say!("work order {code}", "工单 {code}")))
}

/// Refuses an instant of which not every order's state is kept.
async fn kept(conn: &mut Conn<'_>, district: DistrictCode, instant: Timestamp) -> Result<()> {
    let since = orders::kept_since(conn, district).await?;
    if instant < since { Err(not_kept(since)) } else { Ok(()) }
}

fn not_kept(since: Timestamp) -> ServiceError {
    let detail = say!("of work orders the past is kept since {since}", "工单的历史状态自 {since} 起保留");
    ServiceError::parameter("as_of", detail)
}

/// A box that holds everything within the radius.
fn bounds(near: Near) -> [f64; 4] {
    let scale = Metres::at(near.at.lat());
    let (east, north) = (near.radius_m * 1.01 / scale.per_degree_east, near.radius_m * 1.01 / scale.per_degree_north);
    [near.at.lon() - east, near.at.lat() - north, near.at.lon() + east, near.at.lat() + north]
}

fn listed(near: Option<Near>, stored: StoredOrder) -> Option<ListedOrder> {
    let distance_m = near.map(|near| near.at.distance_m(stored.order.position));
    if let (Some(near), Some(distance)) = (near, distance_m)
        && distance > near.radius_m
    {
        return None;
    }
    Some(ListedOrder { order: stored.order, updated_at: stored.updated_at, distance_m })
}

fn end_of(order: &Order, updated_at: Timestamp, distance_m: Option<f64>, sort: OrderSort) -> After {
    let number = order.code.number();
    let value = match sort {
        OrderSort::Code => number,
        OrderSort::Due => order.due_at().as_microsecond(),
        OrderSort::Updated => updated_at.as_microsecond(),
        OrderSort::Distance => near::millimetres(distance_m.unwrap_or_default()),
    };
    After { district: order.district, value, number }
}
