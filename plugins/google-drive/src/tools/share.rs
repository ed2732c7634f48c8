//! Sharing a file.

use sallyport_sdk::prelude::*;
use serde_json::json;

use super::input;
use crate::api;
use crate::model::Permission;

/// Whom to share what with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareFile {
    /// The id of the file or folder. What is in a folder is shared with it.
    pub file_id: String,
    /// A person's or a group's e-mail address, or an organisation's domain such as example.com.
    #[schemars(length(min = 3, max = 320))]
    pub with: String,
    /// What they may do.
    pub role: Role,
    /// Whether the address is a group's.
    #[serde(default)]
    pub is_group: bool,
}

/// What somebody may do with a file.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read.
    Reader,
    /// Read and comment.
    Commenter,
    /// Read, comment and change.
    Writer,
}

/// How the file is shared now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FileShared {
    /// The file's id.
    pub file_id: String,
    /// With whom.
    pub with: String,
    /// What they may do: Drive keeps a higher role that they had.
    pub role: String,
}

/// Shares a file or folder with a person, a group or everybody in an organisation; Google tells a
/// person by e-mail. What they have read cannot be taken back.
#[tool(title = "Share a file", documents = FileShared::documents)]
pub fn share_file(input: ShareFile) -> Result<FileShared, Failure> {
    input::id("file_id", &input.file_id)?;
    let with = input.with.trim();
    let role = match input.role {
        Role::Reader => "reader",
        Role::Commenter => "commenter",
        Role::Writer => "writer",
    };
    let plain = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace) && !text.contains('@');
    let body = match with.split_once('@') {
        Some((name, domain)) if plain(name) && plain(domain) => {
            json!({ "type": if input.is_group { "group" } else { "user" }, "role": role, "emailAddress": with })
        }
        None if plain(with) && with.contains('.') && !input.is_group => {
            json!({ "type": "domain", "role": role, "domain": with })
        }
        _ => {
            let message = format!("with: {with:?} is neither an e-mail address nor a domain such as example.com");
            return Err(Failure::invalid_input(message));
        }
    };
    let request = api::post(["files", &input.file_id, "permissions"])
        .query("supportsAllDrives", true)
        .query("fields", "id,type,role,emailAddress,domain")
        .json(&body);
    let permission: Permission = api::check(request.send()?)?.json()?;
    Ok(FileShared { file_id: input.file_id, with: with.to_owned(), role: permission.role })
}

impl FileShared {
    fn documents(&self) -> Vec<String> {
        vec![self.file_id.clone()]
    }
}
