//! Which compiler a guest is compiled with: rustup's, or where its target cannot be had, Debian's with std built from
//! source.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{BuildError, command, project::TARGET};

/// How long rustup may take to fetch the target (20 MB); a network that answers nothing must not hold a build for ever.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);
/// Debian's packages: a recent compiler under /usr, cargo, and std's source.
const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];
/// Debian's compiler.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Which compiler to look for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ToolchainChoice {
    /// The installed target; else what rustup can fetch; else Debian's.
    #[default]
    Automatic,
    /// Only one that has the target already: nothing is installed.
    Installed,
    /// Debian's, with std built from source.
    Debian,
}

/// A compiler for guests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Toolchain {
    /// The ordinary one, with the target's std.
    Installed,
    /// Debian's, with std built from source (some time, once).
    Debian {
        /// The linker: rust-lld of another toolchain, or wasm-ld.
        linker: PathBuf,
    },
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Installed => "the installed wasm32-unknown-unknown target",
            Self::Debian { .. } => "Debian's compiler, with std built from source",
        })
    }
}

impl Toolchain {
    /// The folder under `<target>/guests`: two compilers never share one.
    pub(super) fn folder(&self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Debian { .. } => "debian",
        }
    }

    /// What cargo is told so that it takes this compiler.
    pub(super) fn apply(&self, cargo: &mut Command) {
        if let Self::Debian { linker } = self {
            cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            cargo.arg("-Zbuild-std=std,panic_abort");
        }
    }
}

/// Finds a compiler, obtaining one where that can be done.
pub(super) fn choose(choice: ToolchainChoice, dir: &Path, progress: &dyn Fn(&str)) -> Result<Toolchain, BuildError> {
    let rustc = || command::command("rustc", dir);
    if choice != ToolchainChoice::Debian {
        if has_target(&mut rustc()) {
            return Ok(Toolchain::Installed);
        }
        if choice == ToolchainChoice::Installed {
            return Err(BuildError::Toolchain(format!("run: rustup target add {TARGET}")));
        }
        progress(&format!("fetching the wasm target, once: rustup target add {TARGET}"));
        let mut rustup = command::command("rustup", dir);
        rustup.args(["target", "add", TARGET]).env("RUSTUP_MAX_RETRIES", "1");
        if command::succeeds_within(&mut rustup, RUSTUP_LIMIT) && has_target(&mut rustc()) {
            return Ok(Toolchain::Installed);
        }
        progress(
            "rustup cannot fetch it: taking Debian's compiler, which builds std from source (about a minute, once)",
        );
    }
    debian(dir, progress)
}

/// Whether the compiler has the target's std.
fn has_target(rustc: &mut Command) -> bool {
    let Some(libraries) = command::answer(rustc.args(["--print", "target-libdir", "--target", TARGET])) else {
        return false;
    };
    let Ok(entries) = std::fs::read_dir(libraries) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

fn debian(dir: &Path, progress: &dyn Fn(&str)) -> Result<Toolchain, BuildError> {
    if !debian_is_ready(dir) {
        install(dir, progress)?;
    }
    if !debian_is_ready(dir) {
        return Err(BuildError::Toolchain(format!(
            "{DEBIAN_RUSTC} has no std source after the installation; {}",
            ways_out()
        )));
    }
    linker(dir).map(|linker| Toolchain::Debian { linker }).ok_or_else(|| {
        BuildError::Toolchain(
            "no linker for it: install a rustup toolchain (it brings rust-lld), or run: apt-get install -y lld"
                .to_owned(),
        )
    })
}

/// Whether Debian's compiler is there with std's source beside it.
fn debian_is_ready(dir: &Path) -> bool {
    let sysroot = command::answer(command::command(DEBIAN_RUSTC, dir).args(["--print", "sysroot"]));
    sysroot.is_some_and(|sysroot| Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file())
}

/// Installs Debian's packages, as root and announced; otherwise says the command.
fn install(dir: &Path, progress: &dyn Fn(&str)) -> Result<(), BuildError> {
    let root = command::answer(command::command("id", dir).arg("-u")).is_some_and(|id| id == "0");
    let debian = Path::new("/etc/debian_version").exists();
    if !root || !debian {
        return Err(BuildError::Toolchain(ways_out()));
    }
    progress(&format!("installing system packages: {}", install_line()));
    let apt = |arguments: &[&str]| {
        let mut apt = command::command("apt-get", dir);
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command::output(&mut apt)
    };
    let arguments: Vec<&str> =
        ["install", "-y", "--no-install-recommends"].iter().chain(DEBIAN_PACKAGES).copied().collect();
    if apt(&arguments)?.status.success() {
        return Ok(());
    }
    // The lists may be old or missing, as in a fresh container.
    apt(&["update"])?;
    let output = apt(&arguments)?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(BuildError::Toolchain(format!("apt-get failed: {words}; {}", ways_out())))
}

fn install_line() -> String {
    format!("apt-get install -y --no-install-recommends {}", DEBIAN_PACKAGES.join(" "))
}

fn ways_out() -> String {
    format!("run: rustup target add {TARGET}; or on Debian, where that cannot be fetched, as root: {}", install_line())
}

/// rust-lld of the toolchain on PATH, of Debian's, or a wasm-ld.
fn linker(dir: &Path) -> Option<PathBuf> {
    let mut candidates = Vec::new();
    for rustc in ["rustc", DEBIAN_RUSTC] {
        let sysroot = command::answer(command::command(rustc, dir).args(["--print", "sysroot"]));
        let version = command::answer(command::command(rustc, dir).arg("-vV"));
        let host = version.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("host: ")));
        if let (Some(sysroot), Some(host)) = (sysroot, host) {
            candidates.push(Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld"));
        }
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["wasm-ld", "wasm-ld-19", "wasm-ld-16", "wasm-ld-14"];
    candidates.extend(std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name))));
    candidates.into_iter().find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that prints one line and ends well.
    #[cfg(unix)]
    fn script(dir: &Path, name: &str, body: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
        path
    }

    #[cfg(unix)]
    #[test]
    fn a_target_counts_only_with_its_std() {
        let dir = tempfile::tempdir().expect("a folder");
        let libraries = dir.path().join("lib");
        let rustc = script(dir.path(), "rustc", &format!("echo {}", libraries.display()));
        assert!(!has_target(&mut Command::new(&rustc)), "rustc names a folder that does not exist");
        std::fs::create_dir(&libraries).expect("made");
        assert!(!has_target(&mut Command::new(&rustc)), "an empty folder is no std");
        std::fs::write(libraries.join("libstd-0123.rlib"), "").expect("written");
        assert!(has_target(&mut Command::new(&rustc)));
        assert!(!has_target(&mut Command::new(dir.path().join("none"))), "no compiler, no target");
    }

    #[test]
    fn the_ways_out_are_commands_that_can_be_pasted() {
        let text = BuildError::Toolchain(ways_out()).to_string();
        assert!(text.contains("rustup target add wasm32-unknown-unknown"), "{text}");
        assert!(text.contains("apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src"), "{text}");
    }

    #[test]
    fn debians_compiler_is_told_to_build_std() {
        let mut cargo = Command::new("cargo");
        Toolchain::Debian { linker: "/x/rust-lld".into() }.apply(&mut cargo);
        let environment: Vec<_> =
            cargo.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?))).collect();
        assert_eq!(
            environment,
            [
                ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "/x/rust-lld"),
                ("RUSTC", DEBIAN_RUSTC),
                ("RUSTC_BOOTSTRAP", "1")
            ]
        );
        let mut cargo = Command::new("cargo");
        Toolchain::Installed.apply(&mut cargo);
        assert_eq!((cargo.get_envs().count(), cargo.get_args().count()), (0, 0));
    }
}
