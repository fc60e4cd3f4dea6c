//! What every write shares: the key that makes it repeatable, the version it was made for, its answer.

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::rejection::PathRejection;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::edge::{Caller, idempotency_key};
use super::params::Params;
use super::problem::{Failure, Outcome, Pending};
use super::{App, set};
use crate::domain::actor::Actor;
use crate::domain::phone::Phone;
use crate::domain::said::say;
use crate::domain::text::Text;
use crate::service::command::{Answer, Idempotency, Precondition, Rendered};
use crate::service::edit::Asking;
use crate::service::edit::areas::no_name;
use crate::service::error::{At, Fault, Result, ServiceError};
use crate::service::keys::hash;
use crate::store::idempotency::Slot;

/// The caller's key for this request, if one was sent. `path` is what distinguishes requests of a client.
pub fn idempotency(headers: &HeaderMap, actor: &Actor, path: &str, body: &[u8]) -> Result<Option<Idempotency>> {
    let key = idempotency_key(headers)?;
    Ok(key.map(|key| Idempotency {
        slot: Slot { client: actor.log_name(), route: format!("POST {path}"), key_hash: hash(key.as_bytes()) },
        body_hash: hash(body),
    }))
}

/// Why an edit is made, for the history.
pub fn reason(params: &mut Params<'_>) -> Result<Option<Text<2000>>> {
    let reason = params.text("reason").map(Text::new).transpose();
    reason.map_err(|error| ServiceError::parameter("reason", error))
}

/// The reason of an edit that takes no other parameter.
pub fn only_reason(query: Option<&str>) -> Result<Option<Text<2000>>> {
    let mut params = Params::read(query)?;
    let reason = reason(&mut params)?;
    params.finish("reason")?;
    Ok(reason)
}

/// A name: 1 to 100 characters without U+0000.
pub fn name(name: &str, pointer: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(ServiceError::invalid(pointer, no_name()));
    }
    Text::<100>::new(name).map(Text::into_string).map_err(|error| ServiceError::invalid(pointer, error))
}

/// A telephone number, where there is one.
pub fn phone(phone: Option<&str>, pointer: &str) -> Result<Option<Phone>> {
    phone.map(Phone::new).transpose().map_err(|detail| ServiceError::invalid(pointer, detail))
}

/// Refuses a patch of what only the registry gives.
pub fn no_read_only(patch: &Map<String, Value>, members: &[&str]) -> Result<()> {
    match members.iter().find(|member| patch.contains_key(**member)) {
        Some(member) => Err(not_to_change(&format!("/{member}"))),
        None => Ok(()),
    }
}

/// Refuses a patch that makes unknown what must be known.
pub fn no_nulls(patch: &Map<String, Value>, members: &[&str]) -> Result<()> {
    match members.iter().find(|member| patch.get(**member).is_some_and(Value::is_null)) {
        Some(member) => Err(ServiceError::invalid(format!("/{member}"), say!("cannot be unknown", "不能为空值"))),
        None => Ok(()),
    }
}

/// What is said of a member that only the registry gives.
pub fn not_to_change(pointer: &str) -> ServiceError {
    let detail = say!("is the registry's to give and cannot be changed", "由登记库给定，不能修改");
    ServiceError::invalid(pointer, detail)
}

/// Whether what was sent back is of the present version; it need not say so.
pub fn still_current(sent: Option<i64>, present: i64) -> Result<()> {
    match sent.filter(|sent| *sent != present) {
        Some(_) => Err(ServiceError::stale(At::Pointer("/version".to_owned()), present)),
        None => Ok(()),
    }
}

/// The same of a request that need not say it.
pub fn maybe_precondition(headers: &HeaderMap) -> Result<Precondition> {
    if headers.contains_key(header::IF_MATCH) { precondition(headers) } else { Ok(Precondition::Any) }
}

/// `If-Match`: a version, or any.
pub fn precondition(headers: &HeaderMap) -> Result<Precondition> {
    let value = headers.get(header::IF_MATCH).ok_or(ServiceError::PreconditionRequired)?;
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(Precondition::Any);
    }
    let inner = text.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).filter(|tag| !tag.contains('"'));
    let Some(inner) = inner else {
        let detail = say!(
            "If-Match is one version in quotes and without W/, \"3\", or *",
            "If-Match 应为带引号、不带 W/ 的一个版本，如 \"3\"，或 *"
        );
        return Err(ServiceError::Invalid(vec![Fault::header("If-Match", detail)]));
    };
    // A tag that was never given out matches no version; versions begin at 1.
    Ok(Precondition::Version(inner.parse().unwrap_or(0)))
}

/// What is kept and sent when an outcome cannot be shown: the change itself has happened.
pub fn rendered(result: std::result::Result<Rendered, ServiceError>) -> Rendered {
    result.unwrap_or_else(|error| {
        tracing::error!(%error, "the outcome of a write cannot be shown");
        let status = StatusCode::INTERNAL_SERVER_ERROR.as_u16();
        Rendered { status, location: None, etag: None, body: Vec::new() }
    })
}

/// The writer's answer as it goes out.
pub fn respond(answer: Answer) -> Outcome {
    let (reply, replayed) = match answer {
        Answer::Done(reply) => (reply, false),
        Answer::Replayed(reply) => (reply, true),
        Answer::Refused(error) => return Err(error.into()),
    };
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    let empty = reply.body.is_empty();
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = status;
    if empty && status.is_server_error() {
        // Said by the edge, in the language of who asks.
        let failed = ServiceError::Internal("the outcome cannot be shown".to_owned());
        response.extensions_mut().insert(Pending(failed));
    }
    if !empty {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    for (name, value) in [("location", reply.location), ("etag", reply.etag)] {
        if let Some(value) = value {
            set(&mut response, name, &value);
        }
    }
    set(&mut response, "guli-feed", &reply.feed);
    if replayed {
        set(&mut response, "idempotent-replayed", "true");
    }
    Ok(response)
}

/// The way from a code that a thing once had to the one that it has, with the same query.
pub fn moved(to: &str, query: Option<&str>) -> Response<Body> {
    let to = query.map_or_else(|| to.to_owned(), |query| format!("{to}?{query}"));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    set(&mut response, "location", &to);
    // What leads on today may be undone tomorrow.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// An edit of something that has versions, which takes no parameter but why: by whom, and for which version.
pub struct Edit {
    pub asking: Asking,
    pub precondition: Precondition,
}

impl FromRequestParts<App> for Edit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> std::result::Result<Self, Failure> {
        let reason = only_reason(parts.uri.query())?;
        let caller = Caller::from_request_parts(parts, app).await?;
        caller.known()?;
        let asking = Asking { actor: caller.0, reason, idempotency: None };
        Ok(Self { asking, precondition: precondition(&parts.headers)? })
    }
}

/// What takes a change of something back: by whom and why, of what, and which of its versions.
pub struct Undoing {
    pub asking: Asking,
    pub code: String,
    pub version: i64,
}

impl FromRequestParts<App> for Undoing {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> std::result::Result<Self, Failure> {
        let InPath((code, version)) = InPath::from_request_parts(parts, app).await?;
        let reason = only_reason(parts.uri.query())?;
        let caller = Caller::from_request_parts(parts, app).await?;
        caller.known()?;
        let idempotency = idempotency(&parts.headers, &caller.0, parts.uri.path(), &[])?;
        Ok(Self { asking: Asking { actor: caller.0, reason, idempotency }, code, version })
    }
}

/// No route has this address.
pub fn no_address() -> ServiceError {
    ServiceError::NotFound(say!("this address", "此地址"))
}

/// The parts of a path that a route leaves open; what cannot be read does not exist.
#[derive(Debug)]
pub struct InPath<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for InPath<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> std::result::Result<Self, Failure> {
        let found: std::result::Result<axum::extract::Path<T>, PathRejection> =
            axum::extract::Path::from_request_parts(parts, app).await;
        found.map(|path| Self(path.0)).map_err(|_| no_address().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_its_tag() {
        let read = |text: &'static str| {
            precondition(&HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static(text))]))
        };
        for (text, version) in
            [("\"3\"", Some(3)), ("W/\"3\"", None), ("\"x\"", Some(0)), ("3", None), ("\"1\", \"2\"", None)]
        {
            let expected = version.map(Precondition::Version);
            assert_eq!(read(text).ok(), expected, "{text}");
        }
        assert_eq!(read("*").unwrap(), Precondition::Any);
        assert!(matches!(precondition(&HeaderMap::new()), Err(ServiceError::PreconditionRequired)));
    }
}
