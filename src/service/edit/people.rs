//! Edits of people: name and phone (sealed), whom they belong to, and what they stand for (职责).

use std::collections::HashMap;
use std::sync::Arc;

use super::undo::LastChange;
use super::{Asking, Begun, Change, Open, areas, check, hold};
use crate::domain::actor::{self, Action, Privacy, Resource};
use crate::domain::grid::{Duty, DutyKind};
use crate::domain::id::{DistrictCode, OrgCode, PersonId};
use crate::domain::phone::Phone;
use crate::domain::said::say;
use crate::index::DistrictIndex;
use crate::service::command::{Answer, Precondition, Render, Rendered};
use crate::service::error::{Fault, Result, ServiceError};
use crate::service::import::people::forget_name;
use crate::service::load;
use crate::service::moment::Moment;
use crate::service::registry::{Contact, PersonRecord, record_of};
use crate::service::{Context, Guli};
use crate::store::events::{self, Event};
use crate::store::people::{self, Person, PersonState};
use crate::store::personal::{self, Purpose};
use crate::store::{Conn, Result as StoreResult};

/// A person as they are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub contact: Contact,
    pub organization: Option<OrgCode>,
    /// Kind and the number of a sub-district, community or grid.
    pub duties: Vec<(DutyKind, u64)>,
}

/// Says what a person is to be, from what they are and the version of that.
pub type Redraft = Arc<dyn Fn(&Draft, i64) -> Result<Draft> + Send + Sync>;

/// What is to be done to a person.
#[derive(Clone)]
pub enum PersonEdit {
    Create {
        district: DistrictCode,
        draft: Draft,
    },
    Change {
        id: PersonId,
        precondition: Precondition,
        redraft: Redraft,
    },
    Remove {
        id: PersonId,
        precondition: Precondition,
    },
    /// The state before this version becomes the present again; only the last change can be undone.
    Undo {
        id: PersonId,
        version: i64,
    },
}

impl Guli {
    /// Has an edit of a person decided and committed.
    pub async fn edit_person(&self, edit: PersonEdit, asking: Asking, render: Render<PersonRecord>) -> Answer {
        let district = match self.home_of(&edit).await {
            Ok(district) => district,
            Err(refused) => return Answer::Refused(refused),
        };
        let refused = self.serves(district).and_then(|()| {
            actor::authorize(&asking.actor, Action::EditPeople, Resource::District(district))
                .map_err(|refusal| ServiceError::refused(refusal, say!("this person", "此人员")))
        });
        if let Err(refused) = refused {
            return Answer::Refused(refused);
        }
        let (context, shown) = (Arc::clone(&self.context), Arc::clone(&self.context));
        let done = self.writer.alone(
            district,
            move |conn| {
                Box::pin(async move { run(&context, &mut conn.conn(), district, edit, &asking, &render).await })
            },
            move |(answer, shows)| {
                let Some(Shows { fresh, seq }) = shows else { return answer };
                if let Some(fresh) = fresh {
                    shown.index.replace(Arc::new(*fresh));
                }
                shown.registry_came_to(district, seq, seq);
                answer
            },
        );
        let answer = done.await.unwrap_or_else(|error| Answer::Refused(error.into()));
        self.context.past.clear();
        answer
    }

    /// In whose feed an edit is: a person's own district.
    async fn home_of(&self, edit: &PersonEdit) -> Result<DistrictCode> {
        let id = match edit {
            PersonEdit::Create { district, .. } => return Ok(*district),
            PersonEdit::Change { id, .. } | PersonEdit::Remove { id, .. } | PersonEdit::Undo { id, .. } => *id,
        };
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        if let Some(person) = people::known(conn, id).await? {
            return Ok(person.district);
        }
        Err(if people::states(conn, id).await?.is_empty() {
            ServiceError::NotFound(say!("person {id}", "人员 {id}"))
        } else {
            removed(id)
        })
    }

    /// The district in whose feed a person is or was.
    pub async fn district_of_person(&self, id: PersonId) -> Result<DistrictCode> {
        let mut reader = self.store.read().await?;
        let states = people::states(&mut reader.conn(), id).await?;
        let district = states.last().and_then(|last| last.district);
        district.ok_or_else(|| ServiceError::NotFound(say!("person {id}", "人员 {id}")))
    }

    /// Whether a person had been there and was removed by then, as far as whoever asks may know.
    pub async fn person_had_gone(&self, actor: &actor::Actor, moment: &Moment, id: PersonId) -> bool {
        let Ok((states, _)) = self.person_history(actor, id).await else { return false };
        let Some(district) = states.last().and_then(|last| last.district) else { return false };
        moment.had_gone(district, states.iter().map(|state| (state.seq_from, state.seq_to)))
    }

    /// Every state of a person, with the events that began and ended them.
    pub async fn person_history(&self, actor: &actor::Actor, id: PersonId) -> Result<(Vec<PersonState>, Vec<Event>)> {
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let hidden = || ServiceError::NotFound(say!("person {id}", "人员 {id}"));
        let states = people::states(conn, id).await?;
        let district = states.last().ok_or_else(hidden)?.district.ok_or_else(hidden)?;
        actor::authorize(actor, Action::ReadPeoplePast, Resource::District(district))
            .map_err(|refusal| ServiceError::refused(refusal, say!("person {id}", "人员 {id}")))?;
        let numbers: Vec<i64> =
            states.iter().flat_map(|state| [Some(state.seq_from), state.seq_to]).flatten().collect();
        let events = events::numbered(conn, district, &numbers).await?;
        Ok((states, events))
    }
}

/// A person who is no more.
pub fn removed(id: PersonId) -> ServiceError {
    let detail = say!("person {id} was removed", "人员 {id} 已移除");
    ServiceError::Gone { detail, history: Some(format!("/v1/people/{id}/history")) }
}

/// What memory is to show of an edit, and the number that it took.
struct Shows {
    /// Where the name of a grid's leader changed, which stands beside the grid.
    fresh: Option<Box<DistrictIndex>>,
    seq: i64,
}

/// A person before and after an edit.
struct Plan {
    kind: &'static str,
    person: Person,
    before: Option<Draft>,
    after: Option<Draft>,
}

async fn run(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    edit: PersonEdit,
    asking: &Asking,
    render: &Render<PersonRecord>,
) -> StoreResult<(Answer, Option<Shows>)> {
    let open = match Open::begin(context, conn, district, asking).await? {
        Begun::Answered(answer) => return Ok((answer, None)),
        Begun::Open(open) => open,
    };
    let is_undo = matches!(edit, PersonEdit::Undo { .. });
    let plan = match decide(context, conn, district, edit, asking).await? {
        Ok(plan) => plan,
        Err(refused) => return Ok((Answer::Refused(refused), None)),
    };
    let Plan { kind, person, before, after } = plan;
    let mut record = shown(asking, &person, after.as_ref().or(before.as_ref()));
    if before == after {
        return Ok((open.unchanged((render.0)(&record)), None));
    }
    let seq = open.seq();
    if let Some(after) = &after {
        people::put(conn, district, seq, std::slice::from_ref(&person)).await?;
        people::clear_duties(conn, district, person.id).await?;
        let duties: Vec<_> = after.duties.iter().map(|(kind, area)| (*area, *kind, person.id)).collect();
        people::put_duties(conn, district, &duties).await?;
        personal::rows(district, &[load::seal(context, district, person.id, &after.contact)?]).write(conn).await?;
    } else {
        people::remove(conn, district, seq, person.id).await?;
        personal::remove(conn, district, &load::subject(person.id), Purpose::Duty).await?;
        forget_name(conn, district, &person).await?;
    }
    record.version = if before.is_some() { person.version + 1 } else { 1 };
    let leads = |draft: &Option<Draft>| {
        draft.iter().flat_map(|draft| &draft.duties).any(|(kind, _)| *kind == DutyKind::GridLeader)
    };
    let fresh = if leads(&before) || leads(&after) {
        Some(Box::new(areas::reload(context, conn, district).await?))
    } else {
        None
    };
    let change = Change {
        personal: personal_changes(before.as_ref(), after.as_ref()),
        is_undo,
        ..Change::new(kind, record.id.clone(), record.version)
    };
    let rendered = if after.is_some() { (render.0)(&record) } else { Rendered::gone(record.version) };
    let answer = open.finish(context, conn, asking, change, rendered).await?;
    Ok((answer, Some(Shows { fresh, seq })))
}

/// The person as whoever asked may see them.
fn shown(asking: &Asking, person: &Person, draft: Option<&Draft>) -> PersonRecord {
    let contact = draft.map(|draft| draft.contact.clone()).unwrap_or_default();
    let mut record = record_of(&asking.actor, person.id, (person.version, person.organization.clone()), &contact);
    let duties = draft.map_or(&[][..], |draft| &draft.duties);
    let duty = |&(kind, area): &(DutyKind, u64)| Duty { person: person.id, kind, area: area.to_string() };
    record.duties = duties.iter().map(duty).collect();
    record
}

/// Which members that hold personal data a change of a person that stays changed.
fn personal_changes(before: Option<&Draft>, after: Option<&Draft>) -> Vec<&'static str> {
    let (Some(before), Some(after)) = (before, after) else { return Vec::new() };
    let (before, after) = (&before.contact, &after.contact);
    let changed = [("/name", before.name != after.name), ("/phone", before.phone != after.phone)];
    changed.iter().filter(|(_, changed)| *changed).map(|(pointer, _)| *pointer).collect()
}

async fn decide(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    edit: PersonEdit,
    asking: &Asking,
) -> StoreResult<Result<Plan>> {
    match edit {
        PersonEdit::Create { draft, .. } => {
            if let Err(refused) = sound(context, conn, district, None, &draft).await? {
                return Ok(Err(refused));
            }
            let id = PersonId(context.clock.uuid());
            let person = Person {
                id,
                district,
                source: "registry".to_owned(),
                external_id: id.to_string(),
                organization: draft.organization.clone(),
                version: 1,
            };
            Ok(Ok(Plan { kind: "person.created", person, before: None, after: Some(draft) }))
        }
        PersonEdit::Change { id, precondition, redraft } => {
            let (person, before) = match present(context, conn, district, id, precondition).await? {
                Ok(present) => present,
                Err(refused) => return Ok(Err(refused)),
            };
            let after = match redraft(&before, person.version) {
                Ok(after) => unmasked(asking, &before.contact, after),
                Err(refused) => return Ok(Err(refused)),
            };
            if let Err(refused) = sound(context, conn, district, Some(&before), &after).await? {
                return Ok(Err(refused));
            }
            let person = Person { organization: after.organization.clone(), ..person };
            Ok(Ok(Plan { kind: "person.updated", person, before: Some(before), after: Some(after) }))
        }
        PersonEdit::Remove { id, precondition } => {
            let present = present(context, conn, district, id, precondition).await?;
            Ok(present.map(|(person, before)| Plan {
                kind: "person.removed",
                person,
                before: Some(before),
                after: None,
            }))
        }
        PersonEdit::Undo { id, version } => undo(context, conn, district, id, version).await,
    }
}

/// Takes the last change back: unit and duties as they were, name and phone as they are.
async fn undo(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: PersonId,
    version: i64,
) -> StoreResult<Result<Plan>> {
    let (person, present) = match present(context, conn, district, id, Precondition::Any).await? {
        Ok(present) => present,
        Err(refused) => return Ok(Err(refused)),
    };
    let states = people::states(conn, id).await?;
    let changes = states.iter().map(|state| (state.version, state.seq_from, state.seq_to));
    let Some(last) = LastChange::of(changes) else { return Ok(Err(removed(id))) };
    let event = events::numbered(conn, district, &[last.seq]).await?.pop();
    if let Err(refused) = last.is(version, say!("person {id}", "人员 {id}")).and_then(|()| keeps_a_past(event.as_ref()))
    {
        return Ok(Err(refused));
    }
    let Some(before) = states.iter().find(|state| state.seq_to == Some(last.seq)) else {
        return Ok(Ok(Plan { kind: "person.removed", person, before: Some(present), after: None }));
    };
    let organization = before.organization.clone();
    let after = Draft { organization: organization.clone(), duties: before.duties(), ..present.clone() };
    if let Err(refused) = sound(context, conn, district, Some(&present), &after).await? {
        return Ok(Err(refused));
    }
    let person = Person { organization, ..person };
    Ok(Ok(Plan { kind: "person.updated", person, before: Some(present), after: Some(after) }))
}

/// Whether it is known what was before a change.
fn keeps_a_past(event: Option<&Event>) -> Result<()> {
    let Some(event) = event else { return Ok(()) };
    if event.kind.starts_with("import.") {
        let import = &event.subject;
        let detail = say!(
            "import {import} made this change, which is taken back as a whole",
            "此改动由导入 {import} 产生，只能整批撤销"
        );
        return Err(ServiceError::Conflict(detail));
    }
    let data: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
    if data["personal"].as_array().is_some_and(|changed| !changed.is_empty()) {
        return Err(ServiceError::Conflict(say!(
            "a name or phone was changed, of which no past is kept: say it again with PATCH",
            "改动的是姓名或电话，不保留旧值：请用 PATCH 重新填写"
        )));
    }
    Ok(())
}

/// What was shown masked and came back so was not changed.
fn unmasked(asking: &Asking, before: &Contact, mut after: Draft) -> Draft {
    let privacy = Privacy::of(asking.actor.role);
    let same = |sent: &Option<String>, masked: Option<String>| sent.is_some() && *sent == masked;
    if same(&after.contact.name, before.name.as_deref().and_then(|name| privacy.name(name))) {
        after.contact.name.clone_from(&before.name);
    }
    if same(&after.contact.phone, before.phone.as_deref().and_then(|phone| privacy.phone(phone))) {
        after.contact.phone.clone_from(&before.phone);
    }
    after
}

/// The person as they are, if the edit was meant for that version.
async fn present(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: PersonId,
    precondition: Precondition,
) -> StoreResult<Result<(Person, Draft)>> {
    let Some(person) = people::known(conn, id).await? else { return Ok(Err(removed(id))) };
    if let Err(stale) = check(precondition, person.version) {
        return Ok(Err(stale));
    }
    let sealed = personal::one(conn, district, &load::subject(id), Purpose::Duty).await?;
    let sealed: HashMap<_, _> = sealed.into_iter().map(|sealed| (load::subject(id), sealed)).collect();
    let duties = people::duties_of(conn, district, id).await?;
    let draft = Draft {
        contact: load::unseal(context, district, id, &sealed)?,
        organization: person.organization.clone(),
        duties: duties.into_iter().filter_map(|duty| Some((duty.kind, duty.area.parse().ok()?))).collect(),
    };
    Ok(Ok((person, draft)))
}

/// Asks the registry about a draft; `before` is the person as they are.
async fn sound(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    before: Option<&Draft>,
    draft: &Draft,
) -> StoreResult<Result<()>> {
    let mut faults = Vec::new();
    hold(context, conn, district, draft.organization.as_ref()).await?;
    if let Some(code) = &draft.organization
        && context.index.organization(code).is_none()
    {
        let detail = say!("organization {code} does not exist", "单位 {code} 不存在");
        faults.push(Fault::pointer("/organization", detail));
    }
    let areas: Vec<u64> = draft.duties.iter().map(|(_, area)| *area).collect();
    let known = crate::store::areas::known(conn, district, &areas).await?;
    for (n, area) in areas.iter().enumerate() {
        if !known.iter().any(|known| known.code == *area) {
            let detail =
                say!("area {area} does not exist in district {district}", "行政区 {district} 内没有区域 {area}");
            faults.push(Fault::pointer(format!("/duties/{n}/area"), detail));
        }
        if draft.duties[..n].contains(&draft.duties[n]) {
            let detail = say!("the same duty is said twice", "同一职责写了两次");
            faults.push(Fault::pointer(format!("/duties/{n}"), detail));
        }
    }
    // What was read masked by somebody, of somebody.
    for (pointer, value) in [("/name", &draft.contact.name), ("/phone", &draft.contact.phone)] {
        if value.as_ref().is_some_and(|value| value.contains('*')) {
            let detail = say!(
                "this is masked: say it in full, or leave it out of a patch",
                "这是打了掩码的值：请写全，或在补丁中略去"
            );
            faults.push(Fault::pointer(pointer, detail));
        }
    }
    // One that was there before stays, however it is written; a masked one was refused just now.
    let phone = draft.contact.phone.as_ref().filter(|phone| !phone.contains('*'));
    let is_new = before.is_none_or(|before| before.contact.phone != draft.contact.phone);
    if let Some(Err(detail)) = phone.filter(|_| is_new).map(Phone::new) {
        faults.push(Fault::pointer("/phone", detail));
    }
    Ok(if faults.is_empty() { Ok(()) } else { Err(ServiceError::Invalid(faults)) })
}
