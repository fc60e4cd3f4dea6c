//! Beside the server: what the command line asks of a district, whoever holds its database.
//!
//! The same [`Request`] is [handled](handle) by a running server, through a socket beside the database
//! that only its owner may open ([`socket`]), or by the command itself when no server runs.

pub mod socket;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::crs::UnknownCrs;
use crate::domain::actor::{Actor, Role, Scope, ScopeError};
use crate::domain::id::{
    CodeError, CommunityCode, CoverCode, DistrictCode, GridCode, ImportId, KeyId, OrgCode, PersonId, SubdistrictCode,
};
use crate::domain::said::{english, say};
use crate::domain::text::Text;
use crate::export::{Ask, Export, Format, Layer};
use crate::http::history::VersionOut;
use crate::http::page::Items;
use crate::http::params::Params;
use crate::http::problem::Language;
use crate::http::wire::Audience;
use crate::http::{area_edit, cover_edit, import_list, organizations, people};
use crate::import::field::Kind;
use crate::import::profile::{Profile, Profiles};
use crate::import::report::Report;
use crate::import::run::{self, Mode, OnError, Progress};
use crate::service::Guli;
use crate::service::command::{Answer, Render, Rendered};
use crate::service::edit::Asking;
use crate::service::error::{Fault, ServiceError};
use crate::service::import::OPERATOR;
use crate::service::import::undo::Undone;

/// What is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    Import(ImportRequest),
    UndoImport {
        id: String,
        reason: Option<String>,
    },
    ListImports {
        /// The query as `/v1/imports` takes it.
        query: String,
    },
    /// A layer comes as [`Message::Data`].
    Export {
        layer: String,
        format: String,
        /// The query as `/v1/layers` takes it.
        query: String,
    },
    Resolve {
        /// The query as `/v1/resolve` takes it.
        query: String,
    },
    /// Every version of a cover or an area, by its code.
    History {
        code: String,
    },
    Doctor {
        /// The query as `/v1/quality` takes it, with any limit.
        query: String,
    },
    CreateKey {
        role: String,
        scopes: Vec<String>,
        name: String,
    },
    ListKeys,
    RevokeKey {
        id: String,
    },
}

/// An import as the command line names it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImportRequest {
    /// A folder with an `import.toml`, a folder of such folders, or one file; absolute.
    pub path: PathBuf,
    /// The file of profiles, where it is not the folder's `import.toml`.
    pub profiles: Option<PathBuf>,
    /// Only this profile.
    pub profile: Option<String>,
    /// For a file without a profile: what its records are, and in which coordinate system.
    pub kind: Option<String>,
    pub crs: Option<String>,
    pub source: Option<String>,
    pub district: Option<String>,
    pub dry_run: bool,
    pub keep_going: bool,
    pub rows_to: Option<PathBuf>,
}

/// What comes back: any number of progresses or pieces of data, then an answer or a failure.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    Progress(Value),
    /// How many features an export will have, where that is known.
    Size {
        features: u64,
    },
    /// The next piece of an export.
    Data {
        text: String,
        features: u64,
    },
    Done(Value),
    Failed(String),
}

/// Does what is asked; blocks, within a runtime. `tell` takes progress and data, and says whether anybody listens.
pub fn handle(guli: &Arc<Guli>, request: Request, tell: &mut dyn FnMut(Message) -> bool) -> Result<Value, String> {
    let runtime = tokio::runtime::Handle::current();
    let failed = |error: ServiceError| error.to_string();
    match request {
        Request::Import(request) => import(guli, request, &mut |progress| {
            // Whoever hung up misses the progress; the work goes on.
            tell(Message::Progress(serde_json::to_value(progress).unwrap_or_default()));
        }),
        Request::UndoImport { id, reason } => {
            let id = uuid::Uuid::parse_str(&id).map(ImportId).map_err(|_| format!("{id:?} is no id of an import"))?;
            let reason = reason.map(Text::new).transpose().map_err(|error| format!("--reason: {}", english(error)))?;
            let asking = Asking { actor: Arc::new(owner()), reason, idempotency: None };
            let render = Render(Arc::new(|undone: &Undone| {
                let body = serde_json::to_vec(undone).unwrap_or_default();
                Rendered { status: 200, location: None, etag: None, body }
            }));
            match runtime.block_on(guli.undo_import(id, asking, render)).map_err(failed)? {
                Answer::Done(reply) | Answer::Replayed(reply) => {
                    serde_json::from_slice(&reply.body).map_err(|error| error.to_string())
                }
                Answer::Refused(refused) => Err(failed(refused)),
            }
        }
        Request::ListImports { query } => {
            let answer = runtime.block_on(import_list::answer(guli, &owner(), Some(&query))).map_err(failed)?;
            serde_json::to_value(answer).map_err(|error| error.to_string())
        }
        Request::Export { layer, format, query } => {
            let layer = Layer::parse(&layer).ok_or_else(|| format!("there is no layer {layer:?}"))?;
            let format = Format::parse(&format).ok_or_else(|| format!("there is no format {format:?}"))?;
            let params = Params::read(Some(&query)).map_err(failed)?;
            let ask = crate::http::layers::asked(layer, format, params).map_err(failed)?;
            export(guli, ask, tell).map_err(failed)
        }
        Request::Resolve { query } => {
            let answer = crate::http::resolve::answer(guli, Some(&query), Audience::Staff);
            let answer = runtime.block_on(answer).map_err(failed)?;
            serde_json::to_value(answer).map_err(|error| error.to_string())
        }
        Request::History { code } => {
            let history = runtime.block_on(history(guli, &code)).map_err(failed)?;
            serde_json::to_value(history).map_err(|error| error.to_string())
        }
        Request::Doctor { query } => {
            if guli.districts().is_empty() {
                return Err("there is no district to look at; import one first (guli import --help)".to_owned());
            }
            let owner = owner();
            let answer = crate::http::quality::answer(guli, &owner, Some(&query), usize::MAX, Language::English);
            let answer = runtime.block_on(answer).map_err(failed)?;
            serde_json::to_value(answer).map_err(|error| error.to_string())
        }
        Request::CreateKey { role, scopes, name } => {
            let role = Role::parse(&role).ok_or_else(|| {
                let all: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
                format!("--role: {role:?} is no role; there are {}", all.join(", "))
            })?;
            let scopes: Vec<Scope> = scopes
                .iter()
                .map(|scope| scope.parse())
                .collect::<Result<_, _>>()
                .map_err(|error: ScopeError| format!("--scope: {}", english(error)))?;
            let key = runtime.block_on(guli.create_key(role, scopes, name)).map_err(failed)?;
            Ok(json!({ "id": key.id.to_string(), "key": key.secret, "role": role.as_str() }))
        }
        Request::ListKeys => {
            let keys = runtime.block_on(guli.list_keys()).map_err(failed)?;
            let keys = keys.into_iter().map(|key| {
                json!({
                    "id": key.id.to_string(), "role": key.actor.role.as_str(), "name": key.actor.name,
                    "scopes": key.actor.scopes.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "created_at": key.created_at.to_string(),
                    "revoked_at": key.revoked_at.map(|at| at.to_string()),
                })
            });
            Ok(Value::Array(keys.collect()))
        }
        Request::RevokeKey { id } => {
            let id =
                uuid::Uuid::parse_str(&id).map(KeyId).map_err(|_| format!("{id:?} is no id; see guli key list"))?;
            runtime.block_on(guli.revoke_key(id)).map_err(failed)?;
            Ok(json!({ "id": id.to_string(), "revoked": true }))
        }
    }
}

/// Every version of what has this code: its digits say what that is.
async fn history(guli: &Guli, text: &str) -> crate::service::error::Result<Items<VersionOut>> {
    let unknown = |why: CodeError| ServiceError::NotFound(say!("{text} ({why})", "{text}（{why}）", why = why));
    if let Ok(code) = text.parse::<OrgCode>() {
        return organizations::history_of(guli, &owner(), &code).await;
    }
    if let Ok(id) = text.parse() {
        return people::history_of(guli, &owner(), PersonId(id)).await;
    }
    match text.chars().filter(char::is_ascii_digit).count() {
        6 => {
            let code: DistrictCode = text.parse().map_err(unknown)?;
            area_edit::history_of(guli, &owner(), code, code.number()).await
        }
        9 => {
            let code: SubdistrictCode = text.parse().map_err(unknown)?;
            area_edit::history_of(guli, &owner(), code.district(), code.number()).await
        }
        12 => {
            let code: CommunityCode = text.parse().map_err(unknown)?;
            area_edit::history_of(guli, &owner(), code.district(), code.number()).await
        }
        15 => {
            let code: GridCode = text.parse().map_err(unknown)?;
            area_edit::history_of(guli, &owner(), code.district(), code.number()).await
        }
        digits => {
            let is_code = text.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-'));
            if !is_code || !matches!(digits, 16 | 17) {
                return Err(ServiceError::Invalid(vec![Fault::parameter(
                    "code",
                    say!(
                        "{text:?} is no code of a district (6 digits), sub-district (9), community (12), grid (15), cover \
                         (16 digits or 17) or organization (370203-WAT01), and no person's identity",
                        "{text:?} 不是行政区（6 位）、街道（9 位）、社区（12 位）、责任网格（15 位）、井盖（16 位或 17 位）\
                         或单位（370203-WAT01）的编码，也不是人员标识"
                    ),
                )]));
            }
            let code: CoverCode = text.parse().map_err(unknown)?;
            // A code that the cover once had leads to it.
            let present = guli.present_code(&owner(), code).await?.unwrap_or(code);
            cover_edit::history_of(guli, &owner(), present).await
        }
    }
}

/// Whoever may open the database may read all of it.
fn owner() -> Actor {
    let key = Some(KeyId(uuid::Uuid::nil()));
    Actor { key, role: Role::Admin, name: "command line".to_owned(), scopes: vec![Scope::Everywhere] }
}

fn export(guli: &Arc<Guli>, ask: Ask, tell: &mut dyn FnMut(Message) -> bool) -> crate::service::error::Result<Value> {
    let runtime = tokio::runtime::Handle::current();
    let mut export = runtime.block_on(Export::new(Arc::clone(guli), Arc::new(owner()), ask, None))?;
    if let Some(features) = export.size() {
        tell(Message::Size { features });
    }
    let mut all = 0;
    // Only the making of a piece is inside the runtime: whoever takes it may block.
    while let Some(piece) = runtime.block_on(export.next())? {
        let features = piece.features as u64;
        all += features;
        // Every format is UTF-8, and pieces end between features.
        let text = String::from_utf8(piece.bytes.into())
            .map_err(|error| ServiceError::Internal(format!("a layer is not UTF-8: {error}")))?;
        if !tell(Message::Data { text, features }) {
            break;
        }
    }
    Ok(json!({ "features": all }))
}

fn import(guli: &Arc<Guli>, request: ImportRequest, tell: &mut dyn FnMut(&Progress)) -> Result<Value, String> {
    let folders = deliveries(&request)?;
    let reports = if folders.is_empty() {
        let files = files(&request)?;
        import_one(guli, request, files, tell)?
    } else {
        import_each(guli, &request, folders, tell)?
    };
    serde_json::to_value(reports).map_err(|error| error.to_string())
}

/// The folders that a folder has with an `import.toml` of their own, by name; none if it has one itself.
fn deliveries(request: &ImportRequest) -> Result<Vec<PathBuf>, String> {
    let path = &request.path;
    if request.profiles.is_some() || !path.is_dir() || path.join("import.toml").is_file() {
        return Ok(Vec::new());
    }
    let unreadable = |error: std::io::Error| format!("{}: {error}", path.display());
    let entries = std::fs::read_dir(path).map_err(unreadable)?;
    let mut folders =
        entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>().map_err(unreadable)?;
    folders.retain(|folder| folder.join("import.toml").is_file());
    folders.sort_unstable();
    Ok(folders)
}

/// Imports one folder after the other, what is refused in one notwithstanding; files are told with their folder's name.
fn import_each(
    guli: &Arc<Guli>,
    request: &ImportRequest,
    folders: Vec<PathBuf>,
    tell: &mut dyn FnMut(&Progress),
) -> Result<Vec<Report>, String> {
    for (option, given) in [("--district", request.district.is_some()), ("--rows", request.rows_to.is_some())] {
        if given {
            return Err(format!("{option} is for one district: name one of the folders in {}", request.path.display()));
        }
    }
    // All of them are looked at before anything is stored.
    let mut each = Vec::with_capacity(folders.len());
    for folder in folders {
        let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let one = ImportRequest { path: folder, ..request.clone() };
        let files = files(&one).and_then(|files| {
            run::all_there(&files).map_err(|error| error.to_string())?;
            Ok(files)
        });
        let files = files.map_err(|error| format!("{name}: {error}"))?;
        each.push((name, one, files));
    }
    let mut reports = Vec::new();
    for (name, one, files) in each {
        let within = |file: &str| format!("{name}/{file}");
        let tell = &mut |progress: &Progress| tell(&Progress { file: within(&progress.file), ..progress.clone() });
        let one = import_one(guli, one, files, tell).map_err(|error| format!("{name}: {error}"))?;
        reports.extend(one.into_iter().map(|report| Report {
            file: within(&report.file),
            waits_for: report.waits_for.as_deref().map(within),
            ..report
        }));
    }
    Ok(reports)
}

fn import_one(
    guli: &Arc<Guli>,
    request: ImportRequest,
    files: Vec<(Profile, PathBuf)>,
    tell: &mut dyn FnMut(&Progress),
) -> Result<Vec<Report>, String> {
    let district: Option<DistrictCode> = request
        .district
        .map(|code| code.parse().map_err(|e: CodeError| format!("--district: {}", english(e))))
        .transpose()?;
    let request = run::Request {
        files,
        mode: if request.dry_run { Mode::DryRun } else { Mode::Apply },
        on_error: if request.keep_going { OnError::KeepGoing } else { OnError::RefuseFile },
        district,
        rows_to: request.rows_to,
        by: OPERATOR.to_owned(),
        actor: None,
        id: None,
    };
    run::run(guli, &request, tell).map_err(|error| error.to_string())
}

/// The profiles and files that a request names.
fn files(request: &ImportRequest) -> Result<Vec<(Profile, PathBuf)>, String> {
    let path = &request.path;
    if path.is_dir() {
        let toml = request.profiles.clone().unwrap_or_else(|| path.join("import.toml"));
        let profiles = Profiles::read(&toml).map_err(|error| error.to_string())?;
        let wanted: Vec<Profile> = match &request.profile {
            Some(name) => vec![named(&profiles, name)?],
            None => profiles.profiles,
        };
        return Ok(wanted.into_iter().map(|profile| (profile.clone(), path.join(&profile.file))).collect());
    }
    let beside = path.parent().unwrap_or(Path::new("")).join("import.toml");
    let toml = request.profiles.clone().or_else(|| beside.is_file().then_some(beside));
    if let Some(toml) = toml.filter(|_| request.kind.is_none()) {
        let profiles = Profiles::read(&toml).map_err(|error| error.to_string())?;
        let profile = match &request.profile {
            Some(name) => Some(named(&profiles, name)?),
            None => profiles.profiles.iter().find(|p| p.file.file_name() == path.file_name()).cloned(),
        };
        if let Some(profile) = profile {
            return Ok(vec![(profile, path.clone())]);
        }
    }
    Ok(vec![(default_profile(request)?, path.clone())])
}

fn named(profiles: &Profiles, name: &str) -> Result<Profile, String> {
    profiles.named(name).cloned().ok_or_else(|| {
        let all: Vec<_> = profiles.profiles.iter().map(|profile| profile.name.as_str()).collect();
        format!("--profile: there is no profile {name:?}; there are {}", all.join(", "))
    })
}

/// The profile of a file that nobody wrote one for.
fn default_profile(request: &ImportRequest) -> Result<Profile, String> {
    let path = &request.path;
    let kinds = || Kind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    let kind = request.kind.as_deref().ok_or_else(|| {
        format!("no profile names {}: write an import.toml beside it, or say --kind ({})", path.display(), kinds())
    })?;
    let kind = Kind::parse(kind).ok_or_else(|| format!("--kind: {kind:?} is none of {}", kinds()))?;
    let mut profile = Profile::default_for(path, kind).ok_or_else(|| {
        format!("{}: the name says no format: csv, geojson and geojsonl are read; save a table as CSV", path.display())
    })?;
    if let Some(crs) = &request.crs {
        profile = profile.with_crs(crs.parse().map_err(|e: UnknownCrs| format!("--crs: {}", english(e)))?);
    }
    if let Some(source) = &request.source {
        profile.source = Some(source.parse().map_err(|e: CodeError| format!("--source: {}", english(e)))?);
    }
    if profile.source.is_none() && matches!(kind, Kind::Covers | Kind::People) {
        return Err(format!("--source: {}", english(profile.needs_source())));
    }
    Ok(profile)
}
