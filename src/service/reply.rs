//! An answer as bytes, kept so that who asks again gets the same.

use crate::store::{StoreError, corrupt};

/// Status, the few headers that belong to the answer, and the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub location: Option<String>,
    pub etag: Option<String>,
    /// `Guli-Feed`: district and number of the event that this wrote.
    pub feed: String,
    pub body: Vec<u8>,
}

impl Reply {
    /// One line of head, then the body.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!(
            "{}\t{}\t{}\t{}\n",
            self.status,
            self.location.as_deref().unwrap_or(""),
            self.etag.as_deref().unwrap_or(""),
            self.feed
        )
        .into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        let broken = || corrupt("a kept reply", bytes.len());
        let end = bytes.iter().position(|&b| b == b'\n').ok_or_else(broken)?;
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| broken())?;
        let mut parts = head.split('\t');
        let mut next = || parts.next().ok_or_else(broken);
        let (status, location, etag, feed) = (next()?, next()?, next()?, next()?);
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ok(Self {
            status: status.parse().map_err(|_| broken())?,
            location: some(location),
            etag: some(etag),
            feed: feed.to_owned(),
            body: bytes[end + 1..].to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_comes_back_as_it_was() {
        let reply = Reply {
            status: 201,
            location: Some("/v1/reports/x".into()),
            etag: None,
            feed: "370203:7".into(),
            body: b"{\n}\n".to_vec(),
        };
        assert_eq!(Reply::from_bytes(&reply.to_bytes()).unwrap(), reply);
        assert!(Reply::from_bytes(b"200").is_err());
    }
}
