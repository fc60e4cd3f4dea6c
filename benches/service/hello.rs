//! What HTTP costs without Guli's work: this program started again as a server of one fixed answer.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use axum::routing::get;
use guli::http::{Parts, edge, ops};
use guli::service::Guli;
use guli::store::DatabaseUrl;

/// The first argument of a program that is to be such a server.
pub(crate) const ARGUMENT: &str = "--serve-reference";

/// Serves `bare`, or `layered` with a body of so many bytes, until killed.
pub(crate) fn serve(arguments: &[String]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // The folder outlives the server, which is killed, unless it is removed at once: the database is open by then.
        let dir = tempfile::tempdir()?;
        let router = match arguments {
            [kind] if kind == "bare" => Router::new().route("/v1/resolve", get(async || "Hello, World!")),
            [kind, size] if kind == "layered" => layered(dir.path(), size.parse()?).await?,
            other => anyhow::bail!("unknown reference {other:?}"),
        };
        dir.close()?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on http://{}", listener.local_addr()?);
        axum::serve(listener, router).await.context("the reference failed")
    })
}

/// The very layers of the service, with its log and its metrics, around an answer that is there already.
async fn layered(dir: &std::path::Path, size: usize) -> Result<Router> {
    ops::install_metrics();
    let filter = tracing_subscriber::EnvFilter::new("info");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    let database = DatabaseUrl::sqlite(&dir.join("guli.db"));
    let (guli, _writer) = Guli::open(&database, &dir.join("guli.key"), None, Vec::new()).await?;
    let app = Parts::new(Arc::new(guli), "http://localhost", 1024);
    let body = Bytes::from(vec![b' '; size]);
    let handler = async move || {
        let mut response = Response::new(Body::from(body.clone()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    };
    Ok(edge::guard(Router::new().route("/v1/resolve", get(handler)), app.into(), &[]))
}
