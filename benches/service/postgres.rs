//! The same reports on `PostgreSQL`, whose address `GULI_BENCH_POSTGRES` says: `postgres://user@host/postgres`, a user
//! who may create databases. Its `fsync` must be on.

use anyhow::{Context as _, Result, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::numbers::{rate, time};
use super::process::{Server, guli};
use super::reports::{requests, under_load};
use super::table::{Row, Target};
use super::world::{World, Worlds, block_on};
use super::{Plan, bare_sql};

/// Clients at once, and what bare SQL on `PostGIS` was recorded to reach.
const CLIENTS: [(usize, f64); 3] = [(1, 2_500.0), (8, 7_700.0), (32, 8_100.0)];

const DATABASE: &str = "guli_bench";

pub(crate) fn measure(plan: &Plan, worlds: &Worlds) -> Result<Vec<Row>> {
    let Ok(address) = std::env::var("GULI_BENCH_POSTGRES") else {
        return Ok(vec![Row::new("on PostgreSQL", "").note("not measured: GULI_BENCH_POSTGRES says no address")]);
    };
    let world = worlds.small()?;
    let mut rows = Vec::new();
    for (clients, peer) in CLIENTS {
        rows.extend(one(plan, world, &address, clients, peer)?);
    }
    Ok(rows)
}

fn one(plan: &Plan, world: &World, address: &str, clients: usize, peer: f64) -> Result<Vec<Row>> {
    let database = fresh(world, address)?;
    let requests = requests(&world.sample(usize::try_from(world.covers)?)?, "");
    let key_file = world.path().join("guli.key");
    let mut command = guli();
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", &database, "--key-file"]).arg(key_file);
    let server = Server::start(&mut command)?;
    server.ready()?;
    // Before and after: the machine's speed drifts.
    let first = bare_sql::rate(&database, clients, plan.length / 2)?;
    let (mut load, cpu, group) = under_load(&server, plan, clients, &requests)?;
    let last = bare_sql::rate(&database, clients, plan.length / 2)?;
    server.stop()?;
    let per_second = load.per_second();
    let target = if clients == 1 { Target::None } else { Target::AtLeast(1.0) };
    let row = Row::new(
        format!("PostgreSQL: report → order, {clients} clients"),
        format!("{}, {} CPU", rate(per_second), time(cpu)),
    );
    let row = match first.zip(last) {
        Some((first, last)) => {
            let bare = f64::midpoint(first, last);
            row.against(format!("SQL alone: {}", rate(bare)), per_second / bare, target)
        }
        None => row.note("no pgbench here: SQL alone was not measured"),
    };
    Ok(vec![
        row,
        Row::new("", "").against(format!("SQL alone: {}, recorded", rate(peer)), per_second / peer, target),
        Row::new(
            "  p50 / p99, commit group",
            format!("{} / {}, {group:.1}", time(load.quantile(500)), time(load.quantile(990))),
        ),
    ])
}

/// A database with the world in it, in the place of the one before.
pub(crate) fn fresh(world: &World, address: &str) -> Result<String> {
    let options: PgConnectOptions = address.parse()?;
    block_on(async {
        let mut server = options.clone().connect().await?;
        run_sql(&mut server, format!("DROP DATABASE IF EXISTS {DATABASE}")).await?;
        run_sql(&mut server, format!("CREATE DATABASE {DATABASE}")).await?;
        server.close().await?;
        anyhow::Ok(())
    })?;
    let (before, _) = address.rsplit_once('/').context("an address ends with the name of a database")?;
    let database = format!("{before}/{DATABASE}");
    let from = format!("sqlite://{}", world.database().display());
    let copied = guli().args(["copy", "--from", &from, "--to", &database]).output()?;
    ensure!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    block_on(async {
        let mut conn = database.parse::<PgConnectOptions>()?.connect().await?;
        run_sql(&mut conn, format!("{}; ANALYZE", bare_sql::TABLES)).await?;
        Ok(conn.close().await?)
    })?;
    Ok(database)
}

async fn run_sql(conn: &mut PgConnection, sql: String) -> Result<()> {
    conn.execute(AssertSqlSafe(sql)).await?;
    Ok(())
}
