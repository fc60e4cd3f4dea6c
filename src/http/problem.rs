//! The only place that turns an error into a status: RFC 9457 `application/problem+json`.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::service::error::{At, Fault, ServiceError};

/// What an answer of 4xx or 5xx says.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Stable in every language: `https://guli.dev/problems/<slug>`.
    #[serde(rename = "type")]
    #[schema(examples("https://guli.dev/problems/invalid"))]
    pub kind: String,
    /// In the language of `Accept-Language`.
    pub title: &'static str,
    pub status: u16,
    /// What exactly, for whoever wrote the request: always in English.
    pub detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemFault>,
    /// With 412: the version that is current.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<u32>,
    /// With 410: where the past of what is gone can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// With 409: the order's status.
    #[serde(rename = "order_status", skip_serializing_if = "Option::is_none")]
    pub order_status: Option<&'static str>,
    /// With 409: what this caller may do instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legal: Option<Vec<&'static str>>,
    /// Of a refused import: its report.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub report: Option<serde_json::Value>,
}

/// What was at fault, and where.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemFault {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<&'static str>,
    pub detail: String,
}

impl From<Fault> for ProblemFault {
    fn from(fault: Fault) -> Self {
        let (mut pointer, mut parameter, mut header) = (None, None, None);
        match fault.at {
            At::Pointer(at) => pointer = Some(at),
            At::Parameter(at) => parameter = Some(at),
            At::Header(at) => header = Some(at),
        }
        Self { pointer, parameter, header, detail: fault.detail }
    }
}

/// The language of texts for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    #[default]
    English,
    Chinese,
}

impl Language {
    /// What `Accept-Language` prefers of the two.
    pub fn of(accept: Option<&HeaderValue>) -> Self {
        let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (Self::English, 0.0);
        for part in accept.split(',') {
            let (tag, weight) = part.split_once(";q=").unwrap_or((part, "1"));
            let language = match tag.trim().get(..2) {
                Some("zh") => Self::Chinese,
                Some("en") => Self::English,
                _ => continue,
            };
            let weight: f32 = weight.trim().parse().unwrap_or(0.0);
            if weight > best.1 {
                best = (language, weight);
            }
        }
        best.0
    }
}

/// slug, English title, Chinese title
type Kind = (&'static str, &'static str, &'static str);

fn kind_of(error: &ServiceError) -> (StatusCode, Kind) {
    match error {
        ServiceError::Malformed(_) => {
            (StatusCode::BAD_REQUEST, ("malformed", "The request cannot be read", "请求无法解析"))
        }
        ServiceError::Invalid(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, ("invalid", "The request is not acceptable", "请求内容不合要求"))
        }
        ServiceError::UnknownCrs(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, ("unknown-crs", "Unknown coordinate system", "未知的坐标系"))
        }
        ServiceError::OutsideServiceArea(_) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            ("outside-service-area", "Outside every district served here", "位置不在服务区域内"),
        ),
        ServiceError::OtherDistrict(_) => {
            (StatusCode::MISDIRECTED_REQUEST, ("other-district", "Served elsewhere", "由其他服务器负责"))
        }
        ServiceError::NotFound(_) => (StatusCode::NOT_FOUND, ("not-found", "Not found", "不存在")),
        ServiceError::Gone { .. } => (StatusCode::GONE, ("gone", "Gone", "已失效")),
        ServiceError::Unauthorized(_) => {
            (StatusCode::UNAUTHORIZED, ("unauthorized", "A valid key is needed", "需要有效的密钥"))
        }
        ServiceError::Forbidden(_) => (StatusCode::FORBIDDEN, ("forbidden", "Not yours to do", "无权操作")),
        ServiceError::PreconditionRequired => {
            (StatusCode::PRECONDITION_REQUIRED, ("precondition-required", "If-Match is needed", "需要 If-Match"))
        }
        ServiceError::Stale { .. } => {
            (StatusCode::PRECONDITION_FAILED, ("stale-version", "Changed in the meantime", "版本已过期"))
        }
        ServiceError::Illegal { .. } => {
            (StatusCode::CONFLICT, ("illegal-transition", "Not possible now", "当前状态不允许此操作"))
        }
        ServiceError::Conflict(_) => {
            (StatusCode::CONFLICT, ("conflict", "In conflict with what is there", "与现有数据冲突"))
        }
        ServiceError::ImportRejected(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, ("import-rejected", "The file has errors", "导入文件有错误"))
        }
        ServiceError::IdempotencyMismatch => (
            StatusCode::UNPROCESSABLE_ENTITY,
            ("idempotency-mismatch", "The key was used for another request", "幂等键已用于其他请求"),
        ),
        ServiceError::InProgress => {
            (StatusCode::CONFLICT, ("in-progress", "The same request is still running", "相同请求正在处理"))
        }
        ServiceError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, ("too-large", "Too large", "内容过大")),
        ServiceError::MediaType(_) => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ("unsupported-media-type", "Unsupported media type", "不支持的内容类型"),
        ),
        ServiceError::Method => {
            (StatusCode::METHOD_NOT_ALLOWED, ("method-not-allowed", "Method not allowed", "不支持的请求方法"))
        }
        ServiceError::Unavailable | ServiceError::NotYet(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, ("unavailable", "Not possible for the moment", "暂时无法处理"))
        }
        ServiceError::Internal(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, ("internal", "Something failed here", "服务器内部错误"))
        }
    }
}

/// Seconds after which a caller may ask again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// The problem that an error is.
pub fn problem(error: ServiceError, language: Language) -> (StatusCode, Problem) {
    let (status, (slug, english, chinese)) = kind_of(&error);
    let detail = match &error {
        // What failed is in the log, under the request's id.
        ServiceError::Internal(_) => {
            "the request could not be handled; its x-request-id finds it in the log".to_owned()
        }
        ServiceError::Malformed(fault) | ServiceError::UnknownCrs(fault) => fault.detail.clone(),
        ServiceError::Invalid(faults) => faults.first().map(|fault| fault.detail.clone()).unwrap_or_default(),
        other => other.to_string(),
    };
    let mut problem = Problem {
        kind: format!("https://guli.dev/problems/{slug}"),
        title: if language == Language::Chinese { chinese } else { english },
        status: status.as_u16(),
        detail,
        errors: Vec::new(),
        current: None,
        history: None,
        order_status: None,
        legal: None,
        report: None,
    };
    let header = |name, detail: &str| vec![Fault::header(name, detail).into()];
    match error {
        ServiceError::Malformed(fault) | ServiceError::UnknownCrs(fault) => problem.errors.push(fault.into()),
        ServiceError::Invalid(faults) => problem.errors = faults.into_iter().map(Into::into).collect(),
        ServiceError::OutsideServiceArea(at) => {
            problem.errors.push(Fault { at, detail: problem.detail.clone() }.into());
        }
        ServiceError::Stale { current } => {
            problem.current = Some(current);
            problem.errors = header("If-Match", "the version is no longer current");
        }
        ServiceError::Gone { history, .. } => problem.history = history,
        ServiceError::ImportRejected(report) => problem.report = Some(*report),
        ServiceError::PreconditionRequired => {
            problem.errors = header("If-Match", "send If-Match: \"<version>\", or * for any version");
        }
        ServiceError::IdempotencyMismatch => {
            problem.errors = header("Idempotency-Key", "this key came with another body before");
        }
        ServiceError::Unauthorized(detail) => problem.errors = header("Authorization", detail),
        ServiceError::MediaType(expected) => problem.errors = header("Content-Type", expected),
        ServiceError::Illegal { status, legal, .. } => {
            problem.order_status = Some(status);
            problem.legal = Some(legal);
        }
        _ => {}
    }
    (status, problem)
}

/// The answer that an error becomes.
pub fn respond(error: ServiceError, language: Language) -> Response<Body> {
    let (status, problem) = problem(error, language);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        _ => {}
    }
    response
}

/// An error on its way out of a handler. The edge, which knows the caller's language, makes the
/// answer of it.
#[derive(Debug)]
pub struct Failure(pub ServiceError);

/// What a handler gives back.
pub type Outcome = Result<Response<Body>, Failure>;

impl<E: Into<ServiceError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl axum::response::IntoResponse for Failure {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Pending(self.0));
        response
    }
}

/// Travels with the empty answer of a [`Failure`] to the edge.
#[derive(Debug, Clone)]
pub struct Pending(pub ServiceError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_preferred() {
        for (accept, language) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("en-GB, zh;q=0.5", Language::English),
            ("fr, zh;q=0.1", Language::Chinese),
            ("", Language::English),
        ] {
            assert_eq!(Language::of(Some(&HeaderValue::from_static(accept))), language, "{accept}");
        }
    }
}
