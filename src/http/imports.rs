//! `/v1/imports`: a department's file over HTTP, read, checked and taken as `guli import` does.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};

use super::edge::Caller;
use super::feed::which_district;
use super::import_in::{ImportForm, Sent, no_folder, receive};
use super::import_out::{ImportOut, ImportState, Made};
use super::openapi::{ImportFaults, say};
use super::params::{self, Params};
use super::problem::{Language, Outcome};
use super::wire::{self, Source};
use super::write;
use super::{App, json, set, to_bytes};
use crate::domain::actor::{self, Action, Actor, Resource, Role, Scope};
use crate::domain::id::{DistrictCode, OrgCode};
use crate::domain::said::say;
use crate::import::field::Kind;
use crate::import::profile::Profile;
use crate::import::report::Report;
use crate::import::run::{self, Mode, OnError, RunError};
use crate::service::Guli;
use crate::service::command::{Answer, Idempotency, Rendered};
use crate::service::error::{Result, ServiceError};

/// The parameters of an import.
struct Asked {
    profile: Option<String>,
    kind: Option<Kind>,
    crs: Option<String>,
    source: Option<OrgCode>,
    district: Option<DistrictCode>,
    mode: Mode,
    on_error: OnError,
}

fn asked(query: Option<&str>) -> Result<Asked> {
    let mut params = Params::read(query)?;
    let kind = params.text("kind").map(|kind| {
        let kind = params::word(&kind, Kind::ALL, Kind::as_str);
        kind.map_err(|detail| ServiceError::parameter("kind", detail))
    });
    let crs = params.text("crs");
    if let Some(name) = &crs {
        wire::crs(Some(name), Source::Query, "crs")?;
    }
    let asked = Asked {
        profile: params.text("profile"),
        kind: kind.transpose()?,
        crs,
        source: params.parse("source")?,
        district: params.parse("district")?,
        mode: if params.flag("dry_run")? == Some(true) { Mode::DryRun } else { Mode::Apply },
        on_error: if params.flag("keep_going")? == Some(true) { OnError::KeepGoing } else { OnError::RefuseFile },
    };
    params.finish("profile, kind, crs, source, district, dry_run, keep_going")?;
    Ok(asked)
}

/// How the file is read: as its mapping says, as the named profile does, or by Guli's own names.
fn profile(app: &App, asked: &Asked, sent: &Sent) -> Result<Profile> {
    let mut profile =
        match (&sent.mapping, &asked.profile) {
            (Some(_), Some(_)) => {
                let detail = say!("a mapping says it all: leave the profile out", "已有 mapping，请去掉 profile");
                return Err(ServiceError::parameter("profile", detail));
            }
            (Some(mapping), None) => Profile::from_json(mapping.clone(), &sent.name)
                .map_err(|error| ServiceError::invalid("/mapping", error))?,
            (None, Some(name)) => {
                let found = app.imports.profiles.iter().find(|profile| profile.name == *name).cloned();
                found.ok_or_else(|| {
                    let all: Vec<_> = app.imports.profiles.iter().map(|profile| profile.name.as_str()).collect();
                    let all = all.join(", ");
                    let detail = say!(
                        "there is no profile {name:?}; there are {all}",
                        "没有名为 {name:?} 的导入配置，现有的是：{all}"
                    );
                    ServiceError::parameter("profile", detail)
                })?
            }
            (None, None) => Profile::default_for(Path::new(&sent.name), asked.kind.unwrap_or(Kind::Covers))
                .ok_or_else(|| {
                    let detail = say!(
                        "its name ends in no format: .csv, .geojson, .geojsonl",
                        "从文件名看不出格式：应为 .csv、.geojson 或 .geojsonl"
                    );
                    ServiceError::invalid("/file", detail)
                })?,
        };
    if let Some(crs) = &asked.crs {
        profile = profile.with_crs(wire::crs(Some(crs), Source::Query, "crs")?);
    }
    if asked.source.is_some() {
        profile.source.clone_from(&asked.source);
    }
    if profile.source.is_none() && matches!(profile.kind, Kind::Covers | Kind::People) {
        return Err(ServiceError::parameter("source", profile.needs_source()));
    }
    Ok(profile)
}

/// Whether the caller may import this.
fn authorize(app: &App, actor: &Actor, profile: &Profile, asked: Option<DistrictCode>) -> Result<()> {
    let served = app.guli.districts();
    let source = profile.source.as_ref();
    let district = asked.or(source.map(OrgCode::district)).or(served.first().copied());
    let Some(district) = district else {
        // The first district is founded by whoever has all of them.
        let founds = actor.role == Role::Admin && actor.scopes.contains(&Scope::Everywhere);
        return if founds { Ok(()) } else { Err(ServiceError::forbidden(Action::Import)) };
    };
    let (action, resource) = match profile.kind {
        Kind::Covers => (Action::ImportCovers, Resource::Cover { district, owner: source, unit: None }),
        kind if kind.is_area() && kind != Kind::District => (Action::ImportAreas, Resource::District(district)),
        _ => (Action::Import, Resource::District(district)),
    };
    actor::authorize(actor, action, resource)
        .map_err(|refusal| ServiceError::refused(refusal, say!("this district", "此行政区")))
}

/// Import a file
///
/// CSV, `GeoJSON` or lines of `GeoJSON`, as `guli import` takes it: all or nothing unless told to keep going, and
/// importing the same again changes nothing. How it is read is said by a profile that the server knows, by a
/// `mapping`, or else by columns of Guli's own names.
#[utoipa::path(
    post, path = "/v1/imports", operation_id = "import", tag = "imports", security(("key" = [])),
    params(
        ("profile" = Option<String>, Query, description = "A profile that the server knows", example = "water"),
        ("kind" = Option<String>, Query, description = "Without a profile: what its records are; covers unless said"),
        ("crs" = Option<String>, Query, description = "Coordinate system of the file"),
        ("source" = Option<String>, Query, description = "The organisation whose records they are"),
        ("district" = Option<String>, Query, description = "Where several districts are served: which one"),
        ("dry_run" = Option<bool>, Query, description = say::DRY_RUN),
        ("keep_going" = Option<bool>, Query, description = "true: store the good rows though others have errors; 422 where no row is good"),
        ("Prefer" = Option<String>, Header, description = "respond-async: answer before the end (RFC 7240)"),
        ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
    ),
    request_body(
        content = ImportForm, content_type = "multipart/form-data",
        description = "`file`, and optionally `mapping`: the keys of a profile in `import.toml`, as JSON",
    ),
    responses(
        (status = 200, description = "With `dry_run`: what would become of it", body = ImportOut),
        (status = 201, description = "Imported", body = ImportOut, headers(
            ("Location" = String, description = "/v1/imports/{id}"),
        )),
        (status = 202, description = "Running: ask at Location for its end", body = ImportOut, headers(
            ("Location" = String, description = "/v1/imports/{id}"),
            ("Preference-Applied" = String, description = "respond-async"),
        )),
        ImportFaults,
    ),
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    language: Language,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Outcome {
    let asked = asked(query.as_deref())?;
    caller.known()?;
    let in_background = prefers_async(&headers);
    may_import_at_all(&app, &caller.0)?;
    let sent = receive(&headers, body).await?;
    let profile = profile(&app, &asked, &sent)?;
    authorize(&app, &caller.0, &profile, asked.district)?;
    let home = asked.district.or(profile.source.as_ref().map(OrgCode::district));
    let home = move |app: &App| home.or(app.guli.districts().first().copied());
    let idempotency = match asked.mode {
        Mode::Apply => {
            let body = [sent.digest.as_slice(), query.unwrap_or_default().as_bytes()].concat();
            write::idempotency(&headers, &caller.0, "/v1/imports", &body)?
        }
        Mode::DryRun => None,
    };
    if let Some(answer) = answered_before(&app, home(&app), idempotency.as_ref()).await? {
        return write::respond(answer);
    }
    let path = sent.folder.path().join(&sent.name);
    tokio::fs::rename(sent.folder.path().join("file"), &path).await.map_err(|error| no_folder(&error))?;
    let made = Arc::new(Made {
        id: app.guli.new_import_id(),
        actor: caller.0.log_name(),
        dry_run: asked.mode == Mode::DryRun,
        profile: profile.name.clone(),
        file: sent.name,
        kind: profile.kind.as_str(),
        came: OnceLock::new(),
        feed: OnceLock::new(),
        folder: sent.folder,
        idempotency: idempotency.clone(),
    });
    if let Some(twin) = app.imports.keep(&made)? {
        if twin.idempotency.as_ref().map(|asked| asked.body_hash) != idempotency.map(|asked| asked.body_hash) {
            return Err(ServiceError::IdempotencyMismatch.into());
        }
        return if twin.ends_within(TWIN).await {
            outcome(&twin, language)
        } else {
            Err(ServiceError::InProgress.into())
        };
    }
    let request = run::Request {
        files: vec![(profile, path)],
        mode: asked.mode,
        on_error: asked.on_error,
        district: asked.district,
        rows_to: Some(made.folder.path().join("rows.ndjson")),
        by: caller.0.log_name(),
        actor: (caller.0.role != Role::Admin).then(|| Arc::clone(&caller.0)),
        id: Some(made.id),
    };
    let (guli, running, kept_by) = (Arc::clone(&app.guli), Arc::clone(&made), app.clone());
    let run = tokio::spawn(async move {
        let id = running.id;
        let came = tokio::task::spawn_blocking(move || carry_out(&guli, &request)).await;
        let failed = |error| Err(ServiceError::Internal(format!("an import ended: {error}")));
        let came = came.unwrap_or_else(failed);
        if let (Ok(report), Some(district)) = (&came, home(&kept_by)) {
            let report = ImportOut::new(report, id, language);
            let seq = kept_by.guli.context.index.registry_seq(district).unwrap_or(0);
            let feed = running.feed.get_or_init(|| format!("{district}:{seq}")).clone();
            if let Some(asked) = idempotency
                && let Err(error) = keep_answer(&kept_by, district, asked, &report, feed).await
            {
                tracing::warn!(%error, import = %id, "the answer of an import could not be kept");
            }
        }
        running.came.get_or_init(|| came);
    });
    let location = format!("/v1/imports/{}", made.id);
    if in_background {
        let mut response = json(StatusCode::ACCEPTED, &made.report(language))?;
        set(&mut response, "location", &location);
        set(&mut response, "preference-applied", "respond-async");
        return Ok(response);
    }
    run.await.map_err(|error| ServiceError::Internal(format!("an import ended: {error}")))?;
    outcome(&made, language)
}

/// The answer to an import that has come to its end.
fn outcome(made: &Made, language: Language) -> Outcome {
    if let Some(Err(failed)) = made.came.get() {
        return Err(failed.clone().into());
    }
    let report = made.report(language);
    if report.state == ImportState::Rejected {
        let report = serde_json::to_value(&report).map_err(|error| ServiceError::Internal(error.to_string()))?;
        return Err(ServiceError::ImportRejected(Box::new(report)).into());
    }
    let status = if report.dry_run { StatusCode::OK } else { StatusCode::CREATED };
    let mut response = json(status, &report)?;
    set(&mut response, "location", &format!("/v1/imports/{}", made.id));
    if let Some(feed) = made.feed.get().filter(|_| report.state == ImportState::Stored) {
        set(&mut response, "guli-feed", feed);
    }
    Ok(response)
}

/// How long a request waits for another one under its key.
const TWIN: Duration = Duration::from_secs(10);

async fn answered_before(
    app: &App,
    district: Option<DistrictCode>,
    asked: Option<&Idempotency>,
) -> Result<Option<Answer>> {
    match (district.filter(|district| app.guli.districts().contains(district)), asked) {
        (Some(district), Some(asked)) => app.guli.answered_before(district, asked).await,
        _ => Ok(None),
    }
}

/// Keeps the answer of what was stored for who asks again under the same key.
async fn keep_answer(
    app: &App,
    district: DistrictCode,
    asked: Idempotency,
    report: &ImportOut,
    feed: String,
) -> Result<()> {
    if report.state != ImportState::Stored {
        return Ok(());
    }
    let location = Some(format!("/v1/imports/{}", report.id));
    let rendered = Rendered { status: 201, location, etag: None, body: to_bytes(report)? };
    app.guli.keep_answer(district, asked, rendered, feed).await.map(drop)
}

/// Whether the answer may come before the end (RFC 7240).
fn prefers_async(headers: &HeaderMap) -> bool {
    let given = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"))
}

/// Imports the file; blocks.
fn carry_out(guli: &Arc<Guli>, request: &run::Request) -> Result<Report> {
    let reports = run::run(guli, request, &mut |_| {}).map_err(|error| match error {
        RunError::Service(error) => error,
        RunError::WhichDistrict => which_district(),
        other @ (RunError::File { .. } | RunError::Away(_)) => ServiceError::Internal(other.to_string()),
    });
    reports?.pop().ok_or_else(|| ServiceError::Internal("an import without a report".to_owned()))
}

/// Refuses whoever could import nothing, before a file of a gigabyte is taken in.
fn may_import_at_all(app: &App, actor: &Actor) -> Result<()> {
    let by_role = matches!(actor.role, Role::Admin | Role::Planner | Role::Department | Role::Integration);
    if by_role && (app.guli.districts().is_empty() || app.guli.districts().iter().any(|code| actor.reaches(*code))) {
        return Ok(());
    }
    Err(ServiceError::forbidden(Action::ImportCovers))
}
