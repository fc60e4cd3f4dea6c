//! `PostgreSQL` as those who run it meet it: what is said of a database that does not serve, what GIS programs open,
//! and what lets it be spread over machines.

use std::process::Command;
use std::time::Duration;

use guli::store::citus;
use guli::store::tables::{GLOBAL, LEFT_OUT, TABLES};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use crate::support::Home;
use crate::support::client::fresh_key;
use crate::support::postgres::PostgresServer;
use crate::support::server::Server;

/// A server on this database, once it is ready.
async fn serve<'h>(home: &'h Home, database: &str) -> Server<'h> {
    let place = ["serve", "--listen", "127.0.0.1:0", "--key-file", "guli.key", "--database", database];
    let server = home.start(home.command(&place));
    server.is_ready().await;
    server
}

async fn run(connection: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

#[tokio::test]
async fn a_database_that_does_not_serve_says_why() {
    let Some(postgres) = PostgresServer::start() else { return };
    let home = Home::empty();
    let mut owner = postgres.look().await;
    run(&mut owner, "CREATE ROLE nobody LOGIN").await;
    run(&mut owner, "CREATE DATABASE closed").await;
    run(&mut owner, "CREATE DATABASE future").await;
    let migrate = |database: &str| home.guli(&["migrate", "--key-file", "guli.key", "--database", database]);
    let future = postgres.address_of("guli", "future");
    let done = migrate(&future).ok().out();
    assert!(done.contains("0005") && done.contains("PostgreSQL"), "{done}");
    let mut there = PgConnection::connect(&future).await.unwrap();
    run(
        &mut there,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'x', true, '', 0)",
    )
    .await;
    for (database, said) in [
        (postgres.address_of("guli", "nowhere"), "createdb nowhere"),
        (postgres.address_of("stranger", "postgres"), "stranger"),
        (postgres.address_of("nobody", "closed"), "GRANT CREATE, USAGE ON SCHEMA public TO nobody"),
        (future, "newer guli"),
        ("postgres://guli@host:port/guli".to_owned(), "wrong database address"),
    ] {
        let refused = migrate(&database).refused();
        assert!(refused.err().contains(said), "{database}: {}", refused.err());
    }
    let on_a_file = home.guli(&["migrate", "--citus"]).refused();
    assert!(on_a_file.err().contains("Citus spreads PostgreSQL"), "{}", on_a_file.err());
    let printed = home.guli(&["migrate", "--print"]).ok().out();
    assert!(printed.contains("create_distributed_table('cover', 'district'"), "{printed}");
}

/// `district` is in every primary, unique and foreign key of what is spread.
#[tokio::test]
async fn every_key_holds_the_district() {
    const KEYS: &str = "SELECT index.indrelid::regclass::text, index.indexrelid::regclass::text, \
        bool_or(attribute.attname = 'district') FROM pg_index AS index \
        JOIN pg_class AS class ON class.oid = index.indrelid AND class.relnamespace = 'public'::regnamespace \
        JOIN pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = ANY (index.indkey) \
        WHERE index.indisunique GROUP BY 1, 2";
    const REFERENCES: &str = "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint \
        WHERE contype = 'f' AND connamespace = 'public'::regnamespace";
    let Some(postgres) = PostgresServer::start() else { return };
    let home = Home::empty();
    home.guli(&["migrate", "--key-file", "guli.key", "--database", &postgres.address()]).ok();
    let mut database = postgres.look().await;
    let keys: Vec<(String, String, bool)> = sqlx::query_as(KEYS).fetch_all(&mut database).await.unwrap();
    let spread = |table: &str| {
        table == "cover_stage" || TABLES.iter().any(|listed| listed.name == table) && !GLOBAL.contains(&table)
    };
    assert!(keys.len() >= TABLES.len());
    for (table, key, holds) in keys {
        assert!(holds || !spread(&table), "{key} of {table} has no district");
    }
    let references: Vec<(String, String)> = sqlx::query_as(REFERENCES).fetch_all(&mut database).await.unwrap();
    for (from, to) in references {
        assert!(spread(&from) && GLOBAL.contains(&&*to), "{from} refers to {to}");
    }
    // Every table is handed over, each once.
    let mut handed: Vec<&str> = citus::statements().iter().map(|handing| handing.table).collect();
    let mut tables: Vec<&str> = TABLES.iter().map(|table| table.name).chain(["cover_stage"]).collect();
    handed.sort_unstable();
    tables.sort_unstable();
    assert_eq!(handed, tables);
    assert!(GLOBAL.iter().all(|table| !LEFT_OUT.contains(table)));
}

/// A server that counted a table while it was empty still looks rows up by their keys: what it plans then is kept until it
/// counts again, and a day's first thousands of reports come before that.
#[tokio::test]
async fn of_an_empty_table_too_rows_are_found_by_their_keys() {
    let Some(postgres) = PostgresServer::start() else { return };
    let home = Home::empty();
    home.guli(&["migrate", "--key-file", "guli.key", "--database", &postgres.address()]).ok();
    let mut database = postgres.look().await;
    run(&mut database, "VACUUM ANALYZE").await;
    run(&mut database, "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan").await;
    for (query, key) in [
        (
            "SELECT 1 FROM idempotency WHERE district = $1 AND client = 'a' AND route = 'b' AND key_hash = '\\x00'",
            "idempotency_pkey",
        ),
        (
            "SELECT 1 FROM work_order WHERE district = $1 AND cover = '\\x00' AND status NOT IN ('closed', 'cancelled')",
            "work_order_open",
        ),
        ("SELECT 1 FROM task WHERE district = $1 AND work_order = 1", "task_pkey"),
        (
            "SELECT 1 FROM event WHERE district = $1 AND subject = 'a' AND at <= 5 ORDER BY seq DESC LIMIT 200",
            "event_subject",
        ),
        (
            "SELECT 1 FROM work_order_version WHERE district = $1 AND number = 1 AND updated_at <= 5 AND superseded_at > 5",
            "work_order_version_pkey",
        ),
    ] {
        let prepare = format!("PREPARE asked (bigint) AS {query}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(prepare)).execute(&mut database).await.unwrap();
        let plan: Vec<(String,)> =
            sqlx::query_as("EXPLAIN EXECUTE asked (370203)").fetch_all(&mut database).await.unwrap();
        run(&mut database, "DEALLOCATE asked").await;
        assert!(plan.iter().any(|(line,)| line.contains(key)), "{query}: {plan:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gis_programs_open_the_views() {
    let Some(postgres) = PostgresServer::with_district() else { return };
    let mut database = postgres.look().await;
    let available: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'")
        .fetch_one(&mut database)
        .await
        .unwrap();
    if available == 0 {
        assert!(std::env::var_os("GULI_TEST_REQUIRE_POSTGRES").is_none(), "PostGIS is not installed");
        eprintln!("skipped: the server has no PostGIS");
        return;
    }
    let home = Home::with_district();
    let server = serve(&home, &postgres.address()).await;
    let report = json!({ "cover": "3702030101001370", "damage": "broken" });
    let reported = server.anyone().post("/v1/reports", &[("Idempotency-Key", &fresh_key())], &report).await.expect(201);
    let layers = "SELECT (SELECT count(*) FROM gis.covers), (SELECT count(*) FROM gis.grids), \
                  (SELECT count(*) FROM gis.communities), (SELECT count(*) FROM gis.subdistricts)";
    let counts: (i64, i64, i64, i64) = sqlx::query_as(layers).fetch_one(&mut database).await.unwrap();
    let shown = server.anyone().get("/readyz").await.expect(200);
    assert!(counts.0 > 16_000 && counts.0 <= shown["covers"].as_i64().unwrap(), "{counts:?}");
    assert_eq!((counts.1, counts.2, counts.3), (940, 137, 22));
    let order: (String, String, f64) =
        sqlx::query_as("SELECT code, cover, ST_X(geom) FROM gis.work_orders").fetch_one(&mut database).await.unwrap();
    assert_eq!(order.0, reported["work_order"]["code"].as_str().unwrap());
    assert_eq!(order.1, "3702030101001370");
    // Nothing is written through them.
    let written = sqlx::raw_sql("UPDATE gis.grids SET name = 'x'").execute(&mut database).await;
    assert!(written.unwrap_err().to_string().contains("cannot update view"));
    let url = postgres.address();
    let Ok(seen) =
        Command::new("ogrinfo").args(["-so", &url.replace("postgres://", "PG:postgresql://"), "gis.grids"]).output()
    else {
        return;
    };
    let said = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert!(said.contains("Feature Count: 940") && said.contains("Multi Polygon"), "{said}");
}

/// What an import staged that was killed is forgotten, but not while somebody may still be importing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_import_staged_is_swept() {
    const STAGED: &str =
        "SELECT (SELECT count(*) FROM cover_stage), (SELECT count(*) FROM import WHERE state = 'staging')";
    let Some(postgres) = PostgresServer::with_district() else { return };
    let home = Home::with_district();
    let address = postgres.address();
    let mut database = postgres.look().await;
    let killed = async |database: &mut PgConnection| {
        run(
            database,
            "INSERT INTO import (district, id, profile, file, kind, actor, state, started_at, counts) \
             VALUES (370203, uuid_send(gen_random_uuid()), 'water', 'water.csv', 'covers', 'operator', 'staging', 1, '{}')",
        )
        .await;
        run(
            database,
            "INSERT INTO cover_stage (district, import, row_number, source, external_id, digest, original_x, original_y, \
             original_crs, code, id, lon, lat, accuracy, status) SELECT district, id, 1, '370203-WAT01', 'x', '\\x00', 0, \
             0, 'EPSG:4326', 1, '\\x00', 120, 36, 'A', 'in_service' FROM import WHERE state = 'staging'",
        )
        .await;
    };
    let staged =
        async |database: &mut PgConnection| -> (i64, i64) { sqlx::query_as(STAGED).fetch_one(database).await.unwrap() };
    killed(&mut database).await;
    // Somebody is importing.
    let mut importing = postgres.look().await;
    run(&mut importing, "BEGIN; SELECT pg_advisory_xact_lock(1735748713)").await;
    drop(serve(&home, &address).await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(staged(&mut database).await, (1, 1));
    run(&mut importing, "ROLLBACK").await;
    // A server sweeps when it starts, and whoever imports next.
    let server = serve(&home, &address).await;
    for _ in 0..100 {
        if staged(&mut database).await == (0, 0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(staged(&mut database).await, (0, 0));
    killed(&mut database).await;
    let file = home.write("one.csv", "external_id,category,owner,lon,lat\nX-1,0127,370203-WAT01,120.3415,36.1156\n");
    let import = ["import", file.to_str().unwrap(), "--kind", "covers", "--source", "370203-WAT01"];
    home.guli(&[&import[..], &["--key-file", "guli.key", "--database", &address]].concat()).ok();
    assert_eq!(staged(&mut database).await, (0, 0));
    drop(server);
}

/// A lock that nobody gives back, and no connection left: refused in time, and nothing is lost or done twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_keeps_everybody_waiting_is_given_up() {
    let Some(postgres) = PostgresServer::with_district() else { return };
    let home = Home::with_district();
    let server = serve(&home, &postgres.address()).await;
    let (key, report) = (fresh_key(), json!({ "cover": "3702030101001370", "damage": "broken" }));
    let send = async || server.anyone().post("/v1/reports", &[("Idempotency-Key", &key)], &report).await;
    let mut other = postgres.look().await;
    run(&mut other, "BEGIN; SELECT * FROM district_head FOR UPDATE").await;
    let refused = send().await;
    refused.problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some());
    run(&mut other, "ROLLBACK").await;
    let first = send().await.expect(201);

    // Every connection that the server allows is taken by others, and its own are cut.
    run(&mut other, "ALTER SYSTEM SET superuser_reserved_connections = 0").await;
    let mut others = Vec::new();
    loop {
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'guli'")
            .execute(&mut other)
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        match PgConnection::connect(&postgres.address()).await {
            Ok(taken) => others.push(taken),
            Err(_) => break,
        }
    }
    let (second, elsewhere) = (fresh_key(), json!({ "cover": "3702030101001370", "damage": "missing" }));
    let send_second = async || server.anyone().post("/v1/reports", &[("Idempotency-Key", &second)], &elsewhere).await;
    send_second().await.problem(503, "unavailable");
    server.anyone().get("/v1/resolve?lon=120.33641&lat=36.11537").await.expect(200);
    drop(others);
    server.is_ready().await;
    assert_eq!(send().await.expect(201), first);
    let joined = send_second().await.expect(201);
    assert_eq!(joined["work_order"]["code"], first["work_order"]["code"]);
    let reports: i64 = sqlx::query_scalar("SELECT count(*) FROM report").fetch_one(&mut other).await.unwrap();
    assert_eq!(reports, 2);
}

#[tokio::test]
async fn the_wire_to_the_database_may_be_sealed() {
    const SEALED: &str = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND \
                          application_name = 'guli'";
    let Some(postgres) = PostgresServer::start() else { return };
    if !postgres.offer_tls().await {
        eprintln!("skipped: no openssl to make a certificate with");
        return;
    }
    let home = Home::empty();
    let address = format!("postgres://guli@127.0.0.1:{}/postgres?sslmode=require", postgres.port());
    let _server = serve(&home, &address).await;
    let sealed: i64 = sqlx::query_scalar(SEALED).fetch_one(&mut postgres.look().await).await.unwrap();
    assert!(sealed > 0);
}
