//! The address of a database.

use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where the data is.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl(String);

impl Default for DatabaseUrl {
    /// A file in the working directory.
    fn default() -> Self {
        Self("sqlite://guli.db".to_owned())
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(url: &str) -> std::result::Result<Self, String> {
        Self::try_from(url.to_owned())
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = String;

    fn try_from(url: String) -> std::result::Result<Self, String> {
        if url.starts_with("sqlite://") || url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Ok(Self(url))
        } else {
            Err("a database looks like sqlite://guli.db or postgres://user@host/name".to_owned())
        }
    }
}

impl DatabaseUrl {
    /// An `SQLite` database in this file.
    pub fn sqlite(file: &Path) -> Self {
        Self(format!("sqlite://{}", file.display()))
    }

    /// As it was given, with its password.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The file of an `SQLite` database.
    pub fn file(&self) -> Option<PathBuf> {
        self.0.strip_prefix("sqlite://").map(|rest| PathBuf::from(rest.split('?').next().unwrap_or(rest)))
    }
}

/// The address without its password.
impl std::fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme_end = self.0.find("://").map_or(0, |i| i + 3);
        match self.0[scheme_end..].rfind('@') {
            Some(at) => {
                let user = self.0[scheme_end..scheme_end + at].split(':').next().unwrap_or_default();
                write!(f, "{}{user}{}", &self.0[..scheme_end], &self.0[scheme_end + at..])
            }
            None => f.write_str(&self.0),
        }
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}
