//! Recordings: what one execution was told and what it made of it, in a file that needs no host, no account and no network.
//!
//! A connector is a pure function of what its host calls answer. A recording holds these answers, so the same component does
//! the same again, anywhere; and another version of it shows where it parts. One is taken out of the journal (tool calls) or
//! made by running an export against the service (pulls, which only read). A recording holds no secret: what is in it is
//! what the connector was told, and that never is one; it is looked through all the same.

mod form;
mod from_journal;
mod live;
mod mask;
mod play;
mod rehearsal;

pub use form::{Asked, Call, Content, Emitted, FORMAT, Part, Recording, Run, Told};
pub use mask::{MaskError, Masks};
pub use play::{Parted, Replayed};

pub(crate) use rehearsal::Rehearsal;

/// Why there is no recording, or it cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The text is none.
    #[error("it is no recording: {0}")]
    Form(String),
    /// A newer version made it.
    #[error("the recording has form {found}, this version knows {FORMAT}: use the version that made it")]
    Newer {
        /// The form found.
        found: u32,
    },
    /// The invocation is of a kind that is recorded as metadata only.
    #[error(
        "{0} is journaled as metadata: record a run of its own (`sallyport plugin test DIR --record NAME --connection …`)"
    )]
    Metadata(String),
    /// Its bodies are gone.
    #[error("the content of invocation {0} was removed: it is older than the retention, or its connection is gone")]
    Forgotten(String),
    /// A secret of the connection stands in it. It is not given out.
    #[error(
        "the recording holds a secret of the connection, which the service must have sent back: it is not given out"
    )]
    Secret,
    /// The connector does not run.
    #[error(transparent)]
    Invoke(#[from] crate::error::InvokeError),
}

impl crate::blame::Fault for RecordingError {
    fn blame(&self) -> crate::blame::Blame {
        match self {
            Self::Form(_) | Self::Newer { .. } | Self::Metadata(_) | Self::Forgotten(_) => crate::blame::Blame::Caller,
            Self::Secret => crate::blame::Blame::Upstream,
            Self::Invoke(error) => error.blame(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Form(_) => "recording",
            Self::Newer { .. } => "newer-format",
            Self::Metadata(_) => "metadata-only",
            Self::Forgotten(_) => "forgotten",
            Self::Secret => "secret-in-response",
            Self::Invoke(error) => error.code(),
        }
    }
}
