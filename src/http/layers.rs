//! `/v1/layers`: whole layers for maps and tables, as a stream.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;

use super::areas::parents;
use super::covers::{codes, cover_statuses};
use super::edge::Caller;
use super::openapi::{Forbidden, NotFound, say};
use super::page::bbox;
use super::params::Params;
use super::problem::Outcome;
use super::wire::{self, Out, Source};
use super::work_orders::{damages, statuses, units};
use super::write::InPath;
use super::{App, set};
use crate::domain::said::say;
use crate::export::{Ask, CoverFilter, Export, Format, Layer, Piece, WorkOrderFilter};
use crate::service::error::{Result, ServiceError};

const COVERS: &str =
    "category, owner, responsible_unit, status, district, subdistrict, community, grid, bbox, crs, out_crs, as_of";
const ORDERS: &str = "status, unit, damage, grid, bbox, crs, out_crs, as_of";

/// Reads what a layer is narrowed to: the filters of its list.
pub fn asked(layer: Layer, format: Format, mut params: Params<'_>) -> Result<Ask> {
    let crs = wire::crs(params.text("crs").as_deref(), Source::Query, "crs")?;
    let Out(out_crs) = Out::from_params(&mut params)?;
    let mut ask = Ask { crs: out_crs, bounds: bbox(&mut params, crs)?, ..Ask::whole(layer, format) };
    let (levels, known): (&[&'static str], &str) = match layer {
        Layer::Districts | Layer::Subdistricts => (&["district"], "district, bbox, crs, out_crs, as_of"),
        Layer::Communities => (&["district", "subdistrict"], "district, subdistrict, bbox, crs, out_crs, as_of"),
        Layer::Grids => {
            (&["district", "subdistrict", "community"], "district, subdistrict, community, bbox, crs, out_crs, as_of")
        }
        Layer::Covers => (&["district", "subdistrict", "community", "grid"], COVERS),
        Layer::WorkOrders => (&[], ORDERS),
    };
    ask.within = parents(&mut params, levels)?;
    ask.as_of = params.as_of()?;
    match layer {
        Layer::Covers => {
            ask.covers = CoverFilter {
                categories: codes(&mut params, "category")?,
                owners: codes(&mut params, "owner")?,
                responsible_units: codes(&mut params, "responsible_unit")?,
                statuses: cover_statuses(&mut params)?,
            };
        }
        Layer::WorkOrders => {
            ask.orders = WorkOrderFilter {
                statuses: statuses(&mut params)?,
                units: units(&mut params)?,
                damages: damages(&mut params)?,
                grids: codes(&mut params, "grid")?,
            };
        }
        _ => {}
    }
    params.finish(known)?;
    Ok(ask)
}

/// Whether the caller has this state already (RFC 9110: a weak comparison).
pub fn is_known(headers: &HeaderMap, stamp: &str) -> bool {
    let given = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.trim_start_matches("W/").trim_matches('"') == stamp
    })
}

/// Whether the caller reads gzip.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let given = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|part| {
        let (name, quality) = part.split_once(";q=").unwrap_or((part, "1"));
        name.trim().eq_ignore_ascii_case("gzip") && quality.trim().parse().is_ok_and(|quality: f32| quality > 0.0)
    })
}

/// Sets what the answers of layers and tiles say to caches.
pub fn cacheable(response: &mut Response<Body>, tag: &str, vary: &'static str) {
    set(response, "etag", &format!("\"{tag}\""));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static(vary));
}

/// Read a layer
///
/// All of it, by code: `districts`, `subdistricts`, `communities` and `grids` for anyone, `covers` and `work-orders` for
/// holders of a key. Filters are those of the lists and take several values, separated by commas.
#[utoipa::path(
    get, path = "/v1/layers/{file}", operation_id = "layer", tag = "layers",
    params(
        (
            "file" = String, Path, example = "covers.geojson",
            description = "districts, subdistricts, communities, grids, covers or work-orders, with the extension \
                geojson, geojsonl (a feature on each line) or csv",
        ),
        (
            "bbox" = Option<String>, Query,
            description = "west,south,east,north in `crs`", example = "120.37,36.11,120.39,36.13",
        ),
        ("crs" = Option<String>, Query, description = "Coordinate system of `bbox`"),
        (
            "out_crs" = Option<String>, Query,
            description = "Coordinate system of the layer; GeoJSON says another one than WGS 84 in `coordinate_system` and, \
                with an EPSG code, in the `crs` that GDAL and QGIS read",
        ),
        ("as_of" = Option<jiff::Timestamp>, Query, description = say::AS_OF),
        ("district" = Option<String>, Query, description = say::IN_AREA),
        ("subdistrict" = Option<String>, Query, description = say::IN_AREA),
        ("community" = Option<String>, Query, description = say::IN_AREA),
        ("grid" = Option<String>, Query, description = say::IN_AREA),
        ("category" = Option<String>, Query, description = "Of covers: categories", example = "0103,0104"),
        ("owner" = Option<String>, Query, description = "Of covers: codes of owners (产权单位)"),
        ("responsible_unit" = Option<String>, Query, description = "Of covers: codes of responsible units (责任单位)"),
        ("status" = Option<String>, Query, description = "Of covers and work orders, as their lists take them"),
        ("unit" = Option<String>, Query, description = "Of work orders: units, grids or sub-districts that must act"),
        ("damage" = Option<String>, Query, description = "Of work orders: damages", example = "missing,broken"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the copy that the caller has"),
    ),
    responses(
        (
            status = 200, description = "The layer", headers(("ETag" = String, description = "Changes with the content")),
            content(
                (serde_json::Value = "application/geo+json"),
                (String = "application/x-ndjson"),
                (String = "text/csv"),
            ),
        ),
        (status = 304, description = "As the caller has it", body = (), content_type = "application/geo+json"),
        Forbidden, NotFound,
    ),
)]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    InPath(file): InPath<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Outcome {
    const VARY: &str = "accept-encoding, authorization";
    let (layer, format) = file.split_once('.').unwrap_or((&file, ""));
    let layer = Layer::parse(layer).ok_or_else(super::tiles::no_layer)?;
    let format = Format::parse(format).ok_or_else(no_format)?;
    let ask = asked(layer, format, Params::read(query.as_deref())?)?;
    let mut export = Export::new(Arc::clone(&app.guli), caller.0, ask, Some(Arc::clone(&app.layers))).await?;
    let gzip = takes_gzip(&headers);
    // A strong tag names these very bytes.
    let tagged = |name: &str| if gzip { format!("{name}-gz") } else { name.to_owned() };
    let mut response = Response::new(Body::empty());
    // Nothing has changed since it was written.
    if let Some(tag) = app.layers.name(export.stamp()).map(|name| tagged(&name)).filter(|tag| is_known(&headers, tag)) {
        cacheable(&mut response, &tag, VARY);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    // Something has, perhaps in no feature of this layer.
    let (first, name) = export.gather().await?;
    if let Some(name) = &name {
        app.layers.put_name(export.stamp(), name);
    }
    let tag = tagged(name.as_deref().unwrap_or(export.stamp()));
    cacheable(&mut response, &tag, VARY);
    if is_known(&headers, &tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    set(&mut response, "content-type", format.media_type());
    if gzip {
        set(&mut response, "content-encoding", "gzip");
    } else if export.is_done() {
        // Said where it is known: some who read files over HTTP want to know how long they are.
        let length: usize = first.iter().map(|piece| piece.bytes.len()).sum();
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = body(export, first, gzip);
    Ok(response)
}

fn no_format() -> ServiceError {
    let formats = Format::ALL.iter().map(|format| format.as_str()).collect::<Vec<_>>().join(", ");
    let detail =
        say!("this format of a layer (the extensions are {formats})", "图层的这种格式（可用的扩展名：{formats}）");
    ServiceError::NotFound(detail)
}

/// The pieces as they are made; one that cannot be breaks the connection off, so that nobody takes a part for the whole.
fn body(export: Export, first: VecDeque<Piece>, gzip: bool) -> Body {
    let packer = gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
    Body::from_stream(stream::unfold(Some((export, first, packer)), |state| async move {
        let (mut export, mut first, mut packer) = state?;
        let piece = match first.pop_front() {
            Some(piece) => Ok(Some(piece)),
            None => export.next().await,
        };
        match piece {
            Ok(Some(piece)) => {
                let bytes = packer.as_mut().map_or(Ok(piece.bytes.clone()), |packer| pack(packer, &piece.bytes));
                Some((bytes, Some((export, first, packer))))
            }
            Ok(None) => {
                let rest = packer?.finish().map(Bytes::from);
                Some((rest, None))
            }
            Err(error) => {
                tracing::error!(%error, "a layer ended before its end");
                Some((Err(std::io::Error::other(error)), None))
            }
        }
    }))
}

fn pack(packer: &mut GzEncoder<Vec<u8>>, bytes: &[u8]) -> std::io::Result<Bytes> {
    packer.write_all(bytes)?;
    Ok(std::mem::take(packer.get_mut()).into())
}
