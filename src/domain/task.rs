//! Tasks (任务): what an order is decomposed into (任务分解), so that people go at once.

use jiff::{SignedDuration, Timestamp};

use super::cover::words;
use super::order::Assignee;

words! {
    TaskKind {
        /// 控险: make it safe, parallel to the crew's way.
        Secure = "secure",
        /// 修复
        Repair = "repair",
        /// 交通疏导: in a carriageway.
        TrafficControl = "traffic_control",
        /// 看守: gas.
        Guard = "guard",
        /// 核查
        Verify = "verify",
    }
    TaskStatus { Open = "open", Done = "done", Cancelled = "cancelled" }
}

/// Traffic is guided, and danger guarded, within a quarter of an hour.
pub const GUARD_LIMIT: SignedDuration = SignedDuration::from_mins(15);
/// The grid verifies within two hours of a repair; after that a resident's yes counts.
pub const VERIFY_LIMIT: SignedDuration = SignedDuration::from_hours(2);

/// One task of an order; `id` counts from 1 within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub id: u32,
    pub kind: TaskKind,
    pub assignee: Assignee,
    pub status: TaskStatus,
    pub due_at: Timestamp,
}
