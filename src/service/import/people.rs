//! People and their duties: the person and the duty in the open, name and phone sealed. What a source said of them is
//! remembered without its words: whether it says the same again is all that must be known.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::json;

use super::few::{self, Compared, Note, Said, Says};
use super::{Counts, ImportFile, Outcome, log, note};
use crate::domain::grid::DutyKind;
use crate::domain::id::{DistrictCode, OrgCode, PersonId};
use crate::domain::merge::{self, Columns, Merge};
use crate::domain::said::say;
use crate::service::error::Result;
use crate::service::registry::Contact;
use crate::service::{Context, Guli, load};
use crate::store::delivered::{self, Delivered, Kind};
use crate::store::people::{self, Person};
use crate::store::personal::{self, Purpose};
use crate::store::{Conn, Result as StoreResult, areas, corrupt, organizations};

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

/// A person as they are to be, and the duties that they get.
#[derive(Clone)]
pub struct PersonNews {
    person: Person,
    contact: Contact,
    duties: Vec<(u64, DutyKind)>,
}

impl Guli {
    /// Compares duties with those that are there; a person is known by source and external id.
    pub async fn compare_people(
        &self,
        district: DistrictCode,
        source: &str,
        rows: &[Says<DutyRow>],
    ) -> Result<Compared<PersonNews>> {
        let mut reader = self.store.read().await?;
        Ok(compare(&self.context, &mut reader.conn(), district, source, rows).await?)
    }

    /// Writes what people and duties change of those that are there then, and loads their district anew.
    pub async fn write_people(
        &self,
        file: &ImportFile,
        source: &str,
        rows: Vec<Says<DutyRow>>,
        counts: Counts,
    ) -> Result<()> {
        let (district, source) = (file.district, source.to_owned());
        let (context, served, file) = (Arc::clone(&self.context), Arc::clone(&self.context), file.clone());
        let work = self.writer.patiently(
            district,
            move |conn| {
                Box::pin(async move {
                    let conn = &mut conn.conn();
                    let seq = log(&context.clock, conn, &file, json!(counts.rows)).await?;
                    let compared = compare(&context, conn, district, &source, &rows).await?;
                    write(&context, conn, district, seq, compared).await?;
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

async fn write(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    seq: i64,
    Compared { changed, said, .. }: Compared<PersonNews>,
) -> StoreResult<()> {
    let persons: Vec<Person> = changed.iter().map(|news| news.person.clone()).collect();
    let duties = changed.iter().flat_map(|news| news.duties.iter().map(|(area, kind)| (*area, *kind, news.person.id)));
    let sealed = changed.iter().map(|news| load::seal(context, district, news.person.id, &news.contact));
    let (duties, sealed): (Vec<_>, Vec<_>) = (duties.collect(), sealed.collect::<StoreResult<_>>()?);
    people::put(conn, district, seq, &persons).await?;
    people::put_duties(conn, district, &duties).await?;
    personal::rows(district, &sealed).write(conn).await?;
    few::remember(conn, district, Kind::Person, seq, &said).await
}

/// What is there of people, and what was said last.
struct Known<'k> {
    context: &'k Context,
    district: DistrictCode,
    source: &'k str,
    persons: HashMap<String, Person>,
    duties: HashSet<(PersonId, DutyKind, String)>,
    sealed: HashMap<String, Vec<u8>>,
    delivered: HashMap<String, Delivered>,
    removed_units: HashSet<String>,
    removed_areas: HashSet<u64>,
}

/// What a source says of a person in all rows of a file.
struct Whole<'r> {
    /// The last row counts.
    row: &'r DutyRow,
    silent: &'r [&'static str],
    duties: BTreeSet<String>,
}

/// What a person comes to.
struct Verdict {
    news: PersonNews,
    is_new: bool,
    merge: Merge,
    /// What the file says but for the duties, and the duties.
    says: Columns,
    duties: BTreeSet<String>,
    before: Option<Columns>,
    /// The unit that they are said to belong to, and that is no more.
    gone: Option<String>,
}

async fn compare(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    source: &str,
    rows: &[Says<DutyRow>],
) -> StoreResult<Compared<PersonNews>> {
    let persons = people::of_source(conn, source).await?;
    let units: Vec<OrgCode> = rows.iter().filter_map(|row| row.record.organization.clone()).collect();
    let duties = people::duties(conn, district).await?.into_iter();
    let known = Known {
        context,
        district,
        source,
        persons: persons.into_iter().map(|person| (person.external_id.clone(), person)).collect(),
        duties: duties.map(|duty| (duty.person, duty.kind, duty.area)).collect(),
        sealed: personal::all(conn, district, Purpose::Duty).await?.into_iter().collect(),
        delivered: delivered::of(conn, district, Kind::Person).await?,
        removed_units: organizations::removed(conn, &units).await?,
        removed_areas: areas::removed(conn, district).await?.into_iter().map(|(code, _)| code).collect(),
    };
    let mut whole: BTreeMap<&str, Whole<'_>> = BTreeMap::new();
    for Says { record, silent } in rows {
        let entry = whole.entry(&record.external_id);
        let duties = entry.or_insert_with(|| Whole { row: record, silent, duties: BTreeSet::new() });
        (duties.row, duties.silent) = (record, silent);
        duties.duties.insert(duty_text(record.duty, record.area));
    }
    let mut verdicts = BTreeMap::new();
    for (external_id, whole) in whole {
        verdicts.insert(external_id, known.judge(whole)?);
    }
    let mut compared = Compared::with_room_for(rows.len());
    for Says { record, .. } in rows {
        if let Some(verdict) = verdicts.get_mut(&*record.external_id) {
            known.row(record, verdict.as_mut(), &mut compared);
        }
    }
    for (external_id, verdict) in verdicts {
        let Some(Verdict { news, is_new, merge, mut says, mut duties, before, gone: None }) = verdict else { continue };
        // A file that does not name a duty does not say that there is none.
        duties.extend(before.iter().flat_map(duties_in));
        let is_news = !merge.taken.is_empty() || !news.duties.is_empty();
        says.push((DUTIES, Some(duties.into_iter().collect::<Vec<_>>().join(" "))));
        if (is_news || !is_new) && before.as_ref() != Some(&says) {
            let record = format!("{source}/{external_id}");
            let before = known.delivered.get(&record).map(|before| superseded(before, &merge.taken, &says));
            compared.said.push(Said::whole(record, says, before.transpose()?));
        }
        compared.changed.extend(is_news.then_some(news));
    }
    Ok(compared)
}

/// The column of the duties, after a person's own.
const DUTIES: &str = "duties";
const UNIT: &str = "organization";
/// What a person's record is remembered under.
pub(super) fn said_of(person: &Person) -> String {
    format!("{}/{}", person.source, person.external_id)
}

/// Remembers of who is removed only whom they stood for.
pub(in crate::service) async fn forget_name(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    person: &Person,
) -> StoreResult<()> {
    let record = said_of(person);
    delivered::forget_past(conn, district, Kind::Person, std::slice::from_ref(&record)).await?;
    let Some(delivered) = delivered::one(conn, district, Kind::Person, &record).await? else { return Ok(()) };
    let mut kept = delivered::columns(delivered.kept.as_deref())?;
    kept.retain(|(column, _)| !is_of_name(column));
    let kept = delivered::text(kept.iter().map(|(column, value)| (column.as_str(), value.clone())));
    delivered::rows(district, Kind::Person, &[Delivered { kept, ..delivered }]).write(conn).await
}

fn is_of_name(column: &str) -> bool {
    matches!(column, "name" | "phone")
}

/// What a record said before, for when it is taken back what it says now: names and phones that are taken from it stay.
fn superseded(before: &Delivered, taken: &[&str], says: &Columns) -> StoreResult<Delivered> {
    let mut kept = delivered::columns(before.kept.as_deref())?;
    for (column, value) in kept.iter_mut().filter(|(column, _)| is_of_name(column) && taken.contains(&&**column)) {
        *value = merge::value(says, column);
    }
    let kept = delivered::text(kept.iter().map(|(column, value)| (column.as_str(), value.clone())));
    Ok(Delivered { kept, ..before.clone() })
}

/// How a duty is kept.
fn duty_text(kind: DutyKind, area: u64) -> String {
    format!("{}:{area}", kind.as_str())
}

/// The duties that a person's record said.
fn duties_in(before: &Columns) -> BTreeSet<String> {
    let duties = merge::value(before, DUTIES).unwrap_or_default();
    duties.split(' ').filter(|duty| !duty.is_empty()).map(str::to_owned).collect()
}

/// Whether somebody who was removed here is delivered as before, or less of them: a file need not have all of their rows.
/// No name is known of them any more.
fn is_as_before(before: &Columns, says: &Columns, Whole { silent, duties, .. }: &Whole<'_>) -> bool {
    let same_unit = merge::value(before, UNIT) == merge::value(says, UNIT);
    (same_unit || silent.contains(&UNIT)) && duties.is_subset(&duties_in(before))
}

impl Known<'_> {
    /// What a person is known by, without what they are called.
    fn columns(&self, external_id: &str, contact: &Contact, organization: Option<&OrgCode>) -> Columns {
        let digest = |column: &str, value: &Option<String>| {
            let place = format!("{}/{}/{external_id}/{column}", self.district, self.source);
            value.as_ref().map(|value| self.context.seal.digest(&place, value))
        };
        vec![
            ("name", digest("name", &contact.name)),
            ("phone", digest("phone", &contact.phone)),
            (UNIT, organization.map(ToString::to_string)),
        ]
    }

    /// What a person comes to; `None` if they were removed here and stay so.
    fn judge(&self, whole: Whole<'_>) -> StoreResult<Option<Verdict>> {
        let Whole { row, silent, .. } = whole;
        let contact = Contact { name: Some(row.name.clone()), phone: row.phone.clone() };
        let mut says = self.columns(&row.external_id, &contact, row.organization.as_ref());
        let delivered = self.delivered.get(&format!("{}/{}", self.source, row.external_id));
        let kept = delivered.map(|delivered| delivered::columns(delivered.kept.as_deref())).transpose()?;
        let blank = says.iter().map(|(column, _)| *column).chain([DUTIES]).map(|column| (column, None)).collect();
        let before = kept.map(|kept| merge::overlaid(blank, &kept));
        let mut verdict = Verdict {
            news: PersonNews { person: self.stranger(row), contact: contact.clone(), duties: Vec::new() },
            is_new: true,
            merge: Merge::default(),
            says: Vec::new(),
            duties: BTreeSet::new(),
            before: None,
            gone: None,
        };
        if let Some(person) = self.persons.get(&row.external_id) {
            let present = load::unseal(self.context, self.district, person.id, &self.sealed)?;
            let ours = self.columns(&row.external_id, &present, person.organization.as_ref());
            merge::unsaid(&mut says, silent, before.as_ref().unwrap_or(&ours));
            verdict.merge = merge::merge(before.as_ref(), &says, &ours);
            verdict.news = PersonNews { person: person.clone(), contact: present, duties: Vec::new() };
            (verdict.is_new, verdict.before) = (false, before);
        } else if before.is_some_and(|before| is_as_before(&before, &says, &whole)) {
            return Ok(None);
        }
        verdict.duties = whole.duties;
        for column in &verdict.merge.taken {
            match *column {
                "name" => verdict.news.contact.name.clone_from(&contact.name),
                "phone" => verdict.news.contact.phone.clone_from(&contact.phone),
                _ => verdict.news.person.organization.clone_from(&row.organization),
            }
        }
        let unit = row.organization.as_ref().map(ToString::to_string);
        let takes_unit = verdict.is_new || verdict.merge.taken.contains(&UNIT);
        verdict.gone = unit.filter(|unit| takes_unit && self.removed_units.contains(unit));
        verdict.says = says;
        Ok(Some(verdict))
    }

    /// Somebody who is not known yet.
    fn stranger(&self, row: &DutyRow) -> Person {
        Person {
            id: PersonId(self.context.clock.uuid()),
            district: self.district,
            source: self.source.to_owned(),
            external_id: row.external_id.clone(),
            organization: row.organization.clone(),
            version: 1,
        }
    }

    /// Compares a row, whose person comes to `verdict`.
    fn row(&self, row: &DutyRow, verdict: Option<&mut Verdict>, compared: &mut Compared<PersonNews>) {
        let Some(Verdict { news, merge, duties, before, gone, .. }) = verdict else {
            compared.outcomes.push(Some(Outcome::Unchanged));
            return;
        };
        if let Some(gone) = gone {
            compared
                .refuse(Note::Missing { column: "organization", what: say!("organization {gone}", "单位 {gone} ") });
            return;
        }
        let held = self.duties.contains(&(news.person.id, row.duty, row.area.to_string()));
        // A duty that was said before and is not held was taken away here.
        let said = before.as_ref().and_then(|before| merge::value(before, DUTIES)).unwrap_or_default();
        let duty = duty_text(row.duty, row.area);
        let is_new = !held && !said.split(' ').any(|said| said == duty);
        let area = row.area;
        if is_new && self.removed_areas.contains(&area) {
            duties.remove(&duty);
            compared.refuse(Note::Missing { column: "area", what: say!("area {area}", "区域 {area} ") });
            return;
        }
        for column in std::mem::take(&mut merge.overruled) {
            compared.note(Note::Overruled { column, before: None, ours: None, now: None });
        }
        if is_new {
            news.duties.push((row.area, row.duty));
        }
        compared.outcomes.push(Some(match (is_new, merge.taken.is_empty()) {
            (true, _) => Outcome::Created,
            (false, false) => Outcome::Updated,
            (false, true) => Outcome::Unchanged,
        }));
    }
}
