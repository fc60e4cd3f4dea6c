//! People and their duties. Names and phones are in [`super::personal`].

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::insert::Insert;
use super::{Conn, ROWS_PER_STATEMENT, Result, corrupt, each};
use crate::domain::grid::{Duty, DutyKind};
use crate::domain::id::{DistrictCode, OrgCode, PersonId};

/// A person without a name: where the record came from and what they belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    /// In whose feed the person's changes are.
    pub district: DistrictCode,
    pub source: String,
    pub external_id: String,
    pub organization: Option<OrgCode>,
    pub version: i64,
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: Vec<u8>,
    district: i64,
    source: String,
    external_id: String,
    organization: Option<String>,
    version: i64,
}

fn identity(id: &[u8]) -> Result<PersonId> {
    Uuid::from_slice(id).map(PersonId).map_err(|e| corrupt("a person's id", e))
}

fn unit(code: Option<String>) -> Result<Option<OrgCode>> {
    code.map(|code| code.parse().map_err(|e| corrupt("an organization", e))).transpose()
}

impl Row {
    fn read(self) -> Result<Person> {
        let organization = unit(self.organization)?;
        // Older databases do not say it of people without a duty: their unit's, or that of whoever delivered them.
        let district = DistrictCode::from_number(self.district.unsigned_abs())
            .or_else(|| organization.as_ref().map(OrgCode::district))
            .or_else(|| self.source.parse::<OrgCode>().ok().map(|source| source.district()))
            .ok_or_else(|| corrupt("a district", self.district))?;
        Ok(Person {
            id: identity(&self.id)?,
            district,
            source: self.source,
            external_id: self.external_id,
            organization,
            version: self.version,
        })
    }
}

const COLUMNS: &str = "id, district, source, external_id, organization, version";

/// The people a source has delivered.
pub async fn of_source(conn: &mut Conn<'_>, source: &str) -> Result<Vec<Person>> {
    let sql = format!("SELECT {COLUMNS} FROM person WHERE source = $1 ORDER BY external_id");
    let rows: Vec<Row> = each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(source).fetch_all(c).await?);
    rows.into_iter().map(Row::read).collect()
}

/// The people of a district.
pub async fn of_district(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Vec<Person>> {
    let sql = format!("SELECT {COLUMNS} FROM person WHERE district = $1 ORDER BY id");
    let rows: Vec<Row> =
        each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(district.as_i64()).fetch_all(c).await?);
    rows.into_iter().map(Row::read).collect()
}

/// The person with this identity, if they are there.
pub async fn known(conn: &mut Conn<'_>, id: PersonId) -> Result<Option<Person>> {
    let sql = format!("SELECT {COLUMNS} FROM person WHERE id = $1");
    let row: Option<Row> = each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(id.0.as_bytes().to_vec()).fetch_optional(c).await?);
    row.map(Row::read).transpose()
}

#[derive(Debug, sqlx::FromRow)]
struct ThenRow {
    id: Vec<u8>,
    organization: Option<String>,
    version: i64,
    duties: Option<String>,
    seq_from: i64,
}

/// Whom a person belongs to, and the version that says so.
pub type Standing = (i64, Option<OrgCode>);

/// The people of a district as they were after its event `seq`, and their duties then. Those of other districts have their
/// past there: of them it is the duties that they have.
pub async fn at(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    seq: i64,
) -> Result<(HashMap<PersonId, Standing>, Vec<Duty>)> {
    const SQL: &str = "SELECT id, organization, version, duties, seq_from FROM person_version \
        WHERE district = $1 AND seq_from <= $2 AND seq_to > $2 UNION ALL \
        SELECT id, organization, version, NULL, seq_from FROM person WHERE district = $1 ORDER BY id";
    let rows: Vec<ThenRow> =
        each!(&mut *conn, c => sqlx::query_as(SQL).bind(district.as_i64()).bind(seq).fetch_all(c).await?);
    let (mut standing, mut held, mut changed) = (HashMap::with_capacity(rows.len()), Vec::new(), HashSet::new());
    for ThenRow { id, organization, version, duties, seq_from } in rows {
        let person = identity(&id)?;
        if let Some(text) = duties {
            let duties: Value = serde_json::from_str(&text).map_err(|e| corrupt("duties", e))?;
            let duties = duties_in(&duties).into_iter();
            held.extend(duties.map(|(kind, area)| Duty { person, kind, area: area.to_string() }));
        } else if seq_from > seq {
            changed.insert(person);
            continue;
        }
        standing.insert(person, (version, unit(organization)?));
    }
    let today = duties(conn, district).await?.into_iter();
    held.extend(today.filter(|duty| !changed.contains(&duty.person)));
    held.sort_unstable_by(|a, b| (&a.area, a.kind.as_str(), a.person).cmp(&(&b.area, b.kind.as_str(), b.person)));
    Ok((standing, held))
}

/// A person's duties as they are kept in the past and shown in histories.
fn duties_text(duties: &[Duty]) -> String {
    let duties: Vec<_> = duties.iter().map(|duty| json!({"kind": duty.kind.as_str(), "area": duty.area})).collect();
    json!(duties).to_string()
}

/// What a person was from one event on, until another.
#[derive(Debug, Clone)]
pub struct PersonState {
    pub version: i64,
    pub organization: Option<OrgCode>,
    pub duties: Value,
    /// Older databases do not know it of people without a duty.
    pub district: Option<DistrictCode>,
    pub seq_from: i64,
    /// `None` for the present.
    pub seq_to: Option<i64>,
}

impl PersonState {
    /// The duties: kind and number of the area.
    pub fn duties(&self) -> Vec<(DutyKind, u64)> {
        duties_in(&self.duties)
    }
}

/// What [`duties_text`] wrote.
fn duties_in(duties: &Value) -> Vec<(DutyKind, u64)> {
    let duty = |duty: &Value| Some((DutyKind::parse(duty["kind"].as_str()?)?, duty["area"].as_str()?.parse().ok()?));
    duties.as_array().into_iter().flatten().filter_map(duty).collect()
}

#[derive(Debug, sqlx::FromRow)]
struct StateRow {
    version: i64,
    organization: Option<String>,
    duties: Option<String>,
    district: i64,
    seq_from: i64,
    seq_to: Option<i64>,
}

/// Every state of a person, the oldest first. Names and phones are not among what was.
pub async fn states(conn: &mut Conn<'_>, id: PersonId) -> Result<Vec<PersonState>> {
    const SQL: &str = "SELECT version, organization, duties, district, seq_from, seq_to FROM person_version \
        WHERE id = $1 UNION ALL \
        SELECT version, organization, NULL, district, seq_from, NULL FROM person WHERE id = $1 ORDER BY version";
    let key = id.0.as_bytes().to_vec();
    let rows: Vec<StateRow> = each!(&mut *conn, c => sqlx::query_as(SQL).bind(key).fetch_all(c).await?);
    let mut states = Vec::with_capacity(rows.len());
    for row in rows {
        let duties = match (row.duties, DistrictCode::from_number(row.district.unsigned_abs())) {
            (Some(duties), _) => duties,
            (None, Some(district)) => duties_text(&duties_of(conn, district, id).await?),
            (None, None) => duties_text(&[]),
        };
        states.push(PersonState {
            version: row.version,
            organization: unit(row.organization)?,
            duties: serde_json::from_str(&duties).map_err(|e| corrupt("duties", e))?,
            district: DistrictCode::from_number(row.district.unsigned_abs()),
            seq_from: row.seq_from,
            seq_to: row.seq_to,
        });
    }
    Ok(states)
}

/// Puts what these people are into the past, until the event `seq`; before their duties change.
async fn supersede(conn: &mut Conn<'_>, district: DistrictCode, seq: i64, ids: &[PersonId]) -> Result<()> {
    let mut by_person: HashMap<PersonId, Vec<Duty>> = HashMap::new();
    if let [one] = ids {
        by_person.insert(*one, duties_of(conn, district, *one).await?);
    } else {
        for duty in duties(conn, district).await? {
            by_person.entry(duty.person).or_default().push(duty);
        }
    }
    let mut present: Vec<(Vec<u8>, Option<String>, i64, i64)> = Vec::new();
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        present.extend(each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new("SELECT id, organization, version, seq_from FROM person WHERE id IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|id| { list.push_bind(id.0.as_bytes().to_vec()); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        }));
    }
    let held = |id: &[u8]| identity(id).ok().and_then(|id| by_person.get(&id)).map_or(&[][..], Vec::as_slice);
    Insert::into("person_version", district.as_i64(), &present)
        .bytes("id", |(id, ..)| id)
        .maybe_text("organization", |(_, organization, ..)| organization.as_deref())
        .text("duties", |(id, ..)| duties_text(held(id)))
        .integer("version", |(.., version, _)| *version)
        .integer("seq_from", |(.., seq_from)| *seq_from)
        .integer("seq_to", |_| seq)
        .rows()
        .write(conn)
        .await
}

/// The last versions of those who were removed since they were looked up.
async fn removed_versions(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    ids: &[PersonId],
) -> Result<HashMap<PersonId, i64>> {
    let mut found = HashMap::new();
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<(Vec<u8>, i64)> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new("SELECT id, max(version) FROM person_version WHERE district = ");
            sql.push_bind(district.as_i64()).push(" AND id NOT IN (SELECT id FROM person) AND id IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|id| { list.push_bind(id.0.as_bytes().to_vec()); });
            sql.push(") GROUP BY id");
            sql.build_query_as().fetch_all(c).await?
        });
        for (id, version) in rows {
            found.insert(identity(&id)?, version);
        }
    }
    Ok(found)
}

/// Writes people of a district as they now are; a superseded state goes to the past.
pub async fn put(conn: &mut Conn<'_>, district: DistrictCode, seq: i64, people: &[Person]) -> Result<()> {
    let ids: Vec<PersonId> = people.iter().map(|person| person.id).collect();
    supersede(conn, district, seq, &ids).await?;
    let removed = removed_versions(conn, district, &ids).await?;
    Insert::into("person", district.as_i64(), people)
        .bytes("id", |person| person.id.0.as_bytes())
        .text("source", |person| person.source.as_str())
        .text("external_id", |person| person.external_id.as_str())
        .maybe_text("organization", |person| person.organization.as_ref().map(OrgCode::as_str))
        .integer("version", |person| removed.get(&person.id).map_or(1, |last| last + 2))
        .integer("seq_from", |_| seq)
        .on_conflict(
            "(source, external_id) DO UPDATE SET organization = excluded.organization, \
             version = person.version + 1, seq_from = excluded.seq_from, \
             district = CASE WHEN person.district = 0 THEN excluded.district ELSE person.district END",
        )
        .rows()
        .write(conn)
        .await
}

/// Removes a person with their duties: from the event `seq` on they are no more.
pub async fn remove(conn: &mut Conn<'_>, district: DistrictCode, seq: i64, id: PersonId) -> Result<()> {
    supersede(conn, district, seq, &[id]).await?;
    clear_duties(conn, district, id).await?;
    each!(conn, c => sqlx::query("DELETE FROM person WHERE id = $1")
        .bind(id.0.as_bytes().to_vec()).execute(c).await.map(drop)?);
    Ok(())
}

/// Takes all duties in a district from a person.
pub async fn clear_duties(conn: &mut Conn<'_>, district: DistrictCode, id: PersonId) -> Result<()> {
    each!(conn, c => sqlx::query("DELETE FROM duty WHERE district = $1 AND person = $2")
        .bind(district.as_i64()).bind(id.0.as_bytes().to_vec()).execute(c).await.map(drop)?);
    Ok(())
}

/// The people of a district that an event changed: made, remade or removed.
pub async fn changed_by(conn: &mut Conn<'_>, district: DistrictCode, seq: i64) -> Result<Vec<PersonId>> {
    const SQL: &str = "SELECT id FROM person WHERE district = $1 AND seq_from = $2 UNION \
        SELECT id FROM person_version WHERE district = $1 AND (seq_from = $2 OR seq_to = $2) ORDER BY id";
    let ids: Vec<Vec<u8>> =
        each!(conn, c => sqlx::query_scalar(SQL).bind(district.as_i64()).bind(seq).fetch_all(c).await?);
    ids.iter().map(|id| identity(id)).collect()
}

const IDLE: &str = "SELECT id, COALESCE(organization, source) FROM person \
                    WHERE district = $1 AND id NOT IN (SELECT person FROM duty WHERE district = $1) ORDER BY id";

/// Those of a district without any duty, with the organisation that they belong to or came from.
pub async fn idle(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Vec<(PersonId, String)>> {
    let mut rows: Vec<(Vec<u8>, String)> =
        each!(&mut *conn, c => sqlx::query_as(IDLE).bind(district.as_i64()).fetch_all(c).await?);
    // Apart: most have a duty in their own district, and few are looked for in all others.
    let ids: Vec<&[u8]> = rows.iter().map(|(id, _)| id.as_slice()).collect();
    let busy = busy(conn, &ids).await?;
    rows.retain(|(id, _)| !busy.contains(id));
    rows.into_iter().map(|(id, unit)| Ok((identity(&id)?, unit))).collect()
}

const BUSY: &str = "SELECT DISTINCT person FROM duty WHERE district IN (SELECT district FROM district) AND person IN (";

/// Those of these people who have a duty in any district.
async fn busy(conn: &mut Conn<'_>, ids: &[&[u8]]) -> Result<HashSet<Vec<u8>>> {
    let mut busy = HashSet::new();
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        let found: Vec<Vec<u8>> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new(BUSY);
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|id| { list.push_bind(id.to_vec()); });
            sql.push(")");
            sql.build_query_scalar().fetch_all(c).await?
        });
        busy.extend(found);
    }
    Ok(busy)
}

fn duty((area, kind, person): (i64, String, Vec<u8>)) -> Result<Duty> {
    Ok(Duty {
        person: identity(&person)?,
        kind: DutyKind::parse(&kind).ok_or_else(|| corrupt("a duty", &kind))?,
        area: area.to_string(),
    })
}

/// All duties of a district.
pub async fn duties(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Vec<Duty>> {
    const SQL: &str = "SELECT area, kind, person FROM duty WHERE district = $1 ORDER BY area, kind, person";
    let rows: Vec<_> = each!(conn, c => sqlx::query_as(SQL).bind(district.as_i64()).fetch_all(c).await?);
    rows.into_iter().map(duty).collect()
}

/// The duties of one person in a district.
pub async fn duties_of(conn: &mut Conn<'_>, district: DistrictCode, id: PersonId) -> Result<Vec<Duty>> {
    const SQL: &str = "SELECT area, kind, person FROM duty WHERE district = $1 AND person = $2 ORDER BY area, kind";
    let rows: Vec<_> = each!(conn, c => sqlx::query_as(SQL)
        .bind(district.as_i64()).bind(id.0.as_bytes().to_vec()).fetch_all(c).await?);
    rows.into_iter().map(duty).collect()
}

pub async fn put_duties(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    duties: &[(u64, DutyKind, PersonId)],
) -> Result<()> {
    Insert::into("duty", district.as_i64(), duties)
        .integer("area", |(area, ..)| area.cast_signed())
        .text("kind", |(_, kind, _)| kind.as_str())
        .bytes("person", |(.., person)| person.0.as_bytes())
        .on_conflict("DO NOTHING")
        .rows()
        .write(conn)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{DatabaseUrl, Store};

    #[tokio::test]
    async fn a_districts_people_are_found_without_a_look_at_all_others() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&DatabaseUrl::sqlite(&dir.path().join("guli.db")), None).await.unwrap();
        let mut reader = store.read().await.unwrap();
        let Conn::Sqlite(conn) = reader.conn() else { panic!("another database") };
        let of_district = format!("SELECT {COLUMNS} FROM person WHERE district = $1 ORDER BY id");
        let callable = format!("{}$1)", crate::store::organizations::CALLABLE);
        for sql in [IDLE.to_owned(), of_district, format!("{BUSY}$1)"), callable] {
            let plan = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let steps: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(plan).bind(370_203).fetch_all(&mut *conn).await.unwrap();
            let whole = |step: &str| ["SCAN person", "SCAN duty"].iter().any(|scan| step.starts_with(scan));
            let scans: Vec<_> = steps.iter().filter(|(.., step)| whole(step)).collect();
            assert!(scans.is_empty(), "{sql}: {scans:?}");
        }
    }
}
