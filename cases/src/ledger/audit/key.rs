//! The auditor's key: a file that only its owner can read, and the public half that everybody may have.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::{SigningKey, VerifyingKey};

use super::trail::{from_hex, hex};

/// The mode of a key's file: its owner reads it, nobody else.
const KEY_MODE: u32 = 0o600;

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be made, read or written.
    #[error("cannot use the key file {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may read or change it.
    #[error("the key file {} is open to others (mode {mode:03o})", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It holds no key.
    #[error("{} holds no {what}", path.display())]
    NoKey {
        /// Which.
        path: PathBuf,
        /// What kind was looked for.
        what: &'static str,
    },
}

impl KeyError {
    /// What the user can do.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::File { .. } => "name a file in a directory that you can write to; a key is never overwritten",
            Self::Open { .. } => "chmod 600, and make a new key if somebody may have read it",
            Self::NoKey { .. } => "a key file holds 64 hexadecimal digits; `pgstrata ledger keygen` makes one",
        }
    }
}

/// Makes a new key and writes it to a file that was not there before; the public half goes to `FILE.pub`.
pub fn create(path: &Path) -> Result<SigningKey, KeyError> {
    let fail = |path: &Path, source| KeyError::File { path: path.to_owned(), source };
    let mut seed = [0; 32];
    let random = Path::new("/dev/urandom");
    File::open(random).and_then(|mut file| file.read_exact(&mut seed)).map_err(|source| fail(random, source))?;
    let key = SigningKey::from_bytes(&seed);
    write_new(path, KEY_MODE, &hex(&seed)).map_err(|source| fail(path, source))?;
    let public = public_path(path);
    write_new(&public, 0o644, &hex(key.verifying_key().as_bytes())).map_err(|source| fail(&public, source))?;
    Ok(key)
}

/// Reads a key, if nobody else can.
pub fn read(path: &Path) -> Result<SigningKey, KeyError> {
    let fail = |source| KeyError::File { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(fail)?;
    let mode = file.metadata().map_err(fail)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(fail)?;
    let no_key = |_| KeyError::NoKey { path: path.to_owned(), what: "private key" };
    Ok(SigningKey::from_bytes(&from_hex(text.trim()).map_err(no_key)?))
}

/// Reads a public key.
pub fn read_public(path: &Path) -> Result<VerifyingKey, KeyError> {
    let text = std::fs::read_to_string(path).map_err(|source| KeyError::File { path: path.to_owned(), source })?;
    let no_key = || KeyError::NoKey { path: path.to_owned(), what: "public key" };
    let bytes = from_hex(text.trim()).map_err(|_| no_key())?;
    VerifyingKey::from_bytes(&bytes).map_err(|_| no_key())
}

/// Where the public half of a key file is.
#[must_use]
pub fn public_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".pub");
    path.with_file_name(name)
}

fn write_new(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(format!("{text}\n").as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_written_once_for_its_owner_alone_and_read_back() {
        let place = std::env::temp_dir().join(format!("pgstrata-key-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&place).expect("a directory");
        let path = place.join("auditor.key");
        let key = create(&path).expect("a key");
        assert_eq!(path.metadata().expect("there").mode() & 0o777, KEY_MODE);
        assert_eq!(read(&path).expect("reads").to_bytes(), key.to_bytes());
        assert_eq!(read_public(&public_path(&path)).expect("reads"), key.verifying_key());
        assert!(matches!(create(&path), Err(KeyError::File { .. })), "it is not overwritten");
        set_permissions(&path, Permissions::from_mode(0o640)).expect("chmod");
        assert!(matches!(read(&path), Err(KeyError::Open { mode: 0o640, .. })));
        std::fs::remove_dir_all(&place).expect("clean up");
    }
}
