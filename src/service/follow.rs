//! Following the feed: what other processes commit comes into this one's memory.
//!
//! Memory stands, for each district, at a number of its feed. A change of this process moves it on when it is
//! committed and shown; whatever else was committed is read from the feed in order, and what it names is read as it
//! now is, so that reading it again does no harm. All this happens in the district's lane of the writer: nothing is
//! written to the district's memory meanwhile. A district that is not in memory, or lies too far behind, is loaded anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;

use super::writer::End;
use super::{Context, Guli, load};
use crate::domain::id::{DistrictCode, OrderCode, OrgCode};
use crate::index::DistrictIndex;
use crate::store::events::Event;
use crate::store::head::Head;
use crate::store::{Conn, Listener, Result, StoreError, areas, corrupt, covers, events, head, orders, organizations};

/// Events of one reading.
const STRETCH: i64 = 1_000;
/// Behind by more than this, loading anew is the shorter way.
const FAR: i64 = 50_000;
/// Who has not seen the feed for so long does not know what others commit.
pub(super) const SILENCE: jiff::SignedDuration = jiff::SignedDuration::from_secs(4);
/// Districts that are followed, or loaded, at once.
const AT_ONCE: usize = 2;

/// How long the database may take to say how far it is.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often the feed is looked at though nobody said that there is anything.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Shortest time between two looks, and between two notices to others.
const PAUSE: Duration = Duration::from_millis(20);
const NOTICES: Duration = Duration::from_millis(50);
/// How long a reader waits for a change that another process committed.
const WAIT: Duration = Duration::from_secs(5);

fn silent() -> StoreError {
    StoreError::Unavailable(sqlx::Error::PoolTimedOut)
}

/// How far memory has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The last number of each district's feed that is in memory.
    positions: RwLock<HashMap<DistrictCode, i64>>,
    /// Districts whose names changed with another district's organisation.
    outdated: Mutex<BTreeSet<DistrictCode>>,
    /// When the feed was last seen whole, in microseconds.
    seen: AtomicI64,
    /// Changes that were known to be missing then.
    missing: AtomicI64,
    /// Every district that this process serves was in memory once.
    is_loaded: AtomicBool,
    /// Every district of the database is in memory.
    has_everything: AtomicBool,
}

/// How far a process is behind the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Changes committed elsewhere and not in memory yet.
    pub changes: i64,
    /// When the feed was last looked at.
    pub seen: Timestamp,
}

impl Progress {
    pub(super) fn of(&self, district: DistrictCode) -> Option<i64> {
        self.positions.read().unwrap_or_else(PoisonError::into_inner).get(&district).copied()
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.is_loaded.load(Ordering::Relaxed)
    }

    fn set(&self, district: DistrictCode, seq: i64) {
        self.positions.write().unwrap_or_else(PoisonError::into_inner).insert(district, seq);
    }

    fn outdate(&self, districts: impl IntoIterator<Item = DistrictCode>) {
        self.outdated.lock().unwrap_or_else(PoisonError::into_inner).extend(districts);
    }

    fn take_outdated(&self) -> BTreeSet<DistrictCode> {
        std::mem::take(&mut self.outdated.lock().unwrap_or_else(PoisonError::into_inner))
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
        self.index.replace(fresh);
        // A new one begins with this event.
        if seq == 1 {
            self.progress.set(district, seq);
        }
        self.came_to(district, seq, seq);
    }

    /// Brings memory to the head that a transaction has locked, or that its snapshot shows.
    pub(super) async fn catch_up(&self, conn: &mut Conn<'_>, district: DistrictCode, head: &Head) -> Result<()> {
        let position = self.progress.of(district).filter(|_| self.index.serves(district));
        let Some(position) = position.filter(|position| head.seq - position <= FAR) else {
            return self.load(conn, district, head).await;
        };
        if position >= head.seq {
            return Ok(());
        }
        let changes = Changes::read(conn, district, position, head.seq).await?;
        if changes.everything {
            return self.load(conn, district, head).await;
        }
        self.show_covers(conn, district, position, &changes).await?;
        self.show_organizations(conn, &changes).await?;
        self.show_orders(conn, district, &changes.orders).await?;
        self.index
            .set_registry_seq(district, head.registry_seq.unsigned_abs())
            .map_err(|e| corrupt("a district", e))?;
        self.progress.set(district, head.seq);
        Ok(())
    }

    /// Loads a district with its open orders.
    pub(super) async fn load(&self, conn: &mut Conn<'_>, district: DistrictCode, head: &Head) -> Result<()> {
        let record = areas::district(conn, district).await?;
        let record = record.ok_or_else(|| corrupt("district", district))?;
        let fresh = load::district(self, conn, record).await?;
        self.index.replace(fresh);
        // What is kept of the past has today's names of people in it.
        self.past.clear();
        load::open_orders(self, conn, district).await?;
        self.progress.set(district, head.seq);
        Ok(())
    }

    async fn show_covers(
        &self,
        conn: &mut Conn<'_>,
        district: DistrictCode,
        position: i64,
        changes: &Changes,
    ) -> Result<()> {
        if !changes.covers {
            return Ok(());
        }
        let mut failed = None;
        covers::changed_since(conn, district, position, |cover| {
            if let Err(error) = self.index.put_cover(cover) {
                failed.get_or_insert(error);
            }
        })
        .await?;
        failed.map_or(Ok(()), |error| Err(corrupt("a cover", error)))
    }

    async fn show_organizations(&self, conn: &mut Conn<'_>, changes: &Changes) -> Result<()> {
        for code in &changes.organizations {
            let known = organizations::known(conn, code).await?;
            let organization =
                known.unwrap_or_else(|| crate::domain::organization::Organization::nameless(code.clone()));
            self.index.put_organization(organization).map_err(|e| corrupt("an organization", e))?;
            // Its name stands beside the grids that it supervises.
            self.progress.outdate(self.index.supervised_by(code));
        }
        Ok(())
    }

    /// Shows orders as they now are.
    async fn show_orders(
        &self,
        conn: &mut Conn<'_>,
        district: DistrictCode,
        codes: &BTreeSet<OrderCode>,
    ) -> Result<()> {
        let codes: Vec<OrderCode> = codes.iter().copied().collect();
        for chunk in codes.chunks(crate::store::ROWS_PER_STATEMENT) {
            for stored in orders::load(conn, district, &[], chunk).await? {
                let mut order = stored.order;
                order.cover = super::settle::subject_by_id(&self.index, stored.cover);
                load::show(self, &order);
            }
        }
        Ok(())
    }
}

/// What a stretch of the feed changed.
#[derive(Debug, Default)]
struct Changes {
    orders: BTreeSet<OrderCode>,
    covers: bool,
    organizations: BTreeSet<OrgCode>,
    /// The district is to be loaded anew: areas, tables, or people whose names stand beside grids.
    everything: bool,
}

impl Changes {
    async fn read(conn: &mut Conn<'_>, district: DistrictCode, after: i64, until: i64) -> Result<Self> {
        let mut changes = Self::default();
        let mut last = after;
        while last < until && !changes.everything {
            let stretch = events::after(conn, district, last, STRETCH.min(until - last)).await?;
            // The numbers have no gaps; where they seem to, everything is read.
            changes.everything = stretch.first().is_none_or(|first| first.seq != last + 1);
            for event in stretch {
                last = event.seq;
                changes.add(&event);
            }
        }
        Ok(changes)
    }

    fn add(&mut self, event: &Event) {
        match event.kind.split('.').next().unwrap_or_default() {
            "work_order" => match event.subject.parse() {
                Ok(code) => drop(self.orders.insert(code)),
                Err(_) => self.everything = true,
            },
            "cover" => self.covers = true,
            "import" if is_of_covers(event) => self.covers = true,
            "organization" => match event.subject.parse() {
                Ok(code) => drop(self.organizations.insert(code)),
                Err(_) => self.everything = true,
            },
            "quality" => {}
            _ => self.everything = true,
        }
    }
}

fn is_of_covers(event: &Event) -> bool {
    serde_json::from_str::<serde_json::Value>(&event.data).is_ok_and(|data| data["kind"] == "covers")
}

impl Guli {
    /// Loads every district that this process serves.
    pub async fn load(&self) -> Result<()> {
        self.follow().await.map(|_| ())
    }

    /// Brings memory to where the database is, once: of every district that this process serves.
    pub async fn follow(&self) -> Result<Lag> {
        let looked = tokio::time::timeout(PATIENCE, self.heads()).await;
        let (known, heads) = looked.unwrap_or_else(|_| Err(silent()))?;
        self.know(&known).await?;
        let behind = |(district, head): (&DistrictCode, &i64)| {
            self.context.progress.of(*district).is_none_or(|position| position < *head)
        };
        let mut due: BTreeSet<DistrictCode> =
            heads.iter().filter(|entry| behind(*entry)).map(|(district, _)| *district).collect();
        let outdated = self.context.progress.take_outdated();
        due.extend(&outdated);
        let outdated = &outdated;
        let followed: Vec<Result<()>> = stream::iter(due)
            .map(|district| self.follow_district(district, outdated.contains(&district)))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let all = self.context.known.all_in(&self.context.index);
        self.context.progress.has_everything.store(all, Ordering::Relaxed);
        let failed = followed.into_iter().filter_map(Result::err).last();
        let changes = heads.iter().map(|(district, head)| head - self.context.progress.of(*district).unwrap_or(0));
        let progress = &self.context.progress;
        progress.missing.store(changes.map(|missing| missing.max(0)).sum(), Ordering::Relaxed);
        if let Some(error) = failed {
            return Err(error);
        }
        progress.seen.store(self.context.clock.now().as_microsecond(), Ordering::Relaxed);
        progress.is_loaded.store(true, Ordering::Relaxed);
        Ok(self.lag())
    }

    /// The database's districts, and how far those are that this process serves.
    async fn heads(&self) -> Result<(Vec<DistrictCode>, BTreeMap<DistrictCode, i64>)> {
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let known = areas::district_codes(conn).await?;
        let served: Vec<_> = known.iter().copied().filter(|district| self.context.districts.serve(*district)).collect();
        let heads = head::of(conn, &served).await?.into_iter().collect();
        Ok((known, heads))
    }

    /// Follows one district, or loads it anew.
    pub(super) async fn follow_district(&self, district: DistrictCode, anew: bool) -> Result<()> {
        let context = Arc::clone(&self.context);
        let work = self.writer.run(
            district,
            move |conn| {
                Box::pin(async move {
                    let looked = async {
                        conn.snapshot().await?;
                        head::read(&mut conn.conn(), district).await
                    };
                    let head = tokio::time::timeout(PATIENCE, looked).await.unwrap_or_else(|_| Err(silent()))?;
                    let Some(head) = head else { return Ok(()) };
                    let conn = &mut conn.conn();
                    if anew {
                        context.load(conn, district, &head).await
                    } else {
                        context.catch_up(conn, district, &head).await
                    }
                })
            },
            |()| End::Rollback,
            |()| (),
        );
        work.await
    }

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

    /// Whether memory holds the change with this number.
    fn has_come_to(&self, district: DistrictCode, seq: i64) -> bool {
        self.context.progress.of(district).is_some_and(|position| position >= seq)
    }

    /// Waits until memory holds the change with this number, though not for ever; whether it does.
    pub async fn comes_to(&self, district: DistrictCode, seq: i64) -> bool {
        let mut commits = self.commits();
        let come = async {
            while !self.has_come_to(district, seq) {
                self.context.wanted.notify_one();
                if commits.changed().await.is_err() {
                    break;
                }
            }
        };
        if self.is_shared() {
            let _ = tokio::time::timeout(WAIT, come).await;
            return self.has_come_to(district, seq);
        }
        // Nobody else writes to a file, and what this process wrote is in memory before it is answered.
        let Ok(mut reader) = self.store.read().await else { return false };
        let head = head::read(&mut reader.conn(), district).await;
        head.is_ok_and(|head| head.is_some_and(|head| head.seq >= seq))
    }

    /// Follows the feed for ever, woken by notices and by those who wait, and each second all the same.
    pub async fn keep_following(&self) {
        let mut listener = None;
        let mut was_away = false;
        loop {
            match self.follow().await {
                Ok(_) if was_away => {
                    tracing::info!("the database is back");
                    was_away = false;
                }
                Ok(_) => {}
                Err(error) => {
                    if !was_away {
                        tracing::warn!(%error, "the feed cannot be followed; trying again each second");
                    }
                    was_away = true;
                    listener = None;
                }
            }
            tokio::time::sleep(PAUSE).await;
            if listener.is_none() && !was_away {
                let listening = tokio::time::timeout(PATIENCE, self.store.listen()).await;
                listener = listening.ok().and_then(Result::ok).flatten();
            }
            tokio::select! {
                told = heard(&mut listener) => if told.is_err() { listener = None },
                () = self.context.wanted.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// Tells other processes of this one's commits, for ever.
    pub async fn keep_telling(&self) {
        let mut written = self.context.written.subscribe();
        while written.changed().await.is_ok() {
            // They look each second in any case.
            if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, self.store.notify()).await {
                tracing::debug!(%error, "other processes were not told of a commit");
            }
            tokio::time::sleep(NOTICES).await;
        }
    }
}

/// Waits for a notice; for ever where nobody gives any.
async fn heard(listener: &mut Option<Listener>) -> Result<()> {
    match listener {
        Some(listener) => listener.wait().await,
        None => std::future::pending().await,
    }
}
