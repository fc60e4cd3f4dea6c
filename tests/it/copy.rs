//! A database copied into another: nothing is lost, nothing half is served, and what differs is found.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use guli::store::copy::{Databases, Event, Target};
use guli::store::tables::{Kind, LEFT_OUT, TABLES, Table};
use guli::store::{DatabaseUrl, Store};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::support::client::{Client, fresh_key};
use crate::support::postgres::PostgresServer;
use crate::support::{Done, Home};

const SOURCE: &str = "sqlite://guli.db";

fn copy(home: &Home, from: &str, to: &str, more: &[&str]) -> Done {
    home.guli(&[&["copy", "--from", from, "--to", to, "--json"], more].concat())
}

fn tables(report: &Value) -> &[Value] {
    report["tables"].as_array().unwrap()
}

/// The tables that a comparison found to differ, with their first difference.
fn differing(report: &Value) -> Vec<(&str, &str)> {
    let differing = tables(report).iter().filter(|table| table["same"] == false);
    differing.map(|table| (table["table"].as_str().unwrap(), table["first_difference"].as_str().unwrap())).collect()
}

/// Runs the program with a disk that is full half-way.
fn interrupted(home: &Home, to: &str) -> Done {
    copy(home, SOURCE, to, &["--max-page-count", "1200"]).refused()
}

async fn postgres_sql(address: &str, sql: &'static str) {
    let mut conn = PgConnection::connect(address).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

async fn sqlite_sql(file: &Path, sql: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut conn = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

/// What a column is, in the words of either database.
fn kind(declared: &str) -> Kind {
    match declared.to_ascii_lowercase().as_str() {
        "bigint" => Kind::Integer,
        "real" | "double precision" => Kind::Real,
        "text" => Kind::Text,
        "blob" | "bytea" => Kind::Bytes,
        other => panic!("no kind of column is declared {other}"),
    }
}

/// Table, column, type, nullable, place in the key (0: none).
type Declared = (String, String, String, bool, i64);

/// What the list says of a table, in the form of [`described`].
fn listed(table: &Table) -> BTreeMap<String, (Kind, bool, usize)> {
    let place = |name| table.key.iter().position(|key| *key == name).map_or(0, |at| at + 1);
    let columns = table.columns.iter();
    columns.map(|column| (column.name.to_owned(), (column.kind, column.nullable, place(column.name)))).collect()
}

/// Fails unless the list has every table and column that a database has, and no other.
fn same_as_listed(what: &str, declared: Vec<Declared>) {
    let mut described: BTreeMap<String, BTreeMap<String, _>> = BTreeMap::new();
    for (table, column, declared, nullable, place) in declared {
        if !LEFT_OUT.contains(&&*table) {
            let place = usize::try_from(place).unwrap();
            described.entry(table).or_default().insert(column, (kind(&declared), nullable, place));
        }
    }
    let listed: BTreeMap<String, _> = TABLES.iter().map(|table| (table.name.to_owned(), listed(table))).collect();
    assert_eq!(described, listed, "{what} against store/tables.rs");
}

#[tokio::test]
async fn the_list_of_tables_is_the_schema_of_sqlite() {
    const SQL: &str = "SELECT m.name, c.name, c.type, c.\"notnull\" = 0, c.pk FROM sqlite_schema m, \
                       pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'";
    let home = Home::empty();
    let store = Store::open(&DatabaseUrl::sqlite(&home.database()), None).await.unwrap();
    store.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.database());
    let mut conn = options.connect().await.unwrap();
    same_as_listed("SQLite", sqlx::query_as(SQL).fetch_all(&mut conn).await.unwrap());
}

#[tokio::test]
async fn the_list_of_tables_is_the_schema_of_postgres() {
    const SQL: &str = "SELECT c.table_name::text, c.column_name::text, c.data_type::text, c.is_nullable = 'YES', \
                       COALESCE(k.ordinal_position, 0)::bigint FROM information_schema.columns c \
                       LEFT JOIN information_schema.table_constraints p ON p.table_schema = c.table_schema \
                       AND p.table_name = c.table_name AND p.constraint_type = 'PRIMARY KEY' \
                       LEFT JOIN information_schema.key_column_usage k ON k.constraint_name = p.constraint_name \
                       AND k.table_name = c.table_name AND k.column_name = c.column_name \
                       WHERE c.table_schema = 'public' AND c.is_generated = 'NEVER' \
                       AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE deptype = 'e' AND classid = 'pg_class'::regclass \
                       AND objid = format('%I.%I', c.table_schema, c.table_name)::regclass)";
    const NOT_BYTEWISE: &str = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE \
                                table_schema = 'public' AND data_type = 'text' AND table_name <> '_sqlx_migrations' \
                                AND collation_name IS DISTINCT FROM 'C' AND NOT EXISTS (SELECT 1 FROM pg_depend \
                                WHERE deptype = 'e' AND classid = 'pg_class'::regclass \
                                AND objid = format('%I.%I', table_schema, table_name)::regclass)";
    let Some(postgres) = PostgresServer::start() else { return };
    Store::open(&postgres.url(), None).await.unwrap().close().await;
    let mut conn = PgConnection::connect(&postgres.address()).await.unwrap();
    same_as_listed("PostgreSQL", sqlx::query_as(SQL).fetch_all(&mut conn).await.unwrap());
    // The order of a key's texts must be that of their bytes, as in SQLite.
    let others: Vec<String> = sqlx::query_scalar(NOT_BYTEWISE).fetch_all(&mut conn).await.unwrap();
    assert_eq!(others, Vec::<String>::new());
}

/// What happens in a district: covers come and move, one is reported twice, somebody gets a key.
struct Past {
    key: String,
    tracking: String,
    /// When it was reported first.
    reported: String,
}

async fn live(home: &Home) -> Past {
    let server = home.demo();
    for lon in ["120.34", "120.3402"] {
        let file = home.write("new.csv", format!("external_id,category,lon,lat\n井-1,0101,{lon},36.11\n"));
        let import = ["import", file.to_str().unwrap(), "--kind", "covers", "--source", "370203-WAT01"];
        home.guli(&import).ok();
    }
    let made = home.guli(&["key", "create", "--role", "admin", "--scope", "everywhere", "--json"]).ok().json();
    let body = json!({
        "position": {"lon": 120.341_494_6, "lat": 36.115_589_2, "crs": "GCJ-02", "accuracy_m": 5}, "damage": "missing",
        "description": "井盖没了", "reporter": {"phone": "19900000000"},
    });
    let reported = server.anyone().post("/v1/reports", &[("Idempotency-Key", &fresh_key())], &body).await.expect(201);
    server.anyone().post("/v1/reports", &[], &body).await.expect(201);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    // A server holds the file: nothing is copied beside it.
    let refused = copy(home, SOURCE, "sqlite://beside.db", &[]).refused();
    assert!(refused.err().contains("stop it"), "{}", refused.err());
    assert!(!home.path().join("beside.db").exists());
    assert!(server.stop().success());
    Past {
        key: text(&made["key"]),
        tracking: text(&reported["report"]["tracking_token"]),
        reported: text(&reported["report"]["created_at"]),
    }
}

/// What a server of this database answers.
async fn answers(home: &Home, database: &str, past: &Past) -> Vec<String> {
    let serve = ["serve", "--listen", "127.0.0.1:0", "--database", database, "--key-file", "guli.key"];
    let server = home.start(home.command(&serve));
    server.is_ready().await;
    let holder = Client::new(&server.address, Some(&past.key));
    let mut answers = Vec::new();
    let then = format!("/v1/work-orders?as_of={}", past.reported);
    for path in [
        &*then,
        "/v1/changes?district=370203&after=0&limit=1000",
        "/v1/people?grid=370203026003005&limit=100",
        "/v1/covers?limit=200&q=3702030101",
        "/v1/resolve?lon=120.33641&lat=36.11537&limit=5",
        "/v1/layers/grids.geojson",
    ] {
        let reply = holder.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        answers.push(reply.text);
    }
    let tracked = server.anyone().get(&format!("/v1/reports/{}", past.tracking)).await.expect(200);
    answers.push(tracked["status"].to_string());
    assert!(server.stop().success());
    let export = ["export", "covers", "--format", "csv", "--database", database, "--key-file", "guli.key"];
    answers.push(home.guli(&export).ok().out());
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_goes_to_postgres_and_back_and_answers_the_same() {
    let Some(postgres) = PostgresServer::start() else { return };
    let home = Home::with_district();
    let past = live(&home).await;
    // Numbers and texts at the edge of what the columns hold.
    home.write_sql(
        "UPDATE cover_source SET original_x = 0.1 + 0.2, original_y = 5e-324, original_crs = '' WHERE external_id = '井-1'",
    )
    .await;
    let before = answers(&home, SOURCE, &past).await;
    let report = copy(&home, SOURCE, &postgres.address(), &[]).ok().json();
    assert_eq!(differing(&report), []);
    let rows = |table: &Value| table["source"]["rows"].as_u64().unwrap();
    assert_eq!(report["copied_rows"], tables(&report).iter().map(rows).sum::<u64>());
    for filled in [
        "cover",
        "cover_version",
        "cover_source",
        "work_order_version",
        "report",
        "personal_data",
        "idempotency",
        "api_key",
        "event",
    ] {
        assert!(rows(tables(&report).iter().find(|table| table["table"] == filled).unwrap()) > 0, "{filled}");
    }
    assert_eq!(before, answers(&home, &postgres.address(), &past).await);
    let refused = copy(&home, SOURCE, &postgres.address(), &[]).refused();
    assert!(refused.err().contains("holds data already"), "{}", refused.err());
    back_while_it_is_written(&home, &postgres).await;
    assert_eq!(before, answers(&home, "sqlite://back.db", &past).await);
    changed_rows_are_found(&home).await;
}

/// Copies back while somebody writes: the copy is of the instant at which it began.
async fn back_while_it_is_written(home: &Home, postgres: &PostgresServer) {
    const WRITE: &str = "INSERT INTO quality_state VALUES (370203, 'late', 'accepted', NULL, 'nobody', 0)";
    let (address, written) = (postgres.address(), AtomicBool::new(false));
    let back = DatabaseUrl::sqlite(&home.path().join("back.db"));
    let databases = Databases::open(&postgres.url(), &back, Target::MayBeMade, None).await.unwrap();
    let mut tell = |event| {
        if matches!(event, Event::Copied(_)) && !written.swap(true, Ordering::Relaxed) {
            let address = address.clone();
            let write = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(postgres_sql(&address, WRITE));
            };
            std::thread::spawn(write).join().unwrap();
        }
    };
    let copied = databases.copy(&mut tell).await.unwrap();
    databases.close().await;
    assert!(copied.tables.iter().all(guli::store::compare::Comparison::is_same));
    let verified = copy(home, &postgres.address(), "sqlite://back.db", &["--verify"]).refused().json();
    assert_eq!(differing(&verified), [("quality_state", "370203/late is in the source alone")]);
    // Against the file that it all came from there is no difference.
    let verified = copy(home, SOURCE, "sqlite://back.db", &["--verify"]).ok().json();
    assert_eq!(differing(&verified), []);
}

async fn changed_rows_are_found(home: &Home) {
    sqlite_sql(
        &home.path().join("back.db"),
        "UPDATE cover SET lon = lon + 1e-8, place = NULL WHERE code = 3702030101001370; DELETE FROM event WHERE seq = 3; \
         INSERT INTO category VALUES (370203, 0, '', '', 0)",
    )
    .await;
    let verified = copy(home, SOURCE, "sqlite://back.db", &["--verify"]).refused();
    let report = verified.json();
    let found = differing(&report);
    let tables: Vec<&str> = found.iter().map(|(table, _)| *table).collect();
    assert_eq!(tables, ["category", "cover", "event"]);
    assert_eq!(found[0].1, "370203/0 is in the target alone");
    assert!(found[1].1.ends_with("differs in lon, place"), "{}", found[1].1);
    assert_eq!(found[2].1, "370203/3 is in the source alone");
    // People see the same as a table.
    let said = home.guli(&["copy", "--from", SOURCE, "--to", "sqlite://back.db", "--verify"]).refused().out();
    assert!(said.contains('✓') && said.contains('✗') && said.contains("3 of "), "{said}");
}

#[test]
fn an_interrupted_copy_is_not_served_and_goes_on_where_it_stopped() {
    let home = Home::with_district();
    let target = "sqlite://new.db";
    let stopped = interrupted(&home, target);
    assert!(stopped.err().contains("goes on where it stopped"), "{}", stopped.err());
    let beside = ["--database", target, "--key-file", "guli.key"];
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["key", "list"], &["export", "districts"]] {
        let refused = home.guli(&[command, &beside].concat()).refused();
        assert!(refused.err().contains("not complete"), "{}", refused.err());
    }
    // It is nobody's source, and takes no rows of another one.
    let refused = copy(&home, target, "sqlite://third.db", &[]).refused();
    assert!(refused.err().contains("not complete"), "{}", refused.err());
    assert!(!home.path().join("third.db").exists());
    std::fs::copy(home.database(), home.path().join("other.db")).unwrap();
    let refused = copy(&home, "sqlite://other.db", target, &[]).refused();
    assert!(refused.err().contains("guli.db that is not complete"), "{}", refused.err());
    let resumed = copy(&home, SOURCE, target, &[]).ok();
    assert!(resumed.err().contains("going on with a copy"), "{}", resumed.err());
    let report = resumed.json();
    let (before, now) = (report["resumed_rows"].as_u64().unwrap(), report["copied_rows"].as_u64().unwrap());
    let all: u64 = tables(&report).iter().map(|table| table["source"]["rows"].as_u64().unwrap()).sum();
    assert!(before > 0 && now > 0 && before + now == all, "{before} + {now} of {all}");
    let grids = |database: &[&str]| home.guli(&[&["export", "grids"], database].concat()).ok().out();
    assert_eq!(grids(&["--database", SOURCE]), grids(&beside));
    // Complete, it is a database like any other.
    let refused = copy(&home, SOURCE, target, &[]).refused();
    assert!(refused.err().contains("holds data already"), "{}", refused.err());
}

#[tokio::test]
async fn what_changed_between_two_runs_is_found_at_the_end() {
    let home = Home::with_district();
    let target = "sqlite://new.db";
    interrupted(&home, target);
    home.write_sql("UPDATE district SET name = 'elsewhere'").await;
    for _ in 0..2 {
        let report = copy(&home, SOURCE, target, &[]).refused().json();
        assert_eq!(differing(&report), [("district", "370203 differs in name")]);
        let refused = home.guli(&["key", "list", "--database", target]).refused();
        assert!(refused.err().contains("not complete"), "{}", refused.err());
    }
    // Mended, the copy comes to its end.
    home.write_sql("UPDATE district SET name = '市北区'").await;
    assert_eq!(differing(&copy(&home, SOURCE, target, &[]).ok().json()), []);
    home.guli(&["key", "list", "--database", target]).ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_into_postgres_that_is_dropped_goes_on_too() {
    let Some(postgres) = PostgresServer::start() else { return };
    let home = Home::with_district();
    let source = DatabaseUrl::sqlite(&home.database());
    let enough = tokio::sync::Notify::new();
    let mut tell = |event| {
        if matches!(event, Event::Copied(at) if at.done > 10_000) {
            enough.notify_one();
        }
    };
    let databases = Databases::open(&source, &postgres.url(), Target::MayBeMade, None).await.unwrap();
    tokio::select! {
        biased;
        () = enough.notified() => {}
        copied = databases.copy(&mut tell) => panic!("{copied:?} before it was dropped"),
    }
    drop(databases);
    let beside = ["--database", &*postgres.address(), "--key-file", "guli.key"];
    let refused = home.guli(&[&["serve", "--listen", "127.0.0.1:0"][..], &beside].concat()).refused();
    assert!(refused.err().contains("not complete"), "{}", refused.err());
    let report = copy(&home, SOURCE, &postgres.address(), &[]).ok().json();
    assert_eq!(differing(&report), []);
    assert!(report["resumed_rows"].as_u64().unwrap() > 10_000, "{}", report["resumed_rows"]);
    home.guli(&[&["key", "list"][..], &beside].concat()).ok();
}

#[test]
fn what_cannot_be_copied_is_said() {
    let home = Home::with_district();
    for (from, to, said) in [
        ("sqlite://nowhere.db", "sqlite://new.db", "there is no database nowhere.db"),
        (SOURCE, "sqlite://./guli.db", "both the source and the target"),
        (SOURCE, "mysql://new", "a database looks like"),
    ] {
        let refused = copy(&home, from, to, &[]).refused();
        assert!(refused.err().contains(said), "{from} to {to}: {}", refused.err());
    }
    let refused = copy(&home, SOURCE, "sqlite://new.db", &["--verify"]).refused();
    assert!(refused.err().contains("there is no database new.db"), "{}", refused.err());
    assert!(!home.path().join("new.db").exists() && !home.path().join("nowhere.db").exists());
}
