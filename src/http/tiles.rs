//! `/tiles`: vector tiles for maps, and what a map needs to know to ask for them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::edge::Caller;
use super::layers::{cacheable, is_known, takes_gzip};
use super::openapi::NotFound;
use super::params::Params;
use super::problem::Outcome;
use super::write::InPath;
use super::{App, set, to_bytes};
use crate::domain::actor::Actor;
use crate::domain::said::say;
use crate::service::error::{Fault, Result, ServiceError};
use crate::tiles::{self, Detail, Layer, Tile};

const VARY: &str = "accept-encoding, authorization";

/// What of the map is in the tiles of a layer (`TileJSON` 3.0.0).
#[derive(Debug, Serialize, ToSchema)]
pub struct TileJson {
    #[schema(examples("3.0.0"))]
    pub tilejson: &'static str,
    pub name: &'static str,
    pub scheme: &'static str,
    /// Addresses of the tiles, with `{z}`, `{x}`, `{y}`.
    #[schema(examples(json!(["http://127.0.0.1:8080/tiles/grids/{z}/{x}/{y}.mvt"])))]
    pub tiles: Vec<String>,
    /// Below it tiles are empty.
    pub minzoom: u8,
    /// Deeper tiles may be asked for but show nothing more.
    pub maxzoom: u8,
    /// West, south, east, north of the districts served, in degrees.
    pub bounds: [f64; 4],
    pub vector_layers: Vec<VectorLayer>,
}

/// The one layer in the tiles.
#[derive(Debug, Serialize, ToSchema)]
pub struct VectorLayer {
    pub id: &'static str,
    pub description: &'static str,
    pub minzoom: u8,
    pub maxzoom: u8,
    /// The properties that this caller's features have, and what they mean.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub fields: serde_json::Map<String, serde_json::Value>,
}

const fn description(layer: Layer) -> &'static str {
    match layer {
        Layer::Covers => "Manhole covers (井盖)",
        Layer::Grids => "Responsibility grids (责任网格)",
        Layer::GridLabel => "A point inside each grid, for its name",
        Layer::Communities => "Communities (社区)",
        Layer::Subdistricts => "Sub-districts (街道)",
        Layer::SubdistrictLabel => "A point inside each sub-district, for its name",
        Layer::Districts => "Districts (区县)",
        Layer::WorkOrders => "Open work orders (工单)",
    }
}

fn meaning(layer: Layer, key: &str) -> &'static str {
    match (layer, key) {
        (_, "name") => "String: name",
        (_, "category") => "String: four digits of GB/T 30428.2",
        (_, "owner") => "String: code of the owner (产权单位), where known",
        (_, "responsible_unit") => "String: code of the responsible unit (责任单位), where known",
        (_, "accuracy") => "String: class of positional accuracy, A 0.5 m, B 1 m, C 10 m",
        (Layer::Covers, "status") => "String: planned, in_service, abandoned",
        (_, "status") => "String: where the order stands",
        (_, "damage") => "String: code of the damage",
        (_, "due_at") => "String: RFC 3339, UTC",
        (_, "overdue") => "Boolean: past its limit, and not repaired by then",
        (_, "grid") => "String: code of the grid",
        _ => "String: code",
    }
}

fn named(name: &str) -> Result<Layer> {
    Layer::parse(name).ok_or_else(no_layer)
}

pub(super) fn no_layer() -> ServiceError {
    ServiceError::NotFound(say!("this layer", "此图层"))
}

/// The most that the caller sees of covers in any district.
fn detail(app: &App, actor: &Actor) -> Detail {
    let districts = app.guli.districts().into_iter();
    districts.map(|district| tiles::detail(actor, district)).max().unwrap_or(Detail::Public)
}

/// What a map needs to know of a layer's tiles
///
/// `TileJSON` 3.0.0. Fields and zooms are those that this caller sees: `covers` have more of both with a key;
/// `work-orders` need one.
#[utoipa::path(
    get, path = "/tiles/{file}", operation_id = "tilejson", tag = "tiles",
    params(
        (
            "file" = String, Path, example = "covers.json",
            description = "covers, grids, grid_label, communities, subdistricts, subdistrict_label, districts or \
                work-orders, with the extension json",
        ),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the copy that the caller has"),
    ),
    responses(
        (
            status = 200, description = "The layer's `TileJSON`", body = TileJson,
            headers(("ETag" = String, description = "Changes with the content")),
        ),
        (status = 304, description = "As the caller has it", body = ()),
        NotFound,
    ),
)]
pub async fn json(
    State(app): State<App>,
    caller: Caller,
    InPath(file): InPath<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Outcome {
    Params::read(query.as_deref())?.finish("none")?;
    let layer = named(file.strip_suffix(".json").unwrap_or_default())?;
    if layer == Layer::WorkOrders {
        caller.known()?;
    }
    let detail = detail(&app, &caller.0);
    let (minzoom, maxzoom) = (layer.min_zoom(detail), Layer::DEEPEST);
    let fields = layer.keys(detail).iter().map(|key| ((*key).to_owned(), meaning(layer, key).into()));
    let name = layer.as_str();
    let document = TileJson {
        tilejson: "3.0.0",
        name,
        scheme: "xyz",
        tiles: vec![format!("{}/tiles/{name}/{{z}}/{{x}}/{{y}}.mvt", app.public_url)],
        minzoom,
        maxzoom,
        bounds: app.guli.context.index.extent().unwrap_or([-180.0, -85.051_129, 180.0, 85.051_129]),
        vector_layers: vec![VectorLayer {
            id: name,
            description: description(layer),
            minzoom,
            maxzoom,
            fields: fields.collect(),
        }],
    };
    let drawn = tiles::Drawn::new(to_bytes(&document)?);
    Ok(answer(&drawn, layer, &caller.0, &headers, "application/json"))
}

/// A tile of a layer
///
/// Mapbox Vector Tile 2.1 in the scheme of the web's maps (Web Mercator, `y` from the north), one layer of the same
/// name in it, 4096 units wide. `districts`, `subdistricts`, `communities` and `grids` (areas), `grid_label`
/// and `subdistrict_label` (points) are for anyone at any zoom; `covers` are points with their category from zoom 16 (those in service
/// or abandoned), and with a key, from zoom 14, code, units, status and accuracy too; `work-orders` are the open orders that the caller may see. Features that
/// have a code have an `id` that stays.
#[utoipa::path(
    get, path = "/tiles/{layer}/{z}/{x}/{file}", operation_id = "tile", tag = "tiles",
    params(
        (
            "layer" = String, Path, example = "grids",
            description = "covers, grids, grid_label, communities, subdistricts, subdistrict_label, districts or \
                work-orders",
        ),
        ("z" = u8, Path, description = "Zoom, 0 to 22", example = 14),
        ("x" = u32, Path, description = "Column, from the west, below 2^z", example = 13668),
        ("file" = String, Path, description = "`{y}.mvt`: row, from the north, below 2^z", example = "6427.mvt"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the copy that the caller has"),
    ),
    responses(
        (
            status = 200, description = "The tile", body = String, content_type = MVT,
            headers(("ETag" = String, description = "Changes with the content")),
        ),
        (status = 204, description = "Nothing is to be seen there", body = (), content_type = MVT),
        (status = 304, description = "As the caller has it", body = (), content_type = MVT),
        NotFound,
    ),
)]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    InPath((layer, z, x, file)): InPath<(String, String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Outcome {
    Params::read(query.as_deref())?.finish("none")?;
    let layer = named(&layer)?;
    let no_such = || ServiceError::NotFound(say!("this kind of tile", "此类瓦片"));
    let y = file.strip_suffix(".mvt").ok_or_else(no_such)?;
    let tile = Tile::parse(&z, &x, y).map_err(|e| ServiceError::Malformed(Fault::parameter(e.part, e)))?;
    let actor = Arc::clone(&caller.0);
    let draw = move || {
        let context = &app.guli.context;
        app.tiles.get(&context.index, &actor, layer, tile, context.clock.now())
    };
    let drawn = if tile.zoom() < FAR {
        // A whole city may be in it, which takes long enough to keep others waiting.
        let drawn = tokio::task::spawn_blocking(draw).await;
        drawn.map_err(|e| ServiceError::Internal(format!("a tile was not drawn: {e}")))?
    } else {
        draw()
    };
    let drawn = drawn.map_err(|refusal| ServiceError::refused(refusal, say!("work orders", "工单")))?;
    Ok(answer(&drawn, layer, &caller.0, &headers, MVT))
}

const MVT: &str = "application/vnd.mapbox-vector-tile";

/// Zooms below it show more than a district or two.
const FAR: u8 = 11;

fn answer(
    drawn: &tiles::Drawn,
    layer: Layer,
    actor: &Actor,
    headers: &HeaderMap,
    kind: &'static str,
) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let bytes = drawn.bytes();
    let gzip = takes_gzip(headers);
    // A strong tag names these very bytes.
    let tag = if gzip { format!("{}-gz", drawn.tag()) } else { drawn.tag().to_owned() };
    cacheable(&mut response, &tag, VARY);
    // Covers and orders are asked for anew each time; areas change with an import.
    let passing = matches!(layer, Layer::Covers | Layer::WorkOrders);
    let caching = match (actor.is_anonymous(), passing) {
        (true, true) => "no-cache",
        (true, false) => "max-age=60",
        (false, true) => "private, no-cache",
        (false, false) => "private, max-age=60",
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if is_known(headers, &tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    if bytes.is_empty() {
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    }
    set(&mut response, "content-type", kind);
    if gzip {
        set(&mut response, "content-encoding", "gzip");
    }
    *response.body_mut() = Body::from(if gzip { drawn.gzip() } else { bytes });
    response
}
