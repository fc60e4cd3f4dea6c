//! `/v1/changes` and `/v1/events`: every change in commit order, in pages or as a stream.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse as _;
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use futures_util::{Stream, stream};
use serde::Serialize;
use utoipa::ToSchema;

use super::edge::Caller;
use super::openapi::NotFound;
use super::page::MOST;
use super::params::Params;
use super::problem::Outcome;
use super::{App, json, set};
use crate::domain::id::DistrictCode;
use crate::domain::said::say;
use crate::service::error::{Fault, Result, ServiceError};
use crate::store::events::Event;

/// Changes of a page unless asked otherwise, and of one reading of a stream.
const DEFAULT_LIMIT: usize = 100;
/// A stream looks again after this long even if nothing woke it: its last reading may have failed.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
const HEARTBEAT: Duration = Duration::from_secs(15);

/// One change.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeOut {
    /// Number in the district's feed; rises with every change.
    pub seq: i64,
    pub district: String,
    pub at: jiff::Timestamp,
    #[schema(examples("work_order.opened"))]
    pub kind: String,
    /// The code of what changed; the id of an import.
    #[schema(examples("WO-370203-261123-00042-3"))]
    pub code: String,
    /// Its version from then on.
    pub version: i64,
    /// Where it is read, if it has an address.
    pub href: Option<String>,
    /// Of a cover that was removed: the one that it was a second record of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("3702030103000124"))]
    pub merged_into: Option<String>,
}

impl ChangeOut {
    pub(super) fn new(district: DistrictCode, event: Event) -> Self {
        let at = match event.kind.split('.').next() {
            Some("work_order") => Some("work-orders"),
            Some("cover") => Some("covers"),
            Some("grid") => Some("grids"),
            Some("community") => Some("communities"),
            Some("subdistrict") => Some("subdistricts"),
            Some("organization") => Some("organizations"),
            Some("person") => Some("people"),
            Some("quality") => Some("quality"),
            _ => None,
        };
        let href = at.map(|at| format!("/v1/{at}/{}", event.subject));
        let merged_into = (event.kind == "cover.removed").then(|| event.merged_into()).flatten();
        Self {
            seq: event.seq,
            district: district.to_string(),
            at: event.at(),
            kind: event.kind,
            code: event.subject,
            version: event.version,
            href,
            merged_into,
        }
    }
}

/// A page of the feed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangesOut {
    pub items: Vec<ChangeOut>,
    /// Ask on with `after` set to this; numbers in between are hidden from this caller.
    pub next_after: i64,
    /// The district's last number.
    pub head: i64,
}

/// The district asked for, or the only one.
fn district(app: &App, params: &mut Params<'_>) -> Result<DistrictCode> {
    match (params.parse::<DistrictCode>("district")?, app.guli.districts().as_slice()) {
        (Some(code), _) => Ok(code),
        (None, [only]) => Ok(*only),
        (None, _) => Err(which_district()),
    }
}

/// There are several, and none was named.
pub(super) fn which_district() -> ServiceError {
    let detail = say!("several districts are served: name one", "本系统服务多个行政区：请指明其一");
    ServiceError::parameter("district", detail)
}

fn number(params: &mut Params<'_>, name: &str) -> Result<Option<i64>> {
    let number = params.parse::<i64>(name)?;
    match number {
        Some(negative) if negative < 0 => Err(ServiceError::parameter(name, say!("at least 0", "不能小于 0"))),
        other => Ok(other),
    }
}

/// Read changes
///
/// In commit order and without gaps but for what the caller's rights hide. Holds no personal data. The `kind` says of what
/// and how: `cover.created`, `cover.updated`, `cover.removed`, and so of `grid`, `community`, `subdistrict`, `organization` and
/// `person`; `work_order.` with what was done; `quality.accepted`, `quality.reopened`. Grids that are redrawn are followed by
/// `cover.regridded` and `work_order.regridded` for each cover and open order that lies in another grid then.
/// `import.applied` and `import.undone` are of all that a file brought: read the layer again, and after one of areas or of a
/// district that of covers too, for they may lie in other grids.
#[utoipa::path(
    get, path = "/v1/changes", tag = "feed", operation_id = "changes", security(("key" = [])),
    params(
        ("district" = Option<String>, Query, description = "Which district; needed where several are served", example = "370203"),
        ("after" = Option<i64>, Query, minimum = 0, description = "Only changes after this number; 0 unless said"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Changes of a page; 100 unless said"),
    ),
    responses((status = 200, description = "A page", body = ChangesOut), NotFound),
)]
pub async fn changes(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let after = number(&mut params, "after")?.unwrap_or(0);
    let limit = params.limit(DEFAULT_LIMIT, MOST)?;
    caller.known()?;
    let district = district(&app, &mut params)?;
    params.finish("district, after, limit")?;
    let stretch = app.guli.changes(&caller.0, district, after, limit).await?;
    if after > stretch.head {
        let last = stretch.head;
        let detail = say!(
            "the district's last number is {last}: its feed was set back; load anew",
            "该行政区最后的序号是 {last}：变更流已回退，请重新加载"
        );
        return Err(ServiceError::parameter("after", detail).into());
    }
    let items = stretch.changes.into_iter().map(|event| ChangeOut::new(district, event)).collect();
    json(StatusCode::OK, &ChangesOut { items, next_after: stretch.last, head: stretch.head })
}

/// `Last-Event-ID: 370203:4812`
fn last_event_id(headers: &HeaderMap, district: DistrictCode) -> Result<Option<i64>> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.split_once(':')).and_then(|(code, number)| {
        (code == district.to_string()).then(|| number.parse().ok().filter(|number| *number >= 0))?
    });
    number.map(Some).ok_or_else(|| {
        let detail = say!(
            "an id of this district's stream looks like {district}:4812",
            "该行政区事件流的 id 形如 {district}:4812"
        );
        ServiceError::Invalid(vec![Fault::header("Last-Event-ID", detail)])
    })
}

/// Follow changes
///
/// Server-sent events: `id: 370203:4812`, `event:` the kind, `data:` as in `/v1/changes`. From now on,
/// unless `Last-Event-ID` or `after` names a number. `event: position` moves the id past what the
/// caller's rights hide; `event: reset` says that the number is none of this feed: load anew.
#[utoipa::path(
    get, path = "/v1/events", tag = "feed", operation_id = "events", security(("key" = [])),
    params(
        ("district" = Option<String>, Query, description = "Which district; needed where several are served", example = "370203"),
        ("after" = Option<i64>, Query, minimum = 0, description = "From after this number on"),
        ("Last-Event-ID" = Option<String>, Header, description = "As the stream's last event had it", example = "370203:4812"),
    ),
    responses((status = 200, description = "A stream that does not end", body = String, content_type = "text/event-stream"), NotFound),
)]
pub async fn events(State(app): State<App>, caller: Caller, headers: HeaderMap, RawQuery(query): RawQuery) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let after = number(&mut params, "after")?;
    caller.known()?;
    let district = district(&app, &mut params)?;
    params.finish("district, after")?;
    let from = last_event_id(&headers, district)?.or(after);
    let head = app.guli.changes(&caller.0, district, i64::MAX, 1).await?;
    let follower = Follower {
        commits: app.guli.commits(),
        app,
        caller,
        district,
        last: from.unwrap_or(0),
        ready: VecDeque::new(),
    };
    let follower = follower.begin(from, head.head);
    let stream = Sse::new(follower.stream()).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    let mut response: Response<Body> = stream.into_response();
    set(&mut response, "x-accel-buffering", "no");
    Ok(response)
}

/// One caller's way along the feed.
struct Follower {
    app: App,
    caller: Caller,
    district: DistrictCode,
    commits: tokio::sync::watch::Receiver<()>,
    last: i64,
    ready: VecDeque<SseEvent>,
}

impl Follower {
    fn begin(mut self, from: Option<i64>, head: i64) -> Self {
        match from {
            Some(from) if from > head => {
                self.last = head;
                self.ready.push_back(self.mark("reset"));
            }
            Some(_) => {}
            None => {
                self.last = head;
                self.ready.push_back(self.mark("position"));
            }
        }
        self
    }

    /// An event that only moves the id.
    fn mark(&self, kind: &str) -> SseEvent {
        SseEvent::default().event(kind).id(format!("{}:{}", self.district, self.last)).data("{}")
    }

    fn stream(self) -> impl Stream<Item = std::result::Result<SseEvent, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            loop {
                if let Some(event) = follower.ready.pop_front() {
                    return Some((Ok(event), follower));
                }
                let keys = &follower.app.guli.keys;
                let in_force = follower.caller.0.key.is_some_and(|key| keys.is_in_force(key));
                if !in_force || follower.app.guli.is_stopping() {
                    return None;
                }
                // Marked before the reading, so that a commit after it wakes.
                follower.commits.borrow_and_update();
                if !follower.read().await {
                    let woken = follower.commits.changed();
                    let _ = tokio::time::timeout(LOOK_AGAIN, woken).await;
                }
            }
        })
    }

    /// Reads on; whether there was anything.
    async fn read(&mut self) -> bool {
        let read = self.app.guli.changes(&self.caller.0, self.district, self.last, DEFAULT_LIMIT).await;
        let Ok(stretch) = read else {
            // The service has said why in the log; the stream goes on when the database does.
            return false;
        };
        if stretch.last == self.last {
            return false;
        }
        let shown = stretch.changes.last().map(|event| event.seq);
        for event in stretch.changes {
            let (id, change) = (format!("{}:{}", self.district, event.seq), ChangeOut::new(self.district, event));
            let kind = change.kind.clone();
            let data = serde_json::to_string(&change).unwrap_or_default();
            self.ready.push_back(SseEvent::default().event(kind).id(id).data(data));
        }
        self.last = stretch.last;
        if shown != Some(stretch.last) {
            self.ready.push_back(self.mark("position"));
        }
        true
    }
}
