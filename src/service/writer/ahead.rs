//! Groups of new reports where the database is another process's: each is decided while the one before it is written, so
//! that the database and this process do not wait for each other. It is sent when the one before it is known to be
//! committed, and nobody is answered before his own is.

use std::convert::Infallible;

use tokio::time::timeout;

use super::lane::{Failed, GROUP, Lane, PATIENCE, Waiting, send};
use super::{Hot, Message};
use crate::domain::id::DistrictCode;
use crate::service::command::Answer;
use crate::service::group::Growing;

/// A group that grows, and who waits for it.
struct Ahead {
    growing: Growing,
    hot: Vec<Hot>,
    answers: Vec<Answer>,
    /// It could not be decided to its end, and is of no use.
    is_spoilt: bool,
}

impl Ahead {
    const fn new(growing: Growing) -> Self {
        Self { growing, hot: Vec::new(), answers: Vec::new(), is_spoilt: false }
    }

    /// Decides what was asked, or gives it back.
    fn take(&mut self, hot: Hot) -> Option<Hot> {
        if self.is_spoilt || self.hot.len() == GROUP {
            return Some(hot);
        }
        match self.growing.take(&hot.command) {
            Ok(Some(answer)) => {
                self.hot.push(hot);
                self.answers.push(answer);
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
}

impl Lane {
    /// Answers what can be without a look at what is stored, for as long as more of it comes, and gives back what cannot.
    pub(super) async fn ahead(&mut self, waiting: Waiting) -> Waiting {
        let Some((district, mut head)) = self.left.filter(|_| self.conn.is_some()) else { return waiting };
        let Some(growing) = Growing::on(&self.context, district, head) else { return waiting };
        let mut group = Ahead::new(growing);
        let mut rest = Waiting { alone: waiting.alone, ..Waiting::default() };
        rest.hot.extend(waiting.hot.into_iter().filter_map(|hot| group.take(hot)));
        let Some(mut conn) = self.conn.take() else { return rest };
        self.left = None;
        let mut before: Option<Ahead> = None;
        while !group.hot.is_empty() && !group.is_spoilt {
            let mut next = Ahead::new(group.growing.next());
            let written = tokio::select! {
                // First of all it is sent.
                biased;
                written = timeout(PATIENCE, group.growing.write(&mut conn)) => written,
                never = self.meanwhile(district, &mut before, &mut next, &mut rest) => match never {},
            };
            // Where the database was that quick.
            self.answer(district, before.take());
            let failed = match written {
                Ok(Ok(true)) => {
                    head = group.growing.head();
                    before = Some(std::mem::replace(&mut group, next));
                    continue;
                }
                Ok(Ok(false)) => {
                    self.conn = Some(conn);
                    return rest.after(group.hot.into_iter().chain(next.hot));
                }
                Ok(Err(error)) => Failed::of_a_statement(error),
                Err(_) => Failed::silent(),
            };
            let (commands, answers): (Vec<_>, Vec<_>) =
                group.hot.into_iter().map(|hot| (hot.command, hot.answer)).unzip();
            self.failed(district, &commands, answers, failed).await;
            return rest.after(next.hot);
        }
        self.answer(district, before);
        (self.conn, self.left) = (Some(conn), Some((district, head)));
        rest.after(group.hot)
    }

    /// While a group is on its way: answers those before it, and has the next one grow.
    async fn meanwhile(
        &mut self,
        district: DistrictCode,
        before: &mut Option<Ahead>,
        next: &mut Ahead,
        rest: &mut Waiting,
    ) -> Infallible {
        self.answer(district, before.take());
        while rest.is_empty()
            && let Some(message) = self.receiver.recv().await
        {
            match message {
                Message::Hot(hot) => rest.hot.extend(next.take(hot)),
                Message::Alone(alone) => rest.alone = Some(alone),
            }
        }
        std::future::pending().await
    }

    /// Shows what a group that is committed has changed, and answers it.
    fn answer(&self, district: DistrictCode, group: Option<Ahead>) {
        if let Some(Ahead { growing, hot, answers, .. }) = group {
            metrics::histogram!("guli_commit_group_commands").record(hot.len() as f64);
            self.show(district, growing.effects());
            send(hot.into_iter().map(|hot| hot.answer).collect(), answers);
        }
    }
}
