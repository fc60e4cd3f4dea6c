//! Groups of new reports: each is decided while the one before it is written, so that the database and this process do not
//! wait for each other. It is sent when the one before it is known to be committed, and nobody is answered before his own is.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::timeout;

use super::Hot;
use super::lane::{Failed, GROUP, Lane, PATIENCE, Waiting, send};
use crate::domain::id::DistrictCode;
use crate::service::command::Answer;
use crate::service::group::Growing;
use crate::store::WriteConn;

/// A group that grows, and who waits for it.
struct Ahead {
    growing: Growing,
    decided: Vec<(Hot, Answer)>,
    /// It could not be decided to its end, and is of no use.
    is_spoilt: bool,
}

impl Ahead {
    const fn new(growing: Growing) -> Self {
        Self { growing, decided: Vec::new(), is_spoilt: false }
    }

    const fn is_full(&self) -> bool {
        self.decided.len() >= GROUP || self.is_spoilt
    }

    /// Decides what was asked, or gives it back.
    fn take(&mut self, hot: Hot) -> Option<Hot> {
        if self.is_full() {
            return Some(hot);
        }
        match self.growing.take(&hot.command) {
            Ok(Some(answer)) => {
                self.decided.push((hot, answer));
                None
            }
            Ok(None) => Some(hot),
            // What failed is said when it is tried again.
            Err(_) => {
                self.is_spoilt = true;
                Some(hot)
            }
        }
    }

    /// Decides what it can of what waits, and leaves the rest.
    fn take_of(&mut self, waiting: &mut Waiting) {
        let hot = std::mem::take(&mut waiting.hot);
        waiting.hot = hot.into_iter().filter_map(|hot| self.take(hot)).collect();
    }

    fn hot(self) -> impl Iterator<Item = Hot> {
        self.decided.into_iter().map(|(hot, _)| hot)
    }
}

impl Lane {
    /// Answers what can be without a look at what is stored, for as long as more of it comes, and gives back what cannot.
    pub(super) async fn ahead(&mut self, mut waiting: Waiting) -> Waiting {
        self.is_ahead = false;
        let Some((district, head)) = self.left.take_if(|_| !waiting.hot.is_empty()) else { return waiting };
        let Some(growing) = Growing::on(&self.context, district, head) else { return waiting };
        let Some(mut conn) = self.conn.take() else { return waiting };
        let patience = if self.store.is_exclusive() { Duration::MAX } else { PATIENCE };
        let mut group = Ahead::new(growing);
        group.take_of(&mut waiting);
        let mut before: Option<Ahead> = None;
        while !group.decided.is_empty() && !group.is_spoilt && !self.is_held_long() {
            self.is_ahead = true;
            metrics::histogram!("guli_commit_group_commands").record(group.decided.len() as f64);
            let mut next = Ahead::new(group.growing.next());
            let written = tokio::select! {
                // First of all it is sent.
                biased;
                written = timeout(patience, write(&group.growing, &mut conn)) => written,
                never = self.meanwhile(district, &mut before, &mut next, &mut waiting) => match never {},
            };
            // Where the database was that quick.
            self.answer(district, before.take());
            let failed = match written {
                Ok(Ok(true)) => {
                    before = Some(std::mem::replace(&mut group, next));
                    continue;
                }
                Ok(Ok(false)) => {
                    self.conn = Some(conn);
                    return waiting.after(group.hot().chain(next.hot()));
                }
                Ok(Err(failed)) => failed,
                Err(_) => Failed::silent(),
            };
            // Whoever tries again needs another.
            drop(conn);
            let (commands, answers): (Vec<_>, Vec<_>) = group.hot().map(|hot| (hot.command, hot.answer)).unzip();
            self.failed(district, &commands, answers, failed).await;
            return waiting.after(next.hot());
        }
        self.answer(district, before);
        (self.conn, self.left) = (Some(conn), Some((district, group.growing.was())));
        waiting.after(group.hot())
    }

    /// While a group is on its way: answers those before it, and has the next one grow.
    async fn meanwhile(
        &mut self,
        district: DistrictCode,
        before: &mut Option<Ahead>,
        next: &mut Ahead,
        waiting: &mut Waiting,
    ) -> Infallible {
        self.answer(district, before.take());
        // What came too late for the group before.
        next.take_of(waiting);
        while waiting.is_empty()
            && !next.is_full()
            && let Some(message) = self.receiver.recv().await
        {
            waiting.add(message);
            next.take_of(waiting);
        }
        std::future::pending().await
    }

    /// Shows what a group that is committed has changed, and answers it.
    fn answer(&self, district: DistrictCode, group: Option<Ahead>) {
        let Some(Ahead { growing, decided, .. }) = group else { return };
        self.show(district, growing.effects());
        let (hot, answers): (Vec<_>, Vec<_>) = decided.into_iter().unzip();
        send(hot.into_iter().map(|hot| hot.answer).collect(), answers);
    }
}

/// Writes a group: whether it is committed.
async fn write(group: &Growing, conn: &mut WriteConn) -> Result<bool, Failed> {
    if conn.commits_unlocked() {
        return group.write(conn).await.map_err(Failed::of_a_statement);
    }
    let is_written = group.write(conn).await?;
    if is_written {
        conn.commit().await.map_err(Failed::at_commit)?;
    }
    Ok(is_written)
}
