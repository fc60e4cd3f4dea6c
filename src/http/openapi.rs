//! `/openapi.json`: the API described from the very types that are read and answered.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use serde_json::json;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Ref, RefOr, Response as Answer, ResponseBuilder};
use utoipa::{IntoResponses, Modify, OpenApi};

use super::problem::Problem;
use super::{
    actions, area_edit, areas, cover_edit, feed, imports, layers, me, ops, pages, quality, registry, reports, resolve,
    tiles, work_orders,
};
use crate::crs::Crs;

/// What many parameters and headers say of themselves.
pub mod say {
    pub const AS_OF: &str = "As it was at this instant: between the first change of the registry and now";
    pub const CURSOR: &str = "`next` of the page before, with the same query";
    pub const DRY_RUN: &str = "true: change nothing, and say what would change";
    pub const IDEMPOTENCY_KEY: &str = "16–128 visible ASCII; the same key and body give the same answer for 7 days";
    pub const IF_MATCH: &str = "The version that this is meant for, in quotes, or * for any";
    pub const IN_AREA: &str = "Only what lies in this area";
    pub const IN_DUTY: &str = "Only those with a duty in this area";
    pub const LIMIT: &str = "Items of a page; 20 unless said";
    pub const REASON: &str = "Why, for the history; at most 2,000 characters";
    pub const OUT_CRS: &str = "Coordinate system of the answer";
}

/// Status, slug, an example's members besides the common ones.
type Fault = (u16, &'static str, fn() -> serde_json::Value);

/// An answer of this status, with an example for each of its problems.
fn answer(faults: &[Fault]) -> Answer {
    let slugs: Vec<_> = faults.iter().map(|(_, slug, _)| format!("`{slug}`")).collect();
    let examples = faults.iter().map(|(status, slug, more)| {
        let mut example = json!({ "type": format!("https://guli.dev/problems/{slug}"), "status": status });
        if let (Some(example), serde_json::Value::Object(more)) = (example.as_object_mut(), more()) {
            example.extend(more);
        }
        (*slug, ExampleBuilder::new().value(Some(example)).build())
    });
    let content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).examples_from_iter(examples).build();
    ResponseBuilder::new().description(slugs.join(", ")).content("application/problem+json", content).build()
}

fn answers(faults: &[Fault]) -> BTreeMap<String, RefOr<Answer>> {
    let mut by_status: BTreeMap<u16, Vec<Fault>> = BTreeMap::new();
    for fault in faults {
        by_status.entry(fault.0).or_default().push(*fault);
    }
    by_status.into_iter().map(|(status, faults)| (status.to_string(), answer(&faults).into())).collect()
}

fn malformed() -> serde_json::Value {
    json!({"title": "The request cannot be read", "detail": "this cursor was not given out here",
           "errors": [{"parameter": "cursor", "detail": "this cursor was not given out here"}]})
}

fn unauthorized() -> serde_json::Value {
    json!({"title": "A valid key is needed", "detail": "the key is wrong or was revoked",
           "errors": [{"header": "Authorization", "detail": "the key is wrong or was revoked"}]})
}

fn invalid() -> serde_json::Value {
    let detail = "limit must lie between 1 and 1000, got \"0\"";
    let errors = json!([{"parameter": "limit", "detail": detail}]);
    json!({"title": "The request is not acceptable", "detail": detail, "errors": errors})
}

fn unknown_crs() -> serde_json::Value {
    let detail = format!("unknown coordinate system \"EPSG:2437\": allowed are {}", Crs::names());
    let errors = json!([{"pointer": "/position/crs", "detail": detail}]);
    json!({"title": "Unknown coordinate system", "detail": detail, "errors": errors})
}

fn outside() -> serde_json::Value {
    let detail = "the position lies outside every district served here";
    let errors = json!([{"pointer": "/position", "detail": detail}]);
    json!({"title": "Outside every district served here", "detail": detail, "errors": errors})
}

fn mismatch() -> serde_json::Value {
    json!({"title": "The key was used for another request", "detail": "the key was used for another request",
           "errors": [{"header": "Idempotency-Key", "detail": "this key came with another body before"}]})
}

fn illegal() -> serde_json::Value {
    json!({"title": "Not possible now", "detail": "close is not possible while the order is arrived",
           "order_status": "arrived", "legal": ["secure", "identify"]})
}

fn stale() -> serde_json::Value {
    json!({"title": "Changed in the meantime", "detail": "the order has changed since", "current": 4,
           "errors": [{"header": "If-Match", "detail": "the version is no longer current"}]})
}

fn required() -> serde_json::Value {
    json!({"title": "If-Match is needed", "detail": "If-Match is needed",
           "errors": [{"header": "If-Match", "detail": "send If-Match: \"<version>\", or * for any version"}]})
}

fn gone() -> serde_json::Value {
    json!({"title": "Gone", "detail": "cover 3702030103000123 was removed"})
}

fn import_rejected() -> serde_json::Value {
    let counts = json!({"rows": 2, "created": 0, "updated": 0, "unchanged": 0, "rejected": 1, "warned": 0});
    let finding = json!({
        "row": 2, "line": 3, "severity": "error", "code": "value_missing", "column": "lon", "detail": "lon is empty"
    });
    json!({"title": "The file has errors", "detail": "the file has errors; nothing of it was stored", "id": "",
           "dry_run": false, "counts": counts, "findings": [finding]})
}

fn conflict() -> serde_json::Value {
    json!({"title": "In conflict with what is there",
           "detail": "later changes stand on version 2: the last one is 3"})
}

fn void_token() -> serde_json::Value {
    json!({"title": "Gone", "detail": "this tracking token is void: its order was closed long ago"})
}

fn not_found() -> serde_json::Value {
    json!({"title": "Not found", "detail": "work order WO-370203-261123-00042-3 does not exist"})
}

fn forbidden() -> serde_json::Value {
    json!({"title": "Not yours to do", "detail": "the key's role or scope does not allow this"})
}

fn too_large() -> serde_json::Value {
    json!({"title": "Too large", "detail": "a JSON body has at most 256 KB"})
}

fn media_type() -> serde_json::Value {
    json!({"title": "Unsupported media type", "detail": "send Content-Type: application/json",
           "errors": [{"header": "Content-Type", "detail": "Content-Type: application/json"}]})
}

fn internal() -> serde_json::Value {
    let detail = "the request could not be handled; its x-request-id finds it in the log";
    json!({"title": "Something failed here", "detail": detail})
}

fn unavailable() -> serde_json::Value {
    json!({"title": "Not possible for the moment", "detail": "the database cannot write now"})
}

const MALFORMED: Fault = (400, "malformed", malformed);
const UNAUTHORIZED: Fault = (401, "unauthorized", unauthorized);
const FORBIDDEN: Fault = (403, "forbidden", forbidden);
const NOT_FOUND: Fault = (404, "not-found", not_found);
const TOO_LARGE: Fault = (413, "too-large", too_large);
const MEDIA_TYPE: Fault = (415, "unsupported-media-type", media_type);
const INVALID: Fault = (422, "invalid", invalid);
const UNKNOWN_CRS: Fault = (422, "unknown-crs", unknown_crs);
const OUTSIDE: Fault = (422, "outside-service-area", outside);
const MISMATCH: Fault = (422, "idempotency-mismatch", mismatch);
const INTERNAL: Fault = (500, "internal", internal);
const UNAVAILABLE: Fault = (503, "unavailable", unavailable);

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident [$($fault:expr),*];)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Answer>> {
                answers(&[$($fault),*])
            }
        }
    )*};
}

faults! {
    /// What any JSON body may be refused for.
    BodyFaults [TOO_LARGE, MEDIA_TYPE];
    MediaTypes [MEDIA_TYPE];
    NotFound [NOT_FOUND];
    Forbidden [FORBIDDEN];
    /// A pin may lie elsewhere.
    Outside [INVALID, UNKNOWN_CRS, OUTSIDE];
    ReportFaults [INVALID, UNKNOWN_CRS, OUTSIDE, MISMATCH];
    ActFaults [
        FORBIDDEN, NOT_FOUND, INVALID, UNKNOWN_CRS, MISMATCH,
        (409, "illegal-transition", illegal), (412, "stale-version", stale), (428, "precondition-required", required)
    ];
    /// What a change of something that has versions may be refused for.
    EditFaults [
        FORBIDDEN, NOT_FOUND, INVALID, UNKNOWN_CRS, OUTSIDE,
        (412, "stale-version", stale), (428, "precondition-required", required)
    ];
    RulingFaults [FORBIDDEN, NOT_FOUND, MISMATCH];
    UndoFaults [FORBIDDEN, NOT_FOUND, MISMATCH, (409, "conflict", conflict)];
    ImportFaults [
        FORBIDDEN, TOO_LARGE, MEDIA_TYPE, INVALID, UNKNOWN_CRS, (422, "import-rejected", import_rejected)
    ];
    RedrawFaults [FORBIDDEN, NOT_FOUND, INVALID, UNKNOWN_CRS, MISMATCH, (409, "conflict", conflict)];
    AreaGone [(410, "gone", gone)];
    CoverGone [(410, "gone", gone)];
    TokenGone [(410, "gone", void_token)];
}

/// A code that the thing no longer has.
#[derive(Debug)]
pub struct Moved;

impl IntoResponses for Moved {
    fn responses() -> BTreeMap<String, RefOr<Answer>> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let location = HeaderBuilder::new().schema(Some(text)).description(Some("The same under its present code"));
        let moved =
            ResponseBuilder::new().description("It has another code now").header("Location", location.build()).build();
        BTreeMap::from([("308".to_owned(), moved.into())])
    }
}

/// Adds to every operation what the edge does for all of them.
struct Edge;

impl Modify for Edge {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A key of `guli key create`")).build();
        document.components.get_or_insert_default().add_security_scheme("key", SecurityScheme::Http(bearer));
        for item in document.paths.paths.values_mut() {
            for operation in methods(item) {
                describe(operation);
            }
        }
    }
}

/// Every operation of an address.
fn methods(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [item.get.as_mut(), item.post.as_mut(), item.put.as_mut(), item.patch.as_mut(), item.delete.as_mut()]
        .into_iter()
        .flatten()
}

fn describe(operation: &mut Operation) {
    let mut common = vec![INTERNAL, UNAVAILABLE];
    if !operation.tags.iter().flatten().any(|tag| tag == "operations") {
        common.extend([MALFORMED, UNAUTHORIZED, INVALID, UNKNOWN_CRS]);
        let none = SecurityRequirement::default();
        let key = SecurityRequirement::new::<_, [&str; 0], &str>("key", []);
        operation.security.get_or_insert_with(|| vec![none, key]);
        let language = ParameterBuilder::new()
            .name("Accept-Language")
            .parameter_in(ParameterIn::Header)
            .description(Some("Language of texts for people: zh-CN or en"))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .example(Some(json!("zh-CN")))
            .build();
        operation.parameters.get_or_insert_default().push(language.into());
    }
    for (status, response) in answers(&common) {
        operation.responses.responses.entry(status).or_insert(response);
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let mut header = |name: &str, description: &str| {
            let text = ObjectBuilder::new().schema_type(Type::String);
            let header = HeaderBuilder::new().schema(Some(text)).description(Some(description)).build();
            response.headers.insert(name.to_owned(), header.into());
        };
        header("X-Request-Id", "Finds the request in the log");
        match status.as_str() {
            "401" => header("WWW-Authenticate", "Bearer"),
            "503" => header("Retry-After", "Seconds after which to try again"),
            _ => {}
        }
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Guli 古力",
        description = "A spatial registry of manhole covers and responsibility grids: drop a pin, get the cover, its \
            owner and a work order.\n\n\
            Positions are objects with their coordinate system; `lon`/`x` is always east, `lat`/`y` always north. \
            Errors are RFC 9457 problems: `type` never changes with the language, `title` and `detail` follow \
            `Accept-Language` (zh-CN, en). Lists come in pages: the next one is the same query with `cursor`.",
    ),
    paths(
        resolve::get, resolve::batch, reports::create, reports::track, work_orders::list, work_orders::get,
        actions::accept, actions::arrive, actions::secure, actions::repair, actions::verify, actions::close,
        actions::identify, actions::reassign, areas::districts, areas::district, areas::subdistricts,
        areas::subdistrict, areas::communities, areas::community, areas::grids, areas::grid, registry::organizations,
        registry::organization, registry::people, registry::person, registry::covers, registry::cover,
        cover_edit::create, cover_edit::put, cover_edit::patch, cover_edit::delete, cover_edit::history,
        cover_edit::undo, area_edit::put_subdistrict, area_edit::patch_subdistrict, area_edit::delete_subdistrict,
        area_edit::subdistrict_history, area_edit::put_community, area_edit::patch_community,
        area_edit::delete_community, area_edit::community_history, area_edit::put_grid, area_edit::patch_grid,
        area_edit::delete_grid, area_edit::grid_history, area_edit::redraw, imports::create,
        imports::get, imports::rows, quality::list, quality::get, quality::rule,
        feed::changes, feed::events, layers::get, tiles::json, tiles::get, me::get, ops::healthz, ops::readyz,
        ops::metrics, ops::index, pages::docs, pages::asset, get,
    ),
    components(schemas(Problem)),
    tags(
        (name = "resolve", description = "What a pin means"),
        (name = "reports", description = "Reporting damage, and following it"),
        (name = "work orders", description = "From dispatch to closing"),
        (name = "registry", description = "Areas, organisations, people, covers"),
        (name = "imports", description = "Files of departments"),
        (name = "layers", description = "Whole layers, for maps and tables"),
        (name = "tiles", description = "Vector tiles, for maps"),
        (name = "keys", description = "Who is calling"),
        (name = "operations", description = "Alive, ready, how it fares"),
    ),
    modifiers(&Edge),
)]
struct Document;

/// The document as bytes, made once.
static BYTES: LazyLock<Bytes> = LazyLock::new(|| {
    let document = Document::openapi();
    document.to_json().map(Bytes::from).unwrap_or_default()
});

/// This document
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "openapi", tag = "operations",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)),
)]
pub async fn get() -> Response<Body> {
    let mut response = Response::new(Body::from(BYTES.clone()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::http::ROUTES;

    fn document() -> Value {
        serde_json::from_slice(&BYTES).unwrap()
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document = document();
        let described: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| (method.clone(), path.clone())))
            .collect();
        // OpenAPI has no word for the rest of a path.
        let routed = ROUTES.iter().map(|(method, path)| ((*method).to_owned(), path.replace("{*", "{"))).collect();
        assert_eq!(described, routed);
        assert_eq!(document["openapi"], "3.1.0");
    }

    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_operation_says_what_it_answers_and_is_named_once() {
        let document = document();
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{id} names two operations");
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                let with_body = |(status, _): &(&String, &Value)| !matches!(status.as_str(), "204" | "308");
                for (status, response) in operation["responses"].as_object().unwrap().iter().filter(with_body) {
                    assert!(response["content"].is_object(), "{method} {path} {status}");
                }
            }
        }
    }
}
