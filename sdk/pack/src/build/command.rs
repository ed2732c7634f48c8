//! Running programs without what an outer cargo left in the environment.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use super::BuildError;

/// Variables of an outer `cargo run` or `cargo test`, or flags for the host's compiler, that must not reach a guest's
/// build.
fn leaks(name: &str, own_toolchain: bool) -> bool {
    // What says where things are and how the network is reached is the user's, and stays.
    const KEPT: &[&str] = &["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_TERM_COLOR"];
    const KEPT_PREFIXES: &[&str] = &["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_"];
    const DROPPED: &[&str] = &[
        "CARGO",
        "RUSTC",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_BOOTSTRAP",
        "RUSTC_LINKER",
        "OUT_DIR",
    ];
    if name == "RUSTUP_TOOLCHAIN" {
        // Set by every rustup proxy: a toolchain that the crate itself asks for goes before it.
        return own_toolchain;
    }
    let kept = KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    DROPPED.contains(&name) || (name.starts_with("CARGO_") && !kept)
}

/// A command in `dir` with a clean environment.
pub(super) fn command(program: impl AsRef<OsStr>, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).stdin(Stdio::null());
    let own_toolchain =
        dir.ancestors().any(|dir| dir.join("rust-toolchain.toml").is_file() || dir.join("rust-toolchain").is_file());
    let under_cargo = std::env::var_os("CARGO").is_some();
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        // Cargo puts the host compiler's libraries there; another compiler would load them.
        let library_path = under_cargo && matches!(name, "LD_LIBRARY_PATH" | "DYLD_FALLBACK_LIBRARY_PATH");
        if library_path || leaks(name, own_toolchain) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end, its output kept.
pub(super) fn output(command: &mut Command) -> Result<Output, BuildError> {
    command.output().map_err(|source| BuildError::Program { program: name(command), source })
}

/// The trimmed standard output of a command, or `None` if it fails or cannot be run.
pub(super) fn answer(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Whether a command succeeds within `limit`; it is ended if it takes longer.
pub(super) fn succeeds_within(command: &mut Command, limit: Duration) -> bool {
    let Ok(mut child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else { return false };
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(50)),
            _ => {
                // It may have ended in this moment; either way it is gone and reaped.
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

pub(super) fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outer_cargo_does_not_leak_into_a_guests_build() {
        for name in [
            "CARGO",
            "CARGO_MANIFEST_DIR",
            "CARGO_PKG_NAME",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
            "RUSTFLAGS",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTC_BOOTSTRAP",
            "OUT_DIR",
        ] {
            assert!(leaks(name, false), "{name}");
        }
        for name in [
            "CARGO_HOME",
            "CARGO_TARGET_DIR",
            "CARGO_NET_OFFLINE",
            "CARGO_REGISTRIES_X_INDEX",
            "RUSTUP_HOME",
            "RUSTUP_TOOLCHAIN",
            "PATH",
            "HOME",
        ] {
            assert!(!leaks(name, false), "{name}");
        }
        assert!(leaks("RUSTUP_TOOLCHAIN", true), "the crate's own choice goes before the outer one");
        let command = command("true", Path::new("/"));
        assert!(
            command.get_envs().any(|(name, value)| name == "CARGO_MANIFEST_DIR" && value.is_none()),
            "this test runs under cargo"
        );
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let started = Instant::now();
        assert!(!succeeds_within(Command::new("sleep").arg("60"), Duration::from_millis(60)));
        assert!(started.elapsed() < Duration::from_secs(30));
        assert!(succeeds_within(&mut Command::new("true"), Duration::from_secs(30)));
        assert!(!succeeds_within(&mut Command::new("false"), Duration::from_secs(30)));
        assert!(!succeeds_within(&mut Command::new("no-such-program-here"), Duration::from_secs(30)));
    }
}
