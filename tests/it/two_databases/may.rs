//! What each key may do about a finding, on both databases: what it is told, and what it is answered when it does it.

use axum::http::Method;
use guli::domain::actor::{Role, Scope};
use serde_json::{Value, json};

use super::Story;

const UNIT: &str = "370203-WAT01";

pub(super) async fn tell(story: &mut Story) {
    let (own, other) = (department(story, UNIT).await, department(story, "370203-FIR01").await);
    let (cover, finding) = ownerless(story).await;
    let path = format!("/v1/quality/{}", finding["id"].as_str().unwrap());
    assert_eq!(finding["mend"]["body"], json!({ "owner": UNIT }), "{finding}");
    let keys = ["demo-admin", "demo-planner", "demo-dispatcher", &*own, &*other];
    for (state, may) in [
        ("open", [&["mend", "accept"][..], &["accept"], &[], &["mend", "accept"], &[]]),
        ("accepted", [&["mend", "reopen"], &["reopen"], &[], &["mend", "reopen"], &[]]),
        ("mended", [&["undo"], &[], &[], &["undo"], &[]]),
    ] {
        for (key, may) in keys.iter().zip(may) {
            let seen = story.get(key, &path).await;
            assert_eq!((&seen["state"], &seen["may"]), (&json!(state), &json!(may)), "{key}");
        }
        let seen = story.get(&own, &path).await;
        let (method, to, body) = match state {
            "open" => (Method::POST, path.as_str(), Some(json!({"state": "accepted", "reason": "asked"}))),
            "accepted" => (Method::PATCH, seen["mend"]["href"].as_str().unwrap(), Some(seen["mend"]["body"].clone())),
            _ => (Method::POST, seen["mended"]["undo"]["href"].as_str().unwrap(), None),
        };
        let bearer = format!("Bearer {own}");
        let done = story.ask(method, to, &[("authorization", &bearer), ("if-match", "*")], body.as_ref()).await;
        assert_eq!(done.status, 200, "{state} {}", done.body);
    }
    // Taken back, it is found again.
    let back = story.get(&own, &path).await;
    assert_eq!((&back["state"], &back["may"]), (&json!("open"), &json!(["mend", "accept"])));
    assert_eq!(story.get("demo-admin", &format!("/v1/covers/{cover}")).await["owner"], Value::Null);
}

async fn department(story: &Story, unit: &str) -> String {
    let scope: Scope = format!("unit:{unit}").parse().unwrap();
    story.guli.create_key(Role::Department, vec![scope], unit.to_owned()).await.unwrap().secret
}

/// A cover that the unit only looks after, and what is found about it.
async fn ownerless(story: &mut Story) -> (String, Value) {
    let covers = story.get("demo-admin", &format!("/v1/covers?owner={UNIT}&category=0101&limit=1")).await;
    let cover = covers["items"][0]["code"].as_str().unwrap().to_owned();
    let any = [("authorization", "Bearer demo-admin"), ("if-match", "*")];
    let patch = json!({"owner": null, "responsible_unit": UNIT});
    let changed = story.ask(Method::PATCH, &format!("/v1/covers/{cover}"), &any, Some(&patch)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let all = story.get("demo-admin", "/v1/quality?rule=owner-missing&limit=1000").await;
    let of_cover = |item: &&Value| item["subjects"][0]["code"] == *cover;
    let finding = all["items"].as_array().unwrap().iter().find(of_cover).unwrap().clone();
    (cover, finding)
}
