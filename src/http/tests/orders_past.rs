//! Orders as they were: what was answered then is answered again, to each caller what is theirs.

use super::*;
use crate::domain::actor::{Role, Scope};

/// An instant, who asked then, for what, and what was answered.
type Told = (jiff::Timestamp, String, String, (StatusCode, String));

impl Town {
    pub(super) fn now(&self) -> jiff::Timestamp {
        self.guli.context.clock.now()
    }

    async fn past_states(&self) -> i64 {
        let mut file = self.file().await;
        let count = sqlx::query_scalar("SELECT count(*) FROM work_order_version").fetch_one(&mut file).await.unwrap();
        file.close().await.unwrap();
        count
    }

    /// An answer but for the seconds, which go on while it is made.
    async fn told(&self, key: &str, uri: &str) -> (StatusCode, String) {
        let got = self.get(uri).key(key).get().await;
        let text = String::from_utf8(got.bytes.to_vec()).unwrap();
        let mut parts = text.split("\"seconds_left\":");
        let first = parts.next().unwrap_or_default().to_owned();
        let rest = parts.map(|part| part.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit()));
        (got.status, rest.fold(first, |text, part| text + "\"seconds_left\":" + part))
    }

    /// Everything that is asked about orders, by each key.
    async fn tell_all(&self, keys: &[String], orders: &[String], told: &mut Vec<Told>) {
        let instant = self.now();
        let lists = [
            "/v1/work-orders",
            "/v1/work-orders?status=open&sort=due",
            "/v1/work-orders?status=closed,repaired",
            "/v1/work-orders?sort=updated&limit=1",
            "/v1/work-orders?unit=370203-WAT01",
            "/v1/work-orders?damage=missing&overdue=false",
            "/v1/work-orders?grid=370203005001001",
            "/v1/work-orders?cover=3702030103000001",
            "/v1/work-orders?near=120.385,36.12&radius_m=1000&sort=distance",
            "/v1/layers/work-orders.geojson?bbox=120.36,36.1,120.38,36.14",
            "/v1/layers/work-orders.csv?status=open",
            "/v1/layers/work-orders.geojsonl?unit=370203-DRA01",
            "/v1/resolve?lon=120.375&lat=36.12&include=open_orders",
        ];
        let single = orders.iter().map(|code| format!("/v1/work-orders/{code}"));
        let reads: Vec<String> = lists.into_iter().map(str::to_owned).chain(single).collect();
        for (key, read) in keys.iter().flat_map(|key| reads.iter().map(move |read| (key, read))) {
            told.push((instant, key.clone(), read.clone(), self.told(key, read).await));
        }
    }
}

async fn key(town: &Town, role: Role, scope: &str) -> String {
    let scope: Scope = scope.parse().unwrap();
    town.guli.create_key(role, vec![scope], "k".to_owned()).await.unwrap().secret
}

#[tokio::test]
async fn what_was_answered_of_orders_is_answered_again() {
    let town = Town::open().await;
    // They see different orders, some of them by the unit that acts or by the owner of the cover.
    let keys = [
        ADMIN.to_owned(),
        "demo-crew".to_owned(),
        key(&town, Role::Integration, "unit:370203-DRA01").await,
        key(&town, Role::Department, "unit:370203-WAT01").await,
        key(&town, Role::Crew, "unit:370203-WAT01").await,
        key(&town, Role::GridLeader, "grid:370203005001001").await,
    ];
    let mut told = Vec::new();
    let one = town.report().await;
    town.tell_all(&keys, std::slice::from_ref(&one), &mut told).await;
    let pin = json!({"position": {"lon": 120.385_01, "lat": 36.12}, "damage": "noisy"});
    let two = town.post("/v1/reports").json(pin).await.body["work_order"]["code"].as_str().unwrap().to_owned();
    let orders = [one.clone(), two.clone()];
    town.tell_all(&keys, &orders, &mut told).await;
    let edge = |name: &str, west: f64, east: f64| {
        let ring = [[west, 36.11], [east, 36.11], [east, 36.13], [west, 36.13], [west, 36.11]];
        json!({"code": name, "name": name, "geometry": {"type": "Polygon", "coordinates": [ring]}})
    };
    let act = |order: &str, action: &str| format!("/v1/work-orders/{order}/{action}");
    let steps = [
        ("POST", "/v1/reports".to_owned(), json!({"cover": ALONE, "damage": "broken"})),
        ("POST", "/v1/reports".to_owned(), json!({"joins": two, "cover": TWINS[0], "damage": "missing"})),
        ("POST", act(&one, "accept"), json!({})),
        ("PATCH", format!("/v1/covers/{ALONE}"), json!({"owner": "370203-WAT01", "category": "0102"})),
        ("POST", act(&two, "identify"), json!({"cover": TWINS[1], "damage": "broken", "reason": "x"})),
        ("PATCH", "/v1/organizations/370203-DRA01".to_owned(), json!({"name": "排水二公司"})),
        ("POST", act(&one, "arrive"), json!({"position": {"lon": 120.375, "lat": 36.12}})),
        ("POST", act(&one, "secure"), json!({"measure": "fence"})),
        (
            "POST",
            "/v1/grids/redraw".to_owned(),
            json!({"grids": [edge(WEST, 120.37, 120.374), edge(EAST, 120.374, 120.39)]}),
        ),
        ("POST", act(&one, "repair"), json!({"done": "换盖"})),
        ("POST", act(&one, "verify"), json!({"passed": false, "reason": "x"})),
        ("POST", act(&one, "reassign"), json!({"unit": "370203-WAT01", "reason": "x"})),
        ("POST", act(&one, "accept"), json!({"on_behalf_of": "370203-WAT01"})),
        ("POST", act(&one, "arrive"), json!({"position": {"lon": 120.375, "lat": 36.12}})),
        ("POST", act(&one, "repair"), json!({"done": "换盖"})),
        ("POST", act(&one, "verify"), json!({"passed": true})),
        ("POST", act(&one, "close"), json!({})),
        ("DELETE", format!("/v1/covers/{}", TWINS[0]), Value::Null),
    ];
    for (method, uri, body) in steps {
        // Whoever may.
        let key = if uri.starts_with("/v1/work-orders") { "demo-dispatcher" } else { ADMIN };
        let ask = town.ask(method, &uri).key(key).header("if-match", "*");
        let got = if body.is_null() { ask.send("").await } else { ask.json(body).await };
        assert!(got.status.is_success(), "{method} {uri} {}", got.body);
        town.tell_all(&keys, &orders, &mut told).await;
    }
    let seen: std::collections::BTreeSet<_> = told.iter().map(|(.., answer)| answer.1.clone()).collect();
    assert!(seen.len() > 200, "only {} answers differ", seen.len());
    let town = town.reopened().await;
    for (instant, key, read, answer) in told {
        let uri = format!("{read}{}as_of={instant}", if read.contains('?') { '&' } else { '?' });
        assert_eq!(town.told(&key, &uri).await, answer, "{uri}");
    }
}

#[tokio::test]
async fn time_is_counted_from_the_instant() {
    let town = Town::open().await;
    let code = town.report().await;
    let path = format!("/v1/work-orders/{code}");
    let opened: jiff::Timestamp =
        town.get(&path).key(ADMIN).get().await.body["opened_at"].as_str().unwrap().parse().unwrap();
    let due = json!({"unit": "370203-WAT01", "reason": "x", "due_at": opened + jiff::SignedDuration::from_hours(9)});
    assert_eq!(town.act("demo-dispatcher", &code, "reassign", due).await.status, 200);
    let then = town.get(&format!("{path}?as_of={opened}")).key(ADMIN).get().await;
    assert_eq!((&then.body["seconds_left"], then.header("etag")), (&json!(1_800), "\"1\""), "{}", then.body);
    // What is past its limit by now had none to be past then.
    let mut file = town.file().await;
    sqlx::query("UPDATE work_order SET due_at = opened_at, repair_by = opened_at").execute(&mut file).await.unwrap();
    file.close().await.unwrap();
    for (query, found) in [("overdue=true", 1), ("overdue=false", 0)] {
        let now = town.get(&format!("/v1/work-orders?{query}")).key(ADMIN).get().await.body;
        let then = town.get(&format!("/v1/work-orders?{query}&as_of={opened}")).key(ADMIN).get().await.body;
        let count = |list: &Value| list["items"].as_array().unwrap().len();
        assert_eq!((count(&now), count(&then)), (found, 1 - found), "{query}");
    }
}

#[tokio::test]
async fn instants_and_callers_without_an_answer() {
    let town = Town::open().await;
    let before = town.now();
    let code = town.report().await;
    let (path, list) = (format!("/v1/work-orders/{code}"), "/v1/work-orders".to_owned());
    let (after, layer) = (town.now(), "/v1/layers/work-orders.csv".to_owned());
    town.act("demo-crew", &code, "accept", json!({})).await;
    let stranger = key(&town, Role::Crew, "unit:370203-WAT01").await;
    for (key, uri, instant, status) in [
        (ADMIN, &path, "2999-01-01T00:00:00Z", 422),
        (ADMIN, &list, "2999-01-01T00:00:00Z", 422),
        (ADMIN, &layer, "1999-01-01T00:00:00Z", 422),
        (ADMIN, &path, "yesterday", 422),
        (ADMIN, &path, &before.to_string(), 404),
        (ADMIN, &path, &after.to_string(), 200),
        (&stranger, &path, &after.to_string(), 404),
        ("", &path, &after.to_string(), 401),
        ("", &list, &after.to_string(), 401),
        ("", &layer, &after.to_string(), 401),
        (ADMIN, &"/v1/work-orders/WO-370204-261123-00042-1".to_owned(), &after.to_string(), 404),
    ] {
        let ask = town.get(&format!("{uri}?as_of={instant}"));
        let got = if key.is_empty() { ask } else { ask.key(key) }.get().await;
        assert_eq!(got.status, status, "{key} {uri} {instant} {}", got.body);
        assert!(status != 422 || got.fault().2 == "as_of", "{}", got.body);
    }
    let none = town.get(&format!("{list}?as_of={before}")).key(ADMIN).get().await;
    assert_eq!(none.body["items"], json!([]));
}

#[tokio::test]
async fn open_orders_of_then_are_told_to_holders_of_keys() {
    let town = Town::open().await;
    town.report().await;
    let resolve = "/v1/resolve?lon=120.375&lat=36.12&include=open_orders";
    let then = format!("{resolve}&as_of={}", town.now());
    assert_eq!(town.get(resolve).get().await.status, 200);
    assert_eq!(town.get(&then).get().await.status, 401);
    assert_eq!(town.get(&then).key("demo-crew").get().await.status, 200);
}

#[tokio::test]
async fn a_new_order_leaves_nothing_behind_and_a_change_one_state() {
    let town = Town::open().await;
    let code = town.report().await;
    assert_eq!(town.past_states().await, 0);
    town.act("demo-crew", &code, "accept", json!({})).await;
    assert_eq!(town.past_states().await, 1);
    town.act("demo-crew", &code, "accept", json!({})).await;
    assert_eq!(town.past_states().await, 1, "a refusal changes nothing");
    town.report().await;
    assert_eq!(town.past_states().await, 2, "reported again");
}

#[tokio::test]
async fn what_was_not_kept_is_not_made_up() {
    let town = Town::open().await;
    let (changed, opened) = (town.report().await, town.now());
    town.act("demo-crew", &changed, "accept", json!({})).await;
    let pin = json!({"position": {"lon": 120.385, "lat": 36.12}, "damage": "noisy", "cover": TWINS[0]});
    let other = town.post("/v1/reports").json(pin).await.body["work_order"]["code"].as_str().unwrap().to_owned();
    // As a database is that an older version has written.
    let filled = include_str!("../../../migrations/sqlite/0011_past_of_orders.sql").split("UPDATE").nth(1).unwrap();
    town.sql(format!("DELETE FROM work_order_version; UPDATE {filled}")).await;
    let town = town.reopened().await;
    let ask = async |key: &str, path: &str, instant: jiff::Timestamp| {
        town.get(&format!("{path}?as_of={instant}")).key(key).get().await
    };
    let (one, two) = (format!("/v1/work-orders/{changed}"), format!("/v1/work-orders/{other}"));
    for path in [&*one, "/v1/work-orders", "/v1/layers/work-orders.geojson"] {
        assert_eq!(ask(ADMIN, path, opened).await.fault(), (422, "invalid", "as_of".to_owned()), "{path}");
    }
    assert_eq!(ask(&key(&town, Role::Crew, "unit:370203-WAT01").await, &one, opened).await.status, 404);
    assert_eq!(ask(ADMIN, &two, opened).await.status, 404);
    let since = town.now();
    town.act("demo-crew", &other, "accept", json!({})).await;
    assert_eq!(ask(ADMIN, &one, since).await.body["status"], "accepted");
    assert_eq!(ask(ADMIN, &two, since).await.body["status"], "dispatched");
    assert_eq!(ask(ADMIN, "/v1/work-orders", since).await.body["items"].as_array().unwrap().len(), 2);
}
