//! What tests of several modules need.

use wasm_encoder::{
    Component, ComponentExportKind, ComponentExportSection, ComponentImportSection, ComponentInstanceSection,
    ComponentTypeRef, ComponentTypeSection, InstanceType,
};

use crate::manifest::Manifest;

/// A component with these imports and exports, each an instance without anything in it.
pub(crate) fn component(imports: &[&str], exports: &[&str]) -> Vec<u8> {
    let mut component = Component::new();
    let mut types = ComponentTypeSection::new();
    types.instance(&InstanceType::new());
    component.section(&types);
    let mut section = ComponentImportSection::new();
    for name in imports {
        section.import(*name, ComponentTypeRef::Instance(0));
    }
    component.section(&section);
    let mut instances = ComponentInstanceSection::new();
    let nothing: [(&str, ComponentExportKind, u32); 0] = [];
    instances.export_items(nothing);
    component.section(&instances);
    let mut section = ComponentExportSection::new();
    for name in exports {
        section.export(*name, ComponentExportKind::Instance, imports.len() as u32, None);
    }
    component.section(&section);
    component.finish()
}

/// Our own manifest of Google Drive.
pub(crate) fn google_drive() -> Manifest {
    Manifest::from_toml(include_str!("../tests/fixtures/google-drive.connector.toml")).expect("our own manifest")
}

/// What a component would say about every tool of a manifest: the arguments that the manifest names.
pub(crate) fn describe_all(manifest: &Manifest) -> String {
    let describe = |tool: &crate::manifest::Tool| {
        let names = ["file_id", "folder_id", "with", "role"];
        let properties: serde_json::Map<String, serde_json::Value> =
            names.iter().map(|name| ((*name).to_owned(), serde_json::json!({ "type": "string" }))).collect();
        serde_json::json!({
            "name": tool.name, "title": "A tool", "description": "Does it.", "input": { "type": "object", "properties": properties }
        })
    };
    serde_json::Value::from(manifest.tools.iter().map(describe).collect::<Vec<_>>()).to_string()
}
