//! How many tokens of which kind does a provider's answer report?

use genai_prices::{ErrorKind, ExtractRequest, Usage, UsageKey};
use model::cost::TokenUsage;
use model::run::Operation;
use serde_json::Value;

use super::{PriceBook, rounding};

/// What was used, in our words and in those of the price table.
#[derive(Debug, Clone, PartialEq)]
pub struct Metered {
    /// Tokens by class.
    pub tokens: TokenUsage,
    /// The same and more (searches, say), as the table wants it.
    pub usage: Usage,
    /// The model, in the provider's words.
    pub model: Option<String>,
}

/// Why nothing can be said about usage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeterError {
    /// The answer says nothing about usage that can be read.
    #[error("the answer reports no usage that can be read")]
    NoUsage,
    /// It says something that cannot be: a negative count, half a token.
    #[error("the answer reports an impossible usage: {reason}")]
    Impossible {
        /// What is impossible.
        reason: String,
    },
}

impl PriceBook {
    /// Reads the usage of an answer that is not streamed, or of the body that the tap made of a stream.
    ///
    /// The table's own reading of the provider's answers comes first. Where it has none, or the answer is
    /// not what it expects, the counts are read as OpenAI (or, for Messages, Anthropic) writes them.
    pub fn meter(
        &self,
        provider: &str,
        operation: Operation,
        usage_body: &Value,
    ) -> Result<Metered, MeterError> {
        let usage = match self.flavor(provider, operation) {
            Some(flavor) => {
                let request = ExtractRequest::from_value(usage_body)
                    .with_provider_id(provider)
                    .with_api_flavor(flavor);
                match self.table.extract_provider_usage(&request) {
                    Ok(extracted) => extracted.usage,
                    Err(error) if error.kind() == ErrorKind::InvalidUsage => {
                        return Err(MeterError::Impossible {
                            reason: error.to_string(),
                        });
                    }
                    Err(_other_shape) => plain(operation, usage_body)?,
                }
            }
            None => plain(operation, usage_body)?,
        };
        Ok(Metered {
            tokens: tokens(&usage)?,
            usage,
            model: usage_body.get("model").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// The table's word for the shape of this provider's answers.
    fn flavor(&self, provider: &str, operation: Operation) -> Option<&'static str> {
        let wanted: &[&'static str] = match operation {
            Operation::Chat | Operation::TextCompletion => &["chat", "default"],
            Operation::Embeddings => &["embeddings", "default", "chat"],
            Operation::Responses => &["responses"],
            Operation::Messages | Operation::CountTokens => &["anthropic", "default"],
        };
        let provider = self.table.find_provider(Some(provider), None).ok().flatten()?;
        let mut wanted = wanted.iter().copied();
        wanted.find(|flavor| provider.api_flavors().any(|has| has == *flavor))
    }
}

/// Reads the counts by the names that nearly everybody uses.
fn plain(operation: Operation, body: &Value) -> Result<Usage, MeterError> {
    let usage = body.get("usage").ok_or(MeterError::NoUsage)?;
    let one = |path: &[&str]| -> Option<f64> {
        let found = path.iter().try_fold(usage, |value, key| value.get(key))?;
        found.as_f64()
    };
    let first = |paths: &[&[&str]]| paths.iter().find_map(|path| one(path));
    let mut read = Usage::new();
    let mut put = |key: UsageKey, value: Option<f64>| {
        if let Some(value) = value {
            read.insert(key, value);
        }
    };
    let output = first(&[&["completion_tokens"], &["output_tokens"]]);
    let mut input = first(&[&["prompt_tokens"], &["input_tokens"]]);
    if operation == Operation::Messages {
        let written = one(&["cache_creation_input_tokens"]);
        let cached = one(&["cache_read_input_tokens"]);
        input = input.map(|input| input + written.unwrap_or(0.0) + cached.unwrap_or(0.0));
        put(UsageKey::CACHE_WRITE_TOKENS, written);
        put(UsageKey::CACHE_READ_TOKENS, cached);
    } else {
        let details = [["prompt_tokens_details"], ["input_tokens_details"]];
        let of_input = |name| details.iter().find_map(|[outer]| one(&[outer, name]));
        put(UsageKey::CACHE_READ_TOKENS, of_input("cached_tokens"));
        put(UsageKey::INPUT_AUDIO_TOKENS, of_input("audio_tokens"));
        let details = [["completion_tokens_details"], ["output_tokens_details"]];
        let of_output = |name| details.iter().find_map(|[outer]| one(&[outer, name]));
        put(UsageKey::OUTPUT_REASONING_TOKENS, of_output("reasoning_tokens"));
        put(UsageKey::OUTPUT_AUDIO_TOKENS, of_output("audio_tokens"));
    }
    if input.is_none() && output.is_none() {
        // Embeddings of some providers state the total only, and all of it is input.
        input = one(&["total_tokens"]);
    }
    if input.is_none() && output.is_none() {
        return Err(MeterError::NoUsage);
    }
    put(UsageKey::INPUT_TOKENS, Some(input.unwrap_or(0.0)));
    put(UsageKey::OUTPUT_TOKENS, Some(output.unwrap_or(0.0)));
    Ok(read)
}

fn tokens(usage: &Usage) -> Result<TokenUsage, MeterError> {
    let count = |key: UsageKey| match usage.get(&key) {
        None => Ok(0),
        Some(value) => rounding::whole(value).ok_or_else(|| MeterError::Impossible {
            reason: format!("{key} is {value}"),
        }),
    };
    Ok(TokenUsage {
        input: count(UsageKey::INPUT_TOKENS)?,
        cache_read: count(UsageKey::CACHE_READ_TOKENS)?,
        cache_write: count(UsageKey::CACHE_WRITE_TOKENS)?,
        input_audio: count(UsageKey::INPUT_AUDIO_TOKENS)?,
        output: count(UsageKey::OUTPUT_TOKENS)?,
        reasoning: count(UsageKey::OUTPUT_REASONING_TOKENS)?,
        output_audio: count(UsageKey::OUTPUT_AUDIO_TOKENS)?,
    })
}
