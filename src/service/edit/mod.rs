//! Edits of the registry: one thing at a time, each in a transaction of its own, as a new version
//! with who, when and why.

pub mod areas;
pub mod covers;
pub mod ground;
pub(in crate::service) mod moved;
pub mod organizations;
mod parents;
pub mod people;
pub mod quality;
mod snapping;
pub(in crate::service) mod undo;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::command::{Answer, Idempotency, Precondition, Rendered};
use super::error::{At, Result, ServiceError};
use super::{Context, idempotent};
use crate::domain::actor::Actor;
use crate::domain::id::{CoverCode, DistrictCode, OrgCode};
use crate::domain::organization::Organization;
use crate::domain::text::Text;
use crate::store::events::Event;
use crate::store::head::Head;
use crate::store::{Conn, Result as StoreResult, Writing, corrupt, events, head, idempotency, orders};

/// Who asks for an edit, why, and under which key.
#[derive(Debug, Clone)]
pub struct Asking {
    pub actor: Arc<Actor>,
    pub reason: Option<Text<2000>>,
    pub idempotency: Option<Idempotency>,
}

/// What an edit did, for the log.
struct Change {
    /// `cover.updated`, …
    kind: &'static str,
    /// The code of what changed.
    subject: String,
    version: i64,
    /// Members that hold personal data and changed: of these it is kept that, not what.
    personal: Vec<&'static str>,
    /// Whether it takes back the version before it.
    is_undo: bool,
    /// Of a removed cover: the one that it was a second record of.
    merged_into: Option<CoverCode>,
}

impl Change {
    fn new(kind: &'static str, subject: String, version: i64) -> Self {
        Self { kind, subject, version, personal: Vec::new(), is_undo: false, merged_into: None }
    }

    fn undoing(self, is_undo: bool) -> Self {
        Self { is_undo, ..self }
    }

    fn merging(self, merged_into: Option<CoverCode>) -> Self {
        Self { merged_into, ..self }
    }

    /// The same as it is logged.
    fn event(self, asking: &Asking, seq: i64, at: i64) -> Event {
        let mut data =
            json!({ "role": asking.actor.role.as_str(), "unit": asking.actor.unit().map(ToString::to_string) });
        if !self.personal.is_empty() {
            data["personal"] = json!(self.personal);
        }
        if self.is_undo {
            data["undo"] = json!(true);
        }
        if let Some(kept) = self.merged_into {
            data["merged_into"] = json!(kept.to_string());
        }
        Event {
            seq,
            at,
            actor: asking.actor.log_name(),
            kind: self.kind.to_owned(),
            subject: self.subject,
            version: self.version,
            data: data.to_string(),
            reason: asking.reason.as_ref().map(|text| text.as_str().to_owned()),
        }
    }
}

/// The open transaction of one edit, which holds the head of its district.
struct Open {
    district: DistrictCode,
    head: Head,
    now: Timestamp,
}

/// An edit begun: answered already, or to be decided.
enum Begun {
    Answered(Answer),
    Open(Open),
}

impl Open {
    async fn begin(
        context: &Context,
        conn: &mut Conn<'_>,
        district: DistrictCode,
        asking: &Asking,
    ) -> StoreResult<Begun> {
        let mut head = head::lock(conn, district).await?.ok_or_else(|| corrupt("district_head", district))?;
        context.catch_up(conn, district, &head).await?;
        let now = head.advance(context.clock.now());
        if let Some(asked) = &asking.idempotency {
            let kept = idempotency::find(conn, district, &[&asked.slot]).await?;
            if let Some(kept) = kept.into_iter().find(|kept| kept.expires > now) {
                return idempotent::replay(&context.seal, &kept, asked).map(Begun::Answered);
            }
        }
        Ok(Begun::Open(Self { district, head, now }))
    }

    /// The number that the change will have.
    fn seq(&self) -> i64 {
        self.head.seq + 1
    }

    /// Logs the change and keeps its answer.
    async fn finish(
        self,
        context: &Context,
        conn: &mut Conn<'_>,
        asking: &Asking,
        change: Change,
        rendered: Rendered,
    ) -> StoreResult<Answer> {
        self.finish_with(context, conn, asking, vec![change], &[], rendered).await
    }

    /// Logs the changes and the orders that they moved, and keeps the answer.
    async fn finish_with(
        mut self,
        context: &Context,
        conn: &mut Conn<'_>,
        asking: &Asking,
        changes: Vec<Change>,
        moved: &[moved::MovedOrder],
        rendered: Rendered,
    ) -> StoreResult<Answer> {
        let at = self.now.as_microsecond();
        let mut log = Vec::with_capacity(changes.len() + moved.len());
        for change in changes {
            let seq = self.head.next_seq();
            // What is said of a finding leaves the registry as it is.
            if !change.kind.starts_with("quality.") {
                self.head.registry_seq = seq;
            }
            log.push(change.event(asking, seq, at));
        }
        for moved in moved {
            let seq = self.head.next_seq();
            log.push(moved.event(seq, at, &asking.actor));
        }
        let moved: Vec<_> = moved.iter().map(moved::MovedOrder::change).collect();
        crate::store::write(conn, Writing::Apart, orders::rows(self.district, &moved, self.now)).await?;
        events::rows(self.district, &log).write(conn).await?;
        let reply = rendered.reply(format!("{}:{}", self.district, self.head.seq));
        if let Some(asked) = &asking.idempotency {
            let kept = idempotent::keep(&context.seal, asked, &reply, self.now)?;
            idempotency::rows(self.district, &[kept]).write(conn).await?;
        }
        head::rows(self.district, &self.head).write(conn).await?;
        Ok(Answer::Done(reply))
    }

    /// The answer of an edit that changes nothing.
    fn unchanged(self, rendered: Rendered) -> Answer {
        Answer::Done(rendered.reply(format!("{}:{}", self.district, self.head.seq)))
    }
}

/// Holds an organisation that an edit is to name, and brings memory to what it now is: another lane may have removed it, or
/// have made it so that this district does not know it yet.
async fn hold(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    named: Option<&OrgCode>,
) -> StoreResult<()> {
    let Some(code) = named else { return Ok(()) };
    let there = crate::store::organizations::hold(conn, code).await?;
    let shown = match (there, context.index.organization(code)) {
        (Some(there), None) => context.index.introduce(district, there),
        (None, Some(_)) => context.show_organization(Organization::nameless(code.clone())),
        _ => Ok(()),
    };
    shown.map_err(|error| corrupt("an organization", error))
}

/// Checks `If-Match` against the version that is there.
fn check(precondition: Precondition, version: i64) -> Result<()> {
    match precondition {
        Precondition::Version(asked) if i64::from(asked) != version => {
            Err(ServiceError::stale(At::Header("If-Match"), version))
        }
        Precondition::Any | Precondition::Version(_) => Ok(()),
    }
}
