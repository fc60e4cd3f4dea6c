//! What was acknowledged is never lost and nothing is done twice: power cuts, full disks, orderly ends.

use std::fmt::Write as _;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::support::Home;
use crate::support::load::{Entry, Load, Places, acknowledged_is_kept, random, send_the_rest};

const REPORTS: &str = "SELECT count(*) FROM report";

async fn reports(home: &Home) -> usize {
    usize::try_from(home.look().await.number(REPORTS).await).unwrap()
}

fn acknowledged(journal: &[Entry]) -> usize {
    journal.iter().filter(|entry| entry.acknowledged.is_some()).count()
}

/// `GULI_KILLS` says how often; the servers go on with the same files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_nothing_that_was_acknowledged() {
    const CLIENTS: usize = 200;
    let kills = std::env::var("GULI_KILLS").map_or(5, |kills| kills.parse().unwrap());
    let home = Home::with_district();
    let places = Arc::new(Places::of(&home).await);
    let mut sent = 0;
    for kill in 1..=kills {
        let server = home.serve();
        let load = Load::start(CLIENTS, &server.anyone(), &places);
        load.reaches(random(600), 0).await;
        tokio::time::sleep(Duration::from_millis(random(50) as u64)).await;
        server.kill();
        let mut journal = load.end().await;
        let (all, kept) = (journal.len(), acknowledged(&journal));

        let server = home.serve();
        let anyone = server.anyone();
        // Between the crash and the second sending, there is at least what was acknowledged.
        let stored = reports(&home).await;
        assert!((sent + kept..=sent + all).contains(&stored), "{kill}: {sent} + {kept} of {all}, {stored} stored");
        acknowledged_is_kept(&anyone, &journal).await;
        send_the_rest(&anyone, &mut journal).await;
        acknowledged_is_kept(&anyone, &journal).await;
        sent += all;
        assert_eq!(reports(&home).await, sent, "{kill}: a report was lost or stored twice");
        // The next one starts on the log that this one leaves.
        server.kill();
        home.look().await.check().await;
    }
    let open = home.look().await.number("SELECT count(*) FROM work_order WHERE status <> 'closed'").await;
    let server = home.serve();
    assert_eq!(server.anyone().get("/readyz").await.expect(200)["open_orders"], open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_takes_up_again() {
    let home = Home::with_district();
    let places = Arc::new(Places::of(&home).await);
    let pages = home.look().await.number("PRAGMA page_count").await;
    let mut command = home.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("GULI_MAX_PAGE_COUNT", (pages + 150).to_string());
    let server = home.start(command);
    let load = Load::start(50, &server.anyone(), &places);
    load.reaches(1, 200).await;
    let mut journal = load.end().await;
    let kept = acknowledged(&journal);
    assert!(kept > 0 && kept < journal.len());
    // Reading goes on, from the index and from the file.
    let first = journal.iter().find_map(|entry| entry.acknowledged.as_ref()).unwrap();
    let first: serde_json::Value = serde_json::from_str(first).unwrap();
    let path = format!("/v1/reports/{}", first["report"]["tracking_token"].as_str().unwrap());
    server.anyone().get(&path).await.expect(200);
    server.anyone().get("/v1/resolve?lon=120.33641&lat=36.11537").await.expect(200);
    // What was refused is not there.
    assert_eq!(reports(&home).await, kept);
    server.kill();
    home.look().await.check().await;

    let server = home.serve();
    let anyone = server.anyone();
    assert_eq!(reports(&home).await, kept);
    acknowledged_is_kept(&anyone, &journal).await;
    send_the_rest(&anyone, &mut journal).await;
    acknowledged_is_kept(&anyone, &journal).await;
    assert_eq!(reports(&home).await, journal.len());
    assert_eq!(server.stop().code(), Some(0));
    home.look().await.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_end_under_load_keeps_every_201_and_folds_the_log() {
    let home = Home::with_district();
    let places = Arc::new(Places::of(&home).await);
    let server = home.serve();
    let load = Load::start(50, &server.anyone(), &places);
    load.reaches(300, 0).await;
    assert_eq!(server.stop().code(), Some(0));
    let mut journal = load.end().await;
    let wal = std::fs::metadata(home.path().join("guli.db-wal")).map_or(0, |wal| wal.len());
    assert_eq!(wal, 0, "the log was not folded back");
    assert!(!home.log().contains("WARN"), "{}", home.log());
    let kept = acknowledged(&journal);
    assert!((kept..=journal.len()).contains(&reports(&home).await));
    let server = home.serve();
    acknowledged_is_kept(&server.anyone(), &journal).await;
    send_the_rest(&server.anyone(), &mut journal).await;
    assert_eq!(reports(&home).await, journal.len());
    assert_eq!(server.stop().code(), Some(0));
    home.look().await.check().await;
}

/// Rows of the import that is shot: enough to be applied in several steps.
const ROWS: usize = 27_000;

/// Covers a few metres beside those that are there.
async fn large_file(home: &Home) {
    const SQL: &str = "SELECT lon || ',' || lat FROM cover WHERE status = 'in_service' ORDER BY code LIMIT 13500";
    let mut text = "external_id,category,owner,lon,lat\n".to_owned();
    for (number, at) in home.look().await.texts(SQL).await.iter().enumerate() {
        let (lon, lat) = at.split_once(',').unwrap();
        let (lon, lat): (f64, f64) = (lon.parse().unwrap(), lat.parse().unwrap());
        for (side, offset) in [("E", 0.000_03), ("W", -0.000_03)] {
            writeln!(text, "{number}{side},0107,370203-TEL01,{:.7},{lat}", lon + offset).unwrap();
        }
    }
    assert_eq!(text.lines().count(), ROWS + 1);
    home.write("large.csv", text);
}

const IMPORT: [&str; 7] = ["import", "large.csv", "--kind", "covers", "--source", "370203-TEL01", "--json"];

fn start(home: &Home, arguments: &[&str]) -> Child {
    home.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until the query gives this number at least, or the program has ended; whether it was reached.
async fn reached(home: &Home, program: &mut Child, sql: &'static str, least: i64) -> bool {
    let mut database = home.look().await;
    while program.try_wait().unwrap().is_none() {
        if database.number(sql).await >= least {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    false
}

const STAGED: &str = "SELECT count(*) FROM cover_stage";
const APPLYING: &str = "SELECT count(*) FROM import WHERE state = 'applying'";
const PAST: &str = "SELECT count(*) FROM cover_version";
const COVERS: &str = "SELECT count(*) FROM cover";

/// Covers without their source, less sources without their cover.
const HALF: &str = "SELECT (SELECT count(*) FROM cover) - (SELECT count(*) FROM cover_source)";

/// Starts a server, which finishes or gives up what was interrupted; how many covers there are now.
async fn settled(home: &Home) -> usize {
    let server = home.serve();
    let covers = server.anyone().get("/readyz").await.expect(200)["covers"].as_u64().unwrap();
    let mut database = home.look().await;
    assert_eq!(database.number(STAGED).await, 0);
    let states = database.texts("SELECT DISTINCT state FROM import WHERE state NOT IN ('applied', 'abandoned')").await;
    assert!(states.is_empty(), "{states:?}");
    assert_eq!(database.number(COVERS).await, i64::try_from(covers).unwrap());
    assert_eq!(database.number(HALF).await, 0, "a cover without its source, or a source without its cover");
    assert_eq!(server.stop().code(), Some(0));
    home.look().await.check().await;
    usize::try_from(covers).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_may_be_refused_is_there_whole_or_not_at_all_when_it_is_shot() {
    let home = Home::with_district();
    large_file(&home).await;
    let before = usize::try_from(home.look().await.number(COVERS).await).unwrap();

    // By itself, while it reads.
    let mut import = start(&home, &IMPORT);
    let staged = i64::try_from(1 + random(20_000)).unwrap();
    assert!(reached(&home, &mut import, STAGED, staged).await);
    import.kill().unwrap();
    import.wait().unwrap();
    assert_eq!(settled(&home).await, before);

    // Beside a server that is shot: the command says that it got no answer.
    let server = home.serve();
    let mut import = start(&home, &IMPORT);
    assert!(reached(&home, &mut import, STAGED, 1).await);
    // Reports are taken meanwhile.
    let report = json!({"cover": "3702030101001370", "damage": "missing"});
    server.anyone().post("/v1/reports", &[], &report).await.expect(201);
    server.kill();
    assert!(!import.wait().unwrap().success());
    assert_eq!(settled(&home).await, before);

    // While it is applied: what was begun is finished.
    let mut import = start(&home, &IMPORT);
    assert!(reached(&home, &mut import, APPLYING, 1).await, "the import ended before it was seen to be applied");
    import.kill().unwrap();
    import.wait().unwrap();
    assert_eq!(settled(&home).await, before + ROWS);

    // And so importing it again changes nothing.
    let reports = home.guli(&IMPORT).ok().json();
    assert_eq!(reports[0]["counts"]["unchanged"], ROWS);
    assert_eq!(settled(&home).await, before + ROWS);
    assert_eq!(home.look().await.number(PAST).await, 0, "a cover was changed by what says the same");
}

/// Told to keep going, an import writes the good rows as it reads them: what is in stays, the rest follows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_keeps_going_goes_on_where_it_was_shot() {
    let home = Home::with_district();
    large_file(&home).await;
    let before = home.look().await.number(COVERS).await;
    let arguments = [&IMPORT[..], &["--keep-going"]].concat();
    let mut import = start(&home, &arguments);
    assert!(reached(&home, &mut import, COVERS, before + 1).await);
    import.kill().unwrap();
    import.wait().unwrap();
    let before = usize::try_from(before).unwrap();
    let written = settled(&home).await - before;
    assert!((1..=ROWS).contains(&written));
    let reports = home.guli(&arguments).ok().json();
    assert_eq!(reports[0]["counts"]["unchanged"], written);
    assert_eq!(reports[0]["counts"]["created"], ROWS - written);
    assert_eq!(settled(&home).await, before + ROWS);
    assert_eq!(home.look().await.number(PAST).await, 0);
}
