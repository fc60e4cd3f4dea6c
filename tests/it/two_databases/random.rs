//! Whatever is asked, in whatever order: both databases answer the same. `GULI_SEED` repeats a run.

use axum::http::Method;
use serde_json::{Value, json};

use super::Story;

/// Requests of a run.
const STEPS: usize = 200;

/// A sequence of numbers that a seed gives (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    fn one_of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}

/// What the requests are about: as both databases have it.
struct Subjects {
    covers: Vec<(String, f64, f64)>,
    orders: Vec<String>,
    seen: Vec<Seen>,
}

/// What somebody was answered, and when.
struct Seen {
    instant: jiff::Timestamp,
    key: &'static str,
    path: String,
    answer: Value,
}

const DAMAGES: [&str; 6] = ["missing", "broken", "noisy", "sunken", "overflow", "purple"];
const ACTIONS: [&str; 8] = ["accept", "arrive", "secure", "repair", "verify", "close", "identify", "reassign"];
const KEYS: [&str; 5] = ["demo-admin", "demo-dispatcher", "demo-crew", "demo-grid", "demo-planner"];

/// Asks at random; the story takes down what was answered.
pub(super) async fn tell(story: &mut Story, seed: u64) {
    let listed = story.get("demo-admin", "/v1/covers?limit=40").await;
    let covers = listed["items"].as_array().unwrap().iter().map(|cover| {
        let at = |axis: &str| cover["position"][axis].as_f64().unwrap();
        (cover["code"].as_str().unwrap().to_owned(), at("lon"), at("lat"))
    });
    let mut subjects = Subjects { covers: covers.collect(), orders: Vec::new(), seen: Vec::new() };
    assert!(!subjects.covers.is_empty());
    let mut numbers = Numbers(seed | 1);
    for _ in 0..STEPS {
        match numbers.below(10) {
            0..=3 => report(story, &mut numbers, &mut subjects).await,
            4..=6 => act(story, &mut numbers, &subjects).await,
            7 => edit_cover(story, &mut numbers, &subjects).await,
            8 => rename(story, &mut numbers).await,
            _ => look(story, &mut numbers, &mut subjects).await,
        }
    }
    assert!(subjects.orders.len() > STEPS / 10, "hardly anything was reported");
    for seen in &subjects.seen {
        look_back(story, seen).await;
    }
}

async fn report(story: &mut Story, numbers: &mut Numbers, subjects: &mut Subjects) {
    let (code, lon, lat) = numbers.one_of(&subjects.covers).clone();
    let damage = *numbers.one_of(&DAMAGES);
    let off = 1e-5 * numbers.below(30) as f64;
    let body = match numbers.below(4) {
        0 => json!({ "cover": code, "damage": damage }),
        1 => json!({ "position": {"lon": lon + off, "lat": lat}, "damage": damage, "unregistered": true }),
        2 => json!({ "position": {"lon": lon + 9.0, "lat": lat}, "damage": damage }),
        _ => json!({ "position": {"lon": lon + off, "lat": lat, "accuracy_m": 8}, "damage": damage }),
    };
    // Some are sent again under a key of before, with the same body or another.
    let key = format!("random-key-{:08}", numbers.below(60));
    let headers = [("idempotency-key", key.as_str())];
    let headers = if numbers.below(2) == 0 { &headers[..] } else { &[] };
    let answer = story.ask(Method::POST, "/v1/reports", headers, Some(&body)).await;
    if let Some(order) = answer.body["work_order"]["code"].as_str() {
        subjects.orders.push(order.to_owned());
    }
}

async fn act(story: &mut Story, numbers: &mut Numbers, subjects: &Subjects) {
    if subjects.orders.is_empty() {
        return;
    }
    let (order, action) = (numbers.one_of(&subjects.orders).clone(), *numbers.one_of(&ACTIONS));
    let cover = numbers.one_of(&subjects.covers).0.clone();
    let body = match action {
        "secure" => json!({ "measure": "fenced" }),
        "repair" => json!({ "done": "换盖" }),
        "verify" => json!({ "passed": numbers.below(3) > 0, "reason": "看过" }),
        "identify" => json!({ "cover": cover, "reason": "现场" }),
        "reassign" => json!({ "unit": "370203-WAT01", "reason": "改派" }),
        _ => json!({}),
    };
    let key = *numbers.one_of(&KEYS);
    let version = ["*", "\"1\"", "\"2\"", "\"3\""][numbers.below(4)];
    story.act(key, &order, action, version, body).await;
}

async fn edit_cover(story: &mut Story, numbers: &mut Numbers, subjects: &Subjects) {
    let (code, lon, lat) = numbers.one_of(&subjects.covers).clone();
    let path = format!("/v1/covers/{code}");
    let off = 1e-6 * numbers.below(200) as f64;
    let (method, body) = match numbers.below(4) {
        0 => (Method::DELETE, None),
        1 => (Method::PATCH, Some(json!({ "position": {"lon": lon + off, "lat": lat} }))),
        2 => (Method::PATCH, Some(json!({ "responsible_unit": *numbers.one_of(&["370203-WAT01", "370203-NON99"]) }))),
        _ => (Method::PATCH, Some(json!({ "spec": {"depth_mm": 100 + numbers.below(900)} }))),
    };
    let version = *numbers.one_of(&["*", "\"1\"", "\"2\""]);
    let headers = [("authorization", "Bearer demo-admin"), ("if-match", version)];
    story.ask(method, &path, &headers, body.as_ref()).await;
}

async fn rename(story: &mut Story, numbers: &mut Numbers) {
    let name = format!("水务 {}", numbers.below(4));
    let headers = [("authorization", "Bearer demo-admin"), ("if-match", "*")];
    let body = json!({ "name": name });
    story.ask(Method::PATCH, "/v1/organizations/370203-WAT01", &headers, Some(&body)).await;
}

async fn look(story: &mut Story, numbers: &mut Numbers, subjects: &mut Subjects) {
    let (code, lon, lat) = numbers.one_of(&subjects.covers).clone();
    let key = *numbers.one_of(&KEYS);
    let path = match numbers.below(8) {
        0 => format!("/v1/covers/{code}/history"),
        1 => format!("/v1/resolve?lon={lon}&lat={lat}&include=open_orders"),
        2 => format!("/v1/work-orders?near={lon},{lat}&radius_m=400&status=open"),
        3 => "/v1/work-orders?sort=updated&limit=5".to_owned(),
        4 => "/v1/work-orders?unit=370203-WAT01&status=accepted,arrived,repaired&sort=due".to_owned(),
        5 => format!("/v1/layers/work-orders.geojson?bbox={},{},{},{}", lon - 1e-2, lat - 1e-2, lon + 1e-2, lat + 1e-2),
        6 if !subjects.orders.is_empty() => format!("/v1/work-orders/{}", numbers.one_of(&subjects.orders)),
        _ => format!("/v1/covers?bbox={},{},{},{}&limit=5", lon - 1e-3, lat - 1e-3, lon + 1e-3, lat + 1e-3),
    };
    let instant = story.guli.context.clock.now();
    let answer = story.get(key, &path).await;
    if !path.ends_with("/history") {
        subjects.seen.push(Seen { instant, key, path, answer });
    }
}

/// What was answered then is answered again.
async fn look_back(story: &mut Story, Seen { instant, key, path, answer }: &Seen) {
    let as_of = format!("{path}{}as_of={instant}", if path.contains('?') { '&' } else { '?' });
    let mut again = story.get(key, &as_of).await;
    let number = story.told.len() - 1;
    story.told[number].0 = format!("{number}: as it was");
    let mut answer = answer.clone();
    for answer in [&mut answer, &mut again] {
        forget_seconds(answer);
    }
    assert_eq!(again, answer, "{as_of}");
}

/// They go on while an answer is made.
fn forget_seconds(answer: &mut Value) {
    match answer {
        Value::Array(items) => items.iter_mut().for_each(forget_seconds),
        Value::Object(members) => {
            members.remove("seconds_left");
            members.values_mut().for_each(forget_seconds);
        }
        _ => {}
    }
}
