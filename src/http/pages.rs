//! `/` for browsers: the page and what belongs to it, from the binary itself or, while working on them, from a folder.
//!
//! The files are served as they are written (`web/`): no step stands between them and the browser. Their address holds
//! a hash of all of them, so that a browser keeps them for ever and takes none from another version.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

use super::layers::{is_known, takes_gzip};
use super::problem::Outcome;
use super::write::InPath;
use super::{App, set};
use crate::domain::said::say;
use crate::service::error::{Result, ServiceError};

/// The page itself.
pub const INDEX: &str = "index.html";
/// The API, readable and to be tried.
pub const DOCS: &str = "docs.html";

/// Pages name their parts by this mark, which becomes their address.
const MARK: &str = "{{assets}}";

/// Nothing comes from elsewhere and no script is written into a page. `data:` is for the pictures in the map's own
/// style sheet.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "web/"]
struct Embedded;

/// A file and, from its first request on, its packed form.
#[derive(Debug)]
struct File {
    bytes: Bytes,
    packed: OnceLock<Bytes>,
}

impl File {
    fn new(bytes: Cow<'static, [u8]>) -> Self {
        let bytes = match bytes {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        Self { bytes, packed: OnceLock::new() }
    }

    fn packed(&self) -> Bytes {
        self.packed.get_or_init(|| pack(&self.bytes)).clone()
    }
}

fn pack(bytes: &[u8]) -> Bytes {
    let mut packer = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::best());
    // Writing to memory does not fail; if it did, the file would come out empty and not wrong.
    let _ = packer.write_all(bytes);
    packer.finish().unwrap_or_default().into()
}

/// The pages in the binary.
#[derive(Debug)]
struct Site {
    version: String,
    files: BTreeMap<String, File>,
}

static BUILT_IN: LazyLock<Arc<Site>> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    let mut files = BTreeMap::new();
    let mut names: Vec<_> = Embedded::iter().collect();
    names.sort();
    for name in names {
        let Some(file) = Embedded::get(&name) else { continue };
        hash.update(name.as_bytes());
        hash.update(file.metadata.sha256_hash());
        files.insert(name.into_owned(), File::new(file.data));
    }
    let digest = hash.finalize();
    let version = digest.iter().take(8).fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    let version = format!("{version:016x}");
    let files = files
        .into_iter()
        .map(|(name, file)| if is_page(&name) { (name, placed(&file, &version)) } else { (name, file) });
    Arc::new(Site { files: files.collect(), version })
});

/// Pages have addresses of their own.
fn is_page(name: &str) -> bool {
    matches!(name, INDEX | DOCS)
}

/// The page with the address of its parts.
fn placed(file: &File, version: &str) -> File {
    let text = String::from_utf8_lossy(&file.bytes).replace(MARK, &format!("/assets/{version}"));
    File::new(Cow::Owned(text.into_bytes()))
}

/// Where pages come from.
#[derive(Debug, Clone)]
pub enum Pages {
    BuiltIn,
    /// Read anew for each request.
    Folder(Arc<Path>),
}

/// The version in addresses of files that are read from a folder.
const UNVERSIONED: &str = "dev";

impl Pages {
    pub fn new(folder: Option<PathBuf>) -> Self {
        folder.map_or(Self::BuiltIn, |folder| Self::Folder(folder.into()))
    }

    /// Packs all files, so that nobody waits for it later.
    pub fn prepare(&self) {
        if let Self::BuiltIn = self {
            for file in BUILT_IN.files.values() {
                file.packed();
            }
        }
    }
}

/// Whether a browser asks: others get the index in JSON.
pub fn wanted(headers: &HeaderMap) -> bool {
    let given = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    given
        .flat_map(|value| value.split(','))
        .any(|part| part.split(';').next().is_some_and(|kind| kind.trim() == "text/html"))
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "text/plain; charset=utf-8",
    }
}

fn answer(name: &str, file: &File, headers: &HeaderMap, cache: &'static str) -> Response<Body> {
    let gzip = takes_gzip(headers);
    let mut response = Response::new(Body::from(if gzip { file.packed() } else { file.bytes.clone() }));
    if gzip {
        set(&mut response, "content-encoding", "gzip");
    }
    set(&mut response, "content-type", media_type(name));
    set(&mut response, "cache-control", cache);
    set(&mut response, "vary", "accept, accept-encoding");
    protect(&mut response);
    response
}

fn protect(response: &mut Response<Body>) {
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("permissions-policy", "geolocation=(self), camera=(), microphone=()"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}

/// A page.
pub async fn page(app: &App, name: &str, headers: &HeaderMap) -> Outcome {
    match &app.pages {
        Pages::BuiltIn => {
            let site = &*BUILT_IN;
            let file = site.files.get(name).ok_or_else(missing)?;
            let tag = if takes_gzip(headers) { format!("{}-gz", site.version) } else { site.version.clone() };
            let mut response = answer(name, file, headers, "no-cache");
            set(&mut response, "etag", &format!("\"{tag}\""));
            if is_known(headers, &tag) {
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                *response.body_mut() = Body::empty();
            }
            Ok(response)
        }
        Pages::Folder(folder) => {
            let file = placed(&read(folder, name).await?, UNVERSIONED);
            Ok(answer(name, &file, headers, "no-store"))
        }
    }
}

fn missing() -> ServiceError {
    ServiceError::NotFound(say!("this file", "此文件"))
}

/// A file of the folder and of nowhere else.
async fn read(folder: &Path, name: &str) -> Result<File> {
    let name = Path::new(name);
    if !name.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(missing());
    }
    let bytes = tokio::fs::read(folder.join(name)).await.map_err(|_| missing())?;
    Ok(File::new(Cow::Owned(bytes)))
}

/// The API, readable
///
/// This document as a page: what each address takes and answers, with examples that can be tried. It asks no other
/// host for anything.
#[utoipa::path(
    get, path = "/docs", operation_id = "docs", tag = "operations",
    responses((status = 200, description = "The page", body = String, content_type = "text/html")),
)]
pub async fn docs(State(app): State<App>, headers: HeaderMap) -> Outcome {
    page(&app, DOCS, &headers).await
}

/// A part of the page
///
/// Scripts, styles and words of `/`. The version is a hash of all of them: what an address holds never changes.
#[utoipa::path(
    get, path = "/assets/{version}/{file}", operation_id = "asset", tag = "operations",
    params(
        ("version" = String, Path, description = "As the page names it"),
        ("file" = String, Path, description = "Path of the file, with its slashes", example = "i18n/en.json"),
    ),
    responses(
        (status = 200, description = "The file", content((String = "text/javascript"), (String = "text/css"))),
        super::openapi::NotFound,
    ),
)]
pub async fn asset(
    State(app): State<App>,
    InPath((version, name)): InPath<(String, String)>,
    headers: HeaderMap,
) -> Outcome {
    match &app.pages {
        Pages::BuiltIn => {
            let site = &*BUILT_IN;
            let known = site.files.get(&name).filter(|_| version == site.version && !is_page(&name));
            let file = known.ok_or_else(missing)?;
            Ok(answer(&name, file, &headers, "public, max-age=31536000, immutable"))
        }
        Pages::Folder(folder) => Ok(answer(&name, &read(folder, &name).await?, &headers, "no-store")),
    }
}
