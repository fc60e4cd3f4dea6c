//! `/v1/work-orders`: reading them.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use jiff::Timestamp;

use super::edge::Caller;
use super::openapi::{NotFound, say};
use super::order_out::{Shower, WorkOrderItem, WorkOrderOut};
use super::page::{DEFAULT_LIMIT, Items, MOST, cursor, of_another_query, read_cursor};
use super::params::Params;
use super::problem::Outcome;
use super::wire::{self, Out, Source};
use super::write::InPath;
use super::{App, json, set};
use crate::crs::{Crs, CrsService};
use crate::domain::catalog::DamageCode;
use crate::domain::id::{CodeError, CoverCode, DistrictCode, OrderCode};
use crate::domain::order::{Assignee, Status};
use crate::domain::said::say;
use crate::service::error::{Result, ServiceError};
use crate::service::moment::Reach;
use crate::service::orders::{After, ListOrders, Near, OrderSort};

const DEFAULT_RADIUS_M: f64 = 500.0;
const MOST_RADIUS_M: f64 = 20_000.0;

/// The code of an order in a path; a mistyped one does not exist.
pub fn code(text: &str) -> Result<OrderCode> {
    let shown: String = text.chars().take(40).collect();
    text.parse().map_err(|why: CodeError| {
        ServiceError::NotFound(say!("work order {shown} ({why})", "工单 {shown}（{why}）", why = why))
    })
}

fn near(params: &mut Params<'_>, crs: Crs) -> Result<Option<Near>> {
    let radius = params.number("radius_m")?;
    let Some(text) = params.text("near") else {
        let alone = |_| ServiceError::parameter("radius_m", say!("radius_m needs near", "radius_m 需要 near"));
        return radius.map_or(Ok(None), |radius| Err(alone(radius)));
    };
    let numbers: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    let Some([east, north]) = numbers.as_deref().and_then(|numbers| <[f64; 2]>::try_from(numbers).ok()) else {
        let detail = say!("two numbers, east then north, got {text:?}", "应为两个数，先东后北，收到 {text:?}");
        return Err(ServiceError::parameter("near", detail));
    };
    let at = CrsService::new().to_wgs84(crs, east, north).map_err(|e| ServiceError::parameter("near", e))?;
    let radius_m = radius.unwrap_or(DEFAULT_RADIUS_M);
    if !(1.0..=MOST_RADIUS_M).contains(&radius_m) {
        let detail = say!(
            "radius_m must lie between 1 and 20000, got {radius_m}",
            "radius_m 必须在 1 到 20000 之间，收到 {radius_m}"
        );
        return Err(ServiceError::parameter("radius_m", detail));
    }
    Ok(Some(Near { at, radius_m }))
}

/// Statuses, where `open` stands for all that are neither closed nor cancelled.
pub(super) fn statuses(params: &mut Params<'_>) -> Result<Vec<Status>> {
    let groups = params.list("status", |word| match word {
        "open" => Ok(Status::ALL.iter().copied().filter(|status| status.is_open()).collect()),
        word => Status::parse(word).map(|status| vec![status]).ok_or_else(|| {
            let known = Status::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ");
            say!("one of open, {known}, got {word:?}", "应为 open, {known} 之一，收到 {word:?}")
        }),
    })?;
    Ok(groups.into_iter().flatten().collect())
}

/// Codes of units, grids and sub-districts that must act.
pub(super) fn units(params: &mut Params<'_>) -> Result<Vec<String>> {
    params.list("unit", |code| {
        let unit = Assignee::parse(code).map(|unit| unit.code());
        unit.ok_or_else(|| say!("{code:?} is no code of a unit", "{code:?} 不是单位编码"))
    })
}

pub(super) fn damages(params: &mut Params<'_>) -> Result<Vec<String>> {
    params.list("damage", |code| {
        let damage = DamageCode::new(code).map(|code| code.to_string());
        damage.ok_or_else(|| say!("{code:?} is no damage", "{code:?} 不是问题类型"))
    })
}

fn sort(params: &mut Params<'_>, near: Option<Near>) -> Result<OrderSort> {
    match params.text("sort").as_deref() {
        None | Some("code") => Ok(OrderSort::Code),
        Some("due") => Ok(OrderSort::Due),
        Some("updated") => Ok(OrderSort::Updated),
        Some("distance") if near.is_some() => Ok(OrderSort::Distance),
        Some("distance") => {
            Err(ServiceError::parameter("sort", say!("sort=distance needs near", "sort=distance 需要 near")))
        }
        Some(other) => {
            let detail = say!(
                "code, due, distance or updated, got {other:?}",
                "应为 code、due、distance 或 updated，收到 {other:?}"
            );
            Err(ServiceError::parameter("sort", detail))
        }
    }
}

const fn sort_word(sort: OrderSort) -> &'static str {
    match sort {
        OrderSort::Code => "code",
        OrderSort::Due => "due",
        OrderSort::Distance => "distance",
        OrderSort::Updated => "updated",
    }
}

fn after(params: &mut Params<'_>, sort: OrderSort) -> Result<Option<After>> {
    let Some(text) = params.text("cursor") else { return Ok(None) };
    let parts = read_cursor("work-orders", &text, 4)?;
    let district: Option<DistrictCode> = parts[1].parse().ok();
    let (Some(district), Ok(value), Ok(number)) = (district, parts[2].parse(), parts[3].parse()) else {
        return Err(of_another_query());
    };
    if parts[0] == sort_word(sort) { Ok(Some(After { district, value, number })) } else { Err(of_another_query()) }
}

const KNOWN: &str = "near, radius_m, crs, out_crs, status, unit, grid, cover, damage, overdue, updated_after, \
    opened_after, sort, as_of, limit, cursor";

/// What is asked for: narrowed to covers by codes, as of when, and how it is to look.
struct Asked {
    orders: ListOrders,
    covers: Vec<CoverCode>,
    as_of: Option<Timestamp>,
    out: Out,
}

fn asked(mut params: Params<'_>) -> Result<Asked> {
    let crs = wire::crs(params.text("crs").as_deref(), Source::Query, "crs")?;
    let out = Out::from_params(&mut params)?;
    let near = near(&mut params, crs)?;
    let sort = sort(&mut params, near)?;
    let orders = ListOrders {
        near,
        bounds: None,
        statuses: statuses(&mut params)?,
        units: units(&mut params)?,
        grids: params.list("grid", str::parse)?,
        covers: Vec::new(),
        damages: damages(&mut params)?,
        overdue: params.flag("overdue")?,
        updated_after: params.instant("updated_after")?,
        opened_after: params.instant("opened_after")?,
        sort,
        after: after(&mut params, sort)?,
        limit: params.limit(DEFAULT_LIMIT, MOST)?,
    };
    let covers = params.list("cover", str::parse)?;
    let as_of = params.as_of()?;
    params.finish(KNOWN)?;
    Ok(Asked { orders, covers, as_of, out })
}

/// List work orders
///
/// What the caller may see. Filters take several values, separated by commas.
#[utoipa::path(
    get, path = "/v1/work-orders", operation_id = "work_orders", tag = "work orders", security(("key" = [])),
    params(
        ("near" = Option<String>, Query, description = "east,north in `crs`", example = "120.33641,36.11537"),
        (
            "radius_m" = Option<f64>, Query, minimum = 1, maximum = 20000,
            description = "Around `near`; 500 unless said otherwise",
        ),
        ("crs" = Option<String>, Query, description = "Coordinate system of `near`"),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
        (
            "status" = Option<String>, Query,
            description = "Statuses; `open` is neither closed nor cancelled", example = "arrived,secured",
        ),
        ("unit" = Option<String>, Query, description = "Codes of responsible units, grids or sub-districts"),
        ("grid" = Option<String>, Query, description = "Codes of grids"),
        ("cover" = Option<String>, Query, description = "Codes of covers (2013 or 2026), also those that they once had"),
        ("damage" = Option<String>, Query, description = "Damages", example = "missing,broken"),
        ("overdue" = Option<bool>, Query, description = "Past its limit, or not"),
        ("updated_after" = Option<Timestamp>, Query, description = "Changed after this instant"),
        ("opened_after" = Option<Timestamp>, Query, description = "Opened after this instant"),
        ("sort" = Option<String>, Query, description = "code, due, updated, or distance (needs `near`); code unless said"),
        ("as_of" = Option<Timestamp>, Query, description = say::AS_OF),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = say::LIMIT),
        ("cursor" = Option<String>, Query, description = say::CURSOR),
    ),
    responses((status = 200, description = "A page", body = Items<WorkOrderItem>)),
)]
pub async fn list(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Outcome {
    let Asked { orders: mut asked, covers, as_of, out } = asked(Params::read(query.as_deref())?)?;
    caller.known()?;
    app.guli.know_damages(&asked.damages)?;
    let districts = app.guli.order_districts(&caller.0, &asked.grids);
    let moment = app.guli.moment(as_of, Reach::Districts(&districts)).await?;
    asked.covers = app.guli.covers_called(&moment, &covers).await?;
    let page = app.guli.list_orders(&caller.0, &moment, &asked).await?;
    let shower = Shower { app, actor: caller.0, moment, out };
    let items = page.items.iter().map(|item| shower.item(item, page.now)).collect::<Result<Vec<_>>>()?;
    let next = page.next.map(|after| {
        let (district, value, number) = (after.district.to_string(), after.value.to_string(), after.number.to_string());
        cursor("work-orders", &[sort_word(asked.sort), &district, &value, &number])
    });
    json(StatusCode::OK, &Items { items, next })
}

/// Read a work order
#[utoipa::path(
    get, path = "/v1/work-orders/{code}", operation_id = "work_order", tag = "work orders", security(("key" = [])),
    params(
        ("code" = String, Path, description = "Code of the order", example = "WO-370203-261123-00042-3"),
        ("as_of" = Option<Timestamp>, Query, description = say::AS_OF),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
    ),
    responses(
        (status = 200, description = "The whole order", body = WorkOrderOut, headers(
            ("ETag" = String, description = "Its version, for If-Match"),
        )),
        NotFound,
    ),
)]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    InPath(text): InPath<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let out = Out::from_params(&mut params)?;
    let as_of = params.as_of()?;
    params.finish("out_crs, as_of")?;
    caller.known()?;
    let (view, moment) = app.guli.order(&caller.0, as_of, code(&text)?).await?;
    let shower = Shower { app, actor: Arc::clone(&caller.0), moment, out };
    let mut response = json(StatusCode::OK, &shower.whole(&view)?)?;
    set(&mut response, "etag", &format!("\"{}\"", view.order.version));
    Ok(response)
}
