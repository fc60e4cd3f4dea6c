//! Why something cannot be done to an order, and what its statuses and actions are called (状态, 动作).

use super::super::catalog::DamageCode;
use super::super::said::{Said, say};
use super::{ActionKind, Status};

/// Why a transition does not happen. The order is unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Illegal {
    Now { action: ActionKind, status: Status },
    UnknownDamage(DamageCode),
}

impl From<Illegal> for Said {
    fn from(illegal: Illegal) -> Self {
        match illegal {
            Illegal::Now { action, status } => say!(
                "{action} is not possible while the order is {status}",
                "工单{status}，不能{action}",
                action = action,
                status = status,
            ),
            Illegal::UnknownDamage(damage) => {
                say!("damage {damage} is not in this district's table", "本区的问题类型表中没有 {damage}")
            }
        }
    }
}

/// How a status is said of an order.
impl From<Status> for Said {
    fn from(status: Status) -> Self {
        let chinese = match status {
            Status::Registered => "已立案",
            Status::Dispatched => "已派遣",
            Status::Accepted => "已接单",
            Status::Arrived => "已到场",
            Status::Secured => "已控险",
            Status::Repaired => "已修复",
            Status::Verified => "已核查",
            Status::Closed => "已结案",
            Status::Suspended => "已挂起",
            Status::Cancelled => "已作废",
        };
        Self::new(status.as_str(), chinese)
    }
}

impl From<ActionKind> for Said {
    fn from(action: ActionKind) -> Self {
        let chinese = match action {
            ActionKind::Accept => "接单",
            ActionKind::Arrive => "到场",
            ActionKind::Secure => "控险",
            ActionKind::Repair => "修复",
            ActionKind::Verify => "核查",
            ActionKind::Close => "结案",
            ActionKind::Identify => "认定",
            ActionKind::Reassign => "改派",
        };
        Self::new(action.as_str(), chinese)
    }
}
