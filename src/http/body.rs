//! JSON bodies, strictly: bounded, shallow, every member known and given once.

use std::collections::HashSet;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use futures_util::stream;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::json_fault;
use crate::domain::said::{Said, say};
use crate::service::error::{Fault, Result, ServiceError};

/// Most bytes of a JSON body.
pub const LIMIT: usize = 256 * 1024;
/// How long a whole body may take to come.
const DEADLINE: Duration = Duration::from_secs(10);
/// Most bytes of a body that is waited for without a place: a connection has as much room anyway.
const SMALL: usize = 8 * 1024;
/// Deepest nesting of a JSON body.
const DEPTH: usize = 32;

const JSON: &str = "application/json";
const PATCH: &str = "application/merge-patch+json";

/// A body did not come in time.
#[derive(Debug)]
struct Late;

impl std::error::Error for Late {}

impl std::fmt::Display for Late {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a body did not come in time")
    }
}

/// The request with its JSON body in memory, for which one that is not small needs one of the `places`. What is wrong with a
/// body is said by who reads it, after what else is wrong with the request.
pub async fn arrived(request: Request, places: &Semaphore) -> Result<Request> {
    if request.body().is_end_stream() || !is_json(request.headers()) {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let body = match tokio::time::timeout(DEADLINE, gather(body, places)).await {
        Ok(Ok(bytes)) => Body::from(bytes?),
        Ok(Err(broken)) => Body::from_stream(stream::iter([Err::<Bytes, _>(broken)])),
        Err(_) => Body::from_stream(stream::iter([Err::<Bytes, _>(Late)])),
    };
    Ok(Request::from_parts(parts, body))
}

/// What comes of a body until it ends or is too long, or the refusal of one that finds no place.
async fn gather(mut body: Body, places: &Semaphore) -> std::result::Result<Result<Vec<u8>>, axum::Error> {
    let (mut read, mut place) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if place.is_none() && read.len() + data.len() > SMALL {
            match places.try_acquire() {
                Ok(found) => place = Some(found),
                Err(_) => return Ok(Err(ServiceError::Unavailable)),
            }
        }
        read.extend_from_slice(&data);
        if read.len() > LIMIT {
            break;
        }
    }
    Ok(Ok(read))
}

/// Reads a whole body of JSON.
pub async fn bytes(headers: &HeaderMap, body: Body) -> Result<Vec<u8>> {
    read(headers, body, &[JSON], JSON).await
}

/// Reads a whole JSON Merge Patch, which many send as plain JSON.
pub async fn patch_bytes(headers: &HeaderMap, body: Body) -> Result<Vec<u8>> {
    read(headers, body, &[PATCH, JSON], PATCH).await
}

/// Whether a body is said to be JSON, and so is read as a whole or not at all.
pub fn is_json(headers: &HeaderMap) -> bool {
    is_one_of(headers, &[PATCH, JSON])
}

fn is_one_of(headers: &HeaderMap, kinds: &[&str]) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kinds.iter().any(|known| kind.eq_ignore_ascii_case(known))
}

/// Reads a whole body of at most [`LIMIT`] bytes.
async fn read(headers: &HeaderMap, body: Body, kinds: &[&str], wanted: &'static str) -> Result<Vec<u8>> {
    if !is_one_of(headers, kinds) {
        return Err(media_type(wanted));
    }
    let malformed = |detail: Said| ServiceError::Malformed(Fault::pointer("", detail));
    let is_late = |error: &(dyn std::error::Error + 'static)| {
        std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<Late>)
    };
    let collected = Limited::new(body, LIMIT).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            ServiceError::TooLarge(say!("a JSON body has at most 256 KB", "JSON 请求体最大 256 KB"))
        } else if is_late(&*error) {
            malformed(say!("the body did not arrive within 10 seconds", "请求体没有在 10 秒内收全"))
        } else {
            malformed(say!("the body ended early", "请求体没有完整结束"))
        }
    })?;
    Ok(collected.to_bytes().to_vec())
}

/// What is to be sent instead of something else.
pub fn media_type(wanted: &str) -> ServiceError {
    ServiceError::MediaType(say!("send Content-Type: {wanted}", "请以 Content-Type: {wanted} 发送"))
}

/// A record that came as a JSON object: by itself serde would take an array of its members too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Members<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> std::result::Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }
        deserializer.deserialize_map(Members(std::marker::PhantomData)).map(Self)
    }
}

/// For a member that is an object.
pub fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

/// For a member that is an object or absent; with `#[serde(default)]`.
pub fn maybe_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|Object(value)| value))
}

/// Parses a body that is an object; a fault is named by its JSON pointer.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    check_depth(bytes)?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut reader).map_err(|error| json_fault::of(&error))?;
    reader.end().map_err(|_| {
        let detail = say!("something follows the JSON", "JSON 之后还有内容");
        ServiceError::Malformed(Fault::pointer("", detail))
    })?;
    Ok(value)
}

/// A patch, which is read as the members that it names: given once, in what lies within them too.
pub fn members(bytes: &[u8]) -> Result<Map<String, Value>> {
    let _once: Once = parse(bytes)?;
    parse(bytes)
}

/// JSON of which no object has a member twice: of such a member a [`Value`] would quietly keep the last.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> std::result::Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some(member) = members.next_key::<String>()? {
            if seen.contains(&member) {
                return Err(de::Error::custom(format_args!("duplicate field `{member}`")));
            }
            seen.insert(member);
            members.next_value::<Self>()?;
        }
        Ok(Self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(Self)
    }

    fn visit_unit<E>(self) -> std::result::Result<Self, E> {
        Ok(Self)
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Self, E> {
        Ok(Self)
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Self, E> {
        Ok(Self)
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<Self, E> {
        Ok(Self)
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Self, E> {
        Ok(Self)
    }

    fn visit_str<E>(self, _: &str) -> std::result::Result<Self, E> {
        Ok(Self)
    }
}

fn check_depth(bytes: &[u8]) -> Result<()> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in bytes {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH {
            let detail = say!("nested deeper than {DEPTH} levels", "嵌套超过 {DEPTH} 层");
            return Err(ServiceError::Malformed(Fault::pointer("", detail)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Outer {
        #[serde(default, deserialize_with = "maybe_object")]
        inner: Option<Inner>,
        word: String,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Inner {
        number: f64,
    }

    #[test]
    fn every_fault_is_named_where_it_is() {
        for (text, status, at) in [
            (r#"{"word": "a", "wurd": 1}"#, "invalid", "/wurd"),
            (r#"{"word": "a", "word": "b"}"#, "invalid", "/word"),
            (r#"{"inner": {"number": "x"}, "word": ""}"#, "invalid", "/inner/number"),
            (r#"{"inner": {"number": 1, "n": 2}, "word": ""}"#, "invalid", "/inner/n"),
            (r#"{"inner": {}, "word": ""}"#, "invalid", "/inner/number"),
            ("{}", "invalid", "/word"),
            (r#"{"inner": {"number": NaN}}"#, "malformed", "/inner/number"),
            (r#"{"inner": {"number": 1e999}}"#, "malformed", "/inner/number"),
            (r#"{"word": "#, "malformed", "/word"),
            (r#"{"word": ""} x"#, "malformed", ""),
            (r#"[null, "a"]"#, "invalid", ""),
            (r#"{"inner": [1], "word": ""}"#, "invalid", "/inner"),
        ] {
            let (kind, fault) = match parse::<Outer>(text.as_bytes()).unwrap_err() {
                ServiceError::Invalid(mut faults) => ("invalid", faults.remove(0)),
                ServiceError::Malformed(fault) => ("malformed", fault),
                other => panic!("{other}"),
            };
            assert_eq!((kind, fault.at), (status, crate::service::error::At::Pointer(at.to_owned())), "{text}");
        }
        let deep = "[".repeat(40);
        assert!(matches!(parse::<Outer>(deep.as_bytes()), Err(ServiceError::Malformed(_))));
    }
}
