//! The connector file: a component with its manifest sealed into it, read without running anything.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Digest as _;
use wasmparser::{BinaryReader, Encoding, Parser, Payload};

use crate::{
    describe::{self, DescribeErrors, ToolDescription},
    manifest::{Manifest, ManifestErrors, Problem},
    signature::{self, Publisher, SignatureError},
};

/// The custom section that holds the seal.
pub const SECTION: &str = "sallyport:manifest";
/// The form of what is sealed.
pub const FORMAT: u32 = 1;
/// The largest connector file, in bytes: a Python guest has 18 MB.
pub const MAX_FILE_BYTES: usize = 64 << 20;
/// Magic and version, before the first section.
const HEADER: usize = 8;
/// Our package, and the line of it that this program speaks.
const PACKAGE: &str = "sallyport:connector/";
const LINE: &str = "0.1.";
/// What a component may import, from our package.
const IMPORTS: &[&str] = &["types", "blobs", "http", "credentials", "documents", "clock", "random", "log"];

/// What is sealed into a component.
#[derive(Debug, Clone, PartialEq)]
pub struct Sealed {
    /// Its manifest.
    pub manifest: Manifest,
    /// What it says about its tools.
    pub tools: Vec<ToolDescription>,
    /// The version of the packer that sealed it.
    pub packer: String,
}

/// An interface that a component can export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Export {
    /// Whose account is this? Every connector has it.
    Account,
    /// Pulls documents.
    Sync,
    /// Tools that an agent can call.
    Tools,
    /// Reads deliveries.
    Webhooks,
    /// Keeps subscriptions alive.
    Subscriptions,
}

impl Export {
    const ALL: [Self; 5] = [Self::Account, Self::Sync, Self::Tools, Self::Webhooks, Self::Subscriptions];

    /// The interface's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Sync => "sync",
            Self::Tools => "tools",
            Self::Webhooks => "webhooks",
            Self::Subscriptions => "subscriptions",
        }
    }
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A connector file, as far as it can be known without running it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorFile {
    /// Its manifest, checked again.
    pub manifest: Manifest,
    /// What it says about its tools, checked again.
    pub tools: Vec<ToolDescription>,
    /// What it exports of our package, in the order of the package's worlds.
    pub exports: Vec<Export>,
    /// What it imports, as `sallyport:connector/http@0.1.0`; all of it ours.
    pub imports: Vec<String>,
    /// The version of the packer that sealed it.
    pub packer: String,
    /// Whose signature it bears, verified; `None`: nobody's.
    pub publisher: Option<Publisher>,
    /// Its length, in bytes.
    pub size: u64,
    /// The SHA-256 of all its bytes, 64 lower-case hex digits.
    pub digest: String,
}

impl ConnectorFile {
    /// Whether it exports an interface.
    #[must_use]
    pub fn has(&self, export: Export) -> bool {
        self.exports.contains(&export)
    }
}

/// A file that is no connector. Whoever made the file mends it; reading it again cannot help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Other bytes than WebAssembly.
    #[error("not a WebAssembly file: a connector is what `sallyport plugin build DIR` writes")]
    NotWasm,
    /// A core module.
    #[error("a core module, and no component: run `sallyport plugin build DIR` on its crate, which makes it one")]
    CoreModule,
    /// A component that ends too soon, or is otherwise damaged.
    #[error("damaged at byte {offset}: {message}; build or download it again")]
    Damaged {
        /// Where.
        offset: u64,
        /// What is wrong there.
        message: String,
    },
    /// Larger than a connector may be.
    #[error("{size} bytes, above the limit of {MAX_FILE_BYTES}")]
    TooLarge {
        /// Its length, in bytes.
        size: usize,
    },
    /// A component without a manifest in it.
    #[error("a component without a sealed manifest: run `sallyport plugin build DIR` on its crate, which seals it")]
    NotSealed,
    /// Two seals: which one counts would be a matter of the reader.
    #[error("sealed {0} times: build it again")]
    SealedAgain(usize),
    /// Sealed by a later program.
    #[error("sealed in form {found}, and this program reads up to {FORMAT}: update sallyport")]
    NewerFormat {
        /// The form in the file.
        found: u64,
    },
    /// What is sealed is not what a packer writes.
    #[error("the seal cannot be read: {0}")]
    Seal(String),
    /// It wants more than our interfaces.
    #[error("imports what no connector may: {}; allowed are the interfaces of sallyport:connector@0.1", .0.join(", "))]
    Imports(Vec<String>),
    /// It lacks the one export that every connector has.
    #[error("does not export {PACKAGE}account@0.1.0 (it exports {}): implement it", if .0.is_empty() { "nothing".to_owned() } else { .0.join(", ") })]
    NoAccount(Vec<String>),
    /// Its signature is not one.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Manifest and exports say different things.
    #[error("manifest and component do not agree:{}", .0.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
    Disagree(Vec<Problem>),
    /// The sealed manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestErrors),
    /// The sealed descriptions are wrong.
    #[error(transparent)]
    Describe(#[from] DescribeErrors),
}

/// What a component imports and exports, whoever made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// What it imports.
    pub imports: Vec<String>,
    /// What it exports of our package.
    pub exports: Vec<Export>,
    seals: Vec<Vec<u8>>,
}

/// Reads what a component imports and exports, and refuses one that is not for our host.
///
/// # Errors
/// [`FileError`]: not a component, foreign imports (all of them listed), no `account`.
pub fn outline(bytes: &[u8]) -> Result<Outline, FileError> {
    let (imports, exported, seals) = sections(bytes)?;
    let foreign: Vec<String> =
        imports.iter().filter(|name| !ours(name).is_some_and(|name| IMPORTS.contains(&name))).cloned().collect();
    if !foreign.is_empty() {
        return Err(FileError::Imports(foreign));
    }
    let names: Vec<&str> = exported.iter().filter_map(|name| ours(name)).collect();
    let exports: Vec<Export> = Export::ALL.into_iter().filter(|export| names.contains(&export.as_str())).collect();
    if !exports.contains(&Export::Account) {
        return Err(FileError::NoAccount(exported));
    }
    Ok(Outline { imports, exports, seals })
}

/// Seals a component. What was sealed into it before is replaced, and a signature is taken off, since it was over other
/// bytes; the same input gives the same bytes.
///
/// # Errors
/// [`FileError`]: not a component for our host, or manifest, descriptions and exports do not agree.
pub fn seal(component: &[u8], sealed: &Sealed) -> Result<Vec<u8>, FileError> {
    let outline = outline(component)?;
    agree(&sealed.manifest, &outline.exports)?;
    let tools = describe::check(sealed.tools.clone(), &sealed.manifest)?;
    let json = serde_json::json!({
        "format": FORMAT,
        "packer": sealed.packer,
        "manifest": sealed.manifest.to_json(),
        "tools": tools,
    });
    let mut bytes = without(component, &[SECTION, signature::SECTION])?;
    let section = wasm_encoder::CustomSection { name: SECTION.into(), data: json.to_string().into_bytes().into() };
    wasm_encoder::ComponentSection::append_to_component(&section, &mut bytes);
    Ok(bytes)
}

/// Reads a connector file without running any of it. Nothing that is sealed is believed: all checks of the packer are
/// made again.
///
/// # Errors
/// [`FileError`].
pub fn read(bytes: &[u8]) -> Result<ConnectorFile, FileError> {
    let outline = outline(bytes)?;
    let seal = match outline.seals.as_slice() {
        [] => return Err(FileError::NotSealed),
        [seal] => seal,
        more => return Err(FileError::SealedAgain(more.len())),
    };
    let seal: Value = serde_json::from_slice(seal).map_err(|error| FileError::Seal(error.to_string()))?;
    match seal.get("format").and_then(Value::as_u64) {
        Some(found) if found == u64::from(FORMAT) => {}
        Some(found) if found > u64::from(FORMAT) => return Err(FileError::NewerFormat { found }),
        _ => return Err(FileError::Seal("it names no format".to_owned())),
    }
    let form: Form = serde_json::from_value(seal).map_err(|error| FileError::Seal(error.to_string()))?;
    let manifest = Manifest::from_json(&form.manifest)?;
    agree(&manifest, &outline.exports)?;
    let tools = describe::check(form.tools, &manifest)?;
    let publisher = signature::verify(bytes)?;
    Ok(ConnectorFile {
        manifest,
        tools,
        exports: outline.exports,
        imports: outline.imports,
        packer: form.packer,
        publisher,
        size: bytes.len() as u64,
        digest: hex::encode(sha2::Sha256::digest(bytes)),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(rename = "format")]
    _format: u32,
    packer: String,
    manifest: Value,
    tools: Vec<ToolDescription>,
}

/// Whether manifest and exports speak of the same connector.
fn agree(manifest: &Manifest, exports: &[Export]) -> Result<(), FileError> {
    let subscribes = manifest.webhook.as_ref().is_some_and(|webhook| !webhook.subscribe.is_empty());
    let table = [
        (Export::Sync, "sync", manifest.sync.is_some()),
        (Export::Tools, "tool", !manifest.tools.is_empty()),
        (Export::Webhooks, "webhook", manifest.webhook.is_some()),
        (Export::Subscriptions, "webhook.subscribe", subscribes),
    ];
    let problems: Vec<Problem> = table
        .into_iter()
        .filter_map(|(export, section, declared)| match (declared, exports.contains(&export)) {
            // Deliveries and subscriptions may be declared before the guest takes part in them: then the host only
            // pulls.
            (true, false) if matches!(export, Export::Sync | Export::Tools) => Some(Problem::new(
                section,
                format!("declared, and the component exports no {export}: implement it, or remove the section"),
            )),
            (false, true) => {
                Some(Problem::new(section, format!("missing, and the component exports {export}: declare it")))
            }
            _ => None,
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(FileError::Disagree(problems)) }
}

/// The interface's name, if it is one of our package's line 0.1.
fn ours(name: &str) -> Option<&str> {
    let (interface, version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
    let patch = version.strip_prefix(LINE)?;
    (!patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit())).then_some(interface)
}

type Sections = (Vec<String>, Vec<String>, Vec<Vec<u8>>);

/// Imports, exports and seals of the outermost component.
fn sections(bytes: &[u8]) -> Result<Sections, FileError> {
    header(bytes)?;
    let (mut imports, mut exports, mut seals) = (Vec::new(), Vec::new(), Vec::new());
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(reader) if depth == 0 => {
                for import in reader {
                    imports.push(import.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(reader) if depth == 0 => {
                for export in reader {
                    exports.push(export.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                seals.push(section.data().to_vec())
            }
            _ => {}
        }
    }
    Ok((imports, exports, seals))
}

fn header(bytes: &[u8]) -> Result<(), FileError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(FileError::TooLarge { size: bytes.len() });
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(FileError::NotWasm);
    }
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding: Encoding::Component, .. })) => Ok(()),
        Some(Ok(_)) => Err(FileError::CoreModule),
        Some(Err(error)) => Err(damaged(error)),
        None => Err(FileError::NotWasm),
    }
}

fn damaged(error: wasmparser::BinaryReaderError) -> FileError {
    FileError::Damaged { offset: error.offset(), message: error.message().to_owned() }
}

/// A section of the outermost component, as it lies in the file.
pub(crate) struct Section<'b> {
    /// Its first byte.
    pub(crate) start: usize,
    /// The byte after its last.
    pub(crate) end: usize,
    /// The name, if it is a custom section.
    pub(crate) name: Option<&'b str>,
}

/// The sections of the outermost component, in their order, however their lengths were written.
pub(crate) fn outermost(bytes: &[u8]) -> Result<Vec<Section<'_>>, FileError> {
    const CUSTOM: u8 = 0;
    header(bytes)?;
    let mut found = Vec::new();
    let mut at = HEADER;
    while at < bytes.len() {
        let mut reader = BinaryReader::new(&bytes[at..], at as u64);
        let id = reader.read_u8().map_err(damaged)?;
        let length = reader.read_var_u32().map_err(damaged)? as usize;
        let body = reader.read_bytes(length).map_err(damaged)?;
        let end = at + reader.current_position();
        let name = (id == CUSTOM).then(|| BinaryReader::new(body, 0).read_string().ok()).flatten();
        found.push(Section { start: at, end, name });
        at = end;
    }
    Ok(found)
}

/// A component's bytes without its outermost custom sections of these names. Every other section keeps its bytes.
pub(crate) fn without(bytes: &[u8], names: &[&str]) -> Result<Vec<u8>, FileError> {
    let sections = outermost(bytes)?;
    let mut kept = bytes[..HEADER].to_vec();
    for section in sections.iter().filter(|section| !section.name.is_some_and(|name| names.contains(&name))) {
        kept.extend_from_slice(&bytes[section.start..section.end]);
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{component, describe_all, google_drive};

    /// What a connector like Google Drive's imports and exports.
    const IMPORTED: &[&str] =
        &["sallyport:connector/types@0.1.0", "sallyport:connector/http@0.1.0", "sallyport:connector/documents@0.1.3"];
    const EXPORTED: &[&str] =
        &["sallyport:connector/account@0.1.0", "sallyport:connector/sync@0.1.0", "sallyport:connector/tools@0.1.0"];

    fn sealed() -> Sealed {
        let manifest = google_drive();
        Sealed {
            tools: describe::read(&describe_all(&manifest), &manifest).expect("descriptions"),
            manifest,
            packer: "0.1.0".into(),
        }
    }

    #[test]
    fn what_was_sealed_is_read_without_running_it() {
        let bare = component(IMPORTED, EXPORTED);
        let bytes = seal(&bare, &sealed()).expect("sealed");
        let file = read(&bytes).expect("read");
        assert_eq!((file.manifest, file.tools, file.packer.as_str()), (sealed().manifest, sealed().tools, "0.1.0"));
        assert_eq!(file.exports, [Export::Account, Export::Sync, Export::Tools]);
        assert_eq!(file.imports, IMPORTED);
        assert_eq!((file.size, file.digest.len()), (bytes.len() as u64, 64));
        assert!(wasmparser::Validator::new().validate_all(&bytes).is_ok(), "a seal leaves a valid component");
    }

    #[test]
    fn sealing_again_replaces_and_is_deterministic() {
        let bare = component(IMPORTED, EXPORTED);
        let once = seal(&bare, &sealed()).expect("sealed");
        assert_eq!(once, seal(&bare, &sealed()).expect("sealed"), "the same input, the same bytes");
        let twice = seal(&once, &Sealed { packer: "0.1.1".into(), ..sealed() }).expect("sealed again");
        assert_eq!(read(&twice).expect("read").packer, "0.1.1");
        assert_eq!(seal(&twice, &sealed()).expect("sealed back"), once);
        assert_eq!(without(&once, &[SECTION]).expect("unsealed"), bare);
        // A seal whose length is written in more bytes than it needs is still found.
        let data = br#"{"format":1}"#;
        let mut padded = bare.clone();
        let body = [&[SECTION.len() as u8][..], SECTION.as_bytes(), data].concat();
        padded.extend([0, 0x80 | body.len() as u8, 0x80, 0x00]);
        padded.extend(body);
        assert_eq!(without(&padded, &[SECTION]).expect("unsealed"), bare);
    }

    #[test]
    fn a_file_that_is_no_connector_says_what_it_is() {
        let bare = component(IMPORTED, EXPORTED);
        let bytes = seal(&bare, &sealed()).expect("sealed");
        let section = |data: &str| {
            let mut bytes = bare.clone();
            let section = wasm_encoder::CustomSection { name: SECTION.into(), data: data.as_bytes().into() };
            wasm_encoder::ComponentSection::append_to_component(&section, &mut bytes);
            bytes
        };
        let core = b"\0asm\x01\0\0\0".to_vec();
        let table: [(Vec<u8>, &str); 10] = [
            (b"PK\x03\x04".to_vec(), "not a WebAssembly file"),
            (Vec::new(), "not a WebAssembly file"),
            (core, "a core module"),
            (bytes[..bytes.len() - 1].to_vec(), "damaged"),
            (b"\0asm".to_vec(), "damaged"),
            (bare.clone(), "without a sealed manifest"),
            (section("{\"format\": 2, \"more\": []}"), "sealed in form 2"),
            (section("{}"), "names no format"),
            (
                section("{\"format\": 1, \"packer\": \"0\", \"manifest\": {\"schema\": 1}, \"tools\": []}"),
                "[connector]",
            ),
            ([bytes.clone(), section("{}")[bare.len()..].to_vec()].concat(), "sealed 2 times"),
        ];
        for (bytes, why) in table {
            let error = read(&bytes).expect_err(why).to_string();
            assert!(error.contains(why), "{error}, wanted {why}");
        }
        assert!(matches!(read(&vec![0; MAX_FILE_BYTES + 1]), Err(FileError::TooLarge { .. })));
    }

    #[test]
    fn foreign_imports_are_refused_and_all_listed() {
        let foreign = [
            "wasi:cli/environment@0.2.6",
            "sallyport:connector/http@0.2.0",
            "sallyport:connector/secrets@0.1.0",
            "env",
        ];
        let imports: Vec<&str> = IMPORTED.iter().copied().chain(foreign).collect();
        match outline(&component(&imports, EXPORTED)) {
            Err(FileError::Imports(found)) => assert_eq!(found, foreign),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn exports_and_manifest_must_agree() {
        let table: [(&[&str], &str); 4] = [
            (&EXPORTED[1..], "does not export sallyport:connector/account@0.1.0"),
            (&EXPORTED[..2], "exports no tools"),
            (&[EXPORTED[0], EXPORTED[2]], "exports no sync"),
            (&[], "it exports nothing"),
        ];
        for (exports, why) in table {
            let error = seal(&component(IMPORTED, exports), &sealed()).expect_err(why).to_string();
            assert!(error.contains(why), "{error}, wanted {why}");
        }
        let mut without = sealed();
        without.manifest.sync = None;
        let error = seal(&component(IMPORTED, EXPORTED), &without).expect_err("sync is not declared").to_string();
        assert!(error.contains("sync: missing"), "{error}");
    }
}
