//! The API as its callers meet it, in this process: a town of two grids and a handful of covers.

mod again;
mod again_few;
mod bodies;
mod codes;
mod covers;
mod districts;
mod feed;
mod files;
mod grids;
mod imports;
mod journey;
mod languages;
mod layers;
mod memory;
mod mends;
mod orders;
mod orders_past;
mod pages;
mod quality;
mod refusals;
mod registry;
mod seams;
mod staff;
mod tiles;
mod undone;
mod units;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use geo::{MultiPolygon, Rect, coord};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tower::ServiceExt as _;
use uuid::Uuid;

use super::{Parts, router};
use crate::domain::catalog::Catalog;
use crate::domain::cover::{Accuracy, Cover, Spec, Status};
use crate::domain::grid::{District, DutyKind};
use crate::domain::id::{CoverId, DistrictCode, GridCode, ImportId, PersonId};
use crate::domain::organization::{OrgKind, Organization};
use crate::domain::position::Position;
use crate::service::Guli;
use crate::service::keys::demo_keys;
use crate::store::areas::Area;
use crate::store::cover_stage::{self, StagedCover};
use crate::store::events::Event;
use crate::store::people::Person;
use crate::store::{DatabaseUrl, Store, WriteConn};
use crate::store::{areas, catalog, events, head, organizations, people};

const WEST: &str = "370203005001001";
const EAST: &str = "370203005001002";
const ADMIN: &str = "demo-admin";
const PLANNER: &str = "demo-planner";
/// A storm sewer in the west grid, alone.
const ALONE: &str = "3702030103000001";
/// Two within 2 m of each other in the east grid.
const TWINS: [&str; 2] = ["3702030101000001", "3702030103000002"];
const REMOVED: &str = "3702030102000001";

/// code, longitude, latitude, status, grid
const COVERS: [(&str, f64, f64, Status, &str); 4] = [
    (ALONE, 120.375, 36.12, Status::InService, WEST),
    (TWINS[0], 120.385, 36.12, Status::InService, EAST),
    (TWINS[1], 120.385_02, 36.12, Status::InService, EAST),
    (REMOVED, 120.377, 36.125, Status::Removed, WEST),
];

fn square(west: f64, south: f64, east: f64, north: f64) -> MultiPolygon<f64> {
    MultiPolygon::new(vec![Rect::new(coord! { x: west, y: south }, coord! { x: east, y: north }).to_polygon()])
}

fn area(code: u64, name: &str, outline: MultiPolygon<f64>) -> Area {
    let supervising_department = (code > 100_000_000_000_000).then(|| "370203005-K01".to_owned());
    Area { code, name: name.to_owned(), supervising_department, outline, version: 1 }
}

fn organization(code: &str, name: &str, kind: OrgKind) -> Organization {
    let (code, name, phone) = (code.parse().unwrap(), name.to_owned(), Some("0532-00000100".to_owned()));
    Organization { code, name, kind, credit_code: None, phone, version: 1 }
}

fn staged(row: u64, (code, lon, lat, status, grid): (&str, f64, f64, Status, &str)) -> StagedCover {
    StagedCover {
        row,
        source: "town".to_owned(),
        external_id: code.to_owned(),
        digest: [0; 16],
        original: (lon, lat),
        original_crs: "EPSG:4326",
        seen: None,
        names_code: true,
        cover: Cover {
            id: CoverId(Uuid::from_u128(u128::from(row))),
            code: code.parse().unwrap(),
            owner: Some("370203-DRA01".parse().unwrap()),
            responsible_unit: Some("370203-DRA01".parse().unwrap()),
            position: Position::new(lon, lat).unwrap(),
            accuracy: Accuracy::A,
            spec: Spec::default(),
            status,
            grid: Some(grid.parse().unwrap()),
            version: 1,
        },
    }
}

async fn seed(writer: &mut WriteConn) {
    let outline = square(120.37, 36.11, 120.39, 36.13);
    let parts = [
        area(370_203_005, "辽宁路街道", outline.clone()),
        area(370_203_005_001, "海晏社区", outline),
        area(WEST.parse().unwrap(), "海晏社区第一网格", square(120.37, 36.11, 120.38, 36.13)),
        area(EAST.parse().unwrap(), "海晏社区第二网格", square(120.38, 36.11, 120.39, 36.13)),
    ];
    seed_areas(writer, &parts).await;
}

/// The town with these areas.
async fn seed_areas(writer: &mut WriteConn, parts: &[Area]) {
    let code: DistrictCode = "370203".parse().unwrap();
    let outline = square(120.37, 36.11, 120.39, 36.13);
    let conn = &mut writer.conn();
    areas::put_district(conn, 1, &District { code, name: "市北区".to_owned(), outline: outline.clone() })
        .await
        .unwrap();
    head::create(conn, code).await.unwrap();
    catalog::fill(conn, code, &Catalog::national()).await.unwrap();
    let units = [
        organization("370203-DRA01", "排水一公司", OrgKind::Utility),
        organization("370203-WAT01", "自来水公司", OrgKind::Utility),
        organization("370203005-K01", "城市管理办公室", OrgKind::Section),
    ];
    organizations::put(conn, 1, &units).await.unwrap();
    areas::put(conn, code, 1, parts).await.unwrap();
    let person = PersonId(Uuid::from_u128(7));
    let (source, external_id) = ("town".to_owned(), "1".to_owned());
    let record = Person { id: person, district: code, source, external_id, organization: None, version: 1 };
    people::put(conn, code, 1, &[record]).await.unwrap();
    let grid = WEST.parse::<GridCode>().unwrap().number();
    people::put_duties(conn, code, &[(grid, DutyKind::GridLeader, person)]).await.unwrap();
    let import = ImportId(Uuid::from_u128(1));
    let rows: Vec<_> = (1..).zip(COVERS).map(|(row, cover)| staged(row, cover)).collect();
    cover_stage::stage(conn, code, import, &rows).await.unwrap();
    cover_stage::apply(conn, code, import, 1, (1, 10)).await.unwrap();
    let mut head = head::lock(conn, code).await.unwrap().unwrap();
    head.seq = 1;
    head.registry_seq = 1;
    let applied = Event {
        seq: 1,
        at: 1_764_000_000_000_000,
        actor: "operator".to_owned(),
        kind: "import.applied".to_owned(),
        subject: import.0.to_string(),
        version: 1,
        data: "{}".to_owned(),
        reason: None,
    };
    events::rows(code, &[applied]).write(conn).await.unwrap();
    head::rows(code, &head).write(conn).await.unwrap();
}

/// A district to the east, of one grid and no covers.
async fn seed_neighbour(writer: &mut WriteConn) {
    let code: DistrictCode = "370213".parse().unwrap();
    let outline = square(120.39, 36.11, 120.40, 36.13);
    let conn = &mut writer.conn();
    areas::put_district(conn, 1, &District { code, name: "李沧区".to_owned(), outline: outline.clone() })
        .await
        .unwrap();
    head::create(conn, code).await.unwrap();
    catalog::fill(conn, code, &Catalog::national()).await.unwrap();
    let codes = [(370_213_001, "街道"), (370_213_001_001, "社区"), (370_213_001_001_001, "网格")];
    let parts = codes.map(|(code, name)| area(code, name, outline.clone()));
    areas::put(conn, code, 1, &parts).await.unwrap();
}

/// A running town.
struct Town {
    router: Router,
    guli: Arc<Guli>,
    writer: crate::service::WriterTask,
    dir: tempfile::TempDir,
}

/// An answer, with its body as it is and as JSON.
#[derive(Debug)]
struct Got {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    bytes: axum::body::Bytes,
    body: Value,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The problem's slug and what was at fault first.
    fn fault(&self) -> (u16, &str, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        assert_eq!(self.body["status"], self.status.as_u16());
        let slug = self.body["type"].as_str().unwrap().rsplit('/').next().unwrap();
        let error = &self.body["errors"][0];
        let at = ["pointer", "parameter", "header"].iter().find_map(|kind| error[kind].as_str()).unwrap_or_default();
        (self.status.as_u16(), slug, at.to_owned())
    }
}

/// A request in the making.
struct Ask<'a> {
    town: &'a Town,
    request: axum::http::request::Builder,
}

impl Ask<'_> {
    fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// The answer; what is refused is asked in Chinese too.
    async fn send(self, body: impl Into<Body>) -> Got {
        let (asked, body) = self.request.body(body.into()).unwrap().into_parts();
        let sent = body.collect().await.unwrap().to_bytes();
        let request = Request::from_parts(asked.clone(), Body::from(sent.clone()));
        let response = self.town.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        assert!(headers.contains_key("x-request-id"));
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let got = Got { status, headers, bytes, body };
        if got.header("content-type") == "application/problem+json" && !asked.headers.contains_key("accept-language") {
            languages::is_refused_in_chinese_too(self.town, asked, sent, &got).await;
        }
        got
    }

    async fn json(self, body: Value) -> Got {
        self.header("content-type", "application/json").send(body.to_string()).await
    }

    async fn get(self) -> Got {
        self.send(Body::empty()).await
    }
}

impl Town {
    async fn open() -> Self {
        Self::seeded(async |writer| seed(writer).await).await
    }

    async fn with_neighbour() -> Self {
        Self::seeded(async |writer| {
            seed(writer).await;
            seed_neighbour(writer).await;
        })
        .await
    }

    async fn seeded(seeds: impl AsyncFnOnce(&mut WriteConn)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(&dir.path().join("guli.db"));
        let store = Store::open(&url, None).await.unwrap();
        let mut writer = store.write().await.unwrap();
        writer.begin().await.unwrap();
        seeds(&mut writer).await;
        writer.commit().await.unwrap();
        writer.close().await.unwrap();
        store.close().await;
        drop(store);
        Self::on(dir).await
    }

    /// Served from the database in this folder.
    async fn on(dir: tempfile::TempDir) -> Self {
        let url = DatabaseUrl::sqlite(&dir.path().join("guli.db"));
        let (guli, writer) = Guli::open(&url, &dir.path().join("guli.key"), None, demo_keys()).await.unwrap();
        let guli = Arc::new(guli);
        let router = router(Parts::new(Arc::clone(&guli), "https://guli.example", 16).into(), &[]);
        Self { router, guli, writer, dir }
    }

    /// The same after a stop and a start.
    /// The database itself, past the service.
    async fn file(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.dir.path().join("guli.db")).connect().await.unwrap()
    }

    async fn sql(&self, statements: String) {
        let mut file = self.file().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut file).await.unwrap();
        file.close().await.unwrap();
    }

    async fn reopened(self) -> Self {
        let Self { router, guli, writer, dir } = self;
        drop(router);
        Arc::try_unwrap(guli).unwrap().close().await;
        writer.await.unwrap();
        Self::on(dir).await
    }

    fn get(&self, uri: &str) -> Ask<'_> {
        Ask { town: self, request: Request::get(uri) }
    }

    fn ask(&self, method: &str, uri: &str) -> Ask<'_> {
        Ask { town: self, request: Request::builder().method(method).uri(uri) }
    }

    fn post(&self, uri: &str) -> Ask<'_> {
        Ask { town: self, request: Request::post(uri) }
    }

    /// Reports damage to the lone cover without a key; gives the order's code.
    async fn report(&self) -> String {
        let got = self.post("/v1/reports").json(json!({"cover": ALONE, "damage": "missing"})).await;
        assert_eq!(got.status, 201, "{}", got.body);
        got.body["work_order"]["code"].as_str().unwrap().to_owned()
    }

    /// Acts on an order in any version.
    async fn act(&self, key: &str, order: &str, action: &str, body: Value) -> Got {
        let path = format!("/v1/work-orders/{order}/{action}");
        self.post(&path).key(key).header("if-match", "*").json(body).await
    }
}
