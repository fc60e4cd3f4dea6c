//! Files that come again: what was corrected here stays, what they changed is taken.

use super::*;
use crate::domain::cover::LoadClass;
use crate::service::import::Counts;
use crate::store::cover_stage::Seen;

const HEAD: &str = "external_id,category,owner,lon,lat,status,material";
pub(super) const ONE: &str = "1,0101,370203-WAT01,120.372,36.115,in_service,steel";
pub(super) const TWO: &str = "2,0101,370203-WAT01,120.388,36.115,in_service,steel";

/// A file of these lines.
pub(super) fn file(lines: &[&str]) -> String {
    [&[HEAD], lines].concat().join("\n") + "\n"
}

impl Town {
    /// Imports covers of the water company.
    pub(super) async fn deliver(&self, content: &str) -> Value {
        let got = self.import(ADMIN, "?source=370203-WAT01", &[("file", Some("covers.csv"), content)]).await;
        assert!([201, 422].contains(&got.status.as_u16()), "{}", got.body);
        got.body
    }

    /// The cover that the department calls so.
    pub(super) async fn called(&self, external_id: &str) -> String {
        let found = self.get(&format!("/v1/covers?q={external_id}&owner=370203-WAT01")).key(ADMIN).get().await.body;
        found["items"][0]["code"].as_str().unwrap_or_else(|| panic!("{found}")).to_owned()
    }

    pub(super) async fn cover(&self, code: &str) -> Value {
        let got = self.get(&format!("/v1/covers/{code}")).key(ADMIN).get().await;
        assert_eq!(got.status, 200, "{}", got.body);
        got.body
    }

    pub(super) async fn correct(&self, code: &str, patch: Value) -> Value {
        let ask = self.ask("PATCH", &format!("/v1/covers/{code}?reason=seen")).key(ADMIN).header("if-match", "*");
        let got = ask.json(patch).await;
        assert_eq!(got.status, 200, "{}", got.body);
        got.body
    }
}

/// Created, updated, unchanged.
pub(super) fn counts(report: &Value) -> [u64; 3] {
    ["created", "updated", "unchanged"]
        .map(|name| report["counts"][name].as_u64().unwrap_or_else(|| panic!("{report}")))
}

/// Code and column of each finding.
pub(super) fn findings(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().unwrap_or_else(|| panic!("{report}"));
    findings.iter().map(|finding| (text(&finding["code"]), text(&finding["column"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_corrected_here_stays_where_the_file_says_the_same() {
    let town = Town::open().await;
    let first = file(&[ONE, TWO]);
    assert_eq!(counts(&town.deliver(&first).await), [2, 0, 0]);
    let code = town.called("1").await;
    let spec = json!({"material": "stone", "load_class": "D400"});
    let position = json!({"lon": 120.3721, "lat": 36.1151});
    town.correct(&code, json!({"owner": "370203-DRA01", "spec": spec, "position": position, "accuracy": "A"})).await;
    let before = town.cover(&code).await;
    assert_eq!(counts(&town.deliver(&first).await), [0, 0, 2]);
    assert_eq!(town.cover(&code).await, before);
    // One column of the file changed: it is taken, and all else stays.
    let second = file(&[&ONE.replace("in_service", "abandoned"), TWO]);
    let report = town.deliver(&second).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 1, 1], vec![]), "{report}");
    let after = town.cover(&code).await;
    assert_eq!((&after["status"], &after["owner"]["code"]), (&json!("abandoned"), &json!("370203-DRA01")));
    assert_eq!((&after["spec"]["material"], &after["spec"]["load_class"]), (&json!("stone"), &json!("D400")));
    assert_eq!((&after["position"], &after["accuracy"]), (&before["position"], &before["accuracy"]));
    assert_eq!(after["version"], 3);
    // What it said of the others is remembered: neither file takes a correction back.
    for again in [&second, &second] {
        assert_eq!(counts(&town.deliver(again).await), [0, 0, 2]);
    }
    assert_eq!(counts(&town.deliver(&first).await), [0, 1, 1]);
    let back = town.cover(&code).await;
    assert_eq!((&back["status"], &back["owner"]["code"]), (&json!("in_service"), &json!("370203-DRA01")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_changed_is_taken_and_a_correction_of_it_is_named() {
    let town = Town::open().await;
    town.deliver(&file(&[ONE, TWO])).await;
    let code = town.called("1").await;
    town.correct(&code, json!({"owner": "370203-DRA01", "spec": {"material": "stone"}})).await;
    let changed = ONE.replace("WAT01", "370203").replace("370203-370203", "370203005-K01");
    let report = town.deliver(&file(&[&changed, TWO])).await;
    assert_eq!(findings(&report), [("overwrites_correction".to_owned(), "owner".to_owned())], "{report}");
    let detail = report["findings"][0]["detail"].as_str().unwrap();
    for said in ["370203-WAT01", "370203-DRA01", "370203005-K01"] {
        assert!(detail.contains(said), "{detail}");
    }
    assert_eq!((counts(&report), &report["counts"]["warned"]), ([0, 1, 1], &json!(1)));
    let after = town.cover(&code).await;
    assert_eq!((&after["owner"]["code"], &after["spec"]["material"]), (&json!("370203005-K01"), &json!("stone")));
    // A position that was corrected gives way with its accuracy.
    town.correct(&code, json!({"position": {"lon": 120.3721, "lat": 36.1151}, "accuracy": "A"})).await;
    let moved = changed.replace("120.372", "120.373");
    let report = town.deliver(&file(&[&moved, TWO])).await;
    assert_eq!(findings(&report), [("overwrites_correction".to_owned(), "lon".to_owned())], "{report}");
    let after = town.cover(&code).await;
    assert_eq!((&after["position"]["lon"], &after["accuracy"]), (&json!(120.373), &json!("C")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_category_that_was_changed_here_stays() {
    let town = Town::open().await;
    let first = file(&[ONE, TWO]);
    town.deliver(&first).await;
    let code = town.called("1").await;
    let corrected = town.correct(&code, json!({"category": "0103"})).await;
    let code = corrected["code"].as_str().unwrap().to_owned();
    assert_eq!(counts(&town.deliver(&first).await), [0, 0, 2]);
    let second = file(&[&ONE.replace("steel", "stone"), TWO]);
    let report = town.deliver(&second).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 1, 1], vec![]), "{report}");
    let after = town.cover(&code).await;
    assert_eq!((&after["category"]["code"], &after["spec"]["material"]), (&json!("0103"), &json!("stone")));
    // The department has found out too; then it says a third one, which would need another code.
    let third = file(&[&ONE.replace("steel", "stone").replace("0101", "0103"), TWO]);
    assert_eq!(counts(&town.deliver(&third).await), [0, 0, 2]);
    assert_eq!(town.cover(&code).await, after);
    let report = town.deliver(&file(&[&ONE.replace("0101", "0102"), TWO])).await;
    assert_eq!(findings(&report), [("code_invalid".to_owned(), "category".to_owned())], "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_the_registry_gave_up_may_be_delivered_on() {
    let town = Town::open().await;
    let line = |code: &str, owner: &str| format!("external_id,code,owner,lon,lat\n1,{code},{owner},120.372,36.115\n");
    let old = "3702030101000007";
    town.deliver(&line(old, "370203-WAT01")).await;
    let new = town.correct(old, json!({"category": "0103"})).await["code"].as_str().unwrap().to_owned();
    assert_eq!(counts(&town.deliver(&line(old, "370203-WAT01")).await), [0, 0, 1]);
    for (code, owner) in [(old, "370203-DRA01"), (&*new, "370203-WAT01"), (&*new, "370203-DRA01")] {
        let report = town.deliver(&line(code, owner)).await;
        assert_eq!((counts(&report), findings(&report)), ([0, 1, 0], vec![]), "{code} {owner}: {report}");
        assert_eq!(town.cover(&new).await["owner"]["code"], owner);
    }
    let report = town.deliver(&line("3702030101000008", "370203-DRA01")).await;
    assert_eq!(findings(&report), [("code_invalid".to_owned(), "code".to_owned())], "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_here_stays_removed_until_the_file_changes_its_status() {
    let town = Town::open().await;
    let first = file(&[ONE, TWO]);
    town.deliver(&first).await;
    let code = town.called("1").await;
    let path = format!("/v1/covers/{code}");
    let removed = town.ask("DELETE", &path).key(ADMIN).header("if-match", "*").send("").await;
    assert_eq!(removed.status, 204);
    assert_eq!(counts(&town.deliver(&first).await), [0, 0, 2]);
    let second = file(&[&ONE.replace("WAT01", "DRA01"), TWO]);
    for _ in 0..2 {
        let report = town.deliver(&second).await;
        assert_eq!((counts(&report), findings(&report)[0].0.as_str()), ([0, 0, 2], "removed_here"), "{report}");
    }
    assert_eq!(town.get(&path).key(ADMIN).get().await.fault().1, "gone");
    // Its removal can still be taken back, and then the file has something to say.
    let back = town.post(&format!("{path}/history/2/undo")).key(ADMIN).send("").await;
    assert_eq!(back.status, 200, "{}", back.body);
    assert_eq!(counts(&town.deliver(&second).await), [0, 1, 1]);
    assert_eq!(town.cover(&code).await["owner"]["code"], "370203-DRA01");
    let removed = town.ask("DELETE", &path).key(ADMIN).header("if-match", "*").send("").await;
    assert_eq!(removed.status, 204);
    let report = town.deliver(&second.replacen("in_service", "abandoned", 1)).await;
    assert_eq!(findings(&report), [("overwrites_correction".to_owned(), "status".to_owned())], "{report}");
    assert_eq!(town.cover(&code).await["status"], "abandoned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_has_come_to_say_what_was_corrected_is_remembered() {
    let town = Town::open().await;
    town.deliver(&file(&[ONE, TWO])).await;
    let code = town.called("1").await;
    town.correct(&code, json!({"owner": "370203-DRA01"})).await;
    let agreed = file(&[&ONE.replace("WAT01", "DRA01"), TWO]);
    let report = town.deliver(&agreed).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 0, 2], vec![]), "{report}");
    assert_eq!(town.cover(&code).await["version"], 2);
    town.correct(&code, json!({"owner": "370203005-K01"})).await;
    let report = town.deliver(&agreed.replacen("steel", "stone", 1)).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 1, 1], vec![]), "{report}");
    assert_eq!(town.cover(&code).await["owner"]["code"], "370203005-K01");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_the_file_does_not_have_says_nothing() {
    let town = Town::open().await;
    town.deliver(&file(&[ONE, TWO])).await;
    let code = town.called("1").await;
    let report = town.deliver("external_id,category,lon,lat,status\n1,0101,120.372,36.115,abandoned\n").await;
    assert_eq!(counts(&report), [0, 1, 0], "{report}");
    let after = town.cover(&code).await;
    assert_eq!((&after["owner"]["code"], &after["spec"]["material"]), (&json!("370203-WAT01"), &json!("steel")));
    // An empty cell says that there is nothing.
    let report = town.deliver(&file(&[&ONE.replace("steel", "").replace("in_service", "abandoned")])).await;
    assert_eq!(counts(&report), [0, 1, 0], "{report}");
    assert_eq!(town.cover(&code).await["spec"]["material"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_file_says_after_one_that_said_nothing_of_it_counts() {
    let town = Town::open().await;
    let line = |columns: &str, values: &str| {
        format!("external_id,category,owner,lon,lat{columns}\n1,0101,370203-WAT01,120.372,36.115{values}\n")
    };
    let columns = ",status,material,accuracy";
    town.deliver(&line(columns, ",abandoned,steel,A")).await;
    let code = town.called("1").await;
    let report = town.deliver(&line("", "")).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 0, 1], vec![]), "{report}");
    let before = town.cover(&code).await;
    assert_eq!((&before["status"], &before["accuracy"]), (&json!("abandoned"), &json!("A")));
    let report = town.deliver(&line(columns, ",in_service,,C")).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 1, 0], vec![]), "{report}");
    let after = town.cover(&code).await;
    assert_eq!((&after["status"], &after["accuracy"]), (&json!("in_service"), &json!("C")));
    assert_eq!(after["spec"]["material"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undone_import_that_comes_again_takes_no_correction_back() {
    let town = Town::open().await;
    town.deliver(&file(&[ONE, TWO])).await;
    let code = town.called("1").await;
    town.correct(&code, json!({"owner": "370203-DRA01"})).await;
    let second = file(&[&ONE.replace("steel", "stone"), TWO]);
    let id = town.deliver(&second).await["id"].as_str().unwrap().to_owned();
    let undone = town.post(&format!("/v1/imports/{id}/undo")).key(ADMIN).send("").await;
    assert_eq!(undone.body["restored"], 1, "{}", undone.body);
    assert_eq!(town.cover(&code).await["spec"]["material"], "steel");
    let report = town.deliver(&second).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 1, 1], vec![]), "{report}");
    let after = town.cover(&code).await;
    assert_eq!((&after["owner"]["code"], &after["spec"]["material"]), (&json!("370203-DRA01"), &json!("stone")));
}

/// Whoever corrects a cover between its comparison and its writing loses nothing either.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_corrected_while_a_file_is_read_stays() {
    for staged_first in [true, false] {
        let town = Town::open().await;
        let kind = "covers";
        let district = "370203".parse().unwrap();
        let import = town.guli.new_import(None, district, "town", "covers.csv", kind, "operator");
        let mut row = staged(1, COVERS[0]);
        row.seen = Some(Seen { version: 1, stands: None, kept: None });
        row.cover.spec.load_class = Some(LoadClass::D400);
        let mut same = staged(2, COVERS[1]);
        same.seen = Some(Seen { version: 1, stands: Some(1), kept: None });
        let rows = vec![row, same];
        let counts = Counts { rows: 2, updated: 1, unchanged: 1, ..Counts::default() };
        if staged_first {
            town.guli.begin_import(&import).await.unwrap();
            town.guli.stage(&import, rows.clone()).await.unwrap();
        }
        town.correct(ALONE, json!({"owner": "370203-WAT01"})).await;
        let corrected = town.correct(TWINS[0], json!({"owner": "370203-WAT01"})).await;
        if staged_first {
            town.guli.apply_import(&import, &counts).await.unwrap();
        } else {
            town.guli.write_covers(&import, rows, &counts).await.unwrap();
        }
        let after = town.cover(ALONE).await;
        assert_eq!((&after["owner"]["code"], &after["spec"]["load_class"]), (&json!("370203-WAT01"), &json!("D400")));
        assert_eq!(after["version"], 3);
        assert_eq!(town.cover(TWINS[0]).await, corrected, "only what it said is remembered");
        let town = town.reopened().await;
        assert_eq!(town.cover(ALONE).await, after);
    }
}
