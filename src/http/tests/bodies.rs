//! Bodies that come slowly, or not at all.

use std::time::Duration;

use axum::body::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::task::JoinHandle;

use super::*;

/// Requests in work at once, as [`Town::on`] has them.
const PLACES: usize = 16;

impl Town {
    /// Begins a report of so many bytes and goes silent.
    fn stall(&self, bytes: usize) -> JoinHandle<Got> {
        let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b' '; bytes]))]);
        let body = Body::from_stream(begun.chain(stream::pending()));
        let request = Request::post("/v1/reports").header("content-type", "application/json").body(body).unwrap();
        let router = self.router.clone();
        tokio::spawn(async move {
            let response = router.oneshot(request).await.unwrap();
            let (status, headers) = (response.status(), response.headers().clone());
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            let body = serde_json::from_slice(&bytes).unwrap();
            Got { status, headers, bytes, body }
        })
    }

    async fn report_with(&self, note: usize) -> Got {
        let report = json!({"cover": ALONE, "damage": "missing"}).to_string();
        let ask = self.post("/v1/reports").header("content-type", "application/json").header("accept-language", "en");
        // In two pieces, so that the second has to be waited for.
        let pieces = [report, " ".repeat(note)].map(Ok::<_, std::io::Error>);
        let pieces = stream::iter(pieces).then(|piece| async {
            tokio::task::yield_now().await;
            piece
        });
        let response = self.router.clone().oneshot(ask.request.body(Body::from_stream(pieces)).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap();
        Got { status, headers, bytes, body }
    }
}

#[tokio::test]
async fn who_sends_slowly_keeps_nobody_from_writing() {
    let town = Town::open().await;
    let slow: Vec<_> = (0..10 * PLACES).map(|_| town.stall(100)).collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let got = town.report_with(5).await;
    assert_eq!(got.status, 201, "{}", got.body);
    slow.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn what_slow_senders_have_sent_is_bounded() {
    let town = Town::open().await;
    let slow: Vec<_> = (0..PLACES).map(|_| town.stall(100_000)).collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let one_more = town.stall(100_000).await.unwrap();
    assert_eq!(one_more.fault().1, "unavailable");
    // What is small needs none of their places.
    assert_eq!(town.report_with(5).await.status, 201);
    slow.iter().for_each(JoinHandle::abort);
    for one in slow {
        assert!(one.await.is_err_and(|error| error.is_cancelled()));
    }
    assert_eq!(town.report_with(100_000).await.status, 201);
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said_as_before() {
    let town = Town::open().await;
    let too_long = town.report_with(300_000).await;
    assert_eq!(too_long.fault().0, 413);
    let unknown = town.post("/v1/covers").json(json!(" ".repeat(300_000))).await;
    assert_eq!(unknown.fault().0, 401, "before its length");
    tokio::time::pause();
    let late = town.stall(100).await.unwrap();
    assert_eq!(late.fault(), (400, "malformed", String::new()));
    assert_eq!(late.body["errors"][0]["detail"], "the body did not arrive within 10 seconds");
}
