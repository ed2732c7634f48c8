//! The guests of `tests/guests/hostile`, as connector files.

use std::path::Path;

use sallyport_pack::manifest::Manifest;
use sallyport_pack::sealed::{self, Sealed};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A guest's core module, in text.
///
/// # Errors
/// There is no such file.
pub fn module(name: &str) -> anyhow::Result<String> {
    let read = |name: &str| std::fs::read_to_string(root().join(format!("tests/guests/hostile/{name}.wat")));
    Ok(format!("(module\n{}\n{})", read("common")?, read(name)?))
}

/// A core module as a component, under the seal of another connector file, changed or as it is: its manifest and its
/// tools.
///
/// # Errors
/// It is no module of the world `connector`, or the other is no connector file.
pub fn sealed(module: &str, honest: &[u8], change: impl FnOnce(&mut Manifest)) -> anyhow::Result<Vec<u8>> {
    let mut module = wat::parse_str(module)?;
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit"))?;
    let world = resolve.select_world(&[package], Some("connector"))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    let component = ComponentEncoder::default().module(&module)?.validate(true).encode()?;
    let mut honest = sealed::read(honest)?;
    change(&mut honest.manifest);
    let seal = Sealed { manifest: honest.manifest, tools: honest.tools, packer: "bench".into() };
    Ok(sealed::seal(&component, &seal)?)
}
