//! Stories of the people who use Guli, over HTTP, on the demo district.

use serde_json::{Value, json};

use crate::support::Home;
use crate::support::client::fresh_key;

/// The README's pin, and the cover that lies there.
const PIN: &str = "lon=120.33641&lat=36.11537";
const COVER: &str = "3702030101001370";

fn pin() -> Value {
    json!({"lon": 120.33641, "lat": 36.11537, "accuracy_m": 5})
}

/// Numbers that mean three places: outside the district in WGS 84, where no cover is in GCJ-02, and
/// between several covers in BD-09.
fn numbers(crs: &str) -> Value {
    json!({"lon": 120.37, "lat": 36.08, "crs": crs})
}

fn code(reported: &Value) -> String {
    reported["work_order"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_pin_means_the_same_cover_in_every_coordinate_system() {
    let home = Home::with_district();
    let server = home.demo();
    let anyone = server.anyone();
    let shown = anyone.get(&format!("/v1/resolve?{PIN}")).await.expect(200);
    assert_eq!(shown["match"], "matched");
    for crs in ["EPSG:4326", "EPSG:4490", "GCJ-02", "BD-09", "EPSG:4549", "EPSG:4528", "EPSG:3857"] {
        // As an app that uses this system shows the pin, so it sends it.
        let there = anyone.get(&format!("/v1/resolve?{PIN}&out_crs={crs}")).await.expect(200);
        let position = there["position"].as_object().unwrap();
        let query: Vec<_> = position.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = format!("/v1/resolve?{}&crs={crs}", query.join("&"));
        let answer = anyone.get(&query).await.expect(200);
        assert_eq!(answer["match"], "matched", "{query}");
        assert_eq!(answer["candidates"][0]["cover"]["code"], COVER, "{query}");
        assert_eq!(answer["candidates"][0]["confidence"], shown["candidates"][0]["confidence"], "{query}");
        assert_eq!(answer["grid"], shown["grid"], "{query}");
    }
    assert_eq!(server.stop().code(), Some(0));
}

#[tokio::test]
async fn a_missing_cover_is_reported_secured_repaired_verified_and_closed() {
    let home = Home::with_district();
    let server = home.demo();
    let (anyone, crew, grid) = (server.anyone(), server.with("demo-crew"), server.with("demo-grid"));

    let body = json!({"position": {"lon": 120.341_494_6, "lat": 36.115_589_2, "crs": "GCJ-02", "accuracy_m": 5},
                      "damage": "missing", "description": "井盖没了", "channel": "wechat"});
    let key = fresh_key();
    let answer = anyone.post("/v1/reports", &[("Idempotency-Key", &key)], &body).await;
    let reported = answer.expect(201);
    assert_eq!((&reported["match"], &reported["merged"]), (&json!("matched"), &json!(false)));
    assert_eq!(reported["work_order"]["status"], "dispatched");
    // A resident learns who acts, not which cover or with what tasks.
    assert!(reported["work_order"]["responsible_unit"]["code"].is_string());
    assert!(reported["work_order"].get("tasks").is_none() && reported["work_order"].get("cover").is_none());
    let location = answer.header("location").unwrap().to_owned();
    assert_eq!(location, format!("/v1/reports/{}", reported["report"]["tracking_token"].as_str().unwrap()));
    let again = anyone.post("/v1/reports", &[("Idempotency-Key", &key)], &body).await;
    assert_eq!((again.status, again.text.as_str()), (answer.status, answer.text.as_str()));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));

    let order = code(&reported);
    let tracked = anyone.get(&location).await;
    assert_eq!(tracked.header("cache-control"), Some("no-store"));
    assert_eq!(tracked.expect(200)["work_order"]["code"], *order);

    // The crew sees it in its list, takes it with the version that it saw, and is refused with an old one.
    let list =
        crew.get("/v1/work-orders?status=open&near=120.33641,36.11537&radius_m=50&sort=distance").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["code"], *order);
    let path = format!("/v1/work-orders/{order}");
    let whole = crew.get(&path).await;
    assert_eq!(whole.header("etag"), Some("\"1\""));
    assert_eq!(whole.expect(200)["cover"]["code"], COVER);
    let accept = format!("{path}/accept");
    crew.post(&accept, &[], &json!({})).await.problem(428, "precondition-required");
    let accepted = crew.post(&accept, &[("If-Match", "\"1\"")], &json!({})).await;
    assert_eq!(accepted.header("etag"), Some("\"2\""));
    assert_eq!(accepted.expect(200)["status"], "accepted");
    crew.post(&accept, &[("If-Match", "\"1\"")], &json!({})).await.problem(412, "stale-version");
    let illegal = crew.act(&order, "accept", &json!({})).await.problem(409, "illegal-transition");
    // `status` is the problem's own, RFC 9457 has it so.
    assert_eq!((&illegal["order_status"], &illegal["legal"]), (&json!("accepted"), &json!(["arrive", "secure"])));

    let mut done = Value::Null;
    for (action, body, status) in [
        ("arrive", json!({"position": pin()}), "arrived"),
        ("secure", json!({"measure": "fence"}), "secured"),
        ("repair", json!({"done": "换上新井盖", "material": "球墨铸铁 D400"}), "repaired"),
    ] {
        done = crew.act(&order, action, &body).await.expect(200);
        assert_eq!(done["status"], status);
    }
    // Whoever repaired does not verify.
    assert!(!done["legal"].as_array().unwrap().contains(&json!("verify")), "{}", done["legal"]);
    crew.act(&order, "verify", &json!({"passed": true})).await.problem(403, "forbidden");
    let back = grid.act(&order, "verify", &json!({"passed": false, "reason": "井盖松动"})).await.expect(200);
    assert_eq!((&back["rework"], back["tasks"].as_array().unwrap().len() > 3), (&json!(1), true), "{back}");
    let mut state = back["status"].as_str().unwrap().to_owned();
    for (action, body) in [
        ("accept", json!({})),
        ("arrive", json!({"position": pin()})),
        ("secure", json!({"measure": "sign"})),
        ("repair", json!({"done": "加固"})),
    ] {
        let legal = crew.get(&path).await.expect(200)["legal"].as_array().unwrap().contains(&json!(action));
        if legal && state != "repaired" {
            state = crew.act(&order, action, &body).await.expect(200)["status"].as_str().unwrap().to_owned();
        }
    }
    assert_eq!(state, "repaired");
    assert_eq!(grid.act(&order, "verify", &json!({"passed": true})).await.expect(200)["status"], "verified");
    let closed = grid.act(&order, "close", &json!({})).await.expect(200);
    assert_eq!((&closed["status"], &closed["legal"]), (&json!("closed"), &json!([])));
    assert!(closed["closed_at"].is_string());

    // The history tells it in order, each step from where the last one ended; the resident reads it in Chinese.
    let history = closed["history"].as_array().unwrap();
    assert!(history.windows(2).all(|two| two[0]["seq"].as_i64() < two[1]["seq"].as_i64()));
    assert!(history.windows(2).all(|two| two[0]["to"] == two[1]["from"]), "{history:?}");
    assert_eq!((&history[0]["action"], &history.last().unwrap()["to"]), (&json!("report"), &json!("closed")));
    let timeline = anyone.get(&location).await.expect(200)["timeline"].as_array().unwrap().clone();
    assert_eq!(timeline.last().unwrap()["status"], "closed");

    // Closed is closed: the next report of the cover opens an order of its own.
    let next = anyone.post("/v1/reports", &[], &json!({"cover": COVER, "damage": "noisy"})).await.expect(201);
    assert_eq!(next["merged"], false);
    assert_ne!(code(&next), order);
}

#[tokio::test]
async fn a_second_report_of_a_cover_joins_and_may_make_it_more_urgent() {
    let home = Home::with_district();
    let server = home.demo();
    let (anyone, crew) = (server.anyone(), server.with("demo-crew"));
    let first = anyone.post("/v1/reports", &[], &json!({"position": pin(), "damage": "noisy"})).await.expect(201);
    let order = code(&first);
    // By its plate, without a pin.
    let second = anyone.post("/v1/reports", &[], &json!({"cover": COVER, "damage": "missing"})).await.expect(201);
    assert_eq!((&second["merged"], code(&second)), (&json!(true), order.clone()));
    assert_ne!(second["report"]["tracking_token"], first["report"]["tracking_token"]);
    // What had only to be made safe must now be repaired, and not later.
    assert_eq!(second["work_order"]["due_at"], first["work_order"]["due_at"]);
    // By the order's code, from somewhere near.
    let third = json!({"position": pin(), "damage": "noisy", "joins": order});
    assert_eq!(anyone.post("/v1/reports", &[], &third).await.expect(201)["merged"], true);
    let whole = crew.get(&format!("/v1/work-orders/{order}")).await.expect(200);
    assert_eq!((&whole["report_count"], &whole["damage"]), (&json!(3), &json!("missing")));
    assert_eq!(whole["reports"].as_array().unwrap().len(), 3);
    // A resident who is about to report sees that it is known.
    let resolved = anyone.get(&format!("/v1/resolve?{PIN}&include=open_orders")).await.expect(200);
    assert_eq!(resolved["candidates"][0]["open_order"]["code"], *order);
    assert_eq!(resolved["candidates"][0]["open_order"]["report_count"], 3);
}

#[tokio::test]
async fn the_grid_determines_what_an_ambiguous_pin_meant() {
    let home = Home::with_district();
    let server = home.demo();
    let (anyone, grid) = (server.anyone(), server.with("demo-grid"));
    let body = json!({"position": numbers("BD-09"), "damage": "broken"});
    let reported = anyone.post("/v1/reports", &[], &body).await.expect(201);
    assert_eq!(reported["match"], "ambiguous");
    let candidates = reported["candidates"].as_array().unwrap();
    assert!(candidates.len() > 1);
    let order = code(&reported);
    let before = grid.get(&format!("/v1/work-orders/{order}")).await.expect(200);
    assert_eq!((&before["cover"], &before["responsible_unit"]["code"]), (&Value::Null, &before["grid"]["code"]));
    // It is the one whose upkeep is known: from here on its unit must act.
    let cover = candidates.iter().map(|c| &c["cover"]).find(|c| c["responsible_unit"].is_object()).unwrap();
    let identify = json!({"cover": cover["code"], "reason": "名称标识清晰"});
    let after = grid.act(&order, "identify", &identify).await.expect(200);
    assert_eq!(after["cover"]["code"], cover["code"]);
    assert_eq!(after["responsible_unit"], cover["responsible_unit"]);
    assert_eq!(after["version"], 2);
    assert_eq!(after["history"][1]["reason"], "名称标识清晰");
}

#[tokio::test]
async fn where_no_cover_is_known_the_sub_district_must_act() {
    let home = Home::with_district();
    let server = home.demo();
    let anyone = server.anyone();
    let body = json!({"position": numbers("GCJ-02"), "damage": "missing"});
    let reported = anyone.post("/v1/reports", &[], &body).await.expect(201);
    assert_eq!((&reported["match"], &reported["candidates"]), (&json!("unregistered"), &json!([])));
    assert_eq!(reported["work_order"]["status"], "dispatched");
    let grid = &reported["work_order"]["grid"];
    assert_eq!(reported["work_order"]["responsible_unit"], grid["subdistrict"]);
    // A second one there is asked whether it means the same; nothing joins by nearness alone.
    let near = anyone.get("/v1/resolve?lon=120.37&lat=36.08&crs=GCJ-02&include=open_orders").await.expect(200);
    assert_eq!(near["open_orders"][0]["code"], reported["work_order"]["code"]);
    let second = anyone.post("/v1/reports", &[], &body).await.expect(201);
    assert_eq!(second["merged"], false);
    assert_ne!(code(&second), code(&reported));
}

#[tokio::test]
async fn a_pin_outside_is_refused_with_what_was_at_fault() {
    let home = Home::with_district();
    let server = home.demo();
    let anyone = server.anyone();
    let problem = anyone.get("/v1/resolve?lon=120.37&lat=36.08").await.problem(422, "outside-service-area");
    assert_eq!(problem["errors"][0]["parameter"], "lon");
    let body = json!({"position": {"lon": 120.37, "lat": 36.08}, "damage": "missing"});
    let problem = anyone.post("/v1/reports", &[], &body).await.problem(422, "outside-service-area");
    assert_eq!(problem["errors"][0]["pointer"], "/position");
    // The same numbers, declared as what an Amap pin holds, lie in the district.
    anyone.get("/v1/resolve?lon=120.37&lat=36.08&crs=GCJ-02").await.expect(200);
    assert_eq!(anyone.get("/readyz").await.expect(200)["open_orders"], 0);
}

#[tokio::test]
async fn everyone_sees_what_is_theirs() {
    let home = Home::with_district();
    let server = home.demo();
    for (key, role) in [
        ("demo-admin", "admin"),
        ("demo-dispatcher", "dispatcher"),
        ("demo-grid", "grid_leader"),
        ("demo-crew", "crew"),
        ("demo-planner", "planner"),
    ] {
        let caller = server.with(key);
        assert_eq!(caller.get("/v1/me").await.expect(200)["role"], role);
        caller.get("/v1/covers?limit=1").await.expect(200);
    }
    let (anyone, stranger) = (server.anyone(), server.with("demo-mayor"));
    assert_eq!(anyone.get("/v1/me").await.expect(200)["role"], "resident");
    let refused = stranger.get("/v1/me").await;
    refused.problem(401, "unauthorized");
    assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"));
    for path in ["/v1/covers", "/v1/work-orders", "/v1/people"] {
        anyone.get(path).await.problem(401, "unauthorized");
    }
    let admin = server.with("demo-admin");
    for (path, least) in [
        ("/v1/districts", 1),
        ("/v1/subdistricts", 22),
        ("/v1/communities", 100),
        ("/v1/grids", 940),
        ("/v1/organizations", 100),
        ("/v1/people", 500),
        ("/v1/covers", 1_000),
    ] {
        let list = admin.get(&format!("{path}?limit=1000")).await.expect(200);
        let items = list["items"].as_array().unwrap();
        assert!(items.len() >= least, "{path}: {}", items.len());
        let codes: Vec<_> = items.iter().map(|item| item["code"].as_str().unwrap()).collect();
        assert!(codes.is_sorted(), "{path}");
        // One of them by its code is the same one.
        let one = admin.get(&format!("{path}/{}", codes[0])).await.expect(200);
        assert_eq!(one["code"], codes[0]);
    }
    // Boundaries are for everyone, their officers' names are not.
    let grid = anyone.get("/v1/grids/370203026003005").await.expect(200);
    assert_eq!(grid["geometry"]["type"], "MultiPolygon");
    assert!(grid.get("leader").is_none() && admin.get("/v1/grids/370203026003005").await.text.contains("leader"));
}

#[tokio::test]
async fn pages_together_are_the_whole_list_once() {
    const STORED: &str = "SELECT count(*) FROM cover WHERE code / 1000000 = 3702030101 AND status <> 'removed'";
    let home = Home::with_district();
    let server = home.demo();
    let planner = server.with("demo-planner");
    let mut seen = Vec::new();
    let mut path = "/v1/covers?category=0101&limit=700".to_owned();
    loop {
        let page = planner.get(&path).await.expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/covers?category=0101&limit=700&cursor={next}");
    }
    assert!(seen.windows(2).all(|two| two[0] < two[1]));
    assert_eq!(i64::try_from(seen.len()).unwrap(), home.look().await.number(STORED).await);
}

#[tokio::test]
async fn operators_see_that_it_lives() {
    let home = Home::with_district();
    let server = home.demo();
    let anyone = server.anyone();
    assert_eq!(anyone.get("/healthz").await.expect(200)["status"], "ok");
    let ready = anyone.get("/readyz").await.expect(200);
    assert_eq!((&ready["districts"], &ready["covers"]), (&json!(1), &json!(17_000)));
    let api = anyone.get("/openapi.json").await.expect(200);
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(api["paths"]["/v1/reports"]["post"].is_object());
    let metrics = anyone.get("/metrics").await.text;
    assert!(metrics.contains("guli_covers 17000"), "{metrics}");
    assert!(metrics.contains("guli_http_request_seconds"), "{metrics}");
}

#[tokio::test]
async fn every_answer_carries_an_id_that_the_log_knows() {
    let home = Home::with_district();
    let server = home.demo();
    let anyone = server.anyone();
    for path in ["/", "/healthz", "/v1/me", "/v1/nowhere", "/v1/covers", "/v1/resolve?lon=1", "/metrics"] {
        assert!(anyone.get(path).await.header("x-request-id").is_some(), "{path}");
    }
    let body = json!({"damage": "missing"});
    let answer = anyone.post("/v1/reports", &[("X-Request-Id", "mine-1")], &body).await;
    assert_eq!(answer.header("x-request-id"), Some("mine-1"));
    answer.problem(422, "invalid");
    assert!(home.log().contains("mine-1"));
}

#[tokio::test]
async fn who_reported_is_nowhere_to_be_read() {
    const NAME: &str = "欧阳示范";
    const PHONE: &str = "19900001234";
    const DESCRIPTION: &str = "路口第三个井盖";
    let home = Home::with_district();
    let server = home.demo();
    let (anyone, crew) = (server.anyone(), server.with("demo-crew"));
    let body = json!({"position": pin(), "damage": "missing", "description": DESCRIPTION,
                      "reporter": {"name": NAME, "phone": PHONE, "language": "zh-CN"}});
    let key = fresh_key();
    let reported = anyone.post("/v1/reports", &[("Idempotency-Key", &key)], &body).await.expect(201);
    let token = reported["report"]["tracking_token"].as_str().unwrap();
    let order = code(&reported);
    let tracked = anyone.get(&format!("/v1/reports/{token}")).await;
    let seen = crew.get(&format!("/v1/work-orders/{order}")).await;
    let act = crew.act(&order, "accept", &json!({})).await;
    for answer in [&tracked, &seen, &act] {
        answer.expect(200);
        assert!(!answer.text.contains(NAME) && !answer.text.contains(PHONE), "{}", answer.text);
    }
    // Neither before the log is folded back nor after it, in no file beside the database, in no line of the log.
    let secrets = [NAME, PHONE, token, &key];
    let search = || {
        let mut found = false;
        for entry in std::fs::read_dir(home.path()).unwrap() {
            let path = entry.unwrap().path();
            let Ok(bytes) = std::fs::read(&path) else { continue };
            for secret in secrets {
                let holds = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!holds, "{} is in {}", secret, path.display());
            }
            found |= bytes.windows(DESCRIPTION.len()).any(|window| window == DESCRIPTION.as_bytes());
        }
        // What is no secret is found: the search looks at the right files.
        assert!(found);
    };
    search();
    assert_eq!(server.stop().code(), Some(0));
    search();
}
