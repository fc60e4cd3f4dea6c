//! The feed of changes: every change of registry and orders in commit order, as far as the caller's
//! rights reach. What they hide leaves a gap in the numbers.

use std::collections::HashMap;

use serde::Deserialize;
use tokio::sync::watch;

use super::error::{Result, ServiceError};
use super::{Guli, settle};
use crate::domain::actor::{self, Action, Actor, OrderFilter, Refusal, Resource};
use crate::domain::id::{DistrictCode, OrderCode};
use crate::domain::order::Assignee;
use crate::domain::said::say;
use crate::store::events::Event;
use crate::store::{events, head, orders};

/// A stretch of the feed.
#[derive(Debug)]
pub struct Stretch {
    pub changes: Vec<Event>,
    /// The last number that was looked at, shown or hidden.
    pub last: i64,
    /// The last number of the district.
    pub head: i64,
}

impl Guli {
    /// At most `limit` changes after the number `after`, of those that the caller may see.
    pub async fn changes(&self, actor: &Actor, district: DistrictCode, after: i64, limit: usize) -> Result<Stretch> {
        self.serves(district)?;
        let may = |action| actor::authorize(actor, action, Resource::District(district));
        let (reads_covers, reads_orders) = (may(Action::ReadCovers), may(Action::ReadOrders));
        let reads_people = may(Action::ReadPeople);
        if let (Err(refusal), Err(_)) = (reads_covers, reads_orders) {
            return Err(ServiceError::refused(refusal, say!("district {district}", "行政区 {district}")));
        }
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        // The head first: what is committed in between is beyond it, and comes with the next stretch.
        let head = head::read(conn, district).await?.map_or(0, |head| head.seq);
        let found = events::after(conn, district, after, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
        let (head, last) = found.last().map_or((head, after), |event| (head.max(event.seq), event.seq));
        let codes: Vec<OrderCode> = found.iter().filter_map(order_of).collect();
        let mut visible: HashMap<OrderCode, bool> = HashMap::with_capacity(codes.len());
        let filter = OrderFilter::of(actor);
        for stored in orders::load(conn, district, &[], &codes).await? {
            let cover = settle::subject_by_id(&self.context.index, stored.cover);
            let owner = cover.as_ref().and_then(|cover| cover.owner.as_ref());
            let order = &stored.order;
            visible.insert(order.code, filter.admits(order.grid, &order.assignee, owner));
        }
        let is_theirs = |event: &Event, code| visible.get(&code) == Some(&true) || was_theirs(&filter, event);
        let is_visible = |event: &Event| match order_of(event) {
            Some(code) => reads_orders == Ok(()) && is_theirs(event, code),
            None if event.kind.starts_with("person.") => reads_people == Ok(()),
            None => !matches!(reads_covers, Err(Refusal::Forbidden(_))),
        };
        Ok(Stretch { changes: found.into_iter().filter(is_visible).collect(), last, head })
    }

    /// Wakes at every commit, and when this server is told to stop.
    pub fn commits(&self) -> watch::Receiver<()> {
        self.context.committed.subscribe()
    }
}

/// The order that an event is about.
fn order_of(event: &Event) -> Option<OrderCode> {
    if event.kind.starts_with("work_order.") { event.subject.parse().ok() } else { None }
}

/// Whether an event took an order from those whom the filter lets see it: who loses one is told.
fn was_theirs(filter: &OrderFilter, event: &Event) -> bool {
    let Ok(Before { grid, assignee, owner }) = serde_json::from_str(&event.data) else { return false };
    let (Ok(grid), Some(assignee)) = (grid.parse(), Assignee::parse(&assignee)) else { return false };
    filter.admits(grid, &assignee, owner.and_then(|owner| owner.parse().ok()).as_ref())
}

/// Where an order was before it was handed over, as its event says.
#[derive(Debug, Deserialize)]
struct Before {
    #[serde(rename = "grid_before")]
    grid: String,
    #[serde(rename = "assignee_before")]
    assignee: String,
    /// Where it was about a cover that turned out to be another.
    #[serde(rename = "owner_before", default)]
    owner: Option<String>,
}
