//! A turn of the agent as the AI SDK's UI message stream (protocol v1: server-sent events, header
//! `x-vercel-ai-ui-message-stream: v1`, a closing `[DONE]`), so that `useChat` works unchanged.

use sallyport_agent::AgentEvent;
use sallyport_agent::ToolResult;
use serde_json::{Value, json};

/// Turns events into parts. A text part is opened when text comes and closed when anything else does.
#[derive(Debug, Default)]
pub struct Parts {
    text: u32,
    open: bool,
    streamed: bool,
    cited: usize,
}

impl Parts {
    /// What stands before the first event.
    #[must_use]
    pub fn start(message: &str) -> Vec<Value> {
        vec![json!({ "type": "start", "messageId": message }), json!({ "type": "start-step" })]
    }

    /// The parts of one event.
    pub fn of(&mut self, event: AgentEvent) -> Vec<Value> {
        let mut parts = Vec::new();
        match event {
            AgentEvent::Retrieved { citations, .. } => {
                // Numbers in the text count from 1 in this order; a client may rely on it.
                for citation in citations.into_iter().skip(self.cited) {
                    self.cited += 1;
                    parts.push(json!({
                        "type": "source-url",
                        "sourceId": citation.number.to_string(),
                        "url": citation.url.unwrap_or_default(),
                        "title": citation.title,
                    }));
                }
            }
            AgentEvent::TextDelta { text } => {
                self.streamed = true;
                self.say(&text, &mut parts);
            }
            AgentEvent::ToolProposed { call, tool, title, arguments, .. } => {
                self.close(&mut parts);
                parts.push(json!({
                    "type": "tool-input-available", "toolCallId": call, "toolName": tool, "title": title,
                    "input": arguments, "dynamic": true,
                }));
            }
            AgentEvent::Held { proposal, .. } => {
                self.close(&mut parts);
                parts.push(json!({ "type": "data-proposal", "id": proposal.invocation, "data": proposal }));
            }
            AgentEvent::ToolResult { call, result } => {
                self.close(&mut parts);
                parts.push(match result {
                    ToolResult::Done(done) => {
                        json!({ "type": "tool-output-available", "toolCallId": call, "output": done.output })
                    }
                    ToolResult::Failed { message, .. } => {
                        json!({ "type": "tool-output-error", "toolCallId": call, "errorText": message })
                    }
                    ToolResult::Refused { reasons } => {
                        json!({ "type": "tool-output-error", "toolCallId": call, "errorText": reasons.join("; ") })
                    }
                });
            }
            AgentEvent::Answer { text, .. } if !self.streamed => self.say(&text, &mut parts),
            AgentEvent::Answer { .. } => {}
            AgentEvent::Error { message, .. } => {
                self.close(&mut parts);
                parts.push(json!({ "type": "error", "errorText": message }));
            }
            AgentEvent::Done { .. } => {
                self.close(&mut parts);
                parts.push(json!({ "type": "finish-step" }));
                parts.push(json!({ "type": "finish" }));
            }
            _ => {}
        }
        parts
    }

    fn say(&mut self, text: &str, parts: &mut Vec<Value>) {
        if !self.open {
            self.open = true;
            self.text += 1;
            parts.push(json!({ "type": "text-start", "id": self.text.to_string() }));
        }
        parts.push(json!({ "type": "text-delta", "id": self.text.to_string(), "delta": text }));
    }

    fn close(&mut self, parts: &mut Vec<Value>) {
        if std::mem::take(&mut self.open) {
            parts.push(json!({ "type": "text-end", "id": self.text.to_string() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_opened_and_closed_around_its_deltas() {
        let mut parts = Parts::default();
        let mut all = parts.of(AgentEvent::TextDelta { text: "a".into() });
        all.extend(parts.of(AgentEvent::TextDelta { text: "b".into() }));
        all.extend(parts.of(AgentEvent::Answer { text: "ab".into(), citations: vec![] }));
        all.extend(parts.of(AgentEvent::Done { steps: 1, tokens: 2 }));
        let kinds: Vec<_> = all.iter().map(|part| part["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["text-start", "text-delta", "text-delta", "text-end", "finish-step", "finish"]);
    }

    #[test]
    fn an_answer_that_was_not_streamed_is_said_once() {
        let mut parts = Parts::default();
        let all = parts.of(AgentEvent::Answer { text: "ab".into(), citations: vec![] });
        assert_eq!(all[1]["delta"], "ab");
    }
}
