//! Creating, changing and removing organisations, and the memory of it.

use super::*;

const WATER: &str = "/v1/organizations/370203-WAT01";

#[tokio::test]
async fn an_organization_gets_a_code_and_a_history() {
    let town = Town::open().await;
    let new = json!({"name": "热力公司", "kind": "utility", "credit_code": "9137020016357624xb"});
    let create = || town.post("/v1/organizations?district=370203&reason=new").key(ADMIN);
    let made = create().header("idempotency-key", "0123456789abcdef").json(new.clone()).await;
    assert_eq!((made.status.as_u16(), made.header("etag"), made.header("guli-feed")), (201, "\"1\"", "370203:2"));
    let at = made.header("location").to_owned();
    assert_eq!(at, "/v1/organizations/370203-U0001", "{}", made.body);
    assert_eq!(made.body["credit_code"], "9137020016357624XB");
    let again = create().header("idempotency-key", "0123456789abcdef").json(new.clone()).await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &made.body));
    assert_eq!(create().json(new).await.body["code"], "370203-U0002");
    // What was read can be sent back.
    let same = town.ask("PUT", &at).key(ADMIN).header("if-match", "\"1\"").json(made.body.clone()).await;
    assert_eq!((same.status.as_u16(), same.header("etag")), (200, "\"1\""), "{}", same.body);
    let empty = town.ask("PATCH", &at).key(ADMIN).header("if-match", "\"1\"").json(json!({})).await;
    assert_eq!((empty.status.as_u16(), empty.header("etag")), (200, "\"1\""), "{}", empty.body);
    let patch = town.ask("PATCH", &format!("{at}?reason=renamed")).key(ADMIN).header("if-match", "\"1\"");
    let patched = patch.json(json!({"name": "热力集团", "credit_code": null})).await;
    assert_eq!((patched.status.as_u16(), patched.header("etag")), (200, "\"2\""), "{}", patched.body);
    assert_eq!(town.get(&at).key(ADMIN).get().await.body, patched.body);
    let gone = town.ask("DELETE", &at).key(ADMIN).header("if-match", "\"2\"").send("").await;
    assert_eq!(gone.status, 204, "{}", gone.body);
    let read = town.get(&at).key(ADMIN).get().await;
    assert_eq!((read.fault().1, read.status.as_u16()), ("gone", 410));
    let history = town.get(&format!("{at}/history")).key("demo-planner").get().await.body;
    let [_, second, third] = history["items"].as_array().unwrap().as_slice() else { panic!("{history}") };
    assert_eq!((&second["reason"], &second["by"]["role"]), (&json!("renamed"), &json!("admin")));
    assert_eq!(
        second["changes"],
        json!([
            {"pointer": "/credit_code", "from": "9137020016357624XB", "to": null},
            {"pointer": "/name", "from": "热力公司", "to": "热力集团"},
        ]),
    );
    assert_eq!((&third["version"], &third["changes"][0]["to"]), (&json!(3), &Value::Null));
    // Its code is not given again.
    let taken = town.post("/v1/organizations").key(ADMIN);
    let taken = taken.json(json!({"code": "370203-U0001", "name": "x", "kind": "utility"})).await;
    assert_eq!(taken.fault(), (422, "invalid", "/code".to_owned()));
    let feed = town.get("/v1/changes?district=370203&after=1").key(ADMIN).get().await.body;
    assert_eq!((&feed["items"][0]["kind"], &feed["items"][0]["href"]), (&json!("organization.created"), &json!(at)));
}

#[tokio::test]
async fn an_organization_has_a_duty_telephone_which_has_a_past() {
    let town = Town::open().await;
    let new = |phone: &str| json!({"name": "热力公司", "kind": "utility", "phone": phone});
    let create = async |phone: &str| town.post("/v1/organizations").key(ADMIN).json(new(phone)).await;
    let refused = create("abc").await;
    assert_eq!(refused.fault(), (422, "invalid", "/phone".to_owned()), "{}", refused.body);
    let made = create("0532-00000107转2").await;
    assert_eq!((made.status.as_u16(), &made.body["phone"]), (201, &json!("0532-00000107转2")), "{}", made.body);
    let at = made.header("location").to_owned();
    let patch = async |body: Value| town.ask("PATCH", &at).key(ADMIN).header("if-match", "*").json(body).await;
    assert_eq!(patch(json!({"phone": "0532-00000108"})).await.header("etag"), "\"2\"");
    // What is left out stays, and null is not known.
    assert_eq!(patch(json!({"name": "热力集团"})).await.body["phone"], "0532-00000108");
    let cleared = patch(json!({"phone": null})).await;
    assert_eq!((cleared.header("etag"), &cleared.body["phone"]), ("\"4\"", &Value::Null));
    let history = town.get(&format!("{at}/history")).key("demo-crew").get().await.body;
    let changes: Vec<_> = history["items"].as_array().unwrap().iter().map(|item| &item["changes"]).collect();
    let of_phone = |from: Value, to: Value| json!([{"pointer": "/phone", "from": from, "to": to}]);
    assert_eq!(changes[1], &of_phone(json!("0532-00000107转2"), json!("0532-00000108")), "{history}");
    assert_eq!(changes[3], &of_phone(json!("0532-00000108"), Value::Null), "{history}");
    let back = town.post(&format!("{at}/history/4/undo")).key(ADMIN).send("").await;
    assert_eq!((back.header("etag"), &back.body["phone"]), ("\"5\"", &json!("0532-00000108")), "{}", back.body);
    // Whoever may read organisations reads it as it is; without a key nobody reads either.
    let shown = town.get(&at).key("demo-crew").get().await.body;
    assert_eq!(shown["phone"], "0532-00000108", "{shown}");
    assert_eq!(town.get(&at).get().await.fault().0, 401);
}

#[tokio::test]
async fn a_new_name_shows_wherever_the_organization_is_named() {
    let town = Town::open().await;
    let cover = format!("/v1/covers/{ALONE}");
    assert_eq!(town.get(&cover).key(ADMIN).get().await.body["owner"]["name"], "排水一公司");
    let rename = town.ask("PATCH", "/v1/organizations/370203-DRA01").key(ADMIN).header("if-match", "*");
    assert_eq!(rename.json(json!({"name": "排水集团"})).await.status, 200);
    assert_eq!(town.get(&cover).key(ADMIN).get().await.body["owner"]["name"], "排水集团");
    let resolved = town.get("/v1/resolve?lon=120.375&lat=36.12").get().await.body;
    assert_eq!(resolved["candidates"][0]["cover"]["owner"]["name"], "排水集团");
    assert_eq!(resolved["registry_version"], "370203:2");
    // What was answered then is answered again.
    let then = town.get(&format!("{cover}?as_of=2025-12-01T00:00:00Z")).key(ADMIN).get().await.body;
    assert_eq!(then["owner"]["name"], "排水一公司", "{then}");
    // The section of the grids too.
    let rename = town.ask("PATCH", "/v1/organizations/370203005-K01").key(ADMIN).header("if-match", "*");
    assert_eq!(rename.json(json!({"name": "城管科"})).await.status, 200);
    let grid = town.get(&format!("/v1/grids/{WEST}")).get().await.body;
    assert_eq!(grid["supervising_department"]["name"], "城管科");
}

#[tokio::test]
async fn an_organization_that_something_stands_on_stays() {
    let town = Town::open().await;
    for (code, held) in [("370203-DRA01", "3 covers"), ("370203005-K01", "2 areas to supervise")] {
        let path = format!("/v1/organizations/{code}");
        let kept = town.ask("DELETE", &path).key(ADMIN).header("if-match", "*").send("").await;
        assert_eq!(kept.fault().1, "conflict");
        assert!(kept.body["detail"].as_str().unwrap().contains(held), "{}", kept.body);
        assert_eq!(town.get(&path).key(ADMIN).get().await.header("etag"), "\"1\"");
    }
    assert_eq!(town.ask("DELETE", WATER).key(ADMIN).header("if-match", "*").send("").await.status, 204);
}

#[tokio::test]
async fn a_bad_edit_of_an_organization_changes_nothing() {
    let town = Town::open().await;
    let (whole, version) = (json!({"name": "水务", "kind": "utility"}), "\"1\"");
    for (method, path, key, tag, body, fault) in [
        ("PUT", WATER, "", version, whole.clone(), (401, "unauthorized", "Authorization")),
        ("PUT", WATER, "demo-planner", version, whole.clone(), (403, "forbidden", "")),
        ("DELETE", WATER, "demo-crew", version, json!(null), (403, "forbidden", "")),
        ("PUT", WATER, ADMIN, "", whole.clone(), (428, "precondition-required", "If-Match")),
        ("PUT", WATER, ADMIN, "\"9\"", whole.clone(), (412, "stale-version", "If-Match")),
        ("PUT", "/v1/organizations/370203-NONE", ADMIN, version, whole.clone(), (404, "not-found", "")),
        (
            "PUT",
            WATER,
            ADMIN,
            "*",
            json!({"name": "水务", "kind": "utility", "version": 9}),
            (412, "stale-version", "/version"),
        ),
        ("PUT", WATER, ADMIN, version, json!({"name": " ", "kind": "utility"}), (422, "invalid", "/name")),
        ("PUT", WATER, ADMIN, version, json!({"name": "a\u{0}", "kind": "utility"}), (422, "invalid", "/name")),
        ("PATCH", WATER, ADMIN, version, json!({"kind": "club"}), (422, "invalid", "/kind")),
        ("PATCH", WATER, ADMIN, version, json!({"credit_code": "12"}), (422, "invalid", "/credit_code")),
        ("PATCH", WATER, ADMIN, version, json!({"phone": "abc"}), (422, "invalid", "/phone")),
        ("PATCH", WATER, ADMIN, version, json!({"phone": ""}), (422, "invalid", "/phone")),
        ("PATCH", WATER, ADMIN, version, json!({"code": "370203-WAT02"}), (422, "invalid", "/code")),
        ("PATCH", WATER, ADMIN, version, json!({"color": 1}), (422, "invalid", "/color")),
        (
            "POST",
            "/v1/organizations",
            ADMIN,
            "",
            json!({"code": "water", "name": "x", "kind": "utility"}),
            (422, "invalid", "/code"),
        ),
        (
            "POST",
            "/v1/organizations?district=370213",
            ADMIN,
            "",
            json!({"code": "370203-X", "name": "x", "kind": "utility"}),
            (422, "invalid", "/code"),
        ),
        (
            "POST",
            "/v1/organizations",
            ADMIN,
            "",
            json!({"code": "110101-X", "name": "x", "kind": "utility"}),
            (404, "not-found", ""),
        ),
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
async fn an_organization_that_only_removed_covers_name_can_go() {
    let town = Town::open().await;
    let body = json!({"category": "0101", "owner": "370203-WAT01", "position": {"lon": 120.374, "lat": 36.121}});
    let cover = town.post("/v1/covers").key(ADMIN).json(body.clone()).await.header("location").to_owned();
    assert_eq!(town.ask("DELETE", WATER).key(ADMIN).header("if-match", "*").send("").await.fault().1, "conflict");
    assert_eq!(town.ask("DELETE", &cover).key(ADMIN).header("if-match", "*").send("").await.status, 204);
    assert_eq!(town.ask("DELETE", WATER).key(ADMIN).header("if-match", "*").send("").await.status, 204);
    assert_eq!(town.get(WATER).key(ADMIN).get().await.fault().1, "gone");
    assert_eq!(town.post("/v1/covers").key(ADMIN).json(body).await.fault().2, "/owner");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_removed_and_imported_again_goes_on() {
    let town = Town::open().await;
    assert_eq!(town.ask("DELETE", WATER).key(ADMIN).header("if-match", "*").send("").await.status, 204);
    let file = "code,name,kind\n370203-WAT01,新水务,utility\n";
    let got = town.import(ADMIN, "?kind=organizations", &[("file", Some("units.csv"), file)]).await;
    assert_eq!((got.status.as_u16(), &got.body["counts"]["created"]), (201, &json!(1)), "{}", got.body);
    assert_eq!(town.get(WATER).key(ADMIN).get().await.header("etag"), "\"3\"");
    let renamed = town.ask("PATCH", WATER).key(ADMIN).header("if-match", "\"3\"").json(json!({"name": "水务"})).await;
    assert_eq!(renamed.header("etag"), "\"4\"", "{}", renamed.body);
    let history = town.get(&format!("{WATER}/history")).key(ADMIN).get().await.body;
    let versions: Vec<_> = history["items"].as_array().unwrap().iter().map(|item| &item["version"]).collect();
    assert_eq!(versions, [&json!(1), &json!(2), &json!(3), &json!(4)], "{history}");
}

#[tokio::test]
async fn changes_of_an_organization_are_undone_one_by_one() {
    let town = Town::open().await;
    let rename = town.ask("PATCH", WATER).key(ADMIN).header("if-match", "*").json(json!({"name": "供水集团"}));
    assert_eq!(rename.await.status, 200);
    let undo =
        |version: i64, key: &'static str| town.post(&format!("{WATER}/history/{version}/undo?reason=typo")).key(key);
    assert_eq!(undo(2, "demo-dispatcher").send("").await.fault().1, "forbidden");
    assert_eq!(undo(1, ADMIN).send("").await.fault().1, "conflict");
    assert_eq!(undo(3, ADMIN).send("").await.fault().1, "not-found");
    let keyed = || undo(2, ADMIN).header("idempotency-key", "0123456789abcdef");
    let back = keyed().send("").await;
    assert_eq!((back.status.as_u16(), back.header("etag"), &back.body["name"]), (200, "\"3\"", &json!("自来水公司")));
    assert_eq!(keyed().send("").await.header("idempotent-replayed"), "true");
    assert_eq!(town.get(WATER).key(ADMIN).get().await.body, back.body);

    // A registration is undone by removal, and a removal by registration; not while something stands on it.
    let made = town.post("/v1/organizations").key(ADMIN).json(json!({"name": "热力", "kind": "utility"})).await;
    let at = made.header("location").to_owned();
    let undo = |version: i64| town.post(&format!("{at}/history/{version}/undo")).key(ADMIN).send("");
    assert_eq!(undo(1).await.status, 204);
    assert_eq!(town.get(&at).key(ADMIN).get().await.status, 410);
    let back = undo(2).await;
    assert_eq!((back.status.as_u16(), &back.body["name"], &back.body["version"]), (200, &json!("热力"), &json!(3)));
    let read = town.get(&at).key(ADMIN).get().await;
    assert_eq!((read.status.as_u16(), &read.body), (200, &back.body));
    let first = town.post("/v1/organizations/370203-DRA01/history/1/undo").key(ADMIN).send("").await;
    assert_eq!(first.fault().1, "conflict", "{}", first.body);
}
