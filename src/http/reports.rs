//! `/v1/reports`: a resident, a patrol or a sensor says what is wrong; the resident follows it.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::edge::Caller;
use super::openapi::{BodyFaults, NotFound, ReportFaults, TokenGone, say};
use super::order_out::{OrderCoverOut, PhotoOut, Shower, TaskOut, instant};
use super::params::{self, Params};
use super::problem::{Language, Outcome};
use super::refs::Ref;
use super::resolve::{CandidateOut, candidates, match_word};
use super::wire::{GridOut, Out, PositionIn, PositionOut, Source};
use super::write::{self, InPath};
use super::{App, body, json, set, to_bytes, words};
use crate::domain::catalog::DamageCode;
use crate::domain::id::TrackingToken;
use crate::domain::order::Order;
use crate::domain::position::Position;
use crate::domain::report::{Channel, NewReport, Place, Reporter};
use crate::domain::resolve::Pin;
use crate::domain::said::{Said, say};
use crate::domain::text::Text;
use crate::service::command::{Command, Render, Rendered, ReportCommand, ReportOutcome, What};
use crate::service::error::{Result, ServiceError};
use crate::service::moment::Moment;
use crate::service::no_place;
use crate::service::tracking::{Tracked, untracked};

/// A report (上报). `damage` and one of `position`, `cover` are needed; a QR plate sends `cover` alone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "position": {"lon": 120.341_494_6, "lat": 36.115_589_2, "crs": "GCJ-02", "accuracy_m": 8},
    "damage": "missing", "category": "0103", "description": "井盖不见了", "channel": "wechat",
    "reporter": {"name": "王女士", "phone": "13800000000", "language": "zh-CN"}
}))]
pub struct ReportIn {
    #[serde(default, deserialize_with = "body::maybe_object")]
    pub position: Option<PositionIn>,
    /// missing, broken, displaced, loose, overflow, sunken, raised, `surround_damaged`, noisy, other,
    /// and what the district adds to its table.
    #[schema(pattern = "^[a-z_]{1,40}$", examples("missing"))]
    pub damage: String,
    /// What the reporter thinks it is, four digits (2013) or five (2026): a hint.
    #[schema(examples("0103"))]
    pub category: Option<String>,
    /// A cover's code, 16 or 17 digits.
    #[schema(examples("3702030103000123"))]
    pub cover: Option<String>,
    /// true: it is none of the covers that are registered there; whoever reports has looked.
    pub unregistered: Option<bool>,
    /// The work order that this is a further report of.
    #[schema(examples("WO-370203-261123-00042-3"))]
    pub joins: Option<String>,
    #[schema(max_length = 2000)]
    pub description: Option<String>,
    /// When it was seen; limits run from when the report was stored.
    #[schema(format = DateTime)]
    pub reported_at: Option<String>,
    #[serde(default, deserialize_with = "body::maybe_object")]
    pub reporter: Option<ReporterIn>,
    /// `web` unless said otherwise.
    #[schema(schema_with = words::maybe_channel)]
    pub channel: Option<String>,
}

/// Who reports; kept sealed, apart from everything else.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReporterIn {
    #[schema(max_length = 100)]
    pub name: Option<String>,
    #[schema(schema_with = words::maybe_phone)]
    pub phone: Option<String>,
    #[schema(max_length = 20, examples("zh-CN"))]
    pub language: Option<String>,
}

impl std::fmt::Debug for ReporterIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReporterIn(…)")
    }
}

/// Reads a text of a body's member.
pub fn text<const MAX: usize>(value: Option<String>, pointer: &str) -> Result<Option<Text<MAX>>> {
    value.map(|value| Text::new(value).map_err(|e| ServiceError::invalid(pointer, e))).transpose()
}

/// Reads a member that is written as text: a code, an instant.
pub fn read<T: std::str::FromStr<Err: Into<Said>>>(value: Option<&str>, pointer: &str) -> Result<Option<T>> {
    value.map(|value| value.parse().map_err(|e| ServiceError::invalid(pointer, e))).transpose()
}

/// Reads the code of a damage; whether the district has it is decided with the order.
pub fn damage(value: &str, pointer: &str) -> Result<DamageCode> {
    let detail = || {
        say!(
            "a damage is one of the district's table: missing, broken, displaced, loose, overflow, …",
            "应为本区问题类型表中的一种：missing, broken, displaced, loose, overflow, …"
        )
    };
    DamageCode::new(value).ok_or_else(|| ServiceError::invalid(pointer, detail()))
}

impl ReportIn {
    fn read(self) -> Result<NewReport> {
        let damage = damage(&self.damage, "/damage")?;
        let category = read(self.category.as_deref(), "/category")?;
        let cover = read(self.cover.as_deref(), "/cover")?;
        let source = Source::Body("/position");
        let pin = self.position.map(|position| position.pin(source, category, Pin::DEFAULT_LIMIT)).transpose()?;
        let unregistered = self.unregistered.unwrap_or(false);
        let place = match (pin, cover) {
            (_, Some(_)) if unregistered => {
                let detail = say!("the cover that is named is registered", "所指的井盖是登记过的");
                return Err(ServiceError::invalid("/unregistered", detail));
            }
            (Some(pin), Some(cover)) => Place::Both(pin, cover),
            (Some(pin), None) if unregistered => Place::Unregistered(pin),
            (Some(pin), None) => Place::Pin(pin),
            (None, Some(cover)) => Place::Cover(cover),
            (None, None) => return Err(no_place()),
        };
        let channel = self.channel.as_deref().map_or(Ok(Channel::Web), |word| {
            let channel = params::word(word, Channel::ALL, Channel::as_str);
            channel.map_err(|detail| ServiceError::invalid("/channel", detail))
        })?;
        Ok(NewReport {
            place,
            damage,
            category,
            joins: read(self.joins.as_deref(), "/joins")?,
            description: text(self.description, "/description")?,
            reported_at: read(self.reported_at.as_deref(), "/reported_at")?,
            channel,
            reporter: self.reporter.map(ReporterIn::read).transpose()?,
        })
    }
}

impl ReporterIn {
    fn read(self) -> Result<Reporter> {
        Ok(Reporter {
            name: text(self.name, "/reporter/name")?,
            phone: write::phone(self.phone.as_deref(), "/reporter/phone")?,
            language: text(self.language, "/reporter/language")?,
        })
    }
}

/// The stored report, and the secret that opens it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportReceipt {
    #[schema(examples("RP-370203-261123-00042-3"))]
    pub code: String,
    /// The district and 26 letters or digits; shown here and never again.
    #[schema(examples("3702037H3QW9K2M5N8P1R4S6T0V2X4Y7"))]
    pub tracking_token: String,
    pub tracking_url: String,
    pub created_at: Timestamp,
}

/// The order that a report opened or joined. Without a key or the right to see the order, its
/// damage, cover and tasks are left out.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportOrderOut {
    pub code: String,
    #[schema(schema_with = words::order_status)]
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    pub due_at: Timestamp,
    pub promise_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<OrderCoverOut>)]
    pub cover: Option<Option<OrderCoverOut>>,
    pub grid: GridOut<'static>,
    pub responsible_unit: Ref<'static>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<TaskOut>, required = false)]
    pub tasks: Option<Vec<TaskOut>>,
}

/// What became of a report.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportCreated {
    pub report: ReportReceipt,
    pub work_order: ReportOrderOut,
    #[serde(rename = "match")]
    #[schema(schema_with = words::matched)]
    pub matched: &'static str,
    /// Where the pin did not decide.
    pub candidates: Vec<CandidateOut>,
    /// Whether it joined an order that was open.
    pub merged: bool,
}

fn order_of(shower: &Shower, order: &Order) -> ReportOrderOut {
    let sees = shower.sees(order);
    ReportOrderOut {
        code: order.code.to_string(),
        status: order.status.as_str(),
        damage: sees.then(|| order.damage.to_string()),
        due_at: order.due_at(),
        promise_at: order.limits.promise_at,
        cover: sees.then(|| shower.cover_of(order)),
        grid: shower.grid(order.grid),
        responsible_unit: shower.assignee(&order.assignee),
        tasks: sees.then(|| shower.tasks(&order.tasks)),
    }
}

fn created(shower: &Shower, outcome: &ReportOutcome) -> Result<Rendered> {
    let token = outcome.token.reveal();
    let path = format!("/v1/reports/{token}");
    let answer = ReportCreated {
        report: ReportReceipt {
            code: outcome.code.to_string(),
            tracking_url: format!("{}{path}", shower.app.public_url),
            tracking_token: token,
            created_at: outcome.created_at,
        },
        work_order: order_of(shower, &outcome.order),
        matched: match_word(outcome.matched),
        candidates: candidates(&outcome.candidates, shower.out)?,
        merged: outcome.merged,
    };
    Ok(Rendered { status: 201, location: Some(path), etag: None, body: to_bytes(&answer)? })
}

/// Report damage
///
/// The cover is the given one; else the candidate that the pin means; else none, with
/// `candidates` in the answer. A report of what is already reported joins the open order (`merged`).
#[utoipa::path(
    post, path = "/v1/reports", operation_id = "report", tag = "reports",
    params(
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
        ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
    ),
    request_body = ReportIn,
    responses(
        (status = 201, description = "Stored; a work order is on its way", body = ReportCreated, headers(
            ("Location" = String, description = "/v1/reports/{tracking_token}"),
        )),
        BodyFaults, ReportFaults,
    ),
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let out = Out::from_params(&mut params)?;
    params.finish("out_crs")?;
    let bytes = body::bytes(&headers, body).await?;
    let idempotency = write::idempotency(&headers, &caller.0, "/v1/reports", &bytes)?;
    let report = body::parse::<ReportIn>(&bytes)?.read()?;
    let district = app.guli.district_of(&report.place)?;
    if let Some(pin) = report.place.pin() {
        out.position(pin.position())?;
    }
    let token = TrackingToken::new(district, app.guli.context.clock.secret());
    let shower = Shower { app: app.clone(), actor: Arc::clone(&caller.0), moment: Moment::Now, out };
    let render = Render(Arc::new(move |outcome: &ReportOutcome| write::rendered(created(&shower, outcome))));
    let command = Command {
        district,
        actor: (*caller.0).clone(),
        idempotency,
        what: What::Report(Box::new(ReportCommand { report, token, render })),
    };
    write::respond(app.guli.submit(command).await)
}

/// The report as its reporter sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrackedReport {
    #[schema(examples("RP-370203-261123-00042-3"))]
    pub code: String,
    pub created_at: Timestamp,
    pub reported_at: Option<Timestamp>,
    pub damage: String,
    pub description: Option<String>,
    pub position: PositionOut,
}

/// The public side of the order.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrackedOrder {
    pub code: String,
    #[schema(schema_with = words::order_status)]
    pub status: &'static str,
    pub due_at: Timestamp,
}

/// A step on the way.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineEntry {
    pub at: Timestamp,
    /// The order's status from then on.
    #[schema(schema_with = words::order_status)]
    pub status: String,
    /// In the language of `Accept-Language`.
    #[schema(value_type = String, examples("A crew is on site"))]
    pub text: Cow<'static, str>,
}

/// How a report fares.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrackedOut {
    pub report: TrackedReport,
    pub work_order: TrackedOrder,
    pub timeline: Vec<TimelineEntry>,
    pub photos: Vec<PhotoOut>,
    /// What the reporter may do now.
    pub may: Vec<&'static str>,
}

/// What an event means to a resident.
fn told(kind: &str) -> Option<Said> {
    Some(match kind {
        "work_order.opened" => say!("Your report was received and sent out", "已受理并派遣"),
        "work_order.joined" => say!("The same place was reported again", "同一位置有新的上报"),
        "work_order.accepted" => say!("A crew has taken it on", "养护人员已接单"),
        "work_order.arrived" => say!("A crew is on site", "养护人员已到场"),
        "work_order.secured" => say!("The place was made safe", "现场已采取安全措施"),
        "work_order.repaired" => say!("It was repaired and will be checked", "已修复，等待核查"),
        "work_order.verified" => say!("The repair was checked and is good", "核查通过"),
        "work_order.rejected" => say!("The repair was not good enough and is done again", "核查未通过，重新处置"),
        "work_order.closed" => say!("Done", "已结案"),
        "work_order.identified" => say!("The cover or the damage was determined on site", "已现场认定井盖或问题"),
        "work_order.reassigned" => say!("It was handed to the unit in charge", "已改派责任单位"),
        _ => return None,
    })
}

fn timeline(tracked: &Tracked, language: Language) -> Vec<TimelineEntry> {
    let entries = tracked.history.iter().filter_map(|event| {
        let text = told(&event.kind)?.into_language(language);
        let data: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
        Some(TimelineEntry { at: event.at(), status: data["to"].as_str()?.to_owned(), text })
    });
    entries.collect()
}

fn shown(tracked: &Tracked, out: Out, language: Language) -> Result<TrackedOut> {
    let report = &tracked.report;
    let position = Position::new(report.lon, report.lat).unwrap_or(tracked.order.position);
    Ok(TrackedOut {
        report: TrackedReport {
            code: tracked.code.to_string(),
            created_at: instant(report.created_at),
            reported_at: report.reported_at.map(instant),
            damage: report.damage.clone(),
            description: report.description.clone(),
            position: out.position(position)?,
        },
        work_order: TrackedOrder {
            code: tracked.order.code.to_string(),
            status: tracked.order.status.as_str(),
            due_at: tracked.order.due_at(),
        },
        timeline: timeline(tracked, language),
        photos: Vec::new(),
        may: Vec::new(),
    })
}

/// Follow a report
///
/// The token is the secret: it needs no key, and nothing else opens the report.
#[utoipa::path(
    get, path = "/v1/reports/{tracking_token}", operation_id = "track_report", tag = "reports",
    params(
        (
            "tracking_token" = String, Path,
            description = "As the report was answered with", example = "3702037H3QW9K2M5N8P1R4S6T0V2X4Y7",
        ),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
    ),
    responses(
        (status = 200, description = "How it fares", body = TrackedOut, headers(
            ("Cache-Control" = String, description = "no-store"),
        )),
        NotFound, TokenGone,
    ),
)]
pub async fn track(
    State(app): State<App>,
    _caller: Caller,
    language: Language,
    InPath(token): InPath<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let out = Out::from_params(&mut params)?;
    params.finish("out_crs")?;
    let token = token.parse::<TrackingToken>().map_err(|_| untracked())?;
    let tracked = app.guli.track(&token).await?;
    let mut response = json(StatusCode::OK, &shown(&tracked, out, language)?)?;
    set(&mut response, "cache-control", "no-store");
    Ok(response)
}
