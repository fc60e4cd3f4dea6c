//! `/v1/imports/{id}`: what became of an import, of each of its rows, and taking it back.

use std::io::Read as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use flate2::read::GzDecoder;
use serde::Serialize;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use utoipa::ToSchema;

use super::edge::Caller;
use super::import_out::{ImportOut, ImportState};
use super::openapi::{NotFound, TiedFaults, UndoFaults, say};
use super::params::Params;
use super::problem::{Language, Outcome};
use super::write::{self, InPath};
use super::{App, json, to_bytes};
use crate::domain::actor::Actor;
use crate::domain::id::ImportId;
use crate::domain::said::say;
use crate::import::finding::rows_in;
use crate::import::report::Report;
use crate::service::command::{Render, Rendered};
use crate::service::edit::Asking;
use crate::service::error::{Result, ServiceError};
use crate::service::import::undo::Undone;

/// Read an import's report
#[utoipa::path(
    get, path = "/v1/imports/{id}", operation_id = "import_report", tag = "imports", security(("key" = [])),
    params(("id" = String, Path, description = "As the import was answered with")),
    responses((status = 200, description = "Its report, for who made it and for administrators", body = ImportOut), NotFound),
)]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    language: Language,
    InPath(id): InPath<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    Params::read(query.as_deref())?.finish("none")?;
    caller.known()?;
    // Who asks here while it runs, or for what stored nothing, is told from memory; what was stored is told by any server.
    let made = app.imports.find(&caller.0, &id).ok();
    let import = id.parse().map(ImportId).map_err(|_| ServiceError::NotFound(say!("import {id}", "导入记录 {id}")))?;
    let report = if let Some(made) = made {
        made.report(language)
    } else {
        let report = app.guli.import_report(&caller.0, import).await?;
        let report: Report =
            serde_json::from_str(&report).map_err(|error| ServiceError::Internal(error.to_string()))?;
        ImportOut::new(&report, import, language)
    };
    // What stored nothing is noted nowhere, and while it runs it is not taken back.
    if !matches!(report.state, ImportState::Stored | ImportState::Failed) {
        return json(StatusCode::OK, &report);
    }
    let noted = app.guli.noted_import(import).await?;
    json(StatusCode::OK, &report.noted_as(noted.as_ref().map(|noted| noted.state.as_str())))
}

/// What taking an import back came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct UndoneOut {
    pub id: String,
    /// What its records were.
    #[schema(examples("covers"))]
    pub kind: String,
    /// Records that it had brought.
    pub removed: u64,
    /// Records that it had changed, and that are as before; people but for their names and phones.
    pub restored: u64,
    /// Records that stay: changed or reported in that very moment, or people of whom only a name or phone was changed.
    pub kept: u64,
}

/// Undo an import
///
/// Takes an import of covers, areas, organisations or people back, as new versions: what it brought is removed, what it
/// changed is as before. Refused where something stands on it: a later change, an open order, areas within, people who
/// stand for it, things that name it; and where covers would go back to a unit that is no more. Names and phones of
/// people stay, for nothing earlier of them is kept. For whoever made it, and for administrators.
#[utoipa::path(
    post, path = "/v1/imports/{id}/undo", operation_id = "undo_import", tag = "imports", security(("key" = [])),
    params(
        ("id" = String, Path, description = "As the import was answered with, and as histories name it"),
        ("reason" = Option<String>, Query, description = say::REASON),
        ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
    ),
    responses(
        (status = 200, description = "What it came to", body = UndoneOut),
        UndoFaults,
    ),
)]
pub async fn undo(
    State(app): State<App>,
    caller: Caller,
    InPath(id): InPath<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Outcome {
    let reason = write::only_reason(query.as_deref())?;
    caller.known()?;
    let import = id.parse::<uuid::Uuid>().map(ImportId);
    let import = import.map_err(|_| ServiceError::NotFound(say!("import {id}", "导入记录 {id}")))?;
    let route = format!("/v1/imports/{import}/undo");
    let idempotency = write::idempotency(&headers, &caller.0, &route, &[])?;
    let asking = Asking { actor: Arc::clone(&caller.0), reason, idempotency };
    let render = Render(Arc::new(move |undone: &Undone| {
        let Undone { kind, removed, restored, kept, .. } = undone.clone();
        let body = to_bytes(&UndoneOut { id: id.clone(), kind, removed, restored, kept });
        write::rendered(body.map(|body| Rendered { status: 200, location: None, etag: None, body }))
    }));
    // Whoever hangs up does not leave it half done.
    let guli = Arc::clone(&app.guli);
    let undone = tokio::spawn(async move { guli.undo_import(import, asking, render).await }).await;
    write::respond(undone.map_err(|error| ServiceError::Internal(format!("an undoing ended: {error}")))??)
}

/// Read an import's report row by row
///
/// Kept for 30 days, without what a file says of people.
#[utoipa::path(
    get, path = "/v1/imports/{id}/rows", operation_id = "import_rows", tag = "imports", security(("key" = [])),
    params(("id" = String, Path, description = "As the import was answered with")),
    responses(
        (status = 200, description = "One JSON object on each line", body = String, content_type = "application/x-ndjson"),
        NotFound, TiedFaults,
    ),
)]
pub async fn rows(
    State(app): State<App>,
    caller: Caller,
    language: Language,
    InPath(id): InPath<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    Params::read(query.as_deref())?.finish("none")?;
    caller.known()?;
    let made = app.imports.find(&caller.0, &id).ok();
    if made.as_ref().is_some_and(|made| made.came.get().is_none()) {
        return Err(ServiceError::Conflict(say!("the import is still running", "导入仍在进行")).into());
    }
    // Of a try, and of what this server has just imported, there is the file itself.
    let file = match made {
        Some(made) => File::open(made.folder.path().join("rows.ndjson")).await.ok(),
        None => None,
    };
    let body = match file {
        Some(file) => file_rows(file, language),
        None => kept_rows(&app, &caller.0, &id, language).await?,
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// Bytes of a file's rows that are read together.
const READ_TOGETHER: usize = 1 << 16;

/// The rows of a file, some whole lines at a time.
fn file_rows(file: File, language: Language) -> Body {
    let pieces = futures_util::stream::try_unfold(BufReader::new(file), move |mut lines| async move {
        let mut rows = String::new();
        while rows.len() < READ_TOGETHER && lines.read_line(&mut rows).await? > 0 {}
        Ok::<_, std::io::Error>((!rows.is_empty()).then(|| (rows_in(language, &rows), lines)))
    });
    Body::from_stream(pieces)
}

/// The rows as they are kept, piece by piece, each of whole lines.
async fn kept_rows(app: &App, actor: &Actor, id: &str, language: Language) -> Result<Body> {
    let import = id.parse().map(ImportId).map_err(|_| ServiceError::NotFound(say!("import {id}", "导入记录 {id}")))?;
    let district = app.guli.import_rows(actor, import).await?;
    let guli = Arc::clone(&app.guli);
    let pieces = futures_util::stream::try_unfold((guli, 0), move |(guli, number)| async move {
        let Some(packed) = guli.rows_piece(district, import, number).await.map_err(std::io::Error::other)? else {
            return Ok(None);
        };
        let mut rows = String::new();
        GzDecoder::new(packed.as_slice()).read_to_string(&mut rows)?;
        Ok::<_, std::io::Error>(Some((rows_in(language, &rows), (guli, number + 1))))
    });
    Ok(Body::from_stream(pieces))
}
