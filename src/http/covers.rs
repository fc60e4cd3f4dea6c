//! `/v1/covers`: reading, for holders of a key.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;

use super::areas::{after_number, district_of_all, parents, versioned};
use super::edge::Caller;
use super::openapi::{Forbidden, Gone, Moved, NotFound, say};
use super::page::{DEFAULT_LIMIT, Items, MOST, bbox, cursor, of_another_query};
use super::params::Params;
use super::problem::Outcome;
use super::wire::{self, CoverOut, Out, Source};
use super::write::{InPath, moved};
use super::{App, json, rendered};
use crate::domain::cover::Status;
use crate::domain::id::{CodeError, CoverCode, DistrictCode};
use crate::domain::said::say;
use crate::domain::text::Text;
use crate::service::error::{Result, ServiceError};
use crate::service::moment::Reach;
use crate::store::areas::Level;
use crate::store::covers::Wanted;

const COVERS: &str = "q, category, owner, responsible_unit, status, district, subdistrict, community, grid, bbox, crs, \
    out_crs, as_of, limit, cursor";

pub(super) fn codes<T: std::fmt::Display + std::str::FromStr<Err = CodeError>>(
    params: &mut Params<'_>,
    name: &str,
) -> Result<Vec<T>> {
    params.list(name, str::parse)
}

/// Statuses of covers that are listed.
pub(super) fn cover_statuses(params: &mut Params<'_>) -> Result<Vec<Status>> {
    params.list("status", |word| {
        let listed = [Status::Planned, Status::InService, Status::Abandoned];
        super::params::word(word, &listed, Status::as_str)
    })
}

fn wanted(params: &mut Params<'_>, limit: usize) -> Result<(Wanted, Option<DistrictCode>)> {
    let crs = wire::crs(params.text("crs").as_deref(), Source::Query, "crs")?;
    let after = after_number("covers", params)?;
    let after = (after != 0).then(|| CoverCode::from_number(after).ok_or_else(of_another_query)).transpose()?;
    let parents = parents(params, &["district", "subdistrict", "community", "grid"])?;
    let wanted = Wanted {
        grids: Level::Grid.within_all(&parents),
        bounds: bbox(params, crs)?,
        categories: codes(params, "category")?,
        owners: codes(params, "owner")?,
        responsible_units: codes(params, "responsible_unit")?,
        statuses: cover_statuses(params)?,
        words: Vec::new(),
        after,
        limit: i64::try_from(limit).unwrap_or(1_000),
    };
    Ok((wanted, district_of_all(&parents)))
}

/// Words that are looked for at once.
const MOST_WORDS: usize = 8;

/// What is looked for, in words.
fn words(params: &mut Params<'_>) -> Result<Vec<String>> {
    let text = params.text("q").map(Text::<100>::new).transpose();
    let text = text.map_err(|error| ServiceError::parameter("q", error))?;
    let words: std::collections::BTreeSet<&str> =
        text.iter().flat_map(|text| text.as_str().split_whitespace()).collect();
    if words.len() > MOST_WORDS {
        return Err(ServiceError::parameter("q", say!("at most {MOST_WORDS} words", "最多 {MOST_WORDS} 个词")));
    }
    Ok(words.into_iter().map(str::to_owned).collect())
}

/// List covers
///
/// Filters take several values, separated by commas. Removed covers are not listed.
#[utoipa::path(
    get, path = "/v1/covers", tag = "registry", security(("key" = [])),
    params(
        (
            "q" = Option<String>, Query, max_length = 100, example = "雨水",
            description = "Words that are all said of the cover: the beginning of its code, its whole code of 2026 or \
                one that it once had, its number at a department, its category, owner or responsible unit",
        ),
        ("category" = Option<String>, Query, description = "Categories", example = "0103,0104"),
        ("owner" = Option<String>, Query, description = "Codes of owners (产权单位)"),
        ("responsible_unit" = Option<String>, Query, description = "Codes of responsible units (责任单位)"),
        ("status" = Option<String>, Query, description = "planned, in_service, abandoned"),
        ("district" = Option<String>, Query, description = say::IN_AREA),
        ("subdistrict" = Option<String>, Query, description = say::IN_AREA),
        ("community" = Option<String>, Query, description = say::IN_AREA),
        ("grid" = Option<String>, Query, description = say::IN_AREA),
        (
            "bbox" = Option<String>, Query,
            description = "west,south,east,north in `crs`", example = "120.37,36.11,120.39,36.13",
        ),
        ("as_of" = Option<jiff::Timestamp>, Query, description = say::AS_OF),
        ("crs" = Option<String>, Query, description = "Coordinate system of `bbox`"),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = say::LIMIT),
        ("cursor" = Option<String>, Query, description = say::CURSOR),
    ),
    responses((status = 200, description = "A page, by code", body = Items<CoverOut<'static>>), Forbidden, NotFound),
)]
pub async fn covers(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let out = Out::from_params(&mut params)?;
    let as_of = params.as_of()?;
    let limit = params.limit(DEFAULT_LIMIT, MOST)?;
    let (mut wanted, asked) = wanted(&mut params, limit)?;
    let words = words(&mut params)?;
    params.finish(COVERS)?;
    caller.known()?;
    let districts = app.guli.cover_districts(&caller.0, asked)?;
    let moment = app.guli.moment(as_of, asked.map_or(Reach::Everywhere, Reach::District)).await?;
    let (mut covers, mut next) = (Vec::new(), None);
    for (district, left) in districts.iter().zip((0..districts.len()).rev()) {
        let page = app.guli.covers(&caller.0, &moment, *district, &wanted, &words).await?;
        covers.extend(page.covers);
        wanted.after = page.end.or(wanted.after);
        wanted.limit -= page.read;
        if page.more || (wanted.limit == 0 && left > 0) {
            next = wanted.after.map(|code| cursor("covers", &[&code.number().to_string()]));
            break;
        }
    }
    let items = covers.iter().map(|cover| rendered::cover(cover, out)).collect::<Result<Vec<_>>>()?;
    json(StatusCode::OK, &Items { items, next })
}

/// Read a cover
#[utoipa::path(
    get, path = "/v1/covers/{code}", tag = "registry", security(("key" = [])),
    params(
        ("as_of" = Option<jiff::Timestamp>, Query, description = say::AS_OF),
        ("code" = String, Path, description = "16 digits (2013) or 17 (2026)", example = "3702030103000123"),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
    ),
    responses(
        (status = 200, description = "The cover", body = CoverOut, headers(
            ("ETag" = String, description = "Its version, in quotes"),
        )),
        Moved, Forbidden, NotFound, Gone,
    ),
)]
pub async fn cover(
    State(app): State<App>,
    caller: Caller,
    InPath(code): InPath<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let out = Out::from_params(&mut params)?;
    let as_of = params.as_of()?;
    params.finish("out_crs, as_of")?;
    caller.known()?;
    let code = super::cover_edit::code(&code)?;
    let moment = app.guli.moment(as_of, Reach::District(code.district())).await?;
    let cover = match app.guli.cover(&caller.0, &moment, code) {
        Ok(cover) => cover,
        Err(ServiceError::NotFound(hidden)) => {
            let then = app.guli.code_then(&caller.0, &moment, code).await?;
            let way = then.map(|then| moved(&format!("/v1/covers/{then}"), query.as_deref()));
            return way.ok_or_else(|| ServiceError::NotFound(hidden).into());
        }
        Err(gone @ ServiceError::Gone { .. }) => {
            let kept = app.guli.merged_into(&moment, code).await?;
            let way = kept.map(|kept| moved(&format!("/v1/covers/{kept}"), query.as_deref()));
            return way.ok_or_else(|| gone.into());
        }
        Err(other) => return Err(other.into()),
    };
    versioned(cover.version, &CoverOut::new(&cover, out)?)
}
