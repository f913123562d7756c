//! What does a request say, as far as evaluators look at it?

use serde_json::{Map, Value};

use super::body::Body;
use super::traits::INPUT;

#[cfg(test)]
mod tests;

/// What says something beside the input: what the answer is thought to be, what tools and shapes are said to be for.
const BESIDE: [&str; 7] = [
    "prediction",
    "tools",
    "functions",
    "response_format",
    "text",
    "output_format",
    "output_config",
];

/// Fields that may hold tokens in place of texts.
const TOKENS: [&str; 2] = ["prompt", "input"];

/// Members whose texts are names, ids or data, and nothing that a person or a model has said. Where one of them is no text,
/// it is a field of somebody's own schema, and looked at.
const SILENT: [&str; 19] = [
    "type",
    "role",
    "id",
    "call_id",
    "item_id",
    "response_id",
    "file_id",
    "container_id",
    "tool_call_id",
    "tool_use_id",
    "status",
    "media_type",
    "file_data",
    "b64_json",
    "partial_image_b64",
    "encrypted_content",
    "encrypted_index",
    // What proves where a thought came from, and what hides how long an event is.
    "signature",
    "obfuscation",
];

/// Members that may hold a picture or a sound in place of an address.
const ADDRESSES: [&str; 2] = ["url", "image_url"];

/// What the provider shows to the server of a tool, and to nobody else.
const CREDENTIALS: [&str; 2] = ["authorization", "headers"];

/// Members whose own members are a tool's: what they are called says nothing about what they are.
const ARGUMENTS: [&str; 2] = ["input", "arguments"];

/// How deep texts are looked for: deeper than any dialect puts them.
const DEPTH_MAX: usize = 32;

/// Everything that is said, as far as evaluators look at it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// With an empty line between two texts, so that no sentence goes on from one to the next.
    pub(super) text: String,
    /// Whether there is more, and nobody can look at it.
    pub(super) unread: bool,
}

impl Said {
    /// Adds everything that is said in a value.
    pub(super) fn add(&mut self, value: &Value) {
        let text = &mut self.text;
        self.unread |= !each(value, &mut |_, said| {
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            text.push_str(said);
        });
    }
}

/// Everything that is said in a request. Pictures and sounds are no texts; tokens are texts that nobody can look at.
pub(super) fn of(body: &Body) -> Said {
    let mut said = Said::default();
    for field in INPUT.iter().chain(&BESIDE).filter(|field| body.has(field)) {
        match body.get::<Value>(field) {
            Some(value) => {
                said.unread |= TOKENS.contains(field) && are_tokens(&value);
                said.add(&value);
            }
            // It is valid, so it is deeper than can be read.
            None => said.unread = true,
        }
    }
    said
}

/// Whether there are tokens in a list, or in a list of lists.
fn are_tokens(value: &Value) -> bool {
    let has_numbers = |list: &Vec<Value>| list.iter().any(Value::is_number);
    let lists = |list: &Vec<Value>| {
        let mut lists = list.iter().filter_map(Value::as_array);
        has_numbers(list) || lists.any(has_numbers)
    };
    value.as_array().is_some_and(lists)
}

/// Gives everything that is said in a value, with its path: `/tool_calls/0/function/arguments`. The entries of a list go
/// by their `index`, if they have one. Says whether that was all: false if something lies deeper than is looked for.
#[must_use]
pub(super) fn each(value: &Value, take: &mut dyn FnMut(&str, &str)) -> bool {
    let mut walk = Walk {
        path: String::new(),
        everything: false,
        all: true,
        take,
    };
    walk.value(value, DEPTH_MAX);
    walk.all
}

struct Walk<'a> {
    path: String,
    /// Whether no member is silent here: what a tool is given. Names and numbers say something too, as they do where that
    /// is written as one text.
    everything: bool,
    /// Whether nothing was too deep.
    all: bool,
    take: &'a mut dyn FnMut(&str, &str),
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, depth: usize) {
        let Some(deeper) = depth.checked_sub(1) else {
            self.all = false;
            return;
        };
        match value {
            Value::String(said) => (self.take)(&self.path, said),
            Value::Number(number) if self.everything => (self.take)(&self.path, &number.to_string()),
            Value::Array(list) => {
                for (at, value) in list.iter().enumerate() {
                    let index = value.get("index").and_then(Value::as_u64);
                    let name = index.map_or_else(|| at.to_string(), |index| index.to_string());
                    self.step(&name, value, deeper);
                }
            }
            Value::Object(members) => self.members(members, deeper),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn members(&mut self, members: &Map<String, Value>, depth: usize) {
        for (name, value) in members {
            if self.everything {
                let length = self.path.len();
                self.path.push_str("/~");
                self.path.push_str(name);
                (self.take)(&self.path, name);
                self.path.truncate(length);
            } else if self.is_silent(members, name, value) {
                continue;
            }
            let before = self.everything;
            self.everything |= ARGUMENTS.contains(&name.as_str());
            self.step(name, value, depth);
            self.everything = before;
        }
    }

    fn is_silent(&self, members: &Map<String, Value>, name: &str, value: &Value) -> bool {
        let kind = members.get("type").and_then(Value::as_str);
        if kind == Some("mcp") && CREDENTIALS.contains(&name) {
            return true;
        }
        let Some(text) = value.as_str() else {
            return false;
        };
        match name {
            "data" => self.is_encoded(kind, text),
            "result" => kind == Some("image_generation_call"),
            _ if ADDRESSES.contains(&name) => text.starts_with("data:"),
            _ => SILENT.contains(&name),
        }
    }

    /// Whether the text `data` is a picture, a sound or a thought that its provider alone can read. What has a space in it
    /// is none.
    fn is_encoded(&self, kind: Option<&str>, text: &str) -> bool {
        let said_to_be = match kind {
            Some(kind) => matches!(kind, "base64" | "redacted_thinking"),
            None => self.path.ends_with("audio"),
        };
        said_to_be && !text.contains(' ')
    }

    fn step(&mut self, name: &str, value: &Value, depth: usize) {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(name);
        self.value(value, depth);
        self.path.truncate(length);
    }
}
