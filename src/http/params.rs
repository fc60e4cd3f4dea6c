//! Query parameters, strictly: each known, each once, each readable.

use std::borrow::Cow;
use std::str::FromStr;

use crate::domain::said::{Said, say};
use crate::domain::text::TextError;
use crate::service::error::{Fault, Result, ServiceError};

/// Most values of one parameter: statements have room for so many.
const VALUES: usize = 200;

/// Most parameters of a request; no address knows so many.
const PARAMETERS: usize = 64;

/// The parameters of one request; take each by name, then [`Params::finish`].
#[derive(Debug)]
pub struct Params<'q> {
    pairs: Vec<(Cow<'q, str>, Cow<'q, str>)>,
}

impl<'q> Params<'q> {
    /// Reads the query of a URI.
    pub fn read(query: Option<&'q str>) -> Result<Self> {
        let query = query.unwrap_or_default();
        let mut pairs: Vec<(Cow<'q, str>, Cow<'q, str>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if pairs.len() == PARAMETERS {
                let detail = say!("too many parameters", "参数过多");
                return Err(ServiceError::Malformed(Fault::parameter(name, detail)));
            }
            // What is not UTF-8 was replaced; nobody means the replacement character.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                let detail = say!("the query is not UTF-8", "查询串不是 UTF-8");
                return Err(ServiceError::Malformed(Fault::parameter(name, detail)));
            }
            if name.contains('\0') || value.contains('\0') {
                return Err(ServiceError::parameter(name.replace('\0', ""), TextError::Control('\0')));
            }
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(ServiceError::parameter(name, say!("given more than once", "只能给出一次")));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    fn take(&mut self, name: &str) -> Option<Cow<'q, str>> {
        let at = self.pairs.iter().position(|(known, _)| known == name)?;
        Some(self.pairs.swap_remove(at).1)
    }

    /// Takes a parameter as it is.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.take(name).map(Cow::into_owned)
    }

    /// Takes a parameter that reads as `T`.
    pub fn parse<T: FromStr<Err: Into<Said>>>(&mut self, name: &str) -> Result<Option<T>> {
        self.take(name).map(|text| text.parse().map_err(|e| ServiceError::parameter(name, e))).transpose()
    }

    /// Takes `as_of`: an instant of the past.
    pub fn as_of(&mut self) -> Result<Option<jiff::Timestamp>> {
        self.instant("as_of")
    }

    /// Takes an instant.
    pub fn instant(&mut self, name: &str) -> Result<Option<jiff::Timestamp>> {
        let instant = |text: Cow<'_, str>| {
            text.parse().map_err(|_| {
                let detail = say!(
                    "an instant such as 2026-11-28T08:00:00Z is needed, got {text:?}",
                    "应为时刻，例如 2026-11-28T08:00:00Z，收到 {text:?}"
                );
                ServiceError::parameter(name, detail)
            })
        };
        self.take(name).map(instant).transpose()
    }

    /// Takes a number.
    pub fn number(&mut self, name: &str) -> Result<Option<f64>> {
        self.take(name)
            .map(|text| {
                let number = text.parse().ok().filter(|n: &f64| n.is_finite());
                number.ok_or_else(|| {
                    let detail = say!("a finite number is needed, got {text:?}", "应为有限的数，收到 {text:?}");
                    ServiceError::parameter(name, detail)
                })
            })
            .transpose()
    }

    /// Takes a list separated by commas, at most 200; absent is empty.
    pub fn list<T, E: Into<Said>>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> std::result::Result<T, E>,
    ) -> Result<Vec<T>> {
        let Some(text) = self.take(name) else { return Ok(Vec::new()) };
        if text.split(',').count() > VALUES {
            return Err(ServiceError::parameter(name, say!("at most {VALUES} values", "最多 {VALUES} 个值")));
        }
        text.split(',').map(|part| parse(part.trim()).map_err(|e| ServiceError::parameter(name, e))).collect()
    }

    /// Takes `true` or `false`.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.take(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => {
                let detail = say!("true or false, got {other:?}", "应为 true 或 false，收到 {other:?}");
                Err(ServiceError::parameter(name, detail))
            }
        }
    }

    /// Takes `limit`, `1..=most`.
    pub fn limit(&mut self, default: usize, most: usize) -> Result<usize> {
        let Some(text) = self.take("limit") else { return Ok(default) };
        text.parse().ok().filter(|limit| (1..=most).contains(limit)).ok_or_else(|| {
            let detail = say!(
                "limit must lie between 1 and {most}, got {text:?}",
                "limit 必须在 1 到 {most} 之间，收到 {text:?}"
            );
            ServiceError::parameter("limit", detail)
        })
    }

    /// Refuses what is left.
    pub fn finish(self, known: &str) -> Result<()> {
        match self.pairs.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => {
                let known =
                    if known == "none" { say!("none", "无") } else { Said::new(known.to_owned(), known.to_owned()) };
                let detail = say!(
                    "unknown parameter {name:?}; known here: {known}",
                    "未知的参数 {name:?}，此处可用的有：{known}",
                    known = known,
                );
                Err(ServiceError::parameter(name, detail))
            }
        }
    }
}

/// One of the words of a closed list.
pub fn word<T: Copy>(text: &str, all: &[T], word: impl Fn(T) -> &'static str) -> std::result::Result<T, Said> {
    all.iter().copied().find(|value| word(*value) == text).ok_or_else(|| {
        let all = all.iter().map(|value| word(*value)).collect::<Vec<_>>().join(", ");
        say!("one of {all}, got {text:?}", "应为 {all} 之一，收到 {text:?}")
    })
}
