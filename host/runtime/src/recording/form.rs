//! The file. JSON, so that a person can read and review it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RecordingError;
use crate::document::Change;
use crate::egress;
use crate::host::{Failed, Got};
use crate::ids::{CapabilityId, ConnectorId, StreamId, Timestamp, ToolName};
use crate::invoke::Facts;

/// The form that this version writes, and the only one so far.
pub const FORMAT: u32 = 1;

/// One execution of one export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// [`FORMAT`].
    pub format: u32,
    /// Of which connector.
    pub connector: ConnectorId,
    /// Of which version.
    pub version: String,
    /// Which export, with its arguments.
    pub run: Run,
    /// What its random bytes follow from, 64 hex digits.
    pub seed: String,
    /// Its clock at the start.
    pub started: Timestamp,
    /// Capabilities that were live.
    pub capabilities: Vec<CapabilityId>,
    /// Everything that it was told, in order.
    pub calls: Vec<Call>,
    /// Everything that it staged, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emitted: Vec<Emitted>,
    /// What came of it.
    pub ended: Value,
}

/// Which export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "export")]
pub enum Run {
    /// `account.identify`.
    Identify,
    /// `sync.streams`.
    Streams,
    /// `sync.pull`.
    Pull {
        /// The stream.
        stream: StreamId,
        /// Where it begins.
        cursor: Option<String>,
        /// Whether everything is listed.
        sweep: bool,
    },
    /// `tools.invoke`.
    Tool {
        /// The tool.
        tool: ToolName,
        /// Its arguments.
        arguments: Value,
    },
}

/// Something that the execution was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "import")]
pub enum Call {
    /// A request by itself.
    #[serde(rename = "http.send")]
    Send {
        /// What was asked.
        request: Asked,
        /// What came back; none for a write that waits for a person.
        answer: Option<Told>,
    },
    /// A request among several.
    #[serde(rename = "http.send-all")]
    SendAll {
        /// What was asked.
        request: Asked,
        /// What came back.
        answer: Option<Told>,
    },
    /// The clock.
    #[serde(rename = "clock.now")]
    Now {
        /// Milliseconds since 1970.
        answer: Timestamp,
    },
    /// Random bytes, which follow from the seed.
    #[serde(rename = "random.bytes")]
    Random {
        /// How many.
        length: u32,
    },
    /// What the connection is.
    #[serde(rename = "credentials.get")]
    Credentials {
        /// Account, slots by name, capabilities, settings.
        answer: Facts,
    },
    /// Revisions that the store has.
    #[serde(rename = "documents.revisions")]
    Revisions {
        /// Of which documents.
        ids: Vec<String>,
        /// Each.
        answer: Vec<Option<String>>,
    },
}

impl Call {
    /// The import, as `interface.function`.
    #[must_use]
    pub fn import(&self) -> &'static str {
        match self {
            Self::Send { .. } => "http.send",
            Self::SendAll { .. } => "http.send-all",
            Self::Now { .. } => "clock.now",
            Self::Random { .. } => "random.bytes",
            Self::Credentials { .. } => "credentials.get",
            Self::Revisions { .. } => "documents.revisions",
        }
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// `GET`, `POST`, …
    pub method: String,
    /// Absolute.
    pub url: String,
    /// In order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Which slot's secret, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Whether the answer is a blob.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blob: bool,
    /// The body.
    #[serde(default, skip_serializing_if = "Content::is_empty")]
    pub body: Content,
    /// As the host would send it, and not as the guest said it: what a journal keeps of writes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub canonical: bool,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// An answer.
    Got {
        /// Its status.
        status: u16,
        /// Its headers.
        headers: Vec<(String, String)>,
        /// Its body.
        #[serde(default, skip_serializing_if = "Content::is_empty")]
        body: Content,
    },
    /// Why there is none.
    Failed(Failed),
}

/// Bytes, as readable as they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// None.
    #[default]
    Empty,
    /// JSON that is written as this version would.
    Json(Value),
    /// UTF-8.
    Text(String),
    /// Anything else.
    Base64(String),
    /// A form that the host puts together.
    Multipart(Vec<Part>),
}

/// A part of a form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// The file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Its bytes.
    #[serde(default, skip_serializing_if = "Content::is_empty")]
    pub body: Content,
}

/// Something that a pull staged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Emitted {
    /// A change.
    Change(Change),
    /// A checkpoint.
    Checkpoint(String),
}

impl Content {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::Empty;
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return Self::Base64(STANDARD.encode(bytes)) };
        // Only where nothing is lost: the guest is told these very bytes again.
        let value = serde_json::from_str::<Value>(text).ok();
        let value = value.filter(|value| !matches!(value, Value::Number(_)));
        match value.map(|value| (value.to_string(), value)) {
            Some((written, value)) if written == text => Self::Json(value),
            _ => Self::Text(text.into()),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::Empty
    }

    /// The bytes; `None` for a form, which only the host puts together, and for what is no base64.
    pub(crate) fn bytes(&self) -> Option<Bytes> {
        Some(match self {
            Self::Empty => Bytes::new(),
            Self::Json(value) => value.to_string().into(),
            Self::Text(text) => text.clone().into(),
            Self::Base64(text) => STANDARD.decode(text).ok()?.into(),
            Self::Multipart(_) => return None,
        })
    }
}

impl Asked {
    /// A request as a guest said it.
    pub(crate) fn of(request: &egress::Request) -> Self {
        let body = match &request.body {
            egress::Body::Empty => Content::Empty,
            egress::Body::Bytes(bytes) => Content::of(bytes),
            egress::Body::Multipart(parts) => {
                let part = |part: &egress::Part| Part {
                    name: part.name.clone(),
                    filename: part.filename.clone(),
                    media_type: part.media_type.clone(),
                    body: Content::of(&part.body),
                };
                Content::Multipart(parts.iter().map(part).collect())
            }
        };
        Self {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            slot: request.slot.clone(),
            blob: request.delivery == egress::Delivery::Blob,
            body,
            canonical: false,
        }
    }

    /// A request in the form that is hashed and approved: a line of JSON, then the body.
    pub(crate) fn of_canonical(canonical: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Head {
            method: String,
            url: String,
            headers: Vec<(String, String)>,
            slot: Option<String>,
        }
        let end = canonical.iter().position(|byte| *byte == b'\n')?;
        let Head { method, url, headers, slot } = serde_json::from_slice(&canonical[..end]).ok()?;
        let body = Content::of(&canonical[end + 1..]);
        Some(Self { method, url, headers, slot, blob: false, body, canonical: true })
    }
}

impl From<&crate::host::Answer> for Told {
    fn from(answer: &crate::host::Answer) -> Self {
        match answer {
            Ok(Got { status, headers, body }) => {
                Self::Got { status: *status, headers: headers.clone(), body: Content::of(body) }
            }
            Err(failed) => Self::Failed(failed.clone()),
        }
    }
}

impl Told {
    pub(crate) fn answer(&self) -> Option<crate::host::Answer> {
        Some(match self {
            Self::Got { status, headers, body } => {
                Ok(Got { status: *status, headers: headers.clone(), body: body.bytes()? })
            }
            Self::Failed(failed) => Err(failed.clone()),
        })
    }
}

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    /// [`RecordingError::Form`] says what is wrong and where; [`RecordingError::Newer`].
    pub fn read(text: &str) -> Result<Self, RecordingError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let form = |error: serde_json::Error| RecordingError::Form(error.to_string());
        let Version { format } = serde_json::from_str(text).map_err(form)?;
        if format != FORMAT {
            return Err(RecordingError::Newer { found: format });
        }
        let recording: Self = serde_json::from_str(text).map_err(form)?;
        recording.seed()?;
        Ok(recording)
    }

    /// The text of its file, which ends with a line break.
    #[must_use]
    pub fn text(&self) -> String {
        let text =
            serde_json::to_string_pretty(self).expect("recordings have string keys and no value that JSON lacks");
        text + "\n"
    }

    pub(crate) fn seed(&self) -> Result<[u8; 32], RecordingError> {
        let mut seed = [0; 32];
        hex::decode_to_slice(&self.seed, &mut seed)
            .map_err(|error| RecordingError::Form(format!("its seed is not 64 hex digits: {error}")))?;
        Ok(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_the_same_bytes_again() {
        let all: [&[u8]; 9] = [
            b"",
            b"{\"a\":1}",
            b"{ \"a\": 1 }",
            b"1e400",
            b"1.0",
            b"plain",
            b"\"q\"",
            b"\xff\xfe",
            "\u{e9}".as_bytes(),
        ];
        for bytes in all {
            let content = Content::of(bytes);
            let text = serde_json::to_string(&content).unwrap();
            let again: Content = serde_json::from_str(&text).unwrap();
            assert_eq!(again.bytes().unwrap(), bytes, "{content:?}");
        }
        assert!(matches!(Content::of(b"{\"b\":1,\"a\":[null]}"), Content::Json(_)));
    }
}
