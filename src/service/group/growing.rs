//! A group of new reports that are decided by what is in memory, each as it comes: the next such group grows while the one
//! before it is written.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::SignedDuration;

use super::{Effects, Group, settled_here};
use crate::domain::id::{CoverId, DistrictCode};
use crate::service::Context;
use crate::service::command::{Answer, Command, What};
use crate::store::head::Head;
use crate::store::{StoreError, WriteConn};

/// How much later than its group's instant a report may come.
const LATEST: SignedDuration = SignedDuration::from_millis(10);

/// The group, and what it stands on: it is written only where the head is still what it was then.
pub(in crate::service) struct Growing {
    group: Group,
    was: Head,
    /// Covers on which the group before may have opened an order, which memory does not show yet.
    unseen: HashSet<CoverId>,
}

impl Growing {
    /// One that begins where this process left the head; `None` where memory has not come that far.
    pub(in crate::service) fn on(context: &Arc<Context>, district: DistrictCode, was: Head) -> Option<Self> {
        let is_current = context.index.registry_seq(district) == Some(was.registry_seq.unsigned_abs())
            && context.progress.of(district) == Some(was.seq);
        is_current.then(|| Self::begin(context, district, was, HashSet::new()))
    }

    /// The one after this, once this has been written.
    pub(in crate::service) fn next(&self) -> Self {
        let unseen = self.group.by_cover.keys().copied().collect();
        Self::begin(&self.group.context, self.group.district, self.group.head, unseen)
    }

    fn begin(context: &Arc<Context>, district: DistrictCode, was: Head, unseen: HashSet<CoverId>) -> Self {
        let now = context.clock.now();
        Self { group: Group::new(context, district, was, now, Vec::new(), Vec::new()), was, unseen }
    }

    /// Decides a command that needs no look at what is stored; `None` of any other. After an error the group is of no use.
    pub(in crate::service) fn take(&mut self, command: &Command) -> Result<Option<Answer>, StoreError> {
        let What::Report(report) = &command.what else { return Ok(None) };
        if command.district != self.group.district || report.report.joins.is_some() || !self.is_in_time() {
            return Ok(None);
        }
        let Self { group, unseen, .. } = self;
        // That a reply is kept already is noticed by its key being taken; of this group it is known.
        if let Some(answer) = group.replay(command.idempotency.as_ref())? {
            return Ok(Some(answer));
        }
        let Ok(settled) = settled_here(&group.context, group.district, &report.report) else { return Ok(None) };
        let cover = settled.responsibility.cover.as_ref().map(|cover| cover.id);
        let may_have_order = |id| unseen.contains(&id) || group.context.index.order_on(id).is_some();
        if cover.is_some_and(may_have_order) {
            return Ok(None);
        }
        match group.report(&command.actor, report, settled)? {
            Ok(reply) => Ok(Some(group.answer(command, Ok(reply))?)),
            // Before it is said, it is decided with a look at what is stored: the reply may be there.
            Err(_) => Ok(None),
        }
    }

    /// Whether what comes now may have the group's instant: its first report says which that is.
    fn is_in_time(&mut self) -> bool {
        let now = self.group.context.clock.now();
        if self.group.reports.is_empty() {
            self.group.head = self.was;
            self.group.now = self.group.head.advance(now);
        }
        now.duration_since(self.group.now) <= LATEST
    }

    /// Writes it: whether it did. Should others have written to the district since, or a key be taken, it does nothing.
    pub(in crate::service) async fn write(&self, conn: &mut WriteConn) -> Result<bool, StoreError> {
        let Self { group, was, .. } = self;
        conn.write_unlocked(group.district, (was, &group.head), group.rows(&group.changes())).await
    }

    /// The head that it stands on.
    pub(in crate::service) const fn was(&self) -> Head {
        self.was
    }

    pub(in crate::service) fn effects(self) -> Effects {
        self.group.effects(self.was.seq)
    }
}
