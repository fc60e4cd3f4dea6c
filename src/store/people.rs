//! People and their duties. Names and phones are in [`super::personal`].

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Conn, ROWS_PER_STATEMENT, Result, corrupt, each};
use crate::domain::grid::{Duty, DutyKind};
use crate::domain::id::{DistrictCode, PersonId};

/// A person without a name: where the record came from and what they belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    pub source: String,
    pub external_id: String,
    pub organization: Option<String>,
}

/// The people a source has delivered.
pub async fn of_source(conn: &mut Conn<'_>, source: &str) -> Result<Vec<Person>> {
    const SQL: &str = "SELECT id, external_id, organization FROM person WHERE source = $1 ORDER BY external_id";
    let rows: Vec<(Vec<u8>, String, Option<String>)> =
        each!(conn, c => sqlx::query_as(SQL).bind(source).fetch_all(c).await?);
    rows.into_iter()
        .map(|(id, external_id, organization)| {
            let id = Uuid::from_slice(&id).map(PersonId).map_err(|e| corrupt("a person's id", e))?;
            Ok(Person { id, source: source.to_owned(), external_id, organization })
        })
        .collect()
}

pub async fn put(conn: &mut Conn<'_>, people: &[Person]) -> Result<()> {
    for chunk in people.chunks(ROWS_PER_STATEMENT) {
        each!(conn, c => {
            let mut sql = QueryBuilder::<Db>::new("INSERT INTO person (id, source, external_id, organization, version) ");
            sql.push_values(chunk, |mut row, person| {
                row.push_bind(person.id.0.as_bytes().to_vec())
                    .push_bind(person.source.as_str())
                    .push_bind(person.external_id.as_str())
                    .push_bind(person.organization.as_deref())
                    .push_bind(1_i64);
            });
            sql.push(" ON CONFLICT (source, external_id) DO UPDATE SET organization = excluded.organization, \
                      version = person.version + 1");
            sql.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// The versions of all people.
pub async fn versions(conn: &mut Conn<'_>) -> Result<Vec<(PersonId, i64)>> {
    const SQL: &str = "SELECT id, version FROM person";
    let rows: Vec<(Vec<u8>, i64)> = each!(conn, c => sqlx::query_as(SQL).fetch_all(c).await?);
    rows.into_iter()
        .map(|(id, version)| {
            let id = Uuid::from_slice(&id).map(PersonId).map_err(|e| corrupt("a person's id", e))?;
            Ok((id, version))
        })
        .collect()
}

/// Those without any duty in any district, with the organisation that they belong to or came from.
pub async fn idle(conn: &mut Conn<'_>) -> Result<Vec<(PersonId, String)>> {
    const SQL: &str = "SELECT id, COALESCE(organization, source) FROM person \
                       WHERE id NOT IN (SELECT person FROM duty) ORDER BY id";
    let rows: Vec<(Vec<u8>, String)> = each!(conn, c => sqlx::query_as(SQL).fetch_all(c).await?);
    rows.into_iter()
        .map(|(id, unit)| {
            let id = Uuid::from_slice(&id).map(PersonId).map_err(|e| corrupt("a person's id", e))?;
            Ok((id, unit))
        })
        .collect()
}

/// All duties of a district.
pub async fn duties(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Vec<Duty>> {
    const SQL: &str = "SELECT area, kind, person FROM duty WHERE district = $1 ORDER BY area, kind, person";
    let rows: Vec<(i64, String, Vec<u8>)> =
        each!(conn, c => sqlx::query_as(SQL).bind(district.as_i64()).fetch_all(c).await?);
    rows.into_iter()
        .map(|(area, kind, person)| {
            Ok(Duty {
                person: Uuid::from_slice(&person).map(PersonId).map_err(|e| corrupt("a person's id", e))?,
                kind: DutyKind::parse(&kind).ok_or_else(|| corrupt("a duty", &kind))?,
                area: area.to_string(),
            })
        })
        .collect()
}

pub async fn put_duties(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    duties: &[(u64, DutyKind, PersonId)],
) -> Result<()> {
    for chunk in duties.chunks(ROWS_PER_STATEMENT) {
        each!(conn, c => {
            let mut sql = QueryBuilder::<Db>::new("INSERT INTO duty (district, area, kind, person) ");
            sql.push_values(chunk, |mut row, (area, kind, person)| {
                row.push_bind(district.as_i64())
                    .push_bind(area.cast_signed())
                    .push_bind(kind.as_str())
                    .push_bind(person.0.as_bytes().to_vec());
            });
            sql.push(" ON CONFLICT DO NOTHING");
            sql.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}
