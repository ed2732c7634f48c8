//! Text to vectors.

use async_trait::async_trait;

use crate::Blame;

/// Turns text into unit vectors. The default runs in this process ([`crate::MiniLm`]).
#[async_trait]
pub trait Embedder: Send + Sync {
    /// Names the model and its weights. Vectors of two ids are never compared; a new id embeds
    /// everything again.
    fn id(&self) -> &str;

    /// Length of each vector.
    fn dims(&self) -> usize;

    /// How many tokens of a text are read, the model's own marks included. More is cut off.
    fn max_tokens(&self) -> usize;

    /// Tokens that `text` has, without the model's own marks. May overestimate, never underestimate.
    fn count_tokens(&self, text: &str) -> usize;

    /// One vector a text, in order, of length 1. Queries may overtake passages.
    async fn embed(&self, purpose: Purpose, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError>;
}

/// What a vector is for: some models embed the two differently, and a person waits for a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What somebody asks.
    Query,
    /// What is searched.
    Passage,
}

/// Texts could not be embedded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The model in this process failed.
    #[error("the embedding model failed: {0}")]
    Model(String),
    /// An endpoint failed or is away.
    #[error("the embedding service failed: {0}")]
    Service(String),
    /// The answer has another count or length than was asked for.
    #[error("the embedder answered {got}, wanted {wanted}")]
    Shape {
        /// What came.
        got: String,
        /// What was asked for.
        wanted: String,
    },
}

impl EmbedError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Model(_) => Blame::Host,
            Self::Service(_) | Self::Shape { .. } => Blame::Upstream,
        }
    }

    /// Whether the same call may succeed later.
    pub fn retry_helps(&self) -> bool {
        matches!(self, Self::Service(_))
    }
}
