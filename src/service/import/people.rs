//! People and their duties: the person and the duty in the open, name and phone sealed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::json;

use super::areas::Compared;
use super::{Counts, ImportFile, Outcome, log, note};
use crate::domain::grid::DutyKind;
use crate::domain::id::{DistrictCode, OrgCode, PersonId};
use crate::service::Guli;
use crate::service::error::Result;
use crate::service::load;
use crate::service::registry::Contact;
use crate::store::people::{self, Person};
use crate::store::personal::{self, Purpose};
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
    fn contact(&self) -> Contact {
        Contact { name: Some(self.name.clone()), phone: self.phone.clone() }
    }
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
        let mut persons: HashMap<String, (PersonId, Option<OrgCode>)> = people::of_source(conn, source)
            .await?
            .into_iter()
            .map(|person| (person.external_id, (person.id, person.organization)))
            .collect();
        let duties: HashSet<(PersonId, DutyKind, String)> =
            people::duties(conn, district).await?.into_iter().map(|duty| (duty.person, duty.kind, duty.area)).collect();
        let sealed: HashMap<_, _> = personal::all(conn, district, Purpose::Duty).await?.into_iter().collect();
        let mut compared = Compared { outcomes: Vec::with_capacity(rows.len()), changed: Vec::new() };
        for row in rows {
            let fresh = (PersonId(self.context.clock.uuid()), row.organization.clone());
            let (person, known) = persons.entry(row.external_id.clone()).or_insert(fresh);
            let is_new = !duties.contains(&(*person, row.duty, row.area.to_string()));
            let same =
                *known == row.organization && load::unseal(&self.context, district, *person, &sealed)? == row.contact();
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
                district,
                source: source.to_owned(),
                external_id: row.external_id.clone(),
                organization: row.organization.clone(),
                version: 1,
            });
            records.push(load::seal(&self.context, district, id, &row.contact())?);
        }
        let placed: Vec<_> = duties.iter().map(|duty| (duty.row.area, duty.row.duty, duty.person)).collect();
        let (context, served, file) = (Arc::clone(&self.context), Arc::clone(&self.context), file.clone());
        let work = self.writer.patiently(
            district,
            move |conn| {
                Box::pin(async move {
                    let conn = &mut conn.conn();
                    let seq = log(&context.clock, conn, &file, json!(counts.rows)).await?;
                    people::put(conn, district, seq, &persons).await?;
                    people::put_duties(conn, district, &placed).await?;
                    personal::rows(district, &records).write(conn).await?;
                    note(conn, &file, &counts, context.clock.now()).await?;
                    let record = areas::district(conn, district).await?;
                    let record = record.ok_or_else(|| corrupt("district", district))?;
                    Ok((load::district(&context, conn, record).await?, seq))
                })
            },
            move |(fresh, seq)| served.brought(fresh, seq),
        );
        work.await?;
        self.context.past.clear();
        Ok(())
    }
}
