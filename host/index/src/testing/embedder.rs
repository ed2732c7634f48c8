//! An embedder without a model: texts with the same words are near each other.

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use crate::quantize::normalize;
use crate::{EmbedError, Embedder, Purpose};

const DIMS: usize = 64;

/// Sums a pseudo-random direction per word. Words are what stands between spaces.
#[derive(Clone, Debug)]
pub struct HashEmbedder {
    max_tokens: usize,
}

impl HashEmbedder {
    /// Reads so many words of a text, two of them marks.
    pub fn new(max_tokens: usize) -> Self {
        Self { max_tokens }
    }
}

#[async_trait]
impl Embedder for HashEmbedder {
    fn id(&self) -> &str {
        "words-by-hash"
    }

    fn dims(&self) -> usize {
        DIMS
    }

    fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    fn count_tokens(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }

    async fn embed(&self, _purpose: Purpose, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        Ok(texts.iter().map(|text| embed(text, self.max_tokens)).collect())
    }
}

fn embed(text: &str, max_tokens: usize) -> Vec<f32> {
    let mut sum = vec![0f32; DIMS];
    for word in text.split_whitespace().take(max_tokens.saturating_sub(2)) {
        let bytes = Sha256::digest(word.to_lowercase().as_bytes());
        for (i, value) in sum.iter_mut().enumerate() {
            let bit = bytes[i / 8] >> (i % 8) & 1;
            *value += f32::from(bit) * 2.0 - 1.0;
        }
    }
    normalize(&mut sum);
    sum
}
