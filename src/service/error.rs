//! What a use case may answer instead of doing its work.

use std::fmt;

use crate::domain::actor::{Action, Refusal};
use crate::domain::id::{CoverCode, DistrictCode};
use crate::domain::said::{Said, english, say};
use crate::store::StoreError;

/// What in a request is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// A member of the body, as a JSON pointer.
    Pointer(String),
    /// A parameter of the query or of the path.
    Parameter(String),
    Header(&'static str),
}

/// One fault: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub at: At,
    pub detail: Said,
}

impl Fault {
    pub fn pointer(pointer: impl Into<String>, detail: impl Into<Said>) -> Self {
        Self { at: At::Pointer(pointer.into()), detail: detail.into() }
    }

    pub fn parameter(name: impl Into<String>, detail: impl Into<Said>) -> Self {
        Self { at: At::Parameter(name.into()), detail: detail.into() }
    }

    pub fn header(name: &'static str, detail: impl Into<Said>) -> Self {
        Self { at: At::Header(name), detail: detail.into() }
    }
}

/// Why a use case did not happen. Nothing was stored.
#[derive(Debug, Clone)]
pub enum ServiceError {
    /// Unreadable JSON, query, bbox or cursor.
    Malformed(Fault),
    Invalid(Vec<Fault>),
    UnknownCrs(Fault),
    OutsideServiceArea(At),
    OtherDistrict(DistrictCode),
    /// What does not exist, by its name.
    NotFound(Said),
    Gone {
        detail: Said,
        history: Option<String>,
    },
    Unauthorized(Said),
    Forbidden(Said),
    PreconditionRequired,
    /// The version that a request was made for, where it says so, is not the present one.
    Stale {
        at: At,
        current: u32,
    },
    Illegal {
        detail: Said,
        status: &'static str,
        legal: Vec<&'static str>,
    },
    /// What is asked stands against what is there.
    Conflict(Said),
    /// An import with errors, of which nothing was stored: its report.
    ImportRejected(Box<serde_json::Value>),
    IdempotencyMismatch,
    InProgress,
    TooLarge(Said),
    /// What is to be sent instead.
    MediaType(Said),
    Method,
    Unavailable,
    /// This process has not come so far yet.
    NotYet(Said),
    /// What failed, which is for the log and never for the caller.
    Internal(String),
}

/// What the caller is told.
impl From<&ServiceError> for Said {
    fn from(error: &ServiceError) -> Self {
        match error {
            ServiceError::Malformed(fault) | ServiceError::UnknownCrs(fault) => fault.detail.clone(),
            ServiceError::Invalid(faults) if !faults.is_empty() => faults[0].detail.clone(),
            ServiceError::Invalid(_) => say!("the request is not acceptable", "请求内容不合要求"),
            ServiceError::OutsideServiceArea(_) => {
                say!("the position lies outside every district served here", "位置不在本系统服务的任何行政区内")
            }
            ServiceError::OtherDistrict(district) => {
                say!("district {district} is served elsewhere", "行政区 {district} 由其他服务器负责")
            }
            ServiceError::NotFound(what) => not_there(what),
            ServiceError::Gone { detail, .. }
            | ServiceError::Illegal { detail, .. }
            | ServiceError::Unauthorized(detail)
            | ServiceError::Forbidden(detail)
            | ServiceError::Conflict(detail)
            | ServiceError::TooLarge(detail)
            | ServiceError::MediaType(detail)
            | ServiceError::NotYet(detail) => detail.clone(),
            ServiceError::PreconditionRequired => say!("If-Match is needed", "需要 If-Match"),
            ServiceError::Stale { .. } => say!("it has changed since", "此后已有改动"),
            ServiceError::ImportRejected(_) => {
                say!("the file has errors; nothing of it was stored", "文件有错误，未存入任何内容")
            }
            ServiceError::IdempotencyMismatch => {
                say!("the key was used for another request", "该幂等键已用于其他请求")
            }
            ServiceError::InProgress => say!("the same request is still running", "相同的请求仍在处理中"),
            ServiceError::Method => say!("this address does not know this method", "此地址不支持该请求方法"),
            ServiceError::Unavailable => say!("the database cannot write now", "数据库暂时无法写入"),
            // What failed is in the log, under the request's id.
            ServiceError::Internal(_) => say!(
                "the request could not be handled; its x-request-id finds it in the log",
                "请求未能处理；凭 x-request-id 可在日志中查到"
            ),
        }
    }
}

/// That something does not exist. Between a code and Chinese stands a space.
fn not_there(what: &Said) -> Said {
    let after_code = what.chinese.ends_with(|last: char| last.is_ascii_alphanumeric());
    let gap = if after_code { " " } else { "" };
    say!("{what} does not exist", "{what}{gap}不存在", what = what.clone())
}

/// For the log and the command line: in English, with all that is at fault, and with what failed.
impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(faults) if !faults.is_empty() => {
                let all: Vec<&str> = faults.iter().map(|fault| &*fault.detail.english).collect();
                f.write_str(&all.join("; "))
            }
            Self::Internal(what) => f.write_str(what),
            other => f.write_str(&english(other)),
        }
    }
}

impl std::error::Error for ServiceError {}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        // Logged once, here, where it leaves the part that knows what happened.
        match error {
            StoreError::Unavailable(_) | StoreError::Locked(_) => {
                tracing::warn!(%error, "store unavailable");
                Self::Unavailable
            }
            other => {
                tracing::error!(error = %other, "store failed");
                Self::Internal(other.to_string())
            }
        }
    }
}

impl ServiceError {
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<Said>) -> Self {
        Self::Invalid(vec![Fault::pointer(pointer, detail)])
    }

    pub fn parameter(name: impl Into<String>, detail: impl Into<Said>) -> Self {
        Self::Invalid(vec![Fault::parameter(name, detail)])
    }

    /// The version that a request names is not `current`.
    pub fn stale(at: At, current: i64) -> Self {
        Self::Stale { at, current: u32::try_from(current).unwrap_or(u32::MAX) }
    }

    /// A cover that was taken from the street.
    pub fn removed(code: CoverCode) -> Self {
        let detail = say!("cover {code} was removed", "井盖 {code} 已移除");
        Self::Gone { detail, history: Some(format!("/v1/covers/{code}/history")) }
    }

    /// A cover that was a second record of another, and was merged into that.
    pub fn merged(code: CoverCode, into: CoverCode) -> Self {
        let detail = say!("cover {code} was merged into {into}: edit that", "井盖 {code} 已并入 {into}：请改后者");
        Self::Gone { detail, history: Some(format!("/v1/covers/{code}/history")) }
    }

    /// A refusal of rights, where `what` is the thing that a hidden one does not admit to.
    pub fn refused(refusal: Refusal, what: impl Into<Said>) -> Self {
        match refusal {
            Refusal::Unauthenticated => Self::unauthenticated(),
            Refusal::Hidden => Self::NotFound(what.into()),
            Refusal::Forbidden(action) => Self::forbidden(action),
        }
    }

    /// There is no key where one is needed.
    pub fn unauthenticated() -> Self {
        Self::Unauthorized(say!(
            "this needs a key: send Authorization: Bearer KEY",
            "此操作需要密钥：请发送 Authorization: Bearer KEY"
        ))
    }

    /// It is not the caller's to do.
    pub fn forbidden(action: Action) -> Self {
        Self::Forbidden(say!(
            "the key's role or scope does not allow this: {who}",
            "该密钥的角色或作用范围不允许此操作：{who}",
            who = action.who_may(),
        ))
    }
}

pub type Result<T> = std::result::Result<T, ServiceError>;
