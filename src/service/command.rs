//! The hot commands: a report, or an action on an order. Parsed, authenticated, not yet decided.

use std::sync::Arc;

use jiff::Timestamp;

use super::error::ServiceError;
use super::reply::Reply;
use crate::domain::actor::Actor;
use crate::domain::catalog::{CategoryCode, DamageCode};
use crate::domain::id::{CoverCode, DistrictCode, OrderCode, ReportCode, TrackingToken};
use crate::domain::order::{ActionKind, Assignee, Measure, Order};
use crate::domain::position::{Position, Wgs84};
use crate::domain::report::NewReport;
use crate::domain::resolve::Match;
use crate::domain::text::Text;
use crate::index::Candidate;
use crate::store::events::Event;
use crate::store::idempotency::Slot;
use crate::store::reports::StoredReport;

/// A command for the writer, for one district.
#[derive(Debug)]
pub struct Command {
    pub district: DistrictCode,
    pub actor: Actor,
    pub idempotency: Option<Idempotency>,
    pub what: What,
}

/// The caller's key for this request and the hash of its body.
#[derive(Debug, Clone)]
pub struct Idempotency {
    pub slot: Slot,
    pub body_hash: [u8; 32],
}

#[derive(Debug)]
pub enum What {
    Report(Box<ReportCommand>),
    Act(Box<ActCommand>),
}

impl What {
    /// The cover that it names by its code.
    pub(super) fn cover(&self) -> Option<CoverCode> {
        match self {
            Self::Report(report) => report.report.place.cover(),
            Self::Act(act) => match &act.asked {
                Asked::Identify { cover, .. } => *cover,
                _ => None,
            },
        }
    }

    /// Names it by another.
    pub(super) fn set_cover(&mut self, code: CoverCode) {
        match self {
            Self::Report(report) => report.report.place = report.report.place.with_cover(code),
            Self::Act(act) => {
                if let Asked::Identify { cover, .. } = &mut act.asked {
                    *cover = Some(code);
                }
            }
        }
    }
}

/// Turns an outcome into the bytes that the caller gets; given by the edge, which alone knows
/// the wire. May be called again when a group is retried.
pub struct Render<T: ?Sized>(pub Arc<dyn Fn(&T) -> Rendered + Send + Sync>);

impl<T: ?Sized> std::fmt::Debug for Render<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Render")
    }
}

/// What the edge makes of an outcome.
#[derive(Debug)]
pub struct Rendered {
    pub status: u16,
    pub location: Option<String>,
    pub etag: Option<String>,
    pub body: Vec<u8>,
}

impl Rendered {
    /// Nothing is left to be shown; `version` is the removal's.
    pub(super) fn gone(version: i64) -> Self {
        Self { status: 204, location: None, etag: Some(format!("\"{version}\"")), body: Vec::new() }
    }

    /// The same as an answer that is not kept.
    pub fn answer(self, feed: String) -> Answer {
        Answer::Done(self.reply(feed))
    }

    /// The reply of a write that left this event.
    pub(super) fn reply(self, feed: String) -> Reply {
        let Self { status, location, etag, body } = self;
        Reply { status, location, etag, feed, body }
    }
}

#[derive(Debug)]
pub struct ReportCommand {
    pub report: NewReport,
    pub token: TrackingToken,
    pub render: Render<ReportOutcome>,
}

/// What became of a report.
#[derive(Debug)]
pub struct ReportOutcome {
    pub code: ReportCode,
    pub token: TrackingToken,
    pub created_at: Timestamp,
    pub order: Order,
    pub merged: bool,
    pub matched: Match,
    pub candidates: Vec<Candidate>,
}

/// `If-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    Any,
    Version(u32),
}

/// What is asked of an order, with codes as they came.
#[derive(Debug, Clone)]
pub enum Asked {
    Accept,
    Arrive { position: Option<Position<Wgs84>> },
    Secure { measure: Measure },
    Repair { done: Text<2000>, material: Option<Text<2000>> },
    Verify { passed: bool },
    Close,
    Identify { cover: Option<CoverCode>, category: Option<CategoryCode>, damage: Option<DamageCode> },
    Reassign { unit: Assignee, due_at: Option<Timestamp> },
}

impl Asked {
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Accept => ActionKind::Accept,
            Self::Arrive { .. } => ActionKind::Arrive,
            Self::Secure { .. } => ActionKind::Secure,
            Self::Repair { .. } => ActionKind::Repair,
            Self::Verify { .. } => ActionKind::Verify,
            Self::Close => ActionKind::Close,
            Self::Identify { .. } => ActionKind::Identify,
            Self::Reassign { .. } => ActionKind::Reassign,
        }
    }

    /// Whom the order is handed to.
    pub const fn handed_to(&self) -> Option<&Assignee> {
        match self {
            Self::Reassign { unit, .. } => Some(unit),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub struct ActCommand {
    pub code: OrderCode,
    pub precondition: Precondition,
    pub asked: Asked,
    pub reason: Option<Text<2000>>,
    pub note: Option<Text<2000>>,
    /// When it happened, for crews that were offline.
    pub at: Option<Timestamp>,
    pub on_behalf_of: Option<Assignee>,
    pub render: Render<OrderView>,
}

/// An order with everything that belongs to it.
#[derive(Debug, Clone)]
pub struct OrderView {
    pub order: Order,
    pub reports: Vec<StoredReport>,
    pub history: Vec<Event>,
    /// The instant that `overdue` and `seconds_left` are told for.
    pub now: Timestamp,
}

/// What the writer answers.
#[derive(Debug)]
pub enum Answer {
    Done(Reply),
    /// The same request was answered before: this is that answer.
    Replayed(Reply),
    Refused(ServiceError),
}
