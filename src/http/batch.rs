//! `/v1/resolve/batch`: many pins, a line each. Lines about a peer's district are asked of it, those of a piece of the input at
//! once, and their answers stand where they belong.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::{BodyExt as _, Limited};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::edge::{self, Caller};
use super::openapi::{MediaTypes, say};
use super::params::Params;
use super::problem::{Language, Outcome, Problem, problem};
use super::resolve::{Include, ResolutionOut, audience, category, resolve, show};
use super::wire::{Audience, Out, PositionIn, Source};
use super::{App, body, peers};
use crate::domain::id::DistrictCode;
use crate::domain::resolve::Pin;
use crate::domain::said::say;
use crate::service::error::{At, Result, ServiceError};

/// Most lines of a batch, and most bytes of a line.
const LINES: usize = 10_000;
const ANONYMOUS_LINES: usize = 100;
const LINE: usize = 4 * 1024;

/// One line of a batch as it comes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchLine {
    #[serde(default)]
    pub id: serde_json::Value,
    #[serde(deserialize_with = "body::object")]
    pub position: PositionIn,
    pub category: Option<String>,
    pub limit: Option<usize>,
}

/// One line of a batch as it goes out: a resolution or a problem.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchAnswer {
    pub line: usize,
    pub id: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<ResolutionOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// Resolve many pins
///
/// One line of JSON for each pin, answered in order while they come: 10,000 lines of 4 KB, without a key 100.
#[utoipa::path(
    post, path = "/v1/resolve/batch", operation_id = "resolve_batch", tag = "resolve",
    params(("out_crs" = Option<String>, Query, description = say::OUT_CRS)),
    request_body(
        content = BatchLine, content_type = "application/x-ndjson", description = "One object on each line",
        example = json!({"id": 1, "position": {"lon": 120.33641, "lat": 36.11537}}),
    ),
    responses(
        (
            status = 200, description = "One object on each line",
            body = BatchAnswer, content_type = "application/x-ndjson",
        ),
        MediaTypes,
    ),
)]
pub async fn batch(
    State(app): State<App>,
    caller: Caller,
    language: Language,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let out = Out::from_params(&mut params)?;
    params.finish("out_crs")?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-ndjson")) {
        return Err(body::media_type("application/x-ndjson").into());
    }
    let most = if app.guli.resolves_in_bulk(&caller.0) { LINES } else { ANONYMOUS_LINES };
    let asks_peers = app.peers.may_have(&headers);
    let asked = Asked { uri, headers, language, out, audience: audience(&caller), asks_peers };
    let batch = Batch { app, asked, most, line: 0, rest: Vec::new(), skipping: false };
    let mut response = Response::new(Body::from_stream(batch.answers(body.into_data_stream())));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// What is asked of all lines alike.
struct Asked {
    uri: Uri,
    headers: HeaderMap,
    language: Language,
    out: Out,
    audience: Audience,
    /// Whether lines of other districts may be sent on.
    asks_peers: bool,
}

/// Answers in the order of their lines.
enum Answer {
    /// Lines that end with themselves.
    Here(Vec<u8>),
    There(Elsewhere),
}

/// A line about a peer's district.
struct Elsewhere {
    district: DistrictCode,
    line: usize,
    id: serde_json::Value,
    text: Vec<u8>,
}

/// What a peer says of a line.
#[derive(Debug, Deserialize)]
struct Told {
    resolution: Option<Box<RawValue>>,
    problem: Option<Box<RawValue>>,
}

/// The same as a line of this answer.
#[derive(Debug, Serialize)]
struct HandedBack<'a> {
    line: usize,
    id: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a RawValue>,
}

/// Lines that a peer is asked about at once, and most bytes of its answers: a line has 50 covers at most.
const AT_ONCE: usize = 200;
const TOLD: usize = 16 << 20;

/// A batch in the middle of its stream.
struct Batch {
    app: App,
    asked: Asked,
    most: usize,
    line: usize,
    /// The line that has not ended yet.
    rest: Vec<u8>,
    /// The line that has not ended yet is too long; what is left of it is read past.
    skipping: bool,
}

impl Batch {
    /// The answers as chunks: each piece of input gives the answers of the lines that end in it.
    fn answers<E: std::fmt::Display>(
        self,
        input: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
    ) -> impl Stream<Item = std::result::Result<Bytes, std::convert::Infallible>> {
        stream::unfold(Some((self, input)), |state| async move {
            let (mut batch, mut input) = state?;
            let mut answers = Vec::new();
            match input.next().await {
                Some(Ok(bytes)) => {
                    let more = batch.take(&bytes, &mut answers);
                    let told = batch.told(answers).await;
                    Some((Ok(told), more.then_some((batch, input))))
                }
                Some(Err(_)) => None,
                None => {
                    let last = std::mem::take(&mut batch.rest);
                    batch.end_line(&last, &mut answers);
                    Some((Ok(batch.told(answers).await), None))
                }
            }
        })
    }

    /// Answers the lines that end in `bytes`; `false` when no more will be taken.
    fn take(&mut self, bytes: &[u8], answers: &mut Vec<Answer>) -> bool {
        let mut pieces = bytes.split(|&b| b == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            if self.rest.len() + piece.len() > LINE {
                self.skipping = true;
                self.rest.clear();
            }
            if !self.skipping {
                self.rest.extend_from_slice(piece);
            }
            if pieces.peek().is_some() {
                let line = std::mem::take(&mut self.rest);
                if !self.end_line(&line, answers) {
                    return false;
                }
            }
        }
        true
    }

    fn end_line(&mut self, line: &[u8], answers: &mut Vec<Answer>) -> bool {
        let too_long = std::mem::take(&mut self.skipping);
        if line.trim_ascii().is_empty() && !too_long {
            return true;
        }
        self.line += 1;
        let (id, resolved) = if self.line > self.most {
            let detail =
                say!("a batch has at most 10,000 lines, without a key 100", "一批最多 10,000 行，没有密钥时 100 行");
            (serde_json::Value::Null, Err(ServiceError::TooLarge(detail)))
        } else if too_long {
            let detail = say!("a line has at most 4 KB", "一行最大 4 KB");
            (serde_json::Value::Null, Err(ServiceError::TooLarge(detail)))
        } else {
            self.resolve(line)
        };
        if let Err(ServiceError::OtherDistrict(district)) = resolved
            && self.asked.asks_peers
            && self.app.peers.of(district).is_some()
        {
            answers.push(Answer::There(Elsewhere { district, line: self.line, id, text: line.to_vec() }));
            return true;
        }
        let (resolution, refused) = match resolved {
            Ok(resolution) => (Some(resolution), None),
            Err(error) => (None, Some(problem(error, self.asked.language).1)),
        };
        let answer = BatchAnswer { line: self.line, id, resolution, problem: refused };
        if let Some(Answer::Here(text)) = answers.last_mut() {
            end(text, &answer);
        } else {
            let mut text = Vec::new();
            end(&mut text, &answer);
            answers.push(Answer::Here(text));
        }
        self.line <= self.most
    }

    /// All answers, those of peers too.
    async fn told(&self, answers: Vec<Answer>) -> Bytes {
        let mut all = Vec::new();
        let mut there: BTreeMap<DistrictCode, Vec<Elsewhere>> = BTreeMap::new();
        let mut order = Vec::with_capacity(answers.len());
        for answer in answers {
            match answer {
                Answer::Here(text) => order.push(Ok(text)),
                Answer::There(line) => {
                    order.push(Err(line.line));
                    there.entry(line.district).or_default().push(line);
                }
            }
        }
        let mut told: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for (district, lines) in there {
            for lines in lines.chunks(AT_ONCE) {
                let answers = self.ask(district, lines).await;
                for (n, Elsewhere { line, id, .. }) in lines.iter().enumerate() {
                    let (line, id, mut text) = (*line, id.clone(), Vec::new());
                    match answers.as_ref().map(|answers| answers.get(n)) {
                        Ok(Some(Told { resolution, problem })) => {
                            let (resolution, problem) = (resolution.as_deref(), problem.as_deref());
                            end(&mut text, &HandedBack { line, id, resolution, problem });
                        }
                        Ok(None) => end(&mut text, &self.refused(line, id, unread(district))),
                        Err(error) => end(&mut text, &self.refused(line, id, error.clone())),
                    }
                    told.insert(line, text);
                }
            }
        }
        for text in order {
            all.extend(text.unwrap_or_else(|line| told.remove(&line).unwrap_or_default()));
        }
        all.into()
    }

    /// What a peer says of these lines.
    async fn ask(&self, district: DistrictCode, lines: &[Elsewhere]) -> Result<Vec<Told>> {
        let peer = self.app.peers.of(district).ok_or(ServiceError::OtherDistrict(district))?;
        let texts: Vec<&[u8]> = lines.iter().map(|line| line.text.as_slice()).collect();
        let mut request = Request::new(Body::from(texts.join(&b'\n')));
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&self.asked.uri);
        request.headers_mut().clone_from(&self.asked.headers);
        // It is read here.
        request.headers_mut().remove(header::ACCEPT_ENCODING);
        let id = edge::request_id(&self.asked.headers);
        let answer = peers::ask(&self.app, peer, request, &id, edge::TIMEOUT).await?;
        let is_answered = answer.status() == StatusCode::OK;
        let unread = |error: &dyn std::fmt::Display| {
            tracing::warn!(request_id = ?id, %district, %error, "a peer's answer cannot be read");
            unread(district)
        };
        let body = Limited::new(answer.into_body(), TOLD).collect().await.map_err(|error| unread(&error))?;
        let body = body.to_bytes();
        if !is_answered {
            // What it refuses as a whole it refuses line by line.
            let problem: Box<RawValue> = serde_json::from_slice(&body).map_err(|error| unread(&error))?;
            return Ok(lines.iter().map(|_| Told { resolution: None, problem: Some(problem.clone()) }).collect());
        }
        let answers = body.split(|&b| b == b'\n').filter(|line| !line.is_empty());
        answers.map(|line| serde_json::from_slice(line).map_err(|error| unread(&error))).collect()
    }

    fn refused(&self, line: usize, id: serde_json::Value, error: ServiceError) -> BatchAnswer {
        BatchAnswer { line, id, resolution: None, problem: Some(problem(error, self.asked.language).1) }
    }

    fn resolve(&self, line: &[u8]) -> (serde_json::Value, Result<ResolutionOut>) {
        let asked: BatchLine = match body::parse(line) {
            Ok(asked) => asked,
            Err(error) => return (serde_json::Value::Null, Err(error)),
        };
        let resolved = (|| {
            let source = Source::Body("/position");
            let category = category(asked.category.as_deref(), Source::Body(""))?;
            let pin = asked.position.pin(source, category, Pin::DEFAULT_LIMIT)?;
            let limit = asked.limit.unwrap_or(Pin::DEFAULT_LIMIT);
            let pin = Pin::new(pin.position(), pin.accuracy_m(), category, limit)
                .map_err(|e| ServiceError::invalid("/limit", e))?;
            let index = &self.app.guli.context.index;
            let outside = |_| self.app.guli.outside(pin.position(), At::Pointer("/position".to_owned()));
            show(
                index,
                resolve(index, &pin, self.asked.out).map_err(outside)?,
                &pin,
                self.asked.out,
                self.asked.audience,
                Include::Nothing,
            )
        })();
        (asked.id, resolved)
    }
}

/// What is said of a line whose answer a peer owes.
fn unread(district: DistrictCode) -> ServiceError {
    ServiceError::NotYet(say!(
        "the answer of the server of district {district} cannot be read",
        "行政区 {district} 服务器的应答无法读取"
    ))
}

/// Adds an answer as a line.
fn end(text: &mut Vec<u8>, answer: &impl Serialize) {
    if serde_json::to_writer(&mut *text, answer).is_ok() {
        text.push(b'\n');
    }
}
