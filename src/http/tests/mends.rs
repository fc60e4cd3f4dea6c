//! What a caller may do about a finding, and taking back what mended one.

use super::*;

impl Town {
    /// The only finding of a query, as a key sees it.
    async fn sees(&self, key: &str, query: &str) -> Value {
        let got = self.get(&format!("/v1/quality?{query}")).key(key).get().await;
        let [item] = got.body["items"].as_array().unwrap().as_slice() else { panic!("{key} {query}: {}", got.body) };
        item.clone()
    }

    async fn takes_back(&self, key: &str, finding: &Value) -> Got {
        let undo = &finding["mended"]["undo"];
        assert_eq!((&undo["method"], &undo["body"]), (&json!("POST"), &Value::Null), "{finding}");
        self.post(undo["href"].as_str().unwrap()).key(key).send("").await
    }

    async fn patched(&self, code: &str, patch: Value) {
        let ask = self.ask("PATCH", &format!("/v1/covers/{code}")).key(ADMIN).header("if-match", "*");
        let got = ask.json(patch).await;
        assert_eq!(got.status, 200, "{}", got.body);
    }

    /// Of two records of one cover, of two sources; gives the code of the one that is to go.
    async fn twin(&self) -> String {
        let position = json!({"lon": 120.374_99, "lat": 36.12});
        let got = self.post("/v1/covers").key(ADMIN);
        let got = got.json(json!({"category": "0103", "owner": "370203-WAT01", "position": position})).await;
        assert_eq!(got.status, 201, "{}", got.body);
        got.body["code"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn each_key_is_told_what_it_may_do_and_a_unit_only_with_its_own() {
    let town = Town::with_neighbour().await;
    let twin = town.twin().await;
    let key = async |role, scope: &str| {
        town.guli.create_key(role, vec![scope.parse().unwrap()], String::new()).await.unwrap().secret
    };
    let drainage = key(crate::domain::actor::Role::Department, "unit:370203-DRA01").await;
    let water = key(crate::domain::actor::Role::Department, "unit:370203-WAT01").await;
    let bridge = key(crate::domain::actor::Role::Integration, "unit:370203-WAT01").await;
    let elsewhere = key(crate::domain::actor::Role::Admin, "district:370213").await;
    let one = town.sees(ADMIN, "rule=near-duplicate").await;
    let merge = json!({
        "method": "POST", "href": format!("/v1/covers/{twin}/merge"), "body": {"into": ALONE}, "if_match": "\"1\"",
    });
    assert_eq!(one["mend"], merge);
    for (key, may) in [
        (ADMIN, json!(["mend", "accept"])),
        (PLANNER, json!(["accept"])),
        ("demo-dispatcher", json!([])),
        ("demo-crew", json!([])),
        // The pair is of both companies; the record that would go is the water company's.
        (&*water, json!(["mend", "accept"])),
        (&*drainage, json!(["accept"])),
        (&*bridge, json!(["mend"])),
    ] {
        assert_eq!(town.sees(key, "rule=near-duplicate").await["may"], may, "{key}");
    }
    assert_eq!(town.get("/v1/quality?rule=near-duplicate").key(&elsewhere).get().await.body["items"], json!([]));
    // Whoever rules is told what is left to be done.
    let path = format!("/v1/quality/{}", one["id"].as_str().unwrap());
    let ruled = town.post(&path).key(&drainage).json(json!({"state": "accepted", "reason": "two chambers"})).await;
    assert_eq!(ruled.body["may"], json!(["reopen"]));
    let ruled = town.post(&path).key(ADMIN).json(json!({"state": "open"})).await;
    assert_eq!(ruled.body["may"], json!(["mend", "accept"]));
    // Nothing mends it but a person who comes to stand for the grid.
    assert_eq!(town.sees(ADMIN, "district=370203&rule=grid-without-leader").await["may"], json!(["accept"]));
}

#[tokio::test]
async fn two_records_of_one_cover_are_merged_by_one_call() {
    let town = Town::open().await;
    let twin = town.twin().await;
    let report = |cover: &str| town.post("/v1/reports").json(json!({"cover": cover, "damage": "missing"}));
    let order = report(&twin).await.body["work_order"]["code"].as_str().unwrap().to_owned();
    let mend = town.sees(ADMIN, "rule=near-duplicate").await["mend"].clone();
    let href = mend["href"].as_str().unwrap();
    for (key, body, status, at) in [
        (PLANNER, json!({"into": ALONE}), 403, ""),
        (ADMIN, json!({"into": twin}), 422, "/into"),
        (ADMIN, json!({"into": REMOVED}), 422, "/into"),
        (ADMIN, json!({"into": "3702030103009999"}), 422, "/into"),
        (ADMIN, json!({"into": "3702030103"}), 422, "/into"),
        (ADMIN, json!({}), 422, "/into"),
    ] {
        let refused = town.post(href).key(key).json(body.clone()).await;
        assert_eq!((refused.status.as_u16(), &*refused.fault().2), (status, at), "{body} {}", refused.body);
    }
    let stale = town.post(href).key(ADMIN).header("if-match", "\"2\"").json(mend["body"].clone()).await;
    assert_eq!(stale.fault().0, 412);
    let merged = town.post(href).key(ADMIN).header("idempotency-key", "0123456789abcdef").json(mend["body"].clone());
    let merged = merged.await;
    assert_eq!((merged.status.as_u16(), &merged.body["code"]), (200, &json!(ALONE)), "{}", merged.body);
    // Whoever has the code, on a plate or in a file, comes to the cover that stays.
    let way = town.get(&format!("/v1/covers/{twin}?out_crs=GCJ-02")).key(ADMIN).get().await;
    assert_eq!((way.status.as_u16(), way.header("location")), (308, &*format!("/v1/covers/{ALONE}?out_crs=GCJ-02")));
    // Whoever edits it is told, for that is another record.
    let edit = town.ask("PATCH", &format!("/v1/covers/{twin}")).key(ADMIN).header("if-match", "*");
    let gone = edit.json(json!({"status": "in_service"})).await;
    let why = format!("cover {twin} was merged into {ALONE}: edit that");
    assert_eq!((gone.status.as_u16(), &gone.body["detail"]), (410, &json!(why)), "{}", gone.body);
    let found = town.get(&format!("/v1/covers?q={twin}")).key(ADMIN).get().await.body;
    assert_eq!(found["items"][0]["code"], ALONE, "{found}");
    let moved = town.get(&format!("/v1/work-orders/{order}")).key(ADMIN).get().await.body;
    assert_eq!((&moved["cover"]["code"], &moved["version"]), (&json!(ALONE), &json!(2)), "{moved}");
    let resolved = town.get("/v1/resolve?lon=120.375&lat=36.12&include=open_orders").get().await.body;
    assert_eq!(resolved["candidates"][0]["open_order"]["code"], order, "{resolved}");
    let again = report(&twin).await;
    assert_eq!((&again.body["work_order"]["code"], &again.body["merged"]), (&json!(order), &json!(true)));
    let changes = town.get("/v1/changes?district=370203").key(ADMIN).get().await.body;
    let kinds: Vec<_> = changes["items"].as_array().unwrap().iter().map(|change| &change["kind"]).collect();
    assert_eq!(kinds[kinds.len() - 3..], ["cover.removed", "work_order.identified", "work_order.joined"], "{changes}");
    // Who follows or looks back is told which one stays.
    let told: Vec<_> = changes["items"].as_array().unwrap().iter().map(|change| &change["merged_into"]).collect();
    assert_eq!(told[told.len() - 3..], [&json!(ALONE), &Value::Null, &Value::Null], "{changes}");
    let history = town.get(&format!("/v1/covers/{twin}/history")).key(ADMIN).get().await.body;
    assert_eq!(history["items"][1]["merged_into"], ALONE, "{history}");
    assert_eq!(history["items"][0].get("merged_into"), None, "{history}");
    // Wherever the cover goes that stays, the old code comes along.
    town.patched(ALONE, json!({"category": "0101"})).await;
    let present = town.get(&format!("/v1/covers/{ALONE}")).key(ADMIN).get().await.header("location").to_owned();
    let way = town.get(&format!("/v1/covers/{twin}")).key(ADMIN).get().await;
    assert_eq!((way.status.as_u16(), way.header("location")), (308, &*present));
    assert_eq!(way.header("cache-control"), "no-cache");
    let again = report(&twin).await;
    assert_eq!((&again.body["work_order"]["code"], &again.body["merged"]), (&json!(order), &json!(true)));
    let orders = town.get(&format!("/v1/work-orders?cover={twin}")).key(ADMIN).get().await.body;
    assert_eq!(orders["items"][0]["code"], order, "{orders}");
    // The record comes back, should the two be two after all.
    let undone = town.post(&format!("/v1/covers/{twin}/history/2/undo")).key(ADMIN).send("").await;
    assert_eq!(undone.status, 200, "{}", undone.body);
    let back = town.get(&format!("/v1/covers/{twin}")).key(ADMIN).get().await;
    assert_eq!((back.status.as_u16(), back.header("etag")), (200, "\"3\""));
    // And goes where it went, if that was wrong.
    let undone = town.post(&format!("/v1/covers/{twin}/history/3/undo")).key(ADMIN).send("").await;
    assert_eq!(undone.status, 200, "{}", undone.body);
    assert_eq!(town.get(&format!("/v1/covers/{twin}")).key(ADMIN).get().await.header("location"), present);
}

#[tokio::test]
async fn a_merge_is_of_its_time_and_of_its_place() {
    let town = Town::open().await;
    let twin = town.twin().await;
    let now = || town.guli.context.clock.now().to_string();
    let apart = now();
    let merge = async |code: &str, into: &str| {
        town.post(&format!("/v1/covers/{code}/merge")).key(ADMIN).json(json!({"into": into})).await
    };
    // 900 m are no two records of one cover.
    assert_eq!(merge(&twin, TWINS[0]).await.fault(), (422, "invalid", "/into".to_owned()));
    assert_eq!(merge(&twin, ALONE).await.status, 200);
    let merged = now();
    let undone = town.post(&format!("/v1/covers/{twin}/history/2/undo")).key(ADMIN).send("").await;
    assert_eq!(undone.status, 200, "{}", undone.body);
    let then = async |at: &str| town.get(&format!("/v1/covers/{twin}?as_of={at}")).key(ADMIN).get().await;
    assert_eq!(then(&apart).await.status, 200);
    let lead = then(&merged).await;
    assert_eq!((lead.status.as_u16(), lead.header("location")), (308, &*format!("/v1/covers/{ALONE}?as_of={merged}")));
    assert_eq!(then(&now()).await.status, 200);
}

#[tokio::test]
async fn of_two_open_orders_that_a_merge_brings_together_none_makes_a_third() {
    let town = Town::open().await;
    let twin = town.twin().await;
    let report = async |cover: &str| {
        let got = town.post("/v1/reports").json(json!({"cover": cover, "damage": "missing"})).await.body;
        (got["work_order"]["code"].as_str().unwrap().to_owned(), got["merged"] == true)
    };
    let (first, second) = (report(ALONE).await.0, report(&twin).await.0);
    let merged = town.post(&format!("/v1/covers/{twin}/merge")).key(ADMIN).json(json!({"into": ALONE})).await;
    assert_eq!(merged.status, 200, "{}", merged.body);
    let shown = town.get("/v1/resolve?lon=120.375&lat=36.12&include=open_orders").get().await.body;
    assert_eq!(shown["candidates"][0]["open_order"]["code"], first, "{shown}");
    assert_eq!(report(&twin).await, (first.clone(), true));
    assert_ne!(first, second);
}

#[tokio::test]
async fn what_mended_a_finding_is_taken_back_by_who_may_as_long_as_nothing_stands_on_it() {
    let town = Town::open().await;
    let twin = town.twin().await;
    assert_eq!(town.sees(ADMIN, "rule=near-duplicate").await["mended"], Value::Null);
    let gone = town.ask("DELETE", &format!("/v1/covers/{twin}")).key(ADMIN).header("if-match", "*").send("").await;
    assert_eq!(gone.status, 204);
    for (key, may) in [(ADMIN, json!(["undo"])), (PLANNER, json!([])), ("demo-dispatcher", json!([]))] {
        assert_eq!(town.sees(key, "state=mended").await["may"], may, "{key}");
    }
    let mended = town.sees(ADMIN, "state=mended").await;
    assert_eq!(mended["mended"]["undo"]["href"], format!("/v1/covers/{twin}/history/2/undo"));
    assert_eq!(town.takes_back(PLANNER, &mended).await.fault().0, 403);
    assert_eq!(town.takes_back(ADMIN, &mended).await.status, 200);
    assert_eq!(town.sees(ADMIN, "rule=near-duplicate").await["may"], json!(["mend", "accept"]));
    // Moved away it is mended too, and changed since there is nothing to take back.
    town.patched(&twin, json!({"position": {"lon": 120.374, "lat": 36.12}})).await;
    assert_eq!(town.sees(ADMIN, "state=mended").await["may"], json!(["undo"]));
    town.patched(&twin, json!({"accuracy": "B"})).await;
    let since = town.sees(ADMIN, "state=mended").await;
    assert_eq!((&since["may"], &since["mended"]["undo"]), (&json!([]), &Value::Null));
}

#[tokio::test]
async fn a_category_that_was_mended_is_taken_back_though_the_cover_has_another_code() {
    let town = Town::open().await;
    let body = json!({"category": "0110", "position": {"lon": 120.377, "lat": 36.1205}});
    let lone = town.post("/v1/covers").key(ADMIN).json(body).await.body["code"].as_str().unwrap().to_owned();
    assert_eq!(town.sees(ADMIN, "rule=owner-missing").await["subjects"][0]["code"], lone);
    town.patched(&lone, json!({"category": "0114"})).await;
    let mended = town.sees(ADMIN, "state=mended").await;
    assert_eq!((&mended["subjects"][0]["code"], &mended["may"]), (&json!(lone), &json!(["undo"])));
    let back = town.takes_back(ADMIN, &mended).await;
    assert_eq!((back.status.as_u16(), &back.body["category"]["code"]), (200, &json!("0110")), "{}", back.body);
    assert_eq!(town.sees(ADMIN, "rule=owner-missing").await["subjects"][0]["code"], back.body["code"]);
}

#[tokio::test]
async fn what_mended_a_finding_is_said_though_something_else_changed_since() {
    let town = Town::open().await;
    // A leader comes, then a cover changes that has nothing to do with it, and only then somebody looks.
    assert_eq!(town.sees(ADMIN, "rule=grid-without-leader").await["state"], "open");
    let person = town.post("/v1/people").key(ADMIN);
    let duties = json!([{"area": EAST, "kind": "grid_leader"}]);
    let leader = json!({"name": "王示范", "phone": "19900000001", "organization": "370203005-K01", "duties": duties});
    let made = person.json(leader).await;
    assert_eq!(made.status, 201, "{}", made.body);
    town.patched(ALONE, json!({"accuracy": "B"})).await;
    let mended = town.sees(ADMIN, "state=mended").await;
    assert_eq!(mended["mended"]["change"]["code"], made.body["code"], "{mended}");
    assert_eq!((&mended["may"], &mended["mended"]["undo"]), (&json!([]), &Value::Null));
}

#[tokio::test]
async fn a_planner_redraws_and_nobody_opens_the_gap_again() {
    let town = super::quality::broken().await;
    for (key, may) in [(PLANNER, json!(["mend", "accept"])), ("demo-dispatcher", json!([]))] {
        assert_eq!(town.sees(key, "rule=grids-overlap").await["may"], may, "{key}");
    }
    let apply =
        async |mend: &Value| town.post(mend["href"].as_str().unwrap()).key(PLANNER).json(mend["body"].clone()).await;
    let old = town.sees(PLANNER, "rule=grids-overlap").await["mend"].clone();
    // Named anew since it was looked at: the mend would take that back.
    let rename = town.ask("PATCH", &format!("/v1/grids/{EAST}")).key(PLANNER).header("if-match", "*");
    assert_eq!(rename.json(json!({"name": "海晏社区东网格"})).await.status, 200);
    assert_eq!(apply(&old).await.fault(), (412, "stale-version", "/grids/0/version".to_owned()));
    let mend = town.sees(PLANNER, "rule=grids-overlap").await["mend"].clone();
    assert_eq!(mend["body"]["grids"][0]["name"], "海晏社区东网格");
    let done = apply(&mend).await;
    assert_eq!(done.status, 200, "{}", done.body);
    let mended = town.sees(PLANNER, "state=mended").await;
    assert_eq!((&mended["may"], &mended["mended"]["undo"]), (&json!([]), &Value::Null));
    // As the request itself would say.
    let undo = town.post(&format!("/v1/grids/{EAST}/history/3/undo")).key(ADMIN).send("").await;
    assert_eq!(undo.fault().0, 422);
}
