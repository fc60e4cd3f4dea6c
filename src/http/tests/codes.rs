//! Codes of covers that a file brings, and that others have or come to have meanwhile.

use super::again::{counts, findings};
use super::*;
use crate::service::error::ServiceError;
use crate::service::import::{Counts, ImportFile};
use crate::store::imports;

const TAKEN: &str = "3702030101000007";

/// A cover of a file that names its code, or gets the one that was next when it was read.
fn brought(row: u64, code: &str, names_code: bool) -> StagedCover {
    StagedCover { names_code, ..staged(row, (code, 120.372, 36.115, Status::InService, WEST)) }
}

impl Town {
    /// Enters a cover here; without a code it gets the next one of its category.
    async fn enter(&self, code: Option<&str>) -> String {
        let position = json!({"lon": 120.373, "lat": 36.115});
        let body =
            json!({"code": code, "category": "0101", "position": position, "accuracy": "A", "owner": "370203-WAT01"});
        let got = self.post("/v1/covers").key(ADMIN).json(body).await;
        assert_eq!(got.status, 201, "{}", got.body);
        got.body["code"].as_str().unwrap().to_owned()
    }

    fn begun(&self) -> ImportFile {
        self.guli.new_import(None, "370203".parse().unwrap(), "town", "covers.csv", "covers", "operator")
    }

    /// How an import is noted.
    async fn noted(&self, file: &ImportFile) -> String {
        let mut reader = self.guli.store.read().await.unwrap();
        let noted = imports::find(&mut reader.conn(), file.district, file.id).await.unwrap();
        noted.map_or_else(String::new, |noted| noted.state)
    }

    async fn codes_of_water(&self) -> Vec<String> {
        let found = self.get("/v1/covers?category=0101&limit=100").key(ADMIN).get().await.body;
        found["items"].as_array().unwrap().iter().map(|cover| cover["code"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_given_here_is_not_brought_by_a_file() {
    let town = Town::open().await;
    town.enter(Some(TAKEN)).await;
    let line = |code: &str| format!("external_id,code,owner,lon,lat\n9,{code},370203-WAT01,120.372,36.115\n");
    let repeated = [("code_repeated".to_owned(), "code".to_owned())];
    let report = town.deliver(&line(TAKEN)).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 0, 0], repeated.to_vec()), "{report}");
    assert!(report["findings"][0]["detail"].as_str().unwrap().contains("entered here"), "{report}");
    // Nor one that a cover has had.
    town.correct(TAKEN, json!({"category": "0103"})).await;
    let report = town.deliver(&line(TAKEN)).await;
    assert_eq!((counts(&report), findings(&report)), ([0, 0, 0], repeated.to_vec()), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_next_when_a_file_was_read_is_given_anew_once_it_is_taken() {
    for staged_first in [true, false] {
        let town = Town::open().await;
        let file = town.begun();
        let rows = vec![brought(11, "3702030101000002", false), brought(12, "3702030101000003", false)];
        let counts = Counts { rows: 2, created: 2, ..Counts::default() };
        if staged_first {
            town.guli.begin_import(&file).await.unwrap();
            town.guli.stage(&file, rows.clone()).await.unwrap();
        }
        // One is entered, another gets its code with its new category.
        assert_eq!(town.enter(None).await, "3702030101000002");
        assert_eq!(town.correct(ALONE, json!({"category": "0101"})).await["code"], "3702030101000003");
        if staged_first {
            town.guli.apply_import(&file, &counts).await.unwrap();
        } else {
            town.guli.write_covers(&file, rows, &counts).await.unwrap();
        }
        let expected = [1, 2, 3, 4, 5].map(|n| format!("370203010100000{n}"));
        assert_eq!(town.codes_of_water().await, expected, "{staged_first}");
        assert_eq!(town.reopened().await.codes_of_water().await, expected, "{staged_first}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_names_a_code_which_was_taken_meanwhile_is_not_half_stored() {
    for staged_first in [true, false] {
        let town = Town::open().await;
        let file = town.begun();
        // Three steps, of which the second cannot be applied.
        let rows = vec![brought(11, "3702030101000005", true), brought(7_000, TAKEN, true)];
        let rows = [rows, vec![brought(25_000, "3702030101000009", true)]].concat();
        let counts = Counts { rows: 3, created: 3, ..Counts::default() };
        if staged_first {
            town.guli.begin_import(&file).await.unwrap();
            town.guli.stage(&file, rows.clone()).await.unwrap();
        }
        town.enter(Some(TAKEN)).await;
        let refused = if staged_first {
            town.guli.apply_import(&file, &counts).await
        } else {
            town.guli.write_covers(&file, rows, &counts).await
        };
        assert!(matches!(&refused, Err(ServiceError::Conflict(said)) if said.english.contains(TAKEN)), "{refused:?}");
        assert_eq!(town.noted(&file).await, if staged_first { "rejected" } else { "" });
        assert_eq!(town.codes_of_water().await, [TWINS[0], TAKEN]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_cannot_be_finished_is_given_up_at_the_start_and_can_be_taken_back() {
    let town = Town::open().await;
    let file = town.begun();
    let counts = Counts { rows: 2, created: 2, ..Counts::default() };
    town.guli.write_covers(&file, vec![brought(11, "3702030101000005", true)], &counts).await.unwrap();
    town.enter(Some(TAKEN)).await;
    town.guli.stage(&file, vec![brought(12, TAKEN, true)]).await.unwrap();
    let mut writer = town.guli.store.write().await.unwrap();
    let counts = json!(counts).to_string();
    imports::set_state(&mut writer.conn(), (file.district, file.id), "applying", &counts, None).await.unwrap();
    drop(writer);
    let town = town.reopened().await;
    assert_eq!(town.noted(&file).await, "failed");
    assert_eq!(town.codes_of_water().await, [TWINS[0], "3702030101000005", TAKEN]);
    let listed = town.get("/v1/imports").key(ADMIN).get().await.body;
    assert_eq!((&listed["items"][0]["state"], &listed["items"][0]["can_undo"]), (&json!("failed"), &json!(true)));
    let undone = town.post(&format!("/v1/imports/{}/undo", file.id)).key(ADMIN).send("").await;
    assert_eq!((undone.status.as_u16(), &undone.body["removed"]), (200, &json!(1)), "{}", undone.body);
    assert_eq!(town.codes_of_water().await, [TWINS[0], TAKEN]);
}
