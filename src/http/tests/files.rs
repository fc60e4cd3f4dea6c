//! Files over HTTP.

use std::fmt::Write as _;

use super::*;
use crate::domain::actor::Role;

/// A body of `multipart/form-data`: name, file name, content.
fn multipart(parts: &[(&str, Option<&str>, &str)]) -> String {
    let mut body = String::new();
    for (name, file, content) in parts {
        let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\""));
        let _ = write!(body, "--limit\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{content}\r\n");
    }
    body + "--limit--\r\n"
}

impl Town {
    pub(super) async fn import(&self, key: &str, query: &str, parts: &[(&str, Option<&str>, &str)]) -> Got {
        let ask = self.post(&format!("/v1/imports{query}")).key(key);
        ask.header("content-type", "multipart/form-data; boundary=limit").send(multipart(parts)).await
    }

    /// The same in English, so that a refusal is not asked for again in Chinese, which would be another import.
    pub(super) async fn import_once(&self, key: &str, query: &str, parts: &[(&str, Option<&str>, &str)]) -> Got {
        let ask = self.post(&format!("/v1/imports{query}")).key(key).header("accept-language", "en");
        ask.header("content-type", "multipart/form-data; boundary=limit").send(multipart(parts)).await
    }
}

const GOOD: &str =
    "external_id,category,owner,lon,lat\n1,0101,370203-WAT01,120.372,36.115\n2,0101,370203-WAT01,120.388,36.115\n";
const BAD: &str =
    "external_id,category,owner,lon,lat\n1,0101,370203-WAT01,120.372,36.115\n2,0101,370203-WAT01,99,36.115\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_tried_imported_and_imported_again() {
    let town = Town::open().await;
    let file = |content| [("file", Some("covers.csv"), content)];
    let dry = town.import(ADMIN, "?source=370203-WAT01&dry_run=true", &file(GOOD)).await;
    assert_eq!((dry.status.as_u16(), &dry.body["counts"]["created"]), (200, &json!(2)), "{}", dry.body);
    assert_eq!(dry.header("guli-feed"), "", "a try writes nothing");
    assert_eq!(town.get("/v1/covers?owner=370203-WAT01").key(ADMIN).get().await.body["items"], json!([]));
    let got = town.import(ADMIN, "?source=370203-WAT01", &file(GOOD)).await;
    assert_eq!((got.status.as_u16(), &got.body["counts"]["created"]), (201, &json!(2)), "{}", got.body);
    let last = town.get("/v1/changes").key(ADMIN).get().await.body["head"].clone();
    assert_eq!(got.header("guli-feed"), format!("370203:{last}"));
    let at = got.header("location").to_owned();
    assert_eq!(at, format!("/v1/imports/{}", got.body["id"].as_str().unwrap()));
    assert_eq!(town.get(&at).key(ADMIN).get().await.body, got.body);
    assert_eq!(town.get(&at).key("demo-planner").get().await.status, 404);
    let rows = town.get(got.body["rows_href"].as_str().unwrap()).key(ADMIN).get().await;
    let rows: Vec<Value> =
        rows.bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!((rows.len(), &rows[1]["row"], &rows[1]["outcome"]), (2, &json!(2), &json!("created")));
    assert!(rows.iter().all(|row| row["external_id"].is_string()), "{rows:?}");
    let again = town.import(ADMIN, "?source=370203-WAT01", &file(GOOD)).await;
    assert_eq!(again.body["counts"]["unchanged"], 2, "{}", again.body);
    let found = town.get("/v1/resolve?lon=120.372&lat=36.115").get().await.body;
    let code = found["candidates"][0]["cover"]["code"].as_str().unwrap();
    let history = town.get(&format!("/v1/covers/{code}/history")).key(ADMIN).get().await.body;
    assert_eq!(history["items"][0]["source"]["row"], 1, "{history}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_says_what_a_file_calls_things() {
    let town = Town::open().await;
    let mapping = json!({
        "kind": "covers", "crs": "GCJ-02", "source": "370203-WAT01",
        "columns": {"external_id": "编号", "lon": "经度", "lat": "纬度"}, "constants": {"category": "0101"},
    });
    let mapping = mapping.to_string();
    let parts =
        [("mapping", None, mapping.as_str()), ("file", Some("井盖.csv"), "编号,经度,纬度\nA,120.3801,36.1202\n")];
    let got = town.import(ADMIN, "?keep_going=true", &parts).await;
    assert_eq!((got.status.as_u16(), &got.body["counts"]["created"]), (201, &json!(1)), "{}", got.body);
    assert_eq!(got.body["findings"][0]["code"], "owner_missing", "{}", got.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_errors_is_refused_as_a_whole() {
    let town = Town::open().await;
    let file = |content| [("file", Some("covers.csv"), content)];
    let before = town.get("/v1/changes").key(ADMIN).get().await.body;
    let refused = town.import(ADMIN, "?source=370203-WAT01", &file(BAD)).await;
    assert_eq!(refused.fault().1, "import-rejected", "{}", refused.body);
    assert_eq!((&refused.body["counts"]["rejected"], &refused.body["findings"][0]["row"]), (&json!(1), &json!(2)));
    for (key, query, parts, fault) in [
        (ADMIN, "?source=370203-WAT01", &[("file", Some("covers.pdf"), GOOD)][..], (422, "/file")),
        (ADMIN, "?source=370203-WAT01", &[], (422, "/file")),
        (ADMIN, "?source=370203-WAT01", &[("other", Some("covers.csv"), GOOD)], (422, "/other")),
        (ADMIN, "", &file(GOOD), (422, "source")),
        (ADMIN, "?profile=nobody", &file(GOOD), (422, "profile")),
        (ADMIN, "?kind=trees", &file(GOOD), (422, "kind")),
        (ADMIN, "?crs=EPSG:1", &file(GOOD), (422, "crs")),
        (ADMIN, "?source=370203-WAT01&dry_run=1", &file(GOOD), (422, "dry_run")),
        (
            ADMIN,
            "",
            &[("mapping", None, "{\"kind\": \"trees\"}"), ("file", Some("covers.csv"), GOOD)],
            (422, "/mapping"),
        ),
        (ADMIN, "", &[("mapping", None, "{"), ("file", Some("covers.csv"), GOOD)], (400, "")),
        ("demo-planner", "?source=370203-WAT01", &file(GOOD), (403, "")),
        ("demo-crew", "?source=370203-WAT01", &file(GOOD), (403, "")),
    ] {
        let got = town.import(key, query, parts).await;
        let (status, _, at) = got.fault();
        assert_eq!((status, &*at), fault, "{key} {query} {}", got.body);
    }
    let unnamed = town.post("/v1/imports").key(ADMIN).json(json!({})).await;
    assert_eq!(unnamed.fault().0, 415);
    assert_eq!(town.get("/v1/changes").key(ADMIN).get().await.body, before);
    let going = town.import(ADMIN, "?source=370203-WAT01&keep_going=true", &file(BAD)).await;
    assert_eq!((going.status.as_u16(), &going.body["counts"]["created"]), (201, &json!(1)), "{}", going.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_taken_back_and_can_come_again() {
    let town = Town::open().await;
    let file = |content| [("file", Some("covers.csv"), content)];
    let later = GOOD.replace("0101,370203-WAT01,120.388,36.115", "0101,370203-DRA01,120.388,36.1151");
    let first = town.import(ADMIN, "?source=370203-WAT01", &file(GOOD)).await.header("location").to_owned();
    let second = town.import(ADMIN, "?source=370203-WAT01", &file(&later)).await;
    assert_eq!(second.body["counts"]["updated"], 1, "{}", second.body);
    let second = second.header("location").to_owned();
    let owned = async |owner: &str| {
        let got = town.get(&format!("/v1/covers?owner={owner}")).key(ADMIN).get().await.body;
        got["items"].as_array().unwrap().len()
    };
    assert_eq!((owned("370203-WAT01").await, owned("370203-DRA01").await), (1, 4));
    let undo = async |at: &str, key: &str| town.post(&format!("{at}/undo?reason=wrong")).key(key).send("").await;
    // Not by others, and not what others stand on.
    assert_eq!(undo(&second, "demo-planner").await.fault().0, 403);
    assert_eq!(undo("/v1/imports/01890a5d-ac96-774b-bcce-b302099a8057", ADMIN).await.fault().0, 404);
    let stands = undo(&first, ADMIN).await;
    assert_eq!(stands.fault().1, "conflict");
    assert!(stands.body["detail"].as_str().unwrap().contains("(version 2)"), "{}", stands.body);
    let keyed =
        || town.post(&format!("{second}/undo?reason=wrong")).key(ADMIN).header("idempotency-key", "0123456789abcdef");
    let back = keyed().send("").await;
    assert_eq!(back.header("guli-feed"), "370203:4", "{}", back.body);
    let again = keyed().send("").await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &back.body));
    assert_eq!((&back.body["removed"], &back.body["restored"]), (&json!(0), &json!(1)), "{}", back.body);
    assert_eq!((owned("370203-WAT01").await, owned("370203-DRA01").await), (2, 3));
    assert_eq!(undo(&second, ADMIN).await.fault().1, "conflict");
    // The first one now stands as it was made; but somebody reports one of its covers.
    let reported = town.post("/v1/reports").json(json!({
        "position": {"lon": 120.372, "lat": 36.115}, "damage": "broken",
    }));
    let reported = reported.await.body;
    let order = reported["work_order"]["code"].as_str().unwrap().to_owned();
    let stands = undo(&first, ADMIN).await;
    assert!(stands.body["detail"].as_str().unwrap().contains(&order), "{}", stands.body);
    let found = town.get("/v1/resolve?lon=120.388&lat=36.115").get().await.body;
    let code = found["candidates"][0]["cover"]["code"].as_str().unwrap().to_owned();
    let history = town.get(&format!("/v1/covers/{code}/history")).key(ADMIN).get().await.body;
    let third = &history["items"][2];
    assert_eq!(
        (&third["version"], &third["reason"], &third["by"]["role"]),
        (&json!(3), &json!("wrong"), &json!("admin"))
    );
    assert_eq!(
        (&third["change"], third["source"]["import"].as_str()),
        (&json!("import.undone"), second.rsplit('/').next())
    );
    // The same file again is what it says, again.
    let again = town.import(ADMIN, "?source=370203-WAT01", &file(&later)).await;
    assert_eq!((&again.body["counts"]["updated"], &again.body["counts"]["unchanged"]), (&json!(1), &json!(1)));
    assert_eq!(owned("370203-DRA01").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn covers_that_an_undone_import_brought_are_gone_until_it_comes_again() {
    let town = Town::open().await;
    let file = [("file", Some("covers.csv"), GOOD)];
    let at = town.import(ADMIN, "?source=370203-WAT01", &file).await.header("location").to_owned();
    let found = town.get("/v1/resolve?lon=120.372&lat=36.115").get().await.body;
    let code = found["candidates"][0]["cover"]["code"].as_str().unwrap().to_owned();
    let back = town.post(&format!("{at}/undo")).key(ADMIN).send("").await;
    assert_eq!((&back.body["removed"], &back.body["restored"]), (&json!(2), &json!(0)), "{}", back.body);
    let gone = town.get(&format!("/v1/covers/{code}")).key(ADMIN).get().await;
    assert_eq!(gone.fault().1, "gone");
    assert_eq!(town.get("/v1/resolve?lon=120.372&lat=36.115").get().await.body["candidates"], json!([]));
    let again = town.import(ADMIN, "?source=370203-WAT01", &file).await;
    assert_eq!(again.body["counts"]["updated"], 2, "{}", again.body);
    let back = town.get(&format!("/v1/covers/{code}")).key(ADMIN).get().await;
    assert_eq!((back.status.as_u16(), back.header("etag")), (200, "\"3\""), "{}", back.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_wait_asks_later() {
    let town = Town::open().await;
    let ask = town.post("/v1/imports?source=370203-WAT01").key(ADMIN).header("prefer", "respond-async, wait=1");
    let ask = ask.header("content-type", "multipart/form-data; boundary=limit");
    let got = ask.send(multipart(&[("file", Some("covers.csv"), GOOD)])).await;
    assert_eq!((got.status.as_u16(), got.header("preference-applied")), (202, "respond-async"), "{}", got.body);
    let at = got.header("location").to_owned();
    let report = loop {
        let report = town.get(&at).key(ADMIN).get().await.body;
        if report["state"] != "running" {
            break report;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    assert_eq!((&report["state"], &report["counts"]["created"]), (&json!("stored"), &json!(2)), "{report}");
    let crew = town.import("demo-crew", "", &[("file", Some("covers.csv"), GOOD)]).await;
    assert_eq!(crew.fault().0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_told_of_after_the_server_ended_and_made_once_under_its_key() {
    let town = Town::open().await;
    let send = async |town: &Town, key: &str, content: &str| {
        let ask = town.post("/v1/imports?source=370203-WAT01").key(ADMIN).header("idempotency-key", key);
        let body = multipart(&[("file", Some("covers.csv"), content)]);
        ask.header("content-type", "multipart/form-data; boundary=limit").send(body).await
    };
    let key = "0123456789abcdef";
    let (first, twin) = tokio::join!(send(&town, key, GOOD), send(&town, key, GOOD));
    assert_eq!((first.status.as_u16(), twin.status.as_u16()), (201, 201), "{} {}", first.body, twin.body);
    assert_eq!((&first.body, first.header("location")), (&twin.body, twin.header("location")));
    assert_eq!(first.body["counts"]["created"], 2);
    let again = send(&town, key, GOOD).await;
    assert_eq!(again.header("idempotent-replayed"), "true");
    for got in [&first, &twin, &again] {
        assert_eq!(got.header("guli-feed"), "370203:2");
    }
    assert_eq!(send(&town, key, BAD).await.fault().1, "idempotency-mismatch");
    // What was refused may be sent again, mended.
    assert_eq!(send(&town, "another-key-of-16", BAD).await.fault().1, "import-rejected");
    assert_eq!(send(&town, "another-key-of-16", GOOD).await.body["counts"]["unchanged"], 2);

    let same = town.import(ADMIN, "?source=370203-WAT01", &[("file", Some("covers.csv"), GOOD)]).await;
    let at = first.header("location").to_owned();
    let town = town.reopened().await;
    let read = town.get(same.header("location")).key(ADMIN).get().await;
    assert_eq!((read.status.as_u16(), &read.body), (200, &same.body), "a file that changed nothing");
    let read = town.get(&at).key(ADMIN).get().await;
    assert_eq!((read.status.as_u16(), &read.body), (200, &first.body));
    let again = send(&town, key, GOOD).await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
    assert_eq!(town.get(&at).key("demo-planner").get().await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_file_says_of_people_is_not_kept() {
    let town = Town::open().await;
    // The phone stands where the area should.
    let people = format!(
        "external_id,name,phone,duty,area\n1,王海,370203005001,patrol,19900001234\n2,张三,19900005678,patrol,{EAST}\n"
    );
    let file = [("file", Some("people.csv"), &*people)];
    let got = town.import(ADMIN, "?kind=people&source=370203005-K01&keep_going=true", &file).await;
    assert_eq!(got.status, 201, "{}", got.body);
    assert!(got.body["findings"][0]["detail"].as_str().unwrap().contains("19900001234"), "{}", got.body);
    let at = got.header("location").to_owned();
    let town = town.reopened().await;
    let kept = town.get(&at).key(ADMIN).get().await;
    assert_eq!((kept.status.as_u16(), &kept.body["findings"][0]["row"]), (200, &json!(1)), "{}", kept.body);
    assert_eq!(kept.body["findings"][0]["column"], got.body["findings"][0]["column"]);
    assert!(!String::from_utf8_lossy(&kept.bytes).contains("1990000"), "{}", kept.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_records_a_file_brings_is_known_and_permitted() {
    let town = Town::open().await;
    let file = |content| [("file", Some("covers.csv"), content)];
    // A slip in the source would be a part of each record's identity for good.
    let unknown = town.import(ADMIN, "?source=370203-WAT99", &file(GOOD)).await;
    assert_eq!(unknown.status, 422, "{}", unknown.body);
    let finding = &unknown.body["findings"][0];
    assert_eq!(
        (&finding["row"], &finding["code"], &finding["column"]),
        (&json!(0), &json!("parent_missing"), &json!("source"))
    );
    // A department brings its own covers alone, as it enters its own alone.
    let scope = "unit:370203-WAT01".parse().unwrap();
    let key = town.guli.create_key(Role::Department, vec![scope], "a department".to_owned()).await.unwrap().secret;
    let mixed = GOOD.to_owned() + "3,0103,370203-DRA01,120.376,36.115\n";
    let refused = town.import(&key, "?source=370203-WAT01", &file(&mixed)).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    let finding = &refused.body["findings"][0];
    assert_eq!(
        (&finding["row"], &finding["code"], &finding["column"]),
        (&json!(3), &json!("not_permitted"), &json!("owner"))
    );
    assert_eq!(town.import(&key, "?source=370203-WAT01", &file(GOOD)).await.status, 201);
    assert_eq!(town.import(ADMIN, "?source=370203-WAT01", &file(&mixed)).await.body["counts"]["created"], 1);
}
