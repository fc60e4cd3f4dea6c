//! Reading the registry.

use super::*;

#[tokio::test]
async fn areas_have_names_parents_and_boundaries() {
    let town = Town::open().await;
    let grid = town.get(&format!("/v1/grids/{WEST}")).get().await;
    assert_eq!((grid.status, grid.header("etag")), (StatusCode::OK, "\"1\""), "{}", grid.body);
    assert_eq!(grid.body["community"], json!({"code": "370203005001", "name": "海晏社区"}));
    assert_eq!(grid.body["subdistrict"], json!({"code": "370203005", "name": "辽宁路街道"}));
    assert_eq!(grid.body["district"], json!({"code": "370203", "name": "市北区"}));
    assert_eq!(grid.body["supervising_department"]["name"], "城市管理办公室");
    assert!(grid.body.get("leader").is_none());
    let ring = json!([[120.38, 36.11], [120.38, 36.13], [120.37, 36.13], [120.37, 36.11], [120.38, 36.11]]);
    assert_eq!(grid.body["geometry"], json!({"type": "MultiPolygon", "coordinates": [[ring]]}));
    let staff = town.get(&format!("/v1/grids/{WEST}")).key("demo-grid").get().await;
    assert_eq!(staff.body["leader"], json!({"name": null}));
    let plane = town.get(&format!("/v1/grids/{WEST}?out_crs=EPSG:4549")).get().await;
    assert!(plane.body["geometry"]["coordinates"][0][0][0][0].as_f64().unwrap() > 500_000.0);

    for (uri, codes) in [
        ("/v1/districts", vec!["370203"]),
        ("/v1/subdistricts", vec!["370203005"]),
        ("/v1/communities?subdistrict=370203005", vec!["370203005001"]),
        ("/v1/grids?community=370203005001", vec![WEST, EAST]),
        ("/v1/grids?subdistrict=370203006", vec![]),
    ] {
        let got = town.get(uri).get().await;
        let found: Vec<_> = got.body["items"].as_array().unwrap().iter().map(|item| item["code"].clone()).collect();
        assert_eq!((found, &got.body["next"]), (codes.into_iter().map(Value::from).collect(), &Value::Null), "{uri}");
        assert!(got.body["items"].as_array().unwrap().iter().all(|item| item["geometry"]["type"] == "MultiPolygon"));
    }
    let district = town.get("/v1/districts/370203").get().await;
    assert_eq!((district.header("etag"), &district.body["name"]), ("\"1\"", &json!("市北区")));
    let first = town.get("/v1/grids?limit=1").get().await.body;
    assert_eq!(first["items"][0]["code"], WEST);
    let next = first["next"].as_str().unwrap();
    let second = town.get(&format!("/v1/grids?limit=1&cursor={next}")).get().await.body;
    assert_eq!((&second["items"][0]["code"], &second["next"]), (&json!(EAST), &Value::Null));
}

#[tokio::test]
async fn covers_are_found_by_either_code_and_narrowed() {
    let town = Town::open().await;
    for code in [ALONE, "37020301003000001"] {
        let got = town.get(&format!("/v1/covers/{code}")).key("demo-planner").get().await;
        assert_eq!((&got.body["code"], got.header("etag")), (&json!(ALONE), "\"1\""), "{}", got.body);
        assert_eq!(got.body["code_2026"], "37020301003000001");
        assert_eq!(got.body["owner"], json!({"code": "370203-DRA01", "name": "排水一公司"}));
    }
    let removed = town.get(&format!("/v1/covers/{REMOVED}")).key("demo-planner").get().await;
    assert_eq!(removed.fault().1, "gone");
    let all = [TWINS[0], ALONE, TWINS[1]];
    for (query, expected) in [
        ("", &all[..]),
        ("?category=0101,0103", &all),
        ("?category=0103", &all[1..]),
        ("?owner=370203-DRA01&status=in_service", &all),
        ("?responsible_unit=370203-WAT01", &[]),
        ("?q=3702030103", &all[1..]),
        ("?q=37020301003000001", &[ALONE]),
        ("?q=%E6%8E%92%E6%B0%B4%E4%B8%80", &all),
        // 雨水, as English and in the words of another.
        ("?q=%E9%9B%A8%E6%B0%B4", &all[1..]),
        ("?q=%E9%9B%A8%E6%B0%B4%20%E6%8E%92%E6%B0%B4", &all[1..]),
        ("?q=%E9%9B%A8%E6%B0%B4%20370203-WAT01", &[]),
        ("?q=%25", &[]),
        ("?grid=370203005001001", &all[1..2]),
        ("?community=370203005001", &all),
        ("?district=370203", &all),
        ("?bbox=120.37,36.11,120.38,36.13", &all[1..2]),
        ("?bbox=532900,3997800,534200,4000100&crs=EPSG:4549", &all[1..2]),
    ] {
        let got = town.get(&format!("/v1/covers{query}")).key("demo-crew").get().await;
        let items = got.body["items"].as_array().unwrap_or_else(|| panic!("{query}: {}", got.body));
        let found: Vec<_> = items.iter().map(|item| item["code"].as_str().unwrap()).collect();
        assert_eq!(found, expected, "{query}");
    }
    let (mut uri, mut seen) = ("/v1/covers?limit=1".to_owned(), Vec::new());
    loop {
        let page = town.get(&uri).key("demo-crew").get().await.body;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        uri = format!("/v1/covers?limit=1&cursor={next}");
    }
    assert_eq!(seen, all);
}

#[tokio::test]
async fn units_and_people_are_for_those_who_may() {
    let town = Town::open().await;
    let units = town.get("/v1/organizations?limit=2").key("demo-crew").get().await.body;
    assert_eq!(units["items"][0]["code"], "370203-DRA01");
    let next = units["next"].as_str().unwrap();
    let rest = town.get(&format!("/v1/organizations?limit=2&cursor={next}")).key("demo-crew").get().await.body;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    let unit = town.get("/v1/organizations/370203-WAT01").key("demo-crew").get().await;
    assert_eq!((unit.header("etag"), &unit.body["kind"]), ("\"1\"", &json!("utility")));
    for (query, found) in [("", 1), ("?grid=370203005001001", 1), ("?grid=370203005001002", 0), ("?district=370203", 1)]
    {
        let people = town.get(&format!("/v1/people{query}")).key("demo-dispatcher").get().await.body;
        assert_eq!(people["items"].as_array().unwrap().len(), found, "{query}");
    }
    let code = Uuid::from_u128(7).to_string();
    let person = town.get(&format!("/v1/people/{code}")).key("demo-dispatcher").get().await;
    assert_eq!(person.body["duties"], json!([{"kind": "grid_leader", "area": WEST}]));
    assert_eq!(person.header("etag"), "\"1\"");
}

#[tokio::test]
async fn the_door_says_what_is_behind_it() {
    let town = Town::open().await;
    assert_eq!(town.get("/").get().await.body["districts"], json!(["370203"]));
    assert_eq!(town.get("/readyz").get().await.body["covers"], 4);
    let document = town.get("/openapi.json").get().await;
    assert_eq!((document.header("content-type"), &document.body["openapi"]), ("application/json", &json!("3.1.0")));
    let me = town.get("/v1/me").key("demo-crew").get().await.body;
    assert_eq!((&me["role"], &me["units"]), (&json!("crew"), &json!(["*"])));
    assert_eq!(town.get("/v1/me").get().await.body["role"], "resident");
}

/// A grid keeps what was written of it: one text for anyone, another for those with a key.
#[tokio::test]
async fn whoever_asks_without_a_key_is_not_told_who_leads_a_grid_though_others_were() {
    let town = Town::open().await;
    let leader = json!({
        "name": "张三", "organization": null, "duties": [{"area": WEST, "kind": "grid_leader"}],
    });
    let put = town.post("/v1/people").key(ADMIN).json(leader).await;
    assert_eq!(put.status, 201, "{}", put.body);
    for _ in 0..2 {
        let staff = town.get("/v1/resolve?lon=120.372&lat=36.115").key("demo-dispatcher").get().await.body;
        assert_eq!(
            (&staff["grid"]["code"], &staff["grid"]["leader"]["name"]),
            (&json!(WEST), &json!("张三")),
            "{staff}"
        );
        let anyone = town.get("/v1/resolve?lon=120.372&lat=36.115").get().await.body;
        assert_eq!((&anyone["grid"]["code"], anyone["grid"].get("leader")), (&json!(WEST), None), "{anyone}");
    }
}
