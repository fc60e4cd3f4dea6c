//! A resident follows a report by its secret token.

use jiff::{SignedDuration, Timestamp};

use super::error::{Result, ServiceError};
use super::orders::SHOWN;
use super::{Guli, settle, token_hash};
use crate::domain::id::{OrderCode, ReportCode, TrackingToken};
use crate::domain::order::Order;
use crate::domain::said::say;
use crate::store::events::{self, Event};
use crate::store::orders;
use crate::store::reports::{self, StoredReport};

/// A token is void this long after its order was closed.
const TOKEN_KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// What a token opens.
#[derive(Debug)]
pub struct Tracked {
    pub code: ReportCode,
    pub report: StoredReport,
    pub order: Order,
    pub history: Vec<Event>,
    pub now: Timestamp,
}

/// No report has this token. What was sent is not repeated: it may be a secret with a slip in it.
pub fn untracked() -> ServiceError {
    ServiceError::NotFound(say!("a report with this tracking token", "此查询码对应的上报"))
}

impl Guli {
    /// The report and the public side of its order.
    pub async fn track(&self, token: &TrackingToken) -> Result<Tracked> {
        let district = token.district();
        // Neither the token nor whether it ever existed is told.
        let hidden = || untracked();
        self.serves(district).map_err(|_| hidden())?;
        let mut reader = self.store.read().await?;
        let mut conn = reader.conn();
        let report = reports::by_token(&mut conn, district, &token_hash(token)).await?.ok_or_else(hidden)?;
        let order_code = OrderCode::from_number(district, report.work_order).ok_or_else(hidden)?;
        let stored = orders::load(&mut conn, district, &[], &[order_code]).await?.pop().ok_or_else(hidden)?;
        let now = self.context.clock.now();
        let mut order = stored.order;
        if order.closed_at.is_some_and(|closed| closed + TOKEN_KEPT < now) {
            let detail =
                say!("this tracking token is void: its order was closed long ago", "此查询码已失效：工单早已结案");
            return Err(ServiceError::Gone { detail, history: None });
        }
        order.cover = settle::subject_by_id(&self.context.index, stored.cover);
        let history = events::of(&mut conn, district, &order.code.to_string(), None, SHOWN).await?;
        let code = ReportCode::from_number(district, report.number).ok_or_else(hidden)?;
        Ok(Tracked { code, report, order, history, now })
    }
}
