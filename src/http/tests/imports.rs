//! The list of imports, their rows after a restart, and taking back files of other kinds than covers.

use super::again::counts;
use super::again_few::{grids, person, units};
use super::*;
use crate::domain::actor::{Role, Scope};

const PEOPLE: &str = "?kind=people&source=370203005-K01";

fn cover(id: u32, owner: &str) -> String {
    format!("external_id,category,owner,lon,lat\n{id},0101,{owner},120.37{id},36.115\n")
}

impl Town {
    pub(super) async fn undo(&self, report: &Value) -> Got {
        let id = report["id"].as_str().unwrap();
        self.post(&format!("/v1/imports/{id}/undo?reason=wrong")).key(ADMIN).send("").await
    }

    async fn list(&self, key: &str, query: &str) -> Value {
        let got = self.get(&format!("/v1/imports{query}")).key(key).get().await;
        assert_eq!(got.status, 200, "{}", got.body);
        got.body
    }
}

fn column<'v>(list: &'v Value, name: &str) -> Vec<&'v Value> {
    list["items"].as_array().unwrap().iter().map(|item| &item[name]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_file_without_a_good_row_nothing_is_stored_and_that_is_said() {
    let town = Town::open().await;
    let feed = async || town.get("/v1/changes").key(ADMIN).get().await.body["head"].clone();
    let before = feed().await;
    for (query, content) in [
        ("?source=370203-WAT01&keep_going=true", cover(2, "370203-NONE")),
        ("?kind=organizations&keep_going=true", units(&["370203-GAS01,燃气公司,nonsense,"])),
    ] {
        let report = town.send_file(query, "bad.csv", &content).await;
        assert_eq!((&report["status"], &report["counts"]["rejected"]), (&json!(422), &json!(1)), "{report}");
        let read = town.get(&format!("/v1/imports/{}", report["id"].as_str().unwrap())).key(ADMIN).get().await.body;
        assert_eq!(read["state"], "rejected", "{read}");
    }
    assert_eq!(column(&town.list(ADMIN, "").await, "state"), ["rejected", "rejected"]);
    assert_eq!(feed().await, before);
    // One good row is stored.
    let good = cover(1, "370203-WAT01") + cover(2, "370203-NONE").lines().nth(1).unwrap();
    let report = town.send_file("?source=370203-WAT01&keep_going=true", "some.csv", &good).await;
    assert_eq!((&report["state"], counts(&report)), (&json!("stored"), [1, 0, 0]), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cover_that_an_import_of_grids_moved_is_moved_back_with_it() {
    let town = Town::open().await;
    let redrawn = grids(&[(WEST, "西", [120.37, 120.374]), (EAST, "东", [120.374, 120.39])]);
    let report = town.send_file("?kind=grids", "g.json", &redrawn).await;
    assert_eq!(counts(&report), [0, 2, 0], "{report}");
    // One event tells of all that it brought.
    let feed = town.get("/v1/changes").key(ADMIN).get().await.body;
    assert_eq!(*column(&feed, "kind").last().unwrap(), "import.applied", "{feed}");
    let path = format!("/v1/covers/{ALONE}/history");
    let version = town.get(&path).key(ADMIN).get().await.body["items"][1].clone();
    assert_eq!(version["changes"], json!([{"pointer": "/grid", "from": WEST, "to": EAST}]), "{version}");
    assert_eq!(version["source"], json!({"import": report["id"]}));
    let refused = town.post(&format!("{path}/2/undo")).key(ADMIN).send("").await;
    assert_eq!(refused.fault().1, "conflict", "{}", refused.body);
    let there = format!("/v1/imports/{}/undo", report["id"].as_str().unwrap());
    assert!(refused.body["detail"].as_str().unwrap().contains(&there), "{}", refused.body);
    assert_eq!(town.undo(&report).await.status, 200);
    assert_eq!(town.cover(ALONE).await["grid"]["code"], WEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_version_keeps_the_row_that_it_came_from() {
    let town = Town::open().await;
    let file = |owner: &str| cover(1, "370203-WAT01") + cover(2, owner).lines().nth(1).unwrap();
    let first = town.send_file("?source=370203-WAT01", "a.csv", &file("370203-WAT01")).await;
    let code = town.called("2").await;
    let second = town.send_file("?source=370203-WAT01", "b.csv", &file("370203-DRA01")).await;
    assert_eq!(counts(&second), [0, 1, 1], "{second}");
    let sources = async || {
        let history = town.get(&format!("/v1/covers/{code}/history")).key(ADMIN).get().await.body;
        history["items"].as_array().unwrap().iter().map(|item| item["source"].clone()).collect::<Vec<_>>()
    };
    let row = |report: &Value| json!({"import": report["id"], "row": 2});
    assert_eq!(sources().await, [row(&first), row(&second)]);
    // Taken back, the first is what was said last, and of the second only the import is known.
    assert_eq!(town.undo(&second).await.status, 200);
    let second = json!({"import": second["id"]});
    assert_eq!(sources().await, [row(&first), second.clone(), second]);
    // Of areas it is not kept.
    let grids = town.send_file("?kind=grids", "g.json", &grids(&[(WEST, "西", [120.37, 120.38])])).await;
    let history = town.get(&format!("/v1/grids/{WEST}/history")).key(ADMIN).get().await.body;
    assert_eq!(history["items"][1]["source"], json!({"import": grids["id"]}), "{history}");
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_are_listed_the_newest_first() {
    let town = Town::open().await;
    let first = town.send_file("?source=370203-WAT01", "first.csv", &cover(1, "370203-WAT01")).await;
    town.send_file("?source=370203-WAT01", "first.csv", &cover(1, "370203-WAT01")).await;
    let refused = town.send_file("?source=370203-WAT01", "bad.csv", &cover(2, "370203-NONE")).await;
    town.send_file("?source=370203-WAT01&dry_run=true", "tried.csv", &cover(3, "370203-WAT01")).await;
    town.send_file("?kind=organizations", "units.csv", &units(&["370203-GAS01,燃气公司,utility,"])).await;
    town.undo(&first).await;
    let state = async |town: &Town| {
        let report = town.get(&format!("/v1/imports/{}", first["id"].as_str().unwrap())).key(ADMIN).get().await;
        report.body["state"].clone()
    };
    assert_eq!(state(&town).await, "undone");
    let town = town.reopened().await;
    assert_eq!(state(&town).await, "undone");
    let list = town.list(ADMIN, "").await;
    assert_eq!(column(&list, "file"), ["units.csv", "bad.csv", "first.csv", "first.csv"], "{list}");
    assert_eq!(column(&list, "state"), ["stored", "rejected", "stored", "undone"]);
    assert_eq!(column(&list, "kind"), ["organizations", "covers", "covers", "covers"]);
    assert_eq!(column(&list, "can_undo"), [&json!(true), &json!(false), &json!(false), &json!(false)]);
    let last = &list["items"][3];
    assert_eq!((&last["id"], &last["counts"]["created"]), (&first["id"], &json!(1)));
    assert_eq!((&last["by"]["role"], &last["by"]["name"]), (&json!("admin"), &json!("demo-admin")));
    assert_eq!((&last["district"], &last["profile"]), (&json!("370203"), &json!("first")));
    let time = |name: &str| last[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(time("started_at") <= time("ended_at"), "{last}");
    assert_eq!(list["items"][1]["id"], refused["id"]);
    // What the list names can be read.
    let report = town.get(last["href"].as_str().unwrap()).key(ADMIN).get().await;
    assert_eq!(report.body["counts"], last["counts"]);
    // Page by page, and narrowed.
    let page = town.list(ADMIN, "?limit=3").await;
    let next = format!("?limit=3&cursor={}", page["next"].as_str().unwrap());
    let rest = town.list(ADMIN, &next).await;
    assert_eq!((column(&page, "id").len(), column(&rest, "id"), &rest["next"]), (3, vec![&first["id"]], &Value::Null));
    for (query, files) in [
        ("?profile=units", &["units.csv"][..]),
        ("?state=rejected,undone", &["bad.csv", "first.csv"]),
        ("?state=running", &[]),
        ("?district=370203&profile=first&state=stored", &["first.csv"]),
    ] {
        assert_eq!(column(&town.list(ADMIN, query).await, "file"), files, "{query}");
    }
    for (query, fault) in [
        ("?state=gone", (422, "invalid", "state")),
        ("?limit=0", (422, "invalid", "limit")),
        ("?kind=covers", (422, "invalid", "kind")),
        ("?cursor=x", (400, "malformed", "cursor")),
        ("?district=370213", (404, "not-found", "")),
    ] {
        let got = town.get(&format!("/v1/imports{query}")).key(ADMIN).get().await;
        let (status, slug, at) = fault;
        assert_eq!(got.fault(), (status, slug, at.to_owned()), "{query}");
    }
    assert_eq!(town.get("/v1/imports").get().await.fault().0, 401);
    assert_eq!(town.list("demo-crew", "").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_department_sees_its_own_imports() {
    let town = Town::open().await;
    let scope: Scope = "unit:370203-WAT01".parse().unwrap();
    let key = town.guli.create_key(Role::Department, vec![scope], "自来水公司".to_owned()).await.unwrap();
    town.send_file("?source=370203-WAT01", "admins.csv", &cover(1, "370203-WAT01")).await;
    let sent = [("file", Some("own.csv"), &*cover(2, "370203-WAT01"))];
    let own = town.import(&key.secret, "?source=370203-WAT01", &sent).await;
    assert_eq!(own.status, 201, "{}", own.body);
    let list = town.list(&key.secret, "").await;
    assert_eq!(column(&list, "file"), ["own.csv"]);
    assert_eq!(column(&list, "can_undo"), [&json!(true)]);
    assert_eq!(column(&town.list(ADMIN, "").await, "file"), ["own.csv", "admins.csv"]);
    assert_eq!(town.list(ADMIN, "").await["items"][0]["by"]["name"], "自来水公司");
    town.guli.revoke_key(key.id).await.unwrap();
    let by = &town.list(ADMIN, "").await["items"][0]["by"];
    assert_eq!(
        (&by["name"], &by["key"]),
        (&json!("自来水公司"), &json!(key.id.to_string())),
        "a revoked key keeps its name"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_an_import_outlive_the_server() {
    let town = Town::open().await;
    let lines: Vec<String> = (1..=9).map(|n| format!("{n},0101,370203-WAT01,120.37{n},36.115")).collect();
    let lines = lines.join("\n") + "\n";
    let file = format!("external_id,category,owner,lon,lat\n{lines}10,0101,370203-NONE,120.371,36.116\n");
    let got = town.send_file("?source=370203-WAT01&keep_going=true", "covers.csv", &file).await;
    let refused = town.send_file("?source=370203-WAT01", "covers.csv", &file).await;
    // The phone stands where the area should.
    let people = "external_id,name,phone,duty,area\n1,王海,370203005001,patrol,19900001234\n";
    let people = town.send_file(&format!("{PEOPLE}&keep_going=true"), "people.csv", people).await;
    let at = |report: &Value| format!("/v1/imports/{}/rows", report["id"].as_str().unwrap());
    let before = town.get(&at(&got)).key(ADMIN).get().await;
    let town = town.reopened().await;
    let kept = town.get(&at(&got)).key(ADMIN).get().await;
    assert_eq!((kept.status.as_u16(), kept.header("content-type")), (200, "application/x-ndjson"));
    assert_eq!(kept.bytes, before.bytes);
    let rows: Vec<Value> =
        kept.bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let outcomes = (&rows[0]["outcome"], &rows[9]["outcome"], &rows[9]["findings"][0]["code"]);
    assert_eq!((rows.len(), outcomes), (10, (&json!("created"), &json!("rejected"), &json!("parent_missing"))));
    assert_eq!(town.get(&at(&refused)).key(ADMIN).get().await.bytes.split(|b| *b == b'\n').count(), 11);
    let of_people = town.get(&at(&people)).key(ADMIN).get().await;
    let text = String::from_utf8_lossy(&of_people.bytes);
    assert!(text.contains("rejected") && !text.contains("1990000"), "{text}");
    assert_eq!(town.get(&at(&got)).key("demo-planner").get().await.status, 404);
    assert_eq!(town.get(&at(&got)).get().await.status, 401);
    // They are kept for a while.
    let mut writer = town.guli.store.write().await;
    let district: DistrictCode = "370203".parse().unwrap();
    let later = town.guli.context.clock.now() + jiff::SignedDuration::from_hours(31 * 24);
    let purged = crate::store::import_rows::purge(&mut writer.as_mut().unwrap().conn(), district, later).await;
    assert_eq!(purged.unwrap(), 3);
    assert_eq!(town.get(&at(&got)).key(ADMIN).get().await.fault().1, "not-found");
    assert_eq!(town.get(at(&got).trim_end_matches("/rows")).key(ADMIN).get().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_are_told_alike_before_and_after_the_server_ended() {
    let town = Town::open().await;
    let lines: Vec<String> = (1..=1_500).map(|n| format!("{n},0101,370203-NONE,120.371,36.115")).collect();
    let file = format!("external_id,category,owner,lon,lat\n{}\n", lines.join("\n"));
    let report = town.send_file("?source=370203-WAT01&keep_going=true", "covers.csv", &file).await;
    let at = format!("/v1/imports/{}/rows", report["id"].as_str().unwrap());
    let before = town.get(&at).key(ADMIN).get().await.bytes;
    assert!(before.len() > 1 << 16 && before.split(|byte| *byte == b'\n').count() == 1_501);
    let town = town.reopened().await;
    assert!(town.get(&at).key(ADMIN).get().await.bytes == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_organizations_is_taken_back() {
    let town = Town::open().await;
    let send = async |lines: &[&str]| town.send_file("?kind=organizations", "units.csv", &units(lines)).await;
    let (water, gas) = ("370203-WAT01,自来水集团,utility,", "370203-GAS01,燃气公司,utility,");
    let first = send(&[water, gas]).await;
    let name = async |code: &str| town.read(&format!("/v1/organizations/{code}")).await["name"].clone();
    assert_eq!(name("370203-WAT01").await, "自来水集团");
    // Something comes to stand on it: a cover, and a later name.
    let covers = town.send_file("?source=370203-GAS01", "gas.csv", &cover(1, "370203-GAS01")).await;
    let tied = town.undo(&first).await;
    assert_eq!(tied.fault().1, "conflict");
    assert!(tied.body["detail"].as_str().unwrap().contains("370203-GAS01 cannot go"), "{}", tied.body);
    town.undo(&covers).await;
    town.patch("/v1/organizations/370203-WAT01", json!({"name": "水务"})).await;
    let stands = town.undo(&first).await;
    assert!(
        stands.body["detail"].as_str().unwrap().contains("later changes stand on it: 370203-WAT01"),
        "{}",
        stands.body
    );
    let back = town.post("/v1/organizations/370203-WAT01/history/3/undo").key(ADMIN).send("").await;
    assert_eq!(back.status, 200, "{}", back.body);
    // A correction that was taken back is a change too: what stands is a later one.
    assert_eq!(town.undo(&first).await.fault().1, "conflict");

    let second = send(&[water, gas, "370203-HEA01,热力公司,utility,"]).await;
    assert_eq!(counts(&second), [1, 0, 2]);
    let third = send(&[&water.replace("集团", "股份"), gas, "370203-HEA01,热力公司,department,"]).await;
    let undone = town.undo(&third).await;
    assert_eq!(
        (&undone.body["kind"], &undone.body["restored"]),
        (&json!("organizations"), &json!(2)),
        "{}",
        undone.body
    );
    assert_eq!(name("370203-WAT01").await, "自来水集团");
    let undone = town.undo(&second).await;
    assert_eq!((undone.status.as_u16(), &undone.body["detail"]), (409, &undone.body["detail"]), "{}", undone.body);
    let town = town.reopened().await;
    assert_eq!(town.read("/v1/organizations/370203-HEA01").await["kind"], "utility");
    // The same file is what it says, again.
    let again = units(&["370203-WAT01,自来水股份,utility,", gas, "370203-HEA01,热力公司,department,"]);
    let report = town.send_file("?kind=organizations", "units.csv", &again).await;
    assert_eq!(counts(&report), [0, 2, 1], "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn organizations_that_an_undone_import_brought_are_gone_until_it_comes_again() {
    let town = Town::open().await;
    let file = units(&["370203-GAS01,燃气公司,utility,"]);
    let report = town.send_file("?kind=organizations", "units.csv", &file).await;
    let undone = town.undo(&report).await;
    assert_eq!((undone.status.as_u16(), &undone.body["removed"]), (200, &json!(1)), "{}", undone.body);
    assert_eq!(town.get("/v1/organizations/370203-GAS01").key(ADMIN).get().await.fault().1, "gone");
    let history = town.get("/v1/organizations/370203-GAS01/history").key(ADMIN).get().await.body;
    assert_eq!((&history["items"][1]["reason"], &history["items"][1]["version"]), (&json!("wrong"), &json!(2)));
    assert_eq!(town.undo(&report).await.fault().1, "conflict");
    assert_eq!(counts(&town.send_file("?kind=organizations", "units.csv", &file).await), [1, 0, 0]);
    assert_eq!(town.read("/v1/organizations/370203-GAS01").await["version"], 3);
}

const THIRD: &str = "370203005001003";

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_grids_is_taken_back() {
    let town = Town::open().await;
    let (west, east) = ((WEST, "西", [120.37, 120.38]), (EAST, "东", [120.38, 120.385]));
    let send = async |all: &[_]| town.send_file("?kind=grids", "grids.geojson", &grids(all)).await;
    let before = town.read(&format!("/v1/grids/{EAST}")).await;
    let report = send(&[west, east, (THIRD, "新", [120.385, 120.39])]).await;
    assert_eq!(counts(&report), [1, 2, 0]);
    let lies = async |code: &str| town.read(&format!("/v1/covers/{code}")).await["grid"]["code"].clone();
    assert_eq!(lies(TWINS[1]).await, THIRD);
    let order = town.post("/v1/reports").json(json!({"cover": TWINS[1], "damage": "missing"})).await.body;
    let order = order["work_order"]["code"].as_str().unwrap().to_owned();
    // Somebody stands for it.
    let people = town
        .send_file(PEOPLE, "people.csv", &person("1", "张三", "", &[("patrol", THIRD), ("grid_leader", THIRD)]))
        .await;
    let stands = town.undo(&report).await;
    let detail = stands.body["detail"].as_str().unwrap();
    assert!(detail.ends_with("people stand for areas that it brought: 370203005001003"), "{detail}");
    assert_eq!(town.undo(&people).await.body["removed"], 1);
    // The open order goes with its ground.
    let before_undoing = town.guli.context.clock.now();
    let undone = town.undo(&report).await;
    assert_eq!((&undone.body["removed"], &undone.body["restored"]), (&json!(1), &json!(2)), "{}", undone.body);
    let after = town.read(&format!("/v1/grids/{EAST}")).await;
    assert_eq!((&after["name"], &after["geometry"]), (&before["name"], &before["geometry"]));
    assert_eq!(lies(TWINS[1]).await, EAST);
    let shown = town.get(&format!("/v1/work-orders/{order}")).key("demo-dispatcher").get().await.body;
    assert_eq!(shown["grid"]["code"], EAST, "{shown}");
    let then = town.read(&format!("/v1/work-orders/{order}?as_of={before_undoing}")).await;
    assert_eq!((&then["grid"]["code"], &then["grid"]["name"]), (&json!(THIRD), &json!("新")), "{then}");
    assert_eq!(town.get(&format!("/v1/grids/{THIRD}")).key(ADMIN).get().await.fault().1, "gone");
    let feed = town.get("/v1/changes?district=370203&after=1&limit=100").key(ADMIN).get().await.body;
    let kinds: Vec<&str> = feed["items"].as_array().unwrap().iter().filter_map(|item| item["kind"].as_str()).collect();
    assert_eq!(kinds[kinds.len() - 2..], ["import.undone", "work_order.regridded"], "{feed}");
    let town = town.reopened().await;
    assert_eq!(town.read(&format!("/v1/grids/{EAST}")).await, after);
    let report =
        town.send_file("?kind=grids", "grids.geojson", &grids(&[west, east, (THIRD, "新", [120.385, 120.39])])).await;
    assert_eq!(counts(&report), [1, 2, 0], "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn areas_are_not_taken_back_from_under_what_stands_on_them() {
    let town = Town::open().await;
    let ring = json!([[[120.37, 36.11], [120.39, 36.11], [120.39, 36.13], [120.37, 36.13], [120.37, 36.11]]]);
    let feature = |code: &str| {
        json!({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"code": code, "name": "新"},
               "geometry": {"type": "Polygon", "coordinates": ring}}]})
        .to_string()
    };
    let community = town.send_file("?kind=communities", "communities.geojson", &feature("370203005002")).await;
    town.send_file("?kind=grids", "grids.geojson", &grids(&[(EAST, "二", [120.38, 120.385])])).await;
    let new = ("370203005002001", "新", [120.385, 120.3875]);
    let brought = town.send_file("?kind=grids", "grids.geojson", &grids(&[new])).await;
    let stands = town.undo(&community).await;
    assert!(stands.body["detail"].as_str().unwrap().contains("is not empty"), "{}", stands.body);
    // A later name stands on it; and an order on ground that would be nobody's.
    let path = format!("/v1/grids/{}", new.0);
    town.patch(&path, json!({"name": "更新"})).await;
    let stands = town.undo(&brought).await;
    assert!(
        stands.body["detail"].as_str().unwrap().contains("later changes stand on it: 370203005002001"),
        "{}",
        stands.body
    );
    let brought =
        town.send_file("?kind=grids", "grids.geojson", &grids(&[("370203005002002", "二", [120.3875, 120.39])])).await;
    assert_eq!(town.undo(&brought).await.status, 200);
    let same = town.send_file("?kind=grids", "grids.geojson", &grids(&[new])).await;
    assert_eq!(counts(&same), [0, 0, 1]);
    let nothing = town.undo(&same).await;
    assert!(nothing.body["detail"].as_str().unwrap().contains("changed nothing"), "{}", nothing.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_people_is_taken_back_but_for_names() {
    let town = Town::open().await;
    let both = "external_id,name,phone,organization,duty,area\n1,张三,19900001234,,patrol,370203005001\n";
    let first = town.send_file(PEOPLE, "people.csv", both).await;
    assert_eq!(counts(&first), [1, 0, 0]);
    let listed = async || town.read("/v1/people?community=370203005001&limit=100").await["items"].clone();
    let found = async |name: &str| {
        let all = listed().await;
        all.as_array().unwrap().iter().find(|person| person["name"] == name).cloned()
    };
    // Another name, a unit, another duty, and somebody new.
    let second = format!(
        "external_id,name,phone,organization,duty,area\n1,张山,19900001234,370203005-K01,patrol,{EAST}\n\
         2,李四,19900005678,370203005-K01,grid_leader,{EAST}\n"
    );
    let second = town.send_file(PEOPLE, "people.csv", &second).await;
    assert_eq!(counts(&second), [2, 0, 0], "{second}");
    assert_eq!(town.undo(&first).await.fault().1, "conflict");
    let undone = town.undo(&second).await;
    assert_eq!(
        (&undone.body["removed"], &undone.body["restored"], &undone.body["kept"]),
        (&json!(1), &json!(1), &json!(0)),
        "{}",
        undone.body
    );
    let one = found("张山").await.unwrap();
    assert_eq!((&one["organization"], one["duties"].as_array().unwrap().len()), (&Value::Null, 1), "{one}");
    assert!(found("李四").await.is_none());
    assert_eq!(town.read(&format!("/v1/grids/{EAST}")).await["leader"]["name"], Value::Null);
    // Nothing of who is gone is left, sealed or not.
    let mut reader = town.guli.store.read().await.unwrap();
    let sealed = crate::store::personal::all(
        &mut reader.conn(),
        "370203".parse().unwrap(),
        crate::store::personal::Purpose::Duty,
    )
    .await;
    assert_eq!(sealed.unwrap().len(), 1);
    drop(reader);
    // Only a name: it stays, and that is said.
    let renamed = town.send_file(PEOPLE, "people.csv", &both.replace("张三", "张叁")).await;
    assert_eq!(counts(&renamed), [0, 1, 0], "{renamed}");
    let undone = town.undo(&renamed).await;
    assert_eq!(
        (&undone.body["removed"], &undone.body["restored"], &undone.body["kept"]),
        (&json!(0), &json!(0), &json!(1))
    );
    assert!(found("张叁").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_an_undone_import_come_again_with_their_duties() {
    let town = Town::open().await;
    let first = person("1", "张三", "19900000001", &[("patrol", WEST)]);
    town.send_file(PEOPLE, "people.csv", &first).await;
    let second = person("1", "张三", "19900000001", &[("patrol", WEST), ("patrol", EAST)])
        + "2,李四,19900000002,370203005-K01,patrol,370203005001\n";
    let report = town.send_file(PEOPLE, "people.csv", &second).await;
    assert_eq!(counts(&report), [2, 0, 1], "{report}");
    assert_eq!(town.undo(&report).await.status, 200);
    assert_eq!(counts(&town.send_file(PEOPLE, "people.csv", &first).await), [0, 0, 1]);
    let report = town.send_file(PEOPLE, "people.csv", &second).await;
    assert_eq!(counts(&report), [2, 0, 1], "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grid_on_anothers_ground_is_not_imported() {
    let town = Town::open().await;
    let before = town.read(&format!("/v1/grids/{WEST}")).await;
    // WEST would take half of EAST, and a new one lies in what is left.
    let file = grids(&[(WEST, "一", [120.37, 120.385]), (THIRD, "新", [120.385, 120.39])]);
    let refused = town.send_file("?kind=grids", "grids.geojson", &file).await;
    assert_eq!((&refused["state"], &refused["counts"]["rejected"]), (&json!("rejected"), &json!(2)), "{refused}");
    for finding in refused["findings"].as_array().unwrap() {
        assert_eq!((&finding["code"], &finding["column"]), (&json!("grid_overlaps"), &json!("geometry")), "{finding}");
        assert!(finding["detail"].as_str().unwrap().contains(EAST), "{finding}");
    }
    assert_eq!(town.read(&format!("/v1/grids/{WEST}")).await, before);
    // Side by side with both redrawn they pass.
    let file =
        grids(&[(WEST, "一", [120.37, 120.375]), (EAST, "二", [120.38, 120.39]), (THIRD, "新", [120.375, 120.38])]);
    let passed = town.send_file("?kind=grids", "grids.geojson", &file).await;
    assert_eq!((&passed["counts"]["created"], &passed["findings"]), (&json!(1), &json!([])), "{passed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wrong_grid_of_a_file_costs_no_other() {
    let town = Town::open().await;
    let file = grids(&[
        (WEST, "一", [120.37, 120.376]),
        (EAST, "二", [120.375, 120.385]),
        (THIRD, "三", [120.376, 120.38]),
        ("370203005001004", "四", [120.38, 120.382]),
    ]);
    let report = town.send_file("?kind=grids&keep_going=true", "grids.geojson", &file).await;
    // EAST stays as it is, so that its ground is taken from none.
    assert_eq!((&report["counts"]["rejected"], &report["counts"]["updated"]), (&json!(2), &json!(1)), "{report}");
    let findings: Vec<_> =
        report["findings"].as_array().unwrap().iter().map(|finding| finding["row"].clone()).collect();
    assert_eq!(json!(findings), json!([2, 4]), "{report}");
    assert_eq!(town.read("/v1/grids/370203005001003").await["name"], "三");
}

#[tokio::test(flavor = "multi_thread")]
async fn covers_whose_grids_are_taken_back_lie_in_a_district_without_grids() {
    let town = Town::seeded(async |writer| {
        seed(writer).await;
        let codes = [WEST, EAST].map(|code| code.parse().unwrap());
        areas::remove(&mut writer.conn(), "370203".parse().unwrap(), 1, &codes).await.unwrap();
    })
    .await;
    let file = grids(&[(THIRD, "新", [120.37, 120.39])]);
    let brought = town.send_file("?kind=grids", "grids.geojson", &file).await;
    assert_eq!(town.read("/v1/quality?rule=cover-outside-grids").await["items"], json!([]), "{brought}");
    assert_eq!(town.undo(&brought).await.status, 200);
    let outside = town.read("/v1/quality?rule=cover-outside-grids").await;
    let details: Vec<_> =
        outside["items"].as_array().unwrap().iter().map(|item| item["detail"].as_str().unwrap()).collect();
    assert_eq!(details, ["lies in no grid: district 370203, in which it lies, has none"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_only_names_grids_is_not_to_blame_for_their_ground() {
    let town = super::quality::broken().await;
    // They overlap already; WEST gets another name on the ground that it has.
    let named = town.send_file("?kind=grids", "grids.geojson", &grids(&[(WEST, "一号", [120.37, 120.381])])).await;
    assert_eq!((&named["counts"]["updated"], &named["findings"]), (&json!(1), &json!([])), "{named}");
    let redrawn = town.send_file("?kind=grids", "grids.geojson", &grids(&[(WEST, "一号", [120.37, 120.382])])).await;
    assert_eq!(redrawn["findings"][0]["code"], "grid_overlaps", "{redrawn}");
}
