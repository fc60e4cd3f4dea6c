//! The statements that must differ, in pairs.

use sqlx::{AssertSqlSafe, FromRow as _, PgConnection, SqliteConnection};

use super::head::Head;
use super::{Conn, Result, each};
use crate::domain::id::DistrictCode;

/// `SQLite` takes its write lock at once; `PostgreSQL` locks the district's head row instead. Whatever a commit group told
/// the connection is not for other work.
pub(super) async fn begin(mut conn: Conn<'_>) -> Result<()> {
    const SQL: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL enable_seqscan = on; \
                       SET LOCAL plan_cache_mode = auto";
    match &mut conn {
        Conn::Sqlite(c) => sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut **c).await.map(drop)?,
        Conn::Postgres(c) => sqlx::raw_sql(SQL).execute(&mut **c).await.map(drop)?,
    }
    Ok(())
}

/// Which index to take (`INDEXED BY …`). `SQLite` is told: without statistics it takes a district for ten rows, and for what
/// comes in the order of the primary key it reads all of them. `PostgreSQL` counts.
pub(super) const fn by(conn: &Conn<'_>, index: &'static str) -> &'static str {
    match conn {
        Conn::Sqlite(_) => index,
        Conn::Postgres(_) => "",
    }
}

/// Begins a commit group on `SQLite` and reads the head, which nobody else can change: once to the connection's thread and
/// back.
pub(super) async fn begin_group_in_file(conn: &mut SqliteConnection, district: DistrictCode) -> Result<Option<Head>> {
    const SQL: &str = "BEGIN IMMEDIATE; \
                       SELECT seq, registry_seq, day, day_counter, last_time FROM district_head WHERE district = $1";
    Ok(sqlx::query_as(SQL).bind(district.as_i64()).fetch_optional(conn).await?)
}

/// Begins a commit group on `PostgreSQL` and locks the head, in one round trip. All of a group's statements go by a key:
/// without statistics, as after a day's first thousands of orders, the server would read whole tables for them, and keep to
/// that plan until it has some. The connection keeps to it after the commit, for a group of one statement.
pub(super) async fn begin_group(conn: &mut PgConnection, district: DistrictCode) -> Result<Option<Head>> {
    let sql = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; \
         SELECT seq, registry_seq, day, day_counter, last_time FROM district_head WHERE district = {district} FOR UPDATE"
    );
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(conn).await?;
    Ok(rows.first().map(Head::from_row).transpose()?)
}

/// A view that does not move while several statements read: `SQLite` has it in every transaction. Reading a district
/// of millions of covers may take longer than a statement otherwise may.
pub(super) async fn snapshot(mut conn: Conn<'_>) -> Result<()> {
    const SQL: &str =
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '10min'";
    match &mut conn {
        Conn::Sqlite(_) => {}
        Conn::Postgres(c) => sqlx::raw_sql(SQL).execute(&mut **c).await.map(drop)?,
    }
    Ok(())
}

/// Begins to read everything as it is at one instant, however long that takes.
pub(super) async fn begin_snapshot(mut conn: Conn<'_>) -> Result<()> {
    match &mut conn {
        // The file's readers see what was committed when they first read.
        Conn::Sqlite(c) => sqlx::raw_sql("BEGIN").execute(&mut **c).await.map(drop)?,
        Conn::Postgres(c) => {
            const SQL: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; \
                               SET LOCAL idle_in_transaction_session_timeout = 0";
            sqlx::raw_sql(SQL).execute(&mut **c).await.map(drop)?;
        }
    }
    Ok(())
}

pub(super) async fn commit(mut conn: Conn<'_>) -> Result<()> {
    each!(&mut conn, c => sqlx::raw_sql("COMMIT").execute(c).await.map(drop)?);
    Ok(())
}

pub(super) async fn rollback(mut conn: Conn<'_>) -> Result<()> {
    each!(&mut conn, c => sqlx::raw_sql("ROLLBACK").execute(c).await.map(drop)?);
    Ok(())
}

/// `SQLite` folds its log into the database; `PostgreSQL` does so by itself.
pub(super) async fn checkpoint(mut conn: Conn<'_>) -> Result<()> {
    match &mut conn {
        Conn::Sqlite(c) => {
            // A reader that is just ending keeps the log from being folded back, which is said and is no error.
            for _ in 0..40 {
                let (busy, _, _): (i64, i64, i64) =
                    sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut **c).await?;
                if busy == 0 {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        Conn::Postgres(_) => {}
    }
    Ok(())
}

/// Name and version of the program that holds the data.
pub(super) async fn engine(conn: &mut Conn<'_>) -> Result<String> {
    let (name, sql) = match conn {
        Conn::Sqlite(_) => ("SQLite", "SELECT sqlite_version()"),
        Conn::Postgres(_) => ("PostgreSQL", "SELECT current_setting('server_version')"),
    };
    let version: String = each!(conn, c => sqlx::query_scalar(sql).fetch_one(c).await?);
    Ok(format!("{name} {version}"))
}

/// Reads the head and, on `PostgreSQL`, keeps others from it until the commit.
pub(super) const fn lock_head(conn: &Conn<'_>) -> &'static str {
    match conn {
        Conn::Sqlite(_) => {
            "SELECT seq, registry_seq, day, day_counter, last_time FROM district_head WHERE district = $1"
        }
        Conn::Postgres(_) => {
            "SELECT seq, registry_seq, day, day_counter, last_time FROM district_head WHERE district = $1 FOR UPDATE"
        }
    }
}

/// Keeps a row from being deleted until the commit; of a file nobody else writes.
pub(super) const fn hold(conn: &Conn<'_>) -> &'static str {
    match conn {
        Conn::Sqlite(_) => "",
        Conn::Postgres(_) => " FOR KEY SHARE",
    }
}

/// Keeps others from holding a row until the commit.
pub(super) const fn hold_alone(conn: &Conn<'_>) -> &'static str {
    match conn {
        Conn::Sqlite(_) => "",
        Conn::Postgres(_) => " FOR UPDATE",
    }
}
