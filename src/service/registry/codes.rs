//! Following codes: to the one that a cover has now, to the cover that one was merged into.

use crate::domain::actor::{self, Action, Actor, Resource};
use crate::domain::cover::Status;
use crate::domain::id::{CoverCode, CoverId};
use crate::domain::said::say;
use crate::service::Guli;
use crate::service::error::{Result, ServiceError};
use crate::service::moment::Moment;
use crate::store::cover_history;

impl Guli {
    /// The code that a cover has now which once had this one.
    pub async fn present_code(&self, actor: &Actor, former: CoverCode) -> Result<Option<CoverCode>> {
        actor::authorize(actor, Action::ReadCovers, Resource::District(former.district()))
            .map_err(|r| ServiceError::refused(r, say!("cover {former}", "井盖 {former}")))?;
        let mut reader = self.store.read().await?;
        Ok(cover_history::code_of_former(&mut reader.conn(), former).await?)
    }

    /// The code of the cover that one which was removed at a moment was a second record of, at last: that one may have been
    /// merged into another, and have got another code.
    pub async fn merged_into(&self, moment: &Moment, removed: CoverCode) -> Result<Option<CoverCode>> {
        let district = removed.district();
        let by = moment.change(district).unwrap_or(i64::MAX);
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let mut kept = None;
        // Ends: whatever a cover was merged into was there then, and so was merged later itself.
        loop {
            let code = kept.unwrap_or(removed);
            let id = match cover_history::present(conn, code).await? {
                Some(state) => Some(state.cover.id),
                None => cover_history::once_had(conn, code, by).await?,
            };
            let Some(id) = id else { break };
            let states = cover_history::states(conn, district, id).await?;
            let Some(state) = states.iter().rev().find(|state| state.seq <= by) else { break };
            kept = kept.map(|_| state.cover.code);
            match cover_history::merged_by(conn, district, state).await? {
                Some(next) => kept = Some(next),
                None => break,
            }
        }
        Ok(kept)
    }

    /// The code that a cover had at a moment which had had this one by then, removed or not: a code of later leads nowhere.
    pub async fn code_then(&self, actor: &Actor, moment: &Moment, former: CoverCode) -> Result<Option<CoverCode>> {
        let Some(change) = moment.change(former.district()) else {
            // What this server has not come to yet leads nowhere, least of all to itself.
            return Ok(self.present_code(actor, former).await?.filter(|code| *code != former));
        };
        actor::authorize(actor, Action::ReadCovers, Resource::District(former.district()))
            .map_err(|r| ServiceError::refused(r, say!("cover {former}", "井盖 {former}")))?;
        let id = cover_history::once_had(&mut self.store.read().await?.conn(), former, change).await?;
        let then = id.and_then(|id| moment.registry(self).cover_by_id(id)).map(|cover| cover.code);
        Ok(then.filter(|code| *code != former))
    }

    /// The covers that have these codes at a moment, or had them before. An unknown one is of an identity that nothing has.
    pub async fn covers_called(&self, moment: &Moment, codes: &[CoverCode]) -> Result<Vec<CoverId>> {
        let mut found = Vec::with_capacity(codes.len());
        for code in codes {
            if let Some(cover) = moment.registry(self).cover(*code) {
                found.push(cover.id);
                if cover.status == Status::Removed {
                    let kept = self.merged_into(moment, *code).await?;
                    found.extend(kept.and_then(|kept| moment.registry(self).cover(kept)).map(|kept| kept.id));
                }
                continue;
            }
            let by = moment.change(code.district()).unwrap_or(i64::MAX);
            let former = cover_history::once_had(&mut self.store.read().await?.conn(), *code, by).await?;
            found.push(former.unwrap_or(CoverId(uuid::Uuid::nil())));
        }
        Ok(found)
    }

    /// The same for what must not be shown as it is.
    pub(in crate::service) async fn successor(&self, former: CoverCode) -> Result<Option<CoverCode>> {
        let present = {
            let mut reader = self.store.read().await?;
            cover_history::code_of_former(&mut reader.conn(), former).await?
        };
        let code = present.unwrap_or(former);
        Ok(self.merged_into(&Moment::Now, code).await?.or(present))
    }
}
