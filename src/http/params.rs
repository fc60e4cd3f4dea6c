//! Query parameters, strictly: each known, each once, each readable.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

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
                return Err(ServiceError::Malformed(Fault::parameter(name, "too many parameters")));
            }
            // What is not UTF-8 was replaced; nobody means the replacement character.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(ServiceError::Malformed(Fault::parameter(name, "the query is not UTF-8")));
            }
            if name.contains('\0') || value.contains('\0') {
                return Err(ServiceError::parameter(name.replace('\0', ""), "the character U+0000 is not allowed"));
            }
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(ServiceError::parameter(name, "given more than once"));
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
    pub fn parse<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>> {
        self.take(name).map(|text| text.parse().map_err(|e| ServiceError::parameter(name, e))).transpose()
    }

    /// Takes `as_of`: an instant of the past.
    pub fn as_of(&mut self) -> Result<Option<jiff::Timestamp>> {
        self.take("as_of")
            .map(|text| {
                let detail = |e| format!("an instant like 2026-11-25T08:00:00Z is needed: {e}");
                text.parse().map_err(|e: jiff::Error| ServiceError::parameter("as_of", detail(e)))
            })
            .transpose()
    }

    /// Takes a number.
    pub fn number(&mut self, name: &str) -> Result<Option<f64>> {
        self.take(name)
            .map(|text| {
                let number = text.parse().ok().filter(|n: &f64| n.is_finite());
                number.ok_or_else(|| ServiceError::parameter(name, format!("a finite number is needed, got {text:?}")))
            })
            .transpose()
    }

    /// Takes a list separated by commas, at most 200; absent is empty.
    pub fn list<T>(&mut self, name: &str, parse: impl Fn(&str) -> std::result::Result<T, String>) -> Result<Vec<T>> {
        let Some(text) = self.take(name) else { return Ok(Vec::new()) };
        if text.split(',').count() > VALUES {
            return Err(ServiceError::parameter(name, format!("at most {VALUES} values")));
        }
        text.split(',').map(|part| parse(part.trim()).map_err(|e| ServiceError::parameter(name, e))).collect()
    }

    /// Takes `limit`, `1..=most`.
    pub fn limit(&mut self, default: usize, most: usize) -> Result<usize> {
        let Some(text) = self.take("limit") else { return Ok(default) };
        text.parse().ok().filter(|limit| (1..=most).contains(limit)).ok_or_else(|| {
            ServiceError::parameter("limit", format!("limit must lie between 1 and {most}, got {text:?}"))
        })
    }

    /// Refuses what is left.
    pub fn finish(self, known: &str) -> Result<()> {
        match self.pairs.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => {
                let detail = format!("unknown parameter {name:?}; known here: {known}");
                Err(ServiceError::parameter(name, detail))
            }
        }
    }
}
