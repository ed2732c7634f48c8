//! Compiling the crate to a module, and the module to a component.

use std::{
    collections::VecDeque,
    fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::Stdio,
};

use cargo_metadata::{Message, PackageId, diagnostic::DiagnosticLevel};
use wasmparser::{Parser, Payload};

use super::{
    BuildError, Toolchain, blame, command,
    project::{Project, TARGET},
};

/// How many lines of the compiler's output an error repeats.
const LAST_LINES: usize = 60;

/// How a guest is compiled. Measured on a guest with wit-bindgen and serde_json: 95 KB, against 64 KB at level "s"; a
/// host compiles either
/// in a tenth of a second and once, while a sync parses JSON all the time.
const PROFILE: &[(&str, &str)] = &[
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_RELEASE_LTO", "fat"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
    ("CARGO_PROFILE_RELEASE_INCREMENTAL", "false"),
];

/// Compiles the crate and gives its module.
pub(super) fn compile(
    project: &Project,
    toolchain: &Toolchain,
    progress: &dyn Fn(&str),
) -> Result<Vec<u8>, BuildError> {
    let folder = project.target.join("guests").join(toolchain.folder());
    // One build at a time from here until the module is read: cargo's own lock ends before that.
    let _lock = lock(&folder)?;
    progress(&format!("compiling {} with {toolchain}", project.package.name));

    let mut cargo = command::command("cargo", &project.dir);
    cargo.args(["build", "--release", "--lib", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    cargo.arg("--package").arg(project.package.id.to_string()).arg("--target-dir").arg(&folder);
    cargo.envs(PROFILE.iter().copied()).env("CARGO_ENCODED_RUSTFLAGS", flags(project));
    toolchain.apply(&mut cargo);
    let mut child = cargo
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| BuildError::Program { program: command::name(&cargo), source })?;
    let (stdout, stderr) = child.stdout.take().zip(child.stderr.take()).expect("both were piped");
    let (messages, lines) = std::thread::scope(|scope| {
        let messages = scope.spawn(|| read_messages(stdout, &project.package.id));
        let lines = read_lines(stderr, progress);
        (messages.join().expect("reading does not panic"), lines)
    });
    let status = child.wait().map_err(|source| BuildError::Program { program: command::name(&cargo), source })?;
    if !status.success() {
        let hint = messages.failed.iter().find_map(|id| blame::for_package(&project.metadata, &project.package.id, id));
        return Err(BuildError::Compile { output: lines.join("\n"), hint: hint.unwrap_or_default() });
    }
    let path = messages.module.ok_or_else(|| {
        BuildError::Componentize(format!(
            "cargo built no .wasm of {}: has its library crate-type \"cdylib\"?",
            project.package.name
        ))
    })?;
    fs::read(&path).map_err(|source| BuildError::Io { path, source })
}

fn lock(folder: &std::path::Path) -> Result<fs::File, BuildError> {
    let path = folder.join(".packer-lock");
    let locked = fs::create_dir_all(folder).and_then(|()| {
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        file.lock()?;
        Ok(file)
    });
    locked.map_err(|source| BuildError::Io { path, source })
}

/// Flags for the guest's compiler, and only those: a workspace's flags are for its host. Paths are remapped, so that
/// where a crate
/// lies neither shows in its bytes nor changes them.
fn flags(project: &Project) -> String {
    let mut flags = vec!["-Ctarget-feature=+simd128,+bulk-memory".to_owned()];
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let root = Some(project.metadata.workspace_root.clone().into_std_path_buf());
    for (from, to) in [(home, "/cargo"), (root, "/crate")] {
        if let Some(from) = from.as_deref().and_then(|path| path.to_str()) {
            flags.push(format!("--remap-path-prefix={from}={to}"));
        }
    }
    flags.join("\u{1f}")
}

#[derive(Default)]
struct Messages {
    module: Option<PathBuf>,
    failed: Vec<PackageId>,
}

fn read_messages(stdout: impl Read, package: &PackageId) -> Messages {
    let mut found = Messages::default();
    for message in Message::parse_stream(BufReader::new(stdout)).map_while(Result::ok) {
        match message {
            Message::CompilerArtifact(artifact) if artifact.package_id == *package => {
                let module = artifact.filenames.into_iter().find(|path| path.extension() == Some("wasm"));
                found.module = found.module.or(module.map(Into::into));
            }
            Message::CompilerMessage(message) if message.message.level == DiagnosticLevel::Error => {
                found.failed.push(message.package_id);
            }
            _ => {}
        }
    }
    found
}

/// Hands cargo's status lines on, and keeps the last lines of everything.
fn read_lines(stderr: impl Read, progress: &dyn Fn(&str)) -> Vec<String> {
    let mut kept = VecDeque::new();
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let status = line.trim_start();
        if ["Compiling ", "Downloading ", "Blocking ", "Updating "].iter().any(|verb| status.starts_with(verb)) {
            progress(status);
        }
        if kept.len() == LAST_LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    }
    kept.into()
}

/// Makes a component of a module; refuses imports that no host gives, and names whose they are.
pub(super) fn componentize(module: &[u8], project: &Project) -> Result<Vec<u8>, BuildError> {
    let foreign = foreign_imports(module)?;
    if !foreign.is_empty() {
        let hint = blame::for_imports(&project.metadata, &project.package.id, &foreign);
        let imports = foreign.into_iter().map(|(module, name)| format!("{module}.{name}")).collect();
        return Err(BuildError::Imports { imports, hint });
    }
    let encode = || wit_component::ComponentEncoder::default().validate(true).module(module)?.encode();
    encode().map_err(|error| {
        BuildError::Componentize(format!(
            "{error:#}; a connector's library names its parts in sallyport_sdk's export macro"
        ))
    })
}

/// Imports that are not of a component's interfaces, as module and name.
fn foreign_imports(module: &[u8]) -> Result<Vec<(String, String)>, BuildError> {
    let damaged =
        |error: wasmparser::BinaryReaderError| BuildError::Componentize(format!("the module is damaged: {error}"));
    let mut foreign = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(reader) = payload.map_err(damaged)? {
            for import in reader.into_imports() {
                let import = import.map_err(damaged)?;
                // `pkg:name/interface`, and the canonical ABI's own `$root` and `[export]…`.
                let canonical = import.module.starts_with(['$', '[']) || import.module.contains("sallyport:connector/");
                if !canonical {
                    foreign.push((import.module.to_owned(), import.name.to_owned()));
                }
            }
        }
    }
    Ok(foreign)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{EntityType, ImportSection, Module, TypeSection};

    use super::*;

    #[test]
    fn imports_that_no_host_gives_are_found() {
        let mut module = Module::new();
        let mut types = TypeSection::new();
        types.ty().function([], []);
        module.section(&types);
        let mut imports = ImportSection::new();
        for (from, name) in [
            ("sallyport:connector/http@0.1.0", "send"),
            ("[export]sallyport:connector/tools@0.1.0", "[task-return]invoke"),
            ("$root", "[resource-drop]blob"),
            ("__wbindgen_placeholder__", "__wbindgen_throw"),
            ("env", "clock_now"),
            ("wasi_snapshot_preview1", "fd_write"),
        ] {
            imports.import(from, name, EntityType::Function(0));
        }
        module.section(&imports);
        let found = foreign_imports(&module.finish()).expect("a module");
        let names: Vec<&str> = found.iter().map(|(module, _)| module.as_str()).collect();
        assert_eq!(names, ["__wbindgen_placeholder__", "env", "wasi_snapshot_preview1"]);
        assert!(foreign_imports(b"\0asm\x01\0\0\0\x07").is_err());
    }

    #[test]
    fn progress_is_cargos_status_and_errors_keep_the_last_lines() {
        let told = std::cell::RefCell::new(Vec::new());
        let text: String = (0..100).map(|n| format!("   Compiling crate{n} v1\nerror: line {n}\n")).collect();
        let kept = read_lines(text.as_bytes(), &|line| told.borrow_mut().push(line.to_owned()));
        assert_eq!((told.borrow().len(), told.borrow()[0].as_str()), (100, "Compiling crate0 v1"));
        assert_eq!((kept.len(), kept.last().map(String::as_str)), (LAST_LINES, Some("error: line 99")));
    }
}
