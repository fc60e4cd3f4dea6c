//! What every request passes: its id, the limits, the time it may take, the answer to a failure,
//! one line in the log and in the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::problem::{Failure, Language, Pending, respond};
use super::{App, body, peers};
use crate::domain::actor::Actor;
use crate::domain::id::DistrictCode;
use crate::domain::said::say;
use crate::service::error::{Fault, ServiceError};

/// Longest that a request may take; streams go on after it.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
/// A file of millions of rows takes longer to be sent and read.
const IMPORT_TIMEOUT: Duration = Duration::from_mins(30);
const IMPORTS: [&str; 2] = ["/v1/imports", "/v1/imports/{id}/undo"];
/// Many districts that changed are looked at one after the other.
const CHECK_TIMEOUT: Duration = Duration::from_mins(3);
const CHECKS: [&str; 2] = ["/v1/quality", "/v1/quality/{id}"];
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What stays of a refusal's headers.
const KEPT: [HeaderName; 3] =
    [header::ALLOW, HeaderName::from_static("guli-feed"), HeaderName::from_static("idempotent-replayed")];

/// Puts the common layers around the routes.
pub fn guard(router: Router<App>, app: App, allowed_origins: &[String]) -> Router {
    // Both in one: every layer of a router boxes its request's way once more.
    let layers = (from_fn_with_state(app.clone(), edge), CatchPanicLayer::custom(panicked));
    let router = router.layer(layers).with_state(app);
    if allowed_origins.is_empty() {
        return router;
    }
    let origins = allowed_origins.iter().filter_map(|origin| origin.parse().ok());
    let exposed =
        ["etag", "location", "x-request-id", "retry-after", "guli-feed", "guli-index-age"].map(HeaderName::from_static);
    router.layer(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header::IF_MATCH,
                header::ACCEPT_LANGUAGE,
                HeaderName::from_static("idempotency-key"),
                HeaderName::from_static("guli-min-feed"),
            ])
            .expose_headers(exposed),
    )
}

#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response<Body> {
    let what = panic.downcast_ref::<String>().cloned();
    let what = what.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default();
    tracing::error!(panic = %what, "a handler panicked");
    Failure(ServiceError::Internal(what)).into_response()
}

/// How long a request may take.
fn longest(method: &Method, route: &str) -> Duration {
    if method == Method::POST && IMPORTS.contains(&route) {
        IMPORT_TIMEOUT
    } else if CHECKS.contains(&route) {
        CHECK_TIMEOUT
    } else {
        TIMEOUT
    }
}

async fn edge(State(app): State<App>, request: Request, next: Next) -> Response<Body> {
    let id = request_id(request.headers());
    let language = Language::of(request.headers().get(header::ACCEPT_LANGUAGE));
    let method = request.method().clone();
    // The route's template and never the path: a path may hold a tracking token.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let started = Instant::now();
    let longest = longest(&method, route.as_ref().map_or("", MatchedPath::as_str));
    let answered = if app.peers.may_have(request.headers()) {
        Box::pin(here_or_there(&app, &id, longest, request, next)).await
    } else {
        here(&app, longest, request, next).await
    };
    let mut response = answered.unwrap_or_else(|error| Failure(error).into_response());
    if let Some(Pending(error)) = response.extensions_mut().remove::<Pending>() {
        let mut said = std::mem::take(response.headers_mut());
        if let ServiceError::Internal(what) = &error {
            tracing::error!(request_id = ?id, what, "a request failed");
        }
        response = respond(error, language);
        for name in KEPT {
            response.headers_mut().extend(said.remove(&name).map(|value| (name, value)));
        }
    }
    tell_age(&app, &mut response);
    let status = response.status();
    let route = route.as_ref().map_or("", |route| route.as_str());
    let took = started.elapsed();
    if method == Method::GET && status.is_success() {
        tracing::debug!(request_id = ?id, %method, route, status = status.as_u16(), ?took, "answered");
    } else {
        tracing::info!(request_id = ?id, %method, route, status = status.as_u16(), ?took, "answered");
    }
    super::ops::count(&method, route, status, took);
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// This server's answer.
async fn here(app: &App, longest: Duration, request: Request, next: Next) -> Result<Response<Body>, ServiceError> {
    super::misdirected::check(&app.guli, request.uri())?;
    // Waited for without a permit: a number that never comes would keep others' requests out.
    wait_for(app, request.headers()).await?;
    let limits = &app.limits;
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    // As is the body: whoever sends a byte now and then would keep a place that others need.
    let request = if reads { request } else { body::arrived(request, &limits.bodies).await? };
    let pool = if reads { &limits.reads } else { &limits.writes };
    let _permit = pool.try_acquire().map_err(|_| ServiceError::Unavailable)?;
    tokio::time::timeout(longest, next.run(request)).await.map_err(|_| ServiceError::Unavailable)
}

/// This server's answer or, to what turns out to be about a peer's district, the peer's.
async fn here_or_there(
    app: &App,
    id: &HeaderValue,
    longest: Duration,
    request: Request,
    next: Next,
) -> Result<Response<Body>, ServiceError> {
    let peer = |error: &ServiceError| match error {
        ServiceError::OtherDistrict(district) => app.peers.of(*district),
        _ => None,
    };
    if let Err(error) = super::misdirected::check(&app.guli, request.uri()) {
        let Some(peer) = peer(&error) else { return Err(error) };
        return peers::ask(app, peer, request, id, longest).await;
    }
    let mut request = request;
    // So that what is sent on line by line has it too.
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let (request, spare) = peers::spare(request);
    let response = here(app, longest, request, next).await?;
    let misdirected = response.extensions().get::<Pending>().and_then(|Pending(error)| peer(error));
    match (misdirected, spare) {
        (Some(peer), Some(spare)) => peers::ask(app, peer, spare.again(), id, longest).await,
        _ => Ok(response),
    }
}

/// `Guli-Min-Feed: 370203:4812`
fn min_feed(headers: &HeaderMap) -> Result<Option<(DistrictCode, i64)>, ServiceError> {
    let Some(value) = headers.get("guli-min-feed") else { return Ok(None) };
    let read = value.to_str().ok().and_then(|text| text.trim().split_once(':')).and_then(|(district, number)| {
        Some((district.parse().ok()?, number.parse().ok().filter(|number| *number >= 0)?))
    });
    read.map(Some).ok_or_else(|| {
        let detail = say!("send back what Guli-Feed said: 370203:4812", "请原样发回 Guli-Feed 的值，如 370203:4812");
        ServiceError::Invalid(vec![Fault::header("Guli-Min-Feed", detail)])
    })
}

async fn wait_for(app: &App, headers: &HeaderMap) -> Result<(), ServiceError> {
    let Some((district, number)) = min_feed(headers)? else { return Ok(()) };
    // What is served elsewhere says so by itself.
    // Apart: hardly anybody waits, and every request would carry the room for it.
    if app.guli.serves(district).is_err() || Box::pin(app.guli.comes_to(district, number)).await {
        return Ok(());
    }
    let detail = say!("this server has not come to {district}:{number} yet", "本服务器还没有跟上 {district}:{number}");
    Err(ServiceError::NotYet(detail))
}

/// From this age on an answer says how old the index is that it was read from.
const OLD: jiff::SignedDuration = jiff::SignedDuration::from_secs(3);

/// `Guli-Index-Age: 12`, in seconds: the database is away, and what others wrote meanwhile is not in here.
fn tell_age(app: &App, response: &mut Response<Body>) {
    // A peer's answer is of the peer's memory.
    if !app.guli.is_shared() || response.headers().contains_key(header::VIA) {
        return;
    }
    let age = app.guli.index_age();
    if age > OLD {
        response.headers_mut().insert(HeaderName::from_static("guli-index-age"), HeaderValue::from(age.as_secs()));
    }
}

/// The caller's id if it is a plain one, else a new one.
pub(super) fn request_id(headers: &HeaderMap) -> HeaderValue {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    static START: std::sync::LazyLock<u32> =
        std::sync::LazyLock::new(|| u32::from_le_bytes(crate::service::clock::random()));
    let plain = |value: &&HeaderValue| {
        (1..=128).contains(&value.len())
            && value.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
    };
    if let Some(given) = headers.get(REQUEST_ID).filter(plain) {
        return given.clone();
    }
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    HeaderValue::from_str(&format!("{:08x}-{number:x}", *START)).unwrap_or(HeaderValue::from_static("-"))
}

/// Who is calling: the holder of the key, or anyone.
#[derive(Debug, Clone)]
pub struct Caller(pub Arc<Actor>);

impl Caller {
    /// Checks that there is a key: what anyone may ask for goes on without this.
    pub fn known(&self) -> Result<(), ServiceError> {
        if self.0.is_anonymous() { Err(ServiceError::unauthenticated()) } else { Ok(()) }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        static ANONYMOUS: std::sync::LazyLock<Arc<Actor>> = std::sync::LazyLock::new(|| Arc::new(Actor::anonymous()));
        let Some(value) = parts.headers.get(header::AUTHORIZATION) else {
            return Ok(Self(Arc::clone(&ANONYMOUS)));
        };
        let wrong = || {
            let detail = say!("the key is wrong or was revoked", "密钥有误或已被吊销");
            Failure(ServiceError::Unauthorized(detail))
        };
        let value = value.to_str().map_err(|_| wrong())?;
        let (scheme, key) = value.split_once(' ').ok_or_else(wrong)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(wrong());
        }
        app.guli.keys.find(key.trim()).map(Self).ok_or_else(wrong)
    }
}

/// The language of texts for people.
impl FromRequestParts<App> for Language {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Failure> {
        Ok(Self::of(parts.headers.get(header::ACCEPT_LANGUAGE)))
    }
}

/// The `Idempotency-Key`, if one was sent.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, ServiceError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key =
        value.to_str().ok().filter(|key| (16..=128).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()));
    key.map(Some).ok_or_else(|| {
        let detail = say!(
            "a key has 16 to 128 visible ASCII characters; a UUID is best",
            "幂等键应为 16 到 128 个可见的 ASCII 字符，最好用 UUID"
        );
        ServiceError::Invalid(vec![Fault::header("Idempotency-Key", detail)])
    })
}
