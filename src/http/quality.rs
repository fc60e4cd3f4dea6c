//! `/v1/quality`: what is wrong with the registry, what would mend it, and what was said of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::edge::Caller;
use super::finding_out::{FindingOut, View};
use super::openapi::{BodyFaults, Forbidden, NotFound, RulingFaults, say};
use super::page::{DEFAULT_LIMIT, MOST, bbox, cursor, read_cursor};
use super::params::Params;
use super::problem::{Language, Outcome};
use super::wire::{self, Out, Source};
use super::write::{self, InPath};
use super::{App, body, json as answer_json, to_bytes};
use crate::domain::actor::Actor;
use crate::domain::id::DistrictCode;
use crate::domain::quality::{Rule, Severity, State};
use crate::domain::said::say;
use crate::domain::text::Text;
use crate::service::Guli;
use crate::service::command::{Render, Rendered};
use crate::service::edit::Asking;
use crate::service::edit::quality::Verdict;
use crate::service::error::{Result, ServiceError};
use crate::service::quality::Found;

/// A page of findings, and how many of each rule there are on all pages.
#[derive(Debug, Serialize, ToSchema)]
pub struct QualityOut {
    pub items: Vec<FindingOut>,
    /// Opaque: the next page is the same query with `cursor` set to this.
    pub next: Option<String>,
    /// By rule, of those asked for; 0 where nothing was found.
    pub counts: BTreeMap<&'static str, usize>,
}

const KNOWN: &str = "district, rule, severity, state, bbox, crs, out_crs, limit, cursor";

/// Takes a list of words that a parameter knows.
fn of_words<T: Copy>(
    params: &mut Params<'_>,
    name: &str,
    all: &[T],
    word: impl Fn(T) -> &'static str,
) -> Result<Vec<T>> {
    params.list(name, |text| {
        let known = all.iter().copied().find(|value| word(*value) == text);
        known.ok_or_else(|| {
            let words = all.iter().map(|value| word(*value)).collect::<Vec<_>>().join(", ");
            say!("{text:?} is none of {words}", "{text:?} 不在 {words} 之列")
        })
    })
}

/// The order of all findings: district, rule, subjects, identity.
type Key = (u64, Rule, String, String);

fn key(found: &Found) -> Key {
    let (rule, subjects, id) = found.finding.order();
    (found.district.number(), rule, subjects, id)
}

fn after(params: &mut Params<'_>) -> Result<Option<Key>> {
    let Some(text) = params.text("cursor") else { return Ok(None) };
    let broken = super::page::of_another_query;
    let parts = <[String; 4]>::try_from(read_cursor("quality", &text, 4)?).map_err(|_| broken())?;
    let [district, rule, subjects, id] = parts;
    Ok(Some((district.parse().map_err(|_| broken())?, Rule::parse(&rule).ok_or_else(broken)?, subjects, id)))
}

/// Answers a query with at most `most` findings a page.
pub async fn answer(
    guli: &Guli,
    actor: &Actor,
    query: Option<&str>,
    most: usize,
    language: Language,
) -> Result<QualityOut> {
    let mut params = Params::read(query)?;
    let out = Out::from_params(&mut params)?;
    let crs = wire::crs(params.text("crs").as_deref(), Source::Query, "crs")?;
    let limit = params.limit(DEFAULT_LIMIT, most)?;
    let district: Option<DistrictCode> = params.parse("district")?;
    let rules = of_words(&mut params, "rule", Rule::ALL, Rule::as_str)?;
    let severities = of_words(&mut params, "severity", Severity::ALL, Severity::as_str)?;
    let states = of_words(&mut params, "state", State::ALL, State::as_str)?;
    let bounds = bbox(&mut params, crs)?;
    let after = after(&mut params)?;
    params.finish(KNOWN)?;
    let among = |asked: bool, empty: bool| asked || empty;
    let mut found = Vec::new();
    // What is no more is listed only for who asks for it.
    if among(states.iter().any(|state| *state != State::Mended), states.is_empty()) {
        found = guli.findings(actor, district).await?;
    }
    if states.contains(&State::Mended) {
        found.append(&mut guli.mended(actor, district).await?);
        found.sort_by_cached_key(key);
    }
    let wanted = |rule: Rule| {
        among(rules.contains(&rule), rules.is_empty())
            && among(severities.contains(&rule.severity()), severities.is_empty())
    };
    found.retain(|found| {
        let lies = |bounds| found.finding.place.as_ref().is_some_and(|place| place.meets(bounds));
        wanted(found.finding.rule) && among(states.contains(&found.state), states.is_empty()) && bounds.is_none_or(lies)
    });
    let mut counts: BTreeMap<&'static str, usize> =
        Rule::ALL.iter().filter(|rule| wanted(**rule)).map(|rule| (rule.as_str(), 0)).collect();
    for found in &found {
        *counts.entry(found.finding.rule.as_str()).or_default() += 1;
    }
    let begin = after.map_or(0, |after| found.partition_point(|found| key(found) <= after));
    let page = &found[begin..found.len().min(begin.saturating_add(limit))];
    let next = page.last().filter(|_| begin + page.len() < found.len()).map(|last| {
        let (district, rule, subjects, id) = key(last);
        cursor("quality", &[&district.to_string(), rule.as_str(), &subjects, &id])
    });
    let view = View { actor, out, language };
    let items = page.iter().map(|found| FindingOut::new(guli, found, view)).collect::<Result<_>>()?;
    Ok(QualityOut { items, next, counts })
}

/// List what is wrong with the registry
///
/// Found anew whenever the registry changes; `may` says what the caller may do about each. What is mended is listed only when asked for (`state=mended`), with who did it,
/// when and by which change; what comes back is open again.
#[utoipa::path(
    get, path = "/v1/quality", operation_id = "findings", tag = "registry", security(("key" = [])),
    params(
        ("district" = Option<String>, Query, description = "Only of this district", example = "370203"),
        ("rule" = Option<String>, Query, description = "Only of these rules", example = "near-duplicate,owner-missing"),
        ("severity" = Option<String>, Query, description = "error, warning, notice"),
        ("state" = Option<String>, Query, description = "open, accepted, mended; open and accepted unless said"),
        (
            "bbox" = Option<String>, Query,
            description = "west,south,east,north in `crs`", example = "120.37,36.11,120.39,36.13",
        ),
        ("crs" = Option<String>, Query, description = "Coordinate system of `bbox`"),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = say::LIMIT),
        ("cursor" = Option<String>, Query, description = say::CURSOR),
    ),
    responses(
        (status = 200, description = "A page, by district, rule and subjects", body = QualityOut), Forbidden, NotFound,
    ),
)]
pub async fn list(Shared(app): Shared<App>, caller: Caller, language: Language, RawQuery(query): RawQuery) -> Outcome {
    caller.known()?;
    answer_json(StatusCode::OK, &answer(&app.guli, &caller.0, query.as_deref(), MOST, language).await?)
}

/// Read a finding
#[utoipa::path(
    get, path = "/v1/quality/{id}", operation_id = "finding", tag = "registry", security(("key" = [])),
    params(
        ("id" = String, Path, description = "16 hexadecimal digits", example = "5f1d2c3b4a596877"),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
    ),
    responses((status = 200, description = "The finding", body = FindingOut), Forbidden, NotFound),
)]
pub async fn get(
    Shared(app): Shared<App>,
    caller: Caller,
    language: Language,
    InPath(id): InPath<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let out = Out::from_params(&mut params)?;
    params.finish("out_crs")?;
    caller.known()?;
    let found = app.guli.finding(&caller.0, &id).await?;
    let view = View { actor: &caller.0, out, language };
    answer_json(StatusCode::OK, &FindingOut::new(&app.guli, &found, view)?)
}

/// What is said of a finding.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"state": "accepted", "reason": "two chambers side by side, seen on site"}))]
pub struct RulingIn {
    /// accepted or open
    #[schema(examples("accepted"))]
    pub state: String,
    /// Needed to accept; at most 2,000 characters.
    pub reason: Option<String>,
}

impl RulingIn {
    fn read(self) -> Result<(Verdict, Option<Text<2000>>)> {
        let verdict = match State::parse(&self.state) {
            Some(State::Accepted) => Verdict::Accept,
            Some(State::Open) => Verdict::Reopen,
            _ => {
                let state = &self.state;
                let detail = say!(
                    "{state:?} is none of accepted, open: mended is what is no longer found",
                    "{state:?} 不是 accepted 或 open；不再查出的问题自成 mended"
                );
                return Err(ServiceError::invalid("/state", detail));
            }
        };
        let reason = self.reason.filter(|reason| !reason.trim().is_empty()).map(Text::new).transpose();
        let reason = reason.map_err(|error| ServiceError::invalid("/reason", error))?;
        if verdict == Verdict::Accept && reason.is_none() {
            return Err(ServiceError::invalid("/reason", say!("say why it may stay so", "请写明为何可以保持现状")));
        }
        Ok((verdict, reason))
    }
}

/// Accept a finding, or open it again
///
/// For administrators, planners and the department whose things these are.
#[utoipa::path(
    post, path = "/v1/quality/{id}", operation_id = "rule_on_finding", tag = "registry", security(("key" = [])),
    params(
        ("id" = String, Path, description = "16 hexadecimal digits", example = "5f1d2c3b4a596877"),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
        ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
    ),
    request_body = RulingIn,
    responses(
        (status = 200, description = "The finding as it now is", body = FindingOut),
        BodyFaults, RulingFaults,
    ),
)]
pub async fn rule(
    Shared(app): Shared<App>,
    caller: Caller,
    language: Language,
    InPath(id): InPath<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let out = Out::from_params(&mut params)?;
    params.finish("out_crs")?;
    caller.known()?;
    let bytes = body::bytes(&headers, body).await?;
    let idempotency = write::idempotency(&headers, &caller.0, &format!("/v1/quality/{id}"), &bytes)?;
    let (verdict, reason) = body::parse::<RulingIn>(&bytes)?.read()?;
    let asking = Asking { actor: Arc::clone(&caller.0), reason, idempotency };
    let guli = Arc::clone(&app.guli);
    let rendered = move |found: &Found| -> Result<Rendered> {
        let view = View { actor: &caller.0, out, language };
        let body = to_bytes(&FindingOut::new(&guli, found, view)?)?;
        Ok(Rendered { status: StatusCode::OK.as_u16(), location: None, etag: None, body })
    };
    let render = Render(Arc::new(move |found: &Found| write::rendered(rendered(found))));
    write::respond(app.guli.rule_on_finding(&id, verdict, asking, render).await)
}
