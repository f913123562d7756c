//! What does the upstream answer when nothing was recorded?
//!
//! A small answer in the right shape whose usage the test chose. It obeys the request's cap on output
//! tokens, as a provider does, so that a gateway's clamp can be seen to work.

mod chat;
mod messages;
mod responses;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::Answer;

/// What the upstream answers without a recording. A request may choose its own by carrying the text
/// `[[in=800 out=200 chunks=20]]` anywhere in its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reply {
    /// Tokens of input to report.
    pub input_tokens: u64,
    /// Tokens of output to report, unless the request's cap is lower.
    pub output_tokens: u64,
    /// How many of the input tokens came from the provider's cache.
    pub cached_input_tokens: u64,
    /// How many of the output tokens were spent on reasoning.
    pub reasoning_tokens: u64,
    /// The text of the answer.
    pub text: String,
    /// How many events carry the text when it is streamed.
    pub stream_chunks: usize,
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            input_tokens: 12,
            output_tokens: 7,
            cached_input_tokens: 0,
            reasoning_tokens: 0,
            text: "The load line is where the sea should be.".to_owned(),
            stream_chunks: 4,
        }
    }
}

impl Reply {
    /// The default answer with this usage.
    pub fn of_tokens(input_tokens: u64, output_tokens: u64) -> Self {
        Self {
            input_tokens,
            output_tokens,
            ..Self::default()
        }
    }

    /// The answer that the request asks for in its text, else this one.
    fn as_directed(&self, body: &str) -> Self {
        let mut reply = self.clone();
        let directive = body.split_once("[[").and_then(|(_, rest)| rest.split_once("]]"));
        for word in directive.map_or("", |(words, _)| words).split(' ') {
            match word.split_once('=') {
                Some(("in", number)) => reply.input_tokens = number.parse().unwrap_or(reply.input_tokens),
                Some(("out", number)) => reply.output_tokens = number.parse().unwrap_or(reply.output_tokens),
                Some(("chunks", number)) => {
                    reply.stream_chunks = number.parse().unwrap_or(reply.stream_chunks);
                }
                _ => {}
            }
        }
        reply
    }
}

/// What one request gets: the reply after its cap was obeyed.
#[derive(Debug)]
struct Turn<'a> {
    model: &'a str,
    request: &'a Value,
    input: u64,
    output: u64,
    cached: u64,
    reasoning: u64,
    text: String,
    chunks: usize,
    cut_short: bool,
}

impl<'a> Turn<'a> {
    fn new(request: &'a Value, reply: &Reply) -> Self {
        let cap = ["max_completion_tokens", "max_output_tokens", "max_tokens"]
            .iter()
            .find_map(|name| request.get(name)?.as_u64());
        let output = cap.map_or(reply.output_tokens, |cap| cap.min(reply.output_tokens));
        let cut_short = output < reply.output_tokens;
        let text = if cut_short {
            let letters = u64::try_from(reply.text.chars().count()).unwrap_or(u64::MAX);
            let kept = letters.saturating_mul(output) / reply.output_tokens.max(1);
            reply
                .text
                .chars()
                .take(usize::try_from(kept).unwrap_or(usize::MAX))
                .collect()
        } else {
            reply.text.clone()
        };
        Self {
            model: request.get("model").and_then(Value::as_str).unwrap_or("scripted"),
            request,
            input: reply.input_tokens,
            output,
            cached: reply.cached_input_tokens.min(reply.input_tokens),
            reasoning: reply.reasoning_tokens.min(output),
            text,
            chunks: reply.stream_chunks.max(1),
            cut_short,
        }
    }

    fn is_streamed(&self) -> bool {
        self.request.get("stream") == Some(&Value::Bool(true))
    }

    /// The text in as many parts as there are chunks, the last ones empty if it is short.
    fn parts(&self) -> Vec<String> {
        let letters: Vec<char> = self.text.chars().collect();
        let size = letters.len().div_ceil(self.chunks).max(1);
        let mut parts: Vec<String> = letters.chunks(size).map(|part| part.iter().collect()).collect();
        parts.resize(self.chunks, String::new());
        parts
    }
}

/// The answer to a request on a path that LLM providers have; `None` on any other.
pub(super) fn answer(method: &str, path: &str, body: &str, reply: &Reply) -> Option<Answer> {
    let path = path.trim_end_matches('/');
    if method == "GET" && path.ends_with("/models") {
        return Some(Answer::json(200, &models()));
    }
    if method != "POST" {
        return None;
    }
    let Ok(request) = serde_json::from_str::<Value>(body) else {
        return Some(Answer::error(path, 400, "the body is not JSON"));
    };
    let reply = reply.as_directed(body);
    let turn = Turn::new(&request, &reply);
    if path.ends_with("/chat/completions") {
        Some(chat::chat(&turn))
    } else if path.ends_with("/completions") {
        Some(chat::completion(&turn))
    } else if path.ends_with("/embeddings") {
        Some(chat::embeddings(&turn))
    } else if path.ends_with("/responses") {
        Some(responses::response(&turn))
    } else if path.ends_with("/messages/count_tokens") {
        Some(Answer::json(200, &json!({"input_tokens": turn.input})))
    } else if path.ends_with("/messages") {
        Some(messages::message(&turn))
    } else {
        None
    }
}

fn models() -> Value {
    let model =
        |id: &str| json!({"id": id, "object": "model", "created": 1_795_253_400, "owned_by": "scripted"});
    json!({"object": "list", "data": [model("gpt-4o-mini"), model("gpt-4o"), model("claude-haiku-4-5")]})
}

#[cfg(test)]
mod tests;
