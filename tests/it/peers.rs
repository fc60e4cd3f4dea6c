//! Servers with some districts each, which send on to each other what is the other's.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::{Client, fresh_key};
use crate::support::districts::{FIRST, SECOND, World, first_cover};
use crate::support::proxy::{Proxy, Wire};
use crate::support::server::Server;

const ANY: [(&str, &str); 1] = [("If-Match", "*")];

/// A port that nobody listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server of one district that knows where the other is.
async fn serve<'w>(world: &'w World, listen: &str, own: &str, other: &str, peer: &str) -> Server<'w> {
    let server = world.serve_on(listen, &["--serve-districts", own, "--peer", &format!("{other}={peer}")]);
    server.is_ready().await;
    server
}

/// A server of the first district and one of the second, which name each other.
async fn both(world: &World) -> (Server<'_>, Server<'_>) {
    let listen = format!("127.0.0.1:{}", free_port());
    let second = serve(world, "127.0.0.1:0", SECOND, FIRST, &format!("http://{listen}")).await;
    let first = serve(world, &listen, FIRST, SECOND, &second.address).await;
    (first, second)
}

fn pin(cover: &Value) -> String {
    format!("/v1/resolve?lon={}&lat={}&accuracy_m=1", cover["position"]["lon"], cover["position"]["lat"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_reaches_the_server_of_its_district() {
    let Some(world) = World::new() else { return };
    let (first, second) = both(&world).await;
    let (here, there) = (world.admin(&first), world.admin(&second));
    let cover = first_cover(&there, SECOND).await;
    let path = format!("/v1/covers/{}", cover["code"].as_str().unwrap());
    // By code, by query, by coordinate; in both directions.
    let sent_on = here.get(&path).await;
    assert_eq!((sent_on.expect(200), sent_on.header("via")), (there.get(&path).await.expect(200), Some("1.1 guli")));
    assert_eq!(first_cover(&here, SECOND).await, cover);
    let own = first_cover(&here, FIRST).await;
    assert_eq!(here.get(&pin(&own)).await.header("via"), None);
    for (client, cover) in [(first.anyone(), &cover), (second.anyone(), &own)] {
        let resolved = client.get(&pin(cover)).await;
        assert_eq!(resolved.header("via"), Some("1.1 guli"));
        assert_eq!(resolved.expect(200)["candidates"][0]["cover"]["code"], cover["code"]);
    }
    // A refusal is the peer's, in the caller's language; so is what a caller without a key may see.
    let refused = here.get_with("/v1/covers/3801010101999999", &[("Accept-Language", "zh-CN")]).await;
    assert!(refused.status == 404 && refused.text.contains("不存在"), "{}", refused.text);
    assert_eq!(first.anyone().get(&path).await.status, second.anyone().get(&path).await.status);
    a_batch_is_answered_line_by_line(&first, &second, &own, &cover).await;
    a_version_is_meant_for_the_peer(&here, &path).await;
    a_report_is_stored_once(&world, &first, &second, &cover).await;
    a_file_is_handed_on(&here, &there, &cover).await;
    let stream = changes_come_as_they_happen(&world, &first, &there, &path).await;
    // Nor does a stream that has no end keep the server from ending.
    let told = Instant::now();
    assert!(first.stop().success() && told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    drop(stream);
}

/// Each line by the server of its district, all in their order.
async fn a_batch_is_answered_line_by_line(first: &Server<'_>, second: &Server<'_>, own: &Value, other: &Value) {
    let pin = |id: &str, cover: &Value| json!({"id": id, "position": cover["position"]}).to_string();
    let lines = [
        pin("there", other),
        pin("here", own),
        r#"{"id": "nowhere", "position": {"lon": 0, "lat": 0}}"#.to_owned(),
        "no JSON".to_owned(),
        pin("there again", other),
        r#"{"id": "wrong there", "position": {"lon": LON, "lat": LAT}, "category": "9999"}"#
            .replace("LON", &other["position"]["lon"].to_string())
            .replace("LAT", &other["position"]["lat"].to_string()),
    ];
    let ask = async |server: &Server<'_>| {
        let asked = reqwest::Client::new().post(format!("{}/v1/resolve/batch", server.address));
        let asked = asked.header("content-type", "application/x-ndjson").body(lines.join("\n"));
        let text = asked.send().await.unwrap().text().await.unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let answers = ask(first).await;
    assert_eq!(answers, ask(second).await, "whichever is asked");
    let told: Vec<_> = answers.iter().map(|answer| (&answer["line"], &answer["id"])).collect();
    let ids =
        [json!("there"), json!("here"), json!("nowhere"), Value::Null, json!("there again"), json!("wrong there")];
    assert_eq!(json!(told), json!((1..).zip(&ids).collect::<Vec<_>>()), "{answers:?}");
    for (n, cover) in [(0, other), (1, own), (4, other)] {
        assert_eq!(answers[n]["resolution"]["candidates"][0]["cover"]["code"], cover["code"], "{}", answers[n]);
    }
    for n in [2, 3] {
        assert!(
            answers[n]["problem"]["status"].is_number() && answers[n].get("resolution").is_none(),
            "{}",
            answers[n]
        );
    }
}

async fn a_file_is_handed_on(here: &Client, there: &Client, cover: &Value) {
    let (lon, lat) = (&cover["position"]["lon"], &cover["position"]["lat"]);
    let file = format!("external_id,category,owner,lon,lat\nnew-1,0127,380101-WAT01,{lon},{lat}\n");
    let report = here.import("source=380101-WAT01&district=380101", "new.csv", &file).await;
    assert_eq!(report.expect(201)["counts"]["created"], 1, "{}", report.text);
    there.get(report.header("location").unwrap()).await.expect(200);
}

async fn a_version_is_meant_for_the_peer(here: &Client, path: &str) {
    let etag = here.get(path).await.header("etag").unwrap().to_owned();
    let mended = here.patch(path, &[("If-Match", &etag)], &json!({ "note_of_nobody": "x" })).await;
    assert_eq!(mended.status, 422, "{}", mended.text);
    let moved = here.patch(path, &[("If-Match", &etag)], &json!({ "status": "abandoned" })).await;
    moved.expect(200);
    here.patch(path, &[("If-Match", &etag)], &json!({ "status": "in_service" })).await.problem(412, "stale-version");
    let feed = moved.header("guli-feed").unwrap();
    assert_eq!(here.get_with(path, &[("Guli-Min-Feed", feed)]).await.expect(200)["status"], "abandoned");
}

/// By its place or by its cover, which both stand in the body.
async fn a_report_is_stored_once(world: &World, first: &Server<'_>, second: &Server<'_>, cover: &Value) {
    let place = json!({ "position": cover["position"], "damage": "broken" });
    let plate = json!({ "cover": cover["code"], "damage": "broken" });
    for report in [place, plate] {
        let key = fresh_key();
        let headers = [("Idempotency-Key", &*key), ("x-request-id", &*key)];
        let sent_on = first.anyone().post("/v1/reports", &headers, &report).await;
        let created = sent_on.expect(201);
        assert!(created["work_order"]["code"].as_str().unwrap().starts_with("WO-380101-"), "{created}");
        assert_eq!(sent_on.header("x-request-id"), Some(&*key));
        assert_eq!(world.home.log().matches(&*key).count(), 2, "both servers log the request under its id");
        assert_eq!(second.anyone().post("/v1/reports", &headers, &report).await.expect(201), created);
        let tracked = format!("/v1/reports/{}", created["report"]["tracking_token"].as_str().unwrap());
        assert_eq!(first.anyone().get(&tracked).await.expect(200), second.anyone().get(&tracked).await.expect(200));
    }
    let refused = first.anyone().post("/v1/reports", &[], &json!({ "cover": cover["code"], "damage": "burnt" })).await;
    refused.problem(422, "invalid");
}

async fn changes_come_as_they_happen(
    world: &World,
    first: &Server<'_>,
    there: &Client,
    path: &str,
) -> reqwest::Response {
    let events = format!("{}/v1/events?district={SECOND}", first.address);
    let stream = reqwest::Client::new().get(events).bearer_auth(&world.key).send();
    let mut stream = stream.await.unwrap();
    let mut read = String::new();
    let mut changed = false;
    while !read.contains("cover.updated") {
        let chunk = tokio::time::timeout(Duration::from_secs(20), stream.chunk()).await.expect(&read);
        read += std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap();
        if !std::mem::replace(&mut changed, true) {
            there.patch(path, &ANY, &json!({ "status": "in_service" })).await.expect(200);
        }
    }
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_that_name_each_other_send_nothing_to_and_fro() {
    let Some(world) = World::new() else { return };
    let listen = format!("127.0.0.1:{}", free_port());
    let another = serve(&world, "127.0.0.1:0", FIRST, SECOND, &format!("http://{listen}")).await;
    let server = serve(&world, &listen, FIRST, SECOND, &another.address).await;
    let path = format!("/v1/covers?district={SECOND}");
    world.admin(&server).get(&path).await.problem(421, "other-district");
    // Without a peer it is refused as ever.
    let alone = world.serve(&["--serve-districts", FIRST]);
    alone.is_ready().await;
    world.admin(&alone).get(&path).await.problem(421, "other-district");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_away_or_silent_is_given_up() {
    let Some(world) = World::new() else { return };
    let second = world.serve(&["--serve-districts", SECOND]);
    second.is_ready().await;
    let wire = Proxy::before(second.address.rsplit(':').next().unwrap().parse().unwrap()).await;
    let first = serve(&world, "127.0.0.1:0", FIRST, SECOND, &format!("http://127.0.0.1:{}", wire.port)).await;
    let nowhere = serve(&world, "127.0.0.1:0", FIRST, SECOND, &format!("http://127.0.0.1:{}", free_port())).await;
    let covers = [first_cover(&world.admin(&first), FIRST).await, first_cover(&world.admin(&second), SECOND).await];

    let refused = nowhere.anyone().get(&pin(&covers[1])).await;
    let detail = refused.problem(503, "unavailable")["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("380101 cannot be reached") && refused.header("retry-after").is_some(), "{detail}");
    nowhere.anyone().get(&pin(&covers[0])).await.expect(200);

    first.anyone().get(&pin(&covers[1])).await.expect(200);
    wire.set(Wire::Cut);
    let report = json!({ "cover": covers[1]["code"], "damage": "broken" });
    first.anyone().post("/v1/reports", &[], &report).await.problem(503, "unavailable");
    wire.set(Wire::Silent);
    let started = Instant::now();
    let waiting = tokio::spawn({
        let (client, path) = (first.anyone(), pin(&covers[1]));
        async move { client.get(&path).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    first.anyone().get(&pin(&covers[0])).await.expect(200);
    let refused = waiting.await.unwrap();
    let detail = refused.problem(503, "unavailable")["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("did not answer") && started.elapsed() < Duration::from_secs(40), "{detail}");
    wire.set(Wire::Whole);
    first.anyone().get(&pin(&covers[1])).await.expect(200);
}
