//! Lists of orders.

use jiff::Timestamp;
use sqlx::{Encode, QueryBuilder, Type};

use super::{Row, StoredOrder, select, select_columns};
use crate::domain::actor::OrderFilter;
use crate::domain::id::{CoverId, DistrictCode, GridCode};
use crate::domain::order::Status;
use crate::domain::position::{Position, Wgs84};
use crate::store::{Conn, Result, at, corrupt, each};

/// In which order a list comes; ties by code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Code,
    Due,
    Updated,
}

/// What a list of orders is narrowed to. Empty lists narrow nothing.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub visible: OrderFilter,
    /// Only these, where they are known.
    pub numbers: Option<Vec<i64>>,
    pub statuses: Vec<Status>,
    pub assignees: Vec<String>,
    pub grids: Vec<GridCode>,
    pub covers: Vec<CoverId>,
    pub damages: Vec<String>,
    /// Only those due before this instant and not repaired by then.
    pub overdue_at: Option<Timestamp>,
    pub not_overdue_at: Option<Timestamp>,
    pub updated_after: Option<Timestamp>,
    pub opened_after: Option<Timestamp>,
    /// west, south, east, north in degrees: a superset of what `near` asks for.
    pub bounds: Option<[f64; 4]>,
    pub sort: Sort,
    /// Sort value and number of the last one already given.
    pub after: Option<(i64, i64)>,
    pub limit: i64,
}

/// An instant of the past, and the last change of a district's registry by then.
#[derive(Debug, Clone, Copy)]
pub struct Then {
    pub instant: Timestamp,
    pub change: i64,
}

/// Orders as wanted, without tasks; as they are, or as they were.
pub async fn list(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    then: Option<Then>,
    wanted: &Wanted,
) -> Result<Vec<StoredOrder>> {
    match then {
        _ if wanted.numbers.as_ref().is_some_and(Vec::is_empty) => Ok(Vec::new()),
        Some(then) if wanted.sort == Sort::Code && wanted.numbers.is_none() => {
            by_number(conn, district, then, wanted).await
        }
        _ => read(conn, district, then, wanted, None).await,
    }
}

/// Orders as they were, by number: those of one stretch of numbers after the other. Whatever lies between the states of then
/// is read too, and without an end that would be all states of the district for each page.
async fn by_number(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    then: Then,
    wanted: &Wanted,
) -> Result<Vec<StoredOrder>> {
    let (mut wanted, mut found, mut size) = (wanted.clone(), Vec::new(), wanted.limit);
    loop {
        let from = wanted.after.map_or(0, |(_, number)| number);
        let (count, to) = stretch(conn, district, then.instant, from, size).await?;
        let Some(to) = to else { break };
        let page = read(conn, district, Some(then), &wanted, Some(to)).await?;
        wanted.limit -= i64::try_from(page.len()).unwrap_or(wanted.limit);
        found.extend(page);
        if wanted.limit <= 0 || count < size {
            break;
        }
        wanted.after = Some((to, to));
        // Where the filters leave little, fewer statements find it.
        size *= 2;
    }
    Ok(found)
}

/// How many of the next orders had been opened by an instant, at most so many, and the number of the last of them.
async fn stretch(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    instant: Timestamp,
    from: i64,
    most: i64,
) -> Result<(i64, Option<i64>)> {
    const SQL: &str = "SELECT count(*), max(number) FROM (SELECT number FROM work_order \
        WHERE district = $1 AND number > $2 AND opened_at <= $3 ORDER BY number LIMIT $4) AS stretch";
    Ok(each!(conn, c => sqlx::query_as(SQL)
        .bind(district.as_i64()).bind(from).bind(instant.as_microsecond()).bind(most).fetch_one(c).await?))
}

/// A page, of orders up to this number.
async fn read(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    then: Option<Then>,
    wanted: &Wanted,
    to: Option<i64>,
) -> Result<Vec<StoredOrder>> {
    let rows: Vec<Row> = each!(conn, c => {
        let mut sql = select::<Db>(district, then.map(|then| then.instant));
        narrow(&mut sql, district, then, wanted);
        if let Some(to) = to {
            sql.push(" AND number <= ").push_bind(to);
        }
        let key = match wanted.sort {
            Sort::Code => None,
            Sort::Due => Some("due_at"),
            Sort::Updated => Some("updated_at"),
        };
        match (key, wanted.after) {
            (_, None) => {}
            // Alone it leads to the place in the table.
            (None, Some((_, number))) => drop(sql.push(" AND number > ").push_bind(number)),
            (Some(key), Some((value, number))) => {
                sql.push(" AND (").push(key).push(" > ").push_bind(value);
                sql.push(" OR (").push(key).push(" = ").push_bind(value);
                sql.push(" AND number > ").push_bind(number).push("))");
            }
        }
        sql.push(" ORDER BY ").push(key.map_or_else(String::new, |key| format!("{key}, "))).push("number");
        sql.push(" LIMIT ").push_bind(wanted.limit);
        sql.build_query_as().fetch_all(c).await?
    });
    rows.into_iter().map(|row| row.read(district)).collect()
}

/// Where all orders lie that are wanted, on whatever page, with their numbers.
pub async fn places(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    then: Option<Then>,
    wanted: &Wanted,
) -> Result<Vec<(i64, Position<Wgs84>)>> {
    let rows: Vec<(i64, f64, f64)> = each!(conn, c => {
        let mut sql = select_columns::<Db>("number, lon, lat", district, then.map(|then| then.instant));
        narrow(&mut sql, district, then, wanted);
        sql.build_query_as().fetch_all(c).await?
    });
    let place = |(number, lon, lat)| Ok((number, Position::new(lon, lat).map_err(|e| corrupt("a position", e))?));
    rows.into_iter().map(place).collect()
}

/// Adds the conditions.
fn narrow<Db: sqlx::Database>(sql: &mut QueryBuilder<Db>, district: DistrictCode, then: Option<Then>, wanted: &Wanted)
where
    for<'q> i64: Encode<'q, Db> + Type<Db>,
    for<'q> f64: Encode<'q, Db> + Type<Db>,
    for<'q> String: Encode<'q, Db> + Type<Db>,
    for<'q> Vec<u8>: Encode<'q, Db> + Type<Db>,
{
    if let OrderFilter::Of { grids, assignees, every_unit, owners } = &wanted.visible {
        sql.push(" AND (1 = 0");
        for (from, to) in grids {
            sql.push(" OR grid BETWEEN ").push_bind(from.cast_signed()).push(" AND ").push_bind(to.cast_signed());
        }
        if *every_unit {
            sql.push(" OR assignee LIKE '%-%'");
        }
        for unit in assignees {
            sql.push(" OR assignee = ").push_bind(unit.to_string());
        }
        let covers = at("cover", "district, id, owner", then.map(|then| then.change));
        for owner in owners {
            sql.push(" OR cover IN (SELECT id FROM ").push(&covers);
            sql.push(" WHERE district = ").push_bind(district.as_i64());
            sql.push(" AND owner = ").push_bind(owner.to_string()).push(")");
        }
        sql.push(")");
    }
    if let Some(numbers) = &wanted.numbers {
        one_of(sql, "number", numbers.iter().copied());
    }
    one_of(sql, "status", wanted.statuses.iter().map(|status| status.as_str().to_owned()));
    one_of(sql, "assignee", wanted.assignees.iter().cloned());
    one_of(sql, "damage", wanted.damages.iter().cloned());
    one_of(sql, "grid", wanted.grids.iter().map(|grid| grid.number().cast_signed()));
    one_of(sql, "cover", wanted.covers.iter().map(|cover| cover.0.as_bytes().to_vec()));
    for (condition, at) in [
        (" AND COALESCE(repaired_at, closed_at, $NOW) > due_at", wanted.overdue_at),
        (" AND COALESCE(repaired_at, closed_at, $NOW) <= due_at", wanted.not_overdue_at),
        (" AND updated_at > $NOW", wanted.updated_after),
        (" AND opened_at > $NOW", wanted.opened_after),
    ] {
        if let (Some(at), Some((head, tail))) = (at, condition.split_once("$NOW")) {
            sql.push(head).push_bind(at.as_microsecond()).push(tail);
        }
    }
    if let Some([west, south, east, north]) = wanted.bounds {
        sql.push(" AND lon BETWEEN ").push_bind(west).push(" AND ").push_bind(east);
        sql.push(" AND lat BETWEEN ").push_bind(south).push(" AND ").push_bind(north);
    }
}

/// Narrows to values of a column; without any, not at all.
fn one_of<Db: sqlx::Database, T>(sql: &mut QueryBuilder<Db>, column: &str, values: impl ExactSizeIterator<Item = T>)
where
    for<'q> T: Encode<'q, Db> + Type<Db>,
{
    if values.len() == 0 {
        return;
    }
    sql.push(" AND ").push(column).push(" IN (");
    let mut list = sql.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    sql.push(")");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::store::{DatabaseUrl, Store};

    /// Orders, one a millisecond, of which each has gone through four states within that time.
    const ORDERS: i64 = 2_000;

    async fn filled(store: &Store) {
        let mut writer = store.write().await.unwrap();
        let Conn::Sqlite(conn) = writer.conn() else { panic!("another database") };
        for (table, states, times, more) in [
            ("work_order", "3", "updated_at", ""),
            ("work_order_version", "0, 1, 2", "updated_at, superseded_at, tasks", ", at + 200, '[]'"),
        ] {
            let sql = format!(
                "WITH RECURSIVE one (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM one WHERE n < {ORDERS}), \
                 state AS (SELECT n, value AS v, 1000 * n + 200 * value AS at FROM one, json_each('[{states}]')) \
                 INSERT INTO {table} (district, number, version, status, grid, lon, lat, damage, assignee, target, promise_at, \
                 repair_by, due_at, opened_at, disputed, level, rework, report_count, registry_seq, {times}) \
                 SELECT 370203, 251124000000000 + n, v + 1, CASE v WHEN 3 THEN 'closed' ELSE 'accepted' END, 370203005001001, \
                 120.3, 36.1, 'missing', '370203-DRA01', 'R', 1, 1, 1000000 - n, 1000 * n, 0, 0, 0, 1, 1, at{more} FROM state"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *conn).await.unwrap();
        }
        writer.close().await.unwrap();
    }

    fn wanted(statuses: &[Status], limit: i64) -> Wanted {
        Wanted {
            visible: OrderFilter::All,
            numbers: None,
            statuses: statuses.to_vec(),
            assignees: Vec::new(),
            grids: Vec::new(),
            covers: Vec::new(),
            damages: Vec::new(),
            overdue_at: None,
            not_overdue_at: None,
            updated_after: None,
            opened_after: None,
            bounds: None,
            sort: Sort::Code,
            after: None,
            limit,
        }
    }

    /// Numbers and versions of all pages of so many.
    async fn walk(conn: &mut Conn<'_>, then: Option<Then>, mut wanted: Wanted) -> Vec<(i64, u32)> {
        let mut seen = Vec::new();
        loop {
            let page = list(conn, DistrictCode::from_number(370_203).unwrap(), then, &wanted).await.unwrap();
            seen.extend(page.iter().map(|stored| (stored.order.code.number(), stored.order.version)));
            if page.len() < usize::try_from(wanted.limit).unwrap() {
                break seen;
            }
            wanted.after = seen.last().map(|(number, _)| (*number, *number));
        }
    }

    #[tokio::test]
    async fn pages_by_number_read_hardly_more_than_one_of_all() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&DatabaseUrl::sqlite(&dir.path().join("guli.db")), None).await.unwrap();
        filled(&store).await;
        let mut reader = store.read().await.unwrap();
        let mut conn = reader.conn();
        let steps = Arc::new(AtomicU64::new(0));
        let Conn::Sqlite(file) = &mut conn else { panic!("another database") };
        let counted = Arc::clone(&steps);
        file.lock_handle().await.unwrap().set_progress_handler(10, move || {
            counted.fetch_add(1, Ordering::Relaxed);
            true
        });
        let then = |micros| Some(Then { instant: Timestamp::from_microsecond(micros).unwrap(), change: 1 });
        for (then, open, count) in [
            (None, false, ORDERS),
            // Each that was opened by then is in the one state or the other.
            (then(1_000_250), false, 1_000),
            (then(1_000_250), true, 1),
            (then(1_000 * ORDERS + 900), false, ORDERS),
            (then(999), false, 0),
        ] {
            let statuses = if open { &[Status::Accepted][..] } else { &[] };
            let mut cost = async |limit| {
                steps.store(0, Ordering::Relaxed);
                let seen = walk(&mut conn, then, wanted(statuses, limit)).await;
                (seen, steps.load(Ordering::Relaxed))
            };
            let (all, at_once) = cost(2 * ORDERS).await;
            let (paged, in_pages) = cost(50).await;
            assert!(
                all == paged && all.len() == usize::try_from(count).unwrap(),
                "{then:?}: {} {}",
                all.len(),
                paged.len()
            );
            assert!(in_pages < 2 * at_once + 1_000, "{then:?}: {in_pages} steps in pages, {at_once} at once");
        }
    }
}
