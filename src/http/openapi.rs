//! `/openapi.json`: the API described from the very types that are read and answered.

use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use serde_json::json;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{RefOr, Required};
use utoipa::{Modify, OpenApi};

use super::problem::Problem;
use super::refusals::{INTERNAL, INVALID, MALFORMED, OTHER_DISTRICT, UNAUTHORIZED, UNAVAILABLE, UNKNOWN_CRS, answers};
use super::{
    actions, area_edit, areas, batch, cover_edit, covers, feed, import_list, import_made, imports, layers, me, ops,
    organizations, pages, people, quality, reports, resolve, tiles, work_orders,
};

pub use super::refusals::{
    ActFaults, BodyFaults, EditFaults, Forbidden, Gone, ImportFaults, MediaTypes, MergeFaults, Moved, NotFound,
    Outside, RedrawFaults, ReportFaults, RulingFaults, StaleGrid, TiedFaults, TokenGone, UndoFaults,
};

/// What many parameters and headers say of themselves.
pub mod say {
    pub const AS_OF: &str = "As it was at this instant: between the first change of the registry and now";
    pub const CURSOR: &str = "`next` of the page before, with the same query";
    pub const DRY_RUN: &str = "true: change nothing, and say what would change";
    pub const IDEMPOTENCY_KEY: &str = "16–128 visible ASCII; the same key and body give the same answer for 7 days";
    pub const IF_MATCH: &str = "The version that this is meant for, in quotes, or * for any";
    pub const IN_AREA: &str = "Only what lies in this area, or in one of several of one district, separated by commas";
    pub const IN_DUTY: &str = "Only those with a duty in this area";
    pub const LIMIT: &str = "Items of a page; 20 unless said";
    pub const REASON: &str = "Why, for the history; at most 2,000 characters";
    pub const OUT_CRS: &str = "Coordinate system of the answer";
}

/// Adds to every operation what the edge does for all of them.
struct Edge;

impl Modify for Edge {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A key of `guli key create`")).build();
        document.components.get_or_insert_default().add_security_scheme("key", SecurityScheme::Http(bearer));
        for item in document.paths.paths.values_mut() {
            for operation in [&mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten() {
                describe_edit(operation);
            }
            for operation in [&mut item.put, &mut item.patch].into_iter().flatten() {
                describe_header(operation, "ETag", "Its version, for If-Match");
            }
            for operation in item.post.iter_mut().filter(|operation| is_repeatable(operation)) {
                describe_write(operation);
                describe_header(operation, "Idempotent-Replayed", "true when the same request was answered before");
            }
            for operation in methods(item) {
                describe(operation);
            }
        }
    }
}

/// A change of something that has versions.
fn describe_edit(operation: &mut Operation) {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let reason = ParameterBuilder::new()
        .name("reason")
        .parameter_in(ParameterIn::Query)
        .description(Some(say::REASON))
        .schema(Some(text()))
        .build();
    let version = ParameterBuilder::new()
        .name("If-Match")
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some(say::IF_MATCH))
        .schema(Some(text()))
        .example(Some(json!("\"1\"")))
        .build();
    operation.parameters.get_or_insert_default().extend([reason.into(), version.into()]);
    describe_write(operation);
}

/// Whether an `Idempotency-Key` makes a request one that can be sent again.
fn is_repeatable(operation: &Operation) -> bool {
    let parameters = operation.parameters.iter().flatten();
    parameters.into_iter().any(|parameter| matches!(parameter, RefOr::T(own) if own.name == "Idempotency-Key"))
}

fn describe_write(operation: &mut Operation) {
    describe_header(operation, "Guli-Feed", "district:seq of the last event that this wrote; of a try the present one");
}

/// A header of every success.
fn describe_header(operation: &mut Operation, name: &str, description: &str) {
    for (status, response) in &mut operation.responses.responses {
        if let (true, RefOr::T(response)) = (status.starts_with('2'), response) {
            response.headers.insert(name.to_owned(), header_of(description).into());
        }
    }
}

fn header_of(description: &str) -> Header {
    let text = ObjectBuilder::new().schema_type(Type::String);
    HeaderBuilder::new().schema(Some(text)).description(Some(description)).build()
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
        common.extend([MALFORMED, UNAUTHORIZED, INVALID, UNKNOWN_CRS, OTHER_DISTRICT]);
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
            response.headers.insert(name.to_owned(), header_of(description).into());
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
        resolve::get, batch::batch, reports::create, reports::track, work_orders::list, work_orders::get,
        actions::accept, actions::arrive, actions::secure, actions::repair, actions::verify, actions::close,
        actions::identify, actions::reassign, areas::districts, areas::district, areas::subdistricts,
        areas::subdistrict, areas::communities, areas::community, areas::grids, areas::grid, organizations::organizations,
        organizations::create, organizations::organization, organizations::put, organizations::patch,
        organizations::delete, organizations::history, organizations::undo, people::people, people::create, people::person, people::put,
        people::patch, people::delete, people::history, people::undo, covers::covers, covers::cover,
        cover_edit::create, cover_edit::put, cover_edit::patch, cover_edit::delete, cover_edit::history,
        cover_edit::merge, cover_edit::undo, area_edit::put_subdistrict, area_edit::patch_subdistrict, area_edit::delete_subdistrict,
        area_edit::subdistrict_history, area_edit::undo_subdistrict, area_edit::put_community, area_edit::patch_community,
        area_edit::delete_community, area_edit::community_history, area_edit::undo_community, area_edit::put_grid, area_edit::patch_grid,
        area_edit::delete_grid, area_edit::grid_history, area_edit::undo_grid, area_edit::redraw, area_edit::create_subdistrict, area_edit::create_community,
        area_edit::create_grid, areas::district_history, import_list::list, imports::create,
        import_made::get, import_made::rows, import_made::undo, quality::list, quality::get, quality::rule,
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

    /// Two types of one name would be described as one.
    #[test]
    fn the_findings_of_a_file_are_not_those_of_the_registry() {
        let document = document();
        let of = |schema: &str, member: &str| document["components"]["schemas"][schema]["properties"][member].clone();
        let rows =
            of("ImportOut", "findings")["items"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        assert!(of(&rows, "row").is_object() && of(&rows, "column").is_object(), "{rows}");
        assert!(of("FindingOut", "rule").is_object() && of("FindingOut", "mend").is_object());
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
