//! What a use case may answer instead of doing its work.

use crate::domain::actor::Refusal;
use crate::domain::id::{CoverCode, DistrictCode};
use crate::store::StoreError;

/// What in a request is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// A member of the body, as a JSON pointer.
    Pointer(String),
    /// A query parameter.
    Parameter(String),
    Header(&'static str),
}

/// One fault: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub at: At,
    pub detail: String,
}

impl Fault {
    pub fn pointer(pointer: impl Into<String>, detail: impl ToString) -> Self {
        Self { at: At::Pointer(pointer.into()), detail: detail.to_string() }
    }

    pub fn parameter(name: impl Into<String>, detail: impl ToString) -> Self {
        Self { at: At::Parameter(name.into()), detail: detail.to_string() }
    }

    pub fn header(name: &'static str, detail: impl ToString) -> Self {
        Self { at: At::Header(name), detail: detail.to_string() }
    }
}

/// Why a use case did not happen. Nothing was stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ServiceError {
    /// Unreadable JSON, query, bbox or cursor.
    #[error("the request cannot be read")]
    Malformed(Fault),
    #[error("the request is not acceptable")]
    Invalid(Vec<Fault>),
    #[error("unknown coordinate system")]
    UnknownCrs(Fault),
    #[error("the position lies outside every district served here")]
    OutsideServiceArea(At),
    #[error("district {0} is served elsewhere")]
    OtherDistrict(DistrictCode),
    #[error("{0} does not exist")]
    NotFound(String),
    #[error("{detail}")]
    Gone { detail: String, history: Option<String> },
    #[error("{0}")]
    Unauthorized(&'static str),
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("If-Match is needed")]
    PreconditionRequired,
    #[error("it has changed since")]
    Stale { current: u32 },
    #[error("{detail}")]
    Illegal { detail: String, status: &'static str, legal: Vec<&'static str> },
    /// What is asked stands against what is there.
    #[error("{0}")]
    Conflict(String),
    /// An import with errors, of which nothing was stored: its report.
    #[error("the file has errors; nothing of it was stored")]
    ImportRejected(Box<serde_json::Value>),
    #[error("the key was used for another request")]
    IdempotencyMismatch,
    #[error("the same request is still running")]
    InProgress,
    #[error("{0}")]
    TooLarge(&'static str),
    #[error("send {0}")]
    MediaType(&'static str),
    #[error("this address does not know this method")]
    Method,
    #[error("the database cannot write now")]
    Unavailable,
    /// This process has not come so far yet.
    #[error("{0}")]
    NotYet(String),
    /// What failed, which is for the log and never for the caller.
    #[error("{0}")]
    Internal(String),
}

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
    pub fn invalid(pointer: impl Into<String>, detail: impl ToString) -> Self {
        Self::Invalid(vec![Fault::pointer(pointer, detail)])
    }

    pub fn parameter(name: impl Into<String>, detail: impl ToString) -> Self {
        Self::Invalid(vec![Fault::parameter(name, detail)])
    }

    /// A cover that was taken from the street.
    pub fn removed(code: CoverCode) -> Self {
        Self::Gone { detail: format!("cover {code} was removed"), history: Some(format!("/v1/covers/{code}/history")) }
    }

    /// A refusal of rights, where `what` is the thing that a hidden one does not admit to.
    pub fn refused(refusal: Refusal, what: impl Into<String>) -> Self {
        match refusal {
            Refusal::Unauthenticated => Self::Unauthorized("this needs a key: send Authorization: Bearer KEY"),
            Refusal::Hidden => Self::NotFound(what.into()),
            Refusal::Forbidden => Self::Forbidden("the key's role or scope does not allow this"),
        }
    }
}

pub type Result<T> = std::result::Result<T, ServiceError>;
