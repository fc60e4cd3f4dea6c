//! Areas, organisations and people that come again: the same rules as for covers.

use super::again::{counts, findings};
use super::*;
use crate::store::delivered;

impl Town {
    pub(super) async fn send_file(&self, query: &str, name: &str, content: &str) -> Value {
        let got = self.import_once(ADMIN, query, &[("file", Some(name), content)]).await;
        assert!([200, 201, 422].contains(&got.status.as_u16()), "{}", got.body);
        got.body
    }

    pub(super) async fn patch(&self, path: &str, body: Value) -> Value {
        let got = self.ask("PATCH", path).key(ADMIN).header("if-match", "*").json(body).await;
        assert_eq!(got.status, 200, "{}", got.body);
        got.body
    }

    pub(super) async fn delete(&self, path: &str) {
        let got = self.ask("DELETE", path).key(ADMIN).header("if-match", "*").send("").await;
        assert_eq!(got.status, 204, "{}", got.body);
    }

    /// All that is remembered of what people's records said.
    async fn remembered_of_people(&self) -> String {
        let mut reader = self.guli.store.read().await.unwrap();
        let people = delivered::of(&mut reader.conn(), "370203".parse().unwrap(), delivered::Kind::Person).await;
        format!("{:?}", people.unwrap())
    }

    pub(super) async fn read(&self, path: &str) -> Value {
        let got = self.get(path).key("demo-dispatcher").get().await;
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        got.body
    }
}

pub(super) fn units(lines: &[&str]) -> String {
    [&["code,name,kind,credit_code"], lines].concat().join("\n") + "\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_keeps_its_new_name() {
    let town = Town::open().await;
    let send = async |lines: &[&str]| town.send_file("?kind=organizations", "units.csv", &units(lines)).await;
    let (gas, heat) = ("370203-GAS01,燃气公司,utility,9137020016357624XB", "370203-HEA01,热力公司,utility,");
    assert_eq!(counts(&send(&[gas, heat]).await), [2, 0, 0]);
    let path = "/v1/organizations/370203-GAS01";
    town.patch(path, json!({"name": "燃气集团"})).await;
    assert_eq!(counts(&send(&[gas, heat]).await), [0, 0, 2]);
    assert_eq!(town.read(path).await["name"], "燃气集团");
    let report = send(&[&gas.replace("utility", "department"), heat]).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 1, 1], vec![]), "{report}");
    let after = town.read(path).await;
    assert_eq!(
        (&after["name"], &after["kind"], &after["version"]),
        (&json!("燃气集团"), &json!("department"), &json!(3))
    );
    assert_eq!(counts(&send(&[&gas.replace("utility", "department"), heat]).await), [0, 0, 2]);
    let report = send(&[&gas.replace("utility", "department").replace("公司", "股份"), heat]).await;
    assert_eq!(findings(&report), [("overwrites_correction".to_owned(), "name".to_owned())], "{report}");
    assert!(report["findings"][0]["detail"].as_str().unwrap().contains("燃气集团"), "{report}");
    assert_eq!(town.read(path).await["name"], "燃气股份");
    // Removed here, it stays so, and is told of where the file has changed it.
    town.delete("/v1/organizations/370203-HEA01").await;
    let now = gas.replace("utility", "department").replace("公司", "股份");
    let report = send(&[&now, heat]).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 0, 2], vec![]), "{report}");
    let report = send(&[&now, &heat.replace("公司", "集团")]).await;
    assert_eq!((counts(&report), findings(&report)[0].0.as_str()), ([0, 0, 2], "removed_here"), "{report}");
    assert_eq!(town.get("/v1/organizations/370203-HEA01").key(ADMIN).get().await.status, 410);
    // What stands on it cannot come.
    let people = format!("external_id,name,duty,area,organization\n1,张三,patrol,{EAST},370203-HEA01\n");
    let report = town.send_file("?kind=people&source=370203005-K01", "people.csv", &people).await;
    assert_eq!(findings(&report), [("parent_missing".to_owned(), "organization".to_owned())], "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duty_telephone_is_delivered_and_kept_as_it_was_corrected() {
    let town = Town::open().await;
    let send = async |phone: &str| {
        let file = format!("code,name,kind,phone\n370203-GAS01,燃气公司,utility,{phone}\n");
        town.send_file("?kind=organizations", "units.csv", &file).await
    };
    let path = "/v1/organizations/370203-GAS01";
    let phone = async || town.read(path).await["phone"].clone();
    let report = send("无").await;
    assert_eq!(findings(&report), [("phone_invalid".to_owned(), "phone".to_owned())], "{report}");
    assert_eq!((counts(&report), phone().await), ([1, 0, 0], Value::Null));
    assert_eq!(counts(&send("0532-00000101").await), [0, 1, 0]);
    // What cannot be read takes nothing away.
    assert_eq!((counts(&send("无").await), phone().await), ([0, 0, 1], json!("0532-00000101")));
    assert_eq!(counts(&send("0532-00000101").await), [0, 0, 1]);
    // A file without the column says nothing of it.
    let units = units(&["370203-GAS01,燃气公司,utility,"]);
    assert_eq!(counts(&town.send_file("?kind=organizations", "units.csv", &units).await), [0, 0, 1]);
    assert_eq!(phone().await, "0532-00000101");
    town.patch(path, json!({"phone": "0532-00000102"})).await;
    assert_eq!(counts(&send("0532-00000101").await), [0, 0, 1]);
    assert_eq!(phone().await, "0532-00000102");
    let report = send("0532-00000103").await;
    assert_eq!(findings(&report), [("overwrites_correction".to_owned(), "phone".to_owned())], "{report}");
    assert_eq!((counts(&report), phone().await), ([0, 1, 0], json!("0532-00000103")));
    // Taken back, the correction is there again, and the file before it changes nothing.
    let import = report["id"].as_str().unwrap();
    let undone = town.post(&format!("/v1/imports/{import}/undo")).key(ADMIN).send("").await;
    assert_eq!((undone.status.as_u16(), phone().await), (200, json!("0532-00000102")), "{}", undone.body);
    assert_eq!(counts(&send("0532-00000101").await), [0, 0, 1]);
    // An empty cell says that there is none.
    let report = send("").await;
    assert_eq!((counts(&report), phone().await), ([0, 1, 0], Value::Null), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_its_first_delivery_is_remembered_too() {
    let town = Town::open().await;
    let file = units(&["370203-WAT01,自来水公司,utility,", "370203-DRA01,排水集团,utility,"]);
    let send = async || town.send_file("?kind=organizations", "units.csv", &file).await;
    // Nothing is known of what it said before: all of it is taken.
    assert_eq!(counts(&send().await), [0, 1, 1]);
    for code in ["370203-WAT01", "370203-DRA01"] {
        town.patch(&format!("/v1/organizations/{code}"), json!({"name": "水务"})).await;
    }
    let town = town.reopened().await;
    let send = async || town.send_file("?kind=organizations", "units.csv", &file).await;
    assert_eq!(counts(&send().await), [0, 0, 2]);
    assert_eq!(town.read("/v1/organizations/370203-WAT01").await["name"], "水务");
}

#[tokio::test(flavor = "multi_thread")]
async fn covers_may_name_an_owner_that_is_gone_as_long_as_they_did_before() {
    let town = Town::open().await;
    town.send_file("?kind=organizations", "units.csv", &units(&["370203-GAS01,燃气公司,utility,"])).await;
    let line = |owner: &str, status: &str| {
        format!("external_id,category,owner,lon,lat,status\n1,0111,{owner},120.372,36.115,{status}\n")
    };
    let send = async |owner, status| town.send_file("?source=370203-GAS01", "covers.csv", &line(owner, status)).await;
    assert_eq!(counts(&send("370203-GAS01", "in_service").await), [1, 0, 0]);
    let cover = town.get("/v1/covers?owner=370203-GAS01").key(ADMIN).get().await.body["items"][0]["code"].clone();
    let cover = format!("/v1/covers/{}", cover.as_str().unwrap());
    town.patch(&cover, json!({"owner": "370203-WAT01"})).await;
    town.delete("/v1/organizations/370203-GAS01").await;
    assert_eq!(counts(&send("370203-GAS01", "in_service").await), [0, 0, 1]);
    assert_eq!(counts(&send("370203-GAS01", "abandoned").await), [0, 1, 0]);
    let after = town.read(&cover).await;
    assert_eq!((&after["owner"]["code"], &after["status"]), (&json!("370203-WAT01"), &json!("abandoned")));
    let report = send("370203-GAS02", "abandoned").await;
    assert_eq!(findings(&report), [("parent_missing".to_owned(), "owner".to_owned())], "{report}");
}

pub(super) fn grids(grids: &[(&str, &str, [f64; 2])]) -> String {
    let feature = |&(code, name, [west, east]): &(&str, &str, [f64; 2])| {
        let ring = [[west, 36.11], [east, 36.11], [east, 36.13], [west, 36.13], [west, 36.11]];
        json!({"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]},
               "properties": {"code": code, "name": name, "supervising_department": "370203005-K01"}})
    };
    let features: Vec<_> = grids.iter().map(feature).collect();
    json!({"type": "FeatureCollection", "features": features}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn grids_stay_as_they_were_redrawn_and_named() {
    let town = Town::open().await;
    let (west, east) = ((WEST, "第一网格", [120.37, 120.38]), (EAST, "第二网格", [120.38, 120.39]));
    let send = async |all: &[_]| town.send_file("?kind=grids", "grids.geojson", &grids(all)).await;
    assert_eq!(counts(&send(&[west, east]).await), [0, 2, 0]);
    let ring = json!([[[120.37, 36.11], [120.39, 36.11], [120.39, 36.13], [120.37, 36.13], [120.37, 36.11]]]);
    let merged = json!({"grids": [{"code": WEST, "name": "西网格", "geometry": {"type": "Polygon", "coordinates": ring}}],
                        "remove": [EAST]});
    let redrawn = town.post("/v1/grids/redraw").key(ADMIN).json(merged).await;
    assert_eq!(redrawn.status, 200, "{}", redrawn.body);
    let path = format!("/v1/grids/{WEST}");
    let before = town.read(&path).await;
    let report = send(&[west, east]).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 0, 2], vec![]), "{report}");
    assert_eq!(town.read(&path).await, before);
    let report = send(&[(WEST, "一号网格", west.2), (EAST, "二号网格", east.2)]).await;
    let expected = [("overwrites_correction", "name"), ("removed_here", "")];
    assert_eq!(findings(&report), expected.map(|(code, column)| (code.to_owned(), column.to_owned())), "{report}");
    assert_eq!(counts(&report), [0, 1, 1]);
    let after = town.read(&path).await;
    assert_eq!((&after["name"], &after["geometry"]), (&json!("一号网格"), &before["geometry"]));
    let report = send(&[(WEST, "一号网格", [120.37, 120.385]), (EAST, "二号网格", east.2)]).await;
    assert_eq!(findings(&report)[0], ("overwrites_correction".to_owned(), "geometry".to_owned()), "{report}");
    // People may go on standing for it, and nobody else comes to.
    let people = |area: &str| format!("external_id,name,duty,area\n1,张三,patrol,{area}\n");
    let report = town.send_file("?kind=people&source=370203005-K01", "people.csv", &people(EAST)).await;
    assert_eq!(findings(&report), [("parent_missing".to_owned(), "area".to_owned())], "{report}");
}

pub(super) fn person(id: &str, name: &str, phone: &str, duties: &[(&str, &str)]) -> String {
    let lines = duties.iter().map(|(kind, area)| format!("{id},{name},{phone},370203005-K01,{kind},{area}\n"));
    "external_id,name,phone,organization,duty,area\n".to_owned() + &lines.collect::<String>()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_keeps_a_corrected_name_and_the_duties_of_today() {
    let town = Town::open().await;
    let send = async |file: &str| town.send_file("?kind=people&source=370203005-K01", "people.csv", file).await;
    let both = [("patrol", WEST), ("grid_leader", EAST)];
    let first = person("1", "张叁", "19900001234", &both);
    assert_eq!(counts(&send(&first).await), [2, 0, 0]);
    let leader = async || town.read(&format!("/v1/grids/{EAST}")).await["leader"].clone();
    assert_eq!(leader().await["name"], "张叁");
    let listed = town.read(&format!("/v1/people?grid={EAST}&limit=100")).await;
    let found = listed["items"].as_array().unwrap().iter().find(|person| person["name"] == "张叁").unwrap().clone();
    let path = format!("/v1/people/{}", found["code"].as_str().unwrap());
    town.patch(&path, json!({"name": "张三", "duties": [{"kind": "grid_leader", "area": EAST}]})).await;
    let report = send(&first).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 0, 2], vec![]), "{report}");
    let full = town.read(&path).await;
    assert_eq!((&full["name"], full["duties"].as_array().unwrap().len()), (&json!("张三"), 1), "{full}");
    // Another phone, and another duty: both are taken, the name stays.
    let second = person("1", "张叁", "19900005678", &[both[0], both[1], ("patrol", EAST)]);
    let report = send(&second).await;
    assert_eq!((counts(&report), findings(&report)), ([1, 2, 0], vec![]), "{report}");
    let full = town.read(&path).await;
    assert_eq!((&full["name"], &full["phone"]), (&json!("张三"), &json!("19900005678")));
    assert_eq!(full["duties"].as_array().unwrap().len(), 2, "{full}");
    assert_eq!(counts(&send(&second).await), [0, 0, 3]);
    // Another name: it is taken, and nothing of either is quoted.
    let third = person("1", "张山", "19900005678", &[both[0], both[1], ("patrol", EAST)]);
    let report = send(&third).await;
    assert_eq!(findings(&report), [("overwrites_correction".to_owned(), "name".to_owned())], "{report}");
    assert!(!report["findings"][0]["detail"].as_str().unwrap().contains('张'), "{report}");
    assert_eq!(leader().await["name"], "张山");
    // Who was removed stays away as long as the file gives them the same duties, whatever they are called.
    town.delete(&path).await;
    for file in [&third, &second] {
        assert_eq!(counts(&send(file).await), [0, 0, 3]);
    }
    assert_eq!(leader().await["name"], Value::Null);
    // They stay so though not all of their rows come, and come back with a duty that was not said before.
    assert_eq!(counts(&send(&person("1", "李四", "", &[both[1]])).await), [0, 0, 1]);
    let without_unit = format!("external_id,name,duty,area\n1,李四,{},{}\n", both[1].0, both[1].1);
    assert_eq!(counts(&send(&without_unit).await), [0, 0, 1]);
    assert_eq!(leader().await["name"], Value::Null);
    let report = send(&person("1", "李四", "", &[both[1], ("grid_leader", WEST)])).await;
    assert_eq!(counts(&report), [2, 0, 0], "{report}");
    assert_eq!(leader().await["name"], "李四");
    // Nothing that was said of a name stands in the open, nor of who was removed at all.
    let kept = town.remembered_of_people().await;
    assert!(kept.contains("grid_leader") && !kept.contains('李') && !kept.contains('张'), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duty_that_was_taken_away_stays_so_though_a_file_in_between_does_not_name_it() {
    let town = Town::open().await;
    let send = async |file: &str| town.send_file("?kind=people&source=370203005-K01", "people.csv", file).await;
    let both = person("1", "张三", "19900000001", &[("patrol", WEST), ("patrol", EAST)]);
    send(&both).await;
    send(&person("1", "张三", "19900000002", &[("patrol", EAST)])).await;
    let listed = town.read(&format!("/v1/people?grid={EAST}&limit=100")).await;
    let path = format!("/v1/people/{}", listed["items"][0]["code"].as_str().unwrap());
    town.patch(&path, json!({"duties": [{"kind": "patrol", "area": EAST}]})).await;
    let report = send(&both.replace("19900000001", "19900000002")).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 0, 2], vec![]), "{report}");
    assert_eq!(town.read(&path).await["duties"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_who_was_removed_no_digest_is_left() {
    let town = Town::open().await;
    let file = person("1", "张三", "19900001234", &[("patrol", EAST)]);
    town.send_file("?kind=people&source=370203005-K01", "people.csv", &file).await;
    let listed = town.read(&format!("/v1/people?grid={EAST}&limit=100")).await;
    assert!(town.remembered_of_people().await.contains("name"));
    town.delete(&format!("/v1/people/{}", listed["items"][0]["code"].as_str().unwrap())).await;
    let left = town.remembered_of_people().await;
    assert!(left.contains("duties") && !left.contains("name") && !left.contains("phone"), "{left}");
}
