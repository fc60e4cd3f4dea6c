//! Citus: which tables are spread over machines by their district, and which are the same on all of them.
//!
//! The schema is made for it: `district` is in every key of every table but the global ones. What is left to do is
//! to say so, once.

use sqlx::{PgConnection, PgPool};

use super::Result;
use super::tables::{GLOBAL, LEFT_OUT, TABLES};

/// Spread though no copy takes it along.
const STAGE: &str = "cover_stage";

/// A table and the statement that hands it to Citus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handing {
    pub table: &'static str,
    pub sql: String,
}

/// The statements, in the order in which they can be run.
pub fn statements() -> Vec<Handing> {
    let global = GLOBAL.iter().map(|table| Handing { table, sql: format!("SELECT create_reference_table('{table}')") });
    // All districts' rows of all tables lie together: each transaction and each join stays on one machine.
    let first = "district_head";
    let head = Handing { table: first, sql: format!("SELECT create_distributed_table('{first}', 'district')") };
    let others = TABLES.iter().map(|table| table.name).chain([STAGE]);
    let others = others.filter(|table| *table != first && !GLOBAL.contains(table)).map(|table| Handing {
        table,
        sql: format!("SELECT create_distributed_table('{table}', 'district', colocate_with => '{first}')"),
    });
    debug_assert!(LEFT_OUT.contains(&STAGE));
    global.chain([head]).chain(others).collect()
}

/// Hands every table to Citus that it does not have yet; those that it got.
pub(super) async fn distribute(pool: &PgPool) -> Result<Vec<&'static str>> {
    let mut conn = pool.acquire().await?;
    sqlx::raw_sql("SET statement_timeout = 0; CREATE EXTENSION IF NOT EXISTS citus").execute(&mut *conn).await?;
    let mut handed = Vec::new();
    for Handing { table, sql } in statements() {
        if !is_known(&mut conn, table).await? {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *conn).await?;
            handed.push(table);
        }
    }
    Ok(handed)
}

/// Whether the tables may be spread over machines.
pub(super) async fn is_there(conn: &mut PgConnection) -> Result<bool> {
    const SQL: &str = "SELECT count(*) FROM pg_extension WHERE extname = 'citus'";
    let found: i64 = sqlx::query_scalar(SQL).fetch_one(conn).await?;
    Ok(found > 0)
}

async fn is_known(conn: &mut PgConnection, table: &str) -> Result<bool> {
    const SQL: &str = "SELECT count(*) FROM pg_dist_partition WHERE logicalrel = to_regclass($1)";
    let known: i64 = sqlx::query_scalar(SQL).bind(table).fetch_one(conn).await?;
    Ok(known > 0)
}
