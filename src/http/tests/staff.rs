//! Creating, changing and removing people and their duties, and the memory of it.

use super::*;

const LEADER: &str = "/v1/people/00000000-0000-0000-0000-000000000007";

fn new_person() -> Value {
    json!({"name": "王海", "phone": "19900001234", "organization": "370203005-K01",
           "duties": [{"kind": "grid_leader", "area": EAST}, {"kind": "patrol", "area": "370203005001"}]})
}

#[tokio::test]
async fn a_new_leader_stands_beside_the_grid() {
    let town = Town::open().await;
    let made = town.post("/v1/people?reason=joined").key(ADMIN).json(new_person()).await;
    assert_eq!((made.status.as_u16(), made.header("etag"), made.header("guli-feed")), (201, "\"1\"", "370203:2"));
    // An administrator sees names masked.
    assert_eq!((&made.body["name"], &made.body["phone"]), (&json!("王**"), &json!("*******1234")), "{}", made.body);
    assert_eq!(made.body["organization"]["name"], "城市管理办公室");
    let at = made.header("location").to_owned();
    let full = town.get(&at).key("demo-dispatcher").get().await.body;
    assert_eq!((&full["name"], &full["phone"]), (&json!("王海"), &json!("19900001234")));
    let grid = format!("/v1/grids/{EAST}");
    assert_eq!(town.get(&grid).key("demo-dispatcher").get().await.body["leader"]["name"], "王海");
    // Of then nothing is told to who has not the whole district: names and phones would be today's.
    let then = town.guli.context.clock.now();
    let scope = format!("grid:{EAST}").parse().unwrap();
    let leader = town
        .guli
        .create_key(crate::domain::actor::Role::GridLeader, vec![scope], "网格长".to_owned())
        .await
        .unwrap()
        .secret;
    for path in ["/v1/people", &at] {
        for (key, status) in [(ADMIN, 200), (leader.as_str(), 403)] {
            assert_eq!(town.get(path).key(key).get().await.status, 200, "{path} {key}");
            assert_eq!(town.get(&format!("{path}?as_of={then}")).key(key).get().await.status, status, "{path} {key}");
        }
    }
    // What was read, masked, can be sent back.
    let whole = town.get(&at).key(ADMIN).get().await.body;
    let same = town.ask("PUT", &at).key(ADMIN).header("if-match", "\"1\"").json(whole).await;
    assert_eq!((same.status.as_u16(), same.header("etag")), (200, "\"1\""), "{}", same.body);
    let empty = town.ask("PATCH", &at).key(ADMIN).header("if-match", "\"1\"").json(json!({})).await;
    assert_eq!((empty.status.as_u16(), empty.header("etag")), (200, "\"1\""), "{}", empty.body);
    let other_order = json!({"duties": [
        {"kind": "grid_leader", "area": EAST}, {"kind": "patrol", "area": "370203005001"},
    ]});
    let same = town.ask("PATCH", &at).key(ADMIN).header("if-match", "\"1\"").json(other_order).await;
    assert_eq!((same.status.as_u16(), same.header("etag")), (200, "\"1\""), "{}", same.body);
    // Another grid, another phone.
    let change = json!({"phone": "19900005678", "duties": [{"kind": "grid_leader", "area": WEST}]});
    let changed =
        town.ask("PATCH", &format!("{at}?reason=moved")).key(ADMIN).header("if-match", "\"1\"").json(change).await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, "\"2\""), "{}", changed.body);
    assert!(town.get(&grid).key("demo-dispatcher").get().await.body["leader"]["name"].is_null());
    let full = town.get(&at).key("demo-dispatcher").get().await.body;
    assert_eq!((&full["name"], &full["phone"]), (&json!("王海"), &json!("19900005678")));
    let history = town.get(&format!("{at}/history")).key(ADMIN).get().await;
    assert!(!String::from_utf8_lossy(&history.bytes).contains("1990000"), "{}", history.body);
    let second = &history.body["items"][1];
    assert_eq!((&second["version"], &second["reason"]), (&json!(2), &json!("moved")));
    let pointers: Vec<_> = second["changes"].as_array().unwrap().iter().map(|change| &change["pointer"]).collect();
    assert_eq!(pointers, ["/duties", "/phone"]);
    // Erased with the record.
    let gone = town.ask("DELETE", &at).key(ADMIN).header("if-match", "\"2\"").send("").await;
    assert_eq!(gone.status, 204, "{}", gone.body);
    assert_eq!(town.get(&at).key(ADMIN).get().await.fault().1, "gone");
    let history = town.get(&format!("{at}/history")).key(ADMIN).get().await.body;
    assert_eq!(history["items"].as_array().unwrap().len(), 3, "{history}");
    let mut reader = town.guli.store.read().await.unwrap();
    let left = crate::store::personal::all(
        &mut reader.conn(),
        "370203".parse().unwrap(),
        crate::store::personal::Purpose::Duty,
    )
    .await;
    assert_eq!(left.unwrap().len(), 0);
}

#[tokio::test]
async fn who_has_no_duty_is_listed_to_whoever_has_the_district() {
    let town = Town::open().await;
    let made = town.post("/v1/people").key(ADMIN).json(json!({"name": "李", "organization": "370203-WAT01"})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let listed = town.get("/v1/people").key(ADMIN).get().await.body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(town.get(made.header("location")).key("demo-dispatcher").get().await.status, 200);
    let within = town.get(&format!("/v1/people?grid={WEST}")).key(ADMIN).get().await.body;
    assert_eq!(within["items"].as_array().unwrap().len(), 1, "{within}");
    // The unit stays as long as the person belongs to it.
    let unit = town.ask("DELETE", "/v1/organizations/370203-WAT01").key(ADMIN).header("if-match", "*").send("").await;
    assert_eq!(unit.fault().1, "conflict");
}

#[tokio::test]
async fn a_bad_edit_of_a_person_changes_nothing() {
    let town = Town::open().await;
    let with = |member: &str, value: Value| {
        let mut person = new_person();
        person[member] = value;
        person
    };
    for (method, path, key, tag, body, fault) in [
        ("POST", "/v1/people", "", "", new_person(), (401, "unauthorized", "Authorization")),
        ("POST", "/v1/people", "demo-dispatcher", "", new_person(), (403, "forbidden", "")),
        ("PATCH", LEADER, "demo-planner", "*", json!({"phone": "1"}), (403, "forbidden", "")),
        ("PATCH", LEADER, ADMIN, "", json!({"phone": "1"}), (428, "precondition-required", "If-Match")),
        ("PATCH", LEADER, ADMIN, "\"7\"", json!({"phone": "1"}), (412, "stale-version", "If-Match")),
        ("PATCH", "/v1/people/nobody", ADMIN, "*", json!({"phone": "1"}), (404, "not-found", "")),
        ("PATCH", LEADER, ADMIN, "*", json!({"name": null}), (422, "invalid", "/name")),
        ("PUT", LEADER, ADMIN, "*", with("version", json!(3)), (412, "stale-version", "/version")),
        ("PATCH", LEADER, ADMIN, "*", json!({"version": 3}), (422, "invalid", "/version")),
        ("POST", "/v1/people", ADMIN, "", with("code", json!("x")), (422, "invalid", "/code")),
        ("POST", "/v1/people", ADMIN, "", with("phone", json!("1".repeat(33))), (422, "invalid", "/phone")),
        ("POST", "/v1/people", ADMIN, "", with("phone", json!("abc")), (422, "invalid", "/phone")),
        ("POST", "/v1/people", ADMIN, "", with("phone", json!("*******1234")), (422, "invalid", "/phone")),
        ("PATCH", LEADER, ADMIN, "*", json!({"name": "王", "phone": "12"}), (422, "invalid", "/phone")),
        (
            "POST",
            "/v1/people",
            ADMIN,
            "",
            with("organization", json!("370203-NONE")),
            (422, "invalid", "/organization"),
        ),
        (
            "POST",
            "/v1/people",
            ADMIN,
            "",
            with("duties", json!([{"kind": "cook", "area": WEST}])),
            (422, "invalid", "/duties/0/kind"),
        ),
        (
            "POST",
            "/v1/people",
            ADMIN,
            "",
            with("duties", json!([{"kind": "patrol", "area": "12"}])),
            (422, "invalid", "/duties/0/area"),
        ),
        (
            "POST",
            "/v1/people",
            ADMIN,
            "",
            with("duties", json!([{"kind": "patrol", "area": "370203005009"}])),
            (422, "invalid", "/duties/0/area"),
        ),
        ("POST", "/v1/people", ADMIN, "", json!({"name": "x"}), (422, "invalid", "/duties")),
    ] {
        let mut ask = town.ask(method, path);
        if !key.is_empty() {
            ask = ask.key(key);
        }
        if !tag.is_empty() {
            ask = ask.header("if-match", tag);
        }
        let got = ask.json(body.clone()).await;
        let (status, slug, at) = fault;
        assert_eq!(got.fault(), (status, slug, at.to_owned()), "{method} {path} {body}: {}", got.body);
    }
    let feed = town.get("/v1/changes?district=370203&after=1").key(ADMIN).get().await.body;
    assert_eq!(feed["items"], json!([]));
}

#[tokio::test]
async fn duties_are_given_back_and_names_are_not() {
    let town = Town::open().await;
    let made = town.post("/v1/people").key(ADMIN).json(new_person()).await;
    let at = made.header("location").to_owned();
    let patch = async |change: Value| {
        town.ask("PATCH", &at).key(ADMIN).header("if-match", "*").json(change).await.status.as_u16()
    };
    let undo = |version: i64| town.post(&format!("{at}/history/{version}/undo?reason=mistake")).key(ADMIN).send("");
    assert_eq!(patch(json!({"duties": []})).await, 200);
    let grid = format!("/v1/grids/{EAST}");
    assert!(town.get(&grid).key("demo-dispatcher").get().await.body["leader"]["name"].is_null());
    let back = undo(2).await;
    assert_eq!((back.status.as_u16(), &back.body["version"]), (200, &json!(3)), "{}", back.body);
    assert_eq!(back.body["duties"], made.body["duties"]);
    let history = town.get(&format!("{at}/history")).key(ADMIN).get().await.body;
    assert_eq!(history["items"][2]["undoes"], 2, "{history}");
    assert_eq!(town.get(&grid).key("demo-dispatcher").get().await.body["leader"]["name"], "王海");
    // Of a name no past is kept.
    assert_eq!(patch(json!({"name": "王小海"})).await, 200);
    assert_eq!(undo(4).await.fault().1, "conflict");
    assert_eq!(undo(2).await.fault().1, "conflict");
    assert_eq!(undo(9).await.fault().1, "not-found");

    let other = town.post("/v1/people").key(ADMIN).json(new_person()).await.header("location").to_owned();
    assert_eq!(town.post(&format!("{other}/history/1/undo")).key(ADMIN).send("").await.status, 204);
    assert_eq!(town.get(&other).key(ADMIN).get().await.status, 410);
    assert_eq!(town.post(&format!("{other}/history/2/undo")).key(ADMIN).send("").await.fault().1, "gone");
}

#[tokio::test]
async fn who_may_not_know_of_people_is_not_told_which_of_them_mended_a_finding() {
    let town = Town::open().await;
    let path = "/v1/quality?rule=grid-without-leader";
    let found = town.get(path).key(ADMIN).get().await.body;
    let east = found["items"].as_array().unwrap().iter().any(|found| found["subjects"][0]["code"] == EAST);
    assert!(east, "{found}");
    let made = town.post("/v1/people").key(ADMIN).json(new_person()).await;
    for (key, change) in [(ADMIN, made.body["code"].clone()), ("demo-planner", Value::Null)] {
        let mended = town.get(&format!("{path}&state=mended")).key(key).get().await.body;
        let mended = &mended["items"][0]["mended"];
        assert_eq!(mended["change"]["code"], change, "{key} {mended}");
        assert!(mended["at"].is_string(), "{key} {mended}");
    }
}
