//! Every change, gap-free per district: the feed, the audit and the outbox in one row.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, QueryBuilder};

use super::insert::{Insert, Rows};
use super::{Conn, ROWS_PER_STATEMENT, Result, dialect, each};
use crate::domain::id::DistrictCode;

/// A cover of another grid, because grids were redrawn around it.
pub const REGRIDDED: &str = "cover.regridded";

/// One change. `data` is JSON without personal data.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Event {
    pub seq: i64,
    pub at: i64,
    pub actor: String,
    /// `work_order.opened`, `import.applied`, …
    pub kind: String,
    /// The code of what changed.
    pub subject: String,
    pub version: i64,
    pub data: String,
    pub reason: Option<String>,
}

impl Event {
    pub fn at(&self) -> Timestamp {
        Timestamp::from_microsecond(self.at).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Of a cover that was removed: the code of the one that it was a second record of.
    pub fn merged_into(&self) -> Option<String> {
        let data: serde_json::Value = serde_json::from_str(&self.data).ok()?;
        data["merged_into"].as_str().map(ToOwned::to_owned)
    }

    /// Whether it is of an import of covers, or of its undoing.
    pub fn is_import_of_covers(&self) -> bool {
        let data = || serde_json::from_str::<serde_json::Value>(&self.data);
        self.kind.starts_with("import.") && data().is_ok_and(|data| data["kind"] == "covers")
    }
}

/// Appends the events of a group.
pub fn rows(district: DistrictCode, events: &[Event]) -> Rows<'_> {
    Insert::into("event", district.as_i64(), events)
        .integer("seq", |event| event.seq)
        .integer("at", |event| event.at)
        .text("actor", |event| &event.actor)
        .text("kind", |event| &event.kind)
        .text("subject", |event| &event.subject)
        .integer("version", |event| event.version)
        .text("data", |event| &event.data)
        .maybe_text("reason", |event| event.reason.as_deref())
        .rows()
}

/// The history of one thing, as far as it was written by an instant, oldest first, but only the newest of it.
pub async fn of(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    subject: &str,
    by: Option<Timestamp>,
    newest: i64,
) -> Result<Vec<Event>> {
    let sql = format!(
        "SELECT seq, at, actor, kind, subject, version, data, reason FROM event {} \
         WHERE district = $1 AND subject = $2 AND at <= $3 ORDER BY seq DESC LIMIT $4",
        dialect::by(conn, "INDEXED BY event_subject"),
    );
    let by = by.map_or(i64::MAX, Timestamp::as_microsecond);
    let mut events: Vec<Event> = each!(conn, c => sqlx::query_as(AssertSqlSafe(sql))
        .bind(district.as_i64()).bind(subject).bind(by).bind(newest).fetch_all(c).await?);
    events.reverse();
    Ok(events)
}

/// Events after `after`, in commit order.
pub async fn after(conn: &mut Conn<'_>, district: DistrictCode, after: i64, limit: i64) -> Result<Vec<Event>> {
    const SQL: &str = "SELECT seq, at, actor, kind, subject, version, data, reason FROM event \
                       WHERE district = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    Ok(each!(conn, c => sqlx::query_as(SQL).bind(district.as_i64()).bind(after).bind(limit).fetch_all(c).await?))
}

/// The events with these numbers.
pub async fn numbered(conn: &mut Conn<'_>, district: DistrictCode, numbers: &[i64]) -> Result<Vec<Event>> {
    let mut found = Vec::with_capacity(numbers.len());
    for chunk in numbers.chunks(ROWS_PER_STATEMENT) {
        let events: Vec<Event> = each!(conn, c => {
            let mut sql = QueryBuilder::<Db>::new(
                "SELECT seq, at, actor, kind, subject, version, data, reason FROM event WHERE district = ",
            );
            sql.push_bind(district.as_i64()).push(" AND seq IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|number| { list.push_bind(*number); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        });
        found.extend(events);
    }
    Ok(found)
}

/// The number of the last event on each of these, where there is one. That grids were redrawn around a cover changes nothing of
/// the cover itself.
pub async fn last_on(conn: &mut Conn<'_>, district: DistrictCode, subjects: &[&str]) -> Result<HashMap<String, i64>> {
    let mut last = HashMap::with_capacity(subjects.len());
    for chunk in subjects.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<(String, i64)> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new("SELECT subject, MAX(seq) FROM event WHERE district = ");
            sql.push_bind(district.as_i64()).push(" AND kind <> ").push_bind(REGRIDDED).push(" AND subject IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|subject| { list.push_bind(*subject); });
            sql.push(") GROUP BY subject");
            sql.build_query_as().fetch_all(c).await?
        });
        last.extend(rows);
    }
    Ok(last)
}

/// The last event at or before an instant; time order is the order of the numbers.
pub async fn last_before(conn: &mut Conn<'_>, district: DistrictCode, instant: Timestamp, head: i64) -> Result<i64> {
    const SQL: &str = "SELECT at FROM event WHERE district = $1 AND seq = $2";
    // The numbers have no gaps: halve what is left.
    let (mut before, mut after) = (0, head + 1);
    while after - before > 1 {
        let middle = i64::midpoint(before, after);
        let at: Option<i64> = each!(&mut *conn, c =>
            sqlx::query_scalar(SQL).bind(district.as_i64()).bind(middle).fetch_optional(c).await?);
        if at.is_some_and(|at| at > instant.as_microsecond()) {
            after = middle;
        } else {
            before = middle;
        }
    }
    Ok(before)
}

/// The last change of the registry among the events up to `seq`.
pub async fn last_of_registry(conn: &mut Conn<'_>, district: DistrictCode, seq: i64) -> Result<Option<i64>> {
    const SQL: &str = "SELECT seq FROM event WHERE district = $1 AND seq <= $2 AND kind NOT LIKE 'work_order.%' \
                       AND kind NOT LIKE 'quality.%' ORDER BY seq DESC LIMIT 1";
    Ok(each!(conn, c => sqlx::query_scalar(SQL).bind(district.as_i64()).bind(seq).fetch_optional(c).await?))
}
