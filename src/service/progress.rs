//! How far memory has come in the feed of each district.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use jiff::Timestamp;

use super::{Context, Guli};
use crate::domain::id::DistrictCode;
use crate::index::DistrictIndex;

/// How far memory has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The last number of each district's feed that is in memory.
    positions: RwLock<HashMap<DistrictCode, i64>>,
    /// Districts that show a name of another district's which may have changed.
    outdated: Mutex<BTreeMap<DistrictCode, Mark>>,
    /// When it was last seen how far the feeds are, in microseconds.
    seen: AtomicI64,
    /// Changes that were known to be missing then.
    missing: AtomicI64,
    /// Every district that this process serves was in memory once, or cannot be.
    is_loaded: AtomicBool,
    /// Every district of the database is in memory.
    has_everything: AtomicBool,
}

/// How often a district was marked since it was last loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark(u64);

/// How far a process is behind the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Changes committed elsewhere and not in memory yet.
    pub changes: i64,
    /// When the feeds were last looked at.
    pub seen: Timestamp,
}

impl Progress {
    pub(super) fn of(&self, district: DistrictCode) -> Option<i64> {
        self.positions.read().unwrap_or_else(PoisonError::into_inner).get(&district).copied()
    }

    pub(super) fn set(&self, district: DistrictCode, seq: i64) {
        self.positions.write().unwrap_or_else(PoisonError::into_inner).insert(district, seq);
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.is_loaded.load(Ordering::Relaxed)
    }

    /// Says when it was seen how far the feeds are, and how much was missing then.
    pub(super) fn saw(&self, now: Timestamp, missing: i64) {
        self.missing.store(missing, Ordering::Relaxed);
        self.seen.store(now.as_microsecond(), Ordering::Relaxed);
    }

    /// Says that every district served was tried, and whether all of the database are in memory.
    pub(super) fn loaded(&self, has_everything: bool) {
        self.has_everything.store(has_everything, Ordering::Relaxed);
        self.is_loaded.store(true, Ordering::Relaxed);
    }

    /// Marks a district that must be loaded anew.
    pub(super) fn outdate(&self, district: DistrictCode) {
        self.outdated.lock().unwrap_or_else(PoisonError::into_inner).entry(district).or_default().0 += 1;
    }

    pub(super) fn outdated(&self) -> Vec<DistrictCode> {
        self.outdated.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// The mark of a district; taken before it is read, so that what changes from then on marks it again.
    pub(super) fn mark(&self, district: DistrictCode) -> Option<Mark> {
        self.outdated.lock().unwrap_or_else(PoisonError::into_inner).get(&district).copied()
    }

    /// Takes a mark off once the district is loaded, unless it was marked again.
    pub(super) fn take_off(&self, district: DistrictCode, mark: Mark) {
        let mut outdated = self.outdated.lock().unwrap_or_else(PoisonError::into_inner);
        if outdated.get(&district) == Some(&mark) {
            outdated.remove(&district);
        }
    }
}

impl Context {
    /// Says that the events from `first` to `last` of this process are in memory. Should others have been committed
    /// before them that are not, memory stays where it was, and all of them are read.
    pub(super) fn came_to(&self, district: DistrictCode, first: i64, last: i64) {
        if self.progress.of(district).is_some_and(|seq| seq + 1 == first) {
            self.progress.set(district, last);
        }
    }

    /// The same of events of which the last changed the registry.
    pub(super) fn registry_came_to(&self, district: DistrictCode, first: i64, last: i64) {
        if self.progress.of(district).is_some_and(|seq| seq + 1 == first) {
            match self.index.set_registry_seq(district, last.unsigned_abs()) {
                Ok(()) => self.progress.set(district, last),
                Err(error) => tracing::error!(%error, "a change of a district that is not in memory"),
            }
        }
    }

    /// Puts a district that an import of this process wrote, with the event `seq`, in the place of what was in memory.
    pub(super) fn brought(&self, fresh: DistrictIndex, seq: i64) {
        let district = fresh.code();
        self.exchange(fresh);
        // A new one begins with this event.
        if seq == 1 {
            self.progress.set(district, seq);
        }
        self.came_to(district, seq, seq);
    }
}

impl Guli {
    /// Whether every district of the database is in memory.
    pub fn has_everything(&self) -> bool {
        self.context.progress.has_everything.load(Ordering::Relaxed)
    }

    /// How far this process is behind.
    pub fn lag(&self) -> Lag {
        let progress = &self.context.progress;
        // Of a file nobody else's changes can be missing.
        if !self.is_shared() {
            return Lag { changes: 0, seen: self.context.clock.now() };
        }
        let seen = Timestamp::from_microsecond(progress.seen.load(Ordering::Relaxed)).unwrap_or(Timestamp::UNIX_EPOCH);
        Lag { changes: progress.missing.load(Ordering::Relaxed), seen }
    }
}
