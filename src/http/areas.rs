//! `/v1/districts`, `/v1/subdistricts`, `/v1/communities`, `/v1/grids`: names and boundaries, open to anyone.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use geo::MultiPolygon;
use geo::algorithm::orient::{Direction, Orient as _};
use serde::Serialize;
use utoipa::ToSchema;

use super::edge::Caller;
use super::history::VersionOut;
use super::openapi::{NotFound, say};
use super::page::{DEFAULT_LIMIT, Items, MOST, cursor, of_another_query, read_cursor};
use super::params::Params;
use super::problem::Outcome;
use super::refs::Ref;
use super::wire::{Leader, Out, PositionOut};
use super::write::InPath;
use super::{App, json, set, words};
use crate::domain::grid::District;
use crate::domain::id::{CodeError, CommunityCode, DistrictCode, GridCode, SubdistrictCode};
use crate::domain::position::Position;
use crate::domain::said::{english, say};
use crate::index::Index;
use crate::service::error::{Result, ServiceError};
use crate::service::moment::Reach;
use crate::store::areas::{Area, Level};

/// A boundary: `GeoJSON` (RFC 7946), outer rings counter-clockwise.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "MultiPolygon",
    "coordinates": [[[[120.37, 36.11], [120.38, 36.11], [120.38, 36.12], [120.37, 36.11]]]]
}))]
pub struct GeometryOut {
    #[serde(rename = "type")]
    #[schema(examples("MultiPolygon"))]
    pub kind: &'static str,
    #[schema(schema_with = words::multi_polygon)]
    pub coordinates: Vec<Vec<Vec<[f64; 2]>>>,
}

impl GeometryOut {
    pub(super) fn new(outline: &MultiPolygon<f64>, out: Out) -> Result<Self> {
        let ring =
            |line: &geo::LineString<f64>| line.0.iter().map(|at| pair(at.x, at.y, out)).collect::<Result<Vec<_>>>();
        let oriented = outline.orient(Direction::Default);
        let polygons = oriented.0.iter().map(|polygon| {
            std::iter::once(polygon.exterior()).chain(polygon.interiors()).map(ring).collect::<Result<Vec<_>>>()
        });
        Ok(Self { kind: "MultiPolygon", coordinates: polygons.collect::<Result<_>>()? })
    }
}

pub(super) fn pair(lon: f64, lat: f64, out: Out) -> Result<[f64; 2]> {
    let at = Position::new(lon, lat).map_err(|e| ServiceError::Internal(format!("a boundary: {}", english(e))))?;
    Ok(match out.position(at)? {
        PositionOut::Geographic { lon, lat } => [lon, lat],
        PositionOut::Projected { x, y } => [x, y],
    })
}

/// A district (区县).
#[derive(Debug, Serialize, ToSchema)]
pub struct DistrictOut {
    #[schema(examples("370203"))]
    pub code: String,
    pub name: String,
    pub version: i64,
    pub geometry: GeometryOut,
}

/// A sub-district (街道), community (社区) or grid (责任网格), with the areas that it lies in.
#[derive(Debug, Serialize, ToSchema)]
pub struct AreaOut {
    #[schema(examples("370203005001003"))]
    pub code: String,
    pub name: String,
    pub district: Ref<'static>,
    /// Of communities and grids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdistrict: Option<Ref<'static>>,
    /// Of grids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community: Option<Ref<'static>>,
    /// 责任科室; of grids.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Ref>)]
    pub supervising_department: Option<Option<Ref<'static>>>,
    /// 网格长; of grids, for holders of a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<Leader<'static>>,
    pub version: i64,
    pub geometry: GeometryOut,
}

/// What a path names is no area's code.
pub(super) fn no_area(why: CodeError) -> ServiceError {
    ServiceError::NotFound(say!("this area ({why})", "此区域（{why}）", why = why))
}

pub(super) fn area_out(index: &Index, area: &Area, caller: &Caller, out: Out) -> Result<AreaOut> {
    let number = area.code;
    let grid = GridCode::from_number(number);
    let community = CommunityCode::from_number(number).or(grid.map(CommunityCode::of));
    let subdistrict = SubdistrictCode::from_number(number).or(community.map(SubdistrictCode::of));
    let district = subdistrict.map(SubdistrictCode::district);
    let district = district.and_then(|code| index.districts().into_iter().find(|district| district.code == code));
    let district = district.ok_or_else(|| ServiceError::NotFound(say!("area {number}", "区域 {number}")))?;
    let in_subdistrict = |code| {
        let known = index.subdistrict(code).map(|subdistrict| Ref::named(&subdistrict).into_owned());
        known.unwrap_or_else(|| Ref::nameless(code.to_string()))
    };
    let known = grid.and_then(|code| index.grid(code));
    let leader = known.as_ref().and_then(|grid| grid.leader.clone());
    Ok(AreaOut {
        code: number.to_string(),
        name: area.name.clone(),
        district: Ref::named(&district).into_owned(),
        subdistrict: subdistrict.filter(|code| code.number() != number).map(in_subdistrict),
        community: known.as_ref().map(|grid| Ref::named(&grid.community).into_owned()),
        supervising_department: known
            .as_ref()
            .map(|grid| grid.supervising_department.as_deref().map(|unit| Ref::organization(unit).into_owned())),
        leader: (grid.is_some() && !caller.0.is_anonymous()).then_some(Leader { name: leader.map(Into::into) }),
        version: area.version,
        geometry: GeometryOut::new(&area.outline, out)?,
    })
}

/// Takes the areas that narrow a list, by their digits, in order; of one level and, where they are several, of one district.
pub fn parents(params: &mut Params<'_>, levels: &[&'static str]) -> Result<Vec<u64>> {
    let mut found: Vec<u64> = Vec::new();
    for &level in levels {
        let codes: Vec<u64> = params.list(level, |text| match level {
            "district" => text.parse().map(DistrictCode::number),
            "subdistrict" => text.parse().map(SubdistrictCode::number),
            "community" => text.parse().map(CommunityCode::number),
            _ => text.parse().map(GridCode::number),
        })?;
        if codes.is_empty() {
            continue;
        }
        if !found.is_empty() {
            let detail = say!("areas of one level narrow a list", "只能按同一层级的区域筛选");
            return Err(ServiceError::parameter(level, detail));
        }
        found = codes;
        found.sort_unstable();
        found.dedup();
        let district = |code: Option<&u64>| code.copied().and_then(crate::export::district_of);
        if district(found.first()) != district(found.last()) {
            let detail = say!("areas of one district narrow a list", "只能按同一行政区内的区域筛选");
            return Err(ServiceError::parameter(level, detail));
        }
    }
    Ok(found)
}

/// The district that [`parents`] are of.
pub fn district_of_all(parents: &[u64]) -> Option<DistrictCode> {
    parents.first().copied().and_then(crate::export::district_of)
}

/// The areas that a list goes through: those asked for, or all districts that are served.
fn areas_of(app: &App, parents: Vec<u64>) -> Vec<u64> {
    if parents.is_empty() { app.guli.districts().iter().map(|code| code.number()).collect() } else { parents }
}

/// Takes `cursor` where it is the last code that a page of this list gave.
pub fn after(list: &str, params: &mut Params<'_>) -> Result<Option<String>> {
    params.text("cursor").map(|text| read_cursor(list, &text, 1).map(|mut parts| parts.remove(0))).transpose()
}

/// Takes `cursor` where it is the number that was last.
pub fn after_number(list: &str, params: &mut Params<'_>) -> Result<u64> {
    let broken = |_| of_another_query();
    after(list, params)?.map_or(Ok(0), |text| text.parse().map_err(broken))
}

/// Ends a page of one more than `limit` items of a list; `code` says where the next one begins.
pub fn page<T>(list: &str, mut items: Vec<T>, limit: usize, code: impl Fn(&T) -> String) -> Items<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| cursor(list, &[&code(last)]));
    Items { items, next }
}

async fn list(
    app: App,
    caller: Caller,
    query: Option<String>,
    level: Level,
    parents: &[&'static str],
    known: &str,
) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let out = Out::from_params(&mut params)?;
    let limit = params.limit(DEFAULT_LIMIT, MOST)?;
    let after = after_number(level.plural(), &mut params)?;
    let parents = self::parents(&mut params, parents)?;
    let as_of = params.as_of()?;
    params.finish(known)?;
    let asked = district_of_all(&parents);
    let moment = app.guli.moment(as_of, asked.map_or(Reach::Everywhere, Reach::District)).await?;
    let mut found: Vec<Area> = Vec::new();
    for within in areas_of(&app, parents) {
        let wanted = limit + 1 - found.len();
        found.extend(app.guli.areas(&moment, level, within, after, wanted).await?);
        if found.len() > limit {
            break;
        }
    }
    let Items { items, next } = page(level.plural(), found, limit, |area| area.code.to_string());
    let items = items
        .iter()
        .map(|area| area_out(moment.registry(&app.guli), area, &caller, out))
        .collect::<Result<Vec<_>>>()?;
    json(StatusCode::OK, &Items { items, next })
}

async fn one(
    app: App,
    caller: Caller,
    code: std::result::Result<(DistrictCode, u64), CodeError>,
    query: Option<String>,
) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let out = Out::from_params(&mut params)?;
    let as_of = params.as_of()?;
    params.finish("out_crs, as_of")?;
    let (district, number) = code.map_err(no_area)?;
    let moment = app.guli.moment(as_of, Reach::District(district)).await?;
    let area = app.guli.area(&moment, district, number).await?;
    versioned(area.version, &area_out(moment.registry(&app.guli), &area, &caller, out)?)
}

/// A single resource with its version.
pub fn versioned<T: Serialize>(version: i64, value: &T) -> Outcome {
    let mut response = json(StatusCode::OK, value)?;
    set(&mut response, "etag", &format!("\"{version}\""));
    Ok(response)
}

fn district_out((district, version): &(District, i64), out: Out) -> Result<DistrictOut> {
    Ok(DistrictOut {
        code: district.code.to_string(),
        name: district.name.clone(),
        version: *version,
        geometry: GeometryOut::new(&district.outline, out)?,
    })
}

/// List districts
#[utoipa::path(
    get, path = "/v1/districts", tag = "registry",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = say::LIMIT),
        ("cursor" = Option<String>, Query, description = say::CURSOR),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
        ("as_of" = Option<jiff::Timestamp>, Query, description = say::AS_OF),
    ),
    responses((status = 200, description = "A page, by code", body = Items<DistrictOut>)),
)]
pub async fn districts(State(app): State<App>, _caller: Caller, RawQuery(query): RawQuery) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let out = Out::from_params(&mut params)?;
    let limit = params.limit(DEFAULT_LIMIT, MOST)?;
    let after = after_number("districts", &mut params)?;
    let as_of = params.as_of()?;
    params.finish("limit, cursor, out_crs, as_of")?;
    let mut wanted = app.guli.districts();
    wanted.retain(|district| district.number() > after);
    let Items { items: wanted, next } = page("districts", wanted, limit, ToString::to_string);
    let moment = app.guli.moment(as_of, Reach::Districts(&wanted)).await?;
    let items = app.guli.district_versions(&moment, &wanted).await?;
    let items = items.iter().map(|district| district_out(district, out)).collect::<Result<Vec<_>>>()?;
    json(StatusCode::OK, &Items { items, next })
}

/// Read a district
#[utoipa::path(
    get, path = "/v1/districts/{code}", tag = "registry",
    params(
        ("code" = String, Path, description = "Six digits of GB/T 2260", example = "370203"),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
        ("as_of" = Option<jiff::Timestamp>, Query, description = say::AS_OF),
    ),
    responses(
        (status = 200, description = "The district", body = DistrictOut, headers(
            ("ETag" = String, description = "Its version, in quotes"),
        )),
        NotFound,
    ),
)]
pub async fn district(
    State(app): State<App>,
    _caller: Caller,
    InPath(code): InPath<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let out = Out::from_params(&mut params)?;
    let as_of = params.as_of()?;
    params.finish("out_crs, as_of")?;
    let hidden = || ServiceError::NotFound(say!("this district", "此行政区"));
    let code: DistrictCode = code.parse().map_err(|_| hidden())?;
    let moment = app.guli.moment(as_of, Reach::District(code)).await?;
    let found = app.guli.district_versions(&moment, &[code]).await?.pop().ok_or_else(hidden)?;
    versioned(found.1, &district_out(&found, out)?)
}

/// Read the history of a district
///
/// Every version of its name and outline with who, when, why and what changed.
#[utoipa::path(
    get, path = "/v1/districts/{code}/history", tag = "registry", security(("key" = [])),
    params(("code" = String, Path, description = "Six digits of GB/T 2260", example = "370203")),
    responses((status = 200, description = "All versions, the oldest first", body = Items<VersionOut>), NotFound),
)]
pub async fn district_history(
    State(app): State<App>,
    caller: Caller,
    InPath(code): InPath<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    super::area_edit::history(app, caller, code.parse::<DistrictCode>().map(|code| (code, code.number())), query).await
}

/// A level of areas: its list and its single read.
macro_rules! levels {
    ($($list:ident $one:ident $level:ident $code:ident $path:literal $one_path:literal $example:literal
       [$($parent:literal),*] $known:literal $list_doc:literal $one_doc:literal;)*) => {$(
        #[doc = $list_doc]
        #[utoipa::path(
            get, path = $path, tag = "registry",
            params(
                $(($parent = Option<String>, Query, description = say::IN_AREA),)*
                ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = say::LIMIT),
                ("cursor" = Option<String>, Query, description = say::CURSOR),
                ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
                ("as_of" = Option<jiff::Timestamp>, Query, description = say::AS_OF),
            ),
            responses((status = 200, description = "A page, by code", body = Items<AreaOut>), NotFound),
        )]
        pub async fn $list(
            State(app): State<App>,
            caller: Caller,
            RawQuery(query): RawQuery,
        ) -> Outcome {
            list(app, caller, query, Level::$level, &[$($parent),*], $known).await
        }

        #[doc = $one_doc]
        #[utoipa::path(
            get, path = $one_path, tag = "registry",
            params(
                ("code" = String, Path, description = "Its code", example = $example),
                ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
                ("as_of" = Option<jiff::Timestamp>, Query, description = say::AS_OF),
            ),
            responses(
                (status = 200, description = "The area", body = AreaOut, headers(
                    ("ETag" = String, description = "Its version, in quotes"),
                )),
                NotFound,
            ),
        )]
        pub async fn $one(
            State(app): State<App>,
            caller: Caller,
            InPath(code): InPath<String>,
            RawQuery(query): RawQuery,
        ) -> Outcome {
            let code = code.parse::<$code>().map(|code| (code.district(), code.number()));
            one(app, caller, code, query).await
        }
    )*};
}

levels! {
    subdistricts subdistrict Subdistrict SubdistrictCode "/v1/subdistricts" "/v1/subdistricts/{code}" "370203005"
        ["district"] "district, limit, cursor, out_crs, as_of" "List sub-districts (街道)" "Read a sub-district (街道)";
    communities community Community CommunityCode "/v1/communities" "/v1/communities/{code}" "370203005001"
        ["district", "subdistrict"] "district, subdistrict, limit, cursor, out_crs, as_of"
        "List communities (社区)" "Read a community (社区)";
    grids grid Grid GridCode "/v1/grids" "/v1/grids/{code}" "370203005001003"
        ["district", "subdistrict", "community"] "district, subdistrict, community, limit, cursor, out_crs, as_of"
        "List grids (责任网格)" "Read a grid (责任网格)";
}
