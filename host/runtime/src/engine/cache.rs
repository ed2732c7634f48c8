//! Native code on disk, so that a component is compiled once.
//!
//! What is loaded from here runs with the host's own rights. So the folder is private, each file carries a keyed MAC
//! over its content, its component and the engine that compiled it, and what does not verify is compiled anew.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use wasmtime::component::Component;

use super::EngineError;
use crate::ids::Digest;

const MAC: usize = 32;
/// The most that is kept of the buffer, in bytes.
const KEPT: usize = 8 << 20;
const KEY_FILE: &str = "key";

/// The folder of compiled components.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; 32],
    /// What a file is read into. Kept, since fresh memory for a megabyte costs as much as reading it.
    buffer: Mutex<Vec<u8>>,
}

impl Cache {
    /// Opens or makes the folder, readable by this user alone. The MAC's key lies in it.
    pub(crate) fn open(folder: &Path) -> Result<Self, EngineError> {
        let error = |reason: std::io::Error| EngineError::Cache {
            folder: folder.display().to_string(),
            reason: reason.to_string(),
        };
        fs::create_dir_all(folder).map_err(error)?;
        private(folder, 0o700).map_err(error)?;
        let path = folder.join(KEY_FILE);
        let key = match fs::read(&path).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
            Some(key) => key,
            None => {
                let key: [u8; 32] = rand::random();
                write_private(&path, &key).map_err(error)?;
                key
            }
        };
        Ok(Self { folder: folder.into(), key, buffer: Mutex::default() })
    }

    /// The compiled component, if it is here and nobody touched it.
    pub(crate) fn load(&self, engine: &wasmtime::Engine, digest: &Digest) -> Option<Component> {
        let fingerprint = fingerprint(engine);
        let mut buffer = self.buffer.lock();
        buffer.clear();
        fs::File::open(self.path(&fingerprint, digest)).and_then(|mut file| file.read_to_end(&mut buffer)).ok()?;
        let (mac, code) = buffer.split_at_checked(MAC)?;
        if !bool::from(subtle::ConstantTimeEq::ct_eq(mac, &self.mac(&fingerprint, digest, code)[..])) {
            tracing::warn!(component = %digest, "a compiled component does not verify; it is compiled anew");
            return None;
        }
        // SAFETY: the MAC's key never leaves the private folder, and it was made over these very bytes (in memory that this
        // call alone holds, so no later change of the file counts), for this component and this engine.
        #[allow(unsafe_code)]
        let component = unsafe { component(engine, code) };
        if buffer.capacity() > KEPT {
            *buffer = Vec::new();
        }
        component.inspect_err(|error| tracing::warn!(component = %digest, %error, "cannot load compiled code")).ok()
    }

    /// Keeps the code of a compiled component. That it cannot be kept costs time only.
    pub(crate) fn keep(&self, engine: &wasmtime::Engine, digest: &Digest, code: &[u8]) {
        let fingerprint = fingerprint(engine);
        let mut file = self.mac(&fingerprint, digest, code).to_vec();
        file.extend_from_slice(code);
        if let Err(error) = write_private(&self.path(&fingerprint, digest), &file) {
            tracing::warn!(component = %digest, %error, "cannot keep compiled code");
        }
    }

    fn path(&self, fingerprint: &str, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{digest}-{fingerprint}.native"))
    }

    fn mac(&self, fingerprint: &str, digest: &Digest, code: &[u8]) -> [u8; MAC] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(digest.as_str().as_bytes());
        hasher.update(fingerprint.as_bytes());
        hasher.update(code);
        *hasher.finalize().as_bytes()
    }
}

/// A component from its code.
///
/// # Safety
/// The code is what `Component::serialize` gave, and nobody changed it.
#[allow(unsafe_code)]
unsafe fn component(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
    #[cfg(target_os = "linux")]
    if let Some(file) = sealed(code) {
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file.as_file()));
        // SAFETY: these are the same bytes, and nobody can change a sealed file, this process included.
        if let Ok(component) = unsafe { Component::deserialize_file(engine, path) } {
            return Ok(component);
        }
    }
    // SAFETY: the caller's promise.
    unsafe { Component::deserialize(engine, code) }
}

/// The code as a file to map, where the system allows such files. From bytes wasmtime makes a copy, in fresh memory whose
/// pages come one by one and cost more than all the rest of a load; a file's are mapped sixteen at once.
#[cfg(target_os = "linux")]
fn sealed(code: &[u8]) -> Option<memfd::Memfd> {
    use memfd::FileSeal::{SealGrow, SealSeal, SealShrink, SealWrite};
    let file = memfd::MemfdOptions::default().allow_sealing(true).create("sallyport-native").ok()?;
    file.as_file().write_all(code).ok()?;
    file.add_seals(&[SealGrow, SealShrink, SealWrite, SealSeal]).ok()?;
    Some(file)
}

/// What must be equal for compiled code to fit: wasmtime's version, its configuration, the CPU's features.
fn fingerprint(engine: &wasmtime::Engine) -> String {
    struct Bytes(blake3::Hasher);
    impl std::hash::Hasher for Bytes {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut bytes = Bytes(blake3::Hasher::new());
    std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut bytes);
    bytes.0.finalize().to_hex()[..16].to_owned()
}

/// Writes beside and renames, so that a reader sees all of it or nothing.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension(format!("{:016x}", rand::random::<u64>()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written =
        options.open(&beside).and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(unix)]
fn private(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn private(_path: &Path, _mode: u32) -> std::io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_file_takes_no_change() {
        let file = sealed(b"code").expect("this system has such files");
        let mut file = file.as_file();
        assert!(file.write_all(b"other").is_err());
        assert!(file.set_len(2).is_err());
        assert!(file.set_len(9).is_err());
        assert_eq!(file.metadata().unwrap().len(), 4);
    }
}
