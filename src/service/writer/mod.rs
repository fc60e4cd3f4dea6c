//! The tasks that write: one for a file, one for each district of `PostgreSQL`. Each takes the commands that wait, up
//! to [`GROUP`](lane::GROUP) of them, decides and commits them as one transaction per district, applies the change to the index,
//! and only then answers.
//!
//! They are tasks of their own, so a request that is cancelled never drops a transaction. Any error
//! of the database fails the whole group: the connection is dropped, and with it the transaction,
//! and the commands are tried again one by one on a new one. (Savepoints per command would be a
//! trap: `SQLite` rolls the whole transaction back when the disk is full, and a later savepoint's
//! release would commit alone.)

mod ahead;
mod lane;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Context;
use super::command::{Answer, Command};
use super::error::ServiceError;
use crate::domain::id::DistrictCode;
use crate::store::{Result as StoreResult, Store, StoreError, WriteConn};
use lane::Lane;

/// Commands that may wait; beyond it the edge answers 503.
const QUEUE: usize = 4_096;

struct Hot {
    command: Command,
    answer: oneshot::Sender<Answer>,
}

/// A piece of work that takes a transaction of its own: registry edits, imports, keys.
type Work = Box<dyn for<'c> FnOnce(&'c mut WriteConn) -> BoxFuture<'c, StoreResult<()>> + Send>;

struct Alone(Work, Patience, oneshot::Sender<StoreResult<()>>);

enum Message {
    Hot(Hot),
    Alone(Alone),
}

/// How long a piece of work may take where the database is another process's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// An edit, a key: as long as somebody waits for the answer.
    Short,
    /// A step of an import, or loading a district of millions.
    Long,
}

impl Patience {
    const fn limit(self) -> Duration {
        match self {
            Self::Short => Duration::from_secs(30),
            Self::Long => Duration::from_mins(10),
        }
    }
}

/// The way to the writer. Cheap to clone; when the last clone is gone, the writer ends.
#[derive(Debug, Clone)]
pub(super) struct Writer(Arc<Lanes>);

/// Where the work of a district waits: of a file, which has one writer, all of it in one lane; of `PostgreSQL` each
/// district's in its own, so that an import into one keeps no other waiting.
struct Lanes {
    context: Arc<Context>,
    store: Store,
    senders: Mutex<HashMap<Option<DistrictCode>, mpsc::Sender<Message>>>,
    tasks: mpsc::UnboundedSender<JoinHandle<()>>,
}

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lanes")
    }
}

impl Lanes {
    fn sender(&self, district: Option<DistrictCode>) -> mpsc::Sender<Message> {
        let lane = district.filter(|_| !self.store.is_exclusive());
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = senders.entry(lane).or_insert_with(|| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            let (context, store) = (Arc::clone(&self.context), self.store.clone());
            let task = tokio::spawn(Lane::new(context, store, receiver).run());
            // Whoever waits for the end is gone only when everything ends.
            let _ = self.tasks.send(task);
            sender
        });
        sender.clone()
    }
}

impl Writer {
    /// Starts it; it ends, its log folded back, when every [`Writer`] is dropped.
    pub(super) fn start(context: Arc<Context>, store: Store) -> (Self, JoinHandle<()>) {
        let (tasks, mut started) = mpsc::unbounded_channel::<JoinHandle<()>>();
        let task = tokio::spawn(async move {
            while let Some(lane) = started.recv().await {
                if let Err(error) = lane.await {
                    tracing::error!(%error, "a lane of the writer failed");
                }
            }
        });
        (Self(Arc::new(Lanes { context, store, senders: Mutex::default(), tasks })), task)
    }

    /// Whether it still takes commands.
    pub(super) fn is_alive(&self) -> bool {
        let senders = self.0.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.values().all(|sender| !sender.is_closed())
    }

    /// Has a command decided. The answer comes after the commit.
    pub(super) async fn submit(&self, command: Command) -> Answer {
        let (answer, answered) = oneshot::channel();
        let lane = self.0.sender(Some(command.district));
        let message = Message::Hot(Hot { command, answer });
        if lane.try_send(message).is_err() {
            return Answer::Refused(ServiceError::Unavailable);
        }
        drop(lane);
        answered.await.unwrap_or(Answer::Refused(ServiceError::Unavailable))
    }

    /// Runs `work` in a transaction of its own, in the lane of a district or of what belongs to none, and `then` once
    /// it is committed and before any later command of the lane is decided.
    pub(super) async fn alone<T: Send + 'static, U: Send + 'static>(
        &self,
        district: impl Into<Option<DistrictCode>>,
        work: impl for<'c> FnOnce(&'c mut WriteConn) -> BoxFuture<'c, StoreResult<T>> + Send + 'static,
        then: impl FnOnce(T) -> U + Send + 'static,
    ) -> StoreResult<U> {
        self.run(district, Patience::Short, work, |_| End::Commit, then).await
    }

    /// The same for what may take long.
    pub(super) async fn patiently<T: Send + 'static, U: Send + 'static>(
        &self,
        district: impl Into<Option<DistrictCode>>,
        work: impl for<'c> FnOnce(&'c mut WriteConn) -> BoxFuture<'c, StoreResult<T>> + Send + 'static,
        then: impl FnOnce(T) -> U + Send + 'static,
    ) -> StoreResult<U> {
        self.run(district, Patience::Long, work, |_| End::Commit, then).await
    }

    /// Runs `work` in a transaction of its own and `then` once it has ended as `end` says of what it gave.
    pub(super) async fn run<T: Send + 'static, U: Send + 'static>(
        &self,
        district: impl Into<Option<DistrictCode>>,
        patience: Patience,
        work: impl for<'c> FnOnce(&'c mut WriteConn) -> BoxFuture<'c, StoreResult<T>> + Send + 'static,
        end: impl FnOnce(&T) -> End + Send + 'static,
        then: impl FnOnce(T) -> U + Send + 'static,
    ) -> StoreResult<U> {
        let (result, got) = oneshot::channel();
        let context = Arc::clone(&self.0.context);
        let work: Work = Box::new(move |conn| {
            Box::pin(async move {
                conn.begin().await?;
                let value = work(conn).await?;
                match end(&value) {
                    End::Commit => {
                        conn.commit().await?;
                        context.written.send_replace(());
                    }
                    End::Rollback => conn.rollback().await?,
                }
                // The asker may be gone; the work is done all the same.
                let _ = result.send(then(value));
                Ok(())
            })
        });
        let (done, finished) = oneshot::channel();
        let gone = || StoreError::Unavailable(sqlx::Error::PoolClosed);
        self.0.sender(district.into()).send(Message::Alone(Alone(work, patience, done))).await.map_err(|_| gone())?;
        finished.await.map_err(|_| gone())??;
        got.await.map_err(|_| gone())
    }
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Commit,
    /// It was only tried what would become of it.
    Rollback,
}
