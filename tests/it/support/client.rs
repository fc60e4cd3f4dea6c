//! HTTP as a caller speaks it.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;

/// Someone who calls.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    address: String,
    key: Option<String>,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Client {
    pub(crate) fn new(address: &str, key: Option<&str>) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, address: address.to_owned(), key: key.map(str::to_owned) }
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        let request = self.signed(self.http.get(format!("{}{path}", self.address)));
        Reply::read(request.send().await.unwrap()).await.unwrap()
    }

    /// The same with more headers.
    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(self.http.get(format!("{}{path}", self.address)), headers).await
    }

    pub(crate) async fn patch(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        self.send(self.http.patch(format!("{}{path}", self.address)).json(body), headers).await
    }

    pub(crate) async fn delete(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(self.http.delete(format!("{}{path}", self.address)), headers).await
    }

    /// Sends a file to be imported.
    pub(crate) async fn import(&self, query: &str, name: &str, content: &str) -> Reply {
        let part = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"");
        let body = format!("--limit\r\n{part}\r\n\r\n{content}\r\n--limit--\r\n");
        let request = self.http.post(format!("{}/v1/imports?{query}", self.address)).body(body);
        self.send(request, &[("content-type", "multipart/form-data; boundary=limit")]).await
    }

    async fn send(&self, request: RequestBuilder, headers: &[(&str, &str)]) -> Reply {
        let mut request = self.signed(request);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reply::read(request.send().await.unwrap()).await.unwrap()
    }

    /// The bytes of a successful answer.
    pub(crate) async fn get_bytes(&self, path: &str) -> Vec<u8> {
        let response = self.signed(self.http.get(format!("{}{path}", self.address))).send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.bytes().await.unwrap().to_vec()
    }

    /// Posts; an error is a connection that broke.
    pub(crate) async fn try_post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> reqwest::Result<Reply> {
        let mut request = self.signed(self.http.post(format!("{}{path}", self.address))).json(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reply::read(request.send().await?).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        self.try_post(path, headers, body).await.unwrap()
    }

    /// Acts on an order, whatever its version.
    pub(crate) async fn act(&self, order: &str, action: &str, body: &Value) -> Reply {
        self.post(&format!("/v1/work-orders/{order}/{action}"), &[("If-Match", "*")], body).await
    }
}

impl Reply {
    async fn read(response: Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Self { status, headers, text: response.text().await? })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// The body, of an answer with this status.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    /// Fails the test unless this is the problem `slug`.
    pub(crate) fn problem(&self, status: u16, slug: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert!(problem["type"].as_str().unwrap().ends_with(&format!("/problems/{slug}")), "{problem}");
        problem
    }
}

/// An idempotency key that nobody used before.
pub(crate) fn fresh_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("it-{:08}-{:012}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
