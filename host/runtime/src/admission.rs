//! Letting connector files in: whose they are, and whether consent to the version before covers them.
//!
//! A connector's identity is its publisher's key and its id. A new version that may do no more than the live one takes its
//! place at once: an invocation that runs keeps the version that it began with, and one that begins takes the new one. A
//! version that may do more waits, if anything is granted, until an admin has seen the difference and approved it.

use std::sync::Arc;

use sallyport_pack::diff::{self, Change};
use sallyport_pack::sealed::{self, ConnectorFile};

use crate::blame::{Blame, Fault};
use crate::caller::{Caller, Role};
use crate::engine::Loaded;
use crate::error::InvokeError;
use crate::ids::{ConnectorId, Digest, Publisher};
use crate::ports::Installed;
use crate::runtime::Runtime;

/// What an operator vouches for, beside a file's signature. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// That a file which nobody signed is what it should be.
    pub unsigned: bool,
    /// That a connector which was installed under one publisher's key is another's, or nobody's, from now on.
    pub new_publisher: bool,
}

impl Word {
    /// An operator's word for a file that nobody signed, as for one of their own making.
    pub const UNSIGNED: Self = Self { unsigned: true, new_publisher: false };
}

/// A file that was let in.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The file.
    pub installed: Installed,
    /// Whether it is the live version; else it waits for consent, and the version before stays live.
    pub live: bool,
    /// How it differs from the version before; empty for the first.
    pub changes: Vec<Change>,
}

/// A version that waits for consent.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The file.
    pub version: Installed,
    /// How it differs from the live version.
    pub changes: Vec<Change>,
}

/// Why a connector file may not be installed so. An operator decides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAdmitted {
    /// Nobody signed it, and no operator vouches for it.
    #[error(
        "{connector} is not signed: install a file that its publisher signed, or vouch for this one with --unsigned \
         (over HTTP: ?unsigned=true)"
    )]
    Unsigned {
        /// The connector.
        connector: ConnectorId,
    },
    /// It is not from the publisher whose connector is installed.
    #[error(
        "{connector} was installed under the publisher {expected}, and this file is {}: install one that this key signed, \
         or, if you know that the connector has another publisher now, say so with --new-publisher \
         (over HTTP: ?new_publisher=true)",
        signed_by(.found.as_ref())
    )]
    Publisher {
        /// The connector.
        connector: ConnectorId,
        /// Whose files are accepted.
        expected: Publisher,
        /// Whose this one is.
        found: Option<Publisher>,
    },
}

fn signed_by(publisher: Option<&Publisher>) -> String {
    publisher.map_or_else(|| "not signed".to_owned(), |publisher| format!("signed by {publisher}"))
}

impl Fault for NotAdmitted {
    fn blame(&self) -> Blame {
        Blame::Caller
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unsigned { .. } => "unsigned",
            Self::Publisher { .. } => "other-publisher",
        }
    }
}

/// Whether a file of this publisher may follow what is installed.
fn admit(file: &ConnectorFile, before: Option<&Installed>, word: Word) -> Result<(), NotAdmitted> {
    let connector = || file.manifest.connector.id.clone();
    if let Some(expected) = before.and_then(|before| before.publisher)
        && file.publisher != Some(expected)
        && !word.new_publisher
    {
        return Err(NotAdmitted::Publisher { connector: connector(), expected, found: file.publisher });
    }
    match file.publisher {
        None if !word.unsigned => Err(NotAdmitted::Unsigned { connector: connector() }),
        _ => Ok(()),
    }
}

impl Runtime {
    /// Checks a connector file, compares it with the live version of its connector, and makes it live, or has it wait for
    /// [`Runtime::approve_version`] if it is wider and anything is granted. Nothing in it is run.
    ///
    /// # Errors
    /// [`InvokeError::Forbidden`] unless the caller is an admin; [`InvokeError::Component`] names what is wrong with
    /// the file; [`InvokeError::Admission`] if it is not from whom it must be. What was installed before then stays.
    pub async fn install(&self, caller: &Caller, bytes: Vec<u8>, word: Word) -> Result<Admission, InvokeError> {
        admin(caller)?;
        self.install_as_host(bytes, word).await
    }

    /// As [`Runtime::install`], for the operator.
    ///
    /// # Errors
    /// As [`Runtime::install`].
    pub async fn install_as_host(&self, bytes: Vec<u8>, word: Word) -> Result<Admission, InvokeError> {
        let catalog = &self.services().catalog;
        let bytes = Arc::new(bytes);
        let file = self.examine(Arc::clone(&bytes)).await?;
        let before = catalog.last(&file.manifest.connector.id).await?;
        admit(&file, before.as_ref(), word)?;
        let changes = match &before {
            Some(before) if before.digest.as_str() != file.digest => self.compare(&before.digest, &file).await?,
            _ => Vec::new(),
        };
        // Compiled before it is kept: what cannot be compiled replaces nothing, and the first call does not wait for it.
        let loaded = self.load(bytes.to_vec()).await.map_err(|error| InvokeError::Component(error.to_string()))?;
        let installed = self.entry(&loaded, &file);
        let waits = diff::widens(&changes) && self.services().directory.any_grant(&installed.connector).await?;
        if waits {
            catalog.hold(&installed, &bytes).await?;
        } else {
            catalog.install(&installed, &bytes, before.as_ref().map(|before| &before.digest)).await?;
        }
        Ok(Admission { installed, live: !waits, changes })
    }

    /// Makes the version that waits live. `shown` is the digest of the version whose difference the admin has seen: if
    /// another one waits by now, nothing is changed.
    ///
    /// # Errors
    /// [`InvokeError::Forbidden`] unless the caller is an admin, [`InvokeError::NotFound`] if none waits,
    /// [`InvokeError::State`] if another does.
    pub async fn approve_version(
        &self,
        caller: &Caller,
        connector: &ConnectorId,
        shown: &Digest,
    ) -> Result<Admission, InvokeError> {
        admin(caller)?;
        self.approve_version_as_host(connector, shown).await
    }

    /// As [`Runtime::approve_version`], for the operator.
    ///
    /// # Errors
    /// As [`Runtime::approve_version`].
    pub async fn approve_version_as_host(
        &self,
        connector: &ConnectorId,
        shown: &Digest,
    ) -> Result<Admission, InvokeError> {
        let catalog = &self.services().catalog;
        let what = || InvokeError::NotFound { what: format!("a version of {connector} that waits for consent") };
        let mut version = catalog.waiting(connector).await?.ok_or_else(what)?;
        if version.digest != *shown {
            let message = format!("{} waits by now, and not what was shown: look at it again", version.version);
            return Err(InvokeError::State { state: "replaced".into(), message });
        }
        let bytes = catalog.bytes(&version.digest).await?;
        let live = catalog.last(connector).await?.ok_or_else(what)?;
        let changes = self.compare(&live.digest, &self.examine(Arc::new(bytes.clone())).await?).await?;
        self.component(&version.digest).await?;
        version.at = self.services().clock.now();
        catalog.install(&version, &bytes, Some(&live.digest)).await?;
        Ok(Admission { installed: version, live: true, changes })
    }

    /// The version of a connector that waits for consent, and how it differs from the live one.
    ///
    /// # Errors
    /// The store's; a stored file that cannot be read.
    pub async fn waiting_version(&self, connector: &ConnectorId) -> Result<Option<Waiting>, InvokeError> {
        let catalog = &self.services().catalog;
        let Some(version) = catalog.waiting(connector).await? else { return Ok(None) };
        let bytes = catalog.bytes(&version.digest).await?;
        let Some(live) = catalog.last(connector).await? else { return Ok(None) };
        let changes = self.compare(&live.digest, &read(Arc::new(bytes)).await?).await?;
        Ok(Some(Waiting { version, changes }))
    }

    /// Takes a connector away, if this is its live version: true if it was. Calls that run finish; whose it was stays known,
    /// so that a file of somebody else does not come to its connections and grants.
    ///
    /// # Errors
    /// The store's.
    pub async fn uninstall_as_host(&self, connector: &ConnectorId, digest: &Digest) -> Result<bool, InvokeError> {
        Ok(self.services().catalog.remove(connector, digest).await?)
    }

    /// Everything that can be known without compiling: form, sizes, imports, manifest, routes, schemas, signature, and
    /// where its secrets go.
    async fn examine(&self, bytes: Arc<Vec<u8>>) -> Result<ConnectorFile, InvokeError> {
        let file = read(bytes).await?;
        self.within_registry(&file.manifest).map_err(|error| InvokeError::Component(error.to_string()))?;
        Ok(file)
    }

    /// How a file differs from a stored one.
    async fn compare(&self, old: &Digest, new: &ConnectorFile) -> Result<Vec<Change>, InvokeError> {
        let stored = self.services().catalog.bytes(old).await?;
        match read(Arc::new(stored)).await {
            Ok(old) => Ok(diff::diff(&old, new)),
            // Taken in under rules that have changed since. What it might do is not known, so nothing covers the new one.
            Err(InvokeError::Component(reason)) => {
                let line = format!("~ everything: the version before cannot be read any more ({reason})");
                Ok(vec![Change { wider: true, line: line.replace(char::is_control, " ") }])
            }
            Err(error) => Err(error),
        }
    }

    fn entry(&self, loaded: &Loaded, file: &ConnectorFile) -> Installed {
        Installed {
            connector: file.manifest.connector.id.clone(),
            version: file.manifest.connector.version.to_string(),
            publisher: file.publisher,
            digest: loaded.digest.clone(),
            size: file.size,
            at: self.services().clock.now(),
        }
    }
}

fn admin(caller: &Caller) -> Result<(), InvokeError> {
    if caller.is(Role::Admin) {
        return Ok(());
    }
    Err(InvokeError::Forbidden { reason: "installing takes the role admin".into() })
}

/// Reads a file off the async threads: its digest and signature go over all of it.
async fn read(bytes: Arc<Vec<u8>>) -> Result<ConnectorFile, InvokeError> {
    let reading = tokio::task::spawn_blocking(move || sealed::read(&bytes));
    let read = reading.await.map_err(|error| InvokeError::Host(error.to_string()))?;
    read.map_err(|error| InvokeError::Component(error.to_string()))
}
