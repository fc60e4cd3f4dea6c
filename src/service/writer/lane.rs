//! One lane of the writer: the task that decides, commits and answers what waits in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Alone, Hot, Message, Patience, Work};
use crate::domain::id::DistrictCode;
use crate::service::command::{Answer, Command};
use crate::service::error::ServiceError;
use crate::service::group::{Effects, Ran};
use crate::service::{Context, group, load};
use crate::store::head::Head;
use crate::store::{Result as StoreResult, Store, StoreError, WriteConn, corrupt};

/// Commands of one commit group.
pub(super) const GROUP: usize = 256;

/// How many commands at once make a crowd, and how long those of it that were just answered are waited for.
const CROWD: usize = 4;
const LINGER: Duration = Duration::from_millis(1);

/// How long a connection of a pool is kept for what may come next, unless others wait for one; and how long while work
/// goes on, if they do.
const KEPT: Duration = Duration::from_millis(10);
const HELD: Duration = Duration::from_millis(100);

/// How long a commit group may take where the database is another process's: less than others wait for the district that
/// it holds, which a server lets go of whose wire has gone silent.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
/// How often a group is begun again because the registry changed so that the district had to be loaded.
const TRIES: usize = 3;

/// Why a group was not answered.
pub(super) struct Failed {
    error: StoreError,
    /// The commit itself failed: a connection that breaks then does not tell what became of it.
    perhaps_committed: bool,
}

impl Failed {
    /// Of a statement that is its own transaction: what the server refused it has not done, unless it was going away.
    pub(super) fn of_a_statement(error: StoreError) -> Self {
        let is_refused = matches!(
            &error,
            StoreError::Unavailable(sqlx::Error::Database(_)) | StoreError::Database(sqlx::Error::Database(_))
        );
        let failed = Self { error, perhaps_committed: false };
        Self { perhaps_committed: !is_refused || failed.is_away(), ..failed }
    }

    pub(super) const fn at_commit(error: StoreError) -> Self {
        Self { error, perhaps_committed: true }
    }

    /// A server that went away without a word leaves a connection that is waited for in vain.
    pub(super) const fn silent() -> Self {
        Self { error: StoreError::silent(), perhaps_committed: true }
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

/// What waits, in the order in which it is to be done.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) hot: Vec<Hot>,
    /// After the hot ones.
    pub(super) alone: Option<Alone>,
}

impl Waiting {
    pub(super) const fn is_empty(&self) -> bool {
        self.hot.is_empty() && self.alone.is_none()
    }

    /// Whether nothing more may be added.
    const fn is_full(&self) -> bool {
        self.hot.len() >= GROUP || self.alone.is_some()
    }

    pub(super) fn add(&mut self, message: Message) {
        match message {
            Message::Hot(hot) => self.hot.push(hot),
            Message::Alone(alone) => self.alone = Some(alone),
        }
    }

    /// The same behind what came earlier.
    pub(super) fn after(mut self, earlier: impl IntoIterator<Item = Hot>) -> Self {
        self.hot.splice(..0, earlier);
        self
    }
}

pub(super) struct Lane {
    pub(super) context: Arc<Context>,
    pub(super) store: Store,
    pub(super) conn: Option<WriteConn>,
    /// Since when it is held.
    since: Instant,
    /// The district of the last group, and its head as that left it over `conn`; where the next may be written without a look
    /// at what is stored.
    pub(super) left: Option<(DistrictCode, Head)>,
    /// Whether some of what came last were written so.
    pub(super) is_ahead: bool,
    pub(super) receiver: mpsc::Receiver<Message>,
}

impl Lane {
    pub(super) fn new(context: Arc<Context>, store: Store, receiver: mpsc::Receiver<Message>) -> Self {
        Self { context, store, conn: None, since: Instant::now(), left: None, is_ahead: false, receiver }
    }

    pub(super) async fn run(mut self) {
        let mut crowd = 0;
        while let Some(first) = self.next().await {
            let waiting = self.gather(first, crowd).await;
            let mut gathered = waiting.hot.len();
            let mut rest = self.ahead(waiting).await;
            if !rest.is_empty() {
                gathered += self.fill(&mut rest);
            }
            let mut by_district: BTreeMap<DistrictCode, Vec<Hot>> = BTreeMap::new();
            for hot in rest.hot {
                by_district.entry(hot.command.district).or_default().push(hot);
            }
            for (district, mut hot) in by_district {
                while !hot.is_empty() {
                    let later = hot.split_off(hot.len().min(GROUP));
                    self.group(district, hot).await;
                    hot = later;
                }
            }
            if let Some(Alone(work, patience, done)) = rest.alone {
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
            let soon = if self.is_held_long() {
                None
            } else if self.store.is_short_of_writers() {
                self.receiver.try_recv().ok()
            } else {
                timeout(KEPT, self.receiver.recv()).await.ok().flatten()
            };
            if soon.is_some() {
                return soon;
            }
            self.conn = None;
            self.left = None;
        }
        self.receiver.recv().await
    }

    /// Whether others have waited for a connection for so long that this one is theirs.
    pub(super) fn is_held_long(&self) -> bool {
        self.store.is_short_of_writers() && self.since.elapsed() > HELD
    }

    /// What waits, up to [`GROUP`] commands or a piece of work of its own. Whoever was answered a moment ago may have more:
    /// of a `crowd` the others are waited for, or its halves would take turns, each in a transaction of its own. What goes
    /// ahead has no halves that wait for each other.
    async fn gather(&mut self, first: Message, crowd: usize) -> Waiting {
        let until = Instant::now() + LINGER;
        let mut waiting = Waiting::default();
        waiting.add(first);
        loop {
            self.fill(&mut waiting);
            if waiting.is_full() || waiting.hot.len() >= crowd || crowd < CROWD || self.is_ahead {
                return waiting;
            }
            match timeout_at(until, self.receiver.recv()).await {
                Ok(Some(message)) => waiting.add(message),
                _ => return waiting,
            }
        }
    }

    /// Adds what has come meanwhile; how much it was.
    fn fill(&mut self, waiting: &mut Waiting) -> usize {
        let before = waiting.hot.len();
        while !waiting.is_full()
            && let Ok(message) = self.receiver.try_recv()
        {
            waiting.add(message);
        }
        waiting.hot.len() - before
    }

    async fn group(&mut self, district: DistrictCode, hot: Vec<Hot>) {
        let (commands, answers): (Vec<_>, Vec<_>) = hot.into_iter().map(|hot| (hot.command, hot.answer)).unzip();
        metrics::histogram!("guli_commit_group_commands").record(commands.len() as f64);
        match self.commit(district, &commands).await {
            Ok(decided) => send(answers, decided),
            Err(failed) => self.failed(district, &commands, answers, failed).await,
        }
    }

    /// Answers a group that failed: tries its commands again one by one where that is not in vain.
    pub(super) async fn failed(
        &mut self,
        district: DistrictCode,
        commands: &[Command],
        answers: Vec<oneshot::Sender<Answer>>,
        failed: Failed,
    ) {
        if commands.len() > 1 && !failed.is_away() {
            return self.one_by_one(district, commands, answers, &failed).await;
        }
        tracing::error!(error = %failed.error, commands = commands.len(), "a commit group could not be committed");
        let refused = ServiceError::from(failed.error);
        send(answers, commands.iter().map(|_| Answer::Refused(refused.clone())).collect());
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
                let committed = timeout(PATIENCE, self.commit_patiently(district, commands));
                committed.await.unwrap_or_else(|_| Err(Failed::silent()))?
            };
            match committed {
                Ran::Decided(answers) => return Ok(answers),
                // Not with the head locked: others write to the district meanwhile.
                Ran::Behind => self.load(district).await?,
            }
        }
        Err(StoreError::silent().into())
    }

    async fn commit_patiently(
        &mut self,
        district: DistrictCode,
        commands: &[Command],
    ) -> Result<Ran<Vec<Answer>>, Failed> {
        let mut conn = self.conn().await?;
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
        conn.commit().await.map_err(Failed::at_commit)?;
        self.left = conn.takes_unlocked().then_some((district, effects.head));
        self.conn = Some(conn);
        self.show(district, effects);
        Ok(Ran::Decided(answers))
    }

    /// Shows what a group has changed.
    pub(super) fn show(&self, district: DistrictCode, effects: Effects) {
        for order in effects.changed {
            load::show(&self.context, &order);
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
    pub(super) async fn conn(&mut self) -> StoreResult<WriteConn> {
        self.left = None;
        if let Some(conn) = self.conn.take() {
            return Ok(conn);
        }
        let conn = self.store.write().await?;
        self.since = Instant::now();
        Ok(conn)
    }
}

/// Gives work up that takes too long, where the database is another process's.
async fn within(store: &Store, patience: Patience, work: impl Future<Output = StoreResult<()>>) -> StoreResult<()> {
    if store.is_exclusive() {
        return work.await;
    }
    let silent = |_| StoreError::silent();
    timeout(patience.limit(), work).await.map_err(silent)?
}

pub(super) fn send(senders: Vec<oneshot::Sender<Answer>>, answers: Vec<Answer>) {
    for (sender, answer) in senders.into_iter().zip(answers) {
        // A caller who hung up is answered again under the key, if there was one.
        let _ = sender.send(answer);
    }
}
