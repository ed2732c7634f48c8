//! Master keys in a file that only its owner may read.
//!
//! A host begins with one key, in form 1: a header and 64 hex digits. Once it was rotated the file is of form 2: a header,
//! and a line for each key, newest first, `first` or its id, a space, 64 hex digits. It is replaced whole, so that whoever
//! reads it sees all of it, before or after.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use parking_lot::RwLock;
use zeroize::Zeroizing;

use super::KeyError;
use super::master::{MasterKey, MasterKeys, Wrapped};
use crate::ids::MasterId;

/// First line of a file with one key.
const SINGLE: &str = "sallyport-master-key 1";
/// First line of a file with one key or several, each named.
const SEVERAL: &str = "sallyport-master-key 2";
/// How the first key is called in a file of form 2.
const FIRST: &str = "first";

/// A host's master keys in their file.
pub struct MasterFile {
    path: PathBuf,
    /// Newest first, never empty.
    keys: RwLock<Vec<MasterKey>>,
}

impl MasterFile {
    /// Reads the keys, or makes a first one (mode 0600) where there is no file.
    ///
    /// # Errors
    /// [`KeyError::File`]: others may read it, it is of no form that this version knows, or the file system refuses.
    pub fn open_or_create(path: &Path) -> Result<Self, KeyError> {
        let keys = match create(path) {
            Ok(key) => vec![key],
            Err(error) if error.kind() == ErrorKind::AlreadyExists => read(path)?,
            Err(error) => return Err(failed(path, error.to_string())),
        };
        Ok(Self { path: path.to_owned(), keys: RwLock::new(keys) })
    }

    /// Every key that is in the file, newest first.
    #[must_use]
    pub fn ids(&self) -> Vec<MasterId> {
        self.keys.read().iter().map(|key| key.id().clone()).collect()
    }

    /// Adds a key, which wraps from then on. Where there are several already, an earlier rotation is not finished: then its
    /// key stays the newest, and nothing is added.
    ///
    /// # Errors
    /// [`KeyError::File`].
    pub(super) fn advance(&self) -> Result<(), KeyError> {
        self.change(|keys| {
            if keys.len() == 1 {
                keys.insert(0, MasterKey::random(MasterId::fresh()));
            }
        })
    }

    /// Takes a key out. The newest stays.
    ///
    /// # Errors
    /// [`KeyError::File`].
    pub(super) fn remove(&self, id: &MasterId) -> Result<(), KeyError> {
        self.change(|keys| {
            let newest = keys[0].id().clone();
            keys.retain(|key| key.id() == &newest || key.id() != id);
        })
    }

    /// Reads, changes and replaces the file, one process at a time. A crash leaves the file of before or of after.
    fn change(&self, change: impl FnOnce(&mut Vec<MasterKey>)) -> Result<(), KeyError> {
        let told = |error: std::io::Error| failed(&self.path, error.to_string());
        // The lock is the folder's, because the file itself is replaced; it ends with the process, however that ends.
        let folder = fs::File::open(folder(&self.path)).map_err(told)?;
        folder.lock().map_err(told)?;
        let mut keys = read(&self.path)?;
        let before = keys.len();
        change(&mut keys);
        if keys.len() != before {
            let beside = beside(&self.path);
            let replaced = write(&beside, &text(&keys)).and_then(|()| fs::rename(&beside, &self.path));
            replaced.inspect_err(|_| drop(fs::remove_file(&beside))).map_err(told)?;
            folder.sync_all().map_err(told)?;
        }
        *self.keys.write() = keys;
        Ok(())
    }
}

#[async_trait]
impl MasterKeys for MasterFile {
    fn current(&self) -> MasterId {
        self.keys.read()[0].id().clone()
    }

    async fn wrap(&self, plain: &[u8; 32], aad: &[u8]) -> Result<Wrapped, KeyError> {
        Ok(self.keys.read()[0].seal(plain, aad))
    }

    async fn unwrap(&self, wrapped: &Wrapped, aad: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        match self.keys.read().iter().find(|key| *key.id() == wrapped.master) {
            Some(key) => key.open(wrapped, aad),
            None => Err(KeyError::UnknownMaster { id: wrapped.master.clone() }),
        }
    }

    async fn refresh(&self) -> Result<(), KeyError> {
        *self.keys.write() = read(&self.path)?;
        Ok(())
    }
}

fn failed(path: &Path, reason: String) -> KeyError {
    KeyError::File { path: path.display().to_string(), reason }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(path: &Path) -> PathBuf {
    path.with_extension(format!("new-{}", uuid::Uuid::new_v4().simple()))
}

/// A new file for its owner's eyes, on the disk when this returns.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Written beside and linked into place, so that a crash leaves a whole file or none, and of two processes that make one
/// at once both use the first.
fn create(path: &Path) -> std::io::Result<MasterKey> {
    if path.exists() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let key = MasterKey::random(MasterId::FIRST);
    let digits = Zeroizing::new(hex::encode(key.bytes()));
    place(path, &Zeroizing::new(format!("{SINGLE}\n{}\n", *digits)))?;
    Ok(key)
}

/// A file for its owner's eyes: what is in it, or what `make` gives where there is none.
pub(crate) fn private_file(path: &Path, make: impl FnOnce() -> String) -> std::io::Result<Zeroizing<String>> {
    if !path.exists() {
        match place(path, &Zeroizing::new(make())) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            placed => placed?,
        }
    }
    owners_alone(path)?;
    Ok(Zeroizing::new(fs::read_to_string(path)?))
}

fn owners_alone(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path)?.permissions().mode();
        if mode & 0o077 != 0 {
            let reason = format!("others may read it (mode {:o}): chmod 600 it", mode & 0o777);
            return Err(std::io::Error::new(ErrorKind::PermissionDenied, reason));
        }
    }
    Ok(())
}

/// Puts a whole file at `path`, or says that there is one.
fn place(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = beside(path);
    let linked = write(&beside, text).and_then(|()| fs::hard_link(&beside, path));
    // The file beside is of no use any more, whatever happened.
    let _ = fs::remove_file(&beside);
    linked?;
    fs::File::open(folder(path))?.sync_all()
}

fn read(path: &Path) -> Result<Vec<MasterKey>, KeyError> {
    let told = |error: std::io::Error| failed(path, error.to_string());
    owners_alone(path).map_err(told)?;
    let text = Zeroizing::new(fs::read_to_string(path).map_err(told)?);
    parse(&text).ok_or_else(|| {
        let reason = format!(
            "it is neither \"{SINGLE}\" followed by 64 hex digits nor \"{SEVERAL}\" followed by a line for each key"
        );
        failed(path, reason)
    })
}

fn parse(text: &str) -> Option<Vec<MasterKey>> {
    let bytes = |digits: &str| {
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits, &mut key[..]).ok()?;
        Some(key)
    };
    if let Some(digits) = text.strip_prefix(SINGLE) {
        return Some(vec![MasterKey::new(MasterId::FIRST, bytes(digits.strip_prefix('\n')?.trim_end())?)]);
    }
    let lines = text.strip_prefix(SEVERAL)?.strip_prefix('\n')?.trim_end().lines();
    let key = |line: &str| {
        let (id, digits) = line.split_once(' ')?;
        let id = if id == FIRST { MasterId::FIRST } else { MasterId::named(id)? };
        Some(MasterKey::new(id, bytes(digits)?))
    };
    let keys: Vec<MasterKey> = lines.map(key).collect::<Option<_>>()?;
    (!keys.is_empty()).then_some(keys)
}

fn text(keys: &[MasterKey]) -> Zeroizing<String> {
    // As long as it gets, so that no copy of the keys stays behind when it grows.
    let mut text = Zeroizing::new(String::with_capacity(SEVERAL.len() + 1 + keys.len() * 128));
    text.push_str(SEVERAL);
    text.push('\n');
    for key in keys {
        let digits = Zeroizing::new(hex::encode(key.bytes()));
        for part in [key.id().name().unwrap_or(FIRST), " ", &digits, "\n"] {
            text.push_str(part);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// What of a key shows that it is the same.
    fn bytes(file: &MasterFile) -> Vec<[u8; 32]> {
        file.keys.read().iter().map(|key| *key.bytes()).collect()
    }

    #[test]
    fn the_master_key_is_made_once_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("master.key");
        let made = MasterFile::open_or_create(&path).expect("made");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(bytes(&MasterFile::open_or_create(&path).expect("read")), bytes(&made));
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 1, "nothing is left beside it");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
        let error = MasterFile::open_or_create(&path).err().expect("others may read it").to_string();
        assert!(error.contains("chmod 600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        let digits = "0".repeat(64);
        for bad in [
            "",
            "sallyport-master-key 3\n00\n",
            "sallyport-master-key 1\nzz\n",
            "sallyport-master-key 1\n00\n",
            "sallyport-master-key 2\n",
            "sallyport-master-key 2\nfirst 00\n",
            &format!("sallyport-master-key 2\n{digits}\n"),
            &format!("sallyport-master-key 2\nNot-an-id {digits}\n"),
        ] {
            fs::write(&path, bad).expect("written");
            assert!(MasterFile::open_or_create(&path).is_err(), "{bad:?}");
            assert_eq!(fs::read_to_string(&path).expect("a file"), bad, "what cannot be read is not replaced");
        }
    }

    #[test]
    fn a_file_of_one_key_is_read_and_a_key_is_added_in_front_once_until_the_old_one_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("master.key");
        write(&path, &format!("{SINGLE}\n{}\n", "07".repeat(32))).expect("written");
        let file = MasterFile::open_or_create(&path).expect("the old form");
        assert_eq!((file.ids(), bytes(&file)), (vec![MasterId::FIRST], vec![[7; 32]]));

        file.advance().expect("added");
        let ids = file.ids();
        assert_eq!((ids.len(), &ids[1], file.current()), (2, &MasterId::FIRST, ids[0].clone()));
        file.advance().expect("an earlier rotation is not finished");
        let again = MasterFile::open_or_create(&path).expect("read");
        assert_eq!((again.ids(), bytes(&again)), (ids.clone(), bytes(&file)));
        assert_eq!(bytes(&again)[1], [7; 32]);

        again.remove(&MasterId::FIRST).expect("taken out");
        again.remove(&ids[0]).expect("the newest stays");
        assert_eq!(MasterFile::open_or_create(&path).expect("read").ids(), ids[..1]);
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn of_many_who_add_a_key_at_once_one_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("master.key");
        MasterFile::open_or_create(&path).expect("made");
        let ids: Vec<Vec<MasterId>> = std::thread::scope(|scope| {
            let add = || {
                let file = MasterFile::open_or_create(&path).expect("read");
                file.advance().expect("added");
                file.ids()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(add)).collect();
            threads.into_iter().map(|thread| thread.join().expect("ended")).collect()
        });
        assert!(ids.iter().all(|one| one.len() == 2 && *one == ids[0]), "{ids:?}");
    }
}
