//! Puts the pieces of a streamed chat completion together ("Chat completions, streaming", OpenAI API reference).

use serde::Deserialize;

use super::{CallRequest, ChatAnswer, Finish, ModelError};

/// The most text, and the most argument text a call, that an answer may have, in bytes.
const MAX_TEXT: usize = 1 << 20;
/// The most calls in one answer.
const MAX_CALLS: usize = 64;

/// One `data:` line.
#[derive(Debug, Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<ErrorBody>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    index: u32,
    #[serde(default, alias = "message")]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Delta {
    content: Option<String>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Debug, Deserialize)]
struct CallDelta {
    index: Option<usize>,
    id: Option<String>,
    function: Option<FunctionDelta>,
}

#[derive(Debug, Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Usage {
    total_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) message: Option<String>,
}

/// What has been heard so far.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    answer: ChatAnswer,
    finished: bool,
    tokens: Option<u64>,
}

impl Assembly {
    /// Takes one chunk, streamed or whole; gives the text that it adds.
    pub(super) fn push(&mut self, data: &str) -> Result<String, ModelError> {
        let chunk: Chunk = serde_json::from_str(data)
            .map_err(|error| ModelError::BadAnswer(format!("a chunk is not a chat completion: {error}")))?;
        if let Some(error) = chunk.error {
            return Err(ModelError::BadAnswer(error.message.unwrap_or_else(|| "an error without words".into())));
        }
        if let Some(total) = chunk.usage.and_then(|usage| usage.total_tokens) {
            self.tokens = Some(total);
        }
        let mut text = String::new();
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            text.push_str(choice.delta.content.as_deref().unwrap_or_default());
            for (position, call) in choice.delta.tool_calls.into_iter().flatten().enumerate() {
                self.call(position, call)?;
            }
            if let Some(reason) = choice.finish_reason {
                self.finished = true;
                self.answer.finish = match reason.as_str() {
                    "length" => Finish::Length,
                    "content_filter" => Finish::Filtered,
                    _ => Finish::Stop,
                };
            }
        }
        self.answer.text.push_str(&text);
        if self.answer.text.len() > MAX_TEXT {
            return Err(ModelError::BadAnswer(format!("the answer has more than {MAX_TEXT} bytes of text")));
        }
        Ok(text)
    }

    /// True once the endpoint said why it stopped.
    pub(super) fn finished(&self) -> bool {
        self.finished
    }

    /// Bytes of text so far.
    pub(super) fn heard(&self) -> usize {
        self.answer.text.len()
    }

    /// The whole answer; `asked` is the request's size in bytes, for the estimate.
    pub(super) fn finish(mut self, asked: usize) -> Result<ChatAnswer, ModelError> {
        for (position, call) in self.answer.calls.iter_mut().enumerate() {
            if call.name.is_empty() {
                return Err(ModelError::BadAnswer(format!("tool call {position} has no name")));
            }
            if call.id.is_empty() {
                call.id = format!("call_{position}");
            }
        }
        let said: usize = self.answer.calls.iter().map(|call| call.arguments.len()).sum::<usize>() + self.heard();
        // Four bytes a token is the usual rule of thumb for English text and JSON.
        self.answer.tokens = self.tokens.unwrap_or(((asked + said) / 4) as u64);
        Ok(self.answer)
    }

    fn call(&mut self, position: usize, delta: CallDelta) -> Result<(), ModelError> {
        let calls = &mut self.answer.calls;
        // Some endpoints leave the index out; then a new id begins a new call, and no id goes on with the last one.
        let index = delta.index.unwrap_or_else(|| match &delta.id {
            Some(id) => calls.iter().position(|call| call.id == *id).unwrap_or(calls.len()),
            None => calls.len().saturating_sub(1).max(position),
        });
        if index >= MAX_CALLS {
            return Err(ModelError::BadAnswer(format!("more than {MAX_CALLS} tool calls in one answer")));
        }
        while calls.len() <= index {
            calls.push(CallRequest { id: String::new(), name: String::new(), arguments: String::new() });
        }
        let call = &mut calls[index];
        if let Some(id) = delta.id.filter(|id| !id.is_empty()) {
            call.id = id;
        }
        if let Some(function) = delta.function {
            call.name.push_str(function.name.as_deref().unwrap_or_default());
            call.arguments.push_str(function.arguments.as_deref().unwrap_or_default());
        }
        if call.arguments.len() > MAX_TEXT {
            return Err(ModelError::BadAnswer(format!("the arguments have more than {MAX_TEXT} bytes")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn assembled(chunks: &[serde_json::Value]) -> Result<ChatAnswer, ModelError> {
        let mut assembly = Assembly::default();
        for chunk in chunks {
            assembly.push(&chunk.to_string())?;
        }
        assembly.finish(0)
    }

    #[test]
    fn arguments_in_pieces_become_one_call_each() {
        let call = |index: u32, id: Option<&str>, name: Option<&str>, arguments: &str| {
            json!({"choices": [{"index": 0, "delta": {"tool_calls": [
                {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]}}]})
        };
        let answer = assembled(&[
            call(0, Some("a"), Some("create"), ""),
            call(0, None, None, "{\"na"),
            call(1, Some("b"), Some("close"), "{}"),
            call(0, None, None, "me\":\"x\"}"),
        ]);
        let calls = answer.expect("well-formed chunks").calls;
        assert_eq!(calls.len(), 2);
        assert_eq!((calls[0].id.as_str(), calls[0].arguments.as_str()), ("a", "{\"name\":\"x\"}"));
        assert_eq!((calls[1].name.as_str(), calls[1].arguments.as_str()), ("close", "{}"));
    }

    #[test]
    fn a_call_without_a_name_and_an_error_in_the_stream_are_bad_answers() {
        let nameless = json!({"choices": [{"delta": {"tool_calls": [{"index": 3, "function": {"arguments": "{}"}}]}}]});
        assert!(matches!(assembled(&[nameless]), Err(ModelError::BadAnswer(_))));
        assert!(matches!(assembled(&[json!({"error": {"message": "overloaded"}})]), Err(ModelError::BadAnswer(_))));
        let many = json!({"choices": [{"delta": {"tool_calls": [{"index": 4_000_000_000_u64}]}}]});
        assert!(matches!(assembled(&[many]), Err(ModelError::BadAnswer(_))));
    }

    #[test]
    fn usage_counts_where_it_is_said_and_is_estimated_where_not() {
        let text = json!({"choices": [{"delta": {"content": "12345678"}}]});
        assert_eq!(assembled(std::slice::from_ref(&text)).expect("chunk").tokens, 2);
        let usage = json!({"choices": [], "usage": {"total_tokens": 99}});
        assert_eq!(assembled(&[text, usage]).expect("chunks").tokens, 99);
    }
}
