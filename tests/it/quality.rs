//! The quality check of the demo district, measured against its answer key.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{Home, shibei};

type Records = BTreeSet<String>;

/// What the answer key says of records that were stored: kind → `file's owner/external id`. A rejected row is no record.
fn planted(kind: &str) -> Vec<(String, String)> {
    let key: Value = serde_json::from_slice(&std::fs::read(shibei().join("imperfections.json")).unwrap()).unwrap();
    let of_kind = key.as_array().unwrap().iter().filter(|line| line["code"] == kind);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of_kind.map(|line| (text(&line["external_id"]), text(&line["note"]))).collect()
}

/// Shares of what was found that is planted, and of what is planted that was found.
fn measure(rule: &str, found: &Records, planted: &Records) {
    let right = found.intersection(planted).count() as f64;
    let (precision, recall) = (right / found.len() as f64, right / planted.len() as f64);
    println!("{rule}: found {}, planted {}, precision {precision:.4}, recall {recall:.4}", found.len(), planted.len());
    let missed: Vec<_> = planted.difference(found).collect();
    let wrong: Vec<_> = found.difference(planted).collect();
    assert!(precision >= 0.99 && recall >= 0.99, "{rule}: missed {missed:?}, wrong {wrong:?}");
}

#[tokio::test]
async fn what_is_planted_in_the_demo_district_is_found_and_nothing_else() {
    let home = Home::with_district();
    let mut database = home.look().await;
    // `code external id`, as long as the cover is not recorded as removed.
    let records = database
        .texts(
            "SELECT c.code || ' ' || s.external_id FROM cover_source s JOIN cover c ON c.district = s.district \
             AND c.id = s.cover WHERE c.status <> 'removed'",
        )
        .await;
    let records: BTreeMap<&str, &str> = records.iter().filter_map(|record| record.split_once(' ')).collect();
    let stored: BTreeSet<&str> = records.values().copied().collect();
    let started = Instant::now();
    // One of its findings is an error.
    let answer = home.guli(&["doctor", "--json"]).refused().json();
    println!("guli doctor took {:?} with the opening of the database; {}", started.elapsed(), answer["counts"]);
    let of_rule = |rule: &'static str| {
        answer["items"].as_array().unwrap().iter().filter(move |item| item["rule"] == rule).map(|item| {
            let subjects = item["subjects"].as_array().unwrap().iter();
            subjects.map(|subject| records[subject["code"].as_str().unwrap()]).collect::<Vec<_>>()
        })
    };
    let missing: Records = of_rule("owner-missing").map(|subjects| subjects.concat()).collect();
    let planted_missing = planted("owner_missing").into_iter().map(|(id, _)| id).filter(|id| stored.contains(&**id));
    measure("owner-missing", &missing, &planted_missing.collect());
    let pair = |mut pair: Vec<&str>| {
        pair.sort_unstable();
        pair.join(" ")
    };
    let duplicates: Records = of_rule("near-duplicate").map(pair).collect();
    let planted_duplicates: Records = planted("near_duplicate")
        .iter()
        .filter_map(|(id, note)| {
            // "0.51 m from PS1-001251 of profile drainage-1"
            let other = note.split_once(" from ")?.1.split(' ').next()?;
            (stored.contains(&**id) && stored.contains(other)).then(|| pair(vec![id, other]))
        })
        .collect();
    measure("near-duplicate", &duplicates, &planted_duplicates);
    let units = answer["items"].as_array().unwrap().iter().filter(|item| item["rule"] == "unit-unreachable");
    let units: Records = units.map(|item| item["subjects"][0]["code"].as_str().unwrap().to_owned()).collect();
    measure("unit-unreachable", &units, &planted("unit_unreachable").into_iter().map(|(id, _)| id).collect());
    // What else is planted is refused by the import; the areas and their people are whole.
    for rule in [
        "cover-outside-grids",
        "grids-overlap",
        "grids-gap",
        "grid-without-leader",
        "person-without-area",
        "category-contradicts-owner",
        "category-contradicts-neighbours",
    ] {
        assert_eq!(answer["counts"][rule], 0, "{rule}");
    }
    let table = home.guli(&["doctor", "--rule", "near-duplicate", "--limit", "2"]).ok().out();
    assert!(table.contains("near-duplicate") && table.contains("/merge {"), "{table}");
    assert!(!table.contains("owner-missing") && table.ends_with("no errors\n"), "{table}");
    let refused = home.guli(&["doctor", "--rule", "untidy"]).refused();
    assert!(refused.err().contains("untidy"), "{}", refused.err());
}

#[tokio::test]
async fn the_doctor_says_the_same_beside_a_server_and_ends_with_one_where_there_are_errors() {
    let home = Home::with_district();
    let alone = home.guli(&["doctor", "--json"]).refused().json();
    let server = home.demo();
    let admin = server.with("demo-admin");
    for times in ["first", "again"] {
        let started = Instant::now();
        admin.get("/v1/quality?limit=1").await.expect(200);
        println!("/v1/quality, {times}: {:?}", started.elapsed());
    }
    let page = server.with("demo-admin").get("/v1/quality?limit=3").await.expect(200);
    assert_eq!((&page["counts"], &page["items"][0]), (&alone["counts"], &alone["items"][0]));
    assert_eq!(home.guli(&["doctor", "--json"]).refused().json(), alone);
    // Once somebody can be called there is no error left.
    let unit = "/v1/organizations/370203-SDC01";
    admin.patch(unit, &[("If-Match", "*")], &json!({"phone": "0532-00000127"})).await.expect(200);
    assert_eq!(home.guli(&["doctor", "--json"]).ok().json()["counts"]["unit-unreachable"], 0);
    server.kill();
    // A grid that an outsider's tool took away.
    home.write_sql("DELETE FROM area WHERE code = 370203026003005").await;
    let done = home.guli(&["doctor", "--json"]).refused();
    let answer = done.json();
    assert_eq!(answer["counts"]["grids-gap"], 1, "{}", answer["counts"]);
    assert!(answer["counts"]["cover-outside-grids"].as_u64().unwrap() > 0);
    // Its leader and patrols stand for nothing any more.
    assert!(answer["counts"]["person-without-area"].as_u64().unwrap() >= 3, "{}", answer["counts"]);
}

/// Every 61st sewer cover from now on recorded as of the other kind of sewer, which the same company has.
const MISRECORD: &str = "UPDATE cover SET code = 3702030000000000 + 900000 + code % 100000 \
     + CASE code / 1000000 % 10000 WHEN 102 THEN 103000000 ELSE 102000000 END \
     WHERE code / 1000000 % 10000 IN (102, 103) AND code % 61 = 7 AND accuracy <> 'C' AND status <> 'removed'";

#[tokio::test]
async fn sewers_recorded_as_the_other_kind_are_told_by_the_run_that_they_lie_in() {
    let home = Home::with_district();
    home.write_sql(MISRECORD).await;
    let misrecorded =
        home.look().await.texts("SELECT CAST(code AS TEXT) FROM cover WHERE code % 1000000 > 900000").await;
    let answer = home.guli(&["doctor", "--json", "--rule", "category-contradicts-neighbours"]).ok().json();
    let subjects = answer["items"].as_array().unwrap().iter().map(|item| item["subjects"][0]["code"].as_str().unwrap());
    let found: Records = subjects.map(str::to_owned).collect();
    let planted: Records = misrecorded.into_iter().collect();
    let right = found.intersection(&planted).count() as f64;
    let (precision, recall) = (right / found.len() as f64, right / planted.len() as f64);
    println!("found {}, planted {}, precision {precision:.4}, recall {recall:.4}", found.len(), planted.len());
    // At a crossing or an end, where the run is uneven or its own kind lies near, nothing is said: rather silent than wrong.
    assert!(precision >= 0.99 && recall >= 0.25, "wrong {:?}", found.difference(&planted).collect::<Vec<_>>());
}
