//! Sealing of values that are nobody's business who looks at the files: the Secrets of the cluster.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

const KEY_FILE: &str = "seal.key";
const KEY_LENGTH: usize = 32;

/// A key that is kept beside what it seals, readable by its owner only.
pub(crate) struct Seal {
    key: LessSafeKey,
    random: SystemRandom,
}

/// What was sealed is not what is there, or by another key.
#[derive(Debug, thiserror::Error)]
#[error("it was sealed with another key, or is damaged")]
pub(crate) struct Broken;

impl Seal {
    /// The key in `folder`, made where there is none.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let random = SystemRandom::new();
        let file = folder.join(KEY_FILE);
        let key = match fs::read(&file) {
            Ok(key) => key,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut key = vec![0; KEY_LENGTH];
                random
                    .fill(&mut key)
                    .map_err(|_| io::Error::other("the system gives no random numbers"))?;
                keep(&file, &key)?;
                key
            }
            Err(error) => return Err(error),
        };
        let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| io::Error::other(Broken))?;
        Ok(Self {
            key: LessSafeKey::new(key),
            random,
        })
    }

    /// Seals the value of a row; it opens under the same path only.
    pub(crate) fn seal(&self, path: &str, mut bytes: Vec<u8>) -> Result<Vec<u8>, Broken> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| Broken)?;
        let unique = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(unique, Aad::from(path), &mut bytes)
            .map_err(|_| Broken)?;
        Ok([nonce.as_slice(), &bytes].concat())
    }

    /// Opens what was sealed.
    pub(crate) fn unseal(&self, path: &str, sealed: &[u8]) -> Result<Vec<u8>, Broken> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Broken)?;
        let mut bytes = sealed.to_vec();
        let length = self
            .key
            .open_in_place(nonce, Aad::from(path), &mut bytes)
            .map_err(|_| Broken)?
            .len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// Writes the key in one step: a half-written one would make everything unreadable.
fn keep(file: &Path, key: &[u8]) -> io::Result<()> {
    let unfinished = file.with_extension("new");
    let mut options = OpenOptions::new();
    let mut new = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    new.write_all(key)?;
    fs::rename(unfinished, file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_only_and_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = Seal::open(folder.path())
            .unwrap()
            .seal("a", b"secret".to_vec())
            .unwrap();
        let again = Seal::open(folder.path()).unwrap();
        assert_eq!(again.unseal("a", &sealed).unwrap(), b"secret");
        assert!(again.unseal("b", &sealed).is_err() && again.unseal("a", b"short").is_err());
        let other = tempfile::tempdir().unwrap();
        assert!(Seal::open(other.path()).unwrap().unseal("a", &sealed).is_err());
        let mode = fs::metadata(folder.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
