//! all-MiniLM-L6-v2 in this process, by rten.

use std::sync::Arc;

use async_trait::async_trait;
use rten::{NodeId, RunOptions, ThreadPool};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, NdTensorView};
use tokenizers::{Tokenizer, TruncationParams};
use tokio::sync::Semaphore;

use super::{Model, ModelError};
use crate::{EmbedError, Embedder, Purpose};

const DIMS: usize = 384;
const MAX_TOKENS: usize = 256;

/// The default embedder: 384 dimensions, 256 tokens, English first.
///
/// Passages use one or two threads and run one call at a time; queries have a thread of their own, so
/// that a person does not wait for a sync. The vector of a text depends on that text alone.
pub struct MiniLm {
    network: Arc<Network>,
    id: String,
    passages: Lane,
    queries: Lane,
}

/// Threads with one call on them at a time.
struct Lane {
    turn: Semaphore,
    pool: Arc<ThreadPool>,
}

struct Network {
    model: rten::Model,
    /// Cuts at `MAX_TOKENS` and does not pad.
    tokenizer: Tokenizer,
    /// Neither cuts nor pads.
    counter: Tokenizer,
    inputs: [NodeId; 3],
    output: NodeId,
}

impl MiniLm {
    /// Reads the files into memory (about 60 MB); takes some 100 ms and blocks.
    pub fn load(model: &Model) -> Result<Self, ModelError> {
        let network = Network::load(model)?;
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        let lane = |threads| Lane { turn: Semaphore::new(1), pool: Arc::new(ThreadPool::with_num_threads(threads)) };
        Ok(Self {
            network: Arc::new(network),
            id: format!("all-minilm-l6-v2-int8-{}", &super::PARTS[0].sha256[..12]),
            passages: lane(cores.clamp(1, 2)),
            queries: lane(1),
        })
    }
}

#[async_trait]
impl Embedder for MiniLm {
    fn id(&self) -> &str {
        &self.id
    }

    fn dims(&self) -> usize {
        DIMS
    }

    fn max_tokens(&self) -> usize {
        MAX_TOKENS
    }

    fn count_tokens(&self, text: &str) -> usize {
        // A WordPiece model has a token for the unknown, so encoding does not fail; if it did, one
        // token a byte is the most there can be.
        self.network.counter.encode_fast(text, false).map_or(text.len(), |encoding| encoding.len())
    }

    async fn embed(&self, purpose: Purpose, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let lane = match purpose {
            Purpose::Query => &self.queries,
            Purpose::Passage => &self.passages,
        };
        let _turn = lane.turn.acquire().await.map_err(|error| EmbedError::Model(error.to_string()))?;
        let (network, pool) = (self.network.clone(), lane.pool.clone());
        let run = move || texts.iter().map(|text| network.embed(text, pool.clone())).collect();
        tokio::task::spawn_blocking(run).await.map_err(|error| EmbedError::Model(error.to_string()))?
    }
}

impl Network {
    fn load(files: &Model) -> Result<Self, ModelError> {
        let load = |error: &dyn std::fmt::Display| ModelError::Load(error.to_string());
        let model = rten::Model::load_file(files.onnx()).map_err(|error| load(&error))?;
        let node = |name: &str| model.node_id(name).map_err(|error| load(&error));
        let inputs = [node("input_ids")?, node("attention_mask")?, node("token_type_ids")?];
        let output = node("last_hidden_state")?;

        // The file as it is shipped cuts and pads to 128 tokens; both are ours to decide.
        let mut counter = Tokenizer::from_file(files.tokenizer()).map_err(|error| load(&error))?;
        counter.with_padding(None);
        counter.with_truncation(None).map_err(|error| load(&error))?;
        let mut tokenizer = counter.clone();
        let cut = TruncationParams { max_length: MAX_TOKENS, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(cut)).map_err(|error| load(&error))?;
        Ok(Self { model, tokenizer, counter, inputs, output })
    }

    /// One text at a time: the int8 network scales its activations over the whole batch, so a vector
    /// would depend on its neighbours; and batches of mixed length are slower.
    fn embed(&self, text: &str, pool: Arc<ThreadPool>) -> Result<Vec<f32>, EmbedError> {
        let failed = |error: &dyn std::fmt::Display| EmbedError::Model(error.to_string());
        let encoding = self.tokenizer.encode_fast(text, true).map_err(|error| failed(&error))?;
        let ids: Vec<i32> = encoding.get_ids().iter().map(|&id| id as i32).collect();
        let shape = [1, ids.len()];
        let inputs = vec![
            (self.inputs[0], NdTensor::from_data(shape, ids).into()),
            (self.inputs[1], NdTensor::<i32, 2>::full(shape, 1).into()),
            (self.inputs[2], NdTensor::<i32, 2>::zeros(shape).into()),
        ];
        let options = RunOptions::default().with_thread_pool(Some(pool));
        let [output] = self.model.run_n(inputs, [self.output], Some(options)).map_err(|error| failed(&error))?;
        let output: NdTensor<f32, 3> = output.try_into().map_err(|_| failed(&"the output has another form"))?;
        if output.size(0) != 1 || output.size(1) == 0 || output.size(2) != DIMS {
            return Err(failed(&format!("the output has the shape {:?}", output.shape())));
        }
        Ok(pool_and_normalize(output.slice([0])))
    }
}

/// The mean over all tokens (none is padding), scaled to length 1.
fn pool_and_normalize(tokens: NdTensorView<'_, f32, 2>) -> Vec<f32> {
    let mut mean = vec![0f32; DIMS];
    for token in 0..tokens.size(0) {
        for (sum, value) in mean.iter_mut().zip(tokens.slice([token]).iter()) {
            *sum += value;
        }
    }
    crate::quantize::normalize(&mut mean);
    mean
}
