//! What do the recorded exchanges cost according to us? `crates/testkit/python/price_check.py` says how to
//! compare that with what the genai-prices of Python says.

use std::io::Write as _;

use bytes::Bytes;
use model::run::Operation;
use model::time::Timestamp;
use serde_json::Value;
use services::prices::{PriceBook, PriceError};
use workers::upstream::tap::UsageTap;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let source = std::env::args()
        .nth(1)
        .ok_or("usage: price_check exchanges.jsonl")?;
    let book = PriceBook::new(Vec::new())?;
    let at: Timestamp = "2026-11-01T00:00:00Z".parse()?;
    let mut out = std::io::stdout().lock();
    for line in std::fs::read_to_string(source)?.lines() {
        let exchange: Value = serde_json::from_str(line)?;
        if exchange.get("status").and_then(Value::as_i64) != Some(200) {
            continue;
        }
        if let Some(line) = line_of(&book, &exchange, at)? {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn line_of(book: &PriceBook, exchange: &Value, at: Timestamp) -> Result<Option<String>, Failure> {
    let text = |pointer: &str| {
        exchange
            .pointer(pointer)
            .and_then(Value::as_str)
            .ok_or("not a text")
    };
    let operation = match text("/path")? {
        "/v1/chat/completions" => Operation::Chat,
        "/v1/completions" => Operation::TextCompletion,
        "/v1/embeddings" => Operation::Embeddings,
        "/v1/responses" => Operation::Responses,
        "/v1/messages" => Operation::Messages,
        other => return Err(format!("no operation for {other}").into()),
    };
    let provider = match text("/host")? {
        "api.openai.com" => "openai",
        "api.anthropic.com" => "anthropic",
        "api.groq.com" => "groq",
        "api.mistral.ai" => "mistral",
        "api.deepseek.com" => "deepseek",
        "api.together.xyz" => "together",
        "api.voyageai.com" => "voyageai",
        _ => "none",
    };
    let streaming = text("/response_headers/content-type")?.starts_with("text/event-stream");
    let mut tap = UsageTap::new(operation, streaming, false);
    tap.feed(Bytes::from(text("/response_body")?.to_owned()));
    let (_, report) = tap.finish();
    let Some(body) = report.usage_body else {
        return Ok(None);
    };
    let metered = book.meter(provider, operation, &body)?;
    let model = metered.model.clone().unwrap_or_default();
    let price = book.price(provider, &model, &metered, report.service_tier.as_deref(), at);
    let price = match price {
        Ok(price) => price.0.to_string(),
        Err(PriceError::Unpriced { .. }) => "UNPRICED".to_owned(),
        Err(error) => error.to_string(),
    };
    let t = metered.tokens;
    let id = text("/id")?;
    let counts = [t.input, t.cache_read, t.cache_write, t.output, t.reasoning].map(|n| n.to_string());
    Ok(Some(format!(
        "{id}\t{provider}\t{model}\t{}\t{price}",
        counts.join("\t")
    )))
}
