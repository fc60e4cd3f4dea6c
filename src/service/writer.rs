//! The tasks that write: one for a file, one for each district of `PostgreSQL`. Each takes the commands that wait, up
//! to [`GROUP`] of them, decides and commits them as one transaction per district, applies the change to the index,
//! and only then answers.
//!
//! They are tasks of their own, so a request that is cancelled never drops a transaction. Any error
//! of the database fails the whole group: the connection is dropped, and with it the transaction,
//! and the commands are tried again one by one on a new one. (Savepoints per command would be a
//! trap: `SQLite` rolls the whole transaction back when the disk is full, and a later savepoint's
//! release would commit alone.)

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::command::{Answer, Command};
use super::error::ServiceError;
use super::group::Ran;
use super::{Context, group};
use crate::domain::id::DistrictCode;
use crate::store::head::Head;
use crate::store::{Result as StoreResult, Store, StoreError, WriteConn, Writing, corrupt};

/// Commands of one commit group.
const GROUP: usize = 256;
/// Commands that may wait; beyond it the edge answers 503.
const QUEUE: usize = 4_096;

/// How many commands at once make a crowd, and how long those of it that were just answered are waited for.
const CROWD: usize = 4;
const LINGER: Duration = Duration::from_millis(1);

/// How long a connection of a pool is kept for what may come next, unless others wait for one.
const KEPT: Duration = Duration::from_millis(10);

/// How long a commit group may take where the database is another process's: less than others wait for the district that
/// it holds, which a server lets go of whose wire has gone silent.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often a group is begun again because the registry changed so that the district had to be loaded.
const TRIES: usize = 3;

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
            let task = tokio::spawn(Task { context, store, conn: None, left: None, receiver }.run());
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

/// Why a group was not answered.
struct Failed {
    error: StoreError,
    /// The commit itself failed: a connection that breaks then does not tell what became of it.
    perhaps_committed: bool,
}

impl Failed {
    /// Of a statement that is its own transaction: what the server refused it has not done, unless it was going away.
    fn of_a_statement(error: StoreError) -> Self {
        let is_refused = matches!(
            &error,
            StoreError::Unavailable(sqlx::Error::Database(_)) | StoreError::Database(sqlx::Error::Database(_))
        );
        let failed = Self { error, perhaps_committed: false };
        Self { perhaps_committed: !is_refused || failed.is_away(), ..failed }
    }

    /// The server is not there, so that trying again at once is in vain. A full disk is another matter: less may fit.
    fn is_away(&self) -> bool {
        match &self.error {
            StoreError::Unavailable(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) => true,
            // It is shutting down, or starting: 57P01 to 57P03; the connection failed: class 08.
            StoreError::Unavailable(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| code.len() == 5 && (code.starts_with("57P") || code.starts_with("08")))
            }
            _ => false,
        }
    }
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
    /// Of a server that takes a group as one statement: the district and the head as the last one left it over `conn`.
    left: Option<(DistrictCode, Head)>,
    receiver: mpsc::Receiver<Message>,
}

impl Task {
    async fn run(mut self) {
        let mut crowd = 0;
        while let Some(first) = self.next().await {
            let (waiting, alone) = self.gather(first, crowd).await;
            let gathered = waiting.len();
            let mut by_district: BTreeMap<DistrictCode, Vec<Hot>> = BTreeMap::new();
            for hot in waiting {
                by_district.entry(hot.command.district).or_default().push(hot);
            }
            for (district, hot) in by_district {
                self.group(district, hot).await;
            }
            if let Some(Alone(work, patience, done)) = alone {
                let _ = done.send(self.alone(work, patience).await);
            }
            crowd = gathered + self.receiver.len();
        }
        if let Some(conn) = self.conn.take()
            && let Err(error) = conn.close().await
        {
            tracing::warn!(%error, "the log could not be folded back; the next start does it");
        }
    }

    /// The next message. Others' work waits for a connection too, once there is a pause; that of a file is this task's.
    async fn next(&mut self) -> Option<Message> {
        if self.conn.is_some() && !self.store.is_exclusive() {
            let soon = if self.store.is_short_of_writers() {
                self.receiver.try_recv().ok()
            } else {
                tokio::time::timeout(KEPT, self.receiver.recv()).await.ok().flatten()
            };
            if soon.is_some() {
                return soon;
            }
            self.conn = None;
            self.left = None;
        }
        self.receiver.recv().await
    }

    /// What waits, up to [`GROUP`] commands or a piece of work of its own. Whoever was answered a moment ago may have more:
    /// of a `crowd` the others are waited for, or its halves would take turns, each in a transaction of its own.
    async fn gather(&mut self, first: Message, crowd: usize) -> (Vec<Hot>, Option<Alone>) {
        let until = tokio::time::Instant::now() + LINGER;
        let mut waiting = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Hot(hot) => waiting.push(hot),
                Message::Alone(alone) => return (waiting, Some(alone)),
            }
            if waiting.len() == GROUP {
                break;
            }
            next = self.receiver.try_recv().ok();
            if next.is_none() && waiting.len() < crowd && crowd >= CROWD {
                next = tokio::time::timeout_at(until, self.receiver.recv()).await.ok().flatten();
            }
        }
        (waiting, None)
    }

    async fn group(&mut self, district: DistrictCode, hot: Vec<Hot>) {
        let (commands, answers): (Vec<_>, Vec<_>) = hot.into_iter().map(|hot| (hot.command, hot.answer)).unzip();
        metrics::histogram!("guli_commit_group_commands").record(commands.len() as f64);
        match self.commit(district, &commands).await {
            Ok(decided) => send(answers, decided),
            Err(failed) if commands.len() == 1 || failed.is_away() => {
                tracing::error!(error = %failed.error, commands = commands.len(), "a commit group could not be committed");
                let refused = ServiceError::from(failed.error);
                send(answers, commands.iter().map(|_| Answer::Refused(refused.clone())).collect());
            }
            Err(failed) => self.one_by_one(district, &commands, answers, &failed).await,
        }
    }

    async fn one_by_one(
        &mut self,
        district: DistrictCode,
        commands: &[Command],
        answers: Vec<oneshot::Sender<Answer>>,
        failed: &Failed,
    ) {
        tracing::warn!(error = %failed.error, commands = commands.len(), "a commit group failed; trying one by one");
        let mut is_away = false;
        for (command, answer) in commands.iter().zip(answers) {
            // Whoever hung up was refused; what may be stored already is tried again only under a key, which finds it.
            let is_vain = is_away || answer.is_closed();
            let decided = if is_vain || (failed.perhaps_committed && command.idempotency.is_none()) {
                vec![Answer::Refused(ServiceError::Unavailable)]
            } else {
                let decided = self.commit(district, std::slice::from_ref(command)).await;
                decided.unwrap_or_else(|failed| {
                    is_away = failed.is_away();
                    vec![Answer::Refused(failed.error.into())]
                })
            };
            send(vec![answer], decided);
        }
    }

    /// One transaction, within the time that an answer is waited for. On any error the connection is dropped, which
    /// rolls back.
    async fn commit(&mut self, district: DistrictCode, commands: &[Command]) -> Result<Vec<Answer>, Failed> {
        for _ in 0..TRIES {
            let committed = if self.store.is_exclusive() {
                self.commit_patiently(district, commands).await?
            } else {
                // A server that went away without a word leaves a connection that is waited for in vain.
                let silent =
                    Failed { error: StoreError::Unavailable(sqlx::Error::PoolTimedOut), perhaps_committed: true };
                let committed = tokio::time::timeout(PATIENCE, self.commit_patiently(district, commands));
                committed.await.unwrap_or(Err(silent))?
            };
            match committed {
                Ran::Decided(answers) => return Ok(answers),
                // Not with the head locked: others write to the district meanwhile.
                Ran::Behind => self.load(district).await?,
            }
        }
        Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut).into())
    }

    async fn commit_patiently(
        &mut self,
        district: DistrictCode,
        commands: &[Command],
    ) -> Result<Ran<Vec<Answer>>, Failed> {
        let left = self.left.take().filter(|(of, _)| *of == district);
        let mut conn = self.conn().await?;
        if let Some((_, head)) = left {
            let ran = group::run_from_memory(&self.context, &mut conn, district, head, commands).await;
            // Its statement is its commit.
            if let Some((answers, effects)) = ran.map_err(Failed::of_a_statement)? {
                self.committed(conn, district, effects);
                return Ok(Ran::Decided(answers));
            }
        }
        let head = conn.begin_group(district).await?.ok_or_else(|| corrupt("district_head", district))?;
        let writing = conn.writing();
        let ran = group::run(&self.context, &mut conn.conn(), writing, district, head, commands).await?;
        let (answers, effects) = match ran {
            Ran::Decided(decided) => decided,
            Ran::Behind => {
                conn.rollback().await?;
                self.conn = Some(conn);
                return Ok(Ran::Behind);
            }
        };
        conn.commit().await.map_err(|error| Failed { error, perhaps_committed: true })?;
        self.committed(conn, district, effects);
        Ok(Ran::Decided(answers))
    }

    /// Shows what a group has changed.
    fn committed(&mut self, conn: WriteConn, district: DistrictCode, effects: group::Effects) {
        self.left = (conn.writing() == Writing::Together).then_some((district, effects.head));
        self.conn = Some(conn);
        for order in effects.changed {
            super::load::show(&self.context, &order);
        }
        let (first, last) = effects.events;
        self.context.came_to(district, first, last);
        self.context.written.send_replace(());
        self.context.committed.send_replace(());
    }

    async fn alone(&mut self, work: Work, patience: Patience) -> StoreResult<()> {
        let mut conn = self.conn().await?;
        within(&self.store, patience, work(&mut conn)).await?;
        self.conn = Some(conn);
        // Of a file nobody else follows: what is marked is loaded before anybody is answered.
        if self.store.is_exclusive() {
            for district in self.context.progress.outdated() {
                if let Err(error) = self.load(district).await {
                    tracing::warn!(%error, %district, "a district was not loaded with what changed beside it; trying again");
                }
            }
        }
        self.context.committed.send_replace(());
        Ok(())
    }

    /// Brings a district to where the database is.
    async fn load(&mut self, district: DistrictCode) -> StoreResult<()> {
        let mut conn = self.conn().await?;
        let context = Arc::clone(&self.context);
        let follow = async {
            conn.begin().await?;
            context.follow(&mut conn, district).await?;
            conn.rollback().await
        };
        within(&self.store, Patience::Long, follow).await?;
        self.conn = Some(conn);
        Ok(())
    }

    /// The connection, whose head is unknown from here on.
    async fn conn(&mut self) -> StoreResult<WriteConn> {
        self.left = None;
        match self.conn.take() {
            Some(conn) => Ok(conn),
            None => self.store.write().await,
        }
    }
}

/// Gives work up that takes too long, where the database is another process's.
async fn within(store: &Store, patience: Patience, work: impl Future<Output = StoreResult<()>>) -> StoreResult<()> {
    if store.is_exclusive() {
        return work.await;
    }
    let silent = |_| StoreError::Unavailable(sqlx::Error::PoolTimedOut);
    tokio::time::timeout(patience.limit(), work).await.map_err(silent)?
}

fn send(senders: Vec<oneshot::Sender<Answer>>, answers: Vec<Answer>) {
    for (sender, answer) in senders.into_iter().zip(answers) {
        // A caller who hung up is answered again under the key, if there was one.
        let _ = sender.send(answer);
    }
}
