//! Finding files by what they say.

use sallyport_sdk::prelude::*;

use super::input;
use crate::api;
use crate::model::{File, FileList};

/// What to look for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchFiles {
    /// Words that the file's name or content holds; "quoted words" must stand together.
    #[schemars(length(min = 1, max = 500))]
    pub query: String,
    /// Only what lies directly in this folder: its id.
    pub folder_id: Option<String>,
    /// How many files at most; 20 if absent.
    #[schemars(range(min = 1, max = 100))]
    pub limit: Option<u32>,
}

/// What was found, the best first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FilesFound {
    /// The files.
    pub files: Vec<FoundFile>,
    /// Whether there are more than these.
    pub more: bool,
}

/// A file that was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FoundFile {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its media type.
    pub mime_type: String,
    /// When it last changed, RFC 3339.
    pub modified: Option<String>,
    /// Who owns it; nobody in a shared drive.
    pub owner: Option<String>,
    /// The folder that holds it.
    pub folder_id: Option<String>,
    /// Where a person opens it.
    pub url: Option<String>,
}

/// Searches names and contents of the files in Google Drive, shared drives included, as Google
/// Drive itself searches them. Gives names and links, not contents.
#[tool(title = "Search files", documents = FilesFound::documents)]
pub fn search_files(input: SearchFiles) -> Result<FilesFound, Failure> {
    input::text("query", &input.query)?;
    let mut query = format!("fullText contains {} and trashed = false", input::quoted(&input.query));
    if let Some(folder) = &input.folder_id {
        input::id("folder_id", folder)?;
        query = format!("{} in parents and {query}", input::quoted(folder));
    }
    // Ordered by relevance: a full-text search refuses every other order.
    let request = api::get(["files"])
        .query("corpora", "allDrives")
        .query("supportsAllDrives", true)
        .query("includeItemsFromAllDrives", true)
        .query("q", query)
        .query("pageSize", input.limit.unwrap_or(20).clamp(1, 100))
        .query("fields", "nextPageToken,files(id,name,mimeType,modifiedTime,parents,webViewLink,owners(displayName))");
    let list: FileList = api::check(request.send()?)?.json()?;
    let more = list.next_page_token.is_some();
    Ok(FilesFound { files: list.files.into_iter().map(FoundFile::from).collect(), more })
}

impl FilesFound {
    fn documents(&self) -> Vec<String> {
        self.files.iter().map(|file| file.id.clone()).collect()
    }
}

impl From<File> for FoundFile {
    fn from(file: File) -> Self {
        Self {
            name: file.title().to_owned(),
            mime_type: file.kind().to_owned(),
            folder_id: file.parent().cloned(),
            owner: file.owners.first().and_then(|owner| owner.display_name.clone()),
            modified: file.modified_time,
            url: file.web_view_link,
            id: file.id,
        }
    }
}
