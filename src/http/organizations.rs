//! `/v1/organizations`: reading, and saying what they are.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::areas::{after, page, versioned};
use super::edge::Caller;
use super::history::{Reader, VersionOut, Was, versions};
use super::openapi::{BodyFaults, EditFaults, Forbidden, Gone, NotFound, ReportFaults, TiedFaults, UndoFaults, say};
use super::page::{DEFAULT_LIMIT, Items, MOST};
use super::params::{self, Params};
use super::problem::Outcome;
use super::write::{self, Edit, InPath, Undoing, reason};
use super::{App, body, cover_in, json as answer, to_bytes, words};
use crate::domain::actor::Actor;
use crate::domain::id::{CodeError, DistrictCode, OrgCode};
use crate::domain::organization::{OrgKind, Organization};
use crate::domain::said::say;
use crate::service::Guli;
use crate::service::command::{Render, Rendered};
use crate::service::edit::Asking;
use crate::service::edit::organizations::{Draft, OrganizationEdit};
use crate::service::error::{Result, ServiceError};

/// An organisation (单位).
#[derive(Debug, Serialize, ToSchema)]
pub struct OrganizationOut {
    #[schema(examples("370203-WAT01"))]
    pub code: String,
    pub name: String,
    #[schema(schema_with = words::org_kind)]
    pub kind: &'static str,
    /// 统一社会信用代码
    pub credit_code: Option<String>,
    /// 值班电话
    #[schema(examples("0532-00000107"))]
    pub phone: Option<String>,
    pub version: i64,
}

impl From<&Organization> for OrganizationOut {
    fn from(organization: &Organization) -> Self {
        Self {
            code: organization.code.to_string(),
            name: organization.name.clone(),
            kind: organization.kind.as_str(),
            credit_code: organization.credit_code.clone(),
            phone: organization.phone.clone(),
            version: organization.version,
        }
    }
}

/// List organisations
///
/// With `as_of` those whose codes the districts served here had given by then, and those of their cities and provinces, of which
/// no past is kept.
#[utoipa::path(
    get, path = "/v1/organizations", tag = "registry", security(("key" = [])),
    params(
        (
            "district" = Option<String>, Query, example = "370203",
            description = "Only those whose codes this district, its city or its province has given",
        ),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = say::LIMIT),
        ("cursor" = Option<String>, Query, description = say::CURSOR),
        ("as_of" = Option<jiff::Timestamp>, Query, description = say::AS_OF),
    ),
    responses((status = 200, description = "A page, by code", body = Items<OrganizationOut>), Forbidden, NotFound),
)]
pub async fn organizations(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let limit = params.limit(DEFAULT_LIMIT, MOST)?;
    let after = after("organizations", &mut params)?.unwrap_or_default();
    let district = params.parse::<DistrictCode>("district")?;
    let as_of = params.as_of()?;
    params.finish("district, limit, cursor, as_of")?;
    let found = app.guli.organizations(&caller.0, as_of, district, &after, limit + 1).await?;
    let found = found.iter().map(OrganizationOut::from).collect();
    answer(
        StatusCode::OK,
        &page("organizations", found, limit, |organization: &OrganizationOut| organization.code.clone()),
    )
}

/// Read an organisation
#[utoipa::path(
    get, path = "/v1/organizations/{code}", tag = "registry", security(("key" = [])),
    params(
        ("code" = String, Path, description = "Its code", example = "370203-WAT01"),
        ("as_of" = Option<jiff::Timestamp>, Query, description = say::AS_OF),
    ),
    responses(
        (status = 200, description = "The organisation", body = OrganizationOut, headers(
            ("ETag" = String, description = "Its version, in quotes"),
        )),
        Forbidden, NotFound, Gone,
    ),
)]
pub async fn organization(
    State(app): State<App>,
    caller: Caller,
    InPath(path): InPath<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let mut params = Params::read(query.as_deref())?;
    let as_of = params.as_of()?;
    params.finish("as_of")?;
    caller.known()?;
    let organization = app.guli.organization(&caller.0, as_of, &code(&path)?).await?;
    versioned(organization.version, &OrganizationOut::from(&*organization))
}

/// The organisation that a path names.
fn code(text: &str) -> Result<OrgCode> {
    let unknown = |why| ServiceError::NotFound(say!("this organization ({why})", "此单位（{why}）", why = why));
    text.parse().map_err(|why: CodeError| unknown(why))
}

/// An organisation as an answer of this service shows it, or without what the registry gives itself.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "青岛市北热力有限公司", "kind": "utility", "credit_code": null, "phone": "0532-00000107"}))]
pub struct OrganizationIn {
    /// On creation it may be said which; 370203-WAT01.
    pub code: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    #[schema(schema_with = words::org_kind)]
    pub kind: String,
    /// 统一社会信用代码
    #[schema(min_length = 18, max_length = 18)]
    pub credit_code: Option<String>,
    /// 值班电话
    #[schema(schema_with = words::maybe_phone)]
    pub phone: Option<String>,
    /// The registry's to give.
    pub version: Option<i64>,
}

impl OrganizationIn {
    fn draft(&self) -> Result<Draft> {
        let credit_code = self.credit_code.as_deref().map(str::to_ascii_uppercase);
        let unlike = |code: &String| code.len() != 18 || !code.bytes().all(|b| b.is_ascii_alphanumeric());
        if credit_code.as_ref().is_some_and(unlike) {
            let detail = say!("a credit code has 18 letters and digits", "统一社会信用代码应为 18 位字母或数字");
            return Err(ServiceError::invalid("/credit_code", detail));
        }
        let kind = params::word(&self.kind, OrgKind::ALL, OrgKind::as_str);
        let kind = kind.map_err(|detail| ServiceError::invalid("/kind", detail))?;
        let phone = write::phone(self.phone.as_deref(), "/phone")?;
        Ok(Draft { name: write::name(&self.name, "/name")?, kind, credit_code, phone })
    }

    fn redraft(&self, before: &Organization) -> Result<Organization> {
        let other = write::not_to_change;
        if self.code.as_ref().is_some_and(|code| code != before.code.as_str()) {
            return Err(other("/code"));
        }
        write::still_current(self.version, before.version)?;
        Ok(self.draft()?.of(before.code.clone(), before.version))
    }
}

/// What may be changed of an organisation, as JSON.
fn document(organization: &Organization) -> Value {
    json!({
        "name": organization.name, "kind": organization.kind.as_str(), "credit_code": organization.credit_code,
        "phone": organization.phone,
    })
}

/// The answer with an organisation as it now is.
fn render(status: StatusCode) -> Render<Organization> {
    let rendered = move |organization: &Organization| -> Result<Rendered> {
        let location = (status == StatusCode::CREATED).then(|| format!("/v1/organizations/{}", organization.code));
        let body = to_bytes(&OrganizationOut::from(organization))?;
        Ok(Rendered { status: status.as_u16(), location, etag: Some(format!("\"{}\"", organization.version)), body })
    };
    Render(Arc::new(move |organization: &Organization| write::rendered(rendered(organization))))
}

/// Register an organisation
///
/// Without a code it gets the next one of its district.
#[utoipa::path(
    post, path = "/v1/organizations", operation_id = "create_organization", tag = "registry", security(("key" = [])),
    params(
        ("district" = Option<String>, Query, description = "Whose code it gets; needed where several are served and no code is sent"),
        ("reason" = Option<String>, Query, description = say::REASON),
        ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
    ),
    request_body = OrganizationIn,
    responses(
        (status = 201, description = "Registered", body = OrganizationOut, headers(
            ("Location" = String, description = "/v1/organizations/{code}"),
            ("ETag" = String, description = "Its version, for If-Match"),
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
    let mut params = Params::read(query.as_deref())?;
    let reason = reason(&mut params)?;
    let named = params.parse::<DistrictCode>("district")?;
    params.finish("district, reason")?;
    caller.known()?;
    let bytes = body::bytes(&headers, body).await?;
    let idempotency = write::idempotency(&headers, &caller.0, "/v1/organizations", &bytes)?;
    let given: OrganizationIn = body::parse(&bytes)?;
    let code = given.code.as_deref().map(str::parse::<OrgCode>).transpose();
    let code = code.map_err(|error| ServiceError::invalid("/code", error))?;
    let district = match (&code, named, app.guli.districts().as_slice()) {
        (Some(code), None, _) => code.district(),
        (Some(code), Some(named), _) if code.district() != named => {
            let detail = say!("{code} is not a code of district {named}", "{code} 不是行政区 {named} 的编码");
            return Err(ServiceError::invalid("/code", detail).into());
        }
        (_, Some(named), _) => named,
        (None, None, [only]) => *only,
        (None, None, _) => return Err(super::feed::which_district().into()),
    };
    let edit = OrganizationEdit::Create { district, code, draft: given.draft()? };
    let asking = Asking { actor: Arc::clone(&caller.0), reason, idempotency };
    write::respond(app.guli.edit_organization(edit, asking, render(StatusCode::CREATED)).await)
}

/// Change an organisation to this
#[utoipa::path(
    put, path = "/v1/organizations/{code}", operation_id = "replace_organization", tag = "registry",
    security(("key" = [])),
    params(
        ("code" = String, Path, description = "Its code", example = "370203-WAT01"),
    ),
    request_body = OrganizationIn,
    responses(
        (status = 200, description = "The organisation as it now is", body = OrganizationOut),
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
    let code = code(&path)?;
    let whole: OrganizationIn = body::parse(&body::bytes(&headers, body).await?)?;
    let redraft = Arc::new(move |before: &Organization| whole.redraft(before));
    let edit = OrganizationEdit::Change { code, precondition, redraft };
    write::respond(app.guli.edit_organization(edit, asking, render(StatusCode::OK)).await)
}

/// Change parts of an organisation
///
/// JSON Merge Patch (RFC 7396): what is left out stays, null is not known.
#[utoipa::path(
    patch, path = "/v1/organizations/{code}", operation_id = "patch_organization", tag = "registry",
    security(("key" = [])),
    params(
        ("code" = String, Path, description = "Its code", example = "370203-WAT01"),
    ),
    request_body(
        content = serde_json::Value, content_type = "application/merge-patch+json",
        example = json!({"name": "青岛市北供水集团有限公司"}),
    ),
    responses(
        (status = 200, description = "The organisation as it now is", body = OrganizationOut),
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
    let code = code(&path)?;
    let patch = body::members(&body::patch_bytes(&headers, body).await?)?;
    write::no_read_only(&patch, &["code", "version"])?;
    let redraft = move |before: &Organization| {
        let mut whole = document(before);
        cover_in::merge(&mut whole, &Value::Object(patch.clone()));
        body::parse::<OrganizationIn>(whole.to_string().as_bytes())?.redraft(before)
    };
    let edit = OrganizationEdit::Change { code, precondition, redraft: Arc::new(redraft) };
    write::respond(app.guli.edit_organization(edit, asking, render(StatusCode::OK)).await)
}

/// Remove an organisation
///
/// Only one that nothing stands on: no covers, no areas to supervise, no open orders, no people.
#[utoipa::path(
    delete, path = "/v1/organizations/{code}", operation_id = "remove_organization", tag = "registry",
    security(("key" = [])),
    params(
        ("code" = String, Path, description = "Its code", example = "370203-WAT01"),
    ),
    responses(
        (status = 204, description = "Removed"),
        EditFaults, Gone, TiedFaults,
    ),
)]
pub async fn delete(
    State(app): State<App>,
    Edit { asking, precondition }: Edit,
    InPath(path): InPath<String>,
) -> Outcome {
    let edit = OrganizationEdit::Remove { code: code(&path)?, precondition };
    write::respond(app.guli.edit_organization(edit, asking, render(StatusCode::OK)).await)
}

/// Read the history of an organisation
///
/// Every version with who, when, why and what changed; of a removed one too.
#[utoipa::path(
    get, path = "/v1/organizations/{code}/history", operation_id = "organization_history", tag = "registry",
    security(("key" = [])),
    params(("code" = String, Path, description = "Its code", example = "370203-WAT01")),
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
    answer(StatusCode::OK, &history_of(&app.guli, &caller.0, &code(&path)?).await?)
}

/// Every version of an organisation, for whoever asks, over HTTP or at the command line.
pub async fn history_of(guli: &Guli, reader: &Actor, code: &OrgCode) -> Result<Items<VersionOut>> {
    let (states, events) = guli.organization_history(reader, code).await?;
    let states = states.iter().map(|state| Was {
        version: state.organization.version,
        document: document(&state.organization),
        seq_from: state.seq_from,
        seq_to: state.seq_to,
    });
    Ok(Items { items: versions(Reader::of(guli, reader, code.district()), states, &events), next: None })
}

/// Undo a change of an organisation
///
/// Makes the version before this one the present again, as a new version. Only the last change can be undone: later
/// ones stand on it.
#[utoipa::path(
    post, path = "/v1/organizations/{code}/history/{version}/undo", operation_id = "undo_organization",
    tag = "registry", security(("key" = [])),
    params(
        ("code" = String, Path, description = "Its code", example = "370203-WAT01"),
        ("version" = i64, Path, description = "The last version", example = 2),
        ("reason" = Option<String>, Query, description = say::REASON),
        ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
    ),
    responses(
        (status = 200, description = "The organisation as it now is", body = OrganizationOut),
        (status = 204, description = "It was its registration that was undone"),
        UndoFaults,
    ),
)]
pub async fn undo(State(app): State<App>, Undoing { asking, code: path, version }: Undoing) -> Outcome {
    let edit = OrganizationEdit::Undo { code: code(&path)?, version };
    write::respond(app.guli.edit_organization(edit, asking, render(StatusCode::OK)).await)
}
