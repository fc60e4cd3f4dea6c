//! The router is the table of contents of the API.

pub mod actions;
pub mod area_edit;
pub mod area_in;
pub mod areas;
pub mod batch;
pub mod body;
pub mod cover_edit;
pub mod cover_in;
pub mod covers;
pub mod edge;
pub mod feed;
pub mod finding_out;
pub mod history;
mod import_in;
pub mod import_list;
pub mod import_made;
pub mod import_out;
pub mod imports;
mod json_fault;
pub mod layers;
pub mod me;
mod misdirected;
pub mod openapi;
pub mod ops;
pub mod order_out;
pub mod organizations;
pub mod page;
pub mod pages;
pub mod params;
mod peers;
pub mod people;
mod pool;
pub mod problem;
pub mod quality;
pub mod redraw_out;
pub mod refs;
mod refusals;
mod rendered;
pub mod reports;
pub mod resolve;
#[cfg(test)]
mod tests;
pub mod tiles;
pub mod wire;
pub mod words;
pub mod work_orders;
pub mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::routing::{delete, get, patch, post, put};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::domain::id::DistrictCode;
use crate::domain::said::say;
use crate::export::Cache;
use crate::import::profile::Profile;
use crate::service::Guli;
use crate::service::error::ServiceError;
use crate::tiles::Tiles;
use import_out::Imports;
use pages::Pages;
use peers::Peers;
use problem::{Failure, Outcome};

/// What every handler can reach. Each request holds it several times over: one count for all of it.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

/// The parts of [`App`].
#[derive(Debug)]
pub struct Parts {
    pub guli: Arc<Guli>,
    /// How outsiders reach this server, without a slash at the end.
    pub public_url: String,
    /// Layers as they were written last.
    pub layers: Arc<Cache>,
    /// Tiles as they were drawn last.
    pub tiles: Tiles,
    pub pages: Pages,
    /// Profiles that an import may name, and imports that were made.
    pub imports: Imports,
    peers: Peers,
    limits: Limits,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Requests in work at once: what only reads never keeps a report waiting.
#[derive(Debug)]
struct Limits {
    reads: Semaphore,
    writes: Semaphore,
    /// Large bodies on their way.
    bodies: Semaphore,
}

impl Limits {
    fn new(each: usize) -> Self {
        Self { reads: Semaphore::new(each), writes: Semaphore::new(each), bodies: Semaphore::new(each) }
    }
}

impl From<Parts> for App {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Parts {
    pub fn new(guli: Arc<Guli>, public_url: &str, concurrency: usize) -> Self {
        Self {
            guli,
            public_url: public_url.to_owned(),
            layers: Arc::default(),
            tiles: Tiles::default(),
            pages: Pages::BuiltIn,
            imports: Imports::default(),
            peers: Peers::default(),
            limits: Limits::new(concurrency),
        }
    }

    /// With pages from elsewhere.
    #[must_use]
    pub fn with_pages(self, pages: Pages) -> Self {
        Self { pages, ..self }
    }

    /// With profiles that an import may name.
    #[must_use]
    pub fn with_profiles(self, profiles: Vec<Profile>) -> Self {
        Self { imports: Imports::new(profiles), ..self }
    }

    /// With servers that requests about other districts are sent on to, at most so many at once.
    #[must_use]
    pub fn with_peers(self, addresses: BTreeMap<DistrictCode, Authority>, concurrency: usize) -> Self {
        Self { peers: Peers::new(addresses, concurrency), ..self }
    }
}

/// What is answered while the database is waited for: alive, and not ready.
pub fn waiting() -> Router {
    let refused = |headers: axum::http::HeaderMap| async move {
        let language = problem::Language::of(headers.get(header::ACCEPT_LANGUAGE));
        let away = say!("the database is away; this server waits for it", "数据库暂不可用，服务器正在等待");
        problem::respond(ServiceError::NotYet(away), language)
    };
    Router::new().route("/healthz", get(ops::healthz)).fallback(refused)
}

macro_rules! routes {
    ($($method:ident $path:literal $handler:path;)*) => {
        /// Method and address of every route.
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        fn routes() -> Router<App> {
            Router::new()$(.route($path, $method($handler)))*
        }
    };
}

routes! {
    get "/v1/resolve" resolve::get;
    post "/v1/resolve/batch" batch::batch;
    post "/v1/reports" reports::create;
    get "/v1/reports/{tracking_token}" reports::track;
    get "/v1/work-orders" work_orders::list;
    get "/v1/work-orders/{code}" work_orders::get;
    post "/v1/work-orders/{code}/accept" actions::accept;
    post "/v1/work-orders/{code}/arrive" actions::arrive;
    post "/v1/work-orders/{code}/secure" actions::secure;
    post "/v1/work-orders/{code}/repair" actions::repair;
    post "/v1/work-orders/{code}/verify" actions::verify;
    post "/v1/work-orders/{code}/close" actions::close;
    post "/v1/work-orders/{code}/identify" actions::identify;
    post "/v1/work-orders/{code}/reassign" actions::reassign;
    get "/v1/districts" areas::districts;
    get "/v1/districts/{code}" areas::district;
    get "/v1/districts/{code}/history" areas::district_history;
    get "/v1/subdistricts" areas::subdistricts;
    post "/v1/subdistricts" area_edit::create_subdistrict;
    get "/v1/subdistricts/{code}" areas::subdistrict;
    put "/v1/subdistricts/{code}" area_edit::put_subdistrict;
    patch "/v1/subdistricts/{code}" area_edit::patch_subdistrict;
    delete "/v1/subdistricts/{code}" area_edit::delete_subdistrict;
    get "/v1/subdistricts/{code}/history" area_edit::subdistrict_history;
    post "/v1/subdistricts/{code}/history/{version}/undo" area_edit::undo_subdistrict;
    get "/v1/communities" areas::communities;
    post "/v1/communities" area_edit::create_community;
    get "/v1/communities/{code}" areas::community;
    put "/v1/communities/{code}" area_edit::put_community;
    patch "/v1/communities/{code}" area_edit::patch_community;
    delete "/v1/communities/{code}" area_edit::delete_community;
    get "/v1/communities/{code}/history" area_edit::community_history;
    post "/v1/communities/{code}/history/{version}/undo" area_edit::undo_community;
    get "/v1/grids" areas::grids;
    post "/v1/grids" area_edit::create_grid;
    get "/v1/grids/{code}" areas::grid;
    put "/v1/grids/{code}" area_edit::put_grid;
    patch "/v1/grids/{code}" area_edit::patch_grid;
    delete "/v1/grids/{code}" area_edit::delete_grid;
    get "/v1/grids/{code}/history" area_edit::grid_history;
    post "/v1/grids/{code}/history/{version}/undo" area_edit::undo_grid;
    post "/v1/grids/redraw" area_edit::redraw;
    get "/v1/organizations" organizations::organizations;
    post "/v1/organizations" organizations::create;
    get "/v1/organizations/{code}" organizations::organization;
    put "/v1/organizations/{code}" organizations::put;
    patch "/v1/organizations/{code}" organizations::patch;
    delete "/v1/organizations/{code}" organizations::delete;
    get "/v1/organizations/{code}/history" organizations::history;
    post "/v1/organizations/{code}/history/{version}/undo" organizations::undo;
    get "/v1/people" people::people;
    post "/v1/people" people::create;
    get "/v1/people/{code}" people::person;
    put "/v1/people/{code}" people::put;
    patch "/v1/people/{code}" people::patch;
    delete "/v1/people/{code}" people::delete;
    get "/v1/people/{code}/history" people::history;
    post "/v1/people/{code}/history/{version}/undo" people::undo;
    get "/v1/covers" covers::covers;
    post "/v1/covers" cover_edit::create;
    get "/v1/covers/{code}" covers::cover;
    put "/v1/covers/{code}" cover_edit::put;
    patch "/v1/covers/{code}" cover_edit::patch;
    delete "/v1/covers/{code}" cover_edit::delete;
    post "/v1/covers/{code}/merge" cover_edit::merge;
    get "/v1/covers/{code}/history" cover_edit::history;
    post "/v1/covers/{code}/history/{version}/undo" cover_edit::undo;
    get "/v1/imports" import_list::list;
    post "/v1/imports" imports::create;
    get "/v1/imports/{id}" import_made::get;
    get "/v1/imports/{id}/rows" import_made::rows;
    post "/v1/imports/{id}/undo" import_made::undo;
    get "/v1/quality" quality::list;
    get "/v1/quality/{id}" quality::get;
    post "/v1/quality/{id}" quality::rule;
    get "/v1/changes" feed::changes;
    get "/v1/events" feed::events;
    get "/v1/layers/{file}" layers::get;
    get "/tiles/{file}" tiles::json;
    get "/tiles/{layer}/{z}/{x}/{file}" tiles::get;
    get "/v1/me" me::get;
    get "/healthz" ops::healthz;
    get "/readyz" ops::readyz;
    get "/metrics" ops::metrics;
    get "/openapi.json" openapi::get;
    get "/docs" pages::docs;
    get "/" ops::index;
    get "/assets/{version}/{*file}" pages::asset;
}

/// All addresses of the API.
pub fn router(app: App, allowed_origins: &[String]) -> Router {
    let router = routes()
        .fallback(async || Failure(write::no_address()))
        .method_not_allowed_fallback(async || Failure(ServiceError::Method));
    edge::guard(router, app, allowed_origins)
}

/// A JSON answer.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Outcome {
    let mut room = pool::room();
    write_json(&mut room, value)?;
    let mut response = Response::new(Body::from(pool::bytes(room)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn write_json<T: Serialize>(bytes: &mut Vec<u8>, value: &T) -> Result<(), ServiceError> {
    serde_json::to_writer(bytes, value).map_err(|e| ServiceError::Internal(format!("an answer cannot be written: {e}")))
}

pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, ServiceError> {
    let mut bytes = Vec::with_capacity(4 * 1024);
    write_json(&mut bytes, value)?;
    Ok(bytes)
}

/// Sets a header from text that was made here.
pub(crate) fn set(response: &mut Response<Body>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
