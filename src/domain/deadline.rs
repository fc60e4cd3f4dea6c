//! Limits (时限): when a damage must be made safe and when it must be repaired.
//!
//! `promise_at` is the first report + 30 minutes and never moves. At that minute the cover is
//! repaired ([`Target::Repair`]) or, where pavement or pipes forbid it, made safe
//! ([`Target::Secure`]) with a dated repair.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Weekday;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::catalog::DamageCode;
use super::said::{Said, say};

/// The promise to every resident (半小时).
pub const PROMISE: SignedDuration = SignedDuration::from_mins(30);

/// What must have happened when the promise falls due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// R: repaired or replaced.
    Repair,
    /// S: made safe, with a dated repair.
    Secure,
}

impl Target {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Repair => "R",
            Self::Secure => "S",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "R" => Some(Self::Repair),
            "S" => Some(Self::Secure),
            _ => None,
        }
    }
}

/// A length of time as policies write it: `30min`, `4h`, `3d` by the calendar, `8wh`, `2wd` in working time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// 自然时: minutes by the clock.
    Minutes(u32),
    /// 工作时: minutes within working hours.
    WorkingMinutes(u32),
}

/// Working hours 工作时: 08:30–17:30 with an hour at noon count as eight, Monday to Friday.
const MORNING: (i8, i8) = (8, 30);
const SHIFTS_MIN: [(i64, i64); 2] = [(0, 210), (270, 540)];
const WORKING_DAY_MIN: u32 = 480;

/// Why a limit cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitError(String);

impl From<LimitError> for Said {
    fn from(LimitError(got): LimitError) -> Self {
        say!(
            "a limit looks like 30min, 4h, 3d, 8wh or 2wd, got {got:?}",
            "时限形如 30min、4h、3d、8wh 或 2wd，收到 {got:?}"
        )
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let error = || LimitError(text.to_owned());
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
        let number: u32 = text[..split].parse().map_err(|_| error())?;
        let minutes = |each: u32| number.checked_mul(each).filter(|&m| (1..=525_600).contains(&m)).ok_or_else(error);
        match &text[split..] {
            "min" => minutes(1).map(Self::Minutes),
            "h" => minutes(60).map(Self::Minutes),
            "d" => minutes(1_440).map(Self::Minutes),
            "wh" => minutes(60).map(Self::WorkingMinutes),
            "wd" => minutes(WORKING_DAY_MIN).map(Self::WorkingMinutes),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Minutes(m) if m % 60 == 0 => write!(f, "{}h", m / 60),
            Self::Minutes(m) => write!(f, "{m}min"),
            Self::WorkingMinutes(m) if m % WORKING_DAY_MIN == 0 => write!(f, "{}wd", m / WORKING_DAY_MIN),
            Self::WorkingMinutes(m) => write!(f, "{}wh", m / 60),
        }
    }
}

/// A district's clock on the wall and its days off (节假日).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkCalendar {
    pub offset: Offset,
    /// Days off that are not a weekend.
    pub holidays: Vec<jiff::civil::Date>,
    /// Weekend days that are worked (调休).
    pub worked: Vec<jiff::civil::Date>,
}

impl Default for WorkCalendar {
    /// China has one time zone and no daylight saving.
    fn default() -> Self {
        Self { offset: jiff::tz::offset(8), holidays: Vec::new(), worked: Vec::new() }
    }
}

impl WorkCalendar {
    /// The district's local calendar day.
    pub fn day(&self, at: Timestamp) -> jiff::civil::Date {
        self.offset.to_datetime(at).date()
    }

    fn is_worked(&self, day: jiff::civil::Date) -> bool {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        self.worked.contains(&day) || (!weekend && !self.holidays.contains(&day))
    }

    /// The instant at which `limit` has run since `start`.
    pub fn after(&self, start: Timestamp, limit: Limit) -> Timestamp {
        match limit {
            Limit::Minutes(minutes) => start + SignedDuration::from_mins(i64::from(minutes)),
            Limit::WorkingMinutes(minutes) => self.after_working(start, i64::from(minutes)),
        }
    }

    fn after_working(&self, start: Timestamp, minutes: i64) -> Timestamp {
        let zone = TimeZone::fixed(self.offset);
        let mut left = SignedDuration::from_mins(minutes);
        let mut day = self.day(start);
        // A limit is at most a year of minutes, so ten years of days always hold it.
        for _ in 0..3_653 {
            if self.is_worked(day) {
                let opens = day.at(MORNING.0, MORNING.1, 0, 0).to_zoned(zone.clone()).map_or(start, |z| z.timestamp());
                for (from, to) in SHIFTS_MIN {
                    let from = (opens + SignedDuration::from_mins(from)).max(start);
                    let to = opens + SignedDuration::from_mins(to);
                    let room = to.duration_since(from);
                    if room >= left {
                        return from + left;
                    }
                    left -= room.max(SignedDuration::ZERO);
                }
            }
            day = day.saturating_add(1.day());
        }
        start + left
    }
}

/// What a district's policy says of one damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamageRule {
    pub code: DamageCode,
    pub name: String,
    /// 3 紧急, 2 紧急 under a condition, 1 一般; an order takes the more urgent damage of its reports.
    pub urgency: u8,
    /// `None`: the policy asks no securing.
    pub secure: Option<Limit>,
    pub target: Target,
    pub repair: Limit,
}

/// The limits of one order, all instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub target: Target,
    pub promise_at: Timestamp,
    pub secure_by: Option<Timestamp>,
    pub repair_by: Timestamp,
}

impl Limits {
    /// The limits of a damage first reported at `reported`.
    pub fn of(rule: &DamageRule, reported: Timestamp, calendar: &WorkCalendar) -> Self {
        Self {
            target: rule.target,
            promise_at: reported + PROMISE,
            secure_by: rule.secure.map(|limit| calendar.after(reported, limit)),
            repair_by: calendar.after(reported, rule.repair),
        }
    }

    /// `due_at`: the repair limit, but for what need only be safe by then the promise until it is.
    pub fn due_at(&self, secured: bool) -> Timestamp {
        match self.target {
            Target::Secure if !secured => self.promise_at.min(self.repair_by),
            _ => self.repair_by,
        }
    }

    /// Each limit the earlier of both: what happens when a report joins an order.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        let target = if self.target == Target::Repair { Target::Repair } else { other.target };
        Self {
            target,
            promise_at: self.promise_at.min(other.promise_at),
            secure_by: [self.secure_by, other.secure_by].into_iter().flatten().min(),
            repair_by: self.repair_by.min(other.repair_by),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn working_time_stops_at_noon_at_night_and_on_days_off() {
        let calendar = WorkCalendar { holidays: vec![jiff::civil::date(2026, 10, 1)], ..WorkCalendar::default() };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (start, limit, due) in [
            // Thursday 9:00 in Qingdao + 4 h: half past eleven is noon, so 14:00.
            ("2026-11-26T01:00:00Z", "4wh", "2026-11-26T06:00:00Z"),
            // Friday 17:00 + 1 h: half an hour on Friday, the rest on Monday.
            ("2026-11-27T09:00:00Z", "1wh", "2026-11-30T01:00:00Z"),
            // The evening before a holiday.
            ("2026-09-30T12:00:00Z", "1wd", "2026-10-02T09:30:00Z"),
            ("2026-11-28T03:00:00Z", "30min", "2026-11-28T03:30:00Z"),
        ] {
            assert_eq!(calendar.after(at(start), limit.parse().unwrap()), at(due), "{start} + {limit}");
        }
    }

    #[test]
    fn what_need_only_be_safe_falls_due_at_the_promise_until_it_is() {
        let catalog = super::super::catalog::Catalog::national();
        let reported = "2026-11-24T02:00:00Z".parse().unwrap();
        let limits = Limits::of(catalog.damage("overflow").unwrap(), reported, &WorkCalendar::default());
        assert_eq!(limits.due_at(false), limits.promise_at);
        assert_eq!(limits.due_at(true).duration_since(reported), SignedDuration::from_hours(4));
    }
}
