//! What does a request ask for, as far as the answer depends on it?

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::text::{Text, fingerprint, tokens_of};

/// A request of either provider. What is not named here is not read.
#[derive(Debug, Deserialize)]
pub(super) struct Request<'a> {
    pub(super) model: Option<String>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    n: Option<u32>,
    #[serde(default)]
    pub(super) max_tokens: Option<u32>,
    #[serde(default)]
    max_completion_tokens: Option<u32>,
    #[serde(default)]
    max_output_tokens: Option<u32>,
    #[serde(default)]
    encoding_format: Option<String>,
    #[serde(default)]
    pub(super) dimensions: Option<u32>,
    #[serde(borrow, default)]
    pub(super) messages: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) prompt: Option<&'a RawValue>,
    #[serde(borrow, default)]
    system: Option<&'a RawValue>,
    #[serde(borrow, default)]
    instructions: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tools: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

impl<'a> Request<'a> {
    /// Reads a body; says what is wrong with it.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, String> {
        let request: Self =
            serde_json::from_slice(body).map_err(|error| format!("the body cannot be read: {error}"))?;
        match &request.model {
            Some(model) if !model.is_empty() => Ok(request),
            _ => Err("you must provide a model parameter".to_owned()),
        }
    }

    /// The model, in the client's words.
    pub(super) fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    /// Whether the answer is streamed.
    pub(super) fn is_streamed(&self) -> bool {
        self.stream == Some(true)
    }

    /// Whether a stream of OpenAI's ends with its usage.
    pub(super) fn wants_usage(&self) -> bool {
        self.stream_options
            .as_ref()
            .and_then(|options| options.include_usage)
            == Some(true)
    }

    /// How many answers.
    pub(super) fn choices(&self) -> u32 {
        self.n.unwrap_or(1).clamp(1, 128)
    }

    /// Whether vectors are wanted as base64, as OpenAI's own library does.
    pub(super) fn wants_base64(&self) -> bool {
        self.encoding_format.as_deref() == Some("base64")
    }

    /// Whether the model may use a tool of this name, in the words of either provider.
    pub(super) fn offers(&self, name: &str) -> bool {
        let tools: Option<Vec<Value>> = self
            .tools
            .and_then(|tools| serde_json::from_str(tools.get()).ok());
        let named = |tool: &Value| {
            let of = tool.pointer("/function/name").or_else(|| tool.get("name"));
            of.and_then(Value::as_str) == Some(name)
        };
        tools.iter().flatten().any(named)
    }

    /// Tokens of everything that the model reads: one for every four bytes, rounded up.
    pub(super) fn input_tokens(&self) -> usize {
        tokens_of(self.read_by_model().map(|part| part.get().len()).sum())
    }

    /// The answer.
    pub(super) fn text(&self) -> Text {
        let cap = self
            .max_completion_tokens
            .or(self.max_output_tokens)
            .or(self.max_tokens);
        let prompt = self
            .read_by_model()
            .map(|part| fingerprint(part.get().as_bytes()));
        Text::answer(
            prompt.fold(0, |all, one| all ^ one),
            cap.and_then(|cap| usize::try_from(cap).ok()),
        )
    }

    fn read_by_model(&self) -> impl Iterator<Item = &'a RawValue> {
        let parts = [
            self.messages,
            self.input,
            self.prompt,
            self.system,
            self.instructions,
            self.tools,
        ];
        parts.into_iter().flatten()
    }
}
