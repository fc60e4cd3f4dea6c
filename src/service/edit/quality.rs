//! What is said of a finding of the quality check: that it may stay so, or that it is open again.

use std::sync::Arc;

use super::{Asking, Begun, Change, Open};
use crate::domain::actor::{self, Action};
use crate::domain::quality::State;
use crate::domain::said::say;
use crate::service::command::{Answer, Render};
use crate::service::error::ServiceError;
use crate::service::quality::{Found, Ruled};
use crate::service::{Context, Guli};
use crate::store::quality::{self, Ruling};
use crate::store::{Conn, Result as StoreResult};

/// What may be said of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may stay so, for the reason given.
    Accept,
    Reopen,
}

impl Guli {
    /// Keeps what is said of a finding that there is.
    pub async fn rule_on_finding(&self, id: &str, verdict: Verdict, asking: Asking, render: Render<Found>) -> Answer {
        let found = match self.finding(&asking.actor, id).await {
            Ok(found) => found,
            Err(refused) => return Answer::Refused(refused),
        };
        if let Err(refusal) = actor::authorize(&asking.actor, Action::RuleOnFinding, found.resource()) {
            return Answer::Refused(ServiceError::refused(refusal, say!("finding {id}", "质检问题 {id}")));
        }
        if found.state == State::Mended {
            return Answer::Refused(ServiceError::Conflict(say!(
                "finding {id} is mended: nothing is left to be said",
                "质检问题 {id} 已修正，无需再作认定"
            )));
        }
        let (context, logged, district) = (Arc::clone(&self.context), Arc::clone(&self.context), found.district);
        let done = self.writer.alone(
            district,
            move |conn| {
                Box::pin(async move { run(&context, &mut conn.conn(), found, verdict, &asking, &render).await })
            },
            move |(answer, seq)| {
                if let Some(seq) = seq {
                    logged.came_to(district, seq, seq);
                }
                answer
            },
        );
        done.await.unwrap_or_else(|error| Answer::Refused(error.into()))
    }
}

async fn run(
    context: &Context,
    conn: &mut Conn<'_>,
    found: Found,
    verdict: Verdict,
    asking: &Asking,
    render: &Render<Found>,
) -> StoreResult<(Answer, Option<i64>)> {
    let open = match Open::begin(context, conn, found.district, asking).await? {
        Begun::Answered(answer) => return Ok((answer, None)),
        Begun::Open(open) => open,
    };
    let (state, kind) = match verdict {
        Verdict::Accept => (State::Accepted, "quality.accepted"),
        Verdict::Reopen => (State::Open, "quality.reopened"),
    };
    let ruling = Ruling {
        id: found.finding.id.clone(),
        state,
        reason: asking.reason.as_ref().map(|text| text.as_str().to_owned()),
        actor: asking.actor.log_name(),
        at: open.now,
    };
    let known = quality::rulings(conn, found.district).await?.into_iter().find(|known| known.id == ruling.id);
    let before = known.as_ref().map_or(State::Open, |known| known.state);
    if before == State::Open && state == State::Open {
        let ruling = match known {
            Some(known) => Some(Ruled::read(conn, found.district, known).await?),
            None => None,
        };
        let rendered = (render.0)(&Found { state, ruling, ..found });
        return Ok((open.unchanged(rendered), None));
    }
    quality::put(conn, found.district, &ruling).await?;
    let change = || Change::new(kind, found.finding.id.clone(), 1);
    let seq = open.seq();
    let event = Some(change().event(asking, seq, open.now.as_microsecond()));
    let change = change();
    let rendered = (render.0)(&Found { state, ruling: Some(Ruled { ruling, event }), ..found });
    Ok((open.finish(context, conn, asking, change, rendered).await?, Some(seq)))
}
