//! Redrawing, naming and removing areas; what it would do before it does it; and the versions that it leaves.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};

use super::area_in::{AreaIn, AreaPatch, RedrawIn, department, only_of_grids, outline};
use super::areas::{AreaOut, GeometryOut, no_area};
use super::edge::Caller;
use super::history::{Reader, VersionOut, Was, versions};
use super::openapi::{BodyFaults, EditFaults, Gone, NotFound, RedrawFaults, StaleGrid, say};
use super::page::Items;
use super::params::Params;
use super::problem::Outcome;
use super::redraw_out::{AreaAnswer, RedrawnOut, View, render_new, render_one, render_several};
use super::wire::{self, Out, Source};
use super::write::{self, InPath};
use super::{App, body, json as answer};
use crate::crs::Crs;
use crate::domain::actor::Actor;
use crate::domain::id::{CodeError, CommunityCode, DistrictCode, GridCode, SubdistrictCode};
use crate::domain::said::say;
use crate::domain::text::Text;
use crate::service::Guli;
use crate::service::edit::Asking;
use crate::service::edit::areas::{AreaEdit, GridDraft, Run};
use crate::service::error::{Result, ServiceError};
use crate::store::areas::{Area, Level};

/// What the parameters of an edit say.
struct Asked {
    reason: Option<Text<2000>>,
    crs: Crs,
    view: View,
}

fn asked(query: Option<&str>) -> Result<Asked> {
    let mut params = Params::read(query)?;
    let reason = write::reason(&mut params)?;
    let crs = wire::crs(params.text("crs").as_deref(), Source::Query, "crs")?;
    let out = Out::from_params(&mut params)?;
    let run = if params.flag("dry_run")? == Some(true) { Run::Dry } else { Run::Real };
    params.finish("reason, crs, out_crs, dry_run")?;
    Ok(Asked { reason, crs, view: View { out, run } })
}

/// The area that a path names.
type Named = std::result::Result<(DistrictCode, u64), CodeError>;

fn named(code: Named) -> Result<(DistrictCode, u64)> {
    code.map_err(no_area)
}

/// What tells the levels apart when an area is created.
struct NewArea {
    level: Level,
    path: &'static str,
    /// The district and number of a code of the level.
    code: fn(&str) -> Named,
}

async fn create(
    app: App,
    caller: Caller,
    new: NewArea,
    query: Option<String>,
    headers: HeaderMap,
    body: Body,
) -> Outcome {
    let asked = asked(query.as_deref())?;
    caller.known()?;
    let bytes = body::bytes(&headers, body).await?;
    let idempotency = match asked.view.run {
        Run::Real => write::idempotency(&headers, &caller.0, new.path, &bytes)?,
        Run::Dry => None,
    };
    let given: AreaIn = body::parse(&bytes)?;
    if given.department().is_some() {
        only_of_grids(new.level)?;
    }
    let code = given.code.as_deref().map(new.code).transpose();
    let code = code.map_err(|error| ServiceError::invalid("/code", error))?;
    let area = Area {
        code: code.map_or(0, |(_, number)| number),
        name: given.name.clone(),
        supervising_department: given.department(),
        outline: outline(&given.geometry, asked.crs, "/geometry")?,
        version: 0,
    };
    let district = match code {
        Some((district, _)) => district,
        None => district_around(&app, &area).ok_or_else(|| {
            let detail = say!(
                "it lies in no district that is served here: say its code",
                "它不在本系统服务的任何行政区内：请写明编码"
            );
            ServiceError::invalid("/geometry", detail)
        })?,
    };
    let render = render_new(&caller, asked.view, new.path);
    let asking = Asking { actor: Arc::clone(&caller.0), reason: asked.reason, idempotency };
    let edit = AreaEdit::Create { level: new.level, area: Box::new(area) };
    write::respond(app.guli.edit_areas(district, edit, asking, asked.view.run, render).await)
}

/// The district that the middle of an area lies in.
fn district_around(app: &App, area: &Area) -> Option<DistrictCode> {
    let middle = geo::InteriorPoint::interior_point(&area.outline)?;
    let at = crate::domain::position::Position::new(middle.x(), middle.y()).ok()?;
    app.guli.context.index.district_around(at)
}

async fn put(app: App, caller: Caller, code: Named, query: Option<String>, headers: HeaderMap, body: Body) -> Outcome {
    let asked = asked(query.as_deref())?;
    caller.known()?;
    let ((district, code), precondition) = (named(code)?, write::precondition(&headers)?);
    let whole: AreaIn = body::parse(&body::bytes(&headers, body).await?)?;
    let (render, crs) = (render_one(&caller, asked.view), asked.crs);
    let redraft = Arc::new(move |area: &Area| whole.redraft(area, crs));
    let edit = AreaEdit::Change { code, precondition, redraft };
    let asking = Asking { actor: Arc::clone(&caller.0), reason: asked.reason, idempotency: None };
    write::respond(app.guli.edit_areas(district, edit, asking, asked.view.run, render).await)
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
    let members = body::members(&bytes)?;
    write::no_nulls(&members, &["name", "geometry"])?;
    let geometry = patch.geometry.as_ref().map(|geometry| outline(geometry, asked.crs, "/geometry")).transpose()?;
    let names_department = members.contains_key("supervising_department");
    if names_department {
        only_of_grids(Level::of(code))?;
    }
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
    let render = render_one(&caller, asked.view);
    let edit = AreaEdit::Change { code, precondition, redraft: Arc::new(redraft) };
    let asking = Asking { actor: Arc::clone(&caller.0), reason: asked.reason, idempotency: None };
    write::respond(app.guli.edit_areas(district, edit, asking, asked.view.run, render).await)
}

async fn delete(app: App, caller: Caller, code: Named, query: Option<String>, headers: HeaderMap) -> Outcome {
    let asked = asked(query.as_deref())?;
    caller.known()?;
    let ((district, code), precondition) = (named(code)?, write::precondition(&headers)?);
    let render = render_one(&caller, asked.view);
    let asking = Asking { actor: Arc::clone(&caller.0), reason: asked.reason, idempotency: None };
    let edit = AreaEdit::Remove { code, precondition };
    write::respond(app.guli.edit_areas(district, edit, asking, asked.view.run, render).await)
}

async fn undo(
    app: App,
    caller: Caller,
    code: Named,
    version: i64,
    query: Option<String>,
    headers: HeaderMap,
    path: &str,
) -> Outcome {
    let asked = asked(query.as_deref())?;
    caller.known()?;
    let (district, code) = named(code)?;
    let idempotency = match asked.view.run {
        Run::Real => write::idempotency(&headers, &caller.0, path, &[])?,
        Run::Dry => None,
    };
    let render = render_several(&caller, asked.view);
    let asking = Asking { actor: Arc::clone(&caller.0), reason: asked.reason, idempotency };
    let edit = AreaEdit::Undo { code, version };
    write::respond(app.guli.edit_areas(district, edit, asking, asked.view.run, render).await)
}

/// Redraw grids
///
/// Several at once: to split one, give it its new outline and a new grid the rest; to merge two, give one the
/// outline of both and remove the other; to move an edge, give both their new outlines. The ground is shared
/// without gap or overlap before and after: a vertex within 8 mm of one that there is, is that one, and one as near to a
/// neighbour's edge lies on it. Each grid stays within its community; with `move_parents` the edges of
/// communities and sub-districts move with those of the grids, and these areas are among the answer's. A grid that is there keeps the supervising department that it has where the
/// body does not name one; a new one starts without. A grid that comes with a `version` is redrawn only if that is the present
/// one; else nothing is, and 412 names it. With `dry_run` nothing changes and the answer says what would.
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
        (status = 200, description = "The grids as they are or would be", body = RedrawnOut),
        BodyFaults, RedrawFaults, StaleGrid,
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
        let area = Area {
            code: code.map_err(|error| ServiceError::invalid(at("code"), error))?.map_or(0, GridCode::number),
            name: grid.name.clone(),
            supervising_department: grid.department(),
            outline: outline(&grid.geometry, asked.crs, &at("geometry"))?,
            version: 0,
        };
        put.push(GridDraft { area, names_department: grid.supervising_department.is_some(), version: grid.version });
    }
    let remove = redraw.remove.iter().enumerate().map(|(n, code)| {
        code.parse::<GridCode>().map_err(|error| ServiceError::invalid(format!("/remove/{n}"), error))
    });
    let remove: Vec<GridCode> = remove.collect::<Result<_>>()?;
    let mut codes: Vec<u64> = put.iter().map(|draft| draft.area.code).filter(|code| *code > 0).collect();
    codes.extend(remove.iter().map(|code| code.number()));
    let district = district_of(&app, &codes, &put)?;
    codes.sort_unstable();
    if codes.windows(2).any(|pair| pair[0] == pair[1]) {
        let detail = say!("a grid is named more than once", "同一网格写了不止一次");
        return Err(ServiceError::invalid("/grids", detail).into());
    }
    if asked.view.run == Run::Dry {
        idempotency = None;
    }
    let render = render_several(&caller, asked.view);
    let asking = Asking { actor: Arc::clone(&caller.0), reason: asked.reason, idempotency };
    let edit = AreaEdit::Redraw { put, remove, parents_follow: redraw.move_parents };
    write::respond(app.guli.edit_areas(district, edit, asking, asked.view.run, render).await)
}

/// The one district of grids that are redrawn together.
fn district_of(app: &App, codes: &[u64], put: &[GridDraft]) -> Result<DistrictCode> {
    let mut districts: Vec<DistrictCode> = codes.iter().filter_map(|code| crate::export::district_of(*code)).collect();
    if districts.is_empty() {
        // Only new ones: the district that the first of them lies in.
        let first =
            put.first().and_then(|draft| draft.area.outline.0.first()).and_then(|part| part.exterior().0.first());
        let at = first.and_then(|at| crate::domain::position::Position::new(at.x, at.y).ok());
        let hit = at.and_then(|at| app.guli.context.index.grid_at(at).ok());
        districts.extend(hit.map(|hit| hit.grid.code.district()));
    }
    districts.dedup();
    match districts.as_slice() {
        [district] => Ok(*district),
        [] => Err(ServiceError::invalid("/grids", say!("there is no grid to redraw", "没有要重划的网格"))),
        _ => {
            let detail = say!("the grids are of more than one district", "这些网格属于不止一个行政区");
            Err(ServiceError::invalid("/grids", detail))
        }
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

pub(super) async fn history(app: App, caller: Caller, code: Named, query: Option<String>) -> Outcome {
    Params::read(query.as_deref())?.finish("none")?;
    // Boundaries are public; who drew them, and why, is not.
    caller.known()?;
    let (district, code) = named(code)?;
    answer(StatusCode::OK, &history_of(&app.guli, &caller.0, district, code).await?)
}

/// Every version of an area, for whoever asks, over HTTP or at the command line.
pub async fn history_of(guli: &Guli, reader: &Actor, district: DistrictCode, code: u64) -> Result<Items<VersionOut>> {
    let (states, events) = guli.area_history(district, code).await?;
    let states = states.iter().map(|state| {
        Ok(Was {
            version: state.area.version,
            document: document(&state.area)?,
            seq_from: state.seq_from,
            seq_to: state.seq_to,
        })
    });
    let states = states.collect::<Result<Vec<_>>>()?;
    Ok(Items { items: versions(Reader::of(guli, reader, district), states.into_iter(), &events), next: None })
}

/// A level of areas: what may be done to one of them.
macro_rules! levels {
    ($($create:ident $level:ident $list:literal $create_doc:literal $put:ident $patch:ident $delete:ident $history:ident $undo:ident $code:ident
       $path:literal $history_path:literal $undo_path:literal $example:literal $name:literal
       $put_doc:literal $patch_doc:literal $delete_doc:literal $history_doc:literal $undo_doc:literal;)*) => {$(
        #[doc = $create_doc]
        ///
        /// On ground that no other has yet. Without a code it gets the next one of the area that it lies in; with
        /// `dry_run` nothing changes and the answer says what would.
        #[utoipa::path(
            post, path = $list, tag = "registry", security(("key" = [])),
            params(
                ("dry_run" = Option<bool>, Query, description = say::DRY_RUN),
                ("reason" = Option<String>, Query, description = say::REASON),
                ("crs" = Option<String>, Query, description = "Coordinate system of the geometry"),
                ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
                ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
            ),
            request_body(content = AreaIn, example = json!({
                "name": $name,
                "geometry": {"type": "Polygon", "coordinates": [[
                    [120.3115, 36.0938], [120.3125, 36.0938], [120.3125, 36.0943], [120.3115, 36.0943], [120.3115, 36.0938],
                ]]},
            })),
            responses(
                (status = 200, description = "With `dry_run`: what would change", body = RedrawnOut),
                (status = 201, description = "Registered", body = AreaOut, headers(
                    ("Location" = String, description = "Where it is read"),
                    ("ETag" = String, description = "Its version, for If-Match"),
                )),
                BodyFaults, RedrawFaults,
            ),
        )]
        pub async fn $create(
            State(app): State<App>, caller: Caller, RawQuery(query): RawQuery, headers: HeaderMap, body: Body,
        ) -> Outcome {
            let code = |code: &str| code.parse::<$code>().map(|code| (code.district(), code.number()));
            create(app, caller, NewArea { level: Level::$level, path: $list, code }, query, headers, body).await
        }

        #[doc = $put_doc]
        ///
        /// The body is the whole area; its outline may not overlap a neighbour's, nor leave ground to nobody.
        #[utoipa::path(
            put, path = $path, tag = "registry", security(("key" = [])),
            params(
                ("code" = String, Path, description = "Its code", example = $example),
                ("dry_run" = Option<bool>, Query, description = say::DRY_RUN),
                ("crs" = Option<String>, Query, description = "Coordinate system of the geometry"),
                ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
            ),
            request_body(content = AreaIn, example = json!({
                "name": $name,
                "geometry": {"type": "Polygon", "coordinates": [[
                    [120.3115, 36.0938], [120.3125, 36.0938], [120.3125, 36.0943], [120.3115, 36.0943], [120.3115, 36.0938],
                ]]},
            })),
            responses(
                (status = 200, description = "The area as it now is; with `dry_run` what would change", body = AreaAnswer),
                BodyFaults, EditFaults, Gone,
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
                ("crs" = Option<String>, Query, description = "Coordinate system of the geometry"),
                ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
            ),
            request_body(content = AreaPatch, content_type = "application/merge-patch+json", example = json!({"name": $name})),
            responses(
                (status = 200, description = "The area as it now is; with `dry_run` what would change", body = AreaAnswer),
                BodyFaults, EditFaults, Gone,
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
            ),
            responses(
                (status = 200, description = "With `dry_run`: what would change", body = RedrawnOut),
                (status = 204, description = "Removed"),
                EditFaults, RedrawFaults, Gone,
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
            get, path = $history_path, tag = "registry", security(("key" = [])),
            params(("code" = String, Path, description = "Its code", example = $example)),
            responses((status = 200, description = "All versions, the oldest first", body = Items<VersionOut>), NotFound),
        )]
        pub async fn $history(
            State(app): State<App>, caller: Caller, InPath(code): InPath<String>, RawQuery(query): RawQuery,
        ) -> Outcome {
            let code = code.parse::<$code>().map(|code| (code.district(), code.number()));
            history(app, caller, code, query).await
        }

        #[doc = $undo_doc]
        ///
        /// Makes what was before this version the present again, as a new version: of all areas that were changed in the
        /// same call, for they share the ground. Only the last change can be undone, and one of an import only with it.
        #[utoipa::path(
            post, path = $undo_path, tag = "registry", security(("key" = [])),
            params(
                ("code" = String, Path, description = "Its code", example = $example),
                ("version" = i64, Path, description = "The last version", example = 2),
                ("dry_run" = Option<bool>, Query, description = say::DRY_RUN),
                ("reason" = Option<String>, Query, description = say::REASON),
                ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
                ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
            ),
            responses(
                (status = 200, description = "The areas as they are or would be", body = RedrawnOut), RedrawFaults,
            ),
        )]
        pub async fn $undo(
            State(app): State<App>, caller: Caller, InPath((code, version)): InPath<(String, i64)>, uri: Uri,
            headers: HeaderMap,
        ) -> Outcome {
            let code = code.parse::<$code>().map(|code| (code.district(), code.number()));
            undo(app, caller, code, version, uri.query().map(str::to_owned), headers, uri.path()).await
        }
    )*};
}

levels! {
    create_subdistrict Subdistrict "/v1/subdistricts" "Register a sub-district (街道)" put_subdistrict patch_subdistrict delete_subdistrict subdistrict_history undo_subdistrict SubdistrictCode
        "/v1/subdistricts/{code}" "/v1/subdistricts/{code}/history" "/v1/subdistricts/{code}/history/{version}/undo" "370203005" "辽宁路街道"
        "Change a sub-district (街道) to this" "Change parts of a sub-district (街道)"
        "Remove a sub-district (街道)" "Read the history of a sub-district (街道)"
        "Undo a change of a sub-district (街道)";
    create_community Community "/v1/communities" "Register a community (社区)" put_community patch_community delete_community community_history undo_community CommunityCode
        "/v1/communities/{code}" "/v1/communities/{code}/history" "/v1/communities/{code}/history/{version}/undo" "370203005001" "海晏社区"
        "Change a community (社区) to this" "Change parts of a community (社区)"
        "Remove a community (社区)" "Read the history of a community (社区)"
        "Undo a change of a community (社区)";
    create_grid Grid "/v1/grids" "Register a grid (责任网格)" put_grid patch_grid delete_grid grid_history undo_grid GridCode
        "/v1/grids/{code}" "/v1/grids/{code}/history" "/v1/grids/{code}/history/{version}/undo" "370203005001003" "海晏社区第三网格"
        "Change a grid (责任网格) to this" "Change parts of a grid (责任网格)"
        "Remove a grid (责任网格)" "Read the history of a grid (责任网格)"
        "Undo a change of a grid (责任网格)";
}
