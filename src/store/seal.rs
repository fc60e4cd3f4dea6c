//! Sealing: what must not be read from the database file alone is encrypted with a key file
//! that lies beside it (0600), by XChaCha20-Poly1305 with a random nonce. What is only to be recognised, and never read
//! again, is kept as a digest under the same key.

use std::io::{Read as _, Write as _};
use std::path::Path;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{Result, StoreError, corrupt};

const NONCE_BYTES: usize = 24;

/// The key that seals, and a key of its own for what is recognised.
#[derive(Clone)]
pub struct Seal(XChaCha20Poly1305, Hmac<Sha256>);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    /// Reads the key file; `None` if there is none.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let mut key = [0; 32];
        match std::fs::File::open(path) {
            Ok(mut file) => file.read_exact(&mut key).map_err(|e| setup(path, &e))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(setup(path, &e)),
        }
        let keyed = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).map_err(|e| corrupt("a key", e));
        let recognised = keyed(&key)?.chain_update("guli: what is recognised").finalize().into_bytes();
        Ok(Some(Self(XChaCha20Poly1305::new(&key.into()), keyed(&recognised)?)))
    }

    /// Makes a key file that only its owner may read. Of several processes that do so at once, one makes it and all
    /// read it: it is whole from the moment it is there.
    pub fn make(path: &Path) -> Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|e| StoreError::Setup(format!("no random numbers: {e}")))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Readable by its owner alone, and gone if it does not become the key file.
        let file = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
            file.write_all(&key)?;
            file.as_file().sync_all()?;
            Ok(file)
        });
        match file.map_err(|e| setup(path, &e))?.persist_noclobber(path) {
            Err(e) if e.error.kind() != std::io::ErrorKind::AlreadyExists => Err(setup(path, &e.error)),
            _ => Self::read(path)?.ok_or_else(|| setup(path, &std::io::ErrorKind::NotFound.into())),
        }
    }

    /// Seals `plain` for one place: it opens only under the same `place`.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|e| corrupt("random numbers", e))?;
        let sealed = self
            .0
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: place.as_bytes() })
            .map_err(|e| corrupt("seal", e))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// What a text is recognised by at one place: the same for the same text, and nothing of it can be read or guessed
    /// without the key.
    pub fn digest(&self, place: &str, text: &str) -> String {
        let digest = self.1.clone().chain_update(place).chain_update([0]).chain_update(text).finalize().into_bytes();
        super::digest_text(&digest)
    }

    /// Opens what [`Seal::seal`] sealed for `place`.
    pub fn open_sealed(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_BYTES).ok_or_else(|| corrupt("sealed data", "too short"))?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|e| corrupt("sealed data", e))?;
        self.0
            .decrypt(&XNonce::from(nonce), Payload { msg: body, aad: place.as_bytes() })
            .map_err(|_| corrupt("sealed data", "wrong key file, or altered"))
    }
}

fn setup(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Setup(format!("key file {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_data_opens_only_with_its_key_and_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("guli.key");
        assert!(Seal::read(&file).unwrap().is_none());
        let seal = Seal::make(&file).unwrap();
        let sealed = seal.seal("370203/RP-1", "张三".as_bytes()).unwrap();
        assert!(!sealed.windows(3).any(|w| w == &"张".as_bytes()[..3]));
        let again = Seal::read(&file).unwrap().unwrap();
        assert_eq!(again.open_sealed("370203/RP-1", &sealed).unwrap(), "张三".as_bytes());
        assert!(again.open_sealed("370203/RP-2", &sealed).is_err());
        // Made by another process meanwhile: it is this one.
        let other = Seal::make(&file).unwrap();
        assert_eq!(other.open_sealed("370203/RP-1", &sealed).unwrap(), "张三".as_bytes());
        let other = Seal::make(&dir.path().join("other.key")).unwrap();
        assert!(other.open_sealed("370203/RP-1", &sealed).is_err());
        let recognised = seal.digest("a", "张三");
        assert_eq!((recognised.len(), &recognised), (32, &again.digest("a", "张三")));
        for differs in [seal.digest("b", "张三"), seal.digest("a", "张四"), other.digest("a", "张三")] {
            assert_ne!(differs, recognised);
        }
    }
}
