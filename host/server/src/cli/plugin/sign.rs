//! `sallyport plugin key`, `sign` and `verify`: who made a connector file.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use sallyport_pack::signature::{self, Publisher, PublisherKey};
use serde::Serialize;
use zeroize::Zeroizing;

use super::super::Global;
use super::{bytes, connector};
use crate::output;

/// Whose a key or a file is.
#[derive(Serialize)]
struct Named {
    path: String,
    publisher: Publisher,
}

impl Named {
    fn print(global: &Global, path: &Path, publisher: Publisher) -> anyhow::Result<()> {
        let named = Self { path: path.display().to_string(), publisher };
        output::one(global.output, &named, |named| format!("{}: publisher {}", named.path, named.publisher))?;
        Ok(())
    }
}

pub(super) fn key(global: &Global, out: &Path) -> anyhow::Result<()> {
    let mut seed = Zeroizing::new([0; 32]);
    rand::fill(&mut seed[..]);
    let key = PublisherKey::from_seed(&seed);
    let pem = key.to_pem()?;
    // Never over one that is there: a publisher's key cannot be had again.
    let made = OpenOptions::new().create_new(true).write(true).mode(0o600).open(out);
    made.and_then(|mut file| file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()))
        .with_context(|| format!("cannot write {}", out.display()))?;
    Named::print(global, out, key.publisher())
}

pub(super) fn sign(global: &Global, file: &Path, key: &Path, out: Option<&Path>) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(key).with_context(|| format!("cannot read {}", key.display()))?;
    let key = PublisherKey::from_pem(&Zeroizing::new(text)).with_context(|| key.display().to_string())?;
    let signed = signature::sign(&bytes(file)?, &key).with_context(|| file.display().to_string())?;
    let out = out.unwrap_or(file);
    // Beside it first: a file that is signed in place is whole whatever happens meanwhile.
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        file.write_all(&signed)?;
        file.persist(out).map_err(|error| error.error)
    });
    written.with_context(|| format!("cannot write {}", out.display()))?;
    Named::print(global, out, key.publisher())
}

pub(super) fn verify(global: &Global, file: &Path) -> anyhow::Result<()> {
    match connector(file)?.publisher {
        Some(publisher) => Named::print(global, file, publisher),
        None => bail!("{} is not signed: its publisher signs it with `sallyport plugin sign`", file.display()),
    }
}
