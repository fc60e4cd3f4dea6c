//! Two records of one cover become one, and again two.

use axum::http::Method;
use serde_json::json;

use super::{COVER, Story};

const ADMIN: (&str, &str) = ("authorization", "Bearer demo-admin");

pub(super) async fn tell(story: &mut Story) {
    let kept = story.get("demo-admin", &format!("/v1/covers/{COVER}")).await;
    let (lon, lat) = (kept["position"]["lon"].as_f64().unwrap(), kept["position"]["lat"].as_f64().unwrap());
    let twin = json!({
        "category": kept["category"]["code"], "position": {"lon": lon + 5e-6, "lat": lat},
        "owner": "370203-DRN02", "responsible_unit": kept["owner"]["code"],
    });
    let made = story.ask(Method::POST, "/v1/covers", &[ADMIN], Some(&twin)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let twin = made.body["code"].as_str().unwrap().to_owned();
    let (order, _) = story.report(None, json!({"cover": twin, "damage": "broken"})).await;
    let into = json!({"into": COVER});
    let merge = format!("/v1/covers/{twin}/merge");
    for (headers, body, status) in [
        (&[ADMIN, ("if-match", "\"7\"")][..], &into, 412),
        (&[ADMIN], &json!({"into": twin}), 422),
        (&[ADMIN], &json!({"into": "3702030101000001"}), 422),
        (&[("authorization", "Bearer demo-planner")], &into, 403),
        (&[ADMIN, ("idempotency-key", "two-databases-merge")], &into, 200),
        (&[ADMIN, ("idempotency-key", "two-databases-merge")], &into, 200),
        (&[ADMIN], &into, 410),
    ] {
        let got = story.ask(Method::POST, &merge, headers, Some(body)).await;
        assert_eq!(got.status, status, "{headers:?} {}", got.body);
    }
    let read = async |story: &mut Story| {
        story.get("", &format!("/v1/covers/{twin}")).await;
        story.get("demo-admin", &format!("/v1/covers/{twin}/history")).await;
        story.get("demo-admin", &format!("/v1/work-orders/{order}")).await;
        story.get("demo-admin", &format!("/v1/work-orders?cover={twin}")).await;
        story.get("demo-admin", &format!("/v1/work-orders?cover={COVER}")).await;
    };
    read(story).await;
    // Whoever reports it by its old plate joins.
    let (joined, _) = story.report(None, json!({"cover": twin, "damage": "missing"})).await;
    story.get("demo-admin", &format!("/v1/work-orders/{joined}")).await;
    let undo = format!("/v1/covers/{twin}/history/2/undo");
    assert_eq!(story.ask(Method::POST, &undo, &[ADMIN], None).await.status, 200);
    read(story).await;
    let again = format!("/v1/covers/{twin}/history/3/undo");
    assert_eq!(story.ask(Method::POST, &again, &[ADMIN], None).await.status, 200);
    read(story).await;
}
