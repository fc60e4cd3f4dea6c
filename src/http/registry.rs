//! `/v1/organizations`, `/v1/people`, `/v1/covers`: for holders of a key.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::areas::{after, after_number, page, parent, versioned};
use super::edge::Caller;
use super::openapi::{CoverGone, Forbidden, Moved, NotFound, say};
use super::page::{DEFAULT_LIMIT, Items, MOST, bbox, cursor};
use super::params::Params;
use super::problem::Outcome;
use super::wire::{self, CoverOut, Out, Source};
use super::write::{InPath, moved};
use super::{App, json, words};
use crate::domain::cover::Status;
use crate::domain::id::{CodeError, CoverCode, OrgCode};
use crate::domain::organization::Organization;
use crate::service::error::{Fault, Result, ServiceError};
use crate::service::moment::Reach;
use crate::service::registry::PersonRecord;
use crate::store::covers::Wanted;

/// An organisation (单位).
#[derive(Debug, Serialize, ToSchema)]
pub struct OrganizationOut {
    #[schema(examples("370203-WAT01"))]
    pub code: String,
    pub name: String,
    #[schema(schema_with = words::org_kind)]
    pub kind: &'static str,
    /// 统一社会信用代码
    pub credit_code: Option<String>,
    pub version: i64,
}

impl From<&Organization> for OrganizationOut {
    fn from(organization: &Organization) -> Self {
        Self {
            code: organization.code.to_string(),
            name: organization.name.clone(),
            kind: organization.kind.as_str(),
            credit_code: organization.credit_code.clone(),
            version: organization.version,
        }
    }
}

/// List organisations
#[utoipa::path(
    get, path = "/v1/organizations", tag = "registry", security(("key" = [])),
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = say::LIMIT),
        ("cursor" = Option<String>, Query, description = say::CURSOR),
    ),
    responses((status = 200, description = "A page, by code", body = Items<OrganizationOut>), Forbidden, NotFound),
)]
pub async fn organizations(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let limit = params.limit(DEFAULT_LIMIT, MOST)?;
    let after = after(&mut params)?.unwrap_or_default();
    params.finish("limit, cursor")?;
    let found = app.guli.organizations(&caller.0, &after, limit + 1).await?;
    let found = found.iter().map(OrganizationOut::from).collect();
    json(StatusCode::OK, &page(found, limit, |organization: &OrganizationOut| organization.code.clone()))
}

/// Read an organisation
#[utoipa::path(
    get, path = "/v1/organizations/{code}", tag = "registry", security(("key" = [])),
    params(("code" = String, Path, description = "Its code", example = "370203-WAT01")),
    responses(
        (status = 200, description = "The organisation", body = OrganizationOut, headers(
            ("ETag" = String, description = "Its version, in quotes"),
        )),
        Forbidden, NotFound,
    ),
)]
pub async fn organization(
    State(app): State<App>,
    caller: Caller,
    InPath(code): InPath<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    Params::read(query.as_deref())?.finish("none")?;
    caller.known()?;
    let code: OrgCode =
        code.parse().map_err(|e: CodeError| ServiceError::NotFound(format!("this organization ({e})")))?;
    let organization = app.guli.organization(&caller.0, &code)?;
    versioned(organization.version, &OrganizationOut::from(&*organization))
}

/// What a person does for an area (职责).
#[derive(Debug, Serialize, ToSchema)]
pub struct DutyOut {
    #[schema(schema_with = words::duty)]
    pub kind: &'static str,
    /// Code of a sub-district, community or grid.
    #[schema(examples("370203005001003"))]
    pub area: String,
}

/// A person with duties.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonOut {
    #[schema(format = "uuid")]
    pub code: String,
    pub name: Option<String>,
    pub phone: Option<String>,
    pub duties: Vec<DutyOut>,
    pub version: i64,
}

impl From<PersonRecord> for PersonOut {
    fn from(person: PersonRecord) -> Self {
        let duties = person.duties.into_iter().map(|duty| DutyOut { kind: duty.kind.as_str(), area: duty.area });
        Self {
            code: person.id,
            name: person.name,
            phone: person.phone,
            duties: duties.collect(),
            version: person.version,
        }
    }
}

/// List people with duties
///
/// Names and phones are personal data: reading them is logged.
#[utoipa::path(
    get, path = "/v1/people", tag = "registry", security(("key" = [])),
    params(
        ("district" = Option<String>, Query, description = say::IN_DUTY),
        ("subdistrict" = Option<String>, Query, description = say::IN_DUTY),
        ("community" = Option<String>, Query, description = say::IN_DUTY),
        ("grid" = Option<String>, Query, description = say::IN_DUTY),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = say::LIMIT),
        ("cursor" = Option<String>, Query, description = say::CURSOR),
    ),
    responses((status = 200, description = "A page, by code", body = Items<PersonOut>), Forbidden, NotFound),
)]
pub async fn people(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let limit = params.limit(DEFAULT_LIMIT, MOST)?;
    let after = after(&mut params)?.unwrap_or_default();
    let parent = parent(&mut params, &["district", "subdistrict", "community", "grid"])?;
    params.finish("district, subdistrict, community, grid, limit, cursor")?;
    let within = parent.map(|code| code.to_string()).unwrap_or_default();
    let found = app.guli.people(&caller.0).await?.into_iter();
    let found = found.filter(|person| person.id > after);
    let found = found.filter(|person| person.duties.iter().any(|duty| duty.area.starts_with(&within)));
    let found = found.take(limit + 1).map(PersonOut::from).collect();
    json(StatusCode::OK, &page(found, limit, |person: &PersonOut| person.code.clone()))
}

/// Read a person
#[utoipa::path(
    get, path = "/v1/people/{code}", tag = "registry", security(("key" = [])),
    params(
        ("code" = String, Path, description = "Identity", example = "01890a5d-ac96-774b-bcce-b302099a8057"),
    ),
    responses(
        (status = 200, description = "The person", body = PersonOut, headers(
            ("ETag" = String, description = "Its version, in quotes"),
        )),
        Forbidden, NotFound,
    ),
)]
pub async fn person(
    State(app): State<App>,
    caller: Caller,
    InPath(code): InPath<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    Params::read(query.as_deref())?.finish("none")?;
    let found = app.guli.people(&caller.0).await?.into_iter().find(|person| person.id == code);
    let person = found.ok_or_else(|| ServiceError::NotFound("this person".to_owned()))?;
    versioned(person.version, &PersonOut::from(person))
}

const COVERS: &str = "category, owner, responsible_unit, status, district, subdistrict, community, grid, bbox, crs, \
    out_crs, as_of, limit, cursor";

pub(super) fn codes<T: std::fmt::Display + std::str::FromStr<Err = CodeError>>(
    params: &mut Params<'_>,
    name: &str,
) -> Result<Vec<T>> {
    params.list(name, |code| code.parse().map_err(|e: CodeError| e.to_string()))
}

/// Statuses of covers that are listed.
pub(super) fn cover_statuses(params: &mut Params<'_>) -> Result<Vec<Status>> {
    params.list("status", |word| {
        let listed = Status::parse(word).filter(|status| *status != Status::Removed);
        listed.ok_or_else(|| format!("{word:?} is none of planned, in_service, abandoned"))
    })
}

fn wanted(params: &mut Params<'_>, limit: usize) -> Result<(Wanted, Option<u64>)> {
    let crs = wire::crs(params.text("crs").as_deref(), Source::Query, "crs")?;
    let broken = || ServiceError::Malformed(Fault::parameter("cursor", "this cursor belongs to another query"));
    let after = after_number(params)?;
    let after = (after != 0).then(|| CoverCode::from_number(after).ok_or_else(broken)).transpose()?;
    let parent = parent(params, &["district", "subdistrict", "community", "grid"])?;
    let wanted = Wanted {
        grids: parent.filter(|&code| code > 999_999).map(|code| crate::store::areas::Level::Grid.within(code)),
        bounds: bbox(params, crs)?,
        categories: codes(params, "category")?,
        owners: codes(params, "owner")?,
        responsible_units: codes(params, "responsible_unit")?,
        statuses: cover_statuses(params)?,
        after,
        limit: i64::try_from(limit).unwrap_or(1_000),
    };
    Ok((wanted, parent))
}

/// List covers
///
/// Filters take several values, separated by commas. Removed covers are not listed.
#[utoipa::path(
    get, path = "/v1/covers", tag = "registry", security(("key" = [])),
    params(
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
    let (mut wanted, parent) = wanted(&mut params, limit)?;
    params.finish(COVERS)?;
    caller.known()?;
    let asked = parent.and_then(crate::export::district_of);
    let districts = app.guli.cover_districts(&caller.0, asked)?;
    let moment = app.guli.moment(as_of, asked.map_or(Reach::Everywhere, Reach::District)).await?;
    let (mut covers, mut next) = (Vec::new(), None);
    for (district, left) in districts.iter().zip((0..districts.len()).rev()) {
        let page = app.guli.covers(&caller.0, &moment, *district, &wanted).await?;
        covers.extend(page.covers);
        wanted.after = page.end.or(wanted.after);
        wanted.limit -= page.read;
        if page.more || (wanted.limit == 0 && left > 0) {
            next = wanted.after.map(|code| cursor(&[&code.number().to_string()]));
            break;
        }
    }
    let items = covers.iter().map(|cover| CoverOut::new(cover, out)).collect::<Result<Vec<_>>>()?;
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
        Moved, Forbidden, NotFound, CoverGone,
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
    let code: CoverCode = code.parse().map_err(|e: CodeError| ServiceError::NotFound(format!("this cover ({e})")))?;
    let moment = app.guli.moment(as_of, Reach::District(code.district())).await?;
    let cover = match app.guli.cover(&caller.0, &moment, code) {
        Ok(cover) => cover,
        Err(ServiceError::NotFound(hidden)) if as_of.is_none() => match app.guli.present_code(&caller.0, code).await? {
            Some(present) => return Ok(moved(&format!("/v1/covers/{present}"), query.as_deref())),
            None => return Err(ServiceError::NotFound(hidden).into()),
        },
        Err(other) => return Err(other.into()),
    };
    versioned(cover.version, &CoverOut::new(&cover, out)?)
}
