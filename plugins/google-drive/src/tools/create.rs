//! Creating a Google Doc.

use sallyport_sdk::http::{Part, PartBody};
use sallyport_sdk::prelude::*;
use serde_json::json;

use super::input;
use crate::api;
use crate::model::{DOCUMENT, File};

/// A document that is not there yet.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDocument {
    /// The id of the folder that it goes into, or of a shared drive; `root` is My Drive.
    pub folder_id: String,
    /// The document's name, one line.
    #[schemars(length(min = 1, max = 300))]
    pub name: String,
    /// What it says, Markdown.
    pub content: String,
}

/// The new document.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DocumentCreated {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where a person opens it.
    pub url: Option<String>,
}

/// Creates a Google Doc from Markdown in a folder. Whoever may read the folder may read it.
#[tool(title = "Create a document")]
pub fn create_document(input: CreateDocument) -> Result<DocumentCreated, Failure> {
    input::id("folder_id", &input.folder_id)?;
    input::text("name", &input.name)?;
    // No id of its own beforehand: Drive refuses one where content is converted to a Google Doc.
    let metadata = json!({ "name": input.name.trim(), "mimeType": DOCUMENT, "parents": [input.folder_id] });
    let media = Part {
        name: "media".into(),
        filename: None,
        media_type: Some("text/markdown".into()),
        body: PartBody::Bytes(input.content.into_bytes()),
    };
    let request = api::upload()
        .query("supportsAllDrives", true)
        .query("fields", "id,name,webViewLink")
        .multipart(vec![Part::json("metadata", &metadata), media]);
    let file: File = api::check(request.send()?)?.json()?;
    Ok(DocumentCreated { name: file.title().to_owned(), url: file.web_view_link, id: file.id })
}
