//! `/v1/covers`: creating, changing, removing; and the versions that this leaves.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::cover_in::{CodeIn, CoverIn, differences, document, patched, read_patch};
use super::edge::Caller;
use super::history::{DeliveryOut, FieldChangeOut, Reader, VersionOut, by, delivery, undoes};
use super::openapi::{BodyFaults, EditFaults, Forbidden, Gone, MergeFaults, Moved, NotFound, UndoFaults, say};
use super::page::Items;
use super::params::Params;
use super::problem::Outcome;
use super::wire::{CoverOut, Out};
use super::write::{self, InPath, moved};
use super::{App, body, json, to_bytes};
use crate::domain::actor::Actor;
use crate::domain::cover::Cover;
use crate::domain::id::{CodeError, CoverCode};
use crate::domain::said::say;
use crate::domain::text::Text;
use crate::index::CoverView;
use crate::service::Guli;
use crate::service::command::{Idempotency, Render, Rendered};
use crate::service::edit::Asking;
use crate::service::edit::covers::{CoverEdit, Redraft};
use crate::service::error::{Result, ServiceError};
use crate::service::registry::CoverVersion;
use crate::store::events::Event;

/// The cover that a path names.
pub(super) fn code(text: &str) -> Result<CoverCode> {
    let unknown = |why| ServiceError::NotFound(say!("this cover ({why})", "此井盖（{why}）", why = why));
    text.parse().map_err(|why: CodeError| unknown(why))
}

/// What the parameters of an edit say: why, and how its answer is to look.
fn asked(query: Option<&str>) -> Result<(Option<Text<2000>>, Out)> {
    let mut params = Params::read(query)?;
    let reason = write::reason(&mut params)?;
    let out = Out::from_params(&mut params)?;
    params.finish("reason, out_crs")?;
    Ok((reason, out))
}

/// An edit of a cover begun.
enum Begun {
    Here(Editing),
    /// The code was one that it had: the answer leads to the one that it has.
    Elsewhere(Response<Body>),
}

struct Editing {
    code: CoverCode,
    reason: Option<Text<2000>>,
    out: Out,
}

/// `rest` follows the code in the path.
async fn begin(app: &App, caller: &Caller, path: &str, rest: &str, query: Option<&str>) -> Result<Begun> {
    let (reason, out) = asked(query)?;
    caller.known()?;
    let code = code(path)?;
    Ok(match elsewhere(app, &caller.0, code, rest, query).await? {
        Some(moved) => Begun::Elsewhere(moved),
        None => Begun::Here(Editing { code, reason, out }),
    })
}

impl Editing {
    async fn edit(
        self,
        app: &App,
        Caller(actor): Caller,
        edit: CoverEdit,
        idempotency: Option<Idempotency>,
        status: StatusCode,
    ) -> Outcome {
        let asking = Asking { actor, reason: self.reason, idempotency };
        write::respond(app.guli.edit_cover(edit, asking, render(status, self.out)).await)
    }
}

/// The answer with a cover as it now is.
fn render(status: StatusCode, out: Out) -> Render<CoverView> {
    let rendered = move |cover: &CoverView| -> Result<Rendered> {
        let location = (status == StatusCode::CREATED).then(|| format!("/v1/covers/{}", cover.code));
        let etag = Some(format!("\"{}\"", cover.version));
        let body = if status == StatusCode::NO_CONTENT { Vec::new() } else { to_bytes(&CoverOut::new(cover, out)?)? };
        Ok(Rendered { status: status.as_u16(), location, etag, body })
    };
    Render(Arc::new(move |cover: &CoverView| write::rendered(rendered(cover))))
}

/// Register a cover
///
/// Without a code it gets the next one of its category. Its grid is the one that it lies in.
#[utoipa::path(
    post, path = "/v1/covers", operation_id = "create_cover", tag = "registry", security(("key" = [])),
    params(
        ("reason" = Option<String>, Query, description = say::REASON),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
        ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
    ),
    request_body = CoverIn,
    responses(
        (status = 201, description = "Registered", body = CoverOut, headers(
            ("Location" = String, description = "/v1/covers/{code}"),
            ("ETag" = String, description = "Its version, for If-Match"),
        )),
        BodyFaults, Forbidden, super::openapi::ReportFaults,
    ),
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Outcome {
    let (reason, out) = asked(query.as_deref())?;
    caller.known()?;
    let bytes = body::bytes(&headers, body).await?;
    let idempotency = write::idempotency(&headers, &caller.0, "/v1/covers", &bytes)?;
    let given: CoverIn = body::parse(&bytes)?;
    let code = given.code()?;
    let draft = given.draft(code)?;
    if let Some(code) = code.filter(|code| code.category() != draft.category) {
        let category = draft.category;
        let detail = say!("category {category} contradicts code {code}", "小类 {category} 与编码 {code} 矛盾");
        return Err(ServiceError::invalid("/category", detail).into());
    }
    let edit = CoverEdit::Create { district: app.guli.district_at(&draft)?, code, draft: Box::new(draft) };
    let asking = Asking { actor: Arc::clone(&caller.0), reason, idempotency };
    write::respond(app.guli.edit_cover(edit, asking, render(StatusCode::CREATED, out)).await)
}

/// Change a cover to this
///
/// The body is the whole cover: what is left out is not known of it. What the registry gives itself
/// (code, grid, version) may be sent back as it was read. Another category gives another code, and
/// the old one leads to it (308).
#[utoipa::path(
    put, path = "/v1/covers/{code}", operation_id = "replace_cover", tag = "registry", security(("key" = [])),
    params(
        ("code" = String, Path, description = "16 digits (2013) or 17 (2026)", example = "3702030103000123"),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
    ),
    request_body = CoverIn,
    responses(
        (status = 200, description = "The cover as it now is", body = CoverOut),
        Moved, BodyFaults, EditFaults, Gone,
    ),
)]
pub async fn put(
    State(app): State<App>,
    caller: Caller,
    InPath(path): InPath<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Outcome {
    let begun = match begin(&app, &caller, &path, "", query.as_deref()).await? {
        Begun::Here(begun) => begun,
        Begun::Elsewhere(moved) => return Ok(moved),
    };
    let (code, precondition) = (begun.code, write::precondition(&headers)?);
    let bytes = body::bytes(&headers, body).await?;
    let whole: CoverIn = body::parse(&bytes)?;
    let redraft = Redraft(Arc::new(move |cover| whole.redraft(cover)));
    let edit = CoverEdit::Change { code, precondition, redraft };
    begun.edit(&app, caller, edit, None, StatusCode::OK).await
}

/// Change parts of a cover
///
/// JSON Merge Patch (RFC 7396): what is left out stays, null is not known.
#[utoipa::path(
    patch, path = "/v1/covers/{code}", operation_id = "patch_cover", tag = "registry", security(("key" = [])),
    params(
        ("code" = String, Path, description = "16 digits (2013) or 17 (2026)", example = "3702030103000123"),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
    ),
    request_body(
        content = serde_json::Value, content_type = "application/merge-patch+json",
        example = json!({"owner": "370203-DRN02", "spec": {"load_class": "D400", "material": null}}),
    ),
    responses(
        (status = 200, description = "The cover as it now is", body = CoverOut),
        Moved, BodyFaults, EditFaults, Gone,
    ),
)]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    InPath(path): InPath<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Outcome {
    let begun = match begin(&app, &caller, &path, "", query.as_deref()).await? {
        Begun::Here(begun) => begun,
        Begun::Elsewhere(moved) => return Ok(moved),
    };
    let (code, precondition) = (begun.code, write::precondition(&headers)?);
    let patch = read_patch(&body::patch_bytes(&headers, body).await?)?;
    let redraft = Redraft(Arc::new(move |cover| patched(cover, &patch)));
    let edit = CoverEdit::Change { code, precondition, redraft };
    begun.edit(&app, caller, edit, None, StatusCode::OK).await
}

/// Remove a cover
///
/// It was taken from the street: from here on it is gone (410), its history and its orders stay.
#[utoipa::path(
    delete, path = "/v1/covers/{code}", operation_id = "remove_cover", tag = "registry", security(("key" = [])),
    params(
        ("code" = String, Path, description = "16 digits (2013) or 17 (2026)", example = "3702030103000123"),
    ),
    responses(
        (status = 204, description = "Removed"),
        Moved, EditFaults, Gone,
    ),
)]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    InPath(path): InPath<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Outcome {
    let begun = match begin(&app, &caller, &path, "", query.as_deref()).await? {
        Begun::Here(begun) => begun,
        Begun::Elsewhere(moved) => return Ok(moved),
    };
    let (code, precondition) = (begun.code, write::precondition(&headers)?);
    let edit = CoverEdit::Remove { code, precondition };
    begun.edit(&app, caller, edit, None, StatusCode::NO_CONTENT).await
}

/// Into which cover another is merged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"into": "3702030103000124"}))]
pub struct MergeIn {
    /// The cover that stays.
    #[schema(value_type = CodeIn)]
    pub into: CodeIn,
}

/// Merge a cover into another
///
/// For two records of one cover (重复登记): this one is removed, its code leads to the one that stays (308), and its
/// open orders are about that one. Undoing the removal brings the record back; the orders stay.
#[utoipa::path(
    post, path = "/v1/covers/{code}/merge", operation_id = "merge_cover", tag = "registry", security(("key" = [])),
    params(
        ("code" = String, Path, description = "Of the record that goes", example = "3702030103000123"),
        ("reason" = Option<String>, Query, description = say::REASON),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
        ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
        ("If-Match" = Option<String>, Header, description = "The version of the record that goes, in quotes, or *"),
    ),
    request_body = MergeIn,
    responses(
        (status = 200, description = "The cover that stays", body = CoverOut, headers(
            ("ETag" = String, description = "Its version, for If-Match"),
        )),
        Moved, BodyFaults, MergeFaults, Gone,
    ),
)]
pub async fn merge(
    State(app): State<App>,
    caller: Caller,
    InPath(path): InPath<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Outcome {
    let begun = match begin(&app, &caller, &path, "/merge", query.as_deref()).await? {
        Begun::Here(begun) => begun,
        Begun::Elsewhere(moved) => return Ok(moved),
    };
    let code = begun.code;
    let bytes = body::bytes(&headers, body).await?;
    let idempotency = write::idempotency(&headers, &caller.0, &format!("/v1/covers/{code}/merge"), &bytes)?;
    let MergeIn { into } = body::parse(&bytes)?;
    let into: CoverCode = into.text().parse().map_err(|why: CodeError| ServiceError::invalid("/into", why))?;
    let precondition = write::maybe_precondition(&headers)?;
    let edit = CoverEdit::Merge { code, precondition, into };
    begun.edit(&app, caller, edit, idempotency, StatusCode::OK).await
}

/// Undo a change of a cover
///
/// Makes the version before this one the present again, as a new version. Only the last change can be
/// undone: later ones stand on it.
#[utoipa::path(
    post, path = "/v1/covers/{code}/history/{version}/undo", operation_id = "undo_cover", tag = "registry",
    security(("key" = [])),
    params(
        ("code" = String, Path, description = "16 digits (2013) or 17 (2026)", example = "3702030103000123"),
        ("version" = i64, Path, description = "The last version", example = 2),
        ("reason" = Option<String>, Query, description = say::REASON),
        ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
        ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
    ),
    responses(
        (status = 200, description = "The cover as it now is", body = CoverOut, headers(
            ("ETag" = String, description = "Its version, for If-Match"),
        )),
        Moved, UndoFaults,
    ),
)]
pub async fn undo(
    State(app): State<App>,
    caller: Caller,
    InPath((path, version)): InPath<(String, i64)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Outcome {
    let rest = format!("/history/{version}/undo");
    let begun = match begin(&app, &caller, &path, &rest, query.as_deref()).await? {
        Begun::Here(begun) => begun,
        Begun::Elsewhere(moved) => return Ok(moved),
    };
    let code = begun.code;
    let idempotency = write::idempotency(&headers, &caller.0, &format!("/v1/covers/{code}{rest}"), &[])?;
    begun.edit(&app, caller, CoverEdit::Undo { code, version }, idempotency, StatusCode::OK).await
}

/// The way to a cover for whoever asks by a code that it once had; `rest` follows the code.
pub(super) async fn elsewhere(
    app: &App,
    actor: &Actor,
    code: CoverCode,
    rest: &str,
    query: Option<&str>,
) -> Result<Option<Response<Body>>> {
    if app.guli.context.index.cover(code).is_some() {
        return Ok(None);
    }
    let present = app.guli.present_code(actor, code).await?.filter(|present| *present != code);
    Ok(present.map(|present| moved(&format!("/v1/covers/{present}{rest}"), query)))
}

fn versions(reader: Reader<'_>, versions: Vec<CoverVersion>) -> Vec<VersionOut> {
    let mut before: Option<(Cover, Value)> = None;
    let mut out = Vec::with_capacity(versions.len());
    for CoverVersion { cover, event, import } in versions {
        let present = document(&cover);
        let mut changed = Vec::new();
        if let Some((was, before)) = &before {
            differences("", before, &present, &mut changed);
            // What the registry gives.
            if was.code != cover.code {
                changed.push(("/code".to_owned(), was.code.to_string().into(), cover.code.to_string().into()));
            }
            if was.grid != cover.grid {
                let grid = |cover: &Cover| cover.grid.map_or(Value::Null, |grid| grid.to_string().into());
                changed.push(("/grid".to_owned(), grid(was), grid(&cover)));
            }
        }
        let by = event.as_ref().map(|event| by(reader, event));
        let delivered = import.map(|(import, row)| DeliveryOut { import, row });
        out.push(VersionOut {
            version: cover.version,
            at: event.as_ref().map(Event::at),
            by,
            change: event.as_ref().map(|event| event.kind.clone()),
            undoes: event.as_ref().and_then(|event| undoes(event, cover.version)),
            merged_into: event.as_ref().and_then(Event::merged_into),
            source: delivered.or_else(|| event.as_ref().and_then(delivery)),
            reason: event.and_then(|event| event.reason),
            changes: changed.into_iter().map(|(pointer, from, to)| FieldChangeOut { pointer, from, to }).collect(),
        });
        before = Some((cover, present));
    }
    out
}

/// Read the history of a cover
///
/// Every version with who, when, why and from where; of a removed cover too.
#[utoipa::path(
    get, path = "/v1/covers/{code}/history", operation_id = "cover_history", tag = "registry",
    security(("key" = [])),
    params(("code" = String, Path, description = "16 digits (2013) or 17 (2026)", example = "3702030103000123")),
    responses(
        (status = 200, description = "All versions, the oldest first", body = Items<VersionOut>), Moved, Forbidden,
        NotFound,
    ),
)]
pub async fn history(
    State(app): State<App>,
    caller: Caller,
    InPath(path): InPath<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    Params::read(query.as_deref())?.finish("none")?;
    caller.known()?;
    let code = code(&path)?;
    match history_of(&app.guli, &caller.0, code).await {
        Ok(history) => json(StatusCode::OK, &history),
        Err(ServiceError::NotFound(hidden)) => {
            let elsewhere = elsewhere(&app, &caller.0, code, "/history", None).await?;
            elsewhere.ok_or_else(|| ServiceError::NotFound(hidden).into())
        }
        Err(other) => Err(other.into()),
    }
}

/// Every version of a cover, for whoever asks, over HTTP or at the command line.
pub async fn history_of(guli: &Guli, actor: &Actor, code: CoverCode) -> Result<Items<VersionOut>> {
    let found = guli.cover_history(actor, code).await?;
    Ok(Items { items: versions(Reader::of(guli, actor, code.district()), found), next: None })
}
