//! Files that come again after an import was taken back: what they had said before it is what they said last.

use super::again::{ONE, TWO, counts, file, findings};
use super::again_few::{person, units};
use super::*;
use crate::store::imports;

fn overruled(column: &str) -> Vec<(String, String)> {
    vec![("overwrites_correction".to_owned(), column.to_owned())]
}

impl Town {
    async fn taken_back(&self, report: &Value) -> Value {
        let got = self.undo(report).await;
        assert_eq!(got.status, 200, "{}", got.body);
        got.body
    }

    /// A delivery that changes nothing and of which nothing is to be told.
    async fn changes_nothing(&self, content: &str) {
        let report = self.deliver(content).await;
        assert_eq!((counts(&report), findings(&report)), ([0, 0, 2], vec![]), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_outlives_the_import_that_overruled_it() {
    let town = Town::open().await;
    let first = file(&[ONE, TWO]);
    town.deliver(&first).await;
    let code = town.called("1").await;
    let corrected = town.correct(&code, json!({"owner": "370203-DRA01"})).await;
    let second = file(&[&ONE.replace("370203-WAT01", "370203005-K01"), TWO]);
    let report = town.deliver(&second).await;
    assert_eq!(findings(&report), overruled("owner"), "{report}");
    assert_eq!(town.taken_back(&report).await["restored"], 1);
    town.changes_nothing(&first).await;
    let after = town.cover(&code).await;
    assert_eq!((&after["owner"], &after["version"]), (&corrected["owner"], &json!(4)));
    // What was taken back is said anew when it comes again.
    let report = town.deliver(&second).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 1, 1], overruled("owner")), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_outlives_an_import_that_agreed_with_it() {
    let town = Town::open().await;
    let first = file(&[ONE, TWO]);
    town.deliver(&first).await;
    let codes = [town.called("1").await, town.called("2").await];
    for code in &codes {
        town.correct(code, json!({"owner": "370203-DRA01"})).await;
    }
    let agreed = |line: &str| line.replace("370203-WAT01", "370203-DRA01");
    // One record changes another column, of the other it is only remembered what it says.
    let report = town.deliver(&file(&[&agreed(ONE).replace("steel", "stone"), &agreed(TWO)])).await;
    assert_eq!(counts(&report), [0, 1, 1], "{report}");
    assert_eq!(town.taken_back(&report).await["restored"], 1);
    town.changes_nothing(&first).await;
    for code in &codes {
        let after = town.cover(code).await;
        assert_eq!((&after["owner"]["code"], &after["spec"]["material"]), (&json!("370203-DRA01"), &json!("steel")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_here_stays_so_once_the_import_that_revived_it_is_taken_back() {
    let town = Town::open().await;
    let first = file(&[ONE, TWO]);
    town.deliver(&first).await;
    let code = town.called("1").await;
    town.delete(&format!("/v1/covers/{code}")).await;
    let second = file(&[&ONE.replace("in_service", "abandoned"), TWO]);
    let report = town.deliver(&second).await;
    assert_eq!(findings(&report), overruled("status"), "{report}");
    town.taken_back(&report).await;
    town.changes_nothing(&first).await;
    assert_eq!(town.get(&format!("/v1/covers/{code}")).key(ADMIN).get().await.fault().1, "gone");
    assert_eq!(findings(&town.deliver(&second).await), overruled("status"));
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_are_taken_back_one_after_the_other() {
    let town = Town::open().await;
    let first = file(&[ONE, TWO]);
    let with = |owner: &str| file(&[&ONE.replace("370203-WAT01", owner), &TWO.replace("steel", "stone")]);
    town.deliver(&first).await;
    let code = town.called("1").await;
    town.correct(&code, json!({"owner": "370203-DRA01"})).await;
    // The second agrees, the third does not.
    let second = town.deliver(&with("370203-DRA01")).await;
    let third = town.deliver(&with("370203005-K01")).await;
    assert_eq!((counts(&second), counts(&third)), ([0, 1, 1], [0, 1, 1]));
    town.taken_back(&third).await;
    town.changes_nothing(&with("370203-DRA01")).await;
    town.taken_back(&second).await;
    town.changes_nothing(&first).await;
    assert_eq!(town.cover(&code).await["owner"]["code"], "370203-DRA01");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_below_another_is_taken_back_from_what_is_remembered_too() {
    let town = Town::open().await;
    let first = file(&[ONE, TWO]);
    town.deliver(&first).await;
    let code = town.called("1").await;
    let with = |owner: &str, other: &str| file(&[&ONE.replace("370203-WAT01", owner), other]);
    let stone = TWO.replace("steel", "stone");
    town.correct(&code, json!({"owner": "370203-DRA01"})).await;
    let second = town.deliver(&with("370203-DRA01", &stone)).await;
    town.correct(&code, json!({"owner": "370203005-K01"})).await;
    let third = town.deliver(&with("370203005-K01", &stone)).await;
    assert_eq!((counts(&second), counts(&third)), ([0, 1, 1], [0, 0, 2]));
    town.taken_back(&second).await;
    town.taken_back(&third).await;
    town.changes_nothing(&first).await;
    assert_eq!(town.cover(&code).await["owner"]["code"], "370203005-K01");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_corrected_name_of_an_organization_outlives_an_undone_import() {
    let town = Town::open().await;
    let send = async |line: &str| town.send_file("?kind=organizations", "units.csv", &units(&[line])).await;
    let path = "/v1/organizations/370203-GAS01";
    let first = "370203-GAS01,燃气公司,utility,";
    send(first).await;
    town.patch(path, json!({"name": "燃气集团"})).await;
    for second in [first.replace("公司", "股份"), first.replace("公司", "集团").replace("utility", "department")]
    {
        let report = send(&second).await;
        assert_eq!(counts(&report), [0, 1, 0], "{report}");
        town.taken_back(&report).await;
        let report = send(first).await;
        assert_eq!((counts(&report), findings(&report)), ([0, 0, 1], vec![]), "{report}");
        let shown = town.read(path).await;
        assert_eq!((&shown["name"], &shown["kind"]), (&json!("燃气集团"), &json!("utility")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_corrected_unit_of_a_person_outlives_an_undone_import() {
    let town = Town::open().await;
    let send = async |file: &str| town.send_file("?kind=people&source=370203005-K01", "people.csv", file).await;
    let first = person("1", "张三", "19900000001", &[("patrol", EAST)]);
    send(&first).await;
    let listed = town.read(&format!("/v1/people?grid={EAST}&limit=100")).await;
    let path = format!("/v1/people/{}", listed["items"][0]["code"].as_str().unwrap());
    town.patch(&path, json!({"name": "张叁", "organization": "370203-DRA01"})).await;
    // It agrees with the name and says another unit.
    let second = first.replace("张三", "张叁").replace("1,370203005-K01", "1,370203-WAT01");
    let report = send(&second).await;
    assert_eq!(findings(&report), overruled("organization"), "{report}");
    town.taken_back(&report).await;
    let report = send(&first).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 0, 1], vec![]), "{report}");
    let shown = town.read(&path).await;
    assert_eq!((&shown["name"], &shown["organization"]["code"]), (&json!("张叁"), &json!("370203-DRA01")), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_whom_an_undone_import_revived_stay_removed() {
    let town = Town::open().await;
    let send = async |file: &str| town.send_file("?kind=people&source=370203005-K01", "people.csv", file).await;
    let first = person("1", "张三", "19900000001", &[("patrol", EAST)]);
    send(&first).await;
    let listed = town.read(&format!("/v1/people?grid={EAST}&limit=100")).await;
    town.delete(&format!("/v1/people/{}", listed["items"][0]["code"].as_str().unwrap())).await;
    let report = send(&person("1", "张三", "19900000001", &[("patrol", WEST)])).await;
    assert_eq!(counts(&report), [1, 0, 0], "{report}");
    town.taken_back(&report).await;
    let report = send(&first).await;
    assert_eq!(counts(&report), [0, 0, 1], "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn covers_do_not_go_back_to_a_unit_that_is_no_more() {
    let town = Town::open().await;
    town.send_file("?kind=organizations", "units.csv", &units(&["370203-WAT02,供水公司,utility,"])).await;
    let line = |owner: &str| format!("external_id,category,owner,lon,lat\n1,0101,{owner},120.372,36.115\n");
    let send = async |owner| town.send_file("?source=370203-WAT01", "covers.csv", &line(owner)).await;
    send("370203-WAT02").await;
    let second = send("370203-WAT01").await;
    town.delete("/v1/organizations/370203-WAT02").await;
    let refused = town.undo(&second).await;
    assert_eq!(refused.fault().1, "conflict");
    assert!(refused.body["detail"].as_str().unwrap().contains("no more: 370203-WAT02"), "{}", refused.body);
    let code = town.called("1").await;
    assert_eq!(town.cover(&code).await["version"], 2);
    let back = town.post("/v1/organizations/370203-WAT02/history/2/undo").key(ADMIN).send("").await;
    assert_eq!(back.status, 200, "{}", back.body);
    assert_eq!(town.taken_back(&second).await["restored"], 1);
    assert_eq!(town.cover(&code).await["owner"]["code"], "370203-WAT02");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undoing_that_goes_on_leaves_what_came_again_meanwhile() {
    let town = Town::open().await;
    let first = town.deliver(&file(&[ONE, TWO])).await;
    town.taken_back(&first).await;
    // As it is noted of one that was interrupted.
    let id: Uuid = first["id"].as_str().unwrap().parse().unwrap();
    let mut writer = town.guli.store.write().await.unwrap();
    let import = ("370203".parse().unwrap(), ImportId(id));
    imports::set_state(&mut writer.conn(), import, "undoing", "{}", None).await.unwrap();
    drop(writer);
    let again = town.deliver(&file(&[ONE, TWO])).await;
    assert_eq!(counts(&again), [0, 2, 0], "{again}");
    assert_eq!(town.taken_back(&first).await["removed"], 0);
    for external_id in ["1", "2"] {
        let code = town.called(external_id).await;
        assert_eq!(town.cover(&code).await["version"], 3);
    }
    assert_eq!(town.taken_back(&again).await["restored"], 2);
}

/// Taking `import` back was interrupted before it came to the cover `code`, which has had `change` since it was imported.
async fn interrupted(town: Town, import: &Value, code: &str, change: &str) -> Town {
    let id: Uuid = import["id"].as_str().unwrap().parse().unwrap();
    let cover = format!("SELECT id FROM cover WHERE code = {code}");
    let tables = [("cover", "id"), ("cover_source", "cover"), ("cover_source_version", "cover")];
    let rows = |(table, key): (&str, &str)| format!("FROM {table} WHERE {key} = ({cover})");
    let before = tables.map(|table| format!("CREATE TABLE {0}_then AS SELECT * {1};", table.0, rows(table))).concat();
    let mut after = tables.map(|table| {
        let (name, rows) = (table.0, rows(table));
        format!("DELETE {rows}; INSERT INTO {name} SELECT * FROM {name}_then; DROP TABLE {name}_then;")
    });
    // The cover itself last: the others are found by it.
    after.reverse();
    let change = format!(
        "UPDATE cover SET version = version + 1, seq_from = 1, {change} WHERE code = {code}; \
         UPDATE import SET state = 'undoing' WHERE id = x'{}'",
        id.simple()
    );
    town.sql(before).await;
    town.taken_back(import).await;
    town.sql(after.concat() + &change).await;
    town.reopened().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undoing_that_goes_on_takes_back_what_a_redraw_has_touched() {
    let town = Town::open().await;
    let first = town.deliver(&file(&[ONE, TWO])).await;
    let second = town.called("2").await;
    let town = interrupted(town, &first, &second, "grid = grid").await;
    let undone = town.taken_back(&first).await;
    assert_eq!((&undone["removed"], &undone["kept"]), (&json!(1), &json!(0)), "{undone}");
    assert_eq!(town.get(&format!("/v1/covers/{second}")).key(ADMIN).get().await.fault().1, "gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undoing_that_goes_on_keeps_what_was_changed_and_what_was_said_of_it() {
    let town = Town::open().await;
    let first = file(&[ONE, TWO]);
    town.deliver(&first).await;
    let wrong = town.deliver(&file(&[&ONE.replace("steel", "stone"), &TWO.replace("steel", "stone")])).await;
    let second = town.called("2").await;
    let town = interrupted(town, &wrong, &second, "accuracy = 'A'").await;
    let undone = town.taken_back(&wrong).await;
    assert_eq!((&undone["restored"], &undone["kept"]), (&json!(0), &json!(1)), "{undone}");
    // The file before says something else of it than the one that was kept.
    let report = town.deliver(&first).await;
    assert_eq!(counts(&report), [0, 1, 1], "{report}");
    let after = town.cover(&second).await;
    assert_eq!((&after["spec"]["material"], &after["accuracy"]), (&json!("steel"), &json!("A")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_taken_back_once_under_its_key() {
    let town = Town::open().await;
    let covers = town.deliver(&file(&[ONE, TWO])).await;
    let units = town.send_file("?kind=organizations", "units.csv", &units(&["370203-GAS01,燃气公司,utility,"])).await;
    for report in [covers, units] {
        let path = format!("/v1/imports/{}/undo", report["id"].as_str().unwrap());
        let undo = || town.post(&path).key(ADMIN).header("idempotency-key", "0123456789abcdef").send("");
        // Both have asked before either is answered.
        let turn = town.guli.import_turn().await.unwrap();
        let later = async {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            drop(turn);
        };
        let (first, twin, ()) = tokio::join!(undo(), undo(), later);
        assert_eq!((first.status.as_u16(), twin.status.as_u16()), (200, 200), "{} {}", first.body, twin.body);
        assert_eq!((&first.body, first.header("guli-feed")), (&twin.body, twin.header("guli-feed")));
        let replayed = [&first, &twin].map(|got| got.header("idempotent-replayed") == "true");
        assert_ne!(replayed[0], replayed[1]);
        assert_eq!(undo().await.header("idempotent-replayed"), "true");
    }
}
