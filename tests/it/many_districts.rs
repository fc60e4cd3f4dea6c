//! Several districts in one `PostgreSQL`, several servers before it, each with all or some: what one district's change
//! means for another, and what keeps one from harming the others.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::districts::{FIRST, SECOND, World, first_cover, generate, until};

const ANY: [(&str, &str); 1] = [("If-Match", "*")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_one_district_reaches_the_others_that_show_it() {
    let Some(world) = World::new() else { return };
    let (here, there) = (world.serve(&[]), world.serve(&[]));
    let alone = world.serve(&["--serve-districts", FIRST]);
    for server in [&here, &there, &alone] {
        server.is_ready().await;
    }
    let (admin, other) = (world.admin(&here), world.admin(&there));
    // A unit of the first district owns a cover in the second.
    let unit = format!("/v1/organizations/{FIRST}-WAT01");
    let cover = first_cover(&admin, SECOND).await["code"].as_str().unwrap().to_owned();
    let path = format!("/v1/covers/{cover}");
    admin.patch(&path, &ANY, &json!({ "owner": format!("{FIRST}-WAT01") })).await.expect(200);

    // Its name changes in one stretch with what makes others load its district anew.
    let grid = first_cover(&admin, FIRST).await["grid"]["code"].as_str().unwrap().to_owned();
    admin.patch(&unit, &ANY, &json!({ "name": "新名字" })).await.expect(200);
    admin.patch(&format!("/v1/grids/{grid}"), &ANY, &json!({ "name": "新网格" })).await.expect(200);
    for client in [&admin, &other] {
        let shown = async || client.get(&path).await.expect(200)["owner"]["name"] == "新名字";
        until("the other district's cover shows the new name", shown).await;
    }
    // A server of the first district alone does not hold the second, and asks about it all the same.
    let refused = world.admin(&alone).delete(&unit, &ANY).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    // What another district has just made can be named at once.
    let made = json!({ "code": format!("{FIRST}-NEW01"), "name": "新单位", "kind": "utility" });
    world.admin(&alone).post("/v1/organizations", &[], &made).await.expect(201);
    other.patch(&path, &ANY, &json!({ "responsible_unit": format!("{FIRST}-NEW01") })).await.expect(200);
}

/// What a server of the first district alone shows of the second: where it lies, and its organisations.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_in_a_district_served_elsewhere_is_noticed() {
    let Some(world) = World::new() else { return };
    let (alone, second) = (world.serve(&["--serve-districts", FIRST]), world.serve(&["--serve-districts", SECOND]));
    alone.is_ready().await;
    second.is_ready().await;
    let (here, there) = (world.admin(&alone), world.admin(&second));
    // A unit of the second owns a cover in the first.
    let unit = format!("{SECOND}-WAT01");
    let cover = format!("/v1/covers/{}", first_cover(&here, FIRST).await["code"].as_str().unwrap());
    here.patch(&cover, &ANY, &json!({ "owner": unit })).await.expect(200);
    there.patch(&format!("/v1/organizations/{unit}"), &ANY, &json!({ "name": "新名字" })).await.expect(200);
    let shown = async || here.get(&cover).await.expect(200)["owner"]["name"] == "新名字";
    until("the cover shows its owner's new name", shown).await;
    // The second moves away.
    let place = first_cover(&there, SECOND).await["position"].clone();
    let pin = format!("/v1/resolve?lon={}&lat={}", place["lon"], place["lat"]);
    here.get(&pin).await.problem(421, "other-district");
    generate(&world.home);
    let file = world.home.path().join("world/380101/district.geojson");
    let mut outline: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    for ring in outline["features"][0]["geometry"]["coordinates"].as_array_mut().unwrap() {
        for corner in ring.as_array_mut().unwrap() {
            corner[0] = json!(corner[0].as_f64().unwrap() + 5.0);
        }
    }
    std::fs::write(&file, outline.to_string()).unwrap();
    let address = world.postgres.address();
    let import = [
        "import",
        "world/380101",
        "--profile",
        "district",
        "--district",
        SECOND,
        "--database",
        &address,
        "--key-file",
        "guli.key",
    ];
    world.home.guli(&import).ok();
    let moved = async || here.get(&pin).await.status == 422;
    until("a pin where the second was lies in no district", moved).await;
}

/// Of other districts' organisations a server holds those that are named, and knows the others when they come to be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_can_be_handed_to_a_unit_of_a_district_served_elsewhere() {
    let Some(world) = World::new() else { return };
    let key = world.key_of("dispatcher");
    let alone = world.serve(&["--serve-districts", FIRST]);
    alone.is_ready().await;
    let (admin, dispatcher) = (world.admin(&alone), alone.with(&key));
    let cover = first_cover(&admin, FIRST).await;
    let report = json!({ "cover": cover["code"], "damage": "broken" });
    let reported = admin.post("/v1/reports", &[], &report).await.expect(201);
    let order = reported["work_order"]["code"].as_str().unwrap();
    let unit = format!("{SECOND}-WAT01");
    let hand = |unit: &str| json!({ "unit": unit, "reason": "跨区支援" });
    dispatcher.act(order, "reassign", &hand(&format!("{SECOND}-NONE"))).await.problem(422, "invalid");
    let handed = dispatcher.act(order, "reassign", &hand(&unit)).await.expect(200);
    let name = handed["responsible_unit"]["name"].as_str().unwrap().to_owned();
    assert!(handed["responsible_unit"]["code"] == *unit && name != unit, "{handed}");
    // One that starts now has no other reason to know the unit.
    let another = world.serve(&["--serve-districts", FIRST]);
    another.is_ready().await;
    for path in [format!("/v1/work-orders/{order}"), "/v1/work-orders?status=open".to_owned()] {
        let shown = world.admin(&another).get(&path).await.expect(200);
        assert!(shown.to_string().contains(&name), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_district_harms_no_other() {
    let Some(world) = World::new() else { return };
    let before = world.serve(&[]);
    before.is_ready().await;
    let covers = [first_cover(&world.admin(&before), FIRST).await, first_cover(&world.admin(&before), SECOND).await];
    let resolve =
        |cover: &Value| format!("/v1/resolve?lon={}&lat={}", cover["position"]["lon"], cover["position"]["lat"]);
    drop(before);
    // One that cannot be read.
    world.sql("UPDATE cover SET status = 'nonsense' WHERE district = 380101").await;
    // And of the other, something that is past its end since long.
    world.sql("INSERT INTO personal_data VALUES (370203, 'report:1', 'report', 1, '\\x00')").await;
    let server = world.serve(&["--concurrency", "4"]);
    server.is_ready().await;
    let anyone = server.anyone();
    anyone.get(&resolve(&covers[0])).await.expect(200);
    anyone.get(&resolve(&covers[1])).await.problem(503, "unavailable");
    assert!(world.home.log().contains("380101"), "{}", world.home.log());
    let mut database = world.postgres.look().await;
    let left = async || {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM personal_data WHERE retain_until = 1")
            .fetch_one(&mut database)
            .await
            .unwrap();
        left == 0
    };
    until("what is past its end is deleted at the start", left).await;

    // Who waits for what never comes keeps nobody out.
    let waiting = (0..8).map(|_| {
        let client = server.anyone();
        tokio::spawn(async move { client.get_with("/v1/districts", &[("Guli-Min-Feed", "370203:99999999")]).await })
    });
    let waiting: Vec<_> = waiting.collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    anyone.get(&resolve(&covers[0])).await.expect(200);
    for waited in waiting {
        waited.await.unwrap().problem(503, "unavailable");
    }
    // A lock on one district's head holds up that district's reports, and no readiness.
    let mut other = world.postgres.look().await;
    sqlx::raw_sql("BEGIN; SELECT * FROM district_head WHERE district = 370203 FOR UPDATE")
        .execute(&mut other)
        .await
        .unwrap();
    let report = json!({ "cover": covers[0]["code"], "damage": "broken" });
    let held = tokio::spawn({
        let client = server.anyone();
        async move { client.post("/v1/reports", &[], &report).await }
    });
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        anyone.get("/readyz").await.expect(200);
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    held.await.unwrap().expect(201);
}
