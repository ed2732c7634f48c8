//! Bytes that the host holds for this invocation; they need never enter guest memory.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{Failure, Problem, backend};

/// A handle to bytes that the host holds. Giving it away, in a request's body or a document's
/// content, moves it.
#[derive(Debug)]
pub struct Blob(pub(crate) backend::Blob);

impl Blob {
    /// The most that one [`read`](Self::read) gives: 1 MiB.
    pub const MAX_READ: u32 = 1024 * 1024;

    /// How many bytes there are, where the host knows.
    pub fn size(&self) -> Option<u64> {
        self.0.size()
    }

    /// The media type, where one was told.
    pub fn media_type(&self) -> Option<String> {
        self.0.media_type()
    }

    /// The next bytes: exactly `max` (at most 1 MiB) unless at the end; empty at the end.
    pub fn read(&self, max: u32) -> Result<Vec<u8>, Problem> {
        self.0.read(max.min(Self::MAX_READ))
    }

    /// What is left, up to `limit` bytes; more than that is the problem `too-large`.
    pub fn read_to_end(&self, limit: usize) -> Result<Vec<u8>, Problem> {
        let mut all = Vec::new();
        loop {
            let next = self.read(Self::MAX_READ)?;
            if next.is_empty() {
                return Ok(all);
            }
            if all.len() + next.len() > limit {
                return Err(Problem::new("too-large", format!("the blob holds more than {limit} bytes")));
            }
            all.extend_from_slice(&next);
        }
    }
}

/// The same handle, not the same bytes.
impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        self.0.is(&other.0)
    }
}

/// Opens a file that the caller named in the arguments.
pub fn open(id: &str) -> Result<Blob, Problem> {
    backend::open_blob(id)
}

/// Hands bytes to the host.
pub fn create(media_type: &str, bytes: Vec<u8>) -> Result<Blob, Problem> {
    backend::create_blob(media_type, bytes)
}

/// A file among a tool's arguments, written `{"$blob": "<id>"}`.
///
/// ```
/// # use sallyport_sdk::prelude::*;
/// #[derive(Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// pub struct Attach {
///     /// The file to attach.
///     pub file: blobs::Reference,
/// }
///
/// fn attach(input: Attach) -> Result<(), Failure> {
///     let file = input.file.open()?;
///     http::post("https://api.example.com/files").blob(file).send()?.ok()?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    #[serde(rename = "$blob")]
    id: String,
}

impl Reference {
    /// A reference to the blob of this id.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into() }
    }

    /// Opens it; an id that the host does not know is [`Failure::InvalidInput`].
    pub fn open(&self) -> Result<Blob, Failure> {
        open(&self.id).map_err(|problem| Failure::invalid_input(format!("file {:?}: {}", self.id, problem.message)))
    }
}

impl JsonSchema for Reference {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Blob".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": { "$blob": { "type": "string" } },
            "required": ["$blob"],
            "additionalProperties": false,
        })
    }
}
