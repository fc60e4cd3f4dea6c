//! Creating, changing and removing covers, and the memory of it.

use super::*;

const LEADER: &str = "/v1/people/00000000-0000-0000-0000-000000000007";

fn path(code: &str) -> String {
    format!("/v1/covers/{code}")
}

/// A new water cover in the west grid.
fn new_cover() -> Value {
    json!({"category": "0101", "owner": "370203-WAT01", "position": {"lon": 120.374, "lat": 36.121}})
}

#[tokio::test]
async fn a_new_cover_is_resolved_at_once() {
    let town = Town::open().await;
    let create = || town.post("/v1/covers?reason=found").key(ADMIN).header("idempotency-key", "0123456789abcdef");
    let got = create().json(new_cover()).await;
    assert_eq!(got.status, 201, "{}", got.body);
    // The first of its category has 000001.
    assert_eq!(got.body["code"], "3702030101000002");
    assert_eq!(got.header("location"), "/v1/covers/3702030101000002");
    assert_eq!((got.header("etag"), got.header("guli-feed")), ("\"1\"", "370203:2"));
    assert_eq!(got.body["grid"]["code"], WEST);
    assert_eq!(got.body["owner"]["name"], "自来水公司");
    assert_eq!((&got.body["status"], &got.body["accuracy"]), (&json!("in_service"), &json!("C")));
    let again = create().json(new_cover()).await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &got.body));
    let found = town.get("/v1/resolve?lon=120.374&lat=36.121").get().await;
    assert_eq!(found.body["candidates"][0]["cover"]["code"], "3702030101000002", "{}", found.body);
    assert_eq!(found.body["registry_version"], "370203:2");
    let feed = town.get("/v1/changes?district=370203&after=1").key(ADMIN).get().await;
    assert_eq!(feed.body["items"][0]["kind"], "cover.created", "{}", feed.body);
    assert_eq!(feed.body["items"][0]["href"], "/v1/covers/3702030101000002");
}

#[tokio::test]
async fn a_change_is_a_version_with_who_when_and_why() {
    let town = Town::open().await;
    let whole = town.get(&path(ALONE)).key(ADMIN).get().await.body;
    // What was read can be sent back.
    let same = town.ask("PUT", &path(ALONE)).key(ADMIN).header("if-match", "\"1\"").json(whole.clone()).await;
    assert_eq!((same.status.as_u16(), same.header("etag")), (200, "\"1\""), "{}", same.body);
    assert_eq!(same.body, whole);
    let patch = json!({"owner": "370203-WAT01", "spec": {"load_class": "D400"}, "position": {"lat": 36.1201}});
    let changed = town.ask("PATCH", &format!("{}?reason=survey", path(ALONE))).key(ADMIN);
    let changed = changed.header("if-match", "\"1\"").json(patch).await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, "\"2\""), "{}", changed.body);
    assert_eq!(changed.body["position"], json!({"lon": 120.375, "lat": 36.1201}));
    assert_eq!(changed.body["responsible_unit"]["code"], "370203-DRA01");
    assert_eq!(town.get(&path(ALONE)).key(ADMIN).get().await.body, changed.body);
    let history = town.get(&format!("{}/history", path(ALONE))).key("demo-planner").get().await.body;
    let [first, second] = history["items"].as_array().unwrap().as_slice() else { panic!("{history}") };
    assert_eq!((&first["version"], &first["changes"]), (&json!(1), &json!([])));
    assert_eq!(first["source"]["row"], 1, "{first}");
    assert_eq!(
        (&second["version"], &second["reason"], &second["by"]["role"]),
        (&json!(2), &json!("survey"), &json!("admin"))
    );
    assert!(second["at"].is_string() && second["source"].is_null() && second["undoes"].is_null());
    // Which key it was is the administrators' to know.
    assert_eq!((&second["by"]["name"], &second["by"]["key"]), (&Value::Null, &Value::Null), "{second}");
    let own = town.get(&format!("{}/history", path(ALONE))).key(ADMIN).get().await.body;
    assert_eq!(own["items"][1]["by"]["name"], ADMIN, "{own}");
    assert!(own["items"][1]["by"]["key"].is_string() && own["items"][0]["by"]["key"].is_null(), "{own}");
    assert_eq!(
        second["changes"],
        json!([
            {"pointer": "/owner", "from": "370203-DRA01", "to": "370203-WAT01"},
            {"pointer": "/position/lat", "from": 36.12, "to": 36.1201},
            {"pointer": "/spec/load_class", "from": null, "to": "D400"},
        ]),
    );
    // And back, as another version.
    let undone = town.post(&format!("{}/history/2/undo", path(ALONE))).key(ADMIN).send("").await;
    assert_eq!((undone.status.as_u16(), undone.header("etag")), (200, "\"3\""), "{}", undone.body);
    assert_eq!(undone.body["position"], whole["position"]);
    assert_eq!(undone.body["spec"], whole["spec"]);
    let history = town.get(&format!("{}/history", path(ALONE))).key(ADMIN).get().await.body;
    assert_eq!((&history["items"][2]["undoes"], &history["items"][1]["undoes"]), (&json!(2), &Value::Null));
    let stands = town.post(&format!("{}/history/2/undo", path(ALONE))).key(ADMIN).send("").await;
    assert_eq!(stands.fault().1, "conflict");
}

#[tokio::test]
async fn a_removed_cover_is_gone_but_not_forgotten() {
    let town = Town::open().await;
    let order = town.report().await;
    let removed = town.ask("DELETE", &path(ALONE)).key(ADMIN).header("if-match", "*").send("").await;
    assert_eq!((removed.status.as_u16(), removed.header("guli-feed")), (204, "370203:3"));
    assert!(removed.bytes.is_empty());
    let gone = town.get(&path(ALONE)).key(ADMIN).get().await;
    assert_eq!((gone.fault().1, &gone.body["history"]), ("gone", &json!(format!("{}/history", path(ALONE)))));
    let again = town.ask("DELETE", &path(ALONE)).key(ADMIN).header("if-match", "*").send("").await;
    assert_eq!(again.fault().1, "gone");
    let found = town.get("/v1/resolve?lon=120.375&lat=36.12").get().await;
    assert_eq!(found.body["match"], "unregistered");
    let history = town.get(&format!("{}/history", path(ALONE))).key(ADMIN).get().await.body;
    assert_eq!(history["items"][1]["changes"][0]["to"], "removed", "{history}");
    let order = town.get(&format!("/v1/work-orders/{order}")).key(ADMIN).get().await;
    assert_eq!(order.body["cover"]["code"], ALONE, "{}", order.body);
    let back = town.post(&format!("{}/history/2/undo", path(ALONE))).key(ADMIN).send("").await;
    assert_eq!(back.status, 200, "{}", back.body);
    assert_eq!(town.get(&path(ALONE)).key(ADMIN).get().await.header("etag"), "\"3\"");
}

#[tokio::test]
async fn another_category_is_another_code_and_the_old_one_leads_to_it() {
    let town = Town::open().await;
    let patch = town.ask("PATCH", &path(ALONE)).key(ADMIN).header("if-match", "*").json(json!({"category": "0101"}));
    let changed = patch.await;
    let code = changed.body["code"].as_str().unwrap().to_owned();
    assert_eq!(code, "3702030101000002");
    for old in [ALONE, "37020301003000001"] {
        let history = town.get(&format!("{}/history", path(old))).key(ADMIN).get().await;
        assert_eq!((history.status.as_u16(), history.header("location")), (308, &*format!("{}/history", path(&code))));
        let moved = town.get(&format!("{}?out_crs=GCJ-02", path(old))).key(ADMIN).get().await;
        assert_eq!(
            (moved.status.as_u16(), moved.header("location")),
            (308, &*format!("{}?out_crs=GCJ-02", path(&code)))
        );
    }
    // What is asked to be done goes the same way.
    for (method, rest) in [("PUT", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/history/2/undo")] {
        let asked = town.ask(method, &format!("{}{rest}?reason=seen", path(ALONE))).key(ADMIN).header("if-match", "*");
        let asked = asked.json(json!({"accuracy": "B"})).await;
        let way = format!("{}{rest}?reason=seen", path(&code));
        assert_eq!((asked.status.as_u16(), asked.header("location")), (308, &*way), "{method} {}", asked.body);
    }
    // So is what is looked for.
    for words in [ALONE.to_owned(), format!("{}%20上水", "37020301003000001")] {
        let found = town.get(&format!("/v1/covers?q={words}")).key(ADMIN).get().await.body;
        assert_eq!(found["items"][0]["code"], code, "{words}: {found}");
    }
    // The plate in the street still bears the old one.
    let report = town.post("/v1/reports").key(ADMIN).json(json!({"cover": ALONE, "damage": "broken"})).await;
    assert_eq!(
        (report.status.as_u16(), &report.body["work_order"]["cover"]["code"]),
        (201, &json!(code)),
        "{}",
        report.body
    );
    let unknown = town.post("/v1/reports").json(json!({"cover": "3702030101000999", "damage": "broken"})).await;
    assert_eq!(unknown.fault(), (422, "invalid", "/cover".to_owned()));
    let new = |category: &str, code: Option<&str>| {
        let mut cover = new_cover();
        cover["category"] = category.into();
        if let Some(code) = code {
            cover["code"] = code.into();
        }
        town.post("/v1/covers").key(ADMIN).json(cover)
    };
    // 0103 had 000001 and has 000002: neither is given again.
    assert_eq!(new("0103", None).await.body["code"], "3702030103000003");
    for taken in [ALONE, TWINS[1], REMOVED] {
        assert_eq!(new(&taken[6..10], Some(taken)).await.fault(), (422, "invalid", "/code".to_owned()));
    }
    assert_eq!(new("0103", Some("3702030103000077")).await.body["code"], "3702030103000077");
    let history = town.get(&format!("{}/history", path(&code))).key(ADMIN).get().await.body;
    assert_eq!(history["items"][1]["changes"][1], json!({"pointer": "/code", "from": ALONE, "to": code}));
    let then = format!("?as_of={}", history["items"][1]["at"].as_str().unwrap());
    let moved = town.get(&format!("{}{then}", path(ALONE))).key(ADMIN).get().await;
    assert_eq!((moved.status.as_u16(), moved.header("location")), (308, &*format!("{}{then}", path(&code))));
    // A cover that is taken back to what it was has the code that it had.
    let back = town.post(&format!("{}/history/2/undo", path(&code))).key(ADMIN).send("").await;
    assert_eq!((back.status.as_u16(), &back.body["code"]), (200, &json!(ALONE)), "{}", back.body);
    assert_eq!(town.get(&path(&code)).key(ADMIN).get().await.header("location"), path(ALONE));
}

#[tokio::test]
async fn an_old_code_leads_to_the_code_of_then() {
    let town = Town::open().await;
    let recode = async |code: &str, category: &str| {
        let patch = town.ask("PATCH", &path(code)).key(ADMIN).header("if-match", "*");
        let got = patch.json(json!({ "category": category })).await;
        (got.body["code"].as_str().unwrap().to_owned(), town.now())
    };
    let began = town.now();
    let (second, between) = recode(ALONE, "0101").await;
    let (third, after) = recode(&second, "0104").await;
    let answered = async |code: &str, at: jiff::Timestamp| {
        let got = town.get(&format!("{}?as_of={at}", path(code))).key(ADMIN).get().await;
        (got.status.as_u16(), got.header("location").to_owned())
    };
    let way = |code: &str, at: jiff::Timestamp| (308, format!("{}?as_of={at}", path(code)));
    for old in [ALONE.to_owned(), "37020301003000001".to_owned()] {
        assert_eq!(answered(&old, began).await.0, 200, "{old}");
        assert_eq!(answered(&old, between).await, way(&second, between), "{old}");
        assert_eq!(answered(&old, after).await, way(&third, after), "{old}");
    }
    assert_eq!(answered(&second, between).await.0, 200);
    assert_eq!(answered(&second, after).await, way(&third, after));
    // What was given later did not exist then.
    assert_eq!(answered(&second, began).await.0, 404);
    assert_eq!(answered(&third, between).await.0, 404);
    // Of one that was removed then, the way led to where that was said.
    assert_eq!(town.ask("DELETE", &path(&third)).key(ADMIN).header("if-match", "*").send("").await.status, 204);
    let gone = town.now();
    assert_eq!(answered(ALONE, gone).await, way(&third, gone));
    assert_eq!(answered(&third, gone).await.0, 410);
}

#[tokio::test]
async fn orders_are_found_by_every_code_that_their_cover_has_or_had() {
    let town = Town::open().await;
    let order = town.report().await;
    let opened = town.now();
    let found = async |query: &str| {
        let got = town.get(&format!("/v1/work-orders?cover={query}")).key(ADMIN).get().await;
        assert_eq!(got.status, 200, "{}", got.body);
        got.body["items"].as_array().unwrap().iter().map(|item| item["code"].clone()).collect::<Vec<_>>()
    };
    let patch = town.ask("PATCH", &path(ALONE)).key(ADMIN).header("if-match", "*");
    let now = patch.json(json!({"category": "0101"})).await.body;
    let (code, of_2026) = (now["code"].as_str().unwrap(), now["code_2026"].as_str().unwrap());
    for asked in [ALONE, "37020301003000001", code, of_2026, &format!("{},{ALONE}", TWINS[0])] {
        assert_eq!(found(asked).await, [&*order], "{asked}");
    }
    assert_eq!(found(&format!("{ALONE}&near=120.375,36.12&sort=distance")).await, [&*order]);
    assert_eq!(found(&format!("{ALONE}&as_of={opened}")).await, [&*order]);
    // A code of later, one of another cover, and one that nothing has.
    for asked in [&format!("{code}&as_of={opened}"), TWINS[0], "3702030101000999"] {
        assert_eq!(found(asked).await, Vec::<Value>::new(), "{asked}");
    }
}

#[tokio::test]
async fn who_may_edit_a_cover() {
    let town = Town::open().await;
    let department = |unit: &str| {
        let scope = format!("unit:{unit}").parse().unwrap();
        town.guli.create_key(crate::domain::actor::Role::Department, vec![scope], "a department".to_owned())
    };
    let (own, other) = (department("370203-DRA01").await.unwrap(), department("370203-WAT01").await.unwrap());
    for (key, status) in [
        ("demo-planner", 403),
        ("demo-dispatcher", 403),
        ("demo-crew", 403),
        ("demo-grid", 403),
        (&*other.secret, 403),
        (&*own.secret, 200),
        (ADMIN, 200),
    ] {
        let patch = town.ask("PATCH", &path(ALONE)).key(key).header("if-match", "*").json(json!({"accuracy": "B"}));
        assert_eq!(patch.await.status, status, "{key}");
    }
    assert_eq!(town.ask("PATCH", &path(ALONE)).json(json!({})).await.fault().0, 401);
    assert_eq!(town.post("/v1/covers").key(&own.secret).json(new_cover()).await.status, 403);
    assert_eq!(town.post("/v1/covers").key(&other.secret).json(new_cover()).await.status, 201);
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_nothing_is_stored() {
    let town = Town::with_neighbour().await;
    let before = town.get("/v1/changes?district=370203").key(ADMIN).get().await.body;
    for (patch, slug, at) in [
        (json!({"colour": "red"}), "invalid", "/colour"),
        (json!({"code": ALONE}), "invalid", "/code"),
        (json!({"version": 1}), "invalid", "/version"),
        (json!({"grid": WEST}), "invalid", "/grid"),
        (json!({"category": "0199"}), "invalid", "/category"),
        (json!({"owner": "370203-XXX99"}), "invalid", "/owner"),
        (json!({"owner": "nobody"}), "invalid", "/owner"),
        (json!({"status": "broken"}), "invalid", "/status"),
        (json!({"spec": {"opening_mm": 5}}), "invalid", "/spec/opening_mm"),
        (json!({"spec": {"opening_mm": 700.5}}), "invalid", "/spec/opening_mm"),
        (json!({"spec": {"installed": 2199}}), "invalid", "/spec/installed"),
        (json!({"spec": {"size": 1}}), "invalid", "/spec/size"),
        (json!({"position": null}), "invalid", "/position"),
        (json!({"status": null}), "invalid", "/status"),
        (json!({"owner": 1}), "invalid", "/owner"),
        (json!({"owner": {"name": "?"}}), "invalid", "/owner/code"),
        (json!({"position": {"lon": 120.395}}), "invalid", "/position"),
        (json!({"position": {"lon": 121.0}}), "outside-service-area", "/position"),
        (json!({"position": {"crs": "EPSG:9999", "x": 1, "y": 1}}), "unknown-crs", "/position/crs"),
    ] {
        let got = town.ask("PATCH", &path(ALONE)).key(ADMIN).header("if-match", "\"1\"").json(patch.clone()).await;
        assert_eq!((got.fault().1, &*got.fault().2), (slug, at), "{patch} {}", got.body);
    }
    let patch = || town.ask("PATCH", &path(ALONE)).key(ADMIN);
    assert_eq!(patch().json(json!({"accuracy": "B"})).await.fault().0, 428);
    let stale = patch().header("if-match", "\"7\"").json(json!({"accuracy": "B"})).await;
    assert_eq!((stale.fault().0, &stale.body["current"]), (412, &json!(1)));
    let weak = patch().header("if-match", "W/\"1\"").json(json!({"accuracy": "B"})).await;
    assert_eq!(weak.fault(), (422, "invalid", "If-Match".to_owned()));
    assert_eq!(patch().header("if-match", "*").send("{}").await.fault().0, 415);
    // Of what is said twice nobody knows which is meant.
    for (twice, at) in [
        (r#"{"accuracy": "A", "accuracy": "B"}"#, "/accuracy"),
        (r#"{"spec": {"opening_mm": 600, "opening_mm": 700}}"#, "/spec/opening_mm"),
    ] {
        let twice = patch().header("if-match", "*").header("content-type", "application/merge-patch+json").send(twice);
        assert_eq!(twice.await.fault(), (422, "invalid", at.to_owned()));
    }
    let neither = patch().header("if-match", "*").json(json!({"owner": 1})).await;
    assert_eq!(neither.body["errors"][0]["detail"], "a code is needed, got integer `1`");
    // What was read of an earlier version does not go over a later one, whatever the header says.
    for at in [path(ALONE), format!("/v1/grids/{WEST}")] {
        let mut whole = town.get(&at).key(ADMIN).get().await.body;
        if at.contains("grids") {
            whole = json!({"name": whole["name"], "geometry": whole["geometry"]});
        }
        whole["version"] = json!(7);
        let stale = town.ask("PUT", &at).key(ADMIN).header("if-match", "*").json(whole).await;
        assert_eq!(stale.fault(), (412, "stale-version", "/version".to_owned()), "{}", stale.body);
        assert_eq!(stale.body["current"], 1);
    }
    let missing = town.ask("PATCH", &path("3702030103009999")).key(ADMIN).header("if-match", "*");
    assert_eq!(missing.json(json!({})).await.fault().0, 404);
    let mut moved = new_cover();
    moved["code"] = "3702130101000001".into();
    assert_eq!(town.post("/v1/covers").key(ADMIN).json(moved).await.fault(), (422, "invalid", "/code".to_owned()));
    let contradiction =
        json!({"category": "0103", "code": "3702030101000077", "position": {"lon": 120.374, "lat": 36.121}});
    assert_eq!(town.post("/v1/covers").key(ADMIN).json(contradiction).await.fault().2, "/category");
    assert_eq!(town.get("/v1/changes?district=370203").key(ADMIN).get().await.body, before);
    assert_eq!(town.get(&path(ALONE)).key(ADMIN).get().await.header("etag"), "\"1\"");
}

#[tokio::test]
async fn what_was_answered_then_is_answered_again() {
    let town = Town::open().await;
    let now = || town.guli.context.clock.now().to_string();
    let reads = [
        "/v1/resolve?lon=120.375&lat=36.12".to_owned(),
        path(ALONE),
        path(TWINS[0]),
        "/v1/covers?category=0103".to_owned(),
        format!("/v1/covers?grid={WEST}"),
        format!("/v1/grids/{WEST}"),
        "/v1/grids".to_owned(),
        "/v1/layers/covers.geojson".to_owned(),
        "/v1/layers/grids.csv".to_owned(),
        "/v1/organizations?district=370203".to_owned(),
        "/v1/organizations/370203005-K01".to_owned(),
        "/v1/organizations/370203-U0001".to_owned(),
        "/v1/people".to_owned(),
        format!("/v1/people?grid={WEST}"),
        LEADER.to_owned(),
    ];
    let edits = [
        ("PATCH", path(ALONE), json!({"position": {"lon": 120.3751}, "owner": "370203-WAT01"})),
        ("PATCH", path(TWINS[0]), json!({"category": "0103"})),
        ("POST", "/v1/covers".to_owned(), new_cover()),
        ("DELETE", path(ALONE), json!({})),
        ("PATCH", "/v1/organizations/370203005-K01".to_owned(), json!({"name": "城管科"})),
        ("PATCH", LEADER.to_owned(), json!({"duties": [], "organization": "370203-WAT01"})),
        ("POST", "/v1/organizations".to_owned(), json!({"name": "热力公司", "kind": "utility"})),
        ("DELETE", "/v1/organizations/370203-U0001".to_owned(), json!({})),
    ];
    // Of names no past is kept.
    let named = town.ask("PATCH", LEADER).key(ADMIN).header("if-match", "*").json(json!({"name": "赵"})).await;
    assert_eq!(named.status, 200, "{}", named.body);
    let mut told: Vec<(String, String, StatusCode, String)> = Vec::new();
    for (method, uri, body) in edits.iter().map(Some).chain([None]).map(|edit| edit.cloned().unwrap_or_default()) {
        let instant = now();
        for read in &reads {
            let got = town.get(read).key(ADMIN).get().await;
            // A code that leads to another one was that cover's own then.
            if got.status != 308 {
                told.push((instant.clone(), read.clone(), got.status, String::from_utf8(got.bytes.to_vec()).unwrap()));
            }
        }
        if !uri.is_empty() {
            let got = town.ask(method, &uri).key(ADMIN).header("if-match", "*").json(body).await;
            assert!(got.status.is_success(), "{method} {uri} {}", got.body);
        }
    }
    for (instant, read, status, body) in told {
        let uri = format!("{read}{}as_of={instant}", if read.contains('?') { '&' } else { '?' });
        let got = town.get(&uri).key(ADMIN).get().await;
        assert_eq!((got.status, std::str::from_utf8(&got.bytes).unwrap()), (status, &*body), "{uri}");
    }
    for (uri, parameter) in [
        (format!("{}?as_of=2999-01-01T00:00:00Z", path(ALONE)), "as_of"),
        (format!("{}?as_of=1999-01-01T00:00:00Z", path(ALONE)), "as_of"),
        ("/v1/covers?as_of=1999-01-01T00:00:00Z".to_owned(), "as_of"),
        ("/v1/grids?as_of=yesterday".to_owned(), "as_of"),
        ("/v1/organizations?as_of=1999-01-01T00:00:00Z".to_owned(), "as_of"),
        ("/v1/people?as_of=2999-01-01T00:00:00Z".to_owned(), "as_of"),
        (format!("{LEADER}?as_of=1999-01-01T00:00:00Z"), "as_of"),
    ] {
        assert_eq!(town.get(&uri).key(ADMIN).get().await.fault(), (422, "invalid", parameter.to_owned()), "{uri}");
    }
}
