//! What the document says of refusals: each status with its problems and an example of each.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::IntoResponses;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Response as Answer, ResponseBuilder};

use crate::crs::Crs;

/// Status, slug, an example's members besides the common ones.
pub(super) type Fault = (u16, &'static str, fn() -> serde_json::Value);

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

pub(super) fn answers(faults: &[Fault]) -> BTreeMap<String, RefOr<Answer>> {
    let mut by_status: BTreeMap<u16, Vec<Fault>> = BTreeMap::new();
    for fault in faults {
        by_status.entry(fault.0).or_default().push(*fault);
    }
    by_status.into_iter().map(|(status, faults)| (status.to_string(), answer(&faults).into())).collect()
}

fn malformed() -> serde_json::Value {
    json!({"title": "The request cannot be read", "detail": "this cursor was not given out for this list",
           "errors": [{"parameter": "cursor", "detail": "this cursor was not given out for this list"}]})
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

fn in_progress() -> serde_json::Value {
    json!({"title": "The same request is still running", "detail": "the same request is still running"})
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
    json!({"title": "Changed in the meantime", "detail": "it has changed since", "current": 4,
           "errors": [{"header": "If-Match", "detail": "the version is no longer current"}]})
}

fn stale_grid() -> serde_json::Value {
    json!({"title": "Changed in the meantime", "detail": "it has changed since", "current": 4,
           "errors": [{"pointer": "/grids/1/version", "detail": "the version is no longer current"}]})
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
        "row": 2, "line": 3, "severity": "error", "code": "value_missing", "column": "lon", "detail": "lon is needed"
    });
    json!({"title": "The file has errors", "detail": "the file has errors; nothing of it was stored", "id": "",
           "dry_run": false, "counts": counts, "findings": [finding]})
}

fn conflict() -> serde_json::Value {
    json!({"title": "In conflict with what is there",
           "detail": "later changes stand on version 2: the last one is 3"})
}

fn mended() -> serde_json::Value {
    json!({"title": "In conflict with what is there",
           "detail": "finding 5f1d2c3b4a596877 is mended: nothing is left to be said"})
}

fn void_token() -> serde_json::Value {
    json!({"title": "Gone", "detail": "this tracking token is void: its order was closed long ago"})
}

fn not_found() -> serde_json::Value {
    json!({"title": "Not found", "detail": "work order WO-370203-261123-00042-3 does not exist"})
}

fn forbidden() -> serde_json::Value {
    json!({"title": "Not yours to do", "detail": "the key's role or scope does not allow this: an administrator's key of the district may"})
}

fn too_large() -> serde_json::Value {
    json!({"title": "Too large", "detail": "a JSON body has at most 256 KB"})
}

fn media_type() -> serde_json::Value {
    json!({"title": "Unsupported media type", "detail": "send Content-Type: application/json",
           "errors": [{"header": "Content-Type", "detail": "send Content-Type: application/json"}]})
}

fn internal() -> serde_json::Value {
    let detail = "the request could not be handled; its x-request-id finds it in the log";
    json!({"title": "Something failed here", "detail": detail})
}

fn unavailable() -> serde_json::Value {
    json!({"title": "Not possible for the moment", "detail": "the database cannot write now"})
}

fn other_district() -> serde_json::Value {
    json!({"title": "Served elsewhere", "detail": "district 370203 is served elsewhere"})
}

pub(super) const MALFORMED: Fault = (400, "malformed", malformed);
pub(super) const UNAUTHORIZED: Fault = (401, "unauthorized", unauthorized);
const FORBIDDEN: Fault = (403, "forbidden", forbidden);
const NOT_FOUND: Fault = (404, "not-found", not_found);
const TOO_LARGE: Fault = (413, "too-large", too_large);
const MEDIA_TYPE: Fault = (415, "unsupported-media-type", media_type);
pub(super) const OTHER_DISTRICT: Fault = (421, "other-district", other_district);
pub(super) const INVALID: Fault = (422, "invalid", invalid);
pub(super) const UNKNOWN_CRS: Fault = (422, "unknown-crs", unknown_crs);
const OUTSIDE: Fault = (422, "outside-service-area", outside);
const MISMATCH: Fault = (422, "idempotency-mismatch", mismatch);
pub(super) const INTERNAL: Fault = (500, "internal", internal);
pub(super) const UNAVAILABLE: Fault = (503, "unavailable", unavailable);

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
    RulingFaults [FORBIDDEN, NOT_FOUND, MISMATCH, (409, "conflict", mended)];
    MergeFaults [FORBIDDEN, NOT_FOUND, INVALID, UNKNOWN_CRS, MISMATCH, (412, "stale-version", stale)];
    UndoFaults [FORBIDDEN, NOT_FOUND, MISMATCH, (409, "conflict", conflict)];
    ImportFaults [
        FORBIDDEN, TOO_LARGE, MEDIA_TYPE, INVALID, UNKNOWN_CRS, MISMATCH, (422, "import-rejected", import_rejected),
        (409, "in-progress", in_progress)
    ];
    RedrawFaults [FORBIDDEN, NOT_FOUND, INVALID, UNKNOWN_CRS, MISMATCH, (409, "conflict", conflict)];
    /// A grid was to be redrawn from a version that is past.
    StaleGrid [(412, "stale-version", stale_grid)];
    /// What stands on a thing keeps it.
    TiedFaults [(409, "conflict", conflict)];
    Gone [(410, "gone", gone)];
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
