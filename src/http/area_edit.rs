//! Redrawing, naming and removing areas; what it would do before it does it; and the versions that it leaves.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use geo::MultiPolygon;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::areas::{AreaOut, GeometryOut, area_out};
use super::cover_edit::{FieldChangeOut, VersionOut, by};
use super::cover_in::{CodeIn, differences};
use super::edge::Caller;
use super::openapi::{AreaGone, BodyFaults, EditFaults, NotFound, RedrawFaults, say};
use super::page::Items;
use super::params::Params;
use super::problem::Outcome;
use super::wire::{self, Out, Source};
use super::write::{self, InPath};
use super::{App, body, json as answer, to_bytes};
use crate::crs::outline::{MAX_PUBLIC_VERTICES, outline_of};
use crate::crs::{Crs, CrsService};
use crate::domain::id::{CodeError, CommunityCode, DistrictCode, GridCode, SubdistrictCode};
use crate::domain::partition::Ground;
use crate::domain::text::Text;
use crate::service::Guli;
use crate::service::command::Rendered;
use crate::service::edit::Asking;
use crate::service::edit::areas::{AreaEdit, AreaOutcome, Effects, RenderAreas, Run};
use crate::service::error::{Result, ServiceError};
use crate::store::areas::Area;
use crate::store::events::Event;

/// An area as an answer of this service shows it, or without what the registry gives itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AreaIn {
    /// In a redrawing: which grid; a new one gets the next code of its community.
    pub code: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// 责任科室; of grids.
    pub supervising_department: Option<CodeIn>,
    /// A `Polygon` or `MultiPolygon` (`GeoJSON`) in `crs`.
    #[schema(value_type = Object)]
    pub geometry: Value,
    /// The registry's to give.
    pub district: Option<CodeIn>,
    /// The registry's to give.
    pub subdistrict: Option<CodeIn>,
    /// The registry's to give.
    pub community: Option<CodeIn>,
    /// Of a person's duty.
    #[schema(value_type = Option<Object>)]
    pub leader: Option<Value>,
    /// The registry's to give.
    pub version: Option<i64>,
}

/// A patch of an area (RFC 7396).
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "海晏社区第一网格"}))]
pub struct AreaPatch {
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    pub supervising_department: Option<CodeIn>,
    /// A `Polygon` or `MultiPolygon` (`GeoJSON`) in `crs`.
    #[schema(value_type = Option<Object>)]
    pub geometry: Option<Value>,
}

/// Grids redrawn together: what one gives, another takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedrawIn {
    /// Grids as they are to be.
    pub grids: Vec<AreaIn>,
    /// Grids that are to be no more.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// A cover or an order that comes into another grid.
#[derive(Debug, Serialize, ToSchema)]
pub struct MovedOut {
    pub code: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// An area's size, in m² on the ellipsoid.
#[derive(Debug, Serialize, ToSchema)]
pub struct SizeOut {
    pub code: String,
    pub before_m2: f64,
    pub after_m2: f64,
}

/// Ground that is shared, or outside, or nobody's.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroundOut {
    pub code: Option<String>,
    /// The other that would have it too.
    pub other: Option<String>,
    pub area_m2: f64,
    pub geometry: GeometryOut,
}

/// What a change of areas does besides.
#[derive(Debug, Serialize, ToSchema)]
pub struct EffectsOut {
    pub cover_count: usize,
    /// The first 1,000 covers that come into another grid.
    pub covers: Vec<MovedOut>,
    /// Open orders that come into another grid.
    pub orders: Vec<MovedOut>,
    pub sizes: Vec<SizeOut>,
    /// What makes it impossible: ground that two would have,
    pub overlaps: Vec<GroundOut>,
    /// ground outside the area that they lie in,
    pub outside: Vec<GroundOut>,
    /// and ground that would be nobody's.
    pub gaps: Vec<GroundOut>,
}

/// Areas as they now are or would be, and what else changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct RedrawnOut {
    pub dry_run: bool,
    pub areas: Vec<AreaOut>,
    pub effects: EffectsOut,
}

/// Most covers that are named.
const NAMED: usize = 1_000;

fn centimetres2(square_metres: f64) -> f64 {
    (square_metres * 100.0).round() / 100.0
}

fn effects_out(effects: &Effects, out: Out) -> Result<EffectsOut> {
    let ground = |code: Option<u64>, other: Option<u64>, ground: &Ground| -> Result<GroundOut> {
        Ok(GroundOut {
            code: code.map(|code| code.to_string()),
            other: other.map(|code| code.to_string()),
            area_m2: centimetres2(ground.square_metres),
            geometry: GeometryOut::new(&ground.outline, out)?,
        })
    };
    let covers = effects.covers.iter().take(NAMED).map(|moved| MovedOut {
        code: moved.code.to_string(),
        from: moved.from.map(|grid| grid.to_string()),
        to: moved.to.map(|grid| grid.to_string()),
    });
    let orders = effects.orders.iter().map(|(code, from, to)| MovedOut {
        code: code.to_string(),
        from: Some(from.to_string()),
        to: Some(to.to_string()),
    });
    let sizes = effects.sizes.iter().map(|(code, before, after)| SizeOut {
        code: code.to_string(),
        before_m2: centimetres2(*before),
        after_m2: centimetres2(*after),
    });
    let overlaps = effects.overlaps.iter().map(|(code, other, shared)| ground(Some(*code), Some(*other), shared));
    let outside = effects.outside.iter().map(|(code, outside)| ground(Some(*code), None, outside));
    Ok(EffectsOut {
        cover_count: effects.covers.len(),
        covers: covers.collect(),
        orders: orders.collect(),
        sizes: sizes.collect(),
        overlaps: overlaps.collect::<Result<_>>()?,
        outside: outside.collect::<Result<_>>()?,
        gaps: effects.gap.iter().map(|gap| ground(None, None, gap)).collect::<Result<_>>()?,
    })
}

/// What the parameters of an edit say.
struct Asked {
    reason: Option<Text<2000>>,
    crs: Crs,
    out: Out,
    run: Run,
}

fn asked(query: Option<&str>) -> Result<Asked> {
    let mut params = Params::read(query)?;
    let reason = params.text("reason").map(Text::new).transpose();
    let crs = wire::crs(params.text("crs").as_deref(), Source::Query, "crs")?;
    let out = Out::from_params(&mut params)?;
    let run = match params.text("dry_run").as_deref() {
        None | Some("false") => Run::Real,
        Some("true") => Run::Dry,
        Some(other) => return Err(ServiceError::parameter("dry_run", format!("true or false, got {other:?}"))),
    };
    params.finish("reason, crs, out_crs, dry_run")?;
    Ok(Asked { reason: reason.map_err(|error| ServiceError::parameter("reason", error))?, crs, out, run })
}

fn outline(geometry: &Value, crs: Crs, pointer: &str) -> Result<MultiPolygon<f64>> {
    let no = |detail: &dyn ToString| ServiceError::invalid(pointer, detail.to_string());
    let geometry: geojson::Geometry = serde_json::from_value(geometry.clone()).map_err(|error| no(&error))?;
    outline_of(&geometry, crs, CrsService::new(), MAX_PUBLIC_VERTICES).map_err(|error| no(&error))
}

fn department(code: Option<&CodeIn>) -> Option<String> {
    code.map(|code| code.text().to_owned())
}

/// How the answer of an edit of one area, or of several, is written.
fn render(caller: &Caller, asked: &Asked, several: bool) -> RenderAreas {
    let (caller, out, run) = (caller.clone(), asked.out, asked.run);
    let rendered = move |outcome: &AreaOutcome| -> Result<Rendered> {
        let shown = |area: &Area| area_out(&outcome.registry, area, &caller, out);
        let (etag, body) = match (run, outcome.areas.as_slice()) {
            (Run::Real, [area]) if !several => (Some(format!("\"{}\"", area.version)), to_bytes(&shown(area)?)?),
            (Run::Real, []) if !several => {
                return Ok(Rendered { status: 204, location: None, etag: None, body: Vec::new() });
            }
            (run, areas) => {
                let areas = areas.iter().map(shown).collect::<Result<_>>()?;
                let effects = effects_out(&outcome.effects, out)?;
                (None, to_bytes(&RedrawnOut { dry_run: run == Run::Dry, areas, effects })?)
            }
        };
        Ok(Rendered { status: 200, location: None, etag, body })
    };
    Arc::new(move |outcome: &AreaOutcome| write::rendered(rendered(outcome)))
}

/// The area that a path names.
type Named = std::result::Result<(DistrictCode, u64), CodeError>;

fn named(code: Named) -> Result<(DistrictCode, u64)> {
    code.map_err(|e| ServiceError::NotFound(format!("this area ({e})")))
}

impl AreaIn {
    /// The area that this makes of the one that is there: what the registry gives may be sent back.
    fn redraft(&self, area: &Area, crs: Crs) -> Result<Area> {
        let other = |pointer: &str| ServiceError::invalid(pointer, "is the registry's to give and cannot be changed");
        if self.code.as_ref().is_some_and(|code| *code != area.code.to_string()) {
            return Err(other("/code"));
        }
        if self.version.is_some_and(|version| version != area.version) {
            return Err(other("/version"));
        }
        Ok(Area {
            name: self.name.clone(),
            supervising_department: department(self.supervising_department.as_ref()),
            outline: outline(&self.geometry, crs, "/geometry")?,
            ..area.clone()
        })
    }
}

async fn put(app: App, caller: Caller, code: Named, query: Option<String>, headers: HeaderMap, body: Body) -> Outcome {
    let asked = asked(query.as_deref())?;
    caller.known()?;
    let ((district, code), precondition) = (named(code)?, write::precondition(&headers)?);
    let whole: AreaIn = body::parse(&body::bytes(&headers, body).await?)?;
    let (render, crs) = (render(&caller, &asked, false), asked.crs);
    let redraft = Arc::new(move |area: &Area| whole.redraft(area, crs));
    let edit = AreaEdit::Change { code, precondition, redraft };
    let asking = Asking { actor: Arc::clone(&caller.0), reason: asked.reason, idempotency: None };
    write::respond(app.guli.edit_areas(district, edit, asking, asked.run, render).await)
}

async fn patch(
    app: App,
    caller: Caller,
    code: Named,
    query: Option<String>,
    headers: HeaderMap,
    body: Body,
) -> Outcome {
    let asked = asked(query.as_deref())?;
    caller.known()?;
    let ((district, code), precondition) = (named(code)?, write::precondition(&headers)?);
    let bytes = body::patch_bytes(&headers, body).await?;
    let patch: AreaPatch = body::parse(&bytes)?;
    let members: Map<String, Value> = body::parse(&bytes)?;
    for needed in ["name", "geometry"] {
        if members.get(needed).is_some_and(Value::is_null) {
            return Err(ServiceError::invalid(format!("/{needed}"), "cannot be unknown").into());
        }
    }
    let geometry = patch.geometry.as_ref().map(|geometry| outline(geometry, asked.crs, "/geometry")).transpose()?;
    let names_department = members.contains_key("supervising_department");
    let redraft = move |area: &Area| {
        let mut area = area.clone();
        if let Some(name) = &patch.name {
            area.name.clone_from(name);
        }
        if names_department {
            area.supervising_department = department(patch.supervising_department.as_ref());
        }
        if let Some(outline) = &geometry {
            area.outline.clone_from(outline);
        }
        Ok(area)
    };
    let render = render(&caller, &asked, false);
    let edit = AreaEdit::Change { code, precondition, redraft: Arc::new(redraft) };
    let asking = Asking { actor: Arc::clone(&caller.0), reason: asked.reason, idempotency: None };
    write::respond(app.guli.edit_areas(district, edit, asking, asked.run, render).await)
}

async fn delete(app: App, caller: Caller, code: Named, query: Option<String>, headers: HeaderMap) -> Outcome {
    let asked = asked(query.as_deref())?;
    caller.known()?;
    let ((district, code), precondition) = (named(code)?, write::precondition(&headers)?);
    let render = render(&caller, &asked, false);
    let asking = Asking { actor: Arc::clone(&caller.0), reason: asked.reason, idempotency: None };
    let edit = AreaEdit::Remove { code, precondition };
    write::respond(app.guli.edit_areas(district, edit, asking, asked.run, render).await)
}

/// Redraw grids
///
/// Several at once: to split one, give it its new outline and a new grid the rest; to merge two, give one the
/// outline of both and remove the other; to move an edge, give both their new outlines. The ground is shared
/// without gap or overlap before and after. With `dry_run` nothing changes and the answer says what would.
#[utoipa::path(
    post, path = "/v1/grids/redraw", operation_id = "redraw_grids", tag = "registry", security(("key" = [])),
    params(
        ("dry_run" = Option<bool>, Query, description = say::DRY_RUN),
        ("reason" = Option<String>, Query, description = say::REASON),
        ("crs" = Option<String>, Query, description = "Coordinate system of the geometries"),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
        ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
    ),
    request_body = RedrawIn,
    responses(
        (status = 200, description = "The grids as they are or would be", body = RedrawnOut, headers(
            ("Guli-Feed" = String, description = "district:seq of the last event that this wrote"),
        )),
        BodyFaults, RedrawFaults,
    ),
)]
pub async fn redraw(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Outcome {
    let asked = asked(query.as_deref())?;
    caller.known()?;
    let bytes = body::bytes(&headers, body).await?;
    let mut idempotency = write::idempotency(&headers, &caller.0, "/v1/grids/redraw", &bytes)?;
    let redraw: RedrawIn = body::parse(&bytes)?;
    let mut put = Vec::with_capacity(redraw.grids.len());
    for (n, grid) in redraw.grids.iter().enumerate() {
        let at = |member: &str| format!("/grids/{n}/{member}");
        let code = grid.code.as_deref().map(str::parse::<GridCode>).transpose();
        put.push(Area {
            code: code.map_err(|error| ServiceError::invalid(at("code"), error))?.map_or(0, GridCode::number),
            name: grid.name.clone(),
            supervising_department: department(grid.supervising_department.as_ref()),
            outline: outline(&grid.geometry, asked.crs, &at("geometry"))?,
            version: 0,
        });
    }
    let remove = redraw.remove.iter().enumerate().map(|(n, code)| {
        code.parse::<GridCode>().map_err(|error| ServiceError::invalid(format!("/remove/{n}"), error))
    });
    let remove: Vec<GridCode> = remove.collect::<Result<_>>()?;
    let mut codes: Vec<u64> = put.iter().map(|area| area.code).filter(|code| *code > 0).collect();
    codes.extend(remove.iter().map(|code| code.number()));
    let district = district_of(&app, &codes, &put)?;
    codes.sort_unstable();
    if codes.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(ServiceError::invalid("/grids", "a grid is named more than once").into());
    }
    if asked.run == Run::Dry {
        idempotency = None;
    }
    let render = render(&caller, &asked, true);
    let asking = Asking { actor: Arc::clone(&caller.0), reason: asked.reason, idempotency };
    let edit = AreaEdit::Redraw { put, remove };
    write::respond(app.guli.edit_areas(district, edit, asking, asked.run, render).await)
}

/// The one district of grids that are redrawn together.
fn district_of(app: &App, codes: &[u64], put: &[Area]) -> Result<DistrictCode> {
    let mut districts: Vec<DistrictCode> = codes.iter().filter_map(|code| crate::export::district_of(*code)).collect();
    if districts.is_empty() {
        // Only new ones: the district that the first of them lies in.
        let first = put.first().and_then(|area| area.outline.0.first()).and_then(|part| part.exterior().0.first());
        let at = first.and_then(|at| crate::domain::position::Position::new(at.x, at.y).ok());
        let hit = at.and_then(|at| app.guli.context.index.grid_at(at).ok());
        districts.extend(hit.map(|hit| hit.grid.code.district()));
    }
    districts.dedup();
    match districts.as_slice() {
        [district] => Ok(*district),
        [] => Err(ServiceError::invalid("/grids", "there is no grid to redraw")),
        _ => Err(ServiceError::invalid("/grids", "the grids are of more than one district")),
    }
}

/// What may be changed of an area, as JSON.
fn document(area: &Area) -> Result<Value> {
    Ok(json!({
        "name": area.name,
        "supervising_department": area.supervising_department,
        "geometry": json!(GeometryOut::new(&area.outline, Out::default())?),
    }))
}

async fn history(app: App, code: Named, query: Option<String>) -> Outcome {
    Params::read(query.as_deref())?.finish("none")?;
    let (district, code) = named(code)?;
    answer(StatusCode::OK, &history_of(&app.guli, district, code).await?)
}

/// Every version of an area, for whoever asks, over HTTP or at the command line.
pub async fn history_of(guli: &Guli, district: DistrictCode, code: u64) -> Result<Items<VersionOut>> {
    let (states, events) = guli.area_history(district, code).await?;
    let event = |seq: i64| events.iter().find(|event| event.seq == seq);
    let version = |number: i64, event: Option<&Event>, changes: Vec<(String, Value, Value)>| VersionOut {
        version: number,
        at: event.map(Event::at),
        by: event.map(|event| by(guli, event)),
        reason: event.and_then(|event| event.reason.clone()),
        source: event
            .filter(|event| event.kind == "import.applied")
            .map(|event| super::cover_edit::DeliveryOut { import: event.subject.clone(), row: None }),
        changes: changes.into_iter().map(|(pointer, from, to)| FieldChangeOut { pointer, from, to }).collect(),
    };
    let mut items = Vec::with_capacity(states.len() + 1);
    let mut before: Option<Value> = None;
    for state in &states {
        let present = document(&state.area)?;
        let mut changed = Vec::new();
        if let Some(before) = &before {
            differences("", before, &present, &mut changed);
        }
        before = Some(present);
        items.push(version(state.area.version, event(state.seq_from), changed));
    }
    // The last state ended without another: the area was removed.
    if let Some((state, seq)) = states.last().and_then(|last| Some((last, last.seq_to?))) {
        let gone = (String::new(), document(&state.area)?, Value::Null);
        items.push(version(state.area.version + 1, event(seq), vec![gone]));
    }
    Ok(Items { items, next: None })
}

/// A level of areas: what may be done to one of them.
macro_rules! levels {
    ($($put:ident $patch:ident $delete:ident $history:ident $code:ident $path:literal $history_path:literal $example:literal
       $put_doc:literal $patch_doc:literal $delete_doc:literal $history_doc:literal;)*) => {$(
        #[doc = $put_doc]
        ///
        /// The body is the whole area; its outline may not overlap a neighbour's, nor leave ground to nobody.
        #[utoipa::path(
            put, path = $path, tag = "registry", security(("key" = [])),
            params(
                ("code" = String, Path, description = "Its code", example = $example),
                ("dry_run" = Option<bool>, Query, description = say::DRY_RUN),
                ("reason" = Option<String>, Query, description = say::REASON),
                ("crs" = Option<String>, Query, description = "Coordinate system of the geometry"),
                ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
                ("If-Match" = String, Header, description = say::IF_MATCH, example = "\"1\""),
            ),
            request_body = AreaIn,
            responses(
                (status = 200, description = "The area as it now is; with `dry_run` what would change", content(
                    (AreaOut = "application/json"),
                ), headers(("ETag" = String, description = "Its version, for If-Match"))),
                BodyFaults, EditFaults, AreaGone,
            ),
        )]
        pub async fn $put(
            State(app): State<App>, caller: Caller, InPath(code): InPath<String>, RawQuery(query): RawQuery,
            headers: HeaderMap, body: Body,
        ) -> Outcome {
            let code = code.parse::<$code>().map(|code| (code.district(), code.number()));
            put(app, caller, code, query, headers, body).await
        }

        #[doc = $patch_doc]
        ///
        /// JSON Merge Patch (RFC 7396).
        #[utoipa::path(
            patch, path = $path, tag = "registry", security(("key" = [])),
            params(
                ("code" = String, Path, description = "Its code", example = $example),
                ("dry_run" = Option<bool>, Query, description = say::DRY_RUN),
                ("reason" = Option<String>, Query, description = say::REASON),
                ("crs" = Option<String>, Query, description = "Coordinate system of the geometry"),
                ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
                ("If-Match" = String, Header, description = say::IF_MATCH, example = "\"1\""),
            ),
            request_body(content = AreaPatch, content_type = "application/merge-patch+json"),
            responses(
                (status = 200, description = "The area as it now is; with `dry_run` what would change", content(
                    (AreaOut = "application/json"),
                ), headers(("ETag" = String, description = "Its version, for If-Match"))),
                BodyFaults, EditFaults, AreaGone,
            ),
        )]
        pub async fn $patch(
            State(app): State<App>, caller: Caller, InPath(code): InPath<String>, RawQuery(query): RawQuery,
            headers: HeaderMap, body: Body,
        ) -> Outcome {
            let code = code.parse::<$code>().map(|code| (code.district(), code.number()));
            patch(app, caller, code, query, headers, body).await
        }

        #[doc = $delete_doc]
        ///
        /// Only one whose ground nobody needs: else give it to a neighbour in one redrawing.
        #[utoipa::path(
            delete, path = $path, tag = "registry", security(("key" = [])),
            params(
                ("code" = String, Path, description = "Its code", example = $example),
                ("dry_run" = Option<bool>, Query, description = say::DRY_RUN),
                ("reason" = Option<String>, Query, description = say::REASON),
                ("If-Match" = String, Header, description = say::IF_MATCH, example = "\"1\""),
            ),
            responses(
                (status = 200, description = "With `dry_run`: what would change", body = RedrawnOut),
                (status = 204, description = "Removed"),
                EditFaults, RedrawFaults, AreaGone,
            ),
        )]
        pub async fn $delete(
            State(app): State<App>, caller: Caller, InPath(code): InPath<String>, RawQuery(query): RawQuery,
            headers: HeaderMap,
        ) -> Outcome {
            let code = code.parse::<$code>().map(|code| (code.district(), code.number()));
            delete(app, caller, code, query, headers).await
        }

        #[doc = $history_doc]
        ///
        /// Every version with who, when, why and what changed; of a removed one too.
        #[utoipa::path(
            get, path = $history_path, tag = "registry",
            params(("code" = String, Path, description = "Its code", example = $example)),
            responses((status = 200, description = "All versions, the oldest first", body = Items<VersionOut>), NotFound),
        )]
        pub async fn $history(
            State(app): State<App>, _caller: Caller, InPath(code): InPath<String>, RawQuery(query): RawQuery,
        ) -> Outcome {
            let code = code.parse::<$code>().map(|code| (code.district(), code.number()));
            history(app, code, query).await
        }
    )*};
}

levels! {
    put_subdistrict patch_subdistrict delete_subdistrict subdistrict_history SubdistrictCode
        "/v1/subdistricts/{code}" "/v1/subdistricts/{code}/history" "370203005"
        "Change a sub-district (街道) to this" "Change parts of a sub-district (街道)"
        "Remove a sub-district (街道)" "Read the history of a sub-district (街道)";
    put_community patch_community delete_community community_history CommunityCode
        "/v1/communities/{code}" "/v1/communities/{code}/history" "370203005001"
        "Change a community (社区) to this" "Change parts of a community (社区)"
        "Remove a community (社区)" "Read the history of a community (社区)";
    put_grid patch_grid delete_grid grid_history GridCode
        "/v1/grids/{code}" "/v1/grids/{code}/history" "370203005001003"
        "Change a grid (责任网格) to this" "Change parts of a grid (责任网格)"
        "Remove a grid (责任网格)" "Read the history of a grid (责任网格)";
}
