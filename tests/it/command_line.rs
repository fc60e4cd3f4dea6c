//! The command line: files in, keys, pins, beside a running server and without one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::postgres::PostgresServer;
use crate::support::{Done, Home, TEMPLATE, shibei};

type Found = BTreeSet<(String, u64, String)>;

/// The answer key of the demo district: what its departments' files have wrong that an import reports.
fn planted() -> Found {
    let key: Value = serde_json::from_slice(&fs::read(shibei().join("imperfections.json")).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    key.as_array()
        .unwrap()
        .iter()
        // Of a unit only the quality check tells that nobody reaches it.
        .filter(|f| f["code"] != "unit_unreachable")
        .map(|f| (text(&f["profile"]), f["row"].as_u64().unwrap(), text(&f["code"])))
        .collect()
}

fn found(reports: &Value) -> Found {
    let mut found = Found::new();
    for report in reports.as_array().unwrap() {
        for finding in report["findings"].as_array().unwrap() {
            let code = finding["code"].as_str().unwrap().to_owned();
            found.insert((report["profile"].as_str().unwrap().to_owned(), finding["row"].as_u64().unwrap(), code));
        }
    }
    found
}

/// What all files of an import have together.
fn total(reports: &Value, kind: &str, count: &str) -> u64 {
    let of_kind = reports.as_array().unwrap().iter().filter(|report| report["kind"] == kind);
    of_kind.map(|report| report["counts"][count].as_u64().unwrap()).sum()
}

const KINDS: [&str; 7] = ["district", "subdistricts", "communities", "organizations", "grids", "people", "covers"];

#[test]
fn an_import_finds_exactly_what_is_wrong_with_the_departments_files() {
    let reports = &TEMPLATE.reports;
    assert_eq!(found(reports), planted());
    assert_eq!(total(reports, "covers", "created"), 17_000);
    assert_eq!(total(reports, "grids", "created"), 940);
    for kind in KINDS {
        let of = |count| total(reports, kind, count);
        assert_eq!((of("updated"), of("unchanged")), (0, 0), "{kind}");
        assert_eq!(of("rows"), of("created") + of("rejected"), "{kind}");
    }
}

#[tokio::test]
async fn a_dry_run_finds_the_same_and_stores_nothing() {
    let home = Home::empty();
    let done = home.guli(&["import", shibei().to_str().unwrap(), "--dry-run", "--json"]);
    // Files with errors would be refused, and say so.
    let reports = done.refused().json();
    assert_eq!(found(&reports), planted());
    assert_eq!(total(&reports, "covers", "created"), 17_000);
    let mut database = home.look().await;
    for empty in ["SELECT count(*) FROM district", "SELECT count(*) FROM cover", "SELECT count(*) FROM import"] {
        assert_eq!(database.number(empty).await, 0, "{empty}");
    }
}

#[tokio::test]
async fn importing_the_same_again_changes_nothing_and_finds_the_same() {
    let home = Home::with_district();
    let events = "SELECT count(*) FROM event";
    let before = home.look().await.number(events).await;
    let reports = home.guli(&["import", shibei().to_str().unwrap(), "--keep-going", "--json"]).ok().json();
    for kind in KINDS {
        assert_eq!((total(&reports, kind, "created"), total(&reports, kind, "updated")), (0, 0), "{kind}");
    }
    assert_eq!(total(&reports, "covers", "unchanged"), 17_000);
    assert_eq!(found(&reports), planted());
    assert_eq!(home.look().await.number(events).await, before);
}

/// A file of covers as nobody needs a profile for.
fn covers(rows: &[(&str, &str, f64, f64)]) -> String {
    let mut text = "external_id,category,lon,lat\n".to_owned();
    for (id, category, lon, lat) in rows {
        writeln!(text, "{id},{category},{lon},{lat}").unwrap();
    }
    text
}

fn import(home: &Home, file: &Path, more: &[&str]) -> Done {
    let kind = ["import", file.to_str().unwrap(), "--kind", "covers", "--source", "370203-WAT01", "--json"];
    home.guli(&[&kind, more].concat())
}

#[tokio::test]
async fn a_file_with_an_error_is_refused_whole_unless_told_to_keep_going() {
    let home = Home::with_district();
    let server = home.demo();
    let file = home.write("new.csv", covers(&[("N-1", "0101", 120.34, 36.11), ("N-2", "0199", 120.34, 36.12)]));
    let ready = async || server.anyone().get("/readyz").await.json()["covers"].as_u64().unwrap();
    let reports = import(&home, &file, &[]).refused().json();
    assert_eq!(reports[0]["rejected"], true);
    let unknown = reports[0]["findings"].as_array().unwrap().iter().find(|f| f["code"] == "category_unknown").unwrap();
    assert_eq!((&unknown["row"], &unknown["line"]), (&json!(2), &json!(3)));
    assert_eq!(ready().await, 17_000);
    assert_eq!(home.look().await.number("SELECT count(*) FROM cover_stage").await, 0);
    let reports = import(&home, &file, &["--keep-going"]).ok().json();
    assert_eq!((&reports[0]["counts"]["created"], &reports[0]["counts"]["rejected"]), (&json!(1), &json!(1)));
    assert_eq!(ready().await, 17_001);
    // Of a file that is cut off the beginning is stored, and whoever scripts it can tell.
    let cut = covers(&[("N-3", "0101", 120.345, 36.11), ("N-4", "0101", 120.345, 36.12)]).replace("N-4,", "\"N-4,");
    let reports = import(&home, &home.write("cut.csv", cut), &["--keep-going"]).refused().json();
    assert_eq!((&reports[0]["rejected"], &reports[0]["broken_off"]), (&json!(false), &json!(true)), "{reports}");
    assert_eq!(ready().await, 17_002);
}

#[tokio::test]
async fn what_is_imported_beside_a_running_server_resolves_at_once() {
    let home = Home::with_district();
    let server = home.demo();
    let anyone = server.anyone();
    // Where no cover is known, as a pin from Amap shows it.
    let pin = "/v1/resolve?lon=120.37&lat=36.08&crs=GCJ-02&accuracy_m=1";
    let before = anyone.get(pin).await.expect(200);
    assert_eq!(before["match"], "unregistered");
    let at = |name: &str| before["position"][name].as_f64().unwrap();
    let file = home.write("new.csv", covers(&[("N-1", "0101", at("lon"), at("lat"))]));
    let reports = import(&home, &file, &[]).ok().json();
    assert_eq!(reports[0]["counts"]["created"], 1);
    let after = anyone.get(pin).await.expect(200);
    assert_eq!(after["match"], "matched");
    assert_ne!(after["registry_version"], before["registry_version"]);
    let code = after["candidates"][0]["cover"]["code"].as_str().unwrap().to_owned();
    // A report of it is decided on the new registry.
    let body = json!({"position": {"lon": 120.37, "lat": 36.08, "crs": "GCJ-02"}, "damage": "noisy"});
    let reported = anyone.post("/v1/reports", &[], &body).await.expect(201);
    assert_eq!(reported["match"], "matched");
    // Moved by a later file, it is the same cover in another place.
    let file = home.write("new.csv", covers(&[("N-1", "0101", at("lon") + 0.0002, at("lat"))]));
    assert_eq!(import(&home, &file, &[]).ok().json()[0]["counts"]["updated"], 1);
    let moved = server.with("demo-admin").get(&format!("/v1/covers/{code}")).await.expect(200);
    assert_eq!(moved["version"], 2);
    assert!((moved["position"]["lon"].as_f64().unwrap() - at("lon") - 0.0002).abs() < 1e-8);
}

/// A file that cannot be imported, with its profile.
struct Bad {
    what: &'static str,
    finding: &'static str,
    kind: &'static str,
    name: &'static str,
    bytes: Vec<u8>,
}

fn bad_files() -> Vec<Bad> {
    // Within the community of this code; what is wrong with it comes before where it lies.
    let grid = |ring: &str| {
        let code = "370203026003099";
        format!(
            r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","geometry":{{"type":"Polygon","coordinates":[[{ring}]]}},"properties":{{"code":"{code}","name":"新网格"}}}}]}}"#
        )
    };
    let bow = "[120.336,36.115],[120.337,36.116],[120.337,36.115],[120.336,36.116],[120.336,36.115]";
    let open = "[120.336,36.115],[120.337,36.115],[120.337,36.116],[120.336,36.116]";
    let mut circle = String::new();
    for step in 0..100_000 {
        let angle = f64::from(step % 99_999) / 99_999.0 * std::f64::consts::TAU;
        let comma = if step == 0 { "" } else { "," };
        write!(circle, "{comma}[{},{}]", 120.336 + 0.001 * angle.cos(), 36.115 + 0.001 * angle.sin()).unwrap();
    }
    let text = covers(&[("N-1", "0101", 120.34, 36.11), ("N-2", "0101", 120.34, 36.12)]);
    let gb =
        encoding_rs::GB18030.encode("external_id,category,lon,lat,place\n井盖一号,0101,120.34,36.11,\n").0.into_owned();
    let whole = grid("[120.336,36.115],[120.337,36.115],[120.337,36.116],[120.336,36.115]");
    let bad = |what, finding, kind, name, bytes: Vec<u8>| Bad { what, finding, kind, name, bytes };
    vec![
        bad("a self-intersecting polygon", "geometry_invalid", "grids", "bow.geojson", grid(bow).into()),
        bad("an unclosed ring", "geometry_invalid", "grids", "open.geojson", grid(open).into()),
        bad("a ring of 100,000 vertices", "geometry_invalid", "grids", "ring.geojson", grid(&circle).into()),
        bad("GB18030 that is declared UTF-8", "encoding_invalid", "covers", "gb.csv", gb),
        bad("a missing column", "column_missing", "covers", "column.csv", text.replace("lat", "latitude").into()),
        bad("a file that ends too early", "malformed", "grids", "cut.geojson", whole[..whole.len() - 30].into()),
        bad("U+0000 in a cell", "value_invalid", "covers", "nul.csv", text.replace("N-2", "N\0-2").into()),
        bad(
            "a position beyond the pole",
            "position_invalid",
            "covers",
            "pole.csv",
            text.replace("36.12", "96.12").into(),
        ),
        bad("no number", "position_invalid", "covers", "nan.csv", text.replace("36.12", "NaN").into()),
        bad(
            "exchanged axes",
            "axes_swapped",
            "covers",
            "swap.csv",
            text.replace("120.34,36.12", "36.12,120.34").into(),
        ),
    ]
}

#[tokio::test]
async fn a_bad_file_is_refused_with_what_is_wrong_and_nothing_of_it_is_stored() {
    const STATE: [&str; 5] = [
        "SELECT count(*) FROM cover",
        "SELECT count(*) FROM area",
        "SELECT count(*) FROM cover_stage",
        "SELECT count(*) FROM event",
        "SELECT count(*) FROM import WHERE state NOT IN ('applied', 'rejected')",
    ];
    let home = Home::with_district();
    let server = home.demo();
    let mut before = Vec::new();
    for sql in STATE {
        before.push(home.look().await.number(sql).await);
    }
    for Bad { what, finding, kind, name, bytes } in bad_files() {
        home.write(name, bytes);
        let columns = if kind == "grids" {
            "code = 'code'\nname = 'name'\n"
        } else {
            "external_id = 'external_id'\ncategory = 'category'\nlon = 'lon'\nlat = 'lat'\n"
        };
        let source = if kind == "covers" { "source = '370203-WAT01'\n" } else { "" };
        let encoding = if kind == "covers" { "encoding = 'UTF-8'\n" } else { "" };
        home.write(
            "import.toml",
            format!("[[profile]]\nname = 'bad'\nfile = '{name}'\nkind = '{kind}'\n{source}{encoding}[profile.columns]\n{columns}"),
        );
        let done = home.guli(&["import", ".", "--json"]);
        assert!(!done.succeeded(), "{what}: {}", done.out());
        let report = &done.json()[0];
        assert_eq!(report["rejected"], true, "{what}: {report}");
        let codes: Vec<_> =
            report["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
        assert!(codes.contains(&finding), "{what}: {report}");
        let mut after = Vec::new();
        for sql in STATE {
            after.push(home.look().await.number(sql).await);
        }
        assert_eq!(after, before, "{what}");
    }
    // The server has seen nothing of it, and goes on.
    assert_eq!(server.anyone().get("/readyz").await.expect(200)["covers"], 17_000);
    assert!(!home.log().contains("panicked"), "{}", home.log());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn only_the_owner_reaches_the_socket_and_the_key_that_seals() {
    let home = Home::empty();
    let server = home.serve();
    assert_eq!(mode(&home.path().join("guli.db.sock")), 0o600);
    assert_eq!(mode(&home.path().join("guli.key")), 0o600);
    // A crash leaves the socket; the next server takes its place.
    server.kill();
    let server = home.serve();
    let keys = home.guli(&["key", "list", "--json"]).ok().json();
    assert_eq!(keys, json!([]));
    drop(server);
}

#[test]
fn a_database_whose_key_file_is_gone_gets_no_other_one() {
    let home = Home::with_district();
    let key = home.path().join("guli.key");
    fs::remove_file(&key).unwrap();
    let refused = home.guli(&["serve", "--listen", "127.0.0.1:0"]).refused();
    assert!(refused.err().contains("put the file back"), "{}", refused.err());
    assert!(!key.exists());
}

#[test]
fn a_second_server_on_the_same_database_is_refused_with_the_reason() {
    let home = Home::empty();
    let server = home.serve();
    let second = home.guli(&["serve", "--listen", "127.0.0.1:0"]).refused();
    assert!(second.err().contains("guli.db is held by another process"), "{}", second.err());
    assert!(second.err().contains("ask it by themselves"), "{}", second.err());
    assert!(!second.out().contains("listening"));
    assert_eq!(server.stop().code(), Some(0));
    // Ended, it has let go.
    assert_eq!(home.serve().stop().code(), Some(0));
}

#[tokio::test]
async fn a_pin_is_resolved_on_the_command_line_as_over_http() {
    let home = Home::with_district();
    let arguments = ["resolve", "120.3414946", "36.1155892", "--crs", "GCJ-02", "--accuracy", "8", "--json"];
    let alone = home.guli(&arguments).ok().json();
    assert_eq!(alone["candidates"][0]["cover"]["code"], "3702030101001370");
    let server = home.demo();
    assert_eq!(home.guli(&arguments).ok().json(), alone);
    let path = "/v1/resolve?lon=120.3414946&lat=36.1155892&crs=GCJ-02&accuracy_m=8";
    assert_eq!(server.with("demo-admin").get(path).await.expect(200), alone);
    let table = home.guli(&["resolve", "120.33641", "36.11537"]).ok().out();
    assert!(table.contains("3702030101001370") && table.contains("matched"), "{table}");
    let outside = home.guli(&["resolve", "120.37", "36.08"]).refused();
    assert!(outside.err().contains("outside"), "{}", outside.err());
    let unknown = home.guli(&["resolve", "120.37", "36.08", "--crs", "EPSG:1"]).refused();
    assert!(unknown.err().contains("--crs"), "{}", unknown.err());
}

#[tokio::test]
async fn imports_are_listed_on_the_command_line_as_over_http() {
    let home = Home::with_district();
    let alone = home.guli(&["import", "list", "--json"]).ok().json();
    let items = alone["items"].as_array().unwrap();
    assert_eq!((items.len(), alone["next"].is_string()), (20, true));
    // As times: written out, `…05.12Z` comes after `…05.125Z`.
    let started = |import: &Value| -> jiff::Timestamp { import["started_at"].as_str().unwrap().parse().unwrap() };
    assert!(items.windows(2).all(|pair| started(&pair[0]) >= started(&pair[1])), "{alone}");
    let server = home.demo();
    assert_eq!(server.with("demo-admin").get("/v1/imports").await.expect(200), alone);
    let water = ["import", "list", "--profile", "water", "--state", "stored"];
    let table = home.guli(&water).ok().out();
    assert!(table.contains("stored") && table.contains("operator") && table.contains("possible"), "{table}");
    assert!(!table.contains("earlier ones"), "{table}");
    let refused = home.guli(&["import", "list", "--state", "gone"]).refused();
    assert!(refused.err().contains("one of running, stored"), "{}", refused.err());
    // What the list names can be taken back, and is then listed so.
    let fire = home.guli(&["import", "list", "--profile", "fire", "--json"]).ok().json();
    let id = fire["items"][0]["id"].as_str().unwrap();
    let undone = home.guli(&["import", "undo", id]).ok().out();
    assert!(undone.contains("of covers was taken back") && undone.contains(" removed"), "{undone}");
    let undone = home.guli(&["import", "list", "--state", "undone", "--json"]).ok().json();
    assert_eq!((&undone["items"][0]["id"], &undone["items"][0]["can_undo"]), (&json!(id), &json!(false)));
}

#[tokio::test]
async fn what_happened_to_a_cover_is_told_on_the_command_line_as_over_http() {
    let home = Home::with_district();
    let alone = home.guli(&["history", "3702030101001370", "--json"]).ok().json();
    assert_eq!((&alone["items"][0]["version"], &alone["items"][0]["changes"]), (&json!(1), &json!([])), "{alone}");
    assert!(alone["items"][0]["source"]["row"].is_number(), "{alone}");
    let server = home.demo();
    assert_eq!(home.guli(&["history", "37020301001001370", "--json"]).ok().json(), alone);
    let over_http = server.with("demo-admin").get("/v1/covers/3702030101001370/history").await.expect(200);
    assert_eq!(over_http, alone);
    let table = home.guli(&["history", "370203026003005"]).ok().out();
    assert!(table.contains("registered") && table.contains("import "), "{table}");
    let (unit, admin) = ("/v1/organizations/370203-WAT01", server.with("demo-admin"));
    admin.patch(unit, &[("If-Match", "*")], &json!({"name": "供水集团"})).await.expect(200);
    let table = home.guli(&["history", "370203-WAT01"]).ok().out();
    assert!(table.contains("供水集团") && table.contains("admin demo-admin"), "{table}");
    let people = admin.get("/v1/people?limit=1").await.expect(200);
    let person = people["items"][0]["code"].as_str().unwrap();
    assert!(home.guli(&["history", person]).ok().out().contains("registered"));
    for (code, said) in [("370203026003099", "does not exist"), ("12", "16 digits")] {
        let refused = home.guli(&["history", code]).refused();
        assert!(refused.err().contains(said), "{}", refused.err());
    }
}

#[tokio::test]
async fn a_layer_is_exported_on_the_command_line_as_over_http() {
    let home = Home::with_district();
    let whole = ["export", "covers", "--format", "geojson"];
    let alone = home.guli(&whole).ok().out();
    let server = home.demo();
    let planner = server.with("demo-planner");
    assert_eq!(planner.get("/v1/layers/covers.geojson").await.text, alone);
    assert_eq!(home.guli(&whole).ok().out(), alone);
    let query = ["--filter", "category=0103", "--bbox", "120.33,36.11,120.35,36.13", "--out-crs", "EPSG:4549"];
    home.guli(&[&["export", "covers", "--out", "covers.csv"][..], &query].concat()).ok();
    let path = "/v1/layers/covers.csv?category=0103&bbox=120.33,36.11,120.35,36.13&out_crs=EPSG:4549";
    assert_eq!(planner.get(path).await.text, fs::read_to_string(home.path().join("covers.csv")).unwrap());
    let refused = home.guli(&["export", "grids", "--out", "grids.csv", "--filter", "category=0103"]).refused();
    assert!(refused.err().contains("category") && !refused.err().contains("grids.csv"), "{}", refused.err());
    let half = home.guli(&["export", "covers", "--filter", "category"]).refused();
    assert!(half.err().contains("NAME=VALUES"), "{}", half.err());
    // What stands in other tools for standard output makes no file of that name.
    assert_eq!(home.guli(&["export", "covers", "--format", "geojson", "--out", "-"]).ok().out(), alone);
    assert!(!home.path().join("grids.csv").exists());
    assert!(home.guli(&["export", "pipes"]).refused().err().contains("work-orders"));
}

/// Whatever PROJ data the machine has or lacks, the numbers are the same. The points are those that the crate
/// tests its conversions with, from PROJ 9.5.1.
#[test]
fn the_program_alone_knows_its_coordinate_systems() {
    let home = Home::with_district();
    let alone = home.path().join("guli-alone");
    std::fs::copy(env!("CARGO_BIN_EXE_guli"), &alone).unwrap();
    home.write("proj.db", "this is no database");
    for bad in [false, true] {
        for (lon, lat, east, north) in [
            (120.345, 36.085, "531073.115", "3995029.353"),
            (120.355, 36.095, "531969.739", "3996142.207"),
            (120.38, 36.12, "534210.297", "3998924.758"),
            (120.4, 36.1, "536019.978", "3996712.745"),
        ] {
            let mut command = std::process::Command::new(&alone);
            command.env_clear().current_dir(home.path());
            command.args(["resolve", east, north, "--crs", "EPSG:4549", "--json"]);
            if bad {
                command.env("PROJ_DATA", home.path());
            }
            let done = command.output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
            let at = |name: &str| answer["position"][name].as_f64().unwrap();
            // The eastings are given to the millimetre, a hundred-millionth of a degree.
            assert!((at("lon") - lon).abs() < 2e-8 && (at("lat") - lat).abs() < 2e-8, "{answer}");
        }
    }
}

#[tokio::test]
async fn a_key_opens_from_its_making_to_its_revocation() {
    let home = Home::with_district();
    let server = home.serve();
    let create = ["key", "create", "--role", "crew", "--scope", "unit:370203-WAT01", "--name", "water 3", "--json"];
    let made = home.guli(&create).ok().json();
    let (id, secret) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let holder = server.with(secret);
    let me = holder.get("/v1/me").await.expect(200);
    assert_eq!((&me["role"], &me["name"], &me["units"]), (&json!("crew"), &json!("water 3"), &json!(["370203-WAT01"])));
    for list in [home.guli(&["key", "list"]).ok().out(), home.guli(&["key", "list", "--json"]).ok().out()] {
        assert!(list.contains(id) && list.contains("water 3"), "{list}");
        assert!(!list.contains(secret) && !list.contains(&secret[5..25]), "{list}");
    }
    // Nor does a demo key open anything here.
    server.with("demo-admin").get("/v1/me").await.problem(401, "unauthorized");
    home.guli(&["key", "revoke", id]).ok();
    holder.get("/v1/me").await.problem(401, "unauthorized");
    assert!(home.guli(&["key", "list", "--json"]).ok().json()[0]["revoked_at"].is_string());
    // It stays revoked, and the secret was never written down.
    server.kill();
    let server = home.serve();
    server.with(secret).get("/v1/me").await.problem(401, "unauthorized");
    for name in ["guli.db", "guli.db-wal", "stderr.log"] {
        let bytes = fs::read(home.path().join(name)).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{name}");
    }
}

/// Where the command line has no way into the server, the server looks at the database.
#[tokio::test]
async fn on_postgres_a_key_opens_and_closes_beside_the_server() {
    let Some(postgres) = PostgresServer::start() else { return };
    let home = Home::empty();
    let beside = ["--database", &*postgres.address(), "--key-file", "guli.key"];
    let server = home.start(home.command(&[&["serve", "--listen", "127.0.0.1:0"][..], &beside].concat()));
    let create = ["key", "create", "--role", "admin", "--scope", "everywhere", "--json"];
    let made = home.guli(&[&create[..], &beside].concat()).ok().json();
    let holder = server.with(made["key"].as_str().unwrap());
    let answers = async |status: u16| {
        for _ in 0..100 {
            if holder.get("/v1/me").await.status == status {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        false
    };
    assert!(answers(200).await, "{}", home.log());
    home.guli(&[&["key", "revoke", made["id"].as_str().unwrap()][..], &beside].concat()).ok();
    assert!(answers(401).await, "{}", home.log());
}

#[test]
fn a_key_for_what_does_not_exist_is_not_made() {
    let home = Home::empty();
    for (role, scope, said) in [
        ("mayor", "everywhere", "--role"),
        ("crew", "unit:water", "--scope"),
        ("crew", "everywhere", "unit:CODE"),
        ("crew", "unit:*", "unit:CODE"),
        ("patrol", "grid:*", "grid:CODE"),
        ("resident", "everywhere", "residents need no key"),
    ] {
        let refused = home.guli(&["key", "create", "--role", role, "--scope", scope]).refused();
        assert!(refused.err().contains(said), "{}", refused.err());
    }
    let refused = home.guli(&["key", "revoke", "no-id"]).refused();
    assert!(refused.err().contains("guli key list"), "{}", refused.err());
}

#[test]
fn the_demo_listens_to_nobody_else() {
    let home = Home::empty();
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused = home.guli(&["demo", "--dir", ".", "--listen", listen]).refused();
        assert!(refused.err().contains("loopback only"), "{}", refused.err());
        assert!(!home.database().exists());
    }
}

#[test]
fn an_unknown_setting_stops_the_start_and_is_named() {
    let home = Home::empty();
    home.write("guli.toml", "listen = \"127.0.0.1:0\"\ndatabse = \"sqlite://guli.db\"\n");
    let refused = home.guli(&["serve"]).refused();
    assert!(refused.err().contains("databse") && refused.err().contains("guli.toml"), "{}", refused.err());
    home.write("other.toml", "listen = \"nowhere\"\n");
    let refused = home.guli(&["serve", "--config", "other.toml"]).refused();
    assert!(refused.err().contains("listen"), "{}", refused.err());
    assert!(!home.database().exists());
}

#[test]
fn every_command_shows_by_example_how_it_is_used() {
    let home = Home::empty();
    for command in [
        &[][..],
        &["serve"],
        &["demo"],
        &["demo", "generate"],
        &["import"],
        &["import", "list"],
        &["import", "undo"],
        &["export"],
        &["resolve"],
        &["doctor"],
        &["key"],
        &["key", "create"],
        &["key", "list"],
        &["key", "revoke"],
    ] {
        let help = home.guli(&[command, &["--help"]].concat()).ok().out();
        let example = format!("\n  guli {}", command.join(" "));
        assert!(help.contains("Examples:") && help.contains(example.trim_end()), "{command:?}\n{help}");
    }
}
