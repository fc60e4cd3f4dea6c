//! One story on `SQLite` and on `PostgreSQL`: every answer is the same, but for what is drawn by lot or read off the clock.

mod deliveries;
mod may;
mod merges;
mod random;

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use guli::domain::actor::{Role, Scope};
use guli::http::{Parts, router};
use guli::import::profile::Profiles;
use guli::import::run::{Mode, OnError, Request as Import, run};
use guli::service::{Guli, WriterTask, keys};
use guli::store::DatabaseUrl;
use guli::store::tables::{GLOBAL, TABLES};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::load::random;
use crate::support::postgres::PostgresServer;
use crate::support::{Home, shibei};

/// What of the demo district is imported here: all kinds of records, and covers from two formats, with mistakes.
const AREAS: [&str; 6] = ["district", "subdistricts", "communities", "organizations", "grids", "people"];
const COVERS: [&str; 3] = ["water", "fire", "shared-duct"];

/// A story in the making.
struct Story {
    guli: Arc<Guli>,
    writer: WriterTask,
    router: Router,
    masked: Mask,
    told: Vec<(String, Value)>,
}

/// Gives the same name to the same thing, and forgets what it is called.
#[derive(Default)]
struct Mask(HashMap<String, String>);

impl Mask {
    fn name(&mut self, kind: &str, text: &str) -> String {
        let next = self.0.len();
        self.0.entry(text.to_owned()).or_insert_with(|| format!("{kind} {next}")).clone()
    }

    fn text(&mut self, text: &str) -> String {
        let is_token =
            |text: &str| text.len() == 32 && text.starts_with("370203") && !text.bytes().all(|b| b.is_ascii_digit());
        if let Some(token) =
            text.strip_prefix("/v1/reports/").or_else(|| text.strip_prefix("http://guli.test/v1/reports/"))
        {
            return self.name("tracking", token);
        }
        if text.starts_with("WO-") || text.starts_with("RP-") {
            return self.name("code", text);
        }
        if is_token(text) {
            return self.name("tracking", text);
        }
        if text.parse::<jiff::Timestamp>().is_ok() {
            return "an instant".to_owned();
        }
        self.identities(text)
    }

    /// The same text without the identities that it names.
    fn identities(&mut self, text: &str) -> String {
        let identity = |at: usize| text.get(at..at + 36).filter(|id| uuid::Uuid::parse_str(id).is_ok());
        match (0..text.len()).find_map(|at| Some((at, identity(at)?))) {
            Some((at, id)) => {
                let name = self.name("identity", id);
                format!("{}{name}{}", &text[..at], self.identities(&text[at + 36..]))
            }
            None => text.to_owned(),
        }
    }

    fn mask(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item)),
            Value::Object(members) => {
                for (name, member) in members.iter_mut() {
                    match name.as_str() {
                        "seconds_left" => *member = json!("left"),
                        // An opaque cursor may hold an identity or an instant; that there is one matters.
                        "next" if member.is_string() => *member = json!("more"),
                        // A sentence that may name a code or an identity.
                        "detail" | "title" => {
                            let text = member.as_str().map(|text| self.identities(text));
                            *member = text.map_or_else(|| member.clone(), Value::String);
                        }
                        _ => self.mask(member),
                    }
                }
            }
            _ => {}
        }
    }
}

/// An answer, before it is masked.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Story {
    async fn begin(database: &DatabaseUrl, home: &Home) -> Self {
        let opened = Guli::open(database, &home.path().join("guli.key"), None, keys::demo_keys()).await;
        let (guli, writer) = opened.unwrap();
        let guli = Arc::new(guli);
        let router = router(Parts::new(Arc::clone(&guli), "http://guli.test", 64).into(), &[]);
        Self { guli, writer, router, masked: Mask::default(), told: Vec::new() }
    }

    /// Ends it as a server would, and gives what was told.
    async fn end(self) -> Vec<(String, Value)> {
        drop(self.router);
        Arc::into_inner(self.guli).unwrap().close().await;
        self.writer.await.unwrap();
        self.told
    }

    fn tell(&mut self, what: impl Into<String>, mut value: Value) {
        self.masked.mask(&mut value);
        self.told.push((what.into(), value));
    }

    fn import(&mut self, names: &[&str], on_error: OnError) {
        let profiles = Profiles::read(&shibei().join("import.toml")).unwrap().profiles;
        let wanted = names.iter().map(|name| profiles.iter().find(|profile| profile.name == *name).unwrap().clone());
        let files = wanted.map(|profile| (profile.clone(), shibei().join(&profile.file))).collect();
        let by = guli::service::import::OPERATOR.to_owned();
        let request =
            Import { files, mode: Mode::Apply, on_error, district: None, rows_to: None, by, actor: None, id: None };
        let guli = Arc::clone(&self.guli);
        let reports = tokio::task::block_in_place(|| run(&guli, &request, &mut |_| {})).unwrap();
        self.tell(format!("import of {names:?}, {on_error:?}"), serde_json::to_value(reports).unwrap());
    }

    async fn ask(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let headers = [headers, &[("content-type", "application/json")]].concat();
        self.send(method, path, &headers, body).await
    }

    /// Imports a file over HTTP; its report, or why not.
    async fn send_file(&mut self, query: &str, name: &str, content: &str) -> Value {
        let part = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"");
        let body = format!("--limit\r\n{part}\r\n\r\n{content}\r\n--limit--\r\n");
        let kind = ("content-type", "multipart/form-data; boundary=limit");
        let headers = [("authorization", "Bearer demo-admin"), kind];
        self.send(Method::POST, &format!("/v1/imports?{query}"), &headers, Body::from(body)).await.body
    }

    async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
        let mut request = Request::builder().method(method.clone()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
        let answer = Answer { status: parts.status, headers: parts.headers, body };
        let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap());
        let mut told = json!({
            "status": answer.status.as_u16(), "etag": header("etag"), "location": header("location"),
            "feed": header("guli-feed"), "replayed": header("idempotent-replayed"), "body": answer.body,
        });
        // A layer's is of the content, and so of the instants in it.
        if path.starts_with("/v1/layers/") {
            told["etag"] = told["etag"].is_string().into();
        }
        let number = self.told.len();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let words: Vec<_> = path.split('/').map(|word| self.masked.text(word)).collect();
        self.tell(format!("{number}: {method} {} {query}", words.join("/")), told);
        answer
    }

    async fn get(&mut self, key: &str, path: &str) -> Value {
        // As the server itself does all the time.
        self.guli.follow().await.unwrap();
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str())];
        self.ask(Method::GET, path, if key.is_empty() { &[] } else { &headers }, None).await.body
    }

    /// Reports; the order's code and where the report is followed.
    async fn report(&mut self, key: Option<&str>, body: Value) -> (String, String) {
        let headers: Vec<_> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
        let answer = self.ask(Method::POST, "/v1/reports", &headers, Some(&body)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let location = answer.headers["location"].to_str().unwrap().to_owned();
        (answer.body["work_order"]["code"].as_str().unwrap().to_owned(), location)
    }

    async fn act(&mut self, key: &str, order: &str, action: &str, version: &str, body: Value) -> StatusCode {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("if-match", version)];
        self.ask(Method::POST, &format!("/v1/work-orders/{order}/{action}"), &headers, Some(&body)).await.status
    }
}

const COVER: &str = "3702030101001370";

fn pin(crs: &str) -> Value {
    match crs {
        "GCJ-02" => json!({"lon": 120.341_494_6, "lat": 36.115_589_2, "crs": "GCJ-02", "accuracy_m": 5}),
        _ => json!({"x": 530_287.779, "y": 3_998_396.543, "crs": "EPSG:4549"}),
    }
}

/// All that touches the store, in one go.
async fn tell(database: &DatabaseUrl, home: &Home, seed: u64) -> Vec<(String, Value)> {
    let mut story = Story::begin(database, home).await;
    story.get("", "/readyz").await;
    story.import(&AREAS, OnError::RefuseFile);
    // Refused, then its good rows, then the same once more.
    story.import(&COVERS, OnError::RefuseFile);
    story.import(&COVERS, OnError::KeepGoing);
    story.import(&COVERS, OnError::KeepGoing);
    story.get("", "/readyz").await;
    reports_and_orders(&mut story).await;
    lists(&mut story).await;
    layers(&mut story).await;
    quality(&mut story).await;
    // Opened again, it is as it was.
    let told = story.end().await;
    let mut story = Story::begin(database, home).await;
    story.get("", "/readyz").await;
    reports_again(&mut story).await;
    lists(&mut story).await;
    layers(&mut story).await;
    edits(&mut story).await;
    units_and_people(&mut story).await;
    merges::tell(&mut story).await;
    deliveries::tell(&mut story).await;
    may::tell(&mut story).await;
    random::tell(&mut story, seed).await;
    mended(&mut story).await;
    story.get("demo-planner", "/v1/quality?state=accepted").await;
    api_keys(&mut story).await;
    [told, story.end().await].concat()
}

async fn reports_and_orders(story: &mut Story) {
    let body = json!({"position": pin("GCJ-02"), "damage": "noisy", "description": "井盖响 'quoted' \"", "channel": "wechat",
                      "reporter": {"name": "欧阳示范", "phone": "19900001234", "language": "zh-CN"}});
    let key = "two-databases-0001";
    let (order, followed) = story.report(Some(key), body.clone()).await;
    assert_eq!(story.report(Some(key), body).await, (order.clone(), followed.clone()));
    let other = json!({"cover": COVER, "damage": "missing"});
    let mismatch = story.ask(Method::POST, "/v1/reports", &[("idempotency-key", key)], Some(&other)).await;
    assert_eq!(mismatch.status, 422);
    let (joined, _) = story.report(None, other).await;
    assert_eq!(joined, order);
    story.report(None, json!({"position": pin("EPSG:4549"), "damage": "loose", "joins": order})).await;
    story.get("", "/v1/resolve?lon=120.33641&lat=36.11537&include=open_orders").await;
    story.get("", &followed).await;
    story.get("", "/v1/reports/3702030000000000000000000000000").await;
    story.get("demo-crew", &format!("/v1/work-orders/{order}")).await;
    story.get("", &format!("/v1/work-orders/{order}")).await;
    for (key, action, version, body, status) in [
        ("demo-crew", "accept", "\"1\"", json!({}), 412),
        ("demo-grid", "accept", "*", json!({}), 403),
        ("demo-crew", "accept", "\"2\"", json!({"note": "马上到"}), 200),
        ("demo-crew", "accept", "*", json!({}), 409),
        ("demo-crew", "arrive", "*", json!({"position": pin("GCJ-02")}), 200),
        ("demo-grid", "secure", "*", json!({"measure": "guard"}), 200),
        ("demo-crew", "repair", "*", json!({"done": "换新", "material": "球墨铸铁"}), 200),
        ("demo-dispatcher", "verify", "*", json!({"passed": false, "reason": "松动"}), 200),
        ("demo-dispatcher", "reassign", "*", json!({"unit": "370203-WAT01", "reason": "再派"}), 200),
        ("demo-grid", "identify", "*", json!({"damage": "missing", "reason": "井盖缺失"}), 200),
        ("demo-dispatcher", "close", "*", json!({}), 409),
        ("demo-admin", "close", "*", json!({}), 403),
    ] {
        assert_eq!(story.act(key, &order, action, version, body).await, status, "{action}");
    }
    // Where no cover is known, and an order that is closed.
    story.report(None, json!({"position": {"lon": 120.37, "lat": 36.08, "crs": "GCJ-02"}, "damage": "overflow"})).await;
    let (plate, followed) = story.report(None, json!({"cover": "3702030101000001", "damage": "broken"})).await;
    for (key, action, body) in [
        ("demo-crew", "accept", json!({})),
        ("demo-crew", "arrive", json!({"position": pin("GCJ-02")})),
        ("demo-crew", "secure", json!({"measure": "sign"})),
        ("demo-crew", "repair", json!({"done": "换新"})),
        ("demo-grid", "verify", json!({"passed": true})),
        ("demo-grid", "close", json!({})),
    ] {
        assert_eq!(story.act(key, &plate, action, "*", body).await, 200, "{action}");
    }
    story.get("", &followed).await;
    story.get("demo-admin", &format!("/v1/work-orders/{plate}")).await;
}

async fn reports_again(story: &mut Story) {
    // The same key after the start anew, and a new report of the closed one's cover.
    let body = json!({"position": pin("GCJ-02"), "damage": "noisy", "description": "井盖响 'quoted' \"", "channel": "wechat",
                      "reporter": {"name": "欧阳示范", "phone": "19900001234", "language": "zh-CN"}});
    let (order, followed) = story.report(Some("two-databases-0001"), body).await;
    story.get("", &followed).await;
    story.get("demo-dispatcher", &format!("/v1/work-orders/{order}")).await;
    story.report(None, json!({"cover": "3702030101000001", "damage": "sunken"})).await;
}

async fn lists(story: &mut Story) {
    let orders = story.get("demo-admin", "/v1/work-orders").await;
    assert!(orders["items"].as_array().unwrap().len() >= 3);
    for query in [
        "status=open",
        "status=closed",
        "status=dispatched,closed",
        "unit=370203-WAT01",
        "unit=370203-WAT01,370203013",
        "grid=370203026003005",
        "cover=3702030101001370",
        "damage=missing,broken",
        "damage=overflow",
        "overdue=true",
        "overdue=false",
        "updated_after=2020-01-01T00:00:00Z",
        "updated_after=2100-01-01T00:00:00Z",
        "opened_after=2020-01-01T00:00:00Z",
        "opened_after=2100-01-01T00:00:00Z",
        "near=120.33641,36.11537&radius_m=50",
        "near=120.33641,36.11537&radius_m=20000&sort=distance",
        "near=530287.779,3998396.543&crs=EPSG:4549",
        "sort=due",
        "sort=updated",
        "limit=1000",
        "status=open&unit=370203-WAT01&damage=missing&near=120.33641,36.11537&overdue=false&sort=due",
    ] {
        story.get("demo-admin", &format!("/v1/work-orders?{query}")).await;
    }
    for sort in ["", "&sort=due", "&sort=updated", "&sort=distance&near=120.33641,36.11537&radius_m=20000"] {
        walk(story, "/v1/work-orders", &format!("limit=1{sort}"), 3).await;
    }
    for path in ["districts", "subdistricts", "communities", "grids", "organizations", "people", "covers"] {
        let list = story.get("demo-admin", &format!("/v1/{path}?limit=3")).await;
        let code = list["items"][1]["code"].as_str().or(list["items"][0]["code"].as_str()).unwrap().to_owned();
        story.get("demo-admin", &format!("/v1/{path}/{code}")).await;
        story.get("", &format!("/v1/{path}/{code}")).await;
    }
    for query in [
        "category=0101",
        "category=0101,0127",
        "owner=370203-WAT01",
        "responsible_unit=370203-WAT01",
        "status=abandoned",
        "status=planned,in_service",
        "grid=370203026003005",
        "community=370203026003",
        "subdistrict=370203026",
        "district=370203",
        "bbox=120.336,36.115,120.337,36.116",
        "category=0101&status=in_service&subdistrict=370203026",
    ] {
        story.get("demo-planner", &format!("/v1/covers?{query}&limit=50")).await;
    }
    walk(story, "/v1/covers", "community=370203026003&limit=7", 100).await;
    for query in ["grid=370203026003005", "community=370203026003", "subdistrict=370203026"] {
        story.get("demo-admin", &format!("/v1/people?{query}&limit=1000")).await;
    }
    walk(story, "/v1/people", "subdistrict=370203026&limit=50", 10).await;
    walk(story, "/v1/organizations", "limit=30", 10).await;
    story.get("", "/v1/grids?subdistrict=370203026&limit=5").await;
}

async fn quality(story: &mut Story) {
    let found = story.get("demo-admin", "/v1/quality?limit=2").await;
    let ids = [0, 1].map(|k| found["items"][k]["id"].as_str().unwrap().to_owned());
    let planner = [("authorization", "Bearer demo-planner")];
    for (id, body) in [
        (&ids[0], json!({"state": "accepted", "reason": "现场核实 'ok'"})),
        (&ids[1], json!({"state": "accepted", "reason": "…"})),
        (&ids[0], json!({"state": "accepted", "reason": "again"})),
        (&ids[1], json!({"state": "open"})),
    ] {
        let said = story.ask(Method::POST, &format!("/v1/quality/{id}"), &planner, Some(&body)).await;
        assert_eq!(said.status, 200, "{}", said.body);
    }
    story.get("demo-crew", "/v1/quality?state=accepted").await;
    walk(story, "/v1/quality", "limit=5", 3).await;
}

/// A finding is mended, and comes back.
async fn mended(story: &mut Story) {
    let admin = [("authorization", "Bearer demo-admin"), ("if-match", "*")];
    let found = story.get("demo-admin", "/v1/quality?rule=owner-missing&limit=1").await;
    let href = found["items"][0]["subjects"][0]["href"].as_str().unwrap().to_owned();
    let path = format!("/v1/quality/{}", found["items"][0]["id"].as_str().unwrap());
    for (owner, state) in [(json!("370203-WAT01"), "mended"), (Value::Null, "open")] {
        let body = json!({ "owner": owner });
        assert_eq!(story.ask(Method::PATCH, &href, &admin, Some(&body)).await.status, 200);
        let mended = story.get("demo-admin", "/v1/quality?state=mended").await;
        assert_eq!(story.get("demo-admin", &path).await["state"], state, "{mended}");
    }
}

async fn layers(story: &mut Story) {
    for (key, file) in [
        ("", "districts.geojson"),
        ("", "subdistricts.geojson"),
        ("", "communities.geojson?subdistrict=370203026"),
        ("", "grids.geojson"),
        ("", "grids.csv?bbox=120.33,36.11,120.34,36.12"),
        ("", "covers.geojson"),
        ("demo-planner", "covers.geojson"),
        ("demo-planner", "covers.geojsonl?grid=370203026003005"),
        ("demo-planner", "covers.csv?bbox=120.33,36.11,120.34,36.12&category=0101"),
        ("", "work-orders.geojson"),
        ("demo-admin", "work-orders.geojson"),
        ("demo-crew", "work-orders.geojson?status=closed"),
        ("demo-dispatcher", "work-orders.geojson?status=open&damage=missing&unit=370203-WAT01&grid=370203026003005"),
        ("demo-dispatcher", "work-orders.geojson?bbox=120.336,36.115,120.337,36.116"),
    ] {
        story.get(key, &format!("/v1/layers/{file}")).await;
    }
}

/// Covers and areas edited, and the registry read as it was before.
async fn edits(story: &mut Story) {
    let list = story.get("demo-admin", "/v1/covers?category=0101&limit=3").await;
    let (cover, other) = (list["items"][0].clone(), list["items"][1].clone());
    let code = cover["code"].as_str().unwrap().to_owned();
    let path = format!("/v1/covers/{code}");
    let before = story.guli.context.clock.now().to_string();
    let any = [("authorization", "Bearer demo-admin"), ("if-match", "*")];
    let patch = json!({"spec": {"load_class": "E600"}, "position": other["position"], "status": "abandoned"});
    for (method, path, body) in [
        (Method::PATCH, format!("{path}?reason=survey"), patch),
        (Method::PATCH, path.clone(), json!({"owner": "370203-XXX99"})),
        (Method::POST, "/v1/covers".to_owned(), json!({"category": "0127", "position": cover["position"]})),
        (Method::PATCH, path.clone(), json!({"category": "0127"})),
        (Method::GET, path.clone(), Value::Null),
        (Method::DELETE, format!("/v1/covers/{}", other["code"].as_str().unwrap()), Value::Null),
        (Method::GET, format!("/v1/covers/{}", other["code"].as_str().unwrap()), Value::Null),
        (Method::GET, format!("/v1/covers/{}/history", other["code"].as_str().unwrap()), Value::Null),
    ] {
        let body = (!body.is_null()).then_some(body);
        story.ask(method, &path, &any, body.as_ref()).await;
    }
    let grids = story.get("demo-planner", "/v1/grids?community=370203026003&limit=2").await;
    let grid = |n: usize| grids["items"][n].clone();
    let name = grid(0)["code"].as_str().unwrap().to_owned();
    for (method, path, body) in [
        (Method::PATCH, format!("/v1/grids/{name}?reason=sign"), json!({"name": "新网格"})),
        (Method::PATCH, format!("/v1/grids/{name}?dry_run=true"), json!({"geometry": grid(1)["geometry"]})),
        (Method::PATCH, format!("/v1/grids/{name}"), json!({"geometry": grid(1)["geometry"]})),
        (Method::DELETE, format!("/v1/grids/{name}"), Value::Null),
        // Two neighbours exchange their ground, and all that lies on it.
        (
            Method::POST,
            "/v1/grids/redraw".to_owned(),
            json!({"grids": [
                {"code": grid(0)["code"], "name": "甲", "geometry": grid(1)["geometry"]},
                {"code": grid(1)["code"], "name": "乙", "geometry": grid(0)["geometry"]},
            ]}),
        ),
        (Method::GET, format!("/v1/grids/{name}/history"), Value::Null),
    ] {
        let body = (!body.is_null()).then_some(body);
        story.ask(method, &path, &any, body.as_ref()).await;
    }
    // Which the history of each says, and the grids' undoes.
    let moved = story.get("demo-admin", &format!("/v1/covers?grid={name}&limit=1")).await["items"][0].clone();
    let history = format!("/v1/covers/{}/history", moved["code"].as_str().unwrap());
    story.get("demo-admin", &history).await;
    story.ask(Method::POST, &format!("{history}/{}/undo", moved["version"]), &any, None).await;
    for read in ["/v1/covers?community=370203026003&limit=50", "/v1/grids?community=370203026003", &path] {
        story.get("demo-admin", read).await;
        let as_of = format!("{read}{}as_of={before}", if read.contains('?') { '&' } else { '?' });
        story.get("demo-admin", &as_of).await;
        let number = story.told.len() - 1;
        story.told[number].0 = format!("{number}: {read} as it was");
    }
    story.get("demo-admin", "/v1/changes?district=370203&after=0&limit=1000").await;
}

/// Organisations and people edited, an import taken back, covers found by words.
async fn units_and_people(story: &mut Story) {
    let any = [("authorization", "Bearer demo-admin"), ("if-match", "*")];
    let unit = "/v1/organizations/370203-U0001";
    let section = "370203026-K01";
    for (method, path, body) in [
        (
            Method::POST,
            "/v1/organizations?reason=new".to_owned(),
            json!({"name": "Gas Company", "kind": "utility", "phone": "0532-00000301"}),
        ),
        (
            Method::PATCH,
            format!("{unit}?reason=renamed"),
            json!({"name": "Gas Works", "credit_code": "9137020016357624XB", "phone": "0532-00000302"}),
        ),
        (Method::PUT, unit.to_owned(), json!({"name": "Gas Works", "kind": "department"})),
        (Method::GET, format!("{unit}/history"), Value::Null),
        (Method::PATCH, format!("/v1/organizations/{section}"), json!({"name": "城管科"})),
        (Method::DELETE, format!("/v1/organizations/{section}"), Value::Null),
        (
            Method::POST,
            "/v1/people".to_owned(),
            json!({"name": "王海", "phone": "19900001234", "organization": "370203-U0001",
                   "duties": [{"kind": "patrol", "area": "370203026003005"}]}),
        ),
        (Method::DELETE, unit.to_owned(), Value::Null),
    ] {
        let body = (!body.is_null()).then_some(body);
        story.ask(method, &path, &any, body.as_ref()).await;
    }
    let people = story.get("demo-dispatcher", "/v1/people?grid=370203026003005&limit=100").await;
    let person = people["items"].as_array().unwrap().iter().find(|person| person["name"] == "王海").unwrap().clone();
    let path = format!("/v1/people/{}", person["code"].as_str().unwrap());
    for (method, suffix, body) in [
        (
            Method::PATCH,
            "?reason=moved",
            json!({"phone": null, "duties": [{"kind": "grid_leader", "area": "370203026003005"}]}),
        ),
        (Method::GET, "", Value::Null),
        (Method::DELETE, "", Value::Null),
        (Method::GET, "", Value::Null),
        (Method::GET, "/history", Value::Null),
    ] {
        let body = (!body.is_null()).then_some(body);
        let answer = story.ask(method, &format!("{path}{suffix}"), &any, body.as_ref()).await;
        assert!(answer.status.as_u16() < 500, "{}", answer.body);
        let number = story.told.len() - 1;
        story.told[number].0 = format!("{number}: of a person {suffix}");
    }
    story.ask(Method::DELETE, unit, &any, None).await;
    story.get("demo-admin", "/v1/grids/370203026003005").await;
    for words in ["gas", "%E9%9B%A8%E6%B0%B4%20%E6%8E%92%E6%B0%B4", "3702030101", "100%25"] {
        story.get("demo-admin", &format!("/v1/covers?q={words}&limit=5")).await;
    }
    let covers = story.get("demo-admin", "/v1/covers?owner=370203-FIR01&limit=1").await;
    let code = covers["items"][0]["code"].as_str().unwrap();
    let history = story.get("demo-admin", &format!("/v1/covers/{code}/history")).await;
    let import = history["items"][0]["source"]["import"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let undone = story.ask(Method::POST, &format!("/v1/imports/{import}/undo?reason=wrong"), &any, None).await;
        assert!(undone.status.as_u16() < 500, "{}", undone.body);
        let number = story.told.len() - 1;
        story.told[number].0 = format!("{number}: an import is taken back");
    }
    story.get("demo-admin", &format!("/v1/covers/{code}")).await;
    story.get("demo-admin", "/v1/covers?owner=370203-FIR01&limit=3").await;
}

/// Every page of a list, at most so many.
async fn walk(story: &mut Story, path: &str, query: &str, most: usize) {
    let mut cursor = String::new();
    for _ in 0..most {
        // The cursor itself is no part of the story.
        let asked = format!("{path}?{query}{cursor}");
        let page = story.get("demo-admin", &asked).await;
        let number = story.told.len() - 1;
        story.told[number].0 = format!("{number}: a page of {path}?{query}");
        let Some(next) = page["next"].as_str() else { return };
        cursor = format!("&cursor={next}");
    }
}

async fn api_keys(story: &mut Story) {
    let scopes: Vec<Scope> = ["unit:370203-WAT01", "unit:370203-FIR01"].iter().map(|s| s.parse().unwrap()).collect();
    let made = story.guli.create_key(Role::Crew, scopes, "水 crew".to_owned()).await.unwrap();
    story.get(&made.secret, "/v1/me").await;
    story.get(&made.secret, "/v1/work-orders").await;
    story.guli.revoke_key(made.id).await.unwrap();
    assert!(story.guli.revoke_key(guli::domain::id::KeyId(uuid::Uuid::nil())).await.is_err());
    let listed = story.guli.list_keys().await.unwrap();
    let listed = listed.iter().map(|key| json!([key.actor.name, key.actor.role.as_str(), key.revoked_at.is_some()]));
    let listed = Value::Array(listed.collect());
    story.tell("keys", listed);
    story.get(&made.secret, "/v1/me").await;
    story.guli.forget().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_tell_the_same_story() {
    let Some(postgres) = PostgresServer::start_with("-c log_statement=all") else { return };
    let (here, there) = (Home::empty(), Home::empty());
    let seed = std::env::var("GULI_SEED").map_or_else(|_| random(1 << 40) as u64, |seed| seed.parse().unwrap());
    eprintln!("GULI_SEED={seed}");
    let sqlite = tell(&DatabaseUrl::sqlite(&here.database()), &here, seed).await;
    let other = tell(&postgres.url(), &there, seed).await;
    for ((asked, one), (also_asked, two)) in sqlite.iter().zip(&other) {
        assert_eq!(asked, also_asked);
        assert!(one == two, "{asked}\nSQLite:     {one}\nPostgreSQL: {two}");
        assert!(one["status"].as_u64().is_none_or(|status| status < 500), "{asked}: {one}");
    }
    assert_eq!(sqlite.len(), other.len());
    every_statement_names_its_district(&postgres.log());
}

/// Citus finds the machine that a district lies on by it: whatever touches a table that is spread says the district.
fn every_statement_names_its_district(log: &str) {
    let said = |line: &str| {
        let (_, statement) = line.split_once("LOG:  execute ").or_else(|| line.split_once("LOG:  statement: "))?;
        Some(statement.split_once(": ").map_or(statement, |(_, sql)| sql).to_owned())
    };
    let spread = |word: &str| {
        let listed = TABLES.iter().any(|table| table.name == word) || word == "cover_stage";
        listed && !GLOBAL.contains(&word)
    };
    let (mut seen, mut silent) = (0, BTreeSet::new());
    for sql in log.lines().filter_map(said) {
        let words: Vec<&str> = sql.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let is_schema = ["CREATE", "ALTER", "LOCK", "COMMENT"].contains(&words[0]);
        let touches = words.windows(2).any(|pair| {
            ["FROM", "JOIN", "INTO", "UPDATE"].contains(&pair[0].to_ascii_uppercase().as_str()) && spread(pair[1])
        });
        if touches && !is_schema {
            seen += 1;
            if !["district = ", "district IN (", "(district, "].iter().any(|said| sql.contains(said)) {
                silent.insert(sql);
            }
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
    assert!(seen > 1_000, "only {seen} statements were looked at");
}
