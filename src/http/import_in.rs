//! A file as it comes: `multipart/form-data`, into a folder of its own.

use std::collections::BTreeMap;
use std::path::Path;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use utoipa::ToSchema;

use super::body;
use crate::domain::said::say;
use crate::service::error::{Fault, Result, ServiceError};

/// Most bytes of a file.
const LARGEST: u64 = 1 << 30;
/// Most bytes of a mapping.
const MAPPING: u64 = 64 * 1024;

/// The parts of an import.
#[derive(ToSchema)]
#[expect(dead_code, reason = "says what `receive` reads")]
pub(super) struct ImportForm {
    /// Its name ends in its format: .csv, .geojson, .geojsonl.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    mapping: Option<Mapping>,
}

/// How a file is read: what a profile in `import.toml` says.
#[derive(ToSchema)]
#[expect(dead_code, reason = "says what a profile reads")]
pub(super) struct Mapping {
    /// What its records are.
    #[schema(examples("covers"))]
    kind: String,
    /// `csv`, `geojson` or `geojsonseq`; left out, the file's name says it.
    format: Option<String>,
    /// Left out, it is seen in the file's bytes.
    #[schema(examples("GB18030"))]
    encoding: Option<String>,
    /// Between the cells of a CSV; a comma unless said.
    #[schema(examples(";"))]
    delimiter: Option<String>,
    /// EPSG:4326 unless said.
    #[schema(examples("GCJ-02"))]
    crs: Option<String>,
    /// The organisation whose records they are; covers and people need one.
    #[schema(examples("370203-WAT01"))]
    source: Option<String>,
    /// Guli's field, and the file's column or property; without any, they are Guli's own names.
    #[schema(example = json!({"external_id": "编号", "lon": "经度", "lat": "纬度", "status": "状态"}))]
    columns: Option<BTreeMap<String, String>>,
    /// What every record has.
    #[schema(example = json!({"category": "0101"}))]
    constants: Option<BTreeMap<String, String>>,
    /// Of a field the file's words, and Guli's.
    #[schema(example = json!({"status": {"在用": "in_service"}}))]
    values: Option<BTreeMap<String, BTreeMap<String, String>>>,
}

/// What was sent: the file in a folder of its own, and the mapping.
pub(super) struct Sent {
    pub(super) folder: TempDir,
    pub(super) name: String,
    pub(super) mapping: Option<Map<String, Value>>,
    /// SHA-256 of all that was sent.
    pub(super) digest: [u8; 32],
}

pub(super) fn no_folder(error: &dyn std::fmt::Display) -> ServiceError {
    ServiceError::Internal(format!("an import's folder: {error}"))
}

pub(super) async fn receive(headers: &HeaderMap, body: Body) -> Result<Sent> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(|_| {
        ServiceError::MediaType(say!(
            "send Content-Type: multipart/form-data with the file in the part `file`",
            "请以 Content-Type: multipart/form-data 发送，文件放在名为 file 的部分"
        ))
    })?;
    let limit = multer::SizeLimit::new().whole_stream(LARGEST).for_field("mapping", MAPPING);
    let rules = multer::Constraints::new().allowed_fields(vec!["file", "mapping"]).size_limit(limit);
    let mut parts = multer::Multipart::with_constraints(body.into_data_stream(), boundary, rules);
    let broken = |error: multer::Error| match error {
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => ServiceError::TooLarge(
            say!("a file has at most 1 GB, a mapping 64 KB", "文件最大 1 GB，mapping 最大 64 KB"),
        ),
        multer::Error::UnknownField { field_name } => {
            let name = field_name.unwrap_or_default();
            let detail = say!(
                "unknown part {name:?}; known here: file, mapping",
                "未知的部分 {name:?}，此处可用的有：file, mapping"
            );
            ServiceError::invalid(format!("/{name}"), detail)
        }
        other => {
            ServiceError::Malformed(Fault::pointer("", say!("{other}", "无法按 multipart/form-data 解析：{other}")))
        }
    };
    let folder = tempfile::tempdir().map_err(|error| no_folder(&error))?;
    let (mut name, mut mapping) = (None, None);
    let mut hash = Sha256::new();
    while let Some(mut part) = parts.next_field().await.map_err(broken)? {
        if part.name() == Some("mapping") {
            let bytes = part.bytes().await.map_err(broken)?;
            hash.update([b"mapping\0", bytes.as_ref()].concat());
            mapping = Some(body::parse(&bytes)?);
            continue;
        }
        let given = part.file_name().and_then(|name| Path::new(name).file_name()?.to_str());
        let given = given.filter(|name| !name.contains('\0')).map(str::to_owned);
        let given = given.ok_or_else(|| {
            let detail =
                say!("the file needs a name, whose extension says its format", "文件要有名称，由扩展名说明格式");
            ServiceError::invalid("/file", detail)
        })?;
        hash.update(["file\0", &given, "\0"].concat());
        let mut file = tokio::fs::File::create(folder.path().join("file")).await.map_err(|error| no_folder(&error))?;
        while let Some(chunk) = part.chunk().await.map_err(broken)? {
            hash.update(&chunk);
            file.write_all(&chunk).await.map_err(|error| no_folder(&error))?;
        }
        file.flush().await.map_err(|error| no_folder(&error))?;
        name = Some(given);
    }
    let no_file = || ServiceError::invalid("/file", say!("a part `file` is needed", "缺少名为 file 的部分"));
    let name = name.ok_or_else(no_file)?;
    Ok(Sent { folder, name, mapping, digest: hash.finalize().into() })
}
