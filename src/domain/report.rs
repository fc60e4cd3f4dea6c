//! Reports (上报): what a resident, a patrol or a sensor says.

use jiff::Timestamp;

use super::catalog::{CategoryCode, DamageCode};
use super::cover::words;
use super::id::{CoverCode, OrderCode};
use super::phone::Phone;
use super::resolve::Pin;
use super::text::Text;

words! {
    /// How a report came in (渠道).
    Channel {
        Web = "web", App = "app", Wechat = "wechat", Hotline = "hotline",
        Patrol = "patrol", Sensor = "sensor", Open311 = "open311",
    }
}

/// Where the damage is: a pin, a cover's plate, or both where they agree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    Pin(Pin),
    /// Where none of the registered covers is meant: the reporter has looked.
    Unregistered(Pin),
    Cover(CoverCode),
    Both(Pin, CoverCode),
}

impl Place {
    pub fn pin(&self) -> Option<Pin> {
        match *self {
            Self::Pin(pin) | Self::Unregistered(pin) | Self::Both(pin, _) => Some(pin),
            Self::Cover(_) => None,
        }
    }

    pub fn cover(&self) -> Option<CoverCode> {
        match *self {
            Self::Cover(code) | Self::Both(_, code) => Some(code),
            Self::Pin(_) | Self::Unregistered(_) => None,
        }
    }

    /// The same of a cover by another code.
    #[must_use]
    pub fn with_cover(self, code: CoverCode) -> Self {
        match self {
            Self::Cover(_) => Self::Cover(code),
            Self::Both(pin, _) => Self::Both(pin, code),
            other => other,
        }
    }
}

/// Who reports; kept sealed, apart from everything else.
#[derive(Clone, PartialEq, Eq)]
pub struct Reporter {
    pub name: Option<Text<100>>,
    pub phone: Option<Phone>,
    pub language: Option<Text<20>>,
}

impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reporter(…)")
    }
}

/// A report as it comes in, parsed.
#[derive(Debug, Clone)]
pub struct NewReport {
    pub place: Place,
    pub damage: DamageCode,
    /// What the resident thinks it is: a hint.
    pub category: Option<CategoryCode>,
    pub joins: Option<OrderCode>,
    pub description: Option<Text<2000>>,
    /// When it was seen; limits run from when it was stored.
    pub reported_at: Option<Timestamp>,
    pub channel: Channel,
    pub reporter: Option<Reporter>,
}
