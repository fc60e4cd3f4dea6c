//! The one task that writes (single writer): it takes the commands that wait, up to
//! [`GROUP`] of them, decides and commits them as one transaction per district, applies the
//! change to the index, and only then answers.
//!
//! It is a task of its own, so a request that is cancelled never drops a transaction. Any error
//! of the database fails the whole group: the connection is dropped, and with it the transaction,
//! and the commands are tried again one by one on a new one. (Savepoints per command would be a
//! trap: `SQLite` rolls the whole transaction back when the disk is full, and a later savepoint's
//! release would commit alone.)

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::command::{Answer, Command};
use super::error::ServiceError;
use super::{Context, group};
use crate::domain::id::DistrictCode;
use crate::store::{Result as StoreResult, Store, StoreError, WriteConn};

/// Commands of one commit group.
const GROUP: usize = 256;
/// Commands that may wait; beyond it the edge answers 503.
const QUEUE: usize = 4_096;

struct Hot {
    command: Command,
    answer: oneshot::Sender<Answer>,
}

/// A piece of work that takes a transaction of its own: registry edits, imports, keys.
type Work = Box<dyn for<'c> FnOnce(&'c mut WriteConn) -> BoxFuture<'c, StoreResult<()>> + Send>;

enum Message {
    Hot(Hot),
    Alone(Work, oneshot::Sender<StoreResult<()>>),
}

/// The way to the writer. Cheap to clone; when the last clone is gone, the writer ends.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    sender: mpsc::Sender<Message>,
}

impl Writer {
    /// Starts the task; it ends, its log folded back, when every [`Writer`] is dropped.
    pub(super) fn start(context: Arc<Context>, store: Store) -> (Self, tokio::task::JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let task = tokio::spawn(Task { context, store, conn: None, receiver }.run());
        (Self { sender }, task)
    }

    /// Whether the task still takes commands.
    pub(super) fn is_alive(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Has a command decided. The answer comes after the commit.
    pub(super) async fn submit(&self, command: Command) -> Answer {
        let (answer, answered) = oneshot::channel();
        let message = Message::Hot(Hot { command, answer });
        if self.sender.try_send(message).is_err() {
            return Answer::Refused(ServiceError::Unavailable);
        }
        answered.await.unwrap_or(Answer::Refused(ServiceError::Unavailable))
    }

    /// Runs `work` in a transaction of its own, and `then` once it is committed and before any
    /// later command is decided.
    pub(super) async fn alone<T: Send + 'static, U: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut WriteConn) -> BoxFuture<'c, StoreResult<T>> + Send + 'static,
        then: impl FnOnce(T) -> U + Send + 'static,
    ) -> StoreResult<U> {
        self.run(work, |_| End::Commit, then).await
    }

    /// Runs `work` in a transaction of its own and `then` once it has ended as `end` says of what it gave.
    pub(super) async fn run<T: Send + 'static, U: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut WriteConn) -> BoxFuture<'c, StoreResult<T>> + Send + 'static,
        end: impl FnOnce(&T) -> End + Send + 'static,
        then: impl FnOnce(T) -> U + Send + 'static,
    ) -> StoreResult<U> {
        let (result, got) = oneshot::channel();
        let work: Work = Box::new(move |conn| {
            Box::pin(async move {
                conn.begin().await?;
                let value = work(conn).await?;
                match end(&value) {
                    End::Commit => conn.commit().await?,
                    End::Rollback => conn.rollback().await?,
                }
                // The asker may be gone; the work is done all the same.
                let _ = result.send(then(value));
                Ok(())
            })
        });
        let (done, finished) = oneshot::channel();
        let gone = || StoreError::Unavailable(sqlx::Error::PoolClosed);
        self.sender.send(Message::Alone(work, done)).await.map_err(|_| gone())?;
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

/// Why a group was not answered.
struct Failed {
    error: StoreError,
    /// The commit itself failed: a connection that breaks then does not tell what became of it.
    perhaps_committed: bool,
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self { error, perhaps_committed: false }
    }
}

struct Task {
    context: Arc<Context>,
    store: Store,
    conn: Option<WriteConn>,
    receiver: mpsc::Receiver<Message>,
}

impl Task {
    async fn run(mut self) {
        while let Some(first) = self.receiver.recv().await {
            let mut waiting = Vec::new();
            let mut alone = None;
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Hot(hot) => waiting.push(hot),
                    Message::Alone(work, done) => {
                        alone = Some((work, done));
                        break;
                    }
                }
                next = if waiting.len() < GROUP { self.receiver.try_recv().ok() } else { None };
            }
            let mut by_district: BTreeMap<DistrictCode, Vec<Hot>> = BTreeMap::new();
            for hot in waiting {
                by_district.entry(hot.command.district).or_default().push(hot);
            }
            for (district, hot) in by_district {
                self.group(district, hot).await;
            }
            if let Some((work, done)) = alone {
                let _ = done.send(self.alone(work).await);
            }
        }
        if let Some(conn) = self.conn.take()
            && let Err(error) = conn.close().await
        {
            tracing::warn!(%error, "the log could not be folded back; the next start does it");
        }
    }

    async fn group(&mut self, district: DistrictCode, hot: Vec<Hot>) {
        let (commands, answers): (Vec<_>, Vec<_>) = hot.into_iter().map(|hot| (hot.command, hot.answer)).unzip();
        metrics::histogram!("guli_commit_group_commands").record(commands.len() as f64);
        match self.commit(district, &commands).await {
            Ok(decided) => send(answers, decided),
            Err(failed) if commands.len() == 1 => {
                tracing::error!(error = %failed.error, "a command could not be committed");
                send(answers, vec![Answer::Refused(failed.error.into())]);
            }
            Err(failed) => {
                tracing::warn!(error = %failed.error, commands = commands.len(), "a commit group failed; trying one by one");
                for (command, answer) in commands.iter().zip(answers) {
                    // What may be stored already is tried again only under a key, which finds it.
                    let decided = if failed.perhaps_committed && command.idempotency.is_none() {
                        vec![Answer::Refused(ServiceError::Unavailable)]
                    } else {
                        let decided = self.commit(district, std::slice::from_ref(command)).await;
                        decided.unwrap_or_else(|failed| vec![Answer::Refused(failed.error.into())])
                    };
                    send(vec![answer], decided);
                }
            }
        }
    }

    /// One transaction. On any error the connection is dropped, which rolls back.
    async fn commit(&mut self, district: DistrictCode, commands: &[Command]) -> Result<Vec<Answer>, Failed> {
        let mut conn = self.conn().await?;
        conn.begin().await?;
        let (answers, effects) = group::run(&self.context, &mut conn.conn(), district, commands).await?;
        conn.commit().await.map_err(|error| Failed { error, perhaps_committed: true })?;
        self.conn = Some(conn);
        for order in effects.changed {
            super::load::show(&self.context, &order);
        }
        self.context.committed.send_replace(());
        Ok(answers)
    }

    async fn alone(&mut self, work: Work) -> StoreResult<()> {
        let mut conn = self.conn().await?;
        work(&mut conn).await?;
        self.conn = Some(conn);
        self.context.committed.send_replace(());
        Ok(())
    }

    async fn conn(&mut self) -> StoreResult<WriteConn> {
        match self.conn.take() {
            Some(conn) => Ok(conn),
            None => self.store.write().await,
        }
    }
}

fn send(senders: Vec<oneshot::Sender<Answer>>, answers: Vec<Answer>) {
    for (sender, answer) in senders.into_iter().zip(answers) {
        // A caller who hung up is answered again under the key, if there was one.
        let _ = sender.send(answer);
    }
}
