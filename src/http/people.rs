//! `/v1/people`: reading, and saying who they are and what they stand for.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::areas::{after, district_of_all, page, parents, versioned};
use super::cover_in::{self, CodeIn};
use super::edge::Caller;
use super::history::{Reader, VersionOut, Was, versions};
use super::openapi::{BodyFaults, EditFaults, Forbidden, Gone, NotFound, ReportFaults, UndoFaults, say};
use super::page::{DEFAULT_LIMIT, Items, MOST};
use super::params::{self, Params};
use super::problem::Outcome;
use super::refs::Ref;
use super::write::{self, Edit, InPath, Undoing};
use super::{App, body, json as answer, to_bytes, words};
use crate::domain::actor::Actor;
use crate::domain::grid::DutyKind;
use crate::domain::id::{DistrictCode, OrgCode, PersonId};
use crate::domain::organization::Organization;
use crate::domain::phone::Phone;
use crate::domain::said::say;
use crate::service::Guli;
use crate::service::command::{Render, Rendered};
use crate::service::edit::Asking;
use crate::service::edit::people::{Draft, PersonEdit, removed};
use crate::service::error::{Result, ServiceError};
use crate::service::moment::{Moment, Reach};
use crate::service::registry::{Contact, PersonRecord};

/// What a person does for an area (职责).
#[derive(Debug, Serialize, ToSchema)]
pub struct DutyOut {
    #[schema(schema_with = words::duty)]
    pub kind: &'static str,
    /// Code of a sub-district, community or grid.
    #[schema(examples("370203005001003"))]
    pub area: String,
}

/// A person with duties.
#[derive(Serialize, ToSchema)]
pub struct PersonOut {
    #[schema(format = "uuid")]
    pub code: String,
    pub name: Option<String>,
    pub phone: Option<String>,
    /// The unit that the person belongs to.
    pub organization: Option<Ref<'static>>,
    pub duties: Vec<DutyOut>,
    pub version: i64,
}

impl std::fmt::Debug for PersonOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonOut({})", self.code)
    }
}

impl PersonOut {
    fn new(guli: &Guli, moment: &Moment, person: PersonRecord) -> Self {
        let duties = person.duties.into_iter().map(|duty| DutyOut { kind: duty.kind.as_str(), area: duty.area });
        let unit = |code: OrgCode| match moment.organization(guli, &code) {
            Some(unit) => Ref::organization(&unit).into_owned(),
            None => Ref::organization(&Organization::nameless(code)).into_owned(),
        };
        Self {
            code: person.id,
            name: person.name,
            phone: person.phone,
            organization: person.organization.map(unit),
            duties: duties.collect(),
            version: person.version,
        }
    }
}

/// List people with duties
///
/// Whoever has the whole district sees those without a duty too. Names and phones are personal data: reading them is logged,
/// and `as_of`, which tells units and duties as they were to whoever has the whole district, shows them as they are.
#[utoipa::path(
    get, path = "/v1/people", tag = "registry", security(("key" = [])),
    params(
        ("district" = Option<String>, Query, description = say::IN_DUTY),
        ("subdistrict" = Option<String>, Query, description = say::IN_DUTY),
        ("community" = Option<String>, Query, description = say::IN_DUTY),
        ("grid" = Option<String>, Query, description = say::IN_DUTY),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = say::LIMIT),
        ("cursor" = Option<String>, Query, description = say::CURSOR),
        ("as_of" = Option<jiff::Timestamp>, Query, description = say::AS_OF),
    ),
    responses((status = 200, description = "A page, by code", body = Items<PersonOut>), Forbidden, NotFound),
)]
pub async fn people(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let limit = params.limit(DEFAULT_LIMIT, MOST)?;
    let after = after("people", &mut params)?.unwrap_or_default();
    let parents = parents(&mut params, &["district", "subdistrict", "community", "grid"])?;
    let as_of = params.as_of()?;
    params.finish("district, subdistrict, community, grid, limit, cursor, as_of")?;
    let within: Vec<String> = parents.iter().map(ToString::to_string).collect();
    let is_within = |area: &str| within.iter().any(|code| area.starts_with(code));
    // Before anything of the past is read.
    let mut districts = app.guli.people_districts(&caller.0, as_of)?;
    if let Some(asked) = district_of_all(&parents) {
        districts.retain(|district| *district == asked);
    }
    let moment = app.guli.moment(as_of, Reach::Districts(&districts)).await?;
    let found = app.guli.people(&caller.0, &moment, None).await?.into_iter();
    let found = found.filter(|person| person.id > after);
    let found = found.filter(|person| within.is_empty() || person.duties.iter().any(|duty| is_within(&duty.area)));
    let found = found.take(limit + 1).map(|person| PersonOut::new(&app.guli, &moment, person)).collect();
    answer(StatusCode::OK, &page("people", found, limit, |person: &PersonOut| person.code.clone()))
}

/// Read a person
#[utoipa::path(
    get, path = "/v1/people/{code}", tag = "registry", security(("key" = [])),
    params(
        ("code" = String, Path, description = "Identity", example = "01890a5d-ac96-774b-bcce-b302099a8057"),
        ("as_of" = Option<jiff::Timestamp>, Query, description = say::AS_OF),
    ),
    responses(
        (status = 200, description = "The person", body = PersonOut, headers(
            ("ETag" = String, description = "Its version, in quotes"),
        )),
        Forbidden, NotFound, Gone,
    ),
)]
pub async fn person(
    State(app): State<App>,
    caller: Caller,
    InPath(path): InPath<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let as_of = params.as_of()?;
    params.finish("as_of")?;
    caller.known()?;
    let id = identity(&path)?;
    let mut districts = app.guli.people_districts(&caller.0, as_of)?;
    if as_of.is_some() {
        let home = app.guli.district_of_person(id).await?;
        districts.retain(|district| *district == home);
    }
    let moment = app.guli.moment(as_of, Reach::Districts(&districts)).await?;
    let person = match app.guli.people(&caller.0, &moment, Some(id)).await?.pop() {
        Some(person) => person,
        None if app.guli.person_had_gone(&caller.0, &moment, id).await => return Err(removed(id).into()),
        None => return Err(no_person().into()),
    };
    versioned(person.version, &PersonOut::new(&app.guli, &moment, person))
}

/// The person that a path names.
fn identity(text: &str) -> Result<PersonId> {
    let id = text.parse::<uuid::Uuid>().map(PersonId);
    id.map_err(|_| no_person())
}

fn no_person() -> ServiceError {
    ServiceError::NotFound(say!("this person", "此人员"))
}

/// A duty as it comes.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DutyIn {
    #[schema(schema_with = words::duty)]
    pub kind: String,
    /// Code of a sub-district, community or grid.
    #[schema(examples("370203005001003"))]
    pub area: String,
}

/// A person as an answer of this service shows them, or without what the registry gives itself.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "王海", "phone": "19900001234", "organization": "370203005-K01",
    "duties": [{"kind": "grid_leader", "area": "370203005001003"}],
}))]
pub struct PersonIn {
    /// The registry's to give.
    pub code: Option<String>,
    /// Sent back masked as it was read, it stays.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// 3 to 20 digits. Sent back masked as it was read, it stays.
    #[schema(max_length = 32)]
    pub phone: Option<String>,
    pub organization: Option<CodeIn>,
    #[serde(default)]
    pub duties: Vec<DutyIn>,
    /// The registry's to give.
    pub version: Option<i64>,
}

impl std::fmt::Debug for PersonIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonIn(…)")
    }
}

impl PersonIn {
    fn draft(&self) -> Result<Draft> {
        // In ASCII, where it is a number; whether it must be one depends on who was there before.
        let ascii = |text: &String| Phone::new(text.as_str()).map_or_else(|_| text.clone(), Phone::into_string);
        let phone = self.phone.as_ref().map(ascii);
        let organization = self.organization.as_ref().map(|code| code.text().parse::<OrgCode>()).transpose();
        let duties = self.duties.iter().enumerate().map(|(n, duty)| {
            let kind = params::word(&duty.kind, DutyKind::ALL, DutyKind::as_str);
            let kind = kind.map_err(|detail| ServiceError::invalid(format!("/duties/{n}/kind"), detail))?;
            let area = duty.area.parse::<u64>().ok().filter(|_| matches!(duty.area.len(), 9 | 12 | 15));
            let area = area.ok_or_else(|| {
                let detail = say!(
                    "the code of a sub-district (9 digits), community (12) or grid (15)",
                    "应为街道（9 位）、社区（12 位）或责任网格（15 位）的编码"
                );
                ServiceError::invalid(format!("/duties/{n}/area"), detail)
            })?;
            Ok((kind, area))
        });
        Ok(Draft {
            contact: Contact { name: Some(write::name(&self.name, "/name")?), phone },
            organization: organization.map_err(|error| ServiceError::invalid("/organization", error))?,
            duties: {
                let mut duties = duties.collect::<Result<Vec<_>>>()?;
                duties.sort_by_key(|(kind, area)| (*area, kind.as_str()));
                duties
            },
        })
    }
}

/// The one district of a new person: that of their duties, or of their unit.
fn district_of(draft: &Draft) -> Result<DistrictCode> {
    let mut districts: Vec<_> = draft.duties.iter().filter_map(|(_, area)| crate::export::district_of(*area)).collect();
    districts.extend(draft.organization.as_ref().filter(|_| districts.is_empty()).map(OrgCode::district));
    districts.dedup();
    match districts.as_slice() {
        [district] => Ok(*district),
        [] => {
            let detail = say!("a person has a duty, or an organization", "人员要有职责，或者有所属单位");
            Err(ServiceError::invalid("/duties", detail))
        }
        _ => {
            let detail = say!("the duties of a person lie in one district", "一名人员的职责应在同一行政区");
            Err(ServiceError::invalid("/duties", detail))
        }
    }
}

/// The answer with a person as they now are.
fn render(guli: &Arc<Guli>, status: StatusCode) -> Render<PersonRecord> {
    let guli = Arc::clone(guli);
    let rendered = move |person: &PersonRecord| -> Result<Rendered> {
        let location = (status == StatusCode::CREATED).then(|| format!("/v1/people/{}", person.id));
        let body = to_bytes(&PersonOut::new(&guli, &Moment::Now, person.clone()))?;
        Ok(Rendered { status: status.as_u16(), location, etag: Some(format!("\"{}\"", person.version)), body })
    };
    Render(Arc::new(move |person: &PersonRecord| write::rendered(rendered(person))))
}

/// Register a person
///
/// Name and phone are sealed, and end with the person's record.
#[utoipa::path(
    post, path = "/v1/people", operation_id = "create_person", tag = "registry", security(("key" = [])),
    params(
        ("reason" = Option<String>, Query, description = say::REASON),
        ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
    ),
    request_body = PersonIn,
    responses(
        (status = 201, description = "Registered", body = PersonOut, headers(
            ("Location" = String, description = "/v1/people/{code}"),
            ("ETag" = String, description = "Their version, for If-Match"),
        )),
        BodyFaults, Forbidden, NotFound, ReportFaults,
    ),
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Outcome {
    let reason = write::only_reason(query.as_deref())?;
    caller.known()?;
    let bytes = body::bytes(&headers, body).await?;
    let idempotency = write::idempotency(&headers, &caller.0, "/v1/people", &bytes)?;
    let given: PersonIn = body::parse(&bytes)?;
    if given.code.is_some() {
        return Err(write::not_to_change("/code").into());
    }
    let draft = given.draft()?;
    let edit = PersonEdit::Create { district: district_of(&draft)?, draft };
    let asking = Asking { actor: Arc::clone(&caller.0), reason, idempotency };
    write::respond(app.guli.edit_person(edit, asking, render(&app.guli, StatusCode::CREATED)).await)
}

/// Change a person to this
///
/// The body is the whole person with all duties: what is left out is not known of them.
#[utoipa::path(
    put, path = "/v1/people/{code}", operation_id = "replace_person", tag = "registry", security(("key" = [])),
    params(
        ("code" = String, Path, description = "Identity", example = "01890a5d-ac96-774b-bcce-b302099a8057"),
    ),
    request_body = PersonIn,
    responses(
        (status = 200, description = "The person as they now are", body = PersonOut),
        BodyFaults, EditFaults, Gone,
    ),
)]
pub async fn put(
    State(app): State<App>,
    Edit { asking, precondition }: Edit,
    InPath(path): InPath<String>,
    headers: HeaderMap,
    body: Body,
) -> Outcome {
    let id = identity(&path)?;
    let whole: PersonIn = body::parse(&body::bytes(&headers, body).await?)?;
    if whole.code.as_deref().is_some_and(|code| code != id.to_string()) {
        return Err(write::not_to_change("/code").into());
    }
    let (draft, sent) = (whole.draft()?, whole.version);
    let redraft = move |_: &Draft, version| write::still_current(sent, version).map(|()| draft.clone());
    let edit = PersonEdit::Change { id, precondition, redraft: Arc::new(redraft) };
    write::respond(app.guli.edit_person(edit, asking, render(&app.guli, StatusCode::OK)).await)
}

/// Change parts of a person
///
/// JSON Merge Patch (RFC 7396): `duties`, where sent, are all of them.
#[utoipa::path(
    patch, path = "/v1/people/{code}", operation_id = "patch_person", tag = "registry", security(("key" = [])),
    params(
        ("code" = String, Path, description = "Identity", example = "01890a5d-ac96-774b-bcce-b302099a8057"),
    ),
    request_body(
        content = serde_json::Value, content_type = "application/merge-patch+json",
        example = json!({"duties": [{"kind": "patrol", "area": "370203005001003"}]}),
    ),
    responses(
        (status = 200, description = "The person as they now are", body = PersonOut),
        BodyFaults, EditFaults, Gone,
    ),
)]
pub async fn patch(
    State(app): State<App>,
    Edit { asking, precondition }: Edit,
    InPath(path): InPath<String>,
    headers: HeaderMap,
    body: Body,
) -> Outcome {
    let id = identity(&path)?;
    let patch = body::members(&body::patch_bytes(&headers, body).await?)?;
    write::no_read_only(&patch, &["code", "version"])?;
    let redraft = move |before: &Draft, _| {
        let duties = before.duties.iter().map(|(kind, area)| json!({"kind": kind.as_str(), "area": area.to_string()}));
        let mut whole = json!({
            "name": before.contact.name, "phone": before.contact.phone,
            "organization": before.organization.as_ref().map(OrgCode::as_str), "duties": duties.collect::<Vec<_>>(),
        });
        cover_in::merge(&mut whole, &Value::Object(patch.clone()));
        body::parse::<PersonIn>(whole.to_string().as_bytes())?.draft()
    };
    let edit = PersonEdit::Change { id, precondition, redraft: Arc::new(redraft) };
    write::respond(app.guli.edit_person(edit, asking, render(&app.guli, StatusCode::OK)).await)
}

/// Remove a person
///
/// Their duties end, and name and phone are erased.
#[utoipa::path(
    delete, path = "/v1/people/{code}", operation_id = "remove_person", tag = "registry", security(("key" = [])),
    params(
        ("code" = String, Path, description = "Identity", example = "01890a5d-ac96-774b-bcce-b302099a8057"),
    ),
    responses(
        (status = 204, description = "Removed"),
        EditFaults, Gone,
    ),
)]
pub async fn delete(
    State(app): State<App>,
    Edit { asking, precondition }: Edit,
    InPath(path): InPath<String>,
) -> Outcome {
    let edit = PersonEdit::Remove { id: identity(&path)?, precondition };
    write::respond(app.guli.edit_person(edit, asking, render(&app.guli, StatusCode::OK)).await)
}

/// Read the history of a person
///
/// Every version with who, when and why; of a name or phone only that it changed. For whoever has the whole district.
#[utoipa::path(
    get, path = "/v1/people/{code}/history", operation_id = "person_history", tag = "registry",
    security(("key" = [])),
    params(("code" = String, Path, description = "Identity", example = "01890a5d-ac96-774b-bcce-b302099a8057")),
    responses(
        (status = 200, description = "All versions, the oldest first", body = Items<VersionOut>), Forbidden, NotFound,
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
    answer(StatusCode::OK, &history_of(&app.guli, &caller.0, identity(&path)?).await?)
}

/// Every version of a person, for whoever asks, over HTTP or at the command line.
pub async fn history_of(guli: &Guli, reader: &Actor, id: PersonId) -> Result<Items<VersionOut>> {
    let (states, events) = guli.person_history(reader, id).await?;
    let district = states.last().and_then(|last| last.district).ok_or_else(no_person)?;
    let states = states.iter().map(|state| Was {
        version: state.version,
        document: json!({
            "organization": state.organization.as_ref().map(OrgCode::as_str), "duties": state.duties,
        }),
        seq_from: state.seq_from,
        seq_to: state.seq_to,
    });
    Ok(Items { items: versions(Reader::of(guli, reader, district), states, &events), next: None })
}

/// Undo a change of a person
///
/// Makes unit and duties of the version before this one the present again, as a new version. Only the last change can be
/// undone; not one of a name or phone, of which no past is kept.
#[utoipa::path(
    post, path = "/v1/people/{code}/history/{version}/undo", operation_id = "undo_person", tag = "registry",
    security(("key" = [])),
    params(
        ("code" = String, Path, description = "Identity", example = "01890a5d-ac96-774b-bcce-b302099a8057"),
        ("version" = i64, Path, description = "The last version", example = 2),
        ("reason" = Option<String>, Query, description = say::REASON),
        ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
    ),
    responses(
        (status = 200, description = "The person as they now are", body = PersonOut),
        (status = 204, description = "It was their registration that was undone"),
        UndoFaults, Gone,
    ),
)]
pub async fn undo(State(app): State<App>, Undoing { asking, code, version }: Undoing) -> Outcome {
    let edit = PersonEdit::Undo { id: identity(&code)?, version };
    write::respond(app.guli.edit_person(edit, asking, render(&app.guli, StatusCode::OK)).await)
}
