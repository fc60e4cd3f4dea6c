//! What records said last, told by what the registry held since: an event, and the columns in which the two differ.
//!
//! Of a cover it stands beside where the record came from (`cover_source`); of areas, organisations and people here.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::QueryBuilder;

use super::insert::{Insert, Rows};
use super::{Conn, ROWS_PER_STATEMENT, Result, corrupt, each};
use crate::domain::id::DistrictCode;

/// What a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Area,
    Organization,
    Person,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Area => "area",
            Self::Organization => "organization",
            Self::Person => "person",
        }
    }
}

/// What a record said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The record's code; of people `source/external id`.
    pub record: String,
    /// The event that the state is from which says the same; `None` of people, whose names have no past.
    pub stands: Option<i64>,
    /// The columns that it says otherwise, as [`text`] writes them.
    pub kept: Option<String>,
}

/// Columns as they are kept; `None` where there are none.
pub fn text<'c>(columns: impl IntoIterator<Item = (&'c str, Option<String>)>) -> Option<String> {
    let columns: serde_json::Map<String, Value> =
        columns.into_iter().map(|(column, value)| (column.to_owned(), value.into())).collect();
    (!columns.is_empty()).then(|| Value::Object(columns).to_string())
}

/// Columns that were kept.
pub fn columns(kept: Option<&str>) -> Result<Vec<(String, Option<String>)>> {
    let Some(kept) = kept else { return Ok(Vec::new()) };
    let columns: HashMap<String, Option<String>> =
        serde_json::from_str(kept).map_err(|e| corrupt("what a record said", e))?;
    Ok(columns.into_iter().collect())
}

/// What the records of a kind said last, by record.
pub async fn of(conn: &mut Conn<'_>, district: DistrictCode, kind: Kind) -> Result<HashMap<String, Delivered>> {
    const SQL: &str = "SELECT record, stands, kept FROM delivered WHERE district = $1 AND kind = $2";
    let rows: Vec<(String, Option<i64>, Option<String>)> = each!(conn, c => sqlx::query_as(SQL)
        .bind(district.as_i64()).bind(kind.as_str()).fetch_all(c).await?);
    let delivered = rows.into_iter().map(|(record, stands, kept)| (record.clone(), Delivered { record, stands, kept }));
    Ok(delivered.collect())
}

/// Remembers what records said.
pub fn rows(district: DistrictCode, kind: Kind, records: &[Delivered]) -> Rows<'_> {
    Insert::into("delivered", district.as_i64(), records)
        .text("kind", move |_| kind.as_str())
        .text("record", |delivered| &delivered.record)
        .maybe_integer("stands", |delivered| delivered.stands)
        .maybe_text("kept", |delivered| delivered.kept.as_deref())
        .on_conflict("(district, kind, record) DO UPDATE SET stands = excluded.stands, kept = excluded.kept")
        .rows()
}

/// Forgets what records said: delivered again, they are taken as they are.
pub async fn forget(conn: &mut Conn<'_>, district: DistrictCode, kind: Kind, records: &[String]) -> Result<()> {
    for chunk in records.chunks(ROWS_PER_STATEMENT) {
        each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new("DELETE FROM delivered WHERE district = ");
            sql.push_bind(district.as_i64()).push(" AND kind = ").push_bind(kind.as_str()).push(" AND record IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|record| { list.push_bind(record.as_str()); });
            sql.push(")");
            sql.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// What these records said is told from how they stand since an event.
pub async fn stand(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    kind: Kind,
    seq: i64,
    records: &[String],
) -> Result<()> {
    for chunk in records.chunks(ROWS_PER_STATEMENT) {
        each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new("UPDATE delivered SET stands = ");
            sql.push_bind(seq).push(" WHERE stands IS NOT NULL AND district = ").push_bind(district.as_i64());
            sql.push(" AND kind = ").push_bind(kind.as_str()).push(" AND record IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|record| { list.push_bind(record.as_str()); });
            sql.push(")");
            sql.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// What a record said last.
pub async fn one(conn: &mut Conn<'_>, district: DistrictCode, kind: Kind, record: &str) -> Result<Option<Delivered>> {
    const SQL: &str = "SELECT stands, kept FROM delivered WHERE district = $1 AND kind = $2 AND record = $3";
    let row: Option<(Option<i64>, Option<String>)> = each!(conn, c => sqlx::query_as(SQL)
        .bind(district.as_i64()).bind(kind.as_str()).bind(record).fetch_optional(c).await?);
    Ok(row.map(|(stands, kept)| Delivered { record: record.to_owned(), stands, kept }))
}
