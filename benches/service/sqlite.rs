//! The rows of a load written once more by `SQLite` alone: no HTTP, no decisions, nothing to bind.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use guli::domain::id::DistrictCode;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::world::{World, block_on, district, open};

/// The tables that a report writes, and what numbers their rows in the order of the reports.
const TABLES: [(&str, &str); 6] = [
    ("work_order", "number"),
    ("task", "work_order"),
    ("report", "number"),
    ("event", "seq"),
    ("personal_data", "CAST(substr(subject, 8) AS INTEGER)"),
    ("idempotency", "(SELECT number FROM written.report LIMIT 1) + row_number() OVER (ORDER BY expires) - 1"),
];

/// How many rows there were.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    pub(crate) reports: usize,
    pub(crate) orders: usize,
}

/// What came of it.
pub(crate) struct Raw {
    pub(crate) per_second: f64,
    /// Mean number of reports in a transaction.
    pub(crate) group: f64,
    pub(crate) rows: Rows,
}

/// Writes what `written` has more than `world` into a copy of `world`, so many reports in a transaction.
pub(crate) fn again(world: &World, written: &Path, group: f64) -> Result<Raw> {
    let dir = world.copy()?;
    block_on(async {
        let mut conn = open(&dir.path().join("guli.db"), false).await?;
        let (rows, first) = stage(&mut conn, written).await?;
        let start = Instant::now();
        let (mut done, mut groups) = (0.0, 0);
        while done < rows.reports as f64 {
            let until = (done + group).round().min(rows.reports as f64);
            write(&mut conn, first.after(done), first.after(until)).await?;
            (done, groups) = (if until >= rows.reports as f64 { until } else { done + group }, groups + 1);
        }
        let took = start.elapsed().as_secs_f64();
        conn.close().await?;
        let reports = rows.reports as f64;
        Ok(Raw { per_second: reports / took, group: reports / f64::from(groups), rows })
    })
}

/// The numbers that the first report and its event had.
#[derive(Debug, Clone, Copy)]
struct First {
    number: i64,
    seq: i64,
}

impl First {
    /// The numbers of the report that comes after so many.
    fn after(self, reports: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number of reports")]
        let more = reports.round() as i64;
        Self { number: self.number + more, seq: self.seq + more }
    }
}

/// Copies what was written into memory.
async fn stage(conn: &mut SqliteConnection, written: &Path) -> Result<(Rows, First)> {
    conn.execute("PRAGMA temp_store = MEMORY").await?;
    sqlx::query("ATTACH $1 AS written").bind(written.to_str().context("a path in UTF-8")?).execute(&mut *conn).await?;
    let code = DistrictCode::as_i64(district());
    let seq: i64 = sqlx::query_scalar("SELECT seq FROM main.district_head WHERE district = $1")
        .bind(code)
        .fetch_one(&mut *conn)
        .await?;
    for (table, key) in TABLES {
        let new = match table {
            "event" => format!("seq > {seq}"),
            "personal_data" => "purpose = 'reporter'".to_owned(),
            _ => "TRUE".to_owned(),
        };
        // `SELECT *` of the staged rows must give the table's columns alone: the key is kept apart.
        let staged = format!(
            "CREATE TEMP TABLE new_{table} AS SELECT * FROM written.{table} WHERE {new} ORDER BY {key};
             CREATE TEMP TABLE key_{table} AS SELECT {key} AS k FROM written.{table} WHERE {new} ORDER BY {key};
             CREATE INDEX temp.by_{table} ON key_{table} (k)"
        );
        sqlx::raw_sql(AssertSqlSafe(staged)).execute(&mut *conn).await?;
    }
    conn.execute("DETACH written").await?;
    let (reports, number): (i64, i64) =
        sqlx::query_as("SELECT count(*), coalesce(min(number), 0) FROM new_report").fetch_one(&mut *conn).await?;
    let orders: i64 = sqlx::query_scalar("SELECT count(*) FROM new_work_order").fetch_one(&mut *conn).await?;
    let rows = Rows { reports: usize::try_from(reports)?, orders: usize::try_from(orders)? };
    Ok((rows, First { number, seq: seq + 1 }))
}

/// One transaction with the rows of the reports from `from` to before `to`.
async fn write(conn: &mut SqliteConnection, from: First, to: First) -> Result<()> {
    conn.execute("BEGIN IMMEDIATE").await?;
    for (table, _) in TABLES {
        let sql = format!(
            "INSERT INTO main.{table} SELECT * FROM temp.new_{table} WHERE rowid IN \
             (SELECT rowid FROM temp.key_{table} WHERE k >= $1 AND k < $2)"
        );
        let (from, to) = if table == "event" { (from.seq, to.seq) } else { (from.number, to.number) };
        sqlx::query(AssertSqlSafe(sql)).bind(from).bind(to).execute(&mut *conn).await?;
    }
    sqlx::query("UPDATE district_head SET seq = $1, day_counter = $2, last_time = last_time + 1")
        .bind(to.seq - 1)
        .bind(to.number)
        .execute(&mut *conn)
        .await?;
    conn.execute("COMMIT").await?;
    Ok(())
}
