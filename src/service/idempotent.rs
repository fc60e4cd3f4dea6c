//! The same request again under the same `Idempotency-Key`: the same answer.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Guli;
use super::command::{Answer, Idempotency, Rendered};
use super::error::ServiceError;
use super::reply::Reply;
use crate::domain::id::DistrictCode;
use crate::store::Result;
use crate::store::idempotency::{self, Kept};
use crate::store::seal::Seal;

/// How long a reply is kept for who asks again.
const REPLY_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Guli {
    /// The answer of the same request before, of one that is more than one transaction.
    pub async fn answered_before(
        &self,
        district: DistrictCode,
        asked: &Idempotency,
    ) -> std::result::Result<Option<Answer>, ServiceError> {
        let mut reader = self.store.read().await?;
        let kept = idempotency::find(&mut reader.conn(), district, &[&asked.slot]).await?;
        let now = self.context.clock.now();
        let kept = kept.into_iter().find(|kept| kept.expires > now);
        Ok(kept.map(|kept| replay(&self.context.seal, &kept, asked)).transpose()?)
    }

    /// Keeps the answer of such a request for who asks again.
    pub async fn keep_answer(
        &self,
        district: DistrictCode,
        asked: Idempotency,
        rendered: Rendered,
        feed: String,
    ) -> std::result::Result<Answer, ServiceError> {
        let context = Arc::clone(&self.context);
        let kept = self.writer.alone(
            district,
            move |conn| {
                Box::pin(async move {
                    let reply = rendered.reply(feed);
                    let kept = keep(&context.seal, &asked, &reply, context.clock.now())?;
                    idempotency::rows(district, &[kept]).write(&mut conn.conn()).await?;
                    Ok(reply)
                })
            },
            Answer::Done,
        );
        Ok(kept.await?)
    }
}

/// The answer of the earlier request, or a refusal of a key that came with another body.
pub(super) fn replay(seal: &Seal, kept: &Kept, asked: &Idempotency) -> Result<Answer> {
    if kept.body_hash != asked.body_hash {
        return Ok(Answer::Refused(ServiceError::IdempotencyMismatch));
    }
    let bytes = seal.open_sealed(&asked.slot.place(), &kept.sealed_reply)?;
    Reply::from_bytes(&bytes).map(Answer::Replayed)
}

/// A reply as it is kept.
pub(super) fn keep(seal: &Seal, asked: &Idempotency, reply: &Reply, now: Timestamp) -> Result<Kept> {
    let Idempotency { slot, body_hash } = asked;
    let sealed_reply = seal.seal(&slot.place(), &reply.to_bytes())?;
    Ok(Kept { slot: slot.clone(), body_hash: *body_hash, sealed_reply, expires: now + REPLY_KEPT })
}
