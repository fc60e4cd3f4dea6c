//! Following the feed: what other processes commit comes into this one's memory.
//!
//! Memory stands, for each district, at a number of its feed ([`super::progress`]). A change of this process moves it on
//! when it is committed and shown; whatever else was committed is read from the feed in order, and what it names is read
//! as it now is, so that reading it again does no harm ([`super::catch_up`]). All this happens in the district's lane of
//! the writer: nothing is written to the district's memory meanwhile. A district that is not in memory, or lies too far
//! behind, is loaded anew. Each district is followed by itself: one that is slow or cannot be read keeps no other back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Guli;
use super::progress::Lag;
use super::writer::{End, Patience};
use crate::domain::id::DistrictCode;
use crate::store::{Listener, Result, StoreError, areas, head};

/// Who has not seen the feeds for so long does not know what others commit.
pub(super) const SILENCE: jiff::SignedDuration = jiff::SignedDuration::from_secs(4);
/// Districts that are loaded at once.
const AT_ONCE: usize = 2;
/// A district that takes longer than this lets others begin beside it.
const SLOW: Duration = Duration::from_secs(2);
/// How long the database may take to say how far it is.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often the feed is looked at though nobody said that there is anything.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Shortest time between two looks, and between two notices to others.
const PAUSE: Duration = Duration::from_millis(20);
const NOTICES: Duration = Duration::from_millis(50);
/// How long a reader waits for a change that another process committed.
const WAIT: Duration = Duration::from_secs(5);

/// The districts that are being followed, and those that could not be read when they were last tried.
#[derive(Debug, Default)]
struct Following {
    tasks: JoinSet<(DistrictCode, Result<()>)>,
    at_work: BTreeSet<DistrictCode>,
    unreadable: BTreeSet<DistrictCode>,
}

impl Guli {
    /// Loads every district that this process serves; the first that cannot be is an error.
    pub async fn load(&self) -> Result<()> {
        self.follow().await.map(|_| ())
    }

    /// Brings memory to where the database is, once, and waits for all of it.
    pub async fn follow(&self) -> Result<Lag> {
        let (_, due) = self.look().await?;
        let mut followed = stream::iter(due).map(|district| self.follow_district(district)).buffer_unordered(AT_ONCE);
        while let Some(followed) = followed.next().await {
            followed?;
        }
        self.context.progress.loaded(self.context.known.all_in(&self.context.index));
        self.look().await?;
        Ok(self.lag())
    }

    /// Looks how far the feeds are: the districts that are served, and those that memory is behind in.
    async fn look(&self) -> Result<(Vec<DistrictCode>, Vec<DistrictCode>)> {
        let look = async {
            let (known, heads) = self.heads().await?;
            self.know(known).await?;
            Ok(heads)
        };
        let heads = tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| Err(StoreError::silent()))?;
        let progress = &self.context.progress;
        let outdated = progress.outdated();
        let position = |district: &DistrictCode| progress.of(*district);
        let is_due = |(district, head): &(&DistrictCode, &i64)| {
            position(district).is_none_or(|position| position < **head) || outdated.contains(district)
        };
        let due = heads.iter().filter(is_due).map(|(district, _)| *district).collect();
        let missing = heads.iter().map(|(district, head)| (head - position(district).unwrap_or(0)).max(0));
        progress.saw(self.context.clock.now(), missing.sum());
        Ok((heads.into_keys().collect(), due))
    }

    /// The database's districts with their versions, and how far those are that this process serves.
    async fn heads(&self) -> Result<(Vec<(DistrictCode, i64)>, BTreeMap<DistrictCode, i64>)> {
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let known = areas::district_versions(conn).await?;
        let codes = known.iter().map(|(district, _)| *district);
        let served: Vec<_> = codes.filter(|district| self.context.districts.serve(*district)).collect();
        let heads = head::of(conn, &served).await?.into_iter().collect();
        Ok((known, heads))
    }

    /// Follows one district, in its lane.
    pub(super) async fn follow_district(&self, district: DistrictCode) -> Result<()> {
        let context = Arc::clone(&self.context);
        let work = self.writer.run(
            district,
            Patience::Long,
            move |conn| Box::pin(async move { context.follow(conn, district).await }),
            |()| End::Rollback,
            |()| (),
        );
        work.await
    }

    /// Loads the districts that are marked, where others than the writer's task must.
    pub(super) async fn load_marked(&self) {
        for district in self.context.progress.outdated() {
            if let Err(error) = self.follow_district(district).await {
                tracing::warn!(%error, %district, "a district was not loaded with what changed beside it; trying again");
            }
        }
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
    pub async fn keep_following(self: Arc<Self>) {
        let mut listener = None;
        let mut was_away = false;
        let mut following = Following::default();
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            match self.look().await {
                Ok((served, due)) => {
                    if was_away {
                        tracing::info!("the database is back");
                    }
                    was_away = false;
                    following.begin(&self, due, &slots);
                    self.is_loaded_now(&served, &following.unreadable);
                }
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
                Some(done) = following.tasks.join_next() => following.end(done),
                () = self.context.wanted.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// Notes when every district was tried once: one that cannot be read is said in the log, and keeps nobody waiting.
    fn is_loaded_now(&self, served: &[DistrictCode], unreadable: &BTreeSet<DistrictCode>) {
        let tried =
            |district: &DistrictCode| self.context.progress.of(*district).is_some() || unreadable.contains(district);
        if self.context.progress.is_loaded() || served.iter().all(tried) {
            self.context.progress.loaded(self.context.known.all_in(&self.context.index));
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

impl Following {
    /// Begins to follow those that are not being followed.
    fn begin(&mut self, guli: &Arc<Guli>, due: Vec<DistrictCode>, slots: &Arc<Semaphore>) {
        for district in due {
            if !self.at_work.insert(district) {
                continue;
            }
            let (guli, slots) = (Arc::clone(guli), Arc::clone(slots));
            self.tasks.spawn(async move {
                let slot = slots.acquire_owned().await;
                let follow = guli.follow_district(district);
                tokio::pin!(follow);
                if let Ok(followed) = tokio::time::timeout(SLOW, &mut follow).await {
                    return (district, followed);
                }
                drop(slot);
                let followed = follow.await;
                (district, followed)
            });
        }
    }

    fn end(&mut self, done: std::result::Result<(DistrictCode, Result<()>), tokio::task::JoinError>) {
        let Ok((district, followed)) = done else { return };
        self.at_work.remove(&district);
        match followed {
            Ok(()) => drop(self.unreadable.remove(&district)),
            // The look after this says that the database is away.
            Err(StoreError::Unavailable(error)) => tracing::debug!(%error, %district, "a district was not followed"),
            Err(error) => {
                if self.unreadable.insert(district) {
                    tracing::error!(%error, %district, "a district cannot be brought into memory");
                }
            }
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
