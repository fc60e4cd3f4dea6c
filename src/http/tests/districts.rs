//! A district's outline changes with a file, and what it was stays known.

use super::*;

/// A file with the town's outline up to this longitude.
fn outline(name: &str, east: f64) -> String {
    let ring = json!([[[120.37, 36.11], [east, 36.11], [east, 36.13], [120.37, 36.13], [120.37, 36.11]]]);
    json!({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"code": "370203", "name": name},
           "geometry": {"type": "Polygon", "coordinates": ring}}]})
    .to_string()
}

impl Town {
    async fn redrawn(&self, name: &str, east: f64) -> Value {
        self.send_file("?kind=district&district=370203", "district.geojson", &outline(name, east)).await
    }

    /// What depends on the outline.
    async fn outlined(&self, suffix: &str) -> Vec<(StatusCode, String)> {
        let mut answers = Vec::new();
        for uri in [
            "/v1/districts",
            "/v1/districts?limit=1",
            "/v1/districts/370203",
            "/v1/layers/districts.geojson",
            "/v1/layers/districts.csv?district=370203",
            "/v1/layers/districts.geojsonl?bbox=120.386,36.11,120.389,36.12",
            "/v1/resolve?lon=120.375&lat=36.12",
            // In the grid, and out of the outline of later.
            "/v1/resolve?lon=120.388&lat=36.12",
            "/v1/grids/370203005001002",
        ] {
            let uri = match (uri.contains('?'), suffix) {
                (_, "") => uri.to_owned(),
                (true, suffix) => format!("{uri}&{suffix}"),
                (false, suffix) => format!("{uri}?{suffix}"),
            };
            let got = self.get(&uri).get().await;
            let body = if got.status == 200 { String::from_utf8(got.bytes.to_vec()).unwrap() } else { String::new() };
            answers.push((got.status, body));
        }
        answers
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outline_is_answered_as_it_was() {
    let town = Town::with_neighbour().await;
    let mut told = Vec::new();
    let tell = async |told: &mut Vec<_>| {
        let instant = town.guli.context.clock.now();
        told.push((instant, town.outlined("").await));
    };
    tell(&mut told).await;
    for (name, east) in [("市北", 120.386), ("市北区", 120.386), ("市北区", 120.39)] {
        let report = town.redrawn(name, east).await;
        assert_eq!(report["counts"]["updated"], 1, "{report}");
        tell(&mut told).await;
    }
    assert_ne!(told[0].1[7], told[1].1[7], "resolved out of the outline");
    // The neighbour is younger than all of it.
    let at = |instant: jiff::Timestamp| format!("as_of={instant}");
    let then = town.get(&format!("/v1/districts?{}", at(told[0].0))).get().await.body;
    assert_eq!(then["items"].as_array().unwrap().len(), 1, "{then}");
    let town = town.reopened().await;
    for (instant, answers) in told {
        let again = town.outlined(&at(instant)).await;
        // What is not narrowed to the town has the neighbour in it now.
        for place in [2, 4, 5, 6, 7, 8] {
            assert_eq!(again[place], answers[place], "{place} {instant}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outline_has_a_history_and_is_taken_back() {
    let town = Town::open().await;
    let order = town.post("/v1/reports").json(json!({"cover": TWINS[0], "damage": "missing"})).await;
    assert_eq!(order.status, 201);
    let before = town.read("/v1/districts/370203").await;
    let report = town.redrawn("市北", 120.386).await;
    let history = town.get("/v1/districts/370203/history").key(ADMIN).get().await.body;
    let second = &history["items"][1];
    assert_eq!((&second["version"], &second["source"]["import"]), (&json!(2), &report["id"]), "{history}");
    let pointers: Vec<&Value> = second["changes"].as_array().unwrap().iter().map(|change| &change["pointer"]).collect();
    assert_eq!(pointers, ["/geometry/coordinates", "/name"], "{history}");
    assert_eq!(town.get("/v1/districts/370203/history").get().await.status, 401);
    assert_eq!(town.get("/v1/districts/370204/history").key(ADMIN).get().await.status, 404);

    let undo = async |report: &Value| {
        let id = report["id"].as_str().unwrap();
        town.post(&format!("/v1/imports/{id}/undo")).key(ADMIN).send("").await
    };
    let undone = undo(&report).await;
    assert_eq!((&undone.body["removed"], &undone.body["restored"]), (&json!(0), &json!(1)), "{}", undone.body);
    let after = town.read("/v1/districts/370203").await;
    assert_eq!(
        (&after["name"], &after["geometry"], &after["version"]),
        (&before["name"], &before["geometry"], &json!(3))
    );
    assert_eq!(town.get("/v1/resolve?lon=120.388&lat=36.12").get().await.status, 200);
    // Only the last one.
    let first = town.redrawn("市北", 120.386).await;
    let second = town.redrawn("市北", 120.387).await;
    let stands = undo(&first).await;
    assert!(stands.body["detail"].as_str().unwrap().contains("later changes stand on it: 370203"), "{}", stands.body);
    assert_eq!(undo(&second).await.status, 200);
    let town = town.reopened().await;
    assert_eq!(town.read("/v1/districts/370203").await["version"], 6);
}
