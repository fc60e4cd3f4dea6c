//! For those who run it: alive, ready, how it fares.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use metrics::Histogram;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Outcome;
use super::{App, json, pages, set};
use crate::service::error::ServiceError;

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts collecting; once per process.
pub fn install_metrics() {
    let buckets = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
    let builder = PrometheusBuilder::new().set_buckets(&buckets);
    if let Ok(handle) = builder.and_then(PrometheusBuilder::install_recorder) {
        let _ = METRICS.set(handle);
    }
}

/// How often what was counted is summed up.
const UPKEEP: Duration = Duration::from_secs(5);

/// Sums up what was counted, for ever: the exporter keeps every single value until then, and a
/// server whose metrics nobody fetches would grow with each request.
pub async fn keep_metrics_small() {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        if let Some(metrics) = METRICS.get() {
            metrics.run_upkeep();
        }
    }
}

/// Where requests with one outcome are counted: its method, its status, its histogram.
type Outcomes = Vec<(&'static str, StatusCode, Histogram)>;

thread_local! {
    /// By route. Finding a histogram by its labels costs more than all else that is done for counting.
    static COUNTED: RefCell<HashMap<String, Outcomes>> = RefCell::default();
}

/// Counts one answered request.
pub fn count(method: &Method, route: &str, status: StatusCode, took: Duration) {
    let method = name(method);
    COUNTED.with_borrow_mut(|counted| {
        if let Some(outcomes) = counted.get(route)
            && let Some((_, _, histogram)) = outcomes.iter().find(|(of, code, _)| (*of, *code) == (method, status))
        {
            return histogram.record(took);
        }
        let histogram = histogram(method, route, status);
        histogram.record(took);
        counted.entry(route.to_owned()).or_default().push((method, status, histogram));
    });
}

/// The methods that a route may have; whatever else is sent is one.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn histogram(method: &'static str, route: &str, status: StatusCode) -> Histogram {
    let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.as_str().to_owned())];
    metrics::histogram!("guli_http_request_seconds", &labels)
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    pub status: &'static str,
}

/// Alive: the process answers.
#[utoipa::path(
    get, path = "/healthz", tag = "operations",
    responses((status = 200, description = "As it is", body = Health)),
)]
pub async fn healthz() -> Outcome {
    json(StatusCode::OK, &Health { status: "ok" })
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    pub status: &'static str,
    pub districts: usize,
    /// In memory, those that were removed too: the lists and layers leave them out.
    pub covers: usize,
    pub open_orders: usize,
    /// Changes that other servers committed and that this one has not come to.
    pub changes_behind: i64,
    /// When this server last saw how far the database is.
    pub feed_seen_at: jiff::Timestamp,
}

/// Ready: the index is loaded, the database answers, and the feed is followed.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses((status = 200, description = "As it is", body = Readiness)),
)]
pub async fn readyz(State(app): State<App>) -> Outcome {
    app.guli.is_ready().map_err(ServiceError::NotYet)?;
    app.guli.ping().await?;
    let index = &app.guli.context.index;
    let lag = app.guli.lag();
    let readiness = Readiness {
        status: "ready",
        districts: index.districts().len(),
        covers: index.cover_count(),
        open_orders: index.order_count(),
        changes_behind: lag.changes,
        feed_seen_at: lag.seen,
    };
    json(StatusCode::OK, &readiness)
}

/// Prometheus text.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses((
        status = 200, description = "Prometheus text",
        body = String, content_type = "text/plain; version=0.0.4; charset=utf-8",
    )),
)]
pub async fn metrics(State(app): State<App>) -> Response<Body> {
    let index = &app.guli.context.index;
    metrics::gauge!("guli_covers").set(index.cover_count() as f64);
    metrics::gauge!("guli_open_orders").set(index.order_count() as f64);
    let lag = app.guli.lag();
    metrics::gauge!("guli_feed_changes_behind").set(lag.changes as f64);
    metrics::gauge!("guli_feed_age_seconds").set(app.guli.context.clock.now().duration_since(lag.seen).as_secs_f64());
    let text = METRICS.get().map(PrometheusHandle::render).unwrap_or_default();
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Welcome {
    pub name: &'static str,
    pub version: &'static str,
    pub openapi: &'static str,
    pub districts: Vec<String>,
}

/// What this is and where to go on
///
/// A page for browsers (`Accept: text/html`), JSON for others.
#[utoipa::path(
    get, path = "/", tag = "operations",
    responses((status = 200, description = "As it is", content((Welcome = "application/json"), (String = "text/html")))),
)]
pub async fn index(State(app): State<App>, headers: HeaderMap) -> Outcome {
    if pages::wanted(&headers) {
        return pages::page(&app, pages::INDEX, &headers).await;
    }
    let districts = app.guli.districts().iter().map(ToString::to_string).collect();
    let welcome =
        Welcome { name: "Guli 古力", version: env!("CARGO_PKG_VERSION"), openapi: "/openapi.json", districts };
    let mut response = json(StatusCode::OK, &welcome)?;
    set(&mut response, "vary", "accept");
    Ok(response)
}
