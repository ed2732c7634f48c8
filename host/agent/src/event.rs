//! What a turn tells whoever listens, as it happens.

use sallyport::ids::{ConnectionId, ToolName};
use sallyport::tool::{Done, Proposal, Verdict};
use serde::Serialize;
use serde_json::Value;

use crate::ports::Citation;

/// One thing that happened in a turn. The last one is `Done` or `Error`, always.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
#[non_exhaustive]
pub enum AgentEvent {
    /// Passages were found and put before the model. `citations` is everything that is citable so far, by number.
    Retrieved {
        /// What was searched for.
        query: String,
        /// Everything citable so far.
        citations: Vec<Citation>,
    },
    /// A piece of the text that is being said. Its links are inert already.
    TextDelta {
        /// The piece.
        text: String,
    },
    /// A tool call that fits its schema, with what policy said; it is about to be made, or was refused.
    ToolProposed {
        /// Unique within the turn.
        call: String,
        /// Through which connection.
        connection: ConnectionId,
        /// The connection's name for people.
        connection_name: String,
        /// Which tool.
        tool: ToolName,
        /// The tool's title for people.
        title: String,
        /// Its arguments.
        arguments: Value,
        /// What policy said.
        verdict: Verdict,
    },
    /// The call waits for a person. Nothing was written. The turn ends after this.
    Held {
        /// Which call.
        call: String,
        /// What a person is asked.
        proposal: Box<Proposal>,
    },
    /// A call ended.
    ToolResult {
        /// Which call.
        call: String,
        /// What came of it.
        result: ToolResult,
    },
    /// The whole text of the turn, once; what the deltas add up to.
    Answer {
        /// Markdown whose links are inert.
        text: String,
        /// The documents that `[1]`, `[2]`, … in it stand for.
        citations: Vec<Citation>,
    },
    /// The turn ended for this reason.
    Error {
        /// The error's stable code.
        code: String,
        /// In words.
        message: String,
        /// Whether the same request may succeed later.
        retryable: bool,
    },
    /// The turn ended.
    Done {
        /// Model calls made.
        steps: u32,
        /// Tokens used, as the endpoint counts them, else estimated from bytes.
        tokens: u64,
    },
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum ToolResult {
    /// It ran to its end.
    Done(Done),
    /// It gave nothing; the model was told why and may repair it.
    Failed {
        /// The error's stable code.
        code: String,
        /// In words.
        message: String,
    },
    /// Policy refused it.
    Refused {
        /// Why.
        reasons: Vec<String>,
    },
}
