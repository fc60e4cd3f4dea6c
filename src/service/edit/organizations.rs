//! Edits of organisations: what they are called, what they are to the district; none goes while something stands on it.

use std::sync::Arc;

use super::undo::LastChange;
use super::{Asking, Begun, Change, Open, check};
use crate::domain::actor::{self, Action, Resource};
use crate::domain::id::{DistrictCode, OrgCode};
use crate::domain::organization::Organization;
use crate::domain::phone::Phone;
use crate::domain::said::{Said, english, say};
use crate::service::command::{Answer, Precondition, Render, Rendered};
use crate::service::error::{Result, ServiceError};
use crate::service::{Context, Guli};
use crate::store::areas;
use crate::store::events::{self, Event};
use crate::store::organizations::{self, OrganizationState, Ties};
use crate::store::{Conn, Result as StoreResult};

/// Says what an organisation is to be, from what it is.
pub type Redraft = Arc<dyn Fn(&Organization) -> Result<Organization> + Send + Sync>;

/// What is to be done to an organisation.
#[derive(Clone)]
pub enum OrganizationEdit {
    /// Without a code, the next one of the district.
    Create {
        district: DistrictCode,
        code: Option<OrgCode>,
        draft: Draft,
    },
    Change {
        code: OrgCode,
        precondition: Precondition,
        redraft: Redraft,
    },
    Remove {
        code: OrgCode,
        precondition: Precondition,
    },
    /// The state before this version becomes the present again; only the last change can be undone.
    Undo {
        code: OrgCode,
        version: i64,
    },
}

/// What is said of an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub name: String,
    pub kind: crate::domain::organization::OrgKind,
    pub credit_code: Option<String>,
    pub phone: Option<Phone>,
}

impl Draft {
    /// The organisation with this code and version.
    pub fn of(self, code: OrgCode, version: i64) -> Organization {
        let Self { name, kind, credit_code, phone } = self;
        Organization { code, name, kind, credit_code, phone: phone.map(Phone::into_string), version }
    }
}

impl OrganizationEdit {
    fn district(&self) -> DistrictCode {
        match self {
            Self::Create { district, .. } => *district,
            Self::Change { code, .. } | Self::Remove { code, .. } | Self::Undo { code, .. } => code.district(),
        }
    }
}

impl Guli {
    /// Has an edit of an organisation decided and committed.
    pub async fn edit_organization(
        &self,
        edit: OrganizationEdit,
        asking: Asking,
        render: Render<Organization>,
    ) -> Answer {
        let district = edit.district();
        let refused = self.serves(district).and_then(|()| {
            actor::authorize(&asking.actor, Action::EditOrganizations, Resource::District(district))
                .map_err(|refusal| ServiceError::refused(refusal, say!("this organization", "此单位")))
        });
        if let Err(refused) = refused {
            return Answer::Refused(refused);
        }
        let (context, shown) = (Arc::clone(&self.context), Arc::clone(&self.context));
        let done = self.writer.alone(
            district,
            move |conn| Box::pin(async move { run(&context, &mut conn.conn(), edit, &asking, &render).await }),
            move |(answer, shows)| {
                let Some(Shows { organization, seq }) = shows else { return answer };
                if let Err(error) = shown.show_organization(organization) {
                    tracing::error!(%error, "an organization cannot be held in memory");
                }
                shown.registry_came_to(district, seq, seq);
                answer
            },
        );
        let answer = done.await.unwrap_or_else(|error| Answer::Refused(error.into()));
        // So that whoever asked sees it; what is not loaded here stays marked.
        self.load_marked().await;
        answer
    }

    /// Every state of an organisation, with the events that began and ended them.
    pub async fn organization_history(
        &self,
        actor: &actor::Actor,
        code: &OrgCode,
    ) -> Result<(Vec<OrganizationState>, Vec<Event>)> {
        let district = code.district();
        let hidden = || ServiceError::NotFound(say!("organization {code}", "单位 {code}"));
        actor::authorize(actor, Action::ReadOrganizations, Resource::District(district))
            .map_err(|refusal| ServiceError::refused(refusal, say!("organization {code}", "单位 {code}")))?;
        self.serves(district).map_err(|_| hidden())?;
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let states = organizations::states(conn, code).await?;
        if states.is_empty() {
            return Err(hidden());
        }
        let numbers: Vec<i64> =
            states.iter().flat_map(|state| [Some(state.seq_from), state.seq_to]).flatten().collect();
        let events = events::numbered(conn, district, &numbers).await?;
        Ok((states, events))
    }
}

/// An organisation that is no more.
pub fn removed(code: &OrgCode) -> ServiceError {
    let detail = say!("organization {code} was removed", "单位 {code} 已移除");
    ServiceError::Gone { detail, history: Some(format!("/v1/organizations/{code}/history")) }
}

async fn known(conn: &mut Conn<'_>, code: &OrgCode) -> StoreResult<Result<Organization>> {
    if let Some(organization) = organizations::known(conn, code).await? {
        return Ok(Ok(organization));
    }
    let was = !organizations::states(conn, code).await?.is_empty();
    Ok(Err(if was { removed(code) } else { ServiceError::NotFound(say!("organization {code}", "单位 {code}")) }))
}

/// What memory is to show of an edit, and the number that it took.
struct Shows {
    organization: Organization,
    seq: i64,
}

/// What an edit comes to: the organisation as it is to be, or is no more.
enum Decision {
    Unchanged(Organization),
    Put(&'static str, Organization),
    Removed(Organization),
}

async fn run(
    context: &Context,
    conn: &mut Conn<'_>,
    edit: OrganizationEdit,
    asking: &Asking,
    render: &Render<Organization>,
) -> StoreResult<(Answer, Option<Shows>)> {
    let open = match Open::begin(context, conn, edit.district(), asking).await? {
        Begun::Answered(answer) => return Ok((answer, None)),
        Begun::Open(open) => open,
    };
    let seq = open.seq();
    let is_undo = matches!(edit, OrganizationEdit::Undo { .. });
    let (kind, organization, rendered) = match decide(conn, edit).await? {
        Err(refused) => return Ok((Answer::Refused(refused), None)),
        Ok(Decision::Unchanged(organization)) => {
            return Ok((open.unchanged((render.0)(&organization)), None));
        }
        Ok(Decision::Put(kind, organization)) => {
            organizations::put(conn, seq, std::slice::from_ref(&organization)).await?;
            let rendered = (render.0)(&organization);
            (kind, organization, rendered)
        }
        Ok(Decision::Removed(organization)) => {
            organizations::remove(conn, seq, &organization.code).await?;
            let rendered = Rendered::gone(organization.version);
            ("organization.removed", organization, rendered)
        }
    };
    let change = Change::new(kind, organization.code.to_string(), organization.version).undoing(is_undo);
    let answer = open.finish(context, conn, asking, change, rendered).await?;
    let organization =
        if kind == "organization.removed" { Organization::nameless(organization.code) } else { organization };
    Ok((answer, Some(Shows { organization, seq })))
}

async fn decide(conn: &mut Conn<'_>, edit: OrganizationEdit) -> StoreResult<Result<Decision>> {
    match edit {
        OrganizationEdit::Create { district, code, draft } => {
            let code = match code {
                Some(code) => code,
                None => match next_code(conn, district).await? {
                    Ok(code) => code,
                    Err(refused) => return Ok(Err(refused)),
                },
            };
            if !organizations::states(conn, &code).await?.is_empty() {
                let detail = say!(
                    "{code} was given to an organization; no code is used again",
                    "{code} 已用于某个单位，编码不重复使用"
                );
                return Ok(Err(ServiceError::invalid("/code", detail)));
            }
            Ok(Ok(Decision::Put("organization.created", draft.of(code, 1))))
        }
        OrganizationEdit::Change { code, precondition, redraft } => {
            let before = match known(conn, &code).await? {
                Ok(before) => before,
                Err(refused) => return Ok(Err(refused)),
            };
            let after = check(precondition, before.version).and_then(|()| redraft(&before));
            Ok(after.map(|after| {
                if after == before {
                    Decision::Unchanged(before)
                } else {
                    Decision::Put("organization.updated", Organization { version: before.version + 1, ..after })
                }
            }))
        }
        OrganizationEdit::Remove { code, precondition } => {
            let before = match known(conn, &code).await? {
                Ok(before) => before,
                Err(refused) => return Ok(Err(refused)),
            };
            if let Err(stale) = check(precondition, before.version) {
                return Ok(Err(stale));
            }
            leave(conn, before).await
        }
        OrganizationEdit::Undo { code, version } => undo(conn, code, version).await,
    }
}

/// The end of an organisation that nothing stands on.
async fn leave(conn: &mut Conn<'_>, before: Organization) -> StoreResult<Result<Decision>> {
    Ok(match tied(conn, &before.code).await? {
        Some(detail) => Err(ServiceError::Conflict(detail)),
        None => Ok(Decision::Removed(Organization { version: before.version + 1, ..before })),
    })
}

/// Why an organisation cannot go; where it can, nobody puts anything on it until the commit.
pub(in crate::service) async fn tied(conn: &mut Conn<'_>, code: &OrgCode) -> StoreResult<Option<Said>> {
    // What is on it is asked for in every district, served here or not.
    organizations::hold_alone(conn, code).await?;
    for district in areas::district_codes(conn).await? {
        if let Some(held) = held(organizations::ties(conn, district, code).await?) {
            return Ok(Some(say!(
                "{code} cannot go: in district {district} it still has {held}",
                "{code} 不能移除：在行政区 {district} 还有 {held}",
                held = held,
            )));
        }
    }
    Ok(None)
}

async fn undo(conn: &mut Conn<'_>, code: OrgCode, version: i64) -> StoreResult<Result<Decision>> {
    let mut states = organizations::states(conn, &code).await?;
    let changes = states.iter().map(|state| (state.organization.version, state.seq_from, state.seq_to));
    let Some(last) = LastChange::of(changes) else {
        return Ok(Err(ServiceError::NotFound(say!("organization {code}", "单位 {code}"))));
    };
    if let Err(refused) = last.is(version, say!("organization {code}", "单位 {code}")) {
        return Ok(Err(refused));
    }
    let present = states.pop_if(|state| state.seq_to.is_none());
    let before = states.pop().filter(|before| before.seq_to == Some(last.seq));
    match (before, present) {
        (Some(before), present) => {
            let kind = if present.is_some() { "organization.updated" } else { "organization.created" };
            Ok(Ok(Decision::Put(kind, Organization { version: version + 1, ..before.organization })))
        }
        (None, Some(present)) => leave(conn, present.organization).await,
        (None, None) => Ok(Err(ServiceError::NotFound(say!("organization {code}", "单位 {code}")))),
    }
}

/// What stands on an organisation, in words.
fn held(Ties { covers, areas, orders, people }: Ties) -> Option<Said> {
    let counts = [
        (covers, say!("{covers} covers", "{covers} 个井盖")),
        (areas, say!("{areas} areas to supervise", "{areas} 个所辖区域")),
        (orders, say!("{orders} open orders", "{orders} 件未结工单")),
        (people, say!("{people} people", "{people} 名人员")),
    ];
    let held = counts.into_iter().filter(|(count, _)| *count > 0).map(|(_, what)| what);
    Said::list(held)
}

/// The next code that the registry gives in a district: 370203-U0001, …
async fn next_code(conn: &mut Conn<'_>, district: DistrictCode) -> StoreResult<Result<OrgCode>> {
    let prefix = format!("{district}-U");
    let given = organizations::given(conn, &format!("{prefix}0000"), &format!("{prefix}9999")).await?;
    let numbers = given.iter().filter_map(|code| code.strip_prefix(&prefix).filter(|own| own.len() == 4)?.parse().ok());
    let number: u32 = numbers.max().unwrap_or(0) + 1;
    if number > 9999 {
        let detail = say!(
            "district {district} has no code left to give: say one",
            "行政区 {district} 已没有可用的编码：请自行写明"
        );
        return Ok(Err(ServiceError::invalid("/code", detail)));
    }
    let code = format!("{prefix}{number:04}").parse::<OrgCode>();
    Ok(code.map_err(|error| ServiceError::Internal(english(error).into_owned())))
}
