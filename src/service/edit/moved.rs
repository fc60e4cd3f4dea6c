//! Open orders that an edit of the registry changes: the ground around them is another's, or the cover that they are about
//! turned out to be another.

use serde_json::json;

use crate::domain::actor::Actor;
use crate::domain::cover::Cover;
use crate::domain::id::{DistrictCode, OrderCode, OrgCode};
use crate::domain::order::Order;
use crate::index::{CoverView, DistrictIndex};
use crate::service::{Context, settle};
use crate::store::events::Event;
use crate::store::orders::{self, StoredOrder};
use crate::store::{Conn, Result};

/// An open order before and after.
#[derive(Debug)]
pub(in crate::service) struct MovedOrder {
    pub(super) before: StoredOrder,
    pub(in crate::service) after: Order,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    /// It lies in another grid.
    Redrawn,
    /// Its cover was a second record of another; `owner` owned what that record was of.
    Merged { owner: Option<OrgCode> },
}

impl MovedOrder {
    pub(in crate::service) fn change(&self) -> orders::Change<'_> {
        orders::Change { was: Some(&self.before), order: &self.after }
    }

    /// What the log says of it, when somebody edited the registry.
    pub(in crate::service) fn event(&self, seq: i64, at: i64, actor: &Actor) -> Event {
        let (before, order) = (&self.before.order, &self.after);
        let (kind, data) = match &self.cause {
            Cause::Redrawn => (
                "work_order.regridded",
                json!({
                    "action": "regrid", "from": order.status.as_str(), "to": order.status.as_str(),
                    "role": actor.role.as_str(),
                    "grid": order.grid.to_string(), "grid_before": before.grid.to_string(),
                    "assignee_before": before.assignee.code(),
                }),
            ),
            Cause::Merged { owner } => (
                "work_order.identified",
                json!({
                    "action": "identify", "from": order.status.as_str(), "to": order.status.as_str(),
                    "role": actor.role.as_str(), "cover": order.cover.as_ref().map(|cover| cover.code.to_string()),
                    "damage": order.damage.to_string(), "assignee": order.assignee.code(),
                    "grid_before": before.grid.to_string(), "assignee_before": before.assignee.code(),
                    "owner_before": owner.as_ref().map(OrgCode::as_str),
                }),
            ),
        };
        Event {
            seq,
            at,
            actor: actor.log_name(),
            kind: kind.to_owned(),
            subject: order.code.to_string(),
            version: i64::from(order.version),
            data: data.to_string(),
            reason: None,
        }
    }
}

/// The open orders that lie in another grid now.
pub(in crate::service) async fn moved_orders(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    fresh: &DistrictIndex,
) -> Result<Vec<MovedOrder>> {
    let elsewhere = |order: &Order| fresh.grid_at(order.position).filter(|grid| *grid != order.grid);
    let open = orders::open(conn, district, None).await?.into_iter().map(|stored| stored.order);
    let codes: Vec<OrderCode> = open.filter(|order| elsewhere(order).is_some()).map(|order| order.code).collect();
    // Again, with their tasks.
    let moved = orders::load(conn, district, &[], &codes).await?.into_iter().filter_map(|before| {
        let to = elsewhere(&before.order)?;
        let cover = settle::subject_by_id(&context.index, before.cover);
        // The tasks are the grid's to do too.
        let after = Order { cover, ..before.order.clone() }.regrid(to);
        Some(MovedOrder { before, after, cause: Cause::Redrawn })
    });
    Ok(moved.collect())
}

/// The open orders about a cover, about the one that it is a second record of. Whoever acts on them goes on.
pub(super) async fn merged_orders(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    removed: &Cover,
    kept: &CoverView,
) -> Result<Vec<MovedOrder>> {
    let moved = orders::load(conn, district, &[removed.id], &[]).await?.into_iter().map(|before| {
        let order = before.order.clone();
        let after = Order { cover: Some(settle::subject(kept)), version: order.version + 1, ..order };
        MovedOrder { before, after, cause: Cause::Merged { owner: removed.owner.clone() } }
    });
    Ok(moved.collect())
}
