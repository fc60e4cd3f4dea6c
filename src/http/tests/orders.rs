//! Acting on orders and listing them.

use super::*;
use crate::domain::actor::{Role, Scope};

#[tokio::test]
async fn what_may_not_be_done_says_why() {
    let town = Town::open().await;
    let code = town.report().await;
    let path = |action: &str| format!("/v1/work-orders/{code}/{action}");
    let at = |at: &str| at.to_owned();

    let closing = town.act("demo-dispatcher", &code, "close", json!({})).await;
    assert_eq!(closing.fault().1, "illegal-transition");
    assert_eq!((&closing.body["status"], &closing.body["order_status"]), (&json!(409), &json!("dispatched")));
    assert_eq!(closing.body["legal"], json!(["accept", "secure", "identify", "reassign"]));

    let none = town.post(&path("accept")).key("demo-crew").json(json!({})).await;
    assert_eq!(none.fault(), (428, "precondition-required", at("If-Match")));
    // 412 comes before 409.
    let stale = town.post(&path("close")).key("demo-dispatcher").header("if-match", "\"9\"").json(json!({})).await;
    assert_eq!((stale.fault(), &stale.body["current"]), ((412, "stale-version", at("If-Match")), &json!(1)));

    for (key, action, body, fault) in [
        ("demo-grid", "accept", json!({}), (403, "forbidden", at(""))),
        ("demo-planner", "accept", json!({}), (403, "forbidden", at(""))),
        ("demo-crew", "accept", json!({"on_behalf_of": WEST}), (403, "forbidden", at(""))),
        ("demo-crew", "reassign", json!({"unit": "370203-WAT01", "reason": "x"}), (403, "forbidden", at(""))),
        ("wrong", "accept", json!({}), (401, "unauthorized", at("Authorization"))),
        ("demo-crew", "vanish", json!({}), (404, "not-found", at(""))),
        ("demo-crew", "accept", json!({"x": 1}), (422, "invalid", at("/x"))),
        ("demo-crew", "accept", json!({"photos": ["p1"]}), (422, "invalid", at("/photos/0"))),
        ("demo-crew", "accept", json!({"at": "yesterday"}), (422, "invalid", at("/at"))),
        ("demo-crew", "accept", json!({"at": "2999-01-01T00:00:00Z"}), (422, "invalid", at("/at"))),
        ("demo-crew", "accept", json!({"note": "a\0b"}), (422, "invalid", at("/note"))),
        ("demo-crew", "accept", json!([]), (422, "invalid", at(""))),
        ("demo-crew", "arrive", json!({}), (422, "invalid", at("/position"))),
        ("demo-crew", "arrive", json!({"position": {"lon": 120.4}}), (422, "invalid", at("/position/lat"))),
        ("demo-crew", "secure", json!({"measure": "prayer"}), (422, "invalid", at("/measure"))),
        ("demo-crew", "repair", json!({"done": " "}), (422, "invalid", at("/done"))),
        ("demo-grid", "verify", json!({"passed": false}), (422, "invalid", at("/reason"))),
        ("demo-grid", "verify", json!({"passed": "yes"}), (422, "invalid", at("/passed"))),
        ("demo-grid", "identify", json!({"reason": "x"}), (422, "invalid", at("/cover"))),
        ("demo-grid", "identify", json!({"cover": REMOVED, "reason": "x"}), (422, "invalid", at("/cover"))),
        ("demo-grid", "identify", json!({"category": "0112", "reason": "x"}), (422, "invalid", at("/category"))),
        ("demo-grid", "identify", json!({"damage": "stolen", "reason": "x"}), (422, "invalid", at("/damage"))),
        ("demo-dispatcher", "reassign", json!({"unit": "370203-NIL99", "reason": "x"}), (422, "invalid", at("/unit"))),
        ("demo-dispatcher", "reassign", json!({"unit": "somebody", "reason": "x"}), (422, "invalid", at("/unit"))),
    ] {
        let got = town.act(key, &code, action, body.clone()).await;
        assert_eq!(got.fault(), fault, "{key} {action} {body}: {}", got.body);
    }
    let elsewhere = town.act("demo-admin", "WO-370204-261123-00042-1", "accept", json!({})).await;
    assert_eq!(elsewhere.status, 404);
    let anonymous = town.post(&path("accept")).header("if-match", "*").json(json!({})).await;
    assert_eq!((anonymous.status, anonymous.header("www-authenticate")), (StatusCode::UNAUTHORIZED, "Bearer"));
    let order = town.get(&format!("/v1/work-orders/{code}")).key("demo-crew").get().await;
    assert_eq!((&order.body["version"], &order.body["status"]), (&json!(1), &json!("dispatched")));
}

#[tokio::test]
async fn an_order_is_handed_on_and_identified() {
    let town = Town::open().await;
    let code = town.report().await;
    let moved = json!({"unit": "370203-WAT01", "reason": "产权单位有误", "due_at": "2099-01-01T00:00:00Z"});
    let got = town.act("demo-dispatcher", &code, "reassign", moved).await;
    assert_eq!(got.body["responsible_unit"], json!({"code": "370203-WAT01", "name": "自来水公司"}), "{}", got.body);
    assert_eq!(got.body["due_at"], "2099-01-01T00:00:00Z");
    let named = json!({"cover": TWINS[1], "damage": "broken", "reason": "现场确认"});
    let far = town.act("demo-grid", &code, "identify", named.clone()).await;
    assert_eq!(far.fault(), (422, "invalid", "/cover".to_owned()), "900 m away");
    let pin = json!({"position": {"lon": 120.385_01, "lat": 36.12}, "damage": "missing"});
    let got = town.post("/v1/reports").json(pin).await;
    assert_eq!(got.body["match"], "ambiguous", "{}", got.body);
    let code = got.body["work_order"]["code"].as_str().unwrap().to_owned();
    let got = town.act("demo-grid", &code, "identify", named).await;
    assert_eq!(got.body["cover"]["code"], TWINS[1], "{}", got.body);
    assert_eq!((&got.body["damage"], &got.body["status"]), (&json!("broken"), &json!("dispatched")));
    let opened: jiff::Timestamp = got.body["opened_at"].as_str().unwrap().parse().unwrap();
    let early = json!({"at": opened - jiff::SignedDuration::from_mins(6)});
    assert_eq!(town.act("demo-dispatcher", &code, "accept", early).await.fault(), (422, "invalid", "/at".to_owned()));
    let at = opened - jiff::SignedDuration::from_mins(1);
    let accept = json!({"on_behalf_of": "370203-DRA01", "at": at});
    let got = town.act("demo-dispatcher", &code, "accept", accept).await;
    let last = got.body["history"].as_array().unwrap().last().unwrap();
    assert_eq!(last["on_behalf_of"]["code"], "370203-DRA01");
    assert_eq!(last["happened_at"], at.to_string());
}

#[tokio::test]
async fn another_damage_does_not_undo_a_ruling() {
    let town = Town::open().await;
    let code = town.report().await;
    let unit = |got: &Got| got.body["responsible_unit"]["code"].as_str().unwrap().to_owned();
    let damage = |damage: &str| json!({"damage": damage, "reason": "现场确认"});
    let got = town.act("demo-grid", &code, "identify", damage("broken")).await;
    assert_eq!(unit(&got), "370203-DRA01", "{}", got.body);
    town.act("demo-dispatcher", &code, "reassign", json!({"unit": "370203-WAT01", "reason": "产权单位有误"})).await;
    let got = town.act("demo-grid", &code, "identify", damage("loose")).await;
    assert_eq!((unit(&got), &got.body["damage"]), ("370203-WAT01".to_owned(), &json!("loose")), "{}", got.body);
}

#[tokio::test]
async fn a_key_opens_what_its_list_shows() {
    let town = Town::open().await;
    let code = town.report().await;
    for (unit, found, status) in [("370203-DRA01", 1, 200), ("370203-WAT01", 0, 404)] {
        let scope = vec![Scope::Unit(unit.parse().unwrap())];
        let key = town.guli.create_key(Role::Integration, scope, "hub".to_owned()).await.unwrap().secret;
        let list = town.get("/v1/work-orders").key(&key).get().await;
        let one = town.get(&format!("/v1/work-orders/{code}")).key(&key).get().await;
        assert_eq!((list.body["items"].as_array().unwrap().len(), one.status.as_u16()), (found, status), "{unit}");
    }
}

#[tokio::test]
async fn pages_go_on_into_the_next_district() {
    let town = Town::with_neighbour().await;
    let far = town.report().await;
    let mut expected = vec![];
    for lon in [120.3899, 120.3901, 120.3905] {
        let body = json!({"position": {"lon": lon, "lat": 36.12}, "damage": "loose"});
        let got = town.post("/v1/reports").json(body).await;
        expected.push(got.body["work_order"]["code"].as_str().unwrap().to_owned());
    }
    expected.push(far);
    let walk = async |query: &str| {
        let (mut cursor, mut seen) = (String::new(), Vec::new());
        loop {
            let page = town.get(&format!("{query}{cursor}")).key("demo-dispatcher").get().await.body;
            let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
            seen.extend(items.iter().map(|item| item["code"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break seen };
            cursor = format!("&cursor={next}");
        }
    };
    let by_distance = walk("/v1/work-orders?near=120.38991,36.12&radius_m=5000&sort=distance&limit=1").await;
    assert_eq!(by_distance, expected);
    let mut by_code = walk("/v1/work-orders?limit=1").await;
    assert_eq!((by_code[0].get(..9), by_code[3].get(..9)), (Some("WO-370203"), Some("WO-370213")));
    by_code.sort();
    expected.sort();
    assert_eq!(by_code, expected);
    assert_eq!(walk("/v1/grids?limit=1").await, [WEST, EAST, "370213001001001"]);
    assert_eq!(walk("/v1/covers?limit=3").await.len(), 3);
}

#[tokio::test]
async fn lists_are_narrowed_ordered_and_paged() {
    let town = Town::open().await;
    let first = town.report().await;
    let twin = town.post("/v1/reports").json(json!({"cover": TWINS[0], "damage": "noisy"})).await;
    let second = twin.body["work_order"]["code"].as_str().unwrap().to_owned();
    town.act("demo-crew", &first, "accept", json!({})).await;
    let codes = |got: &Got| -> Vec<String> {
        let items = got.body["items"].as_array().unwrap_or_else(|| panic!("{}", got.body));
        items.iter().map(|item| item["code"].as_str().unwrap().to_owned()).collect()
    };
    let both = [first.clone(), second.clone()];
    for (query, expected) in [
        ("", &both[..]),
        ("?status=open", &both),
        ("?status=accepted,arrived", &both[..1]),
        ("?status=closed", &[]),
        ("?unit=370203-DRA01", &both),
        ("?unit=370203-WAT01", &[]),
        (&format!("?grid={EAST}"), &both[1..]),
        ("?cover=3702030103000001", &both[..1]),
        ("?damage=noisy,loose", &both[1..]),
        ("?overdue=true", &[]),
        ("?overdue=false&opened_after=2020-01-01T00:00:00Z", &both),
        ("?near=120.385,36.12&radius_m=100", &both[1..]),
        ("?near=120.3901105,36.1202861&crs=GCJ-02&radius_m=200", &both[1..]),
    ] {
        let got = town.get(&format!("/v1/work-orders{query}")).key("demo-crew").get().await;
        assert_eq!(codes(&got), expected, "{query}");
    }
    let near = town.get("/v1/work-orders?near=120.385,36.12&radius_m=20000&sort=distance").key("demo-grid").get().await;
    assert_eq!(codes(&near), [second.clone(), first.clone()]);
    assert_eq!(near.body["items"][0]["distance_m"], 0.0);
    assert!(near.body["items"][0].get("tasks").is_none());
    for sort in ["", "&sort=due", "&sort=updated", "&sort=distance&near=120.375,36.12&radius_m=20000"] {
        let page = town.get(&format!("/v1/work-orders?limit=1{sort}")).key("demo-grid").get().await;
        let next = page.body["next"].as_str().unwrap().to_owned();
        let rest = town.get(&format!("/v1/work-orders?limit=1{sort}&cursor={next}")).key("demo-grid").get().await;
        let mut seen = [codes(&page), codes(&rest)].concat();
        seen.sort();
        assert_eq!((seen, &rest.body["next"]), (both.to_vec(), &Value::Null), "{sort}");
    }
}

#[tokio::test]
async fn a_page_of_what_is_near_reads_no_more_than_it_shows() {
    let town = Town::open().await;
    let mut orders = Vec::new();
    for lon in [120.3750, 120.3752, 120.3754, 120.3756] {
        let pin = json!({"position": {"lon": lon, "lat": 36.115}, "damage": "loose"});
        let got = town.post("/v1/reports").json(pin).await;
        orders.push(got.body["work_order"]["code"].as_str().unwrap().to_owned());
    }
    // Whoever reads the last one fails.
    town.sql("UPDATE work_order SET assignee = '?' WHERE number = (SELECT max(number) FROM work_order)".to_owned())
        .await;
    for sort in ["distance", "due", "updated"] {
        for status in ["", "&status=open"] {
            let path = format!("/v1/work-orders?near=120.375,36.115&radius_m=500&sort={sort}{status}&limit=");
            let page = town.get(&format!("{path}2")).key("demo-dispatcher").get().await;
            let codes: Vec<_> = page.body["items"]
                .as_array()
                .unwrap_or_else(|| panic!("{path} {}", page.body))
                .iter()
                .map(|item| &item["code"])
                .collect();
            assert_eq!(codes, [&orders[0], &orders[1]], "{path}");
            let all = town.get(&format!("{path}3")).key("demo-dispatcher").get().await;
            assert_eq!(all.status, 500, "the last is needed to know that there is another page");
        }
    }
}

#[tokio::test]
async fn pages_of_what_is_near_are_one_list() {
    let town = Town::with_neighbour().await;
    for n in 0..60_u32 {
        let (east, north) = (f64::from(n * 7 % 30) * 0.000_9, f64::from(n * 11 % 13) * 0.000_9);
        let pin = json!({"position": {"lon": 120.371 + east, "lat": 36.112 + north}, "damage": "loose"});
        let got = town.post("/v1/reports").json(pin).await;
        let code = got.body["work_order"]["code"].as_str().unwrap().to_owned();
        if n % 3 == 0 {
            town.act("demo-crew", &code, "accept", json!({})).await;
        }
    }
    town.sql("UPDATE work_order SET status = 'closed', closed_at = opened_at WHERE number % 5 = 0".to_owned()).await;
    let town = town.reopened().await;
    let then = town.guli.context.clock.now();
    let department = vec![Scope::Unit("370203-DRA01".parse().unwrap())];
    let department = town.guli.create_key(Role::Department, department, "k".to_owned()).await.unwrap().secret;
    for key in ["demo-dispatcher", "demo-crew", &department] {
        for narrowed in [
            "",
            "&status=open",
            "&status=accepted",
            "&status=closed",
            &format!("&as_of={then}"),
            &format!("&status=open&grid={WEST}"),
        ] {
            let all = town.get(&format!("/v1/work-orders?limit=1000{narrowed}")).key(key).get().await.body;
            let around = format!("near=120.381,36.118&radius_m=700{narrowed}");
            for sort in ["distance", "due", "updated"] {
                let (mut seen, mut cursor) = (Vec::new(), String::new());
                loop {
                    let path = format!("/v1/work-orders?{around}&sort={sort}&limit=4{cursor}");
                    let page = town.get(&path).key(key).get().await.body;
                    seen.extend(page["items"].as_array().unwrap_or_else(|| panic!("{path} {page}")).iter().cloned());
                    let Some(next) = page["next"].as_str() else { break };
                    cursor = format!("&cursor={next}");
                }
                let center = Position::new(120.381, 36.118).unwrap();
                let is_near = |item: &&Value| {
                    let at = |member: &str| item["position"][member].as_f64().unwrap();
                    center.distance_m(Position::new(at("lon"), at("lat")).unwrap()) <= 700.0
                };
                let codes = |items: &mut dyn Iterator<Item = &Value>| -> std::collections::BTreeSet<String> {
                    items.map(|item| item["code"].as_str().unwrap().to_owned()).collect()
                };
                let expected = codes(&mut all["items"].as_array().unwrap().iter().filter(is_near));
                assert_eq!(codes(&mut seen.iter()), expected, "{key} {around} {sort}");
                assert_eq!(seen.len(), expected.len(), "each once: {key} {around} {sort}");
                let distances: Vec<_> = seen.iter().map(|item| item["distance_m"].as_f64().unwrap()).collect();
                assert!(sort != "distance" || distances.is_sorted(), "{key} {around} {distances:?}");
            }
        }
    }
}
