//! Redrawing grids: what it would do, what it does, and that no ground is lost or given twice.

use super::*;

pub(super) fn rect(west: f64, south: f64, east: f64, north: f64) -> Value {
    json!({"type": "Polygon", "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]]})
}

fn grid(code: &str) -> String {
    format!("/v1/grids/{code}")
}

impl Town {
    async fn grid_at(&self, lon: f64) -> Value {
        let got = self.get(&format!("/v1/resolve?lon={lon}&lat=36.12")).get().await;
        got.body["grid"]["code"].clone()
    }
}

#[tokio::test]
async fn a_name_is_changed_with_memory() {
    let town = Town::open().await;
    let patch =
        town.ask("PATCH", &format!("{}?reason=new%20sign", grid(WEST))).key(PLANNER).header("if-match", "\"1\"");
    let got = patch.json(json!({"name": "西网格", "supervising_department": null})).await;
    assert_eq!(
        (got.status.as_u16(), got.header("etag"), &got.body["name"]),
        (200, "\"2\"", &json!("西网格")),
        "{}",
        got.body
    );
    assert_eq!(got.body["supervising_department"], Value::Null);
    let resolved = town.get("/v1/resolve?lon=120.375&lat=36.12").get().await.body;
    assert_eq!(
        (&resolved["grid"]["name"], &resolved["candidates"][0]["cover"]["grid"]["name"]),
        (&json!("西网格"), &json!("西网格"))
    );
    let whole = town.get(&grid(WEST)).key("demo-admin").get().await.body;
    let same = town.ask("PUT", &grid(WEST)).key("demo-admin").header("if-match", "*").json(whole).await;
    assert_eq!(same.status, 200, "{}", same.body);
    let history = town.get(&format!("{}/history", grid(WEST))).key("demo-crew").get().await.body;
    assert_eq!(town.get(&format!("{}/history", grid(WEST))).get().await.fault().0, 401);
    let changed = &history["items"][1];
    assert_eq!((&changed["reason"], &changed["by"]["role"]), (&json!("new sign"), &json!("planner")), "{history}");
    assert_eq!(changed["changes"][0], json!({"pointer": "/name", "from": "海晏社区第一网格", "to": "西网格"}));
    let feed = town.get("/v1/changes?after=1").key(PLANNER).get().await.body;
    assert_eq!((&feed["items"][0]["kind"], &feed["items"][0]["href"]), (&json!("grid.updated"), &json!(grid(WEST))));
}

#[tokio::test]
async fn an_edge_moves_with_the_covers_and_orders_beside_it() {
    let town = Town::open().await;
    let order = town.report().await;
    let body = json!({"grids": [
        {"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.374, 36.13)},
        {"code": EAST, "name": "东", "geometry": rect(120.374, 36.11, 120.39, 36.13)},
    ]});
    let dry = town.post("/v1/grids/redraw?dry_run=true").key(PLANNER).json(body.clone()).await;
    assert_eq!((dry.status.as_u16(), &dry.body["dry_run"]), (200, &json!(true)), "{}", dry.body);
    let effects = &dry.body["effects"];
    assert_eq!(effects["covers"], json!([{"code": ALONE, "from": WEST, "to": EAST}]));
    assert_eq!(effects["orders"], json!([{"code": order, "from": WEST, "to": EAST}]));
    assert_eq!((&effects["overlaps"], &effects["gaps"], &effects["outside"]), (&json!([]), &json!([]), &json!([])));
    let size = |n: usize, when: &str| effects["sizes"][n][when].as_f64().unwrap();
    let lost = size(0, "before_m2") - size(0, "after_m2");
    assert!((lost - (size(1, "after_m2") - size(1, "before_m2"))).abs() < 0.1 && lost > 1e6, "{effects}");
    // Nothing happened.
    assert_eq!(dry.header("guli-feed"), "370203:2");
    assert_eq!(town.grid_at(120.375).await, WEST);
    assert_eq!(town.get(&grid(WEST)).get().await.header("etag"), "\"1\"");
    let real = town.post("/v1/grids/redraw").key(PLANNER).json(body).await;
    assert_eq!((real.status.as_u16(), real.header("guli-feed")), (200, "370203:6"), "{}", real.body);
    assert_eq!(town.grid_at(120.375).await, EAST);
    let cover = town.get(&format!("/v1/covers/{ALONE}")).key(PLANNER).get().await;
    assert_eq!((&cover.body["grid"]["code"], cover.header("etag")), (&json!(EAST), "\"2\""));
    let moved = town.get(&format!("/v1/work-orders/{order}")).key("demo-admin").get().await;
    assert_eq!((&moved.body["grid"]["code"], moved.header("etag")), (&json!(EAST), "\"2\""), "{}", moved.body);
    assert!(
        moved.body["tasks"].as_array().unwrap().iter().all(|task| task["assignee"]["code"] != WEST),
        "{}",
        moved.body
    );
    // It was in the west then.
    let feed = town.get("/v1/changes?after=2").key("demo-admin").get().await.body;
    let kinds: Vec<_> = feed["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["grid.updated", "grid.updated", "cover.regridded", "work_order.regridded"]);
}

#[tokio::test]
async fn each_cover_that_changes_hands_is_told_of_by_itself() {
    let town = Town::open().await;
    let path = format!("/v1/covers/{ALONE}");
    let body = json!({"grids": [
        {"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.374, 36.13)},
        {"code": EAST, "name": "东", "geometry": rect(120.374, 36.11, 120.39, 36.13)},
    ]});
    let redrawn = town.post("/v1/grids/redraw?reason=plan").key(PLANNER).json(body).await;
    assert_eq!((redrawn.status.as_u16(), redrawn.header("guli-feed")), (200, "370203:4"), "{}", redrawn.body);
    let told = async |after: i64| town.get(&format!("/v1/changes?after={after}")).key(PLANNER).get().await.body;
    let of_cover = |feed: &Value| {
        let of = |item: &&Value| item["code"] == ALONE;
        feed["items"].as_array().unwrap().iter().find(of).cloned().unwrap_or_default()
    };
    let feed = told(1).await;
    let seqs: Vec<_> = feed["items"].as_array().unwrap().iter().map(|item| &item["seq"]).collect();
    assert_eq!((json!(seqs), &feed["head"]), (json!([2, 3, 4]), &json!(4)), "{feed}");
    let event = of_cover(&feed);
    assert_eq!(
        (&event["kind"], &event["version"], &event["href"], &event["seq"]),
        (&json!("cover.regridded"), &json!(2), &json!(path), &json!(4))
    );
    let versions = async || {
        let history = town.get(&format!("{path}/history")).key(PLANNER).get().await.body;
        history["items"].as_array().unwrap().clone()
    };
    let version = versions().await[1].clone();
    assert_eq!(version["changes"], json!([{"pointer": "/grid", "from": WEST, "to": EAST}]));
    assert_eq!(
        (&version["change"], &version["reason"], &version["by"]["role"], &version["at"]),
        (&json!("cover.regridded"), &json!("plan"), &json!("planner"), &event["at"])
    );
    // Not the cover's to be undone, but the grids'.
    let undo = async |path: &str| town.post(path).key("demo-admin").send("").await;
    let refused = undo(&format!("{path}/history/2/undo")).await;
    assert_eq!(refused.fault().1, "conflict", "{}", refused.body);
    let detail = refused.body["detail"].as_str().unwrap();
    let there = format!("/v1/grids/{WEST}/history/2/undo");
    assert!(detail.contains(&there), "{detail}");
    assert_eq!(undo(&there).await.status, 200);
    let event = of_cover(&told(4).await);
    assert_eq!((&event["kind"], &event["version"]), (&json!("cover.regridded"), &json!(3)));
    let version = versions().await[2].clone();
    assert_eq!(version["changes"], json!([{"pointer": "/grid", "from": EAST, "to": WEST}]));
    // What an edit moves says so too.
    let patch = town.ask("PATCH", &path).key("demo-admin").header("if-match", "\"3\"");
    let moved = patch.json(json!({"position": {"lon": 120.385, "lat": 36.125}})).await;
    assert_eq!(moved.status, 200, "{}", moved.body);
    let version = versions().await[3].clone();
    assert!(version["changes"].to_string().contains("/grid"), "{version}");
    assert_eq!(undo(&format!("{path}/history/4/undo")).await.body["grid"]["code"], WEST);
}

#[tokio::test]
async fn who_follows_from_between_reads_each_cover_once() {
    let town = Town::open().await;
    let body = json!({"grids": [
        {"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.389, 36.13)},
        {"code": EAST, "name": "东", "geometry": rect(120.389, 36.11, 120.39, 36.13)},
    ]});
    let redrawn = town.post("/v1/grids/redraw").key(PLANNER).json(body).await;
    let head = redrawn.header("guli-feed").to_owned();
    let (mut after, mut codes) = (3, Vec::new());
    loop {
        let page = town.get(&format!("/v1/changes?limit=1&after={after}")).key(PLANNER).get().await.body;
        let Some(item) = page["items"].as_array().unwrap().first() else { break };
        assert_eq!(item["kind"], "cover.regridded");
        codes.push(item["code"].clone());
        after = page["next_after"].as_i64().unwrap();
    }
    assert_eq!((json!(codes), format!("370203:{after}")), (json!(TWINS), head.clone()));
    // The registry has that number, as who reads it is told.
    let seen = town.get("/v1/resolve?lon=120.385&lat=36.12").header("guli-min-feed", &head).get().await;
    assert_eq!(seen.body["registry_version"], head, "{}", seen.body);
}

/// A code that nobody has is mistyped where the version of a grid comes with it; one that a planner chose is taken, and
/// those before it are left to be given.
#[tokio::test]
async fn a_mistyped_code_makes_no_grid_and_codes_are_given_to_the_last() {
    let town = Town::open().await;
    let split = |code: Value, version: Value| {
        let west = json!({"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.38, 36.12)});
        let mut north = json!({"name": "北", "geometry": rect(120.37, 36.12, 120.38, 36.13)});
        north["code"] = code;
        north["version"] = version;
        town.post("/v1/grids/redraw").key(PLANNER).json(json!({"grids": [west, north]}))
    };
    let mistyped = split(json!("370203005001999"), json!(1)).await;
    assert_eq!((mistyped.status.as_u16(), &*mistyped.fault().2), (422, "/grids/1/code"), "{}", mistyped.body);
    let chosen = split(json!("370203005001999"), Value::Null).await;
    assert_eq!(chosen.status, 200, "{}", chosen.body);
    let halves = json!({"grids": [
        {"code": EAST, "name": "东", "geometry": rect(120.38, 36.11, 120.39, 36.12)},
        {"name": "东北", "geometry": rect(120.38, 36.12, 120.39, 36.13)},
    ]});
    let got = town.post("/v1/grids/redraw").key(PLANNER).json(halves).await;
    assert_eq!((got.status.as_u16(), &got.body["areas"][1]["code"]), (200, &json!("370203005001003")), "{}", got.body);
}

#[tokio::test]
async fn a_grid_is_split_and_merged_again() {
    let town = Town::open().await;
    let split = json!({"grids": [
        {"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.38, 36.12)},
        {"name": "北", "geometry": rect(120.37, 36.12, 120.38, 36.13)},
    ]});
    let got = town.post("/v1/grids/redraw").key(PLANNER).json(split).await;
    assert_eq!(got.status, 200, "{}", got.body);
    let new = got.body["areas"][1]["code"].as_str().unwrap().to_owned();
    assert_eq!(new, "370203005001003");
    // On the shared edge the lowest code wins.
    assert_eq!(town.grid_at(120.375).await, WEST);
    let merge = json!({
        "grids": [{"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.38, 36.13)}], "remove": [new],
    });
    let got = town.post("/v1/grids/redraw").key(PLANNER).json(merge).await;
    assert_eq!(got.status, 200, "{}", got.body);
    let feed = town.get("/v1/changes").key(PLANNER).get().await.body;
    let removed = feed["items"].as_array().unwrap().iter().find(|item| item["kind"] == "grid.removed").unwrap();
    assert_eq!((&removed["code"], &removed["version"]), (&json!(new), &json!(2)));
    let gone = town.get(&grid(&new)).get().await;
    assert_eq!((gone.fault().1, &gone.body["history"]), ("gone", &json!(format!("{}/history", grid(&new)))));
    let history = town.get(&format!("{}/history", grid(&new))).key(PLANNER).get().await.body;
    assert_eq!(
        (history["items"].as_array().unwrap().len(), &history["items"][1]["changes"][0]["to"]),
        (2, &Value::Null)
    );
    assert_eq!(history["items"][1]["version"], removed["version"]);
    // Its code is not given again.
    let again = json!({"grids": [
        {"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.38, 36.12)},
        {"name": "北", "geometry": rect(120.37, 36.12, 120.38, 36.13)},
    ]});
    let got = town.post("/v1/grids/redraw").key(PLANNER).json(again).await;
    assert_eq!(got.body["areas"][1]["code"], "370203005001004", "{}", got.body);
}

#[tokio::test]
async fn ground_is_neither_lost_nor_given_twice() {
    let town = Town::open().await;
    let before = town.get("/v1/changes").key("demo-admin").get().await.body;
    let patch = |geometry: Value| {
        town.ask("PATCH", &grid(WEST)).key(PLANNER).header("if-match", "*").json(json!({"geometry": geometry}))
    };
    for (geometry, detail) in [
        (rect(120.37, 36.11, 120.385, 36.13), "would overlap 370203005001002"),
        (rect(120.37, 36.11, 120.379, 36.13), "would belong to nobody"),
        (rect(120.36, 36.11, 120.38, 36.13), "would lie outside"),
        (json!({"type": "Point", "coordinates": [120.37, 36.11]}), "Polygon"),
        (
            json!({"type": "Polygon", "coordinates": [[[120.37, 36.11], [120.38, 36.13], [120.38, 36.11], [120.37, 36.13], [120.37, 36.11]]]}),
            "crosses or touches itself",
        ),
        (json!({"type": "Polygon", "coordinates": [[[120.37, 36.11], [120.38, 36.11], [120.38, 36.13]]]}), "4"),
        (json!("here"), ""),
    ] {
        let got = patch(geometry.clone()).await;
        assert_eq!(got.fault(), (422, "invalid", "/geometry".to_owned()), "{geometry}");
        assert!(got.body["errors"].to_string().contains(detail), "{geometry} {}", got.body);
    }
    let ring: Vec<_> = (0..2_001).map(|n| json!([120.37 + f64::from(n) * 1e-6, 36.11])).collect();
    let many = patch(json!({"type": "Polygon", "coordinates": [ring]})).await;
    assert!(many.body["detail"].as_str().unwrap().contains("2000"), "{}", many.body);
    for (method, uri, key, body, status) in [
        ("PATCH", grid(WEST), PLANNER, json!({"code": WEST}), 422),
        ("PATCH", grid(WEST), PLANNER, json!({"name": null}), 422),
        ("PATCH", grid(WEST), PLANNER, json!({"name": " "}), 422),
        ("PATCH", grid(WEST), PLANNER, json!({"supervising_department": "370203-XXX01"}), 422),
        // Nothing would ever show it.
        (
            "PATCH",
            "/v1/subdistricts/370203005".to_owned(),
            PLANNER,
            json!({"supervising_department": "370203-WAT01"}),
            422,
        ),
        ("PATCH", "/v1/communities/370203005001".to_owned(), PLANNER, json!({"supervising_department": null}), 422),
        ("PATCH", grid("370203005001099"), PLANNER, json!({"name": "x"}), 404),
        ("PATCH", grid(WEST), "demo-crew", json!({"name": "x"}), 403),
        ("PATCH", grid(WEST), "demo-grid", json!({"name": "x"}), 403),
        ("DELETE", grid(WEST), PLANNER, json!({}), 422),
        ("DELETE", "/v1/communities/370203005001".to_owned(), PLANNER, json!({}), 409),
        ("POST", "/v1/grids/redraw".to_owned(), PLANNER, json!({"grids": []}), 422),
        ("POST", "/v1/grids/redraw".to_owned(), PLANNER, json!({"grids": [], "remove": ["370203005001099"]}), 422),
        ("POST", "/v1/grids/redraw?dry_run=perhaps".to_owned(), PLANNER, json!({"grids": []}), 422),
    ] {
        let got = town.ask(method, &uri).key(key).header("if-match", "*").json(body.clone()).await;
        assert_eq!(got.fault().0, status, "{method} {uri} {body} {}", got.body);
    }
    assert_eq!(town.ask("PATCH", &grid(WEST)).json(json!({"name": "x"})).await.fault().0, 401);
    assert_eq!(town.ask("PATCH", &grid(WEST)).key(PLANNER).json(json!({"name": "x"})).await.fault().0, 428);
    let stale =
        town.ask("PATCH", &grid(WEST)).key(PLANNER).header("if-match", "\"9\"").json(json!({"name": "x"})).await;
    assert_eq!((stale.fault().0, &stale.body["current"]), (412, &json!(1)));
    // A dry run says all of it instead.
    let dry = town.ask("PATCH", &format!("{}?dry_run=true", grid(WEST))).key(PLANNER).header("if-match", "*");
    let dry = dry.json(json!({"geometry": rect(120.365, 36.11, 120.379, 36.13)})).await;
    assert_eq!(dry.status, 200, "{}", dry.body);
    assert!(dry.body["effects"]["gaps"][0]["area_m2"].as_f64().unwrap() > 1e5, "{}", dry.body);
    assert_eq!(dry.body["effects"]["outside"][0]["code"], WEST);
    assert_eq!(town.get("/v1/changes").key("demo-admin").get().await.body, before);
}

#[tokio::test]
async fn an_outline_of_another_coordinate_system_is_told_from_one_that_lies_outside() {
    let town = Town::open().await;
    let swapped = rect(36.11, 60.37, 36.13, 60.39);
    for geometry in [
        rect(110.33, 36.11, 110.34, 36.12),
        swapped,
        rect(112.0, 36.11, 112.1, 36.12),
        rect(100.0, 36.11, 120.38, 36.13),
    ] {
        for query in ["?dry_run=true", ""] {
            let patch = town.ask("PATCH", &format!("{}{query}", grid(WEST))).key(PLANNER).header("if-match", "*");
            let got = patch.json(json!({ "geometry": geometry })).await;
            assert_eq!(got.fault(), (422, "invalid", "/geometry".to_owned()), "{geometry} {query} {}", got.body);
            assert!(got.body["detail"].as_str().unwrap().contains("nowhere near the district"), "{}", got.body);
            let body = json!({"grids": [{"code": WEST, "name": "西", "geometry": geometry}]});
            let redraw = town.post(&format!("/v1/grids/redraw{query}")).key(PLANNER).header("accept-language", "zh-CN");
            let got = redraw.json(body).await;
            assert_eq!(
                got.fault(),
                (422, "invalid", "/grids/0/geometry".to_owned()),
                "{geometry} {query} {}",
                got.body
            );
            assert!(got.body["detail"].as_str().unwrap().contains("坐标系"), "{}", got.body);
        }
    }
    // What lies beside the district is measured.
    let beside = town.ask("PATCH", &format!("{}?dry_run=true", grid(WEST))).key(PLANNER).header("if-match", "*");
    let got = beside.json(json!({"geometry": rect(120.3, 36.11, 120.31, 36.13)})).await;
    assert_eq!((got.status.as_u16(), &got.body["effects"]["outside"][0]["code"]), (200, &json!(WEST)), "{}", got.body);
}

#[tokio::test]
async fn a_new_grid_takes_ground_that_no_other_has() {
    let town = Town::seeded(async |writer| {
        seed(writer).await;
        areas::remove(&mut writer.conn(), "370203".parse().unwrap(), 1, &[EAST.parse().unwrap()]).await.unwrap();
    })
    .await;
    let new = |west: f64| json!({"name": "东", "geometry": rect(west, 36.11, 120.39, 36.13)});
    let tried = town.post("/v1/grids?dry_run=true").key(PLANNER).json(new(120.38)).await;
    assert_eq!((tried.status.as_u16(), &tried.body["effects"]["cover_count"]), (200, &json!(2)), "{}", tried.body);
    let over = town.post("/v1/grids").key(PLANNER).json(new(120.379)).await;
    assert_eq!(over.fault().0, 422, "{}", over.body);
    let made = town.post("/v1/grids?reason=found").key(PLANNER).json(new(120.38)).await;
    assert_eq!((made.status.as_u16(), made.header("etag")), (201, "\"1\""), "{}", made.body);
    assert_eq!(made.header("location"), "/v1/grids/370203005001003");
    assert_eq!(town.grid_at(120.385).await, "370203005001003");
    let cover = town.get(&format!("/v1/covers/{}", TWINS[0])).key(PLANNER).get().await;
    assert_eq!((&cover.body["grid"]["code"], cover.header("etag")), (&json!("370203005001003"), "\"2\""));
    for (path, code, pointer) in [
        ("/v1/grids", WEST, "/code"),
        ("/v1/grids", EAST, "/code"),
        ("/v1/grids", "370203005009001", "/code"),
        ("/v1/grids", "370203005", "/code"),
        ("/v1/communities", "370203005001", "/code"),
        ("/v1/communities", "370203006001", "/code"),
    ] {
        let mut body = new(120.38);
        body["code"] = json!(code);
        let got = town.post(path).key(PLANNER).json(body).await;
        assert_eq!(got.fault(), (422, "invalid", pointer.to_owned()), "{path} {code} {}", got.body);
    }
    let elsewhere = json!({"name": "x", "geometry": rect(121.0, 36.0, 121.1, 36.1)});
    assert_eq!(town.post("/v1/subdistricts").key(PLANNER).json(elsewhere).await.fault().2, "/geometry");
    assert_eq!(town.post("/v1/grids").key("demo-crew").json(new(120.38)).await.fault().0, 403);
}

#[tokio::test]
async fn what_was_redrawn_together_is_undone_together() {
    let town = Town::open().await;
    let order = town.report().await;
    let of = async |order: &str| {
        town.get(&format!("/v1/work-orders/{order}")).key("demo-admin").get().await.body["grid"]["code"].clone()
    };
    let before = (town.grid_at(120.375).await, of(&order).await);
    // The west goes to the east and to a new one.
    let body = json!({"remove": [WEST], "grids": [
        {"code": EAST, "name": "东", "geometry": rect(120.374, 36.11, 120.39, 36.13)},
        {"name": "新", "geometry": rect(120.37, 36.11, 120.374, 36.13)},
    ]});
    let got = town.post("/v1/grids/redraw").key(PLANNER).json(body).await;
    assert_eq!(got.status, 200, "{}", got.body);
    let new = got.body["areas"].as_array().unwrap().iter().find(|area| area["name"] == "新").unwrap()["code"].clone();
    let new = new.as_str().unwrap().to_owned();
    assert_eq!(town.grid_at(120.375).await, EAST);

    let undo = |code: &str, version: i64, query: &str| {
        town.post(&format!("{}/history/{version}/undo{query}", grid(code))).key(PLANNER)
    };
    let dry = undo(&new, 1, "?dry_run=true").send("").await;
    assert_eq!((dry.status.as_u16(), &dry.body["dry_run"]), (200, &json!(true)), "{}", dry.body);
    assert_eq!(dry.header("guli-feed"), got.header("guli-feed"));
    assert_eq!(town.grid_at(120.375).await, EAST);
    assert_eq!(undo(EAST, 1, "").send("").await.fault().1, "conflict");
    let crew = town.post(&format!("{}/history/2/undo", grid(EAST))).key("demo-crew").send("").await;
    assert_eq!(crew.fault().1, "forbidden");
    let keyed = || undo(EAST, 2, "?reason=too%20early").header("idempotency-key", "0123456789abcdef");
    let back = keyed().send("").await;
    assert_eq!(back.status, 200, "{}", back.body);
    assert_eq!(keyed().send("").await.header("idempotent-replayed"), "true");
    assert_eq!((town.grid_at(120.375).await, of(&order).await), before);
    assert_eq!(town.get(&grid(&new)).get().await.status, 410);
    let west = town.get(&format!("{}/history", grid(WEST))).key("demo-admin").get().await.body;
    let versions: Vec<_> = west["items"].as_array().unwrap().iter().map(|item| &item["version"]).collect();
    assert_eq!(json!(versions), json!([1, 2, 3]), "{west}");

    // What stands on it keeps it: one of them was changed again.
    let body = json!({"grids": [
        {"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.374, 36.13)},
        {"code": EAST, "name": "东", "geometry": rect(120.374, 36.11, 120.39, 36.13)},
    ]});
    assert_eq!(town.post("/v1/grids/redraw").key(PLANNER).json(body).await.status, 200);
    let rename =
        town.ask("PATCH", &grid(WEST)).key(PLANNER).header("if-match", "*").json(json!({"name": "西一"})).await;
    assert_eq!(rename.status, 200);
    let kept = undo(EAST, 4, "").send("").await;
    assert_eq!(kept.fault().1, "conflict", "{}", kept.body);
    assert!(kept.body["detail"].as_str().unwrap().contains(WEST), "{}", kept.body);
}

#[tokio::test]
async fn a_split_is_not_undone_under_who_stands_for_what_it_made() {
    let town = Town::open().await;
    let split = json!({"grids": [
        {"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.38, 36.12)},
        {"name": "北", "geometry": rect(120.37, 36.12, 120.38, 36.13)},
    ]});
    let got = town.post("/v1/grids/redraw").key(PLANNER).json(split).await;
    let new = got.body["areas"][1]["code"].as_str().unwrap().to_owned();
    let leader = json!({
        "name": "王示范", "phone": "19900000001", "organization": "370203005-K01",
        "duties": [{"area": new, "kind": "grid_leader"}],
    });
    let made = town.post("/v1/people").key("demo-admin").json(leader).await;
    assert_eq!(made.status, 201, "{}", made.body);
    for query in ["?dry_run=true", ""] {
        let undo = town.post(&format!("{}/history/2/undo{query}", grid(WEST))).key(PLANNER).send("").await;
        assert_eq!(undo.fault().1, "conflict", "{query} {}", undo.body);
        assert!(undo.body["detail"].as_str().unwrap().contains(&new), "{}", undo.body);
    }
    let person = made.header("location").to_owned();
    let moved = town.ask("PATCH", &person).key("demo-admin").header("if-match", "*");
    let moved = moved.json(json!({"duties": [{"area": WEST, "kind": "grid_leader"}]})).await;
    assert_eq!(moved.status, 200, "{}", moved.body);
    let undo = town.post(&format!("{}/history/2/undo", grid(WEST))).key(PLANNER).send("").await;
    assert_eq!(undo.status, 200, "{}", undo.body);
}

#[tokio::test]
async fn what_a_redrawing_leaves_out_stays() {
    let town = Town::open().await;
    let of = async |code: &str| town.get(&grid(code)).get().await.body["supervising_department"]["code"].clone();
    let body = json!({"grids": [
        {"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.38, 36.12)},
        {"name": "北", "geometry": rect(120.37, 36.12, 120.38, 36.13)},
    ]});
    let got = town.post("/v1/grids/redraw").key(PLANNER).json(body).await;
    assert_eq!(got.status, 200, "{}", got.body);
    assert_eq!(got.body["areas"][0]["supervising_department"]["code"], "370203005-K01", "{}", got.body);
    assert_eq!((of(WEST).await, of("370203005001003").await), (json!("370203005-K01"), Value::Null));
    // What is said to be nobody's is.
    let body = json!({"grids": [{
        "code": WEST, "name": "西", "supervising_department": null, "geometry": rect(120.37, 36.11, 120.38, 36.12),
    }]});
    let got = town.post("/v1/grids/redraw").key(PLANNER).json(body).await;
    assert_eq!((got.status.as_u16(), of(WEST).await), (200, Value::Null), "{}", got.body);
}

#[tokio::test]
async fn covers_of_a_grid_that_goes_say_where_they_were() {
    let town = Town::open().await;
    let order = town.report().await;
    let body = json!({
        "grids": [{"code": EAST, "name": "东", "geometry": rect(120.37, 36.11, 120.39, 36.13)}], "remove": [WEST],
    });
    for query in ["?dry_run=true", ""] {
        let got = town.post(&format!("/v1/grids/redraw{query}")).key(PLANNER).json(body.clone()).await;
        let effects = &got.body["effects"];
        assert_eq!(effects["covers"], json!([{"code": ALONE, "from": WEST, "to": EAST}]), "{}", got.body);
        assert_eq!(effects["orders"], json!([{"code": order, "from": WEST, "to": EAST}]));
    }
}

#[tokio::test]
async fn what_is_tried_takes_no_number_of_the_feed() {
    let town = Town::open().await;
    let head = "370203:1";
    for (method, path, body) in [
        ("PATCH", grid(WEST), json!({"name": "西"})),
        ("PATCH", "/v1/communities/370203005001".to_owned(), json!({"name": "社区"})),
        ("PUT", grid(WEST), json!({"name": "西", "geometry": rect(120.37, 36.11, 120.38, 36.13)})),
        ("DELETE", grid(WEST), Value::Null),
        ("POST", "/v1/grids".to_owned(), json!({"name": "新", "geometry": rect(120.38, 36.11, 120.385, 36.13)})),
    ] {
        let ask = town.ask(method, &format!("{path}?dry_run=true")).key(PLANNER).header("if-match", "*");
        let tried = ask.json(body).await;
        assert_eq!((tried.status.as_u16(), tried.header("guli-feed")), (200, head), "{method} {path} {}", tried.body);
        let seen = town.get(&path).header("guli-min-feed", tried.header("guli-feed")).get().await;
        assert_eq!(seen.status, 200, "{method} {path} {}", seen.body);
    }
}

#[tokio::test]
async fn what_changes_nothing_makes_no_version() {
    let town = Town::open().await;
    let feed = async || town.get("/v1/changes").key("demo-admin").get().await.body;
    let before = feed().await;
    for path in [grid(WEST), "/v1/communities/370203005001".to_owned(), "/v1/subdistricts/370203005".to_owned()] {
        let whole = town.get(&path).key(PLANNER).get().await.body;
        for (method, body) in [("PATCH", json!({})), ("PATCH", json!({"name": whole["name"]})), ("PUT", whole.clone())]
        {
            let ask = || town.ask(method, &path).key(PLANNER).header("if-match", "\"1\"").json(body.clone());
            let got = ask().await;
            assert_eq!((got.status.as_u16(), got.header("etag")), (200, "\"1\""), "{method} {path} {}", got.body);
            assert_eq!((&got.body, got.header("guli-feed")), (&whole, "370203:1"), "{method} {path}");
        }
        let dry = town.ask("PATCH", &format!("{path}?dry_run=true")).key(PLANNER).header("if-match", "*");
        let dry = dry.json(json!({})).await;
        assert_eq!((&dry.body["areas"][0]["version"], &dry.body["dry_run"]), (&json!(1), &json!(true)), "{}", dry.body);
        let stale = town.ask("PATCH", &path).key(PLANNER).header("if-match", "\"9\"").json(json!({})).await;
        assert_eq!(stale.fault().0, 412);
        let history = town.get(&format!("{path}/history")).key(PLANNER).get().await.body;
        assert_eq!(history["items"].as_array().unwrap().len(), 1, "{history}");
    }
    // Of grids that are redrawn together, those that stay as they are.
    let whole = async |code: &str| town.get(&grid(code)).key(PLANNER).get().await.body;
    let (west, mut east) = (whole(WEST).await, whole(EAST).await);
    let redraw = |grids: Value| town.post("/v1/grids/redraw").key(PLANNER).json(json!({ "grids": grids }));
    let got = redraw(json!([west, east])).await;
    assert_eq!((got.status.as_u16(), &got.body["areas"]), (200, &json!([west, east])), "{}", got.body);
    assert_eq!(feed().await, before);
    east["name"] = json!("东");
    let got = redraw(json!([west, east])).await;
    let versions = [&got.body["areas"][0]["version"], &got.body["areas"][1]["version"]];
    assert_eq!(versions, [&json!(1), &json!(2)], "{}", got.body);
    let items = &feed().await["items"];
    assert_eq!((items.as_array().unwrap().len(), &items[1]["href"]), (2, &json!(grid(EAST))), "{items}");
}

#[tokio::test]
async fn a_grid_is_redrawn_from_the_version_that_it_names() {
    let town = Town::open().await;
    let before = town.get("/v1/changes").key("demo-admin").get().await.body;
    let redraw = |query: &str, version: i64| {
        town.post(&format!("/v1/grids/redraw{query}")).key(PLANNER).json(json!({"grids": [
            {"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.374, 36.13), "version": 1},
            {"code": EAST, "name": "东", "geometry": rect(120.374, 36.11, 120.39, 36.13), "version": version},
        ]}))
    };
    for query in ["", "?dry_run=true"] {
        let stale = redraw(query, 2).await;
        assert_eq!(stale.fault(), (412, "stale-version", "/grids/1/version".to_owned()), "{}", stale.body);
        assert_eq!(stale.body["current"], 1);
    }
    assert_eq!(town.get("/v1/changes").key("demo-admin").get().await.body, before);
    assert_eq!(town.grid_at(120.375).await, WEST);
    let got = redraw("", 1).await;
    assert_eq!((got.status.as_u16(), &got.body["areas"][1]["version"]), (200, &json!(2)), "{}", got.body);
}

#[tokio::test]
async fn a_shape_is_at_fault_where_it_was_said() {
    let town = Town::open().await;
    let west = |to: f64| json!({"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, to, 36.13)});
    let east = |from: f64, to: f64| json!({"code": EAST, "name": "东", "geometry": rect(from, 36.11, to, 36.13)});
    for (body, at) in [
        (json!({"grids": [west(120.381)]}), "/grids/0/geometry"),
        (json!({"grids": [east(120.38, 120.39), west(120.381)]}), "/grids/0/geometry"),
        (json!({"grids": [west(120.38), east(120.38, 120.391)]}), "/grids/1/geometry"),
        (json!({"grids": [west(120.38), east(120.381, 120.39)]}), "/grids/1/geometry"),
        (json!({"grids": [west(120.38)], "remove": [EAST]}), "/remove/0"),
        (
            json!({"grids": [west(120.38), {"name": "新", "geometry": {"type": "Point", "coordinates": [120.37, 36.11]}}]}),
            "/grids/1/geometry",
        ),
    ] {
        let got = town.post("/v1/grids/redraw").key(PLANNER).json(body.clone()).await;
        assert_eq!(got.fault(), (422, "invalid", at.to_owned()), "{body} {}", got.body);
    }
    // One that comes along as it is keeps its ground.
    let same = town.get(&grid(EAST)).key(PLANNER).get().await.body;
    let got = town.post("/v1/grids/redraw").key(PLANNER).json(json!({"grids": [same, west(120.381)]})).await;
    assert_eq!(got.fault(), (422, "invalid", "/grids/1/geometry".to_owned()), "{}", got.body);
    // A removal has no body.
    let gone = town.ask("DELETE", &grid(WEST)).key(PLANNER).header("if-match", "*").send("").await;
    assert_eq!(gone.fault(), (422, "invalid", "code".to_owned()), "{}", gone.body);
    assert_eq!(gone.body["errors"][0]["parameter"], "code", "{}", gone.body);
}

/// The town with its halves in two sub-districts, each of one community and one grid.
async fn halves() -> Town {
    Town::seeded(async |writer| {
        let (west, east) = (square(120.37, 36.11, 120.38, 36.13), square(120.38, 36.11, 120.39, 36.13));
        let parts = [
            area(370_203_005, "辽宁路街道", west.clone()),
            area(370_203_005_001, "海晏社区", west.clone()),
            area(WEST.parse().unwrap(), "海晏社区第一网格", west),
            area(370_203_006, "延安路街道", east.clone()),
            area(370_203_006_001, "永康社区", east.clone()),
            area(BEYOND.parse().unwrap(), "永康社区第一网格", east),
        ];
        seed_areas(writer, &parts).await;
    })
    .await
}

const BEYOND: &str = "370203006001001";

#[tokio::test]
async fn the_edge_of_a_community_moves_with_its_grids_when_it_is_asked_to() {
    let town = halves().await;
    let mut body = json!({"grids": [
        {"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.384, 36.13)},
        {"code": BEYOND, "name": "东", "geometry": rect(120.384, 36.11, 120.39, 36.13)},
    ]});
    let redraw = async |query: &str, body: &Value| {
        town.post(&format!("/v1/grids/redraw{query}")).key(PLANNER).json(body.clone()).await
    };
    let refused = redraw("", &body).await;
    assert_eq!(refused.fault(), (422, "invalid", "/grids/0/geometry".to_owned()), "{}", refused.body);
    assert!(refused.body["detail"].as_str().unwrap().contains("move_parents"), "{}", refused.body);
    body["move_parents"] = json!(true);
    let dry = redraw("?dry_run=true", &body).await;
    assert_eq!((dry.status.as_u16(), &dry.body["effects"]["outside"]), (200, &json!([])), "{}", dry.body);
    assert_eq!(town.grid_at(120.382).await, BEYOND);
    let done = redraw("?reason=road", &body).await;
    let codes: Vec<_> = done.body["areas"].as_array().unwrap().iter().map(|area| &area["code"]).collect();
    let parents = ["370203005001", "370203006001", "370203005", "370203006"];
    assert_eq!(json!(codes), json!([&[WEST, BEYOND][..], &parents].concat()), "{}", done.body);
    assert_eq!(town.grid_at(120.382).await, WEST);
    for (level, code) in ["communities", "communities", "subdistricts", "subdistricts"].into_iter().zip(parents) {
        let now = town.get(&format!("/v1/{level}/{code}")).get().await;
        assert_eq!(now.header("etag"), "\"2\"", "{code}");
        let points = now.body["geometry"]["coordinates"][0][0].as_array().unwrap();
        assert!(points.iter().any(|at| at[0] == 120.384) && points.iter().all(|at| at[0] != 120.38), "{}", now.body);
        let history = town.get(&format!("/v1/{level}/{code}/history")).key(PLANNER).get().await.body;
        let kind = if level == "communities" { "community.updated" } else { "subdistrict.updated" };
        assert_eq!(history["items"][1]["change"], kind, "{history}");
    }
    let wrong = town.get("/v1/quality?rule=grids-gap,grids-overlap,cover-outside-grids").key(PLANNER).get().await;
    assert_eq!(wrong.body["items"], json!([]), "{}", wrong.body);
    // An edge within a community is none of its own.
    let inner = json!({"move_parents": true, "grids": [
        {"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.384, 36.12)},
        {"name": "北", "geometry": rect(120.37, 36.12, 120.384, 36.13)},
    ]});
    let split = redraw("?dry_run=true", &inner).await;
    assert_eq!(split.body["areas"].as_array().unwrap().len(), 2, "{}", split.body);
    // Nothing follows beyond the district, and what nobody takes is lost at no level.
    for (west, east) in [(120.36, 120.384), (120.37, 120.383)] {
        body["grids"][0]["geometry"] = rect(west, 36.11, east, 36.13);
        let refused = redraw("", &body).await;
        assert_eq!(refused.fault().0, 422, "{}", refused.body);
    }
    // All of it is taken back at once.
    let undo = town.post(&format!("/v1/communities/{}/history/2/undo", parents[1])).key(PLANNER).send("").await;
    assert_eq!(undo.status, 200, "{}", undo.body);
    assert_eq!(town.grid_at(120.382).await, BEYOND);
    let back = town.get("/v1/subdistricts/370203005").get().await;
    let points = back.body["geometry"]["coordinates"][0][0].as_array().unwrap();
    assert!(back.header("etag") == "\"3\"" && points.iter().all(|at| at[0].as_f64() <= Some(120.38)), "{}", back.body);
}

#[tokio::test]
async fn a_community_that_gives_all_its_ground_away_goes() {
    let town = halves().await;
    let body = json!({"move_parents": true, "remove": [WEST], "grids": [
        {"code": BEYOND, "name": "全", "geometry": rect(120.37, 36.11, 120.39, 36.13)},
    ]});
    let done = town.post("/v1/grids/redraw").key(PLANNER).json(body).await;
    assert_eq!(done.status, 200, "{}", done.body);
    for path in ["/v1/communities/370203005001", "/v1/subdistricts/370203005"] {
        assert_eq!(town.get(path).get().await.status, 410, "{path}");
    }
    assert_eq!(town.grid_at(120.375).await, BEYOND);
    let undo = town.post(&format!("{}/history/2/undo", grid(BEYOND))).key(PLANNER).send("").await;
    assert_eq!(undo.status, 200, "{}", undo.body);
    assert_eq!(town.grid_at(120.375).await, WEST);
    let back = town.get("/v1/communities/370203005001").get().await;
    assert_eq!((back.status.as_u16(), &back.body["geometry"]["type"]), (200, &json!("MultiPolygon")), "{}", back.body);
}
