//! From a crate to a connector file: compile, componentize, describe, check, seal.

mod blame;
mod command;
mod compile;
mod project;
mod toolchain;

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub use toolchain::{Toolchain, ToolchainChoice};

use crate::{
    describe::{self, DescribeErrors},
    manifest::{Manifest, ManifestErrors},
    sealed::{self, ConnectorFile, Export, FileError, Sealed},
};

/// What to build, and how.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// The crate's folder, with `Cargo.toml` and `connector.toml`.
    pub dir: PathBuf,
    /// Which compiler to take.
    pub toolchain: ToolchainChoice,
}

impl BuildOptions {
    /// Builds the crate in `dir` with whatever compiler can be had.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), toolchain: ToolchainChoice::default() }
    }
}

/// What was built.
#[derive(Debug)]
pub struct BuildReport {
    /// Where the connector file is: `<target>/connectors/<id>.wasm`.
    pub path: PathBuf,
    /// What is in it: manifest, tools, exports, size, digest.
    pub file: ConnectorFile,
    /// The compiler that was taken.
    pub toolchain: Toolchain,
    /// How long it took.
    pub elapsed: Duration,
}

/// Why nothing was built; what was built before is as it was. The crate's author mends it, unless the case says
/// otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A file that cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No crate, or one that is not a connector's.
    #[error("{dir}: {message}", dir = dir.display())]
    Project {
        /// The crate's folder.
        dir: PathBuf,
        /// What is wrong, and the way out.
        message: String,
    },
    /// The manifest is wrong.
    #[error("{path}: {source}", path = path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        source: ManifestErrors,
    },
    /// No compiler for the guest's target; whoever runs the machine mends it.
    #[error("no compiler for wasm32-unknown-unknown: {0}")]
    Toolchain(String),
    /// A program that cannot be started.
    #[error("cannot run {program}: {source}; is it installed and on PATH?")]
    Program {
        /// The program.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// The crate does not compile.
    #[error("the crate does not compile:\n{output}{hint}")]
    Compile {
        /// The compiler's last words.
        output: String,
        /// Which crate is to blame and what to do, where that is known; empty or begins with a line break.
        hint: String,
    },
    /// The compiled module imports what no host gives.
    #[error("the crate imports what no host gives: {}{hint}", .imports.join(", "))]
    Imports {
        /// The imports, as `module.name`.
        imports: Vec<String>,
        /// Which crate is to blame and what to do; empty or begins with a line break.
        hint: String,
    },
    /// The compiled module is no component and cannot be made one.
    #[error("cannot make a component of it: {0}")]
    Componentize(String),
    /// `describe` failed.
    #[error("describe, which runs with every import trapping, failed: {0}; it must only say what the tools are")]
    Describe(String),
    /// What `describe` says is wrong.
    #[error(transparent)]
    Descriptions(#[from] DescribeErrors),
    /// The component is not for our host, or does not agree with the manifest.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Builds a connector. `progress` is told each step in a line; `describe` runs the component's `tools.describe`
/// with every import trapping and gives its answer (the engine lives in the host).
///
/// The connector file is written whole or not at all, and the same sources, dependencies and compiler give the same
/// bytes.
///
/// # Errors
/// [`BuildError`].
pub fn build(
    options: &BuildOptions,
    progress: &dyn Fn(&str),
    describe: impl FnOnce(&[u8]) -> Result<String, String>,
) -> Result<BuildReport, BuildError> {
    let started = Instant::now();
    let dir = fs::canonicalize(&options.dir).map_err(|source| BuildError::Io { path: options.dir.clone(), source })?;
    let manifest = manifest(&dir)?;
    for warning in manifest.warnings() {
        progress(&format!("warning: {warning}"));
    }
    let project = project::Project::find(&dir)?;
    let toolchain = toolchain::choose(options.toolchain, &dir, progress)?;

    let module = compile::compile(&project, &toolchain, progress)?;
    let component = compile::componentize(&module, &project)?;
    let exports = sealed::outline(&component)?.exports;
    let described = if exports.contains(&Export::Tools) {
        progress("asking the component what its tools are");
        describe(&component).map_err(BuildError::Describe)?
    } else {
        "[]".to_owned()
    };
    let tools = describe::read(&described, &manifest)?;

    let path = project.target.join("connectors").join(format!("{}.wasm", manifest.connector.id));
    let bytes = sealed::seal(&component, &Sealed { manifest, tools, packer: env!("CARGO_PKG_VERSION").to_owned() })?;
    // What is on disk is what passes every check of a reader.
    let file = sealed::read(&bytes)?;
    write(&path, &bytes).map_err(|source| BuildError::Io { path: path.clone(), source })?;
    Ok(BuildReport { path, file, toolchain, elapsed: started.elapsed() })
}

fn manifest(dir: &Path) -> Result<Manifest, BuildError> {
    let path = dir.join("connector.toml");
    let text = fs::read_to_string(&path).map_err(|source| BuildError::Io { path: path.clone(), source })?;
    Manifest::from_toml(&text).map_err(|source| BuildError::Manifest { path, source })
}

/// Writes a file so that a reader, or another build at the same time, sees all of it or what was there before.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    #[cfg(unix)]
    {
        // A temporary file is its owner's only; a connector is public.
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_file_is_replaced_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("connectors/x.wasm");
        write(&path, b"first").expect("written");
        write(&path, b"second").expect("replaced");
        assert_eq!(fs::read(&path).expect("read"), b"second");
        assert_eq!(
            fs::read_dir(path.parent().expect("a parent")).expect("listed").count(),
            1,
            "nothing is left behind"
        );
    }

    #[test]
    fn a_bad_manifest_stops_the_build_before_anything_is_compiled() {
        let dir = tempfile::tempdir().expect("a folder");
        let run = || build(&BuildOptions::new(dir.path()), &|_| {}, |_| panic!("nothing to describe"));
        assert!(matches!(run(), Err(BuildError::Io { path, .. }) if path.ends_with("connector.toml")));
        fs::write(dir.path().join("connector.toml"), "schema = 1\n[conector]\n").expect("written");
        let error = run().expect_err("an unknown key").to_string();
        assert!(error.contains("did you mean \"connector\"?"), "{error}");
        assert!(matches!(
            build(&BuildOptions::new(dir.path().join("none")), &|_| {}, |_| panic!()),
            Err(BuildError::Io { .. })
        ));
    }
}
