//! Files that come again, over HTTP: corrected here in between, changed there, taken back.

use axum::http::Method;
use serde_json::{Value, json};

use super::Story;

const ANY: [(&str, &str); 2] = [("authorization", "Bearer demo-admin"), ("if-match", "*")];
const PEOPLE: &str = "kind=people&source=370203026-K02";
const GRID: &str = "370203026003004";

/// Covers of the water company.
fn covers(lines: &[&str]) -> String {
    [&["external_id,category,owner,lon,lat,status,material"], lines].concat().join("\n") + "\n"
}

async fn patch(story: &mut Story, path: &str, body: Value) {
    let answer = story.ask(Method::PATCH, path, &ANY, Some(&body)).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
}

/// Sends a file, twice: the second time nothing is left to be done.
async fn deliver(story: &mut Story, query: &str, name: &str, content: &str) -> Value {
    let report = story.send_file(query, name, content).await;
    let again = story.send_file(query, name, content).await;
    let counts = &again["counts"];
    assert_eq!((&counts["created"], &counts["updated"]), (&json!(0), &json!(0)), "{name}: {report}\n{again}");
    report
}

async fn undo(story: &mut Story, report: &Value) {
    let path = format!("/v1/imports/{}/undo?reason=wrong", report["id"].as_str().unwrap());
    story.ask(Method::POST, &path, &ANY, None).await;
}

pub(super) async fn tell(story: &mut Story) {
    of_covers(story).await;
    of_a_correction(story).await;
    of_units_and_grids(story).await;
    of_people(story).await;
    of_an_outline(story).await;
    for query in ["?limit=1000", "?state=rejected,undone&limit=100", "?profile=again&limit=3"] {
        story.get("demo-admin", &format!("/v1/imports{query}")).await;
    }
    super::walk(story, "/v1/imports", "limit=7", 9).await;
    story.get("demo-crew", "/v1/imports").await;
}

async fn of_covers(story: &mut Story) {
    let (one, two) = (
        "再-1,0101,370203-WAT01,120.3412,36.0912,in_service,steel",
        "再-2,0101,370203-WAT01,120.3432,36.0912,in_service,steel",
    );
    let send = "source=370203-WAT01";
    deliver(story, send, "again.csv", &covers(&[one, two])).await;
    let mut codes = Vec::new();
    for name in ["%E5%86%8D-1", "%E5%86%8D-2"] {
        let found = story.get("demo-admin", &format!("/v1/covers?q={name}")).await;
        codes.push(found["items"][0]["code"].as_str().unwrap().to_owned());
    }
    patch(story, &format!("/v1/covers/{}", codes[0]), json!({"owner": "370203-FIR01", "spec": {"load_class": "D400"}}))
        .await;
    patch(
        story,
        &format!("/v1/covers/{}", codes[1]),
        json!({"category": "0103", "position": {"lon": 120.3433, "lat": 36.0913}}),
    )
    .await;
    deliver(story, send, "again.csv", &covers(&[one, two])).await;
    let changed = [one.replace("steel", "stone"), two.replace("in_service", "abandoned")];
    let second = deliver(story, send, "again.csv", &covers(&[&changed[0], &changed[1]])).await;
    let third = [
        changed[0].replace("WAT01", "RD01").replace("370203-RD01", "370203-SHA01"),
        changed[1].replace("120.3432", "120.3434"),
    ];
    story.send_file(send, "again.csv", &covers(&[&third[0], &third[1]])).await;
    let third = changed[1].replace("120.3432", "120.3434");
    let third = deliver(story, send, "again.csv", &covers(&[&changed[0], &third])).await;
    undo(story, &second).await;
    undo(story, &third).await;
    undo(story, &second).await;
    deliver(story, send, "again.csv", &covers(&[&changed[0], &changed[1]])).await;
    story.ask(Method::DELETE, &format!("/v1/covers/{}", codes[0]), &ANY, None).await;
    story.send_file(send, "again.csv", &covers(&[one, &changed[1]])).await;
    story.send_file(send, "again.csv", &covers(&[&changed[0].replace("in_service", "planned"), &changed[1]])).await;
    for code in &codes {
        let shown = story.get("demo-admin", &format!("/v1/covers/{code}")).await;
        let present = shown["code"].as_str().unwrap_or(code).to_owned();
        story.get("demo-admin", &format!("/v1/covers/{present}/history")).await;
    }
    let rows = second["rows_href"].as_str().unwrap().to_owned();
    story.get("demo-admin", &rows).await;
}

/// What overruled a correction is taken back, and the correction stays.
async fn of_a_correction(story: &mut Story) {
    let (send, line) = ("source=370203-WAT01", "再-3,0101,370203-WAT01,120.3452,36.0912,in_service,steel".to_owned());
    deliver(story, send, "again.csv", &covers(&[&line])).await;
    let found = story.get("demo-admin", "/v1/covers?q=%E5%86%8D-3").await;
    let path = format!("/v1/covers/{}", found["items"][0]["code"].as_str().unwrap());
    patch(story, &path, json!({"owner": "370203-FIR01"})).await;
    for owner in ["370203-SHA01", "370203-FIR01"] {
        let other = line.replace("370203-WAT01", owner).replace("steel", "stone");
        let report = story.send_file(send, "again.csv", &covers(&[&other])).await;
        undo(story, &report).await;
        let report = deliver(story, send, "again.csv", &covers(&[&line])).await;
        assert_eq!(report["counts"]["unchanged"], 1, "{report}");
        let shown = story.get("demo-admin", &path).await;
        assert_eq!(shown["owner"]["code"], "370203-FIR01", "{shown}");
    }
    story.get("demo-admin", &format!("{path}/history")).await;
}

async fn of_units_and_grids(story: &mut Story) {
    let units =
        |name: &str, kind: &str| format!("code,name,kind\n370203-AGA01,{name},{kind}\n370203-AGA02,再二,utility\n");
    let query = "kind=organizations";
    deliver(story, query, "units.csv", &units("再一", "utility")).await;
    patch(story, "/v1/organizations/370203-AGA01", json!({"name": "Again"})).await;
    deliver(story, query, "units.csv", &units("再一", "utility")).await;
    let second = deliver(story, query, "units.csv", &units("再一", "department")).await;
    let third = deliver(story, query, "units.csv", &units("再三", "department")).await;
    undo(story, &second).await;
    undo(story, &third).await;
    undo(story, &second).await;
    story.ask(Method::DELETE, "/v1/organizations/370203-AGA02", &ANY, None).await;
    deliver(story, query, "units.csv", &units("再一", "utility")).await;
    story.get("demo-admin", "/v1/organizations/370203-AGA01/history").await;

    let mut grid = story.get("demo-admin", &format!("/v1/grids/{GRID}")).await;
    let mut file = |name: &str| {
        let properties =
            json!({"code": GRID, "name": name, "supervising_department": grid["supervising_department"]["code"]});
        let feature = json!({"type": "Feature", "geometry": grid["geometry"].take(), "properties": properties});
        grid["geometry"] = feature["geometry"].clone();
        json!({"type": "FeatureCollection", "features": [feature]}).to_string()
    };
    let (first, second) = (file("再网格"), file("再次"));
    deliver(story, "kind=grids", "grids.geojson", &first).await;
    patch(story, &format!("/v1/grids/{GRID}"), json!({"name": "here"})).await;
    deliver(story, "kind=grids", "grids.geojson", &first).await;
    let report = deliver(story, "kind=grids", "grids.geojson", &second).await;
    undo(story, &report).await;
    story.get("demo-admin", &format!("/v1/grids/{GRID}/history")).await;
}

async fn of_an_outline(story: &mut Story) {
    let path = "/v1/districts/370203";
    let before = story.get("", path).await;
    let instant = story.guli.context.clock.now();
    let mut geometry = before["geometry"].clone();
    let corner = &mut geometry["coordinates"][0][0][1][0];
    *corner = json!(corner.as_f64().unwrap() + 1e-6);
    let feature =
        json!({"type": "Feature", "properties": {"code": "370203", "name": before["name"]}, "geometry": geometry});
    let file = json!({"type": "FeatureCollection", "features": [feature]}).to_string();
    let report = deliver(story, "kind=district", "outline.geojson", &file).await;
    assert_ne!(story.get("", path).await["geometry"], before["geometry"], "{report}");
    for _ in 0..2 {
        let then = story.get("", &format!("{path}?as_of={instant}")).await;
        let number = story.told.len() - 1;
        story.told[number].0 = format!("{number}: the outline as it was");
        assert_eq!(then, before);
        story.get("demo-admin", &format!("{path}/history")).await;
        undo(story, &report).await;
    }
    assert_eq!(story.get("", path).await["geometry"], before["geometry"]);
}

async fn of_people(story: &mut Story) {
    let people = |name: &str, area: &str| {
        format!("external_id,name,phone,duty,area\n再-1,{name},19900001234,patrol,{area}\n再-2,李再,,patrol,{GRID}\n")
    };
    deliver(story, PEOPLE, "people.csv", &people("张再", GRID)).await;
    let listed = story.get("demo-dispatcher", &format!("/v1/people?grid={GRID}&limit=100")).await;
    let found = listed["items"].as_array().unwrap().iter().find(|person| person["name"] == "张再").unwrap();
    let path = format!("/v1/people/{}", found["code"].as_str().unwrap());
    let number = story.told.len() - 1;
    story.told.truncate(number);
    patch(story, &path, json!({"name": "张在"})).await;
    deliver(story, PEOPLE, "people.csv", &people("张再", GRID)).await;
    let second = deliver(story, PEOPLE, "people.csv", &people("张再", "370203026003005")).await;
    undo(story, &second).await;
    let third = deliver(story, PEOPLE, "people.csv", &people("张三", GRID)).await;
    undo(story, &third).await;
    story.ask(Method::DELETE, &path, &ANY, None).await;
    deliver(story, PEOPLE, "people.csv", &people("张三", GRID)).await;
    deliver(story, PEOPLE, "people.csv", &people("张三", "370203026003005")).await;
    story.get("demo-dispatcher", &format!("{path}/history")).await;
}
