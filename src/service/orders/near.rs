//! Orders by their distance from a position.

use std::collections::BTreeMap;

use super::{After, ListOrders, Near, Page, kept};
use crate::domain::actor::Actor;
use crate::domain::id::DistrictCode;
use crate::domain::order::Status;
use crate::service::Guli;
use crate::service::error::Result;
use crate::service::moment::Moment;
use crate::store::orders;

/// Most orders that a statement names.
pub(super) const FEW: usize = 1_000;

pub(super) fn millimetres(metres: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "at most 20 km")]
    let millimetres = (metres * 1_000.0).round() as i64;
    millimetres
}

/// The numbers of those in a district.
pub(super) fn numbers_in(found: &[After], district: DistrictCode) -> Vec<i64> {
    found.iter().filter(|at| at.district == district).map(|at| at.number).collect()
}

impl Guli {
    /// Orders within the radius, where memory knows all that may be wanted: those that are open now.
    pub(super) fn known_near(&self, moment: &Moment, asked: &ListOrders) -> Option<Vec<After>> {
        let (Moment::Now, Some(near)) = (moment, asked.near) else { return None };
        if asked.statuses.is_empty() || !asked.statuses.iter().copied().all(Status::is_open) {
            return None;
        }
        let found = self.context.index.orders_near(near.at, near.radius_m).into_iter().map(|(order, distance)| After {
            district: order.code.district(),
            value: millimetres(distance),
            number: order.code.number(),
        });
        Some(found.collect())
    }

    /// Where each order within the radius lies that may be wanted.
    async fn found_near(
        &self,
        actor: &Actor,
        moment: &Moment,
        asked: &ListOrders,
        near: Near,
        districts: &[DistrictCode],
        page: &Page,
    ) -> Result<Vec<After>> {
        if let Some(mut known) = self.known_near(moment, asked) {
            known.retain(|at| districts.contains(&at.district));
            return Ok(known);
        }
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let mut found = Vec::new();
        for &district in districts {
            if let Some(instant) = moment.instant() {
                kept(conn, district, instant).await?;
            }
            let wanted = asked.wanted(actor, district, page.now);
            let places = orders::places(conn, district, moment.orders(district), &wanted).await?;
            let measured = places.into_iter().map(|(number, at)| (number, near.at.distance_m(at)));
            let within = measured.filter(|(_, distance)| *distance <= near.radius_m);
            found.extend(within.map(|(number, metres)| After { district, value: millimetres(metres), number }));
        }
        Ok(found)
    }

    /// Fills a page with the nearest orders, and one more if there is one: only where they lie is read of all, or known.
    pub(super) async fn nearest(
        &self,
        actor: &Actor,
        moment: &Moment,
        asked: &ListOrders,
        near: Near,
        districts: &[DistrictCode],
        page: &mut Page,
    ) -> Result<()> {
        let place = |at: &After| (at.value, at.district, at.number);
        let mut found = self.found_near(actor, moment, asked, near, districts, page).await?;
        if let Some(after) = asked.after {
            found.retain(|at| place(at) > place(&after));
        }
        found.sort_unstable_by_key(place);
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let (mut left, mut next) = (found.as_slice(), asked.limit + 1);
        // Of what memory knows the filters and rights may leave little.
        while page.items.len() <= asked.limit && !left.is_empty() {
            let (nearest, farther) = left.split_at(next.min(left.len()));
            (left, next) = (farther, (2 * next).min(FEW));
            let mut items = BTreeMap::new();
            for &district in districts {
                let numbers = numbers_in(nearest, district);
                if numbers.is_empty() {
                    continue;
                }
                let limit = i64::try_from(numbers.len()).unwrap_or(i64::MAX);
                let wanted = asked.wanted(actor, district, page.now);
                let wanted = orders::Wanted { numbers: Some(numbers), limit, ..wanted };
                let rows = orders::list(conn, district, moment.orders(district), &wanted).await?;
                let listed = self.listed(conn, moment, asked, district, rows).await?;
                items.extend(listed.into_iter().map(|item| ((district, item.order.code.number()), item)));
            }
            page.items.extend(nearest.iter().filter_map(|at| items.remove(&(at.district, at.number))));
        }
        Ok(())
    }
}
