//! Reading people, unsealed for who may read them.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::actor::{Action, Actor, Privacy};
use crate::domain::grid::Duty;
use crate::domain::id::{DistrictCode, OrgCode, PersonId};
use crate::domain::said::say;
use crate::service::error::Result;
use crate::service::moment::Moment;
use crate::service::{Guli, load};
use crate::store::people::{self, Person, Standing};
use crate::store::personal::{self, Purpose};

/// What is sealed of a person.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    pub name: Option<String>,
    pub phone: Option<String>,
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact(…)")
    }
}

/// A person with a name, for those who may see it.
#[derive(Clone)]
pub struct PersonRecord {
    pub id: String,
    pub name: Option<String>,
    pub phone: Option<String>,
    pub organization: Option<OrgCode>,
    pub duties: Vec<Duty>,
    pub version: i64,
}

impl std::fmt::Debug for PersonRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonRecord({})", self.id)
    }
}

/// A person as the caller may see them, without duties yet.
pub(in crate::service) fn record_of(
    actor: &Actor,
    id: PersonId,
    (version, organization): Standing,
    record: &Contact,
) -> PersonRecord {
    let privacy = Privacy::of(actor.role);
    PersonRecord {
        id: id.to_string(),
        name: record.name.as_deref().and_then(|name| privacy.name(name)),
        phone: record.phone.as_deref().and_then(|phone| privacy.phone(phone)),
        version,
        organization,
        duties: Vec::new(),
    }
}

fn standing(person: Person) -> Standing {
    (person.version, person.organization)
}

impl Guli {
    /// People with duties in the caller's areas, unsealed for who may read them; for whoever has the whole
    /// district also those without a duty. `only` asks for one of them. Of then are units and duties; names and phones
    /// have no past.
    pub async fn people(&self, actor: &Actor, moment: &Moment, only: Option<PersonId>) -> Result<Vec<PersonRecord>> {
        let districts = self.people_districts(actor, moment.instant())?;
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let mut found: BTreeMap<String, PersonRecord> = BTreeMap::new();
        for district in districts {
            if !moment.knows(district) {
                continue;
            }
            let sealed: HashMap<_, _> = personal::all(conn, district, Purpose::Duty).await?.into_iter().collect();
            let (mut persons, duties) = if let Some(change) = moment.change(district) {
                people::at(conn, district, change).await?
            } else {
                let people = people::of_district(conn, district).await?.into_iter();
                (people.map(|person| (person.id, standing(person))).collect(), people::duties(conn, district).await?)
            };
            persons.retain(|id, _| only.is_none_or(|only| only == *id));
            let mut held: BTreeMap<PersonId, Vec<Duty>> = BTreeMap::new();
            // Whoever stands for one grid has no business with the phones of all others.
            let mut on_duty = HashSet::new();
            for duty in duties.into_iter().filter(|duty| only.is_none_or(|only| only == duty.person)) {
                on_duty.insert(duty.person);
                if duty.area.parse().is_ok_and(|area| actor.meets(area)) {
                    held.entry(duty.person).or_default().push(duty);
                }
            }
            if actor.holds_all(district) {
                held.extend(persons.keys().filter(|id| !on_duty.contains(*id)).map(|id| (*id, Vec::new())));
            }
            for (id, duties) in held {
                // Of another district, with a duty in this one.
                let stands = match persons.remove(&id) {
                    Some(stands) => stands,
                    None => people::known(conn, id).await?.map_or((1, None), standing),
                };
                let record = load::unseal(&self.context, district, id, &sealed)?;
                let shown = record_of(actor, id, stands, &record);
                found.entry(id.to_string()).or_insert(shown).duties.extend(duties);
            }
        }
        // Personal data is read by a person with a key: that is worth a line.
        tracing::info!(key = %actor.log_name(), people = found.len(), "people's names and phones were read");
        Ok(found.into_values().collect())
    }

    /// The districts whose people the caller may read of, as they are or were.
    pub fn people_districts(&self, actor: &Actor, as_of: Option<Timestamp>) -> Result<Vec<DistrictCode>> {
        let action = if as_of.is_some() { Action::ReadPeoplePast } else { Action::ReadPeople };
        self.authorize_anywhere(actor, action, || say!("people", "人员"))
    }
}
