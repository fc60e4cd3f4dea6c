//! The same request again under the same `Idempotency-Key`: the same answer.

use jiff::{SignedDuration, Timestamp};

use super::command::{Answer, Idempotency};
use super::error::ServiceError;
use super::reply::Reply;
use crate::store::Result;
use crate::store::idempotency::Kept;
use crate::store::seal::Seal;

/// How long a reply is kept for who asks again.
const REPLY_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

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
