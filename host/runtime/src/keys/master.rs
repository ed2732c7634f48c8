//! The master key and its file.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use zeroize::Zeroizing;

use super::KeyError;

/// First line of the file; the number is the form's version.
const HEADER: &str = "sallyport-master-key 1";

/// Wraps data keys. Kept in a file that only its owner may read.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Reads the key, or makes one (mode 0600) where there is no file.
    ///
    /// # Errors
    /// [`KeyError::File`]: others may read it, it is no master key of this version, or the file system refuses.
    pub fn open_or_create(path: &Path) -> Result<Self, KeyError> {
        let failed = |reason: String| KeyError::File { path: path.display().to_string(), reason };
        match Self::create(path) {
            Ok(key) => return Ok(key),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error.to_string())),
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(path).map_err(|error| failed(error.to_string()))?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(failed(format!("others may read it (mode {:o}): chmod 600 it", mode & 0o777)));
            }
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| failed(error.to_string()))?);
        Self::parse(&text).ok_or_else(|| failed(format!("it is not \"{HEADER}\" followed by 64 hex digits")))
    }

    /// A key from elsewhere, as an embedder's own key store.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Written beside and linked into place, so that a crash leaves a whole file or none, and of two processes that
    /// make one at once both use the first.
    fn create(path: &Path) -> std::io::Result<Self> {
        if path.exists() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(&mut key[..]);
        let beside = path.with_extension(format!("new-{}", uuid::Uuid::new_v4().simple()));
        let written = (|| {
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&beside)?;
            let digits = Zeroizing::new(hex::encode(&key[..]));
            let text = Zeroizing::new(format!("{HEADER}\n{}\n", *digits));
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::hard_link(&beside, path)
        })();
        // The file beside is of no use any more, whatever happened.
        let _ = fs::remove_file(&beside);
        written?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(Self(key))
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(HEADER)?.strip_prefix('\n')?.trim_end();
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits, &mut key[..]).ok()?;
        Some(Self(key))
    }
}
