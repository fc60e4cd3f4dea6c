//! The only place that turns an error into a status: RFC 9457 `application/problem+json`.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

pub use crate::domain::said::Language;
use crate::domain::said::{Said, say};
use crate::service::error::{At, Fault, ServiceError};

/// What an answer of 4xx or 5xx says.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Stable in every language: `https://guli.dev/problems/<slug>`.
    #[serde(rename = "type")]
    #[schema(examples("https://guli.dev/problems/invalid"))]
    pub kind: String,
    /// In the language of `Accept-Language`.
    #[schema(value_type = String)]
    pub title: Cow<'static, str>,
    pub status: u16,
    /// What exactly, for whoever wrote the request, in the same language.
    #[schema(value_type = String)]
    pub detail: Cow<'static, str>,
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
    #[schema(value_type = String)]
    pub detail: Cow<'static, str>,
}

impl ProblemFault {
    fn new(fault: Fault, language: Language) -> Self {
        let (mut pointer, mut parameter, mut header) = (None, None, None);
        match fault.at {
            At::Pointer(at) => pointer = Some(at),
            At::Parameter(at) => parameter = Some(at),
            At::Header(at) => header = Some(at),
        }
        Self { pointer, parameter, header, detail: fault.detail.into_language(language) }
    }
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

/// Status, slug and title.
type Kind = (StatusCode, &'static str, Said);

fn kind_of(error: &ServiceError) -> Kind {
    use StatusCode as S;
    match error {
        ServiceError::Malformed(_) => (S::BAD_REQUEST, "malformed", say!("The request cannot be read", "请求无法解析")),
        ServiceError::Invalid(_) => {
            (S::UNPROCESSABLE_ENTITY, "invalid", say!("The request is not acceptable", "请求内容不合要求"))
        }
        ServiceError::UnknownCrs(_) => {
            (S::UNPROCESSABLE_ENTITY, "unknown-crs", say!("Unknown coordinate system", "未知的坐标系"))
        }
        ServiceError::OutsideServiceArea(_) => {
            let title = say!("Outside every district served here", "位置不在服务区域内");
            (S::UNPROCESSABLE_ENTITY, "outside-service-area", title)
        }
        ServiceError::OtherDistrict(_) => {
            (S::MISDIRECTED_REQUEST, "other-district", say!("Served elsewhere", "由其他服务器负责"))
        }
        ServiceError::NotFound(_) => (S::NOT_FOUND, "not-found", say!("Not found", "不存在")),
        ServiceError::Gone { .. } => (S::GONE, "gone", say!("Gone", "已失效")),
        ServiceError::Unauthorized(_) => {
            (S::UNAUTHORIZED, "unauthorized", say!("A valid key is needed", "需要有效的密钥"))
        }
        ServiceError::Forbidden(_) => (S::FORBIDDEN, "forbidden", say!("Not yours to do", "无权操作")),
        ServiceError::PreconditionRequired => {
            (S::PRECONDITION_REQUIRED, "precondition-required", say!("If-Match is needed", "需要 If-Match"))
        }
        ServiceError::Stale { .. } => {
            (S::PRECONDITION_FAILED, "stale-version", say!("Changed in the meantime", "版本已过期"))
        }
        ServiceError::Illegal { .. } => {
            (S::CONFLICT, "illegal-transition", say!("Not possible now", "当前状态不允许此操作"))
        }
        ServiceError::Conflict(_) => {
            (S::CONFLICT, "conflict", say!("In conflict with what is there", "与现有数据冲突"))
        }
        ServiceError::ImportRejected(_) => {
            (S::UNPROCESSABLE_ENTITY, "import-rejected", say!("The file has errors", "导入文件有错误"))
        }
        ServiceError::IdempotencyMismatch => {
            let title = say!("The key was used for another request", "幂等键已用于其他请求");
            (S::UNPROCESSABLE_ENTITY, "idempotency-mismatch", title)
        }
        ServiceError::InProgress => {
            (S::CONFLICT, "in-progress", say!("The same request is still running", "相同请求正在处理"))
        }
        ServiceError::TooLarge(_) => (S::PAYLOAD_TOO_LARGE, "too-large", say!("Too large", "内容过大")),
        ServiceError::MediaType(_) => {
            let title = say!("Unsupported media type", "不支持的内容类型");
            (S::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", title)
        }
        ServiceError::Method => {
            (S::METHOD_NOT_ALLOWED, "method-not-allowed", say!("Method not allowed", "不支持的请求方法"))
        }
        ServiceError::Unavailable | ServiceError::NotYet(_) => {
            (S::SERVICE_UNAVAILABLE, "unavailable", say!("Not possible for the moment", "暂时无法处理"))
        }
        ServiceError::Internal(_) => {
            (S::INTERNAL_SERVER_ERROR, "internal", say!("Something failed here", "服务器内部错误"))
        }
    }
}

/// Seconds after which a caller may ask again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// The problem that an error is, in the caller's language: here, and nowhere before, one of both is chosen.
pub fn problem(error: ServiceError, language: Language) -> (StatusCode, Problem) {
    let (status, slug, title) = kind_of(&error);
    let detail = Said::from(&error);
    let mut problem = Problem {
        kind: format!("https://guli.dev/problems/{slug}"),
        title: title.into_language(language),
        status: status.as_u16(),
        detail: detail.clone().into_language(language),
        errors: Vec::new(),
        current: None,
        history: None,
        order_status: None,
        legal: None,
        report: None,
    };
    let faults = match error {
        ServiceError::Malformed(fault) | ServiceError::UnknownCrs(fault) => vec![fault],
        ServiceError::Invalid(faults) => faults,
        ServiceError::OutsideServiceArea(at) => vec![Fault { at, detail }],
        ServiceError::Stale { at, current } => {
            problem.current = Some(current);
            vec![Fault { at, detail: say!("the version is no longer current", "该版本已不是最新") }]
        }
        ServiceError::Gone { history, .. } => {
            problem.history = history;
            Vec::new()
        }
        ServiceError::ImportRejected(report) => {
            problem.report = Some(*report);
            Vec::new()
        }
        ServiceError::PreconditionRequired => {
            let detail = say!(
                "send If-Match: \"<version>\", or * for any version",
                "请发送 If-Match: \"<version>\"，不限版本则用 *"
            );
            vec![Fault::header("If-Match", detail)]
        }
        ServiceError::IdempotencyMismatch => {
            let detail = say!("this key came with another body before", "此键先前带有另一请求体");
            vec![Fault::header("Idempotency-Key", detail)]
        }
        ServiceError::Unauthorized(_) => vec![Fault::header("Authorization", detail)],
        ServiceError::MediaType(_) => vec![Fault::header("Content-Type", detail)],
        ServiceError::Illegal { status, legal, .. } => {
            problem.order_status = Some(status);
            problem.legal = Some(legal);
            Vec::new()
        }
        _ => Vec::new(),
    };
    problem.errors = faults.into_iter().map(|fault| ProblemFault::new(fault, language)).collect();
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
    headers.insert(header::VARY, HeaderValue::from_static("accept-language"));
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
