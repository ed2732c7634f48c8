//! The crate that is built, as cargo sees it.

use std::path::{Path, PathBuf};

use cargo_metadata::{CrateType, Metadata, MetadataCommand, Package};

use super::{BuildError, command};

/// The target for which guests are compiled.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// A crate with what cargo says about it.
pub(super) struct Project {
    /// Its folder.
    pub(super) dir: PathBuf,
    /// The target folder, shared with whatever else is built in its workspace.
    pub(super) target: PathBuf,
    /// Its own entry.
    pub(super) package: Package,
    /// Everything that cargo says, for this target only.
    pub(super) metadata: Metadata,
}

impl Project {
    /// Asks cargo about the crate in `dir`.
    pub(super) fn find(dir: &Path) -> Result<Self, BuildError> {
        let wrong = |message: String| BuildError::Project { dir: dir.to_owned(), message };
        let manifest = dir.join("Cargo.toml");
        if !manifest.is_file() {
            return Err(wrong("no Cargo.toml here: name the folder of a connector's crate".to_owned()));
        }
        let mut cargo = command::command("cargo", dir);
        cargo
            .args(["metadata", "--format-version", "1", "--filter-platform", TARGET, "--manifest-path"])
            .arg(&manifest);
        let output = command::output(&mut cargo)?;
        if !output.status.success() {
            return Err(wrong(format!(
                "cargo cannot read the crate:\n{}",
                String::from_utf8_lossy(&output.stderr).trim_end()
            )));
        }
        let metadata = MetadataCommand::parse(String::from_utf8_lossy(&output.stdout))
            .map_err(|error| wrong(format!("cargo's answer cannot be read: {error}")))?;
        let package = metadata
            .packages
            .iter()
            .find(|package| package.manifest_path.as_std_path() == manifest)
            .cloned()
            .ok_or_else(|| {
                wrong("Cargo.toml names a workspace and no package: name the folder of one of its crates".to_owned())
            })?;
        let cdylib = package.targets.iter().any(|target| target.crate_types.contains(&CrateType::CDyLib));
        if !cdylib {
            return Err(wrong(format!(
                "{} is no dynamic library: write [lib] crate-type = [\"cdylib\", \"rlib\"] in its Cargo.toml",
                package.name
            )));
        }
        Ok(Self {
            dir: dir.to_owned(),
            target: metadata.target_directory.clone().into_std_path_buf(),
            package,
            metadata,
        })
    }
}
