//! Several servers before one `PostgreSQL`: what one commits the others show, and nothing that was acknowledged is lost
//! when servers, the database or the wire between them fail.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::Home;
use crate::support::client::Client;
use crate::support::load::{Entry, Load, Places, acknowledged_is_kept, random, send_the_rest};
use crate::support::postgres::PostgresServer;
use crate::support::proxy::{Proxy, Wire};
use crate::support::server::Server;

const COVER: &str = "/v1/covers/3702030101001370";

/// A server on this database which knows the demo's keys.
fn serve<'h>(home: &'h Home, database: &str) -> Server<'h> {
    let place = ["--listen", "127.0.0.1:0", "--key-file", "guli.key", "--database", database];
    home.start(home.command(&[&["demo", "--dir", "."][..], &place].concat()))
}

/// Asks until the answer is as it should be; fails the test when that takes very long.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_mins(1), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    started.elapsed()
}

async fn is_ready(server: &Server<'_>) -> bool {
    server.anyone().get("/readyz").await.status == 200
}

async fn ready(servers: &[&Server<'_>]) {
    for server in servers {
        server.is_ready().await;
    }
}

/// All that a server shows of its memory: covers, areas, open orders.
async fn memory(server: &Server<'_>) -> Vec<Vec<u8>> {
    let admin = server.with("demo-admin");
    let mut shown = Vec::new();
    for layer in ["covers", "grids", "work-orders"] {
        shown.push(admin.get_bytes(&format!("/v1/layers/{layer}.geojsonl?out_crs=EPSG:4326")).await);
    }
    shown
}

/// What a server has in memory is what one that starts now reads.
async fn remembers_what_is_stored(home: &Home, database: &str, servers: &[&Server<'_>]) {
    let fresh = serve(home, database);
    ready(&[&fresh]).await;
    let expected = memory(&fresh).await;
    for server in servers {
        let same = async || is_ready(server).await && memory(server).await == expected;
        until("a server shows what a new one shows", same).await;
    }
}

/// The feed has every number once, in order, and is the same at every server.
async fn feed(server: &Server<'_>) -> Vec<Value> {
    let admin = server.with("demo-admin");
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = admin.get(&format!("/v1/changes?after={after}&limit=1000")).await.expect(200);
        let items = page["items"].as_array().unwrap();
        if items.is_empty() {
            break;
        }
        for item in items {
            after += 1;
            assert_eq!(item["seq"], after, "a gap in the feed");
        }
        events.extend(items.iter().cloned());
    }
    events
}

fn is_of_a_report(event: &Value) -> bool {
    matches!(event["kind"].as_str(), Some("work_order.opened" | "work_order.joined"))
}

async fn patch(client: &Client, position: &Value) -> String {
    let moved = client.patch(COVER, &[("If-Match", "*")], &json!({ "position": position })).await;
    moved.expect(200);
    moved.header("guli-feed").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_server_commits_the_others_show() {
    let Some(postgres) = PostgresServer::with_district() else { return };
    let home = Home::with_district();
    let servers = [(); 3].map(|()| serve(&home, &postgres.address()));
    ready(&servers.each_ref()).await;
    let (here, there) = (servers[0].with("demo-admin"), servers[1].with("demo-admin"));
    let before = here.get(COVER).await.expect(200)["position"].clone();
    let (lon, lat) = (before["lon"].as_f64().unwrap(), before["lat"].as_f64().unwrap());

    // Read-your-writes at another server, for whoever sends back where the write stands.
    for step in 1..=10 {
        let moved = json!({ "lon": lon + 1e-6 * f64::from(step), "lat": lat });
        let feed = patch(&here, &moved).await;
        let seen = there.get_with(COVER, &[("Guli-Min-Feed", &feed)]).await.expect(200);
        let off = seen["position"]["lon"].as_f64().unwrap() - moved["lon"].as_f64().unwrap();
        assert!(off.abs() < 1e-8, "{off}");
    }
    // Without that, soon: the pin is resolved to the cover at its new place.
    let moved = json!({ "lon": lon + 2e-3, "lat": lat });
    patch(&here, &moved).await;
    for server in &servers[1..] {
        let path = format!("/v1/resolve?lon={}&lat={lat}&accuracy_m=1", lon + 2e-3);
        let resolved = async || {
            let found = server.anyone().get(&path).await.expect(200);
            found["candidates"][0]["cover"]["code"] == "3702030101001370"
        };
        until("the cover is found at its new place", resolved).await;
    }
    // An organisation's name, a grid's name, an order: whatever is shown from memory.
    let admin = servers[2].with("demo-admin");
    admin.patch("/v1/organizations/370203-WAT01", &[("If-Match", "*")], &json!({"name": "新水务"})).await.expect(200);
    let grid = here.get(COVER).await.expect(200)["grid"]["code"].as_str().unwrap().to_owned();
    admin.patch(&format!("/v1/grids/{grid}"), &[("If-Match", "*")], &json!({"name": "新网格"})).await.expect(200);
    let report = json!({ "cover": "3702030101001370", "damage": "broken" });
    servers[2].anyone().post("/v1/reports", &[], &report).await.expect(201);
    for server in &servers {
        let nearby = format!("/v1/resolve?lon={}&lat={lat}&include=open_orders", lon + 2e-3);
        let shown = async || {
            let found = server.with("demo-admin").get(&nearby).await.expect(200);
            let cover = &found["candidates"][0];
            let names = server.with("demo-admin").get(COVER).await.expect(200).to_string();
            cover["open_order"].is_object() && names.contains("新网格")
        };
        until("every server shows it", shown).await;
    }
    // Two grids exchange their ground: each cover on it is told of, and lies in the other grid at every server.
    let before = here.get(COVER).await.expect(200);
    let community = &grid[..12];
    let grids = here.get(&format!("/v1/grids?community={community}&limit=10")).await.expect(200)["items"].clone();
    let grids = grids.as_array().unwrap();
    let own = grids.iter().find(|other| other["code"] == *grid).unwrap();
    let other = grids.iter().find(|other| other["code"] != *grid).unwrap();
    let redraw = json!({"grids": [
        {"code": grid, "name": "甲", "geometry": other["geometry"]},
        {"code": other["code"], "name": "乙", "geometry": own["geometry"]},
    ]});
    let redrawn = admin.post("/v1/grids/redraw", &[], &redraw).await;
    let covers = redrawn.expect(200)["effects"]["cover_count"].as_u64().unwrap();
    let head = redrawn.header("guli-feed").unwrap().to_owned();
    for server in &servers {
        let client = server.with("demo-admin");
        let seen = client.get_with(COVER, &[("Guli-Min-Feed", &head)]).await.expect(200);
        let version = before["version"].as_i64().unwrap() + 1;
        assert_eq!((&seen["grid"]["code"], &seen["version"]), (&other["code"], &json!(version)));
        let events = feed(server).await;
        let told: Vec<_> = events.iter().filter(|event| event["kind"] == "cover.regridded").collect();
        let own = told.iter().find(|event| COVER.ends_with(event["code"].as_str().unwrap())).unwrap();
        assert_eq!((told.len() as u64, &own["version"]), (covers, &json!(version)));
    }
    // Whether anybody can be called at a unit, by its telephone or as one of its people: a check elsewhere knows.
    let found = async |unreachable: bool| {
        for server in &servers {
            let client = server.with("demo-admin");
            let is_so = async || {
                let found = client.get("/v1/quality?rule=unit-unreachable").await.expect(200)["items"].to_string();
                found.contains("370203-WAT01") == unreachable
            };
            until("every server finds the unit as it is", is_so).await;
        }
    };
    found(false).await;
    let unit = async |phone: Value| {
        let path = "/v1/organizations/370203-WAT01";
        admin.patch(path, &[("If-Match", "*")], &json!({ "phone": phone })).await.expect(200);
    };
    unit(Value::Null).await;
    found(true).await;
    let person = json!({"name": "王示范", "organization": "370203-WAT01"});
    let person = admin.post("/v1/people", &[], &person).await.expect(201)["code"].as_str().unwrap().to_owned();
    found(false).await;
    let left = admin.delete(&format!("/v1/people/{person}"), &[("If-Match", "*")]).await;
    assert_eq!(left.status, 204);
    found(true).await;
    unit(json!("0532-00000107")).await;
    found(false).await;
    remembers_what_is_stored(&home, &postgres.address(), &servers.each_ref()).await;
    let feeds = [feed(&servers[0]).await, feed(&servers[1]).await];
    assert_eq!(feeds[0], feeds[1]);
    // What no server has come to is waited for, and then said.
    let beyond = there.get_with(COVER, &[("Guli-Min-Feed", "370203:99999999")]).await;
    beyond.problem(503, "unavailable");
    there.get_with(COVER, &[("Guli-Min-Feed", "yesterday")]).await.problem(422, "invalid");
}

/// Each client's reports, sent again to any server under the same keys, are answered as they were.
async fn nothing_is_lost(servers: &[&Server<'_>], journals: &mut [Vec<Entry>]) {
    for (n, journal) in journals.iter_mut().enumerate() {
        let another = servers[(n + 1) % servers.len()].anyone();
        acknowledged_is_kept(&another, journal).await;
        send_the_rest(&another, journal).await;
        acknowledged_is_kept(&servers[n % servers.len()].anyone(), journal).await;
    }
}

/// A server that has just written to a district writes the next reports without a look at what is stored: a key that was
/// used and what others wrote meanwhile are noticed all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_without_a_look_is_answered_as_with_one() {
    let Some(postgres) = PostgresServer::stopped_with_district() else { return };
    postgres.pg_ctl_start_with("-c log_statement=all");
    let home = Home::with_district();
    let servers = [(); 2].map(|()| serve(&home, &postgres.address()));
    ready(&servers.each_ref()).await;
    let (here, there) = (servers[0].anyone(), servers[1].anyone());
    let covers = servers[0].with("demo-admin").get("/v1/covers?limit=40").await.expect(200);
    let mut covers = covers["items"].as_array().unwrap().iter().map(|cover| cover["code"].as_str().unwrap().to_owned());
    let mut fresh = || json!({ "cover": covers.next().unwrap(), "damage": "noisy" });
    let mut opened = std::collections::BTreeSet::new();
    for round in 0..20 {
        let (key, report) = (format!("without-a-look-{round:08}"), fresh());
        let keyed = [("Idempotency-Key", key.as_str())];
        let first = here.post("/v1/reports", &keyed, &report).await;
        let order = first.expect(201)["work_order"]["code"].as_str().unwrap().to_owned();
        assert!(opened.insert(order), "{first:?}");
        let again = here.post("/v1/reports", &keyed, &report).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text));
        // Refused for the key, whether it would be accepted or not.
        for damage in ["broken", "purple"] {
            let other = json!({ "cover": report["cover"], "damage": damage });
            here.post("/v1/reports", &keyed, &other).await.problem(422, "idempotency-mismatch");
        }
        let other = there.post("/v1/reports", &[], &fresh()).await.expect(201);
        assert!(opened.insert(other["work_order"]["code"].as_str().unwrap().to_owned()), "{other}");
    }
    assert!(postgres.log().contains("WITH head AS (UPDATE district_head"), "every group took a look");
    let reported = feed(&servers[0]).await.iter().filter(|event| is_of_a_report(event)).count();
    assert_eq!(reported, 40);
    remembers_what_is_stored(&home, &postgres.address(), &servers.each_ref()).await;
}

/// Reports that come while others are being written are decided before those are stored: still a cover has one open order,
/// and a key one report.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_at_once_open_one_order_for_a_cover() {
    let Some(postgres) = PostgresServer::with_district() else { return };
    let home = Home::with_district();
    let servers = [(); 2].map(|()| serve(&home, &postgres.address()));
    ready(&servers.each_ref()).await;
    let admin = servers[0].with("demo-admin");
    let covers = admin.get("/v1/covers?limit=480").await.expect(200);
    let covers: Vec<&str> =
        covers["items"].as_array().unwrap().iter().filter_map(|item| item["code"].as_str()).collect();
    // Eight at once, each of which reports cover after cover twice: a moment apart, or under one key. Of the first half
    // one server takes both, of the second each takes one.
    let (one, both) = covers.split_at(covers.len() / 2);
    for (covers, other) in [(one, &servers[0]), (both, &servers[1])] {
        let pairs = covers.chunks(covers.len() / 8).map(|covers| {
            let clients = [servers[0].anyone(), other.anyone()];
            async move {
                for (n, cover) in covers.iter().enumerate() {
                    let is_one_key = n % 3 == 0;
                    let report = |second: bool| {
                        let key = format!("at-once-{cover}-{}", second && !is_one_key);
                        let client = &clients[usize::from(second)];
                        async move {
                            tokio::time::sleep(Duration::from_millis(if second { random(4) as u64 } else { 0 })).await;
                            let report = json!({ "cover": cover, "damage": "noisy" });
                            client.post("/v1/reports", &[("Idempotency-Key", &key)], &report).await.expect(201)
                        }
                    };
                    let (first, second) = tokio::join!(report(false), report(true));
                    assert_eq!(first["work_order"]["code"], second["work_order"]["code"], "{first} {second}");
                    assert_eq!(first == second, is_one_key, "{first} {second}");
                }
            }
        });
        join_all(pairs).await;
    }
    let open = admin.get("/v1/work-orders?limit=1000").await.expect(200);
    assert_eq!(open["items"].as_array().unwrap().len(), covers.len(), "one order for each cover");
    let reported = feed(&servers[1]).await.iter().filter(|event| is_of_a_report(event)).count();
    assert_eq!(reported, 2 * covers.len() - covers.len() / 3);
    remembers_what_is_stored(&home, &postgres.address(), &servers.each_ref()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_come_and_go_under_load() {
    let Some(postgres) = PostgresServer::with_district() else { return };
    let home = Home::with_district();
    let places = Arc::new(Places::of(&home).await);
    let database = postgres.address();
    let staying = serve(&home, &database);
    ready(&[&staying]).await;
    let load = Load::start(16, &staying.anyone(), &places);
    let admin = staying.with("demo-admin");
    let mut journals = Vec::new();
    for round in 1..=4 {
        let coming = serve(&home, &database);
        ready(&[&coming]).await;
        let other = Load::start(16, &coming.anyone(), &places);
        // The registry changes under the reports.
        patch(&admin, &json!({ "lon": 120.3415 + 1e-4 * f64::from(round), "lat": 36.1156 })).await;
        other.reaches(100 + random(200), 0).await;
        coming.kill();
        journals.push(other.end().await);
    }
    journals.push(load.end().await);
    let second = serve(&home, &database);
    ready(&[&second]).await;
    nothing_is_lost(&[&staying, &second], &mut journals).await;
    remembers_what_is_stored(&home, &database, &[&staying, &second]).await;
    let events = feed(&staying).await;
    let reports: usize = journals.iter().map(Vec::len).sum();
    assert_eq!(
        events.iter().filter(|event| is_of_a_report(event)).count(),
        reports,
        "a report was lost or stored twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_fails_loses_nothing() {
    let Some(postgres) = PostgresServer::stopped_with_district() else { return };
    let home = Home::with_district();
    let places = Arc::new(Places::of(&home).await);
    // The server waits for its database, and says so.
    let server = serve(&home, &postgres.address());
    assert_eq!(server.anyone().get("/healthz").await.status, 200);
    server.anyone().get("/readyz").await.problem(503, "unavailable");
    let refused = server.anyone().post("/v1/reports", &[], &json!({})).await;
    refused.problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some());
    assert!(home.log().contains("the database is away"), "{}", home.log());
    postgres.pg_ctl_start();
    ready(&[&server]).await;

    let load = Load::start(24, &server.anyone(), &places);
    load.reaches(200, 0).await;
    for round in 1..=2 {
        postgres.stop_at_once();
        load.reaches(200, 20 * round).await;
        // What is in memory is still answered, with its age, and the server asks for no more work.
        until("the server is no longer ready", async || !is_ready(&server).await).await;
        let says_its_age = async || {
            let resolved = server.anyone().get("/v1/resolve?lon=120.33641&lat=36.11537").await;
            resolved.expect(200);
            resolved.header("guli-index-age").is_some()
        };
        until("an answer says how old it is", says_its_age).await;
        postgres.pg_ctl_start();
        ready(&[&server]).await;
        load.reaches(200 * (round + 1), 0).await;
    }
    let mut journals = [load.end().await];
    nothing_is_lost(&[&server], &mut journals).await;
    remembers_what_is_stored(&home, &postgres.address(), &[&server]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wire_that_fails_loses_nothing() {
    let Some(postgres) = PostgresServer::with_district() else { return };
    let home = Home::with_district();
    let places = Arc::new(Places::of(&home).await);
    let proxy = Proxy::before(postgres.port()).await;
    let far = serve(&home, &format!("postgres://guli@127.0.0.1:{}/postgres?sslmode=disable", proxy.port));
    let near = serve(&home, &postgres.address());
    ready(&[&far, &near]).await;
    let load = Load::start(8, &far.anyone(), &places);
    let other = Load::start(8, &near.anyone(), &places);
    let admin = near.with("demo-admin");
    for (round, wire) in [Wire::Cut, Wire::Slow(Duration::from_millis(15)), Wire::Silent].into_iter().enumerate() {
        load.reaches(60 * (round + 1), 0).await;
        proxy.set(wire);
        patch(&admin, &json!({ "lon": 120.3425 + 1e-4 * round as f64, "lat": 36.1156 })).await;
        if matches!(wire, Wire::Slow(_)) {
            load.reaches(60 * (round + 1) + 20, 0).await;
        } else {
            until("the server is no longer ready", async || !is_ready(&far).await).await;
            far.anyone().get("/v1/resolve?lon=120.33641&lat=36.11537").await.expect(200);
        }
        proxy.set(Wire::Whole);
        ready(&[&far]).await;
    }
    let mut journals = [load.end().await, other.end().await];
    nothing_is_lost(&[&far, &near], &mut journals).await;
    remembers_what_is_stored(&home, &postgres.address(), &[&far, &near]).await;
    feed(&far).await;
}

/// An administrator ends a server's connections, in the middle of whatever they do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_ended_lose_nothing() {
    const END: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'guli'";
    let Some(postgres) = PostgresServer::with_district() else { return };
    let home = Home::with_district();
    let places = Arc::new(Places::of(&home).await);
    let server = serve(&home, &postgres.address());
    ready(&[&server]).await;
    let mut administrator = postgres.look().await;
    let load = Load::start(24, &server.anyone(), &places);
    for round in 1..=20 {
        load.reaches(40 * round, 0).await;
        tokio::time::sleep(Duration::from_millis(random(20) as u64)).await;
        let ended: i64 = sqlx::query_scalar(END).fetch_one(&mut administrator).await.unwrap();
        assert!(ended > 0);
    }
    load.reaches(1_000, 0).await;
    ready(&[&server]).await;
    let mut journals = [load.end().await];
    nothing_is_lost(&[&server], &mut journals).await;
    remembers_what_is_stored(&home, &postgres.address(), &[&server]).await;
    let reports = feed(&server).await.iter().filter(|event| is_of_a_report(event)).count();
    assert_eq!(reports, journals[0].len(), "a report was lost or stored twice");
}

/// Whoever reads while the database says nothing is refused in time, and takes nobody's place afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_a_silent_database_give_their_places_back() {
    let Some(postgres) = PostgresServer::with_district() else { return };
    let home = Home::with_district();
    let proxy = Proxy::before(postgres.port()).await;
    let far = serve(&home, &format!("postgres://guli@127.0.0.1:{}/postgres?sslmode=disable", proxy.port));
    ready(&[&far]).await;
    let history = format!("{COVER}/history");
    // More than there are connections, so that some read and others wait for one.
    let readers = (0..24).map(|_| {
        let (client, history) = (far.with("demo-admin"), history.clone());
        tokio::spawn(async move {
            loop {
                let asked = Instant::now();
                let reply = client.get(&history).await;
                if reply.status != 200 {
                    return (reply, asked.elapsed());
                }
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    proxy.set(Wire::Silent);
    until("the server is no longer ready", async || !is_ready(&far).await).await;
    far.anyone().get("/v1/resolve?lon=120.33641&lat=36.11537").await.expect(200);
    for reader in readers {
        let (refused, waited) = reader.await.unwrap();
        refused.problem(503, "unavailable");
        assert!(waited < Duration::from_secs(35), "{waited:?}");
    }
    proxy.set(Wire::Whole);
    ready(&[&far]).await;
    let took = until("it can be read again", async || far.with("demo-admin").get(&history).await.status == 200).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// What two files say of one district at the same time is all there, whichever is taken first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_import_into_one_district_at_once() {
    let Some(postgres) = PostgresServer::with_district() else { return };
    let home = Home::with_district();
    let servers = [(); 2].map(|()| serve(&home, &postgres.address()));
    ready(&servers.each_ref()).await;
    let (one, other) = (servers[0].with("demo-admin"), servers[1].with("demo-admin"));
    for round in 0..4 {
        let unit = |n| format!("370203-T{round}{n:03},单位{round}-{n},utility");
        let cover = |n| {
            let (lon, lat) = (120.3415 + 2e-4 * f64::from(n), 36.1156 + 2e-4 * f64::from(round));
            format!("try-{round}-{n},0101,370203-WAT01,{lon:.6},{lat:.6}")
        };
        let units = format!("code,name,kind\n{}\n", (0..50).map(unit).collect::<Vec<_>>().join("\n"));
        let covers = (0..50).map(cover).collect::<Vec<_>>().join("\n");
        let covers = format!("external_id,category,owner,lon,lat\n{covers}\n");
        let (brought, beside) = tokio::join!(
            one.import("kind=organizations&district=370203", "units.csv", &units),
            other.import("source=370203-WAT01&keep_going=true", "covers.csv", &covers),
        );
        for report in [brought.expect(201), beside.expect(201)] {
            assert_eq!(report["counts"]["created"], 50, "{report}");
        }
    }
    remembers_what_is_stored(&home, &postgres.address(), &servers.each_ref()).await;
    for client in [&one, &other] {
        client.get("/v1/organizations/370203-T3049").await.expect(200);
    }
    assert_eq!(feed(&servers[0]).await, feed(&servers[1]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_served_elsewhere_is_misdirected() {
    let Some(postgres) = PostgresServer::with_district() else { return };
    let home = Home::with_district();
    let database = postgres.address();
    let place =
        ["--listen", "127.0.0.1:0", "--key-file", "guli.key", "--database", &database, "--serve-districts", "370202"];
    let server = home.start(home.command(&[&["serve"][..], &place].concat()));
    ready(&[&server]).await;
    let anyone = server.anyone();
    for path in [
        "/v1/resolve?lon=120.33641&lat=36.11537",
        COVER,
        "/v1/grids/370203005002003",
        "/v1/work-orders/WO-370203-261123-00042-3",
        "/v1/covers?district=370203",
        "/v1/reports/37020300000000000000000000000000",
    ] {
        anyone.get(path).await.problem(421, "other-district");
    }
    let pin = json!({ "position": { "lon": 120.33641, "lat": 36.11537 }, "damage": "broken" });
    anyone.post("/v1/reports", &[], &pin).await.problem(421, "other-district");
    let plate = json!({ "cover": "3702030101001370", "damage": "broken" });
    anyone.post("/v1/reports", &[], &plate).await.problem(421, "other-district");
    // What nobody serves is another matter.
    anyone.get("/v1/resolve?lon=116.4&lat=39.9").await.problem(422, "outside-service-area");
    anyone.get("/v1/grids/370299005002003").await.problem(404, "not-found");
    let wrong = home.guli(&["serve", "--serve-districts", "Shibei"]).refused();
    assert!(wrong.err().contains("districts"), "{}", wrong.err());
}
