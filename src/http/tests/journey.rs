//! From the pin to the closed order.

use super::*;

#[tokio::test]
async fn a_report_goes_all_the_way() {
    let town = Town::open().await;
    let body = json!({
        "position": {"lon": 120.375, "lat": 36.12, "accuracy_m": 3}, "damage": "missing", "category": "0103",
        "description": "井盖不见了", "reporter": {"name": "王女士", "phone": "13800000000"}, "channel": "wechat",
    });
    let got = town.post("/v1/reports").json(body).await;
    assert_eq!(got.status, 201, "{}", got.body);
    assert_eq!(got.header("guli-feed"), "370203:2");
    let report = &got.body["report"];
    let token = report["tracking_token"].as_str().unwrap();
    assert_eq!(got.header("location"), format!("/v1/reports/{token}"));
    assert_eq!(report["tracking_url"], format!("https://guli.example/v1/reports/{token}"));
    assert_eq!((&got.body["match"], &got.body["merged"]), (&json!("matched"), &json!(false)));
    let order = &got.body["work_order"];
    let mut members: Vec<_> = order.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["code", "due_at", "grid", "promise_at", "responsible_unit", "status"]);
    assert_eq!(order["status"], "dispatched");
    assert_eq!(order["responsible_unit"], json!({"code": "370203-DRA01", "name": "排水一公司"}));
    assert!(order["grid"].get("leader").is_none());
    let opened: jiff::Timestamp = report["created_at"].as_str().unwrap().parse().unwrap();
    let promise: jiff::Timestamp = order["promise_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(promise.duration_since(opened).as_mins(), 30);

    let code = order["code"].as_str().unwrap();
    for (key, action, body, status) in [
        ("demo-crew", "accept", json!({}), "accepted"),
        ("demo-crew", "arrive", json!({"position": {"lon": 120.375, "lat": 36.12}}), "arrived"),
        ("demo-crew", "secure", json!({"measure": "fence", "note": "围挡三面"}), "secured"),
        ("demo-crew", "repair", json!({"done": "更换井盖", "material": null}), "repaired"),
        ("demo-grid", "verify", json!({"passed": true}), "verified"),
        ("demo-grid", "close", json!({}), "closed"),
    ] {
        let before = town.get(&format!("/v1/work-orders/{code}")).key(key).get().await;
        assert!(
            before.body["legal"].as_array().unwrap().contains(&json!(action)),
            "{action}: {}",
            before.body["legal"]
        );
        let version = before.header("etag").to_owned();
        let path = format!("/v1/work-orders/{code}/{action}");
        let got = town.post(&path).key(key).header("if-match", &version).json(body).await;
        assert_eq!(got.status, 200, "{action}: {}", got.body);
        assert_eq!(got.body["status"], status);
        assert_eq!(got.header("etag"), format!("\"{}\"", got.body["version"]));
        assert!(got.header("guli-feed").starts_with("370203:"));
    }

    let whole = town.get(&format!("/v1/work-orders/{code}")).key("demo-dispatcher").get().await.body;
    let steps: Vec<_> =
        whole["history"].as_array().unwrap().iter().map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!(steps, ["report", "accept", "arrive", "secure", "repair", "verify", "close"]);
    assert_eq!(whole["history"][3]["note"], "围挡三面");
    assert_eq!((&whole["history"][3]["from"], &whole["history"][3]["to"]), (&json!("arrived"), &json!("secured")));
    assert_eq!(whole["history"][0]["by"], json!({"role": "resident", "unit": null}));
    assert_eq!(whole["legal"], json!([]));
    assert!(whole["tasks"].as_array().unwrap().iter().all(|task| task["status"] == "done"), "{}", whole["tasks"]);
    assert_eq!(whole["reports"][0]["description"], "井盖不见了");
    assert!(!whole.to_string().contains("13800000000"));

    let tracked = town.get(&format!("/v1/reports/{token}")).header("accept-language", "zh-CN").get().await;
    assert_eq!((tracked.status, tracked.header("cache-control")), (StatusCode::OK, "no-store"));
    let timeline = tracked.body["timeline"].as_array().unwrap();
    assert_eq!((timeline.len(), &timeline[6]["text"]), (7, &json!("已结案")));
    assert_eq!((&tracked.body["may"], &tracked.body["photos"]), (&json!([]), &json!([])));
    let english = town.get(&format!("/v1/reports/{}", token.to_lowercase())).get().await;
    assert_eq!(english.body["timeline"][6]["text"], "Done");
}

#[tokio::test]
async fn a_second_report_joins() {
    let town = Town::open().await;
    let code = town.report().await;
    let joins = json!({"position": {"lon": 120.3751, "lat": 36.12}, "damage": "noisy", "joins": code});
    for body in [json!({"cover": ALONE, "damage": "noisy"}), joins] {
        let got = town.post("/v1/reports").key("demo-dispatcher").json(body).await;
        assert_eq!((got.status, &got.body["merged"]), (StatusCode::CREATED, &json!(true)), "{}", got.body);
        let order = &got.body["work_order"];
        assert_eq!((&order["code"], &order["damage"]), (&json!(code), &json!("missing")));
        assert_eq!(order["cover"], json!({"code": ALONE, "category": {"code": "0103", "name": "雨水井盖"}}));
        assert!(order["tasks"].as_array().unwrap().len() >= 2);
    }
    let whole = town.get(&format!("/v1/work-orders/{code}")).key("demo-crew").get().await.body;
    assert_eq!((&whole["report_count"], whole["reports"].as_array().unwrap().len()), (&json!(3), 3));
    assert_eq!(whole["version"], 1);
}

#[tokio::test]
async fn a_pin_matches_hesitates_or_finds_nothing() {
    let town = Town::open().await;
    for (lon, matched, candidates, unit) in [
        (120.375, "matched", 0, "370203-DRA01"),
        (120.385_01, "ambiguous", 2, EAST),
        (120.3799, "unregistered", 0, "370203005"),
    ] {
        let resolved = town.get(&format!("/v1/resolve?lon={lon}&lat=36.12&accuracy_m=3")).get().await;
        assert_eq!(resolved.body["match"], matched, "{}", resolved.body);
        let body = json!({"position": {"lon": lon, "lat": 36.12, "accuracy_m": 3}, "damage": "loose"});
        let got = town.post("/v1/reports").json(body).await;
        assert_eq!((&got.body["match"], got.status), (&json!(matched), StatusCode::CREATED), "{}", got.body);
        assert_eq!(got.body["candidates"].as_array().unwrap().len(), candidates);
        assert_eq!(got.body["work_order"]["responsible_unit"]["code"], unit);
        assert_eq!(got.body["work_order"]["status"], "dispatched");
    }
}

#[tokio::test]
async fn the_same_key_gives_the_same_answer() {
    let town = Town::open().await;
    let body = json!({"cover": ALONE, "damage": "missing"});
    let ask = || town.post("/v1/reports").header("idempotency-key", "0123456789abcdef");
    let first = ask().json(body.clone()).await;
    let again = ask().json(body).await;
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
    assert_eq!((again.status, &again.body), (StatusCode::CREATED, &first.body));
    assert_eq!(again.header("location"), first.header("location"));
    // The cover is taken away; the answer stands.
    let index = &town.guli.context.index;
    index.remove_cover("370203".parse().unwrap(), CoverId(Uuid::from_u128(1)));
    let gone = ask().json(json!({"cover": ALONE, "damage": "missing"})).await;
    assert_eq!((gone.header("idempotent-replayed"), &gone.body), ("true", &first.body));
    let other = ask().json(json!({"cover": ALONE, "damage": "broken"})).await;
    assert_eq!(other.fault(), (422, "idempotency-mismatch", "Idempotency-Key".to_owned()));
    // The key of one path is free on another, and a reply outlives the version it was made for.
    let code = first.body["work_order"]["code"].as_str().unwrap().to_owned();
    let path = format!("/v1/work-orders/{code}/accept");
    let accept = || town.post(&path).key("demo-crew").header("idempotency-key", "0123456789abcdef");
    let accepted = accept().header("if-match", "\"1\"").json(json!({})).await;
    assert_eq!((accepted.status, accepted.header("etag")), (StatusCode::OK, "\"2\""), "{}", accepted.body);
    let replayed = accept().header("if-match", "\"1\"").json(json!({})).await;
    assert_eq!((replayed.header("idempotent-replayed"), replayed.header("etag")), ("true", "\"2\""));
    assert_eq!(replayed.body, accepted.body);
    assert_eq!(accept().json(json!({})).await.fault().1, "precondition-required");
    assert_eq!(town.guli.context.index.order_count(), 1);
}

#[tokio::test]
async fn whoever_has_looked_may_say_that_it_is_none_of_them() {
    let town = Town::open().await;
    let report = json!({"position": {"lon": 120.375, "lat": 36.12}, "damage": "broken", "unregistered": true});
    let got = town.post("/v1/reports").key("demo-dispatcher").json(report).await;
    assert_eq!((got.status.as_u16(), &got.body["match"]), (201, &json!("unregistered")), "{}", got.body);
    assert_eq!(got.body["work_order"]["cover"], Value::Null);
    // What nobody owns is the sub-district's.
    assert_eq!(got.body["work_order"]["responsible_unit"]["code"], "370203005");
    assert_eq!(got.body["candidates"][0]["cover"]["code"], ALONE);
    let both = json!({"cover": ALONE, "damage": "broken", "unregistered": true});
    assert_eq!(town.post("/v1/reports").json(both).await.fault(), (422, "invalid", "/unregistered".to_owned()));
}
