//! The router is the table of contents of the API.

pub mod body;
pub mod edge;
pub mod me;
pub mod ops;
pub mod params;
pub mod problem;
pub mod registry;
pub mod reports;
pub mod resolve;
pub mod wire;
pub mod work_orders;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::routing::{get, post};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::service::Guli;
use crate::service::error::ServiceError;
use problem::Failure;

/// What every handler can reach. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    pub guli: Arc<Guli>,
    /// How outsiders reach this server, without a slash at the end.
    pub public_url: Arc<str>,
    limits: Arc<Limits>,
}

/// Requests in work at once: what only reads never keeps a report waiting.
#[derive(Debug)]
struct Limits {
    reads: Semaphore,
    writes: Semaphore,
}

impl App {
    pub fn new(guli: Arc<Guli>, public_url: &str, concurrency: usize) -> Self {
        let limits = Limits { reads: Semaphore::new(concurrency), writes: Semaphore::new(concurrency) };
        Self { guli, public_url: public_url.into(), limits: Arc::new(limits) }
    }
}

/// All addresses of the API.
pub fn router(app: App, allowed_origins: &[String]) -> Router {
    let router = Router::new()
        .route("/v1/resolve", get(resolve::get))
        .route("/v1/resolve/batch", post(resolve::batch))
        .route("/v1/reports", post(reports::create))
        .route("/v1/reports/{tracking_token}", get(reports::track))
        .route("/v1/work-orders", get(work_orders::list))
        .route("/v1/work-orders/{code}", get(work_orders::get))
        .route("/v1/work-orders/{code}/{action}", post(work_orders::act))
        .route("/v1/districts", get(registry::districts))
        .route("/v1/districts/{code}", get(registry::district))
        .route("/v1/subdistricts", get(registry::subdistricts))
        .route("/v1/subdistricts/{code}", get(registry::subdistrict))
        .route("/v1/communities", get(registry::communities))
        .route("/v1/communities/{code}", get(registry::community))
        .route("/v1/grids", get(registry::grids))
        .route("/v1/grids/{code}", get(registry::grid))
        .route("/v1/organizations", get(registry::organizations))
        .route("/v1/organizations/{code}", get(registry::organization))
        .route("/v1/people", get(registry::people))
        .route("/v1/people/{code}", get(registry::person))
        .route("/v1/covers", get(registry::covers))
        .route("/v1/covers/{code}", get(registry::cover))
        .route("/v1/me", get(me::get))
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics))
        .route("/", get(ops::index))
        .fallback(async || Failure(ServiceError::NotFound("this address".to_owned())))
        .method_not_allowed_fallback(async || Failure(ServiceError::Method));
    edge::guard(router, app, allowed_origins)
}

/// A JSON answer.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Result<Response<Body>, Failure> {
    let bytes = to_bytes(value)?;
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, ServiceError> {
    serde_json::to_vec(value).map_err(|e| ServiceError::Internal(format!("an answer cannot be written: {e}")))
}

/// Sets a header from text that was made here.
pub(crate) fn set(response: &mut Response<Body>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
