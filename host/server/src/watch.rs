//! The watched folder: a connector file that is put into it is live without a restart, one that is taken out is gone, and
//! calls that run finish on what they began with.
//!
//! It is looked at again and again rather than watched through the operating system: that works on every file system,
//! also on a volume that another machine writes to.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sallyport::admission::Word;
use sallyport::ids::{ConnectorId, Digest};

use crate::app::App;

/// How often the folder is looked at. A file is read when two looks in a row found it the same: one that is still being
/// copied is not.
pub const LOOK: Duration = Duration::from_secs(1);

/// A file as a look found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
}

/// What is known of a file.
struct Known {
    stamp: Stamp,
    /// Whether this stamp was dealt with.
    read: bool,
    /// What came of it, if it was let in.
    installed: Option<(ConnectorId, Digest)>,
}

/// A folder of connector files, `*.wasm`.
pub struct Watch {
    folder: PathBuf,
    word: Word,
    known: HashMap<PathBuf, Known>,
}

impl Watch {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, word: Word) -> Self {
        Self { folder: folder.into(), word, known: HashMap::new() }
    }

    /// Looks for ever.
    pub async fn run(mut self, app: App) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            self.look(&app).await;
        }
    }

    /// One look: what is new or changed is installed, what is gone is removed. What goes wrong with a file is logged once,
    /// and leaves everything else as it was.
    pub async fn look(&mut self, app: &App) {
        let found = match files(&self.folder) {
            Ok(found) => found,
            Err(error) => {
                // A volume that is not there for a moment takes no connector away.
                tracing::warn!(folder = %self.folder.display(), %error, "the watched folder cannot be read");
                return;
            }
        };
        let gone: Vec<PathBuf> = self.known.keys().filter(|path| !found.contains_key(*path)).cloned().collect();
        for path in gone {
            if let Some((connector, digest)) = self.known.remove(&path).and_then(|known| known.installed) {
                self.remove(app, &connector, &digest).await;
            }
        }
        for (path, stamp) in found {
            let known = self.known.entry(path.clone()).or_insert(Known { stamp, read: false, installed: None });
            if known.stamp != stamp {
                (known.stamp, known.read) = (stamp, false);
            } else if !known.read {
                known.read = true;
                if let Some(installed) = install(app, &path, self.word).await {
                    known.installed = Some(installed);
                }
            }
        }
    }

    /// Another file may have brought the same connector meanwhile: only what this one brought is removed.
    async fn remove(&self, app: &App, connector: &ConnectorId, digest: &Digest) {
        let same = |known: &Known| known.installed.as_ref().is_some_and(|(_, other)| other == digest);
        if self.known.values().any(same) {
            return;
        }
        match app.runtime().uninstall_as_host(connector, digest).await {
            Ok(true) => tracing::info!(%connector, %digest, "its file was taken out of the watched folder: removed"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%connector, %error, "a connector cannot be removed"),
        }
    }
}

async fn install(app: &App, path: &Path, word: Word) -> Option<(ConnectorId, Digest)> {
    let file = path.display();
    let bytes = match tokio::fs::read(path).await {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::warn!(%file, %error, "a file in the watched folder cannot be read");
            return None;
        }
    };
    match app.runtime().install_as_host(bytes, word).await {
        Ok(admitted) => {
            let (connector, version) = (&admitted.installed.connector, &admitted.installed.version);
            if admitted.live {
                tracing::info!(%file, %connector, version, "installed from the watched folder");
            } else {
                tracing::warn!(%file, %connector, version, "it may do more than was consented to: it waits for an admin");
            }
            Some((admitted.installed.connector, admitted.installed.digest))
        }
        Err(error) => {
            tracing::warn!(%file, %error, "a file in the watched folder is not installed");
            None
        }
    }
}

fn files(folder: &Path) -> std::io::Result<HashMap<PathBuf, Stamp>> {
    let mut found = HashMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        // One that vanished between the two calls is gone; a folder is no file.
        let Ok(about) = std::fs::metadata(&path) else { continue };
        if about.is_file() {
            found.insert(path, Stamp { modified: about.modified().ok(), size: about.len() });
        }
    }
    Ok(found)
}
