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

/// Keeps what records said until the event `seq`.
pub fn superseded(district: DistrictCode, kind: Kind, seq: i64, records: &[Delivered]) -> Rows<'_> {
    Insert::into("delivered_version", district.as_i64(), records)
        .text("kind", move |_| kind.as_str())
        .text("record", |delivered| &delivered.record)
        .maybe_integer("stands", |delivered| delivered.stands)
        .maybe_text("kept", |delivered| delivered.kept.as_deref())
        .integer("seq_to", move |_| seq)
        .rows()
}

/// What records said until the event `seq` is what they said last again; where something else was said since, it is what
/// they said until then. Gives the records.
pub async fn restore(conn: &mut Conn<'_>, district: DistrictCode, kind: Kind, seq: i64) -> Result<Vec<String>> {
    const RECORDS: &str = "SELECT record FROM delivered_version WHERE district = $1 AND kind = $2 AND seq_to = $3";
    const SAME: &str = "district = before.district AND later.kind = before.kind AND later.record = before.record";
    let of_event = "before.district = $1 AND before.kind = $2 AND before.seq_to = $3";
    let next = format!("(SELECT min(seq_to) FROM delivered_version AS later WHERE later.{SAME} AND later.seq_to > $3)");
    let to_next = format!(
        "UPDATE delivered_version AS later SET stands = before.stands, kept = before.kept \
         FROM delivered_version AS before WHERE {of_event} AND later.{SAME} AND later.seq_to = {next}"
    );
    let to_last = format!(
        "UPDATE delivered AS later SET stands = before.stands, kept = before.kept \
         FROM delivered_version AS before WHERE {of_event} AND later.{SAME} AND {next} IS NULL"
    );
    let gone = "DELETE FROM delivered_version WHERE district = $1 AND kind = $2 AND seq_to = $3".to_owned();
    let records = each!(&mut *conn, c => sqlx::query_scalar(RECORDS)
        .bind(district.as_i64()).bind(kind.as_str()).bind(seq).fetch_all(c).await?);
    for sql in [to_next, to_last, gone] {
        each!(&mut *conn, c => sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(district.as_i64()).bind(kind.as_str()).bind(seq).execute(c).await.map(drop)?);
    }
    Ok(records)
}

/// Forgets what records said: delivered again, they are taken as they are.
pub async fn forget(conn: &mut Conn<'_>, district: DistrictCode, kind: Kind, records: &[String]) -> Result<()> {
    forget_in(conn, "delivered", district, kind, records).await?;
    forget_past(conn, district, kind, records).await
}

/// Forgets what records said before they said what they said last.
pub async fn forget_past(conn: &mut Conn<'_>, district: DistrictCode, kind: Kind, records: &[String]) -> Result<()> {
    forget_in(conn, "delivered_version", district, kind, records).await
}

async fn forget_in(
    conn: &mut Conn<'_>,
    table: &'static str,
    district: DistrictCode,
    kind: Kind,
    records: &[String],
) -> Result<()> {
    for chunk in records.chunks(ROWS_PER_STATEMENT) {
        each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new(format!("DELETE FROM {table} WHERE district = "));
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
