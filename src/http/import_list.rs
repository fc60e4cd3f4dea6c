//! The list of imports.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::areas::{after, page};
use super::edge::Caller;
use super::import_out::CountsOut;
use super::openapi::{NotFound, say};
use super::page::{DEFAULT_LIMIT, Items, MOST};
use super::params::Params;
use super::problem::Outcome;
use super::{App, json};
use crate::domain::actor::Actor;
use crate::domain::cover::words;
use crate::domain::id::{ImportId, KeyId};
use crate::domain::said::say;
use crate::service::Guli;
use crate::service::error::Result;
use crate::service::import::Counts;
use crate::service::import::reports::ImportsAsked;
use crate::service::import::undo::UNDOABLE;
use crate::store::imports::NotedImport;

words! {
    /// Where an import is.
    Stage {
        Running = "running", Stored = "stored", Rejected = "rejected", Failed = "failed", Undoing = "undoing",
        Undone = "undone",
    }
}

impl Stage {
    /// The states that are noted.
    const fn noted(self) -> &'static [&'static str] {
        match self {
            Self::Running => &["staging", "applying"],
            Self::Stored => &["applied"],
            Self::Rejected => &["rejected"],
            Self::Failed => &["failed", "abandoned"],
            Self::Undoing => &["undoing"],
            Self::Undone => &["undone"],
        }
    }
}

/// Who sent a file.
#[derive(Debug, Serialize, ToSchema)]
pub struct SenderOut {
    /// null: whoever runs the service, at the machine itself.
    pub key: Option<String>,
    /// What the key is or was called.
    pub name: Option<String>,
    #[schema(examples("admin"))]
    pub role: Option<String>,
}

/// An import of a file.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportItemOut {
    pub id: String,
    #[schema(examples("370203"))]
    pub district: String,
    pub profile: String,
    pub file: String,
    #[schema(examples("covers"))]
    pub kind: String,
    #[schema(schema_with = super::words::import_stage)]
    pub state: &'static str,
    pub started_at: Timestamp,
    /// null while it runs.
    pub ended_at: Option<Timestamp>,
    /// null while it runs.
    pub counts: Option<CountsOut>,
    pub by: SenderOut,
    /// Whether it changed something that can be taken back; whether something stands on it is said then.
    pub can_undo: bool,
    /// Its report.
    pub href: String,
}

impl ImportItemOut {
    fn new(guli: &Guli, import: NotedImport) -> Self {
        let noted = import.state.as_str();
        let state = Stage::ALL.iter().find(|state| state.noted().contains(&noted)).copied().unwrap_or(Stage::Failed);
        let counts: Option<Counts> = serde_json::from_str(&import.counts).ok();
        // What could not be applied to its end was stored in part; what was read only, not at all.
        let is_part = noted == "failed";
        let changes = counts.is_some_and(|counts| counts.created + counts.updated > 0);
        let key = import.actor.strip_prefix("key:").map(str::to_owned);
        let holder = key.as_deref().and_then(|key| key.parse().ok()).and_then(|id| guli.keys.holder(KeyId(id)));
        let role = match (&key, &holder) {
            (None, _) => Some("admin".to_owned()),
            (Some(_), holder) => holder.as_ref().map(|holder| holder.role.as_str().to_owned()),
        };
        Self {
            href: format!("/v1/imports/{}", import.id),
            id: import.id.to_string(),
            district: import.district.to_string(),
            profile: import.profile,
            file: import.file,
            can_undo: changes
                && (matches!(state, Stage::Stored | Stage::Undoing) || is_part)
                && UNDOABLE.contains(&import.kind.as_str()),
            kind: import.kind,
            state: state.as_str(),
            started_at: import.started_at,
            ended_at: import.ended_at,
            counts: counts.map(CountsOut::from),
            by: SenderOut { key, name: holder.map(|holder| holder.name.clone()), role },
        }
    }
}

/// List imports
///
/// Of whoever asks, and of everybody for administrators; the newest first. Files that stored nothing are among them,
/// tries are not.
#[utoipa::path(
    get, path = "/v1/imports", operation_id = "imports", tag = "imports", security(("key" = [])),
    params(
        ("district" = Option<String>, Query, description = "Only those into this district"),
        ("profile" = Option<String>, Query, description = "Only those by this profile", example = "water"),
        ("state" = Option<String>, Query, description = "Separated by commas: running, stored, rejected, failed, undoing, undone"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = say::LIMIT),
        ("cursor" = Option<String>, Query, description = say::CURSOR),
    ),
    responses((status = 200, description = "A page, the newest first", body = Items<ImportItemOut>), NotFound),
)]
pub async fn list(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Outcome {
    caller.known()?;
    json(StatusCode::OK, &answer(&app.guli, &caller.0, query.as_deref()).await?)
}

/// A page of the list, as the command line asks for it too.
pub(crate) async fn answer(guli: &Guli, actor: &Actor, query: Option<&str>) -> Result<Items<ImportItemOut>> {
    let mut params = Params::read(query)?;
    let limit = params.limit(DEFAULT_LIMIT, MOST)?;
    let states = params.list("state", |text| {
        Stage::parse(text).ok_or_else(|| {
            let all = Stage::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", ");
            say!("one of {all}, got {text:?}", "应为 {all} 之一，收到 {text:?}")
        })
    })?;
    let broken = |_| super::page::of_another_query();
    let before = after("imports", &mut params)?.map(|id| id.parse().map(ImportId).map_err(broken)).transpose()?;
    let asked = ImportsAsked {
        district: params.parse("district")?,
        profile: params.text("profile"),
        states: states.iter().flat_map(|state| state.noted()).copied().collect(),
        before,
        limit: limit + 1,
    };
    params.finish("district, profile, state, limit, cursor")?;
    let found = guli.imports(actor, asked).await?;
    let found = found.into_iter().map(|import| ImportItemOut::new(guli, import)).collect();
    Ok(page("imports", found, limit, |import: &ImportItemOut| import.id.clone()))
}
