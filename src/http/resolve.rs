//! `/v1/resolve`: which cover does a pin mean, and whose is it?

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::edge::Caller;
use super::openapi::{Outside, say};
use super::params::Params;
use super::problem::Outcome;
use super::rendered::{self, Written};
use super::wire::{Audience, CoverOut, GridOut, Out, PositionIn, PositionOut, Source, centimetres};
use super::{App, json, words};
use crate::domain::catalog::CategoryCode;
use crate::domain::id::CoverId;
use crate::domain::resolve::{Match, Pin};
use crate::domain::said::say;
use crate::index::{Candidate, Index, OpenOrder, Resolution, ResolveError};
use crate::service::Guli;
use crate::service::error::{At, Result, ServiceError};
use crate::service::moment::Reach;

/// A pin resolved.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResolutionOut {
    /// The pin, in the system asked for.
    pub position: PositionOut,
    /// District and the number of the registry's last change that this answer knows.
    pub registry_version: String,
    #[schema(value_type = GridOut)]
    pub grid: Written,
    #[serde(rename = "match")]
    #[schema(schema_with = words::matched)]
    pub matched: &'static str,
    /// How likely it is none of the candidates; with all confidences it makes 1.
    pub none_confidence: f64,
    pub candidates: Vec<CandidateOut>,
    /// With `include=open_orders`: those nearby that name no cover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_orders: Option<Vec<OpenOrderOut>>,
}

/// A cover that the pin may mean.
#[derive(Debug, Serialize, ToSchema)]
pub struct CandidateOut {
    #[schema(value_type = CoverOut)]
    pub cover: Written,
    /// Geodesic, to the centimetre.
    pub distance_m: f64,
    pub confidence: f64,
    /// With `include=open_orders`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<OpenOrderOut>)]
    pub open_order: Option<Option<OpenOrderOut>>,
}

/// Already reported?
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenOrderOut {
    pub code: String,
    pub damage: String,
    #[schema(schema_with = words::order_status)]
    pub status: &'static str,
    pub reported_at: Timestamp,
    pub report_count: u32,
    pub photo_url: Option<String>,
}

impl From<&OpenOrder> for OpenOrderOut {
    fn from(order: &OpenOrder) -> Self {
        Self {
            code: order.code.to_string(),
            damage: order.damage.to_string(),
            status: order.status,
            reported_at: order.reported_at,
            report_count: order.report_count,
            photo_url: None,
        }
    }
}

pub fn match_word(matched: Match) -> &'static str {
    match matched {
        Match::Matched => "matched",
        Match::Ambiguous => "ambiguous",
        Match::Unregistered => "unregistered",
    }
}

/// Candidates as they go out.
pub fn candidates(found: &[crate::index::Candidate], out: Out) -> Result<Vec<CandidateOut>> {
    found
        .iter()
        .map(|candidate| {
            Ok(CandidateOut {
                cover: rendered::cover(&candidate.cover, out)?,
                distance_m: centimetres(candidate.distance_m),
                confidence: candidate.confidence,
                open_order: None,
            })
        })
        .collect()
}

/// Open orders without a cover that are named: the nearest.
const OPEN_ORDERS: usize = 50;

/// What goes with a resolution besides the candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Include {
    Nothing,
    OpenOrders,
}

pub(super) type Shown = (CoverId, Result<Written>);

/// What a pin means, its covers as they go out.
pub(super) fn resolve(index: &Index, pin: &Pin, out: Out) -> std::result::Result<Resolution<Shown>, ResolveError> {
    index.resolve_as(pin, |found| rendered::found(found, out))
}

pub(super) fn show(
    index: &Index,
    found: Resolution<Shown>,
    pin: &Pin,
    out: Out,
    audience: Audience,
    include: Include,
) -> Result<ResolutionOut> {
    let includes_orders = include == Include::OpenOrders;
    let candidate = |Candidate { cover: (id, cover), distance_m, confidence }: Candidate<Shown>| {
        Ok(CandidateOut {
            cover: cover?,
            distance_m: centimetres(distance_m),
            confidence,
            open_order: includes_orders.then(|| index.order_on(id).as_deref().map(OpenOrderOut::from)),
        })
    };
    let mut shown = ResolutionOut {
        position: out.position(found.position)?,
        registry_version: format!("{}:{}", found.registry_version.0, found.registry_version.1),
        grid: rendered::grid(&found.grid, audience)?,
        matched: match_word(found.matched),
        none_confidence: found.none_confidence,
        candidates: found.candidates.into_iter().map(candidate).collect::<Result<_>>()?,
        open_orders: None,
    };
    if includes_orders {
        let near = index.orders_near(found.position, pin.reach_m());
        let near = near.iter().filter(|(order, _)| order.cover.is_none()).take(OPEN_ORDERS);
        shown.open_orders = Some(near.map(|(order, _)| (&**order).into()).collect());
    }
    Ok(shown)
}

pub(super) fn audience(caller: &Caller) -> Audience {
    if caller.0.is_anonymous() { Audience::Public } else { Audience::Staff }
}

pub(super) fn category(text: Option<&str>, source: Source<'_>) -> Result<Option<CategoryCode>> {
    text.map(|text| text.parse().map_err(|e: crate::domain::id::CodeError| source.invalid("category", e))).transpose()
}

const KNOWN: &str = "lon, lat, x, y, crs, out_crs, accuracy_m, category, limit, include, as_of";

/// Resolve a pin
///
/// Which cover does it mean, whose is it, and which grid does it lie in?
#[utoipa::path(
    get, path = "/v1/resolve", operation_id = "resolve", tag = "resolve",
    params(
        ("lon" = Option<f64>, Query, description = "East, with the geographic systems", example = 120.33641),
        ("lat" = Option<f64>, Query, description = "North, with the geographic systems", example = 36.11537),
        ("x" = Option<f64>, Query, description = "East, with the projected systems"),
        ("y" = Option<f64>, Query, description = "North, with the projected systems"),
        ("crs" = Option<String>, Query, description = "Coordinate system of the pin; EPSG:4326 unless said"),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
        (
            "accuracy_m" = Option<f64>, Query, minimum = 0, maximum = 1000,
            description = "The 68 % radius; 10 unless said",
        ),
        ("category" = Option<String>, Query, description = "What the pin is thought to be: a hint", example = "0103"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 50, description = "Candidates; 5 unless said"),
        ("include" = Option<String>, Query, description = "open_orders; with as_of it needs a key"),
        ("as_of" = Option<jiff::Timestamp>, Query, description = say::AS_OF),
    ),
    responses((status = 200, description = "What the pin means", body = ResolutionOut), Outside),
)]
pub async fn get(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Outcome {
    json(StatusCode::OK, &answer(&app.guli, query.as_deref(), audience(&caller)).await?)
}

/// Answers a query for whoever asks, over HTTP or at the command line.
pub async fn answer(guli: &Guli, query: Option<&str>, audience: Audience) -> Result<ResolutionOut> {
    let mut params = Params::read(query)?;
    let position = PositionIn::from_params(&mut params)?;
    let category = category(params.text("category").as_deref(), Source::Query)?;
    let limit = params.limit(Pin::DEFAULT_LIMIT, 50)?;
    let out = Out::from_params(&mut params)?;
    let as_of = params.as_of()?;
    let include = match params.text("include").as_deref() {
        None => Include::Nothing,
        Some("open_orders") => Include::OpenOrders,
        Some(other) => {
            let detail = say!("open_orders can be included, got {other:?}", "可以包含的是 open_orders，收到 {other:?}");
            return Err(ServiceError::parameter("include", detail));
        }
    };
    params.finish(KNOWN)?;
    let east = if position.x.is_some() { "x" } else { "lon" };
    let pin = position.pin(Source::Query, category, limit)?;
    let moment = guli.moment(as_of, Reach::Near(pin.position())).await?;
    if include == Include::OpenOrders && as_of.is_some() {
        // All orders of a district are read for it.
        if audience == Audience::Public {
            return Err(ServiceError::unauthenticated());
        }
        guli.recall_orders(&moment).await?;
    }
    let index = moment.registry(guli);
    let outside = |_| guli.outside(pin.position(), At::Parameter(east.to_owned()));
    let found = resolve(index, &pin, out).map_err(outside)?;
    show(index, found, &pin, out, audience, include)
}
