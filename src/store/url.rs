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

/// The address without its password, which may stand before the host or among the parameters.
impl std::fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (address, query) =
            self.0.split_once('?').map_or((&*self.0, None), |(address, query)| (address, Some(query)));
        let scheme_end = address.find("://").map_or(0, |i| i + 3);
        match address[scheme_end..].rfind('@') {
            Some(at) => {
                let user = address[scheme_end..scheme_end + at].split(':').next().unwrap_or_default();
                write!(f, "{}{user}{}", &address[..scheme_end], &address[scheme_end + at..])?;
            }
            None if query.is_some_and(|query| query.contains('@')) => write!(f, "{}…", &address[..scheme_end])?,
            None => f.write_str(address)?,
        }
        // What has an '@' after the '?' may be a password that was not written as an address needs it.
        let hidden = |pair: &&str| pair.starts_with("password=") || pair.contains('@');
        let shown = query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !hidden(pair));
        for (n, pair) in shown.enumerate() {
            write!(f, "{}{pair}", if n == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}
