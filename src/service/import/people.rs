//! People and their duties: the person and the duty in the open, name and phone sealed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::areas::Compared;
use super::{Counts, ImportFile, Outcome, log, note};
use crate::domain::grid::DutyKind;
use crate::domain::id::{DistrictCode, OrgCode, PersonId};
use crate::service::error::Result;
use crate::service::{Guli, load};
use crate::store::people::{self, Person};
use crate::store::personal::{self, PersonalData, Purpose};
use crate::store::{areas, corrupt};

/// One duty of a person, as a source says.
#[derive(Clone)]
pub struct DutyRow {
    pub external_id: String,
    pub name: String,
    pub phone: Option<String>,
    pub organization: Option<OrgCode>,
    pub duty: DutyKind,
    /// The number of a sub-district, community or grid.
    pub area: u64,
}

impl std::fmt::Debug for DutyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DutyRow(…)")
    }
}

/// A duty with its person's identity.
#[derive(Debug, Clone)]
pub struct PlacedDuty {
    row: DutyRow,
    person: PersonId,
}

impl DutyRow {
    /// What is sealed.
    fn record(&self) -> Value {
        json!({ "name": self.name, "phone": self.phone })
    }
}

fn subject(person: PersonId) -> String {
    format!("person:{person}")
}

impl Guli {
    /// Compares a source's people and duties with those that are there.
    pub async fn compare_people(
        &self,
        district: DistrictCode,
        source: &str,
        rows: Vec<DutyRow>,
    ) -> Result<Compared<PlacedDuty>> {
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let mut persons: HashMap<String, (PersonId, Option<String>)> = people::of_source(conn, source)
            .await?
            .into_iter()
            .map(|person| (person.external_id, (person.id, person.organization)))
            .collect();
        let duties: HashSet<(PersonId, DutyKind, String)> =
            people::duties(conn, district).await?.into_iter().map(|duty| (duty.person, duty.kind, duty.area)).collect();
        let mut records: HashMap<String, Value> = HashMap::new();
        for (subject, sealed) in personal::all(conn, district, Purpose::Duty).await? {
            let place = personal::place(district, &subject, Purpose::Duty);
            let opened = self.context.seal.open_sealed(&place, &sealed)?;
            records.insert(subject, serde_json::from_slice(&opened).unwrap_or_default());
        }
        let mut compared = Compared { outcomes: Vec::with_capacity(rows.len()), changed: Vec::new() };
        for row in rows {
            let organization = row.organization.as_ref().map(ToString::to_string);
            let fresh = (PersonId(self.context.clock.uuid()), organization.clone());
            let (person, known) = persons.entry(row.external_id.clone()).or_insert(fresh);
            let is_new = !duties.contains(&(*person, row.duty, row.area.to_string()));
            let same = *known == organization && records.get(&subject(*person)) == Some(&row.record());
            let outcome = match (is_new, same) {
                (true, _) => Outcome::Created,
                (false, false) => Outcome::Updated,
                (false, true) => Outcome::Unchanged,
            };
            compared.outcomes.push(outcome);
            if outcome != Outcome::Unchanged {
                compared.changed.push(PlacedDuty { row, person: *person });
            }
        }
        Ok(compared)
    }

    /// Writes people and duties, and loads their district anew.
    pub async fn write_people(
        &self,
        file: &ImportFile,
        source: &str,
        duties: Vec<PlacedDuty>,
        counts: Counts,
    ) -> Result<()> {
        let district = file.district;
        // A person with several duties has several rows; the last one counts.
        let by_person: HashMap<PersonId, &DutyRow> = duties.iter().map(|duty| (duty.person, &duty.row)).collect();
        let mut persons = Vec::with_capacity(by_person.len());
        let mut records = Vec::with_capacity(by_person.len());
        for (id, row) in by_person {
            persons.push(Person {
                id,
                source: source.to_owned(),
                external_id: row.external_id.clone(),
                organization: row.organization.as_ref().map(ToString::to_string),
            });
            let subject = subject(id);
            let place = personal::place(district, &subject, Purpose::Duty);
            let sealed = self.context.seal.seal(&place, row.record().to_string().as_bytes())?;
            records.push(PersonalData { subject, purpose: Purpose::Duty, retain_until: None, sealed });
        }
        let placed: Vec<_> = duties.iter().map(|duty| (duty.row.area, duty.row.duty, duty.person)).collect();
        let (context, served, file) = (Arc::clone(&self.context), Arc::clone(&self.context), file.clone());
        let work = self.writer.alone(
            move |conn| {
                Box::pin(async move {
                    let conn = &mut conn.conn();
                    log(&context.clock, conn, &file, json!(counts.rows)).await?;
                    people::put(conn, &persons).await?;
                    people::put_duties(conn, district, &placed).await?;
                    personal::put(conn, district, &records).await?;
                    note(conn, &file, &counts, context.clock.now()).await?;
                    let record = areas::districts(conn).await?.into_iter().find(|record| record.code == district);
                    load::district(&context, conn, record.ok_or_else(|| corrupt("district", district))?).await
                })
            },
            move |district| served.index.replace(district),
        );
        Ok(work.await?)
    }
}
