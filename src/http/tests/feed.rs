//! Following what changes.

use super::*;
use crate::domain::actor::{Role, Scope};

#[tokio::test]
async fn changes_come_in_order_and_rights_leave_gaps() {
    let town = Town::open().await;
    let first = town.report().await;
    // An ambiguous or unregistered pin is the street's: no crew sees its order.
    let got = town
        .post("/v1/reports")
        .json(json!({"position": {"lon": 120.3889, "lat": 36.1111}, "damage": "missing"}))
        .await;
    assert_eq!(got.body["match"], "unregistered", "{}", got.body);
    town.act("demo-crew", &first, "accept", json!({})).await;

    let all = town.get("/v1/changes?after=1").key("demo-dispatcher").get().await;
    assert_eq!(all.status, 200, "{}", all.body);
    let seen: Vec<_> = all.body["items"].as_array().unwrap().iter().map(|i| (&i["seq"], &i["kind"])).collect();
    assert_eq!(json!(seen), json!([[2, "work_order.opened"], [3, "work_order.opened"], [4, "work_order.accepted"]]));
    assert_eq!((&all.body["next_after"], &all.body["head"]), (&json!(4), &json!(4)));
    let item = &all.body["items"][2];
    assert_eq!((&item["code"], &item["version"]), (&json!(first), &json!(2)));
    assert_eq!(item["href"], format!("/v1/work-orders/{first}"));

    let crew = town.get("/v1/changes?after=1").key("demo-crew").get().await;
    let seen: Vec<_> = crew.body["items"].as_array().unwrap().iter().map(|item| item["seq"].clone()).collect();
    assert_eq!((json!(seen), &crew.body["next_after"]), (json!([2, 4]), &json!(4)));

    let page = town.get("/v1/changes?after=1&limit=1").key("demo-crew").get().await;
    assert_eq!((&page.body["next_after"], &page.body["head"]), (&json!(2), &json!(4)));
    for (uri, key, fault) in [
        ("/v1/changes?after=-1", "demo-crew", (422, "invalid", "after")),
        ("/v1/changes?after=5", "demo-crew", (422, "invalid", "after")),
        ("/v1/changes?after=x", "demo-crew", (422, "invalid", "after")),
        ("/v1/changes?limit=0", "demo-crew", (422, "invalid", "limit")),
        ("/v1/changes?district=370204", "demo-crew", (404, "not-found", "")),
        ("/v1/events?district=1", "demo-crew", (422, "invalid", "district")),
    ] {
        let got = town.get(uri).key(key).get().await;
        assert_eq!(got.fault(), (fault.0, fault.1, fault.2.to_owned()), "{uri}");
    }
    assert_eq!(town.get("/v1/changes").get().await.status, 401);
    let foreign = town.get("/v1/events").key("demo-crew").header("last-event-id", "370204:1").get().await;
    assert_eq!(foreign.fault(), (422, "invalid", "Last-Event-ID".to_owned()));
}

#[tokio::test]
async fn who_loses_an_order_is_told() {
    let town = Town::open().await;
    let order = town.report().await;
    let moved = json!({"unit": "370203-WAT01", "reason": "产权单位有误"});
    town.act("demo-dispatcher", &order, "reassign", moved).await;
    town.act("demo-crew", &order, "accept", json!({})).await;
    for (unit, kinds) in [
        ("370203-DRA01", json!([[3, "work_order.reassigned"]])),
        ("370203-WAT01", json!([[2, "work_order.opened"], [3, "work_order.reassigned"], [4, "work_order.accepted"]])),
    ] {
        let scope = vec![Scope::Unit(unit.parse().unwrap())];
        let crew = town.guli.create_key(Role::Crew, scope, "crew".to_owned()).await.unwrap().secret;
        let seen = town.get("/v1/changes?after=1").key(&crew).get().await;
        let items = seen.body["items"].as_array().unwrap();
        let seen: Vec<_> = items.iter().map(|item| (&item["seq"], &item["kind"])).collect();
        assert_eq!(json!(seen), kinds, "{unit}");
    }
}

/// The cover that an order is about turned out to be another's: by a merge, or by who was there.
#[tokio::test]
async fn an_owner_whose_cover_it_was_not_is_told() {
    let town = Town::open().await;
    let position = json!({"lon": 120.374_99, "lat": 36.12});
    let twin = json!({
        "category": "0103", "position": position, "owner": "370203-WAT01", "responsible_unit": "370203-DRA01",
    });
    let scope = vec![Scope::Unit("370203-WAT01".parse().unwrap())];
    let owner = town.guli.create_key(Role::Department, scope, "owner".to_owned()).await.unwrap().secret;
    let kinds = async |order: &str| {
        let seen = town.get("/v1/changes?after=1").key(&owner).get().await;
        let items = seen.body["items"].as_array().unwrap().clone();
        let kinds = items.iter().filter(|item| item["code"] == order).map(|item| item["kind"].clone());
        kinds.collect::<Vec<_>>()
    };
    let other = async || {
        let got = town.post("/v1/covers").key(ADMIN).json(twin.clone()).await;
        let code = got.body["code"].as_str().unwrap().to_owned();
        let reported = town.post("/v1/reports").json(json!({"cover": code, "damage": "broken"})).await;
        (code, reported.body["work_order"]["code"].as_str().unwrap().to_owned())
    };
    let (code, order) = other().await;
    assert!(town.get(&format!("/v1/work-orders/{order}")).key(&owner).get().await.status == 200);
    let named = town.act("demo-dispatcher", &order, "identify", json!({"cover": ALONE, "reason": "门牌对不上"})).await;
    assert_eq!(named.status, 200, "{}", named.body);
    assert_eq!(town.get(&format!("/v1/work-orders/{order}")).key(&owner).get().await.status, 404);
    assert_eq!(kinds(&order).await, ["work_order.identified"]);
    let (code, order) = {
        assert_eq!(
            town.ask("DELETE", &format!("/v1/covers/{code}")).key(ADMIN).header("if-match", "*").send("").await.status,
            204
        );
        other().await
    };
    let merged = town.post(&format!("/v1/covers/{code}/merge")).key(ADMIN).json(json!({"into": ALONE})).await;
    assert_eq!(merged.status, 200, "{}", merged.body);
    assert_eq!(town.get(&format!("/v1/work-orders/{order}")).key(&owner).get().await.status, 404);
    assert_eq!(kinds(&order).await, ["work_order.identified"]);
}

/// Opens the stream and reads it until an event of this kind.
async fn follow(town: &Town, key: &str, last: Option<&str>, until: &str) -> String {
    let mut request = Request::get("/v1/events").header("authorization", format!("Bearer {key}"));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = town.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let mut text = String::new();
    while !text.contains(&format!("event: {until}\n")) {
        let frame = body.frame().await.expect("the stream goes on").unwrap();
        text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    text
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_left() {
    let town = Town::open().await;
    let fresh = follow(&town, "demo-dispatcher", None, "position").await;
    assert!(fresh.contains("id: 370203:1\n"), "{fresh}");
    // From where the first stood: one without a number begins at the head, which the report may have moved by then.
    let waiting = follow(&town, "demo-dispatcher", Some("370203:1"), "work_order.opened");
    let (waiting, order) = tokio::join!(waiting, async { town.report().await });
    assert!(waiting.contains(&order) && waiting.contains("id: 370203:2\n"), "{waiting}");
    let again = follow(&town, "demo-crew", Some("370203:1"), "work_order.opened").await;
    assert!(again.contains(&format!("\"href\":\"/v1/work-orders/{order}\"")), "{again}");
    let beyond = follow(&town, "demo-crew", Some("370203:99"), "reset").await;
    assert!(beyond.contains("id: 370203:2\n"), "{beyond}");
}
