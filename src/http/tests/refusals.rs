//! What is refused names what was at fault, and nothing of it is stored.

use super::*;
use crate::domain::actor::{Role, Scope};

#[tokio::test]
async fn a_bad_report_names_its_fault_and_stores_nothing() {
    let town = Town::open().await;
    let deep = format!(r#"{{"damage": {}1{}}}"#, "[".repeat(40), "]".repeat(40));
    let long = format!(r#"{{"damage": "missing", "cover": "{ALONE}", "description": "{}"}}"#, "长".repeat(2_001));
    let at = r#""damage": "missing", "position""#;
    let place = r#""damage": "missing", "cover": "3702030103000001""#;
    for (body, status, slug, fault) in [
        ("{".to_owned(), 400, "malformed", ""),
        (r#"{"damage": "missing",}"#.to_owned(), 400, "malformed", ""),
        (format!(r#"{{{at}: {{"lon": NaN, "lat": 36.12}}}}"#), 400, "malformed", "/position/lon"),
        (format!(r#"{{{at}: {{"lon": 1e999, "lat": 36.12}}}}"#), 400, "malformed", "/position/lon"),
        (deep, 400, "malformed", ""),
        ("[]".to_owned(), 422, "invalid", ""),
        ("null".to_owned(), 422, "invalid", ""),
        ("{}".to_owned(), 422, "invalid", "/damage"),
        (r#"{"damage": "missing"}"#.to_owned(), 422, "invalid", "/position"),
        (format!(r#"{{{place}, "colour": "red"}}"#), 422, "invalid", "/colour"),
        (format!(r#"{{{place}, "damage": "broken"}}"#), 422, "invalid", "/damage"),
        (format!(r#"{{{at}: {{"lon": 120.375, "lat": 36.12, "lat": 36.12}}}}"#), 422, "invalid", "/position/lat"),
        (format!("{{{at}: [120.375, 36.12, null, null, null, null]}}"), 422, "invalid", "/position"),
        (format!(r#"{{{at}: {{"lon": "120.375", "lat": 36.12}}}}"#), 422, "invalid", "/position/lon"),
        (format!(r#"{{{at}: {{"lon": 181, "lat": 36.12}}}}"#), 422, "invalid", "/position/lon"),
        (format!(r#"{{{at}: {{"lon": 36.12, "lat": 120.375}}}}"#), 422, "invalid", "/position/lat"),
        (format!(r#"{{{at}: {{"x": 534210, "y": 3998924}}}}"#), 422, "invalid", "/position/x"),
        (format!(r#"{{{at}: {{"lon": 120.375}}}}"#), 422, "invalid", "/position/lat"),
        (
            format!(r#"{{{at}: {{"lon": 120.375, "lat": 36.12, "accuracy_m": 1001}}}}"#),
            422,
            "invalid",
            "/position/accuracy_m",
        ),
        (
            format!(r#"{{{at}: {{"lon": 120.375, "lat": 36.12, "crs": "EPSG:2437"}}}}"#),
            422,
            "unknown-crs",
            "/position/crs",
        ),
        (format!(r#"{{{at}: {{"lon": 0, "lat": 0}}}}"#), 422, "outside-service-area", "/position"),
        (r#"{"damage": "stolen", "cover": "3702030103000001"}"#.to_owned(), 422, "invalid", "/damage"),
        (r#"{"damage": "Missing!", "cover": "3702030103000001"}"#.to_owned(), 422, "invalid", "/damage"),
        (format!(r#"{{{place}, "category": "0199"}}"#), 422, "invalid", "/category"),
        (format!(r#"{{{place}, "channel": "pigeon"}}"#), 422, "invalid", "/channel"),
        (format!(r#"{{{place}, "joins": "WO-370203-261123-00042-4"}}"#), 422, "invalid", "/joins"),
        (format!(r#"{{{place}, "reported_at": "2026-13-01"}}"#), 422, "invalid", "/reported_at"),
        (format!(r#"{{{place}, "reported_at": "2126-01-01T00:00:00Z"}}"#), 422, "invalid", "/reported_at"),
        (format!(r#"{{{place}, "description": "a\u0000b"}}"#), 422, "invalid", "/description"),
        (format!(r#"{{{place}, "description": "a\u001b[31mb"}}"#), 422, "invalid", "/description"),
        (format!(r#"{{{place}, "reporter": {{"phone": "\u0000"}}}}"#), 422, "invalid", "/reporter/phone"),
        (format!(r#"{{{place}, "reporter": {{"phone": "abc"}}}}"#), 422, "invalid", "/reporter/phone"),
        (format!(r#"{{{place}, "reporter": {{"age": 7}}}}"#), 422, "invalid", "/reporter/age"),
        (long, 422, "invalid", "/description"),
        (r#"{"damage": "missing", "cover": "37020301"}"#.to_owned(), 422, "invalid", "/cover"),
        (format!(r#"{{"damage": "missing", "cover": "{REMOVED}"}}"#), 422, "invalid", "/cover"),
        (r#"{"damage": "missing", "cover": "3702030103000009"}"#.to_owned(), 422, "invalid", "/cover"),
        (r#"{"damage": "missing", "cover": "1101010103000009"}"#.to_owned(), 422, "invalid", "/cover"),
        (format!(r#"{{{place}, "position": {{"lon": 120.385, "lat": 36.12}}}}"#), 422, "invalid", "/cover"),
    ] {
        let got = town.post("/v1/reports").header("content-type", "application/json").send(body.clone()).await;
        assert_eq!(got.fault().0, status, "{body:.120}: {}", got.body);
        assert_eq!(got.fault().1, slug, "{body:.120}: {}", got.body);
        if slug != "malformed" || !fault.is_empty() {
            assert_eq!(got.fault().2, fault, "{body:.120}: {}", got.body);
        }
    }
    let big = format!(r#"{{{place}, "description": "{}"}}"#, "x".repeat(256 * 1024));
    let got = town.post("/v1/reports").header("content-type", "application/json").send(big).await;
    assert_eq!(got.fault(), (413, "too-large", String::new()));
    let got = town.post("/v1/reports").header("content-type", "text/plain").send("{}").await;
    assert_eq!(got.fault(), (415, "unsupported-media-type", "Content-Type".to_owned()));
    let got = town.post("/v1/reports").header("idempotency-key", "short").json(json!({})).await;
    assert_eq!(got.fault(), (422, "invalid", "Idempotency-Key".to_owned()));
    let got = town.post("/v1/reports?dry=1").json(json!({})).await;
    assert_eq!(got.fault(), (422, "invalid", "dry".to_owned()));
    assert_eq!(town.guli.context.index.order_count(), 0);
    let list = town.get("/v1/work-orders").key("demo-admin").get().await;
    assert_eq!(list.body, json!({"items": [], "next": null}));
}

#[tokio::test]
async fn a_bad_query_names_its_parameter() {
    let town = Town::open().await;
    let tampered = super::super::page::cursor("work-orders", &["code", "370203", "1", "1"]).replace('3', "4");
    let foreign = super::super::page::cursor("work-orders", &["due", "370203", "1", "1"]);
    let of_covers = super::super::page::cursor("covers", &["3702030103000123"]);
    for (uri, status, slug, at) in [
        ("/v1/work-orders?limit=0", 422, "invalid", "limit"),
        ("/v1/work-orders?limit=-1", 422, "invalid", "limit"),
        ("/v1/grids?limit=1000000000", 422, "invalid", "limit"),
        ("/v1/covers?limit=ten", 422, "invalid", "limit"),
        ("/v1/work-orders?cursor=zz", 400, "malformed", "cursor"),
        (&format!("/v1/work-orders?cursor={tampered}"), 400, "malformed", "cursor"),
        (&format!("/v1/work-orders?cursor={foreign}"), 400, "malformed", "cursor"),
        (&format!("/v1/covers?cursor={foreign}"), 400, "malformed", "cursor"),
        (&format!("/v1/grids?cursor={of_covers}"), 400, "malformed", "cursor"),
        ("/v1/work-orders?status=lost", 422, "invalid", "status"),
        ("/v1/work-orders?sort=distance", 422, "invalid", "sort"),
        ("/v1/work-orders?radius_m=100", 422, "invalid", "radius_m"),
        ("/v1/work-orders?near=120.38,36.12&radius_m=20001", 422, "invalid", "radius_m"),
        ("/v1/work-orders?near=36.12,120.38", 422, "invalid", "near"),
        ("/v1/work-orders?near=120.38", 422, "invalid", "near"),
        ("/v1/work-orders?near=NaN,36", 422, "invalid", "near"),
        (&format!("/v1/work-orders?status=open{}", ",open".repeat(200)), 422, "invalid", "status"),
        ("/v1/work-orders?overdue=perhaps", 422, "invalid", "overdue"),
        ("/v1/work-orders?updated_after=today", 422, "invalid", "updated_after"),
        ("/v1/work-orders?unit=nobody", 422, "invalid", "unit"),
        ("/v1/work-orders?crs=EPSG:1", 422, "unknown-crs", "crs"),
        ("/v1/covers?out_crs=EPSG:1", 422, "unknown-crs", "out_crs"),
        ("/v1/covers?bbox=120.39,36.11,120.37,36.13", 400, "malformed", "bbox"),
        ("/v1/covers?bbox=120.37,36.11,120.39", 400, "malformed", "bbox"),
        ("/v1/covers?bbox=120.37,36.11,120.39,x", 400, "malformed", "bbox"),
        ("/v1/covers?bbox=120.37,36.11,120.37,NaN", 400, "malformed", "bbox"),
        ("/v1/covers?grid=370203005001001&community=370203005001", 422, "invalid", "grid"),
        ("/v1/covers?grid=1", 422, "invalid", "grid"),
        ("/v1/covers?status=removed", 422, "invalid", "status"),
        ("/v1/covers?colour=red", 422, "invalid", "colour"),
        ("/v1/covers?limit=1&limit=2", 422, "invalid", "limit"),
        ("/v1/covers?category=%00", 422, "invalid", "category"),
        ("/v1/covers?category=%FF", 400, "malformed", "category"),
        ("/v1/me?x=1", 422, "invalid", "x"),
        ("/v1/resolve?lon=120.375&lat=36.12&limit=51", 422, "invalid", "limit"),
        ("/v1/resolve?lon=120.375", 422, "invalid", "lat"),
    ] {
        let got = town.get(uri).key("demo-admin").get().await;
        assert_eq!(got.fault(), (status, slug, at.to_owned()), "{uri}: {}", got.body);
    }
}

#[tokio::test]
async fn a_key_must_be_good_and_right() {
    let town = Town::open().await;
    let new = town
        .guli
        .create_key(Role::Crew, vec![Scope::Unit("370203-WAT01".parse().unwrap())], "crew".to_owned())
        .await
        .unwrap();
    assert_eq!(town.get("/v1/work-orders").key(&new.secret).get().await.status, 200);
    assert_eq!(town.get("/v1/people").key(&new.secret).get().await.fault().1, "forbidden");
    town.guli.revoke_key(new.id).await.unwrap();
    for authorization in [format!("Bearer {}", new.secret), "Bearer nobody".into(), "Basic eDp5".into(), "x".into()] {
        for uri in ["/v1/work-orders", "/v1/resolve?lon=120.375&lat=36.12", "/v1/me", "/v1/grids"] {
            let got = town.get(uri).header("authorization", &authorization).get().await;
            assert_eq!(got.fault(), (401, "unauthorized", "Authorization".to_owned()), "{uri}");
            assert_eq!(got.header("www-authenticate"), "Bearer");
        }
    }
    let known = "/v1/covers/3702030103000001";
    for uri in ["/v1/work-orders", "/v1/covers", known, "/v1/organizations", "/v1/people", "/v1/work-orders/x"] {
        assert_eq!(town.get(uri).get().await.fault().1, "unauthorized", "{uri}");
    }
    for uri in ["/v1/districts", "/v1/grids", "/v1/me", "/v1/resolve?lon=120.375&lat=36.12"] {
        assert_eq!(town.get(uri).get().await.status, 200, "{uri}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let town = Town::open().await;
    for uri in [
        "/v2/reports",
        "/v1/reports/3702037H3QW9K2M5N8P1R4S6T0V2X4Y7",
        "/v1/reports/abc",
        "/v1/reports/%FF",
        "/v1/work-orders/WO-370203-261123-00042-3",
        "/v1/work-orders/WO-370203-261123-00042-4",
        "/v1/grids/370203005001009",
        "/v1/grids/12",
        "/v1/districts/370204",
        "/v1/covers/3702030103000009",
        "/v1/people/x",
        "/v1/organizations/370203-NIL99",
    ] {
        let got = town.get(uri).key("demo-admin").get().await;
        assert_eq!(got.fault().1, "not-found", "{uri}: {}", got.body);
    }
    let got = town.post("/v1/me").json(json!({})).await;
    assert_eq!((got.fault().1, got.header("allow")), ("method-not-allowed", "GET,HEAD"));
}
