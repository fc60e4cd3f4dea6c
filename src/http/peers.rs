//! Peers: servers of the same database, each with districts of its own. A request about a district of theirs is sent on as
//! it came, and their answer is handed back as it comes.
//!
//! What a request is about may stand in its body, and is known only once that was read: it is kept meanwhile ([`Spare`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri, header};
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;
use tower_http::timeout::TimeoutBody;

use super::edge::REQUEST_ID;
use super::{App, body};
use crate::domain::id::DistrictCode;
use crate::domain::said::say;
use crate::service::Guli;
use crate::service::error::ServiceError;

/// How long a peer may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a connection waits for another request, and then for a sign that the peer is there.
const KEPT: Duration = Duration::from_secs(30);
/// Longest silence within an answer: a stream of changes says something each 15 seconds.
const SILENCE: Duration = Duration::from_mins(1);

/// What is said of one connection and not of the request (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// What the next connection says of itself.
const SAID_ANEW: [HeaderName; 3] = [header::HOST, header::CONTENT_LENGTH, header::EXPECT];
/// Goes along with what is sent on, so that two servers that name each other do not send it to and fro.
const VIA: HeaderValue = HeaderValue::from_static("1.1 guli");

/// Which server has which of the districts that are not served here.
#[derive(Debug)]
pub(super) struct Peers {
    addresses: BTreeMap<DistrictCode, Authority>,
    client: Client<HttpConnector, Body>,
    /// For those who wait for a server: a slow one keeps nobody from what is served here or by another.
    places: HashMap<Authority, Semaphore>,
}

/// The server of a district.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer<'p> {
    district: DistrictCode,
    address: &'p Authority,
    places: &'p Semaphore,
}

impl Default for Peers {
    fn default() -> Self {
        Self::new(BTreeMap::new(), 0)
    }
}

impl Peers {
    pub(super) fn new(addresses: BTreeMap<DistrictCode, Authority>, places: usize) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_keepalive(Some(KEPT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT)
            .build(connector);
        let places = addresses.values().map(|address| (address.clone(), Semaphore::new(places))).collect();
        Self { addresses, client, places }
    }

    /// Whether a request may be sent on: there are peers, and none of them has sent it here.
    pub(super) fn may_have(&self, headers: &HeaderMap) -> bool {
        !self.addresses.is_empty() && !was_sent_on(headers)
    }

    pub(super) fn of(&self, district: DistrictCode) -> Option<Peer<'_>> {
        let address = self.addresses.get(&district)?;
        Some(Peer { district, address, places: self.places.get(address)? })
    }
}

/// The answer of a peer, which may take so long to begin.
pub(super) async fn ask(
    app: &App,
    Peer { district, address, places }: Peer<'_>,
    request: Request,
    id: &HeaderValue,
    longest: Duration,
) -> Result<Response<Body>, ServiceError> {
    let busy = |_| {
        ServiceError::NotYet(say!(
            "too many requests wait for the server of district {district}",
            "等待行政区 {district} 服务器的请求过多"
        ))
    };
    let _place = places.try_acquire().map_err(busy)?;
    let sent = tokio::time::timeout(longest, app.peers.client.request(outgoing(request, address, id)?)).await;
    let (error, is_away) = match sent {
        Ok(Ok(response)) => return Ok(handed_back(&app.guli, response.map(Body::new))),
        Ok(Err(error)) => (cause(&error), error.is_connect()),
        Err(late) => (late.to_string(), false),
    };
    tracing::warn!(%district, peer = %address, error, "a peer did not answer");
    Err(ServiceError::NotYet(if is_away {
        say!("the server of district {district} cannot be reached", "行政区 {district} 的服务器无法连接")
    } else {
        // It may have done what was asked.
        say!(
            "the server of district {district} did not answer; send it again under the same Idempotency-Key",
            "行政区 {district} 的服务器没有应答；请用同一幂等键重发"
        )
    }))
}

/// A peer's answer as the caller is to get it.
fn handed_back(guli: &Arc<Guli>, response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    end_to_end(&mut parts.headers);
    parts.headers.append(header::VIA, VIA);
    let mut body = Body::new(TimeoutBody::new(SILENCE, body));
    if parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
        // It has no end of its own, and would keep this server from ending.
        body = Body::from_stream(body.into_data_stream().take_until(Box::pin(stopping(Arc::clone(guli)))));
    }
    Response::from_parts(parts, body)
}

/// Waits until this server is to stop.
async fn stopping(guli: Arc<Guli>) {
    let mut commits = guli.commits();
    while !guli.is_stopping() && commits.changed().await.is_ok() {}
}

/// What failed, to the bottom of it.
fn cause(error: &dyn std::error::Error) -> String {
    let below = std::iter::successors(error.source(), |error| error.source());
    below.last().unwrap_or(error).to_string()
}

/// A request as the peer is to get it.
fn outgoing(request: Request, address: &Authority, id: &HeaderValue) -> Result<Request, ServiceError> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    let uri = Uri::builder().scheme(Scheme::HTTP).authority(address.clone()).path_and_query(path).build();
    end_to_end(&mut parts.headers);
    SAID_ANEW.iter().for_each(|name| drop(parts.headers.remove(name)));
    parts.headers.append(header::VIA, VIA);
    parts.headers.insert(REQUEST_ID, id.clone());
    let mut outgoing = Request::new(body);
    *outgoing.uri_mut() = uri.map_err(|e| ServiceError::Internal(format!("a peer's address: {e}")))?;
    *outgoing.method_mut() = parts.method;
    *outgoing.headers_mut() = parts.headers;
    Ok(outgoing)
}

/// Leaves only what is meant for who is at the other end.
fn end_to_end(headers: &mut HeaderMap) {
    let named = listed(headers, &header::CONNECTION).filter_map(|name| name.parse().ok());
    let named: Vec<HeaderName> = named.collect();
    named.iter().chain(&HOP_BY_HOP).for_each(|name| drop(headers.remove(name)));
}

/// Whether another server has sent this on.
fn was_sent_on(headers: &HeaderMap) -> bool {
    listed(headers, &header::VIA).any(|hop| hop.split_whitespace().nth(1) == Some("guli"))
}

/// What stands in a header between commas.
fn listed<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// What is needed to send a request on after it was read.
#[derive(Debug)]
pub(super) struct Spare {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    read: Arc<Mutex<Vec<u8>>>,
}

/// Keeps what is read of a request. Only JSON is read as a whole before anything else is done: of other bodies there is
/// no spare.
pub(super) fn spare(request: Request) -> (Request, Option<Spare>) {
    if !request.body().is_end_stream() && !body::is_json(request.headers()) {
        return (request, None);
    }
    let (parts, body) = request.into_parts();
    let read = Arc::<Mutex<Vec<u8>>>::default();
    let (method, uri, headers) = (parts.method.clone(), parts.uri.clone(), parts.headers.clone());
    let spare = Spare { method, uri, headers, read: Arc::clone(&read) };
    let body = body.inspect_frame(move |frame| {
        let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
        // What is longer is refused.
        if let Some(data) = frame.data_ref().filter(|data| read.len() + data.len() <= body::LIMIT) {
            read.extend_from_slice(data);
        }
    });
    (Request::from_parts(parts, Body::new(body)), Some(spare))
}

impl Spare {
    /// The request as it was.
    pub(super) fn again(self) -> Request {
        let read = std::mem::take(&mut *self.read.lock().unwrap_or_else(PoisonError::into_inner));
        let mut request = Request::new(Body::from(read));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn what_is_said_of_a_connection_ends_with_it() {
        let mut said = headers(&[
            ("connection", "keep-alive, X-Of-This-Wire"),
            ("keep-alive", "timeout=5"),
            ("x-of-this-wire", "1"),
            ("transfer-encoding", "chunked"),
            ("idempotency-key", "0123456789abcdef"),
        ]);
        end_to_end(&mut said);
        assert_eq!(said, headers(&[("idempotency-key", "0123456789abcdef")]));
    }

    #[test]
    fn a_request_is_sent_on_once() {
        for (via, sent_on) in
            [("1.1 guli", true), ("1.0 squid, 1.1 guli (x)", true), ("1.1 squid", false), ("guli", false)]
        {
            assert_eq!(was_sent_on(&headers(&[("via", via)])), sent_on, "{via}");
        }
    }

    #[tokio::test]
    async fn a_request_that_was_read_can_be_sent_again() {
        let json = |text: &'static str| {
            Request::post("/v1/reports").header("content-type", "application/json").body(Body::from(text)).unwrap()
        };
        let (read, spare) = spare(json(r#"{"damage": "broken"}"#));
        let once = read.into_body().collect().await.unwrap().to_bytes();
        let again = spare.unwrap().again();
        assert_eq!((again.method(), again.uri().path()), (&Method::POST, "/v1/reports"));
        assert_eq!(again.into_body().collect().await.unwrap().to_bytes(), once);
        let file =
            Request::post("/v1/imports").header("content-type", "multipart/form-data").body(Body::from("x")).unwrap();
        assert!(super::spare(file).1.is_none());
    }
}
