//! The demo's data directory: its own, made anew each time, because the simulated services begin anew each time.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Marks a directory as the demo's, which the next demo may empty.
const MARK: &str = "DEMO";

/// Empties the demo's directory, or makes it. One that holds anything else is left alone.
///
/// # Errors
/// The directory holds something that no demo made; the file system refuses.
pub fn prepare(data: &Path) -> anyhow::Result<PathBuf> {
    let filled = match std::fs::read_dir(data) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", data.display())),
    };
    if filled && !data.join(MARK).exists() {
        bail!(
            "{} holds something that no demo made, and the demo begins with an empty directory: name another one with --data",
            data.display()
        );
    }
    if filled {
        std::fs::remove_dir_all(data).with_context(|| format!("cannot empty {}", data.display()))?;
    }
    std::fs::create_dir_all(data).with_context(|| format!("cannot make {}", data.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700))?;
    }
    std::fs::write(data.join(MARK), "Made by `sallyport demo`, which empties this directory when it begins.\n")?;
    data.canonicalize().with_context(|| format!("cannot find {}", data.display()))
}

#[cfg(test)]
mod tests {
    use super::prepare;

    #[test]
    fn a_directory_of_somebody_elses_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("thesis.md"), "years of work").unwrap();
        assert!(prepare(dir.path()).unwrap_err().to_string().contains("--data"));
        assert!(dir.path().join("thesis.md").exists());
    }

    #[test]
    fn the_demos_own_directory_is_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("demo");
        prepare(&data).unwrap();
        std::fs::write(data.join("left over"), "").unwrap();
        prepare(&data).unwrap();
        assert!(!data.join("left over").exists() && data.join("DEMO").exists());
    }
}
