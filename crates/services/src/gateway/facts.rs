//! What do limits need to know about a request body?

use std::sync::Arc;

use bytes::Bytes;
use domain::estimate::RequestFacts;
use model::id::TenantId;
use model::run::Operation;
use serde_json::{Value, json};
use workers::upstream::UpstreamKind;

use super::GatewayError;
use super::body::Body;
use super::texts::Said;
use super::{references, texts, traits};

#[cfg(test)]
mod tests;

/// Fields that would say where a request goes or with whose key. They are never forwarded.
const FORBIDDEN: [&str; 6] = [
    "api_base",
    "base_url",
    "api_key",
    "organization",
    "extra_headers",
    "api_version",
];

/// The most choices that may be asked for.
const CHOICES_MAX: i64 = 128;

/// The most tokens of output that may be asked for, far above what any model makes.
const OUTPUT_MAX: i64 = 100_000_000;

/// A request body with what was read from it.
#[derive(Debug, Clone)]
pub(super) struct Parsed {
    body: Body,
    pub(super) operation: Operation,
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) tier: Option<String>,
    pub(super) cache_write: bool,
    pub(super) audio: bool,
    pub(super) searches: i64,
    /// The SDK's own field for the customer's user.
    pub(super) end_user: Option<String>,
    requested_output: Option<i64>,
    /// The member that says, with a negative number, that there is no cap.
    uncapped: Option<&'static str>,
    pub(super) choices: i64,
    /// The names of the tools that the model may call, sorted, each once.
    pub(super) tools: Vec<String>,
    /// The keyed hash of the input; see [`traits`](super::traits).
    pub(super) input_fingerprint: Option<String>,
    /// Fields that its caller says the model is told nothing about.
    pub(super) unknown_fields: Arc<[String]>,
    /// The cap of the output that a DEGRADE limit sets.
    lowered: Option<i64>,
}

fn invalid(field: &str, detail: &str) -> GatewayError {
    GatewayError::Invalid {
        field: field.to_owned(),
        detail: detail.to_owned(),
    }
}

/// Reads a body.
pub(super) fn parse(operation: Operation, bytes: Bytes) -> Result<Parsed, GatewayError> {
    let body = Body::parse(bytes).map_err(GatewayError::Malformed)?;
    if let Some(field) = FORBIDDEN.iter().find(|field| body.has(field)) {
        return Err(invalid(
            field,
            "is not accepted: destination and credentials come from the configuration",
        ));
    }
    let model: String = body
        .get("model")
        .ok_or_else(|| invalid("model", "must be the name of a model"))?;
    if model.is_empty() || model.len() > 200 {
        return Err(invalid("model", "must have 1 to 200 characters"));
    }
    let stream = match body.raw("stream") {
        None | Some("null" | "false") => false,
        Some("true") => true,
        Some(_) => return Err(invalid("stream", "must be true or false")),
    };
    let contains = |needle: &[u8]| body.text().windows(needle.len()).any(|part| part == needle);
    let metadata: Option<Value> = body.get("metadata");
    let end_user = match operation {
        Operation::Messages | Operation::CountTokens => metadata
            .as_ref()
            .and_then(|m| m.get("user_id"))
            .and_then(Value::as_str)
            .map(str::to_owned),
        _ => body.get("safety_identifier").or_else(|| body.get("user")),
    };
    let (requested_output, uncapped) = requested_output(operation, &body)?;
    Ok(Parsed {
        stream,
        tier: tier(operation, &body),
        // OpenAI writes to its cache unasked; Anthropic only where the request marks it.
        cache_write: operation != Operation::Messages || contains(b"\"cache_control\""),
        audio: contains(b"\"audio\"") || contains(b"\"input_audio\""),
        searches: if contains(b"web_search") { 10 } else { 0 },
        end_user: end_user.filter(|user: &String| user.len() <= 200),
        requested_output,
        uncapped,
        choices: choices(operation, &body)?,
        tools: traits::tools(&body),
        input_fingerprint: None,
        unknown_fields: Arc::default(),
        lowered: None,
        model,
        operation,
        body,
    })
}

/// The tier that was asked for. Anthropic sells speed by a field of its own.
fn tier(operation: Operation, body: &Body) -> Option<String> {
    let speed = body.get::<String>("speed").filter(|speed| speed != "standard");
    let speed = speed.filter(|_| operation == Operation::Messages);
    speed.or_else(|| body.get("service_tier"))
}

/// The largest of the caps, and the one that says that there is none: which of two a provider obeys is not known.
fn requested_output(
    operation: Operation,
    body: &Body,
) -> Result<(Option<i64>, Option<&'static str>), GatewayError> {
    let (mut largest, mut uncapped) = (None, None);
    for &field in output_fields(operation).iter().filter(|field| body.has(field)) {
        let wanted = whole(body, field).ok_or_else(|| invalid(field, "must be a whole number"))?;
        match wanted {
            ..=-1 => uncapped = Some(field),
            1..=OUTPUT_MAX => largest = largest.max(Some(wanted)),
            _ => return Err(outside(field)),
        }
    }
    Ok((largest.filter(|_| uncapped.is_none()), uncapped))
}

fn outside(field: &str) -> GatewayError {
    invalid(field, "must be 1 to 100000000")
}

/// A whole number, also where it is written as `1000.0` or `1e3`.
fn whole(body: &Body, field: &str) -> Option<i64> {
    let float = || body.get::<f64>(field)?.to_string().parse().ok();
    body.get(field).or_else(float)
}

fn output_fields(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::Chat => &["max_completion_tokens", "max_tokens"],
        Operation::TextCompletion | Operation::Messages => &["max_tokens"],
        Operation::Responses => &["max_output_tokens"],
        Operation::Embeddings | Operation::CountTokens => &[],
    }
}

/// How often the output is made: choices, times prompts where a request may hold several.
fn choices(operation: Operation, body: &Body) -> Result<i64, GatewayError> {
    let count = |field: &'static str| -> Result<i64, GatewayError> {
        if !body.has(field) {
            return Ok(1);
        }
        let count: i64 = body
            .get(field)
            .ok_or_else(|| invalid(field, "must be a whole number"))?;
        if (1..=CHOICES_MAX).contains(&count) {
            Ok(count)
        } else {
            Err(invalid(field, "must be 1 to 128"))
        }
    };
    match operation {
        Operation::Chat => count("n"),
        Operation::TextCompletion => {
            let prompts = match body.get::<Value>("prompt") {
                Some(Value::Array(list)) if list.iter().all(|item| !item.is_number()) => list.len().max(1),
                _ => 1,
            };
            let prompts = i64::try_from(prompts).unwrap_or(i64::MAX);
            Ok(count("n")?.max(count("best_of")?).saturating_mul(prompts))
        }
        Operation::Embeddings | Operation::Responses | Operation::Messages | Operation::CountTokens => Ok(1),
    }
}

impl Parsed {
    /// The same with the keyed hash of its input.
    pub(super) fn known_by(self, key: &str, tenant: TenantId) -> Self {
        let input_fingerprint = traits::fingerprint(&self.body, key, tenant);
        Self {
            input_fingerprint,
            ..self
        }
    }

    /// The same with what its caller says that the model is told nothing about.
    pub(super) fn told_nothing_of(self, fields: &[String]) -> Self {
        Self {
            unknown_fields: fields.into(),
            ..self
        }
    }

    /// Refuses what an upstream of this kind would not understand. That a negative cap is none is known to local servers
    /// only.
    pub(super) fn fits(self, kind: UpstreamKind) -> Result<Self, GatewayError> {
        match self.uncapped {
            Some(field) if kind != UpstreamKind::OpenaiCompatible => Err(outside(field)),
            _ => Ok(self),
        }
    }

    /// Everything that is said in it.
    pub(super) fn said(&self) -> Said {
        texts::of(&self.body)
    }

    /// The same with another model, and with no more output than this.
    pub(super) fn lessened(&self, model: &str, cap: Option<i64>) -> Self {
        let mut less = self.clone();
        if less.model != model {
            less.body.set("model", &json!(model));
            model.clone_into(&mut less.model);
        }
        less.lowered = cap;
        less
    }

    /// What the estimate is made from.
    pub(super) fn facts(&self, default_output: i64) -> RequestFacts {
        RequestFacts {
            body_bytes: i64::try_from(self.body.len()).unwrap_or(i64::MAX),
            references: references::count(self.body.text()),
            requested_output: self.lowered.map_or(self.requested_output, |cap| {
                Some(self.requested_output.unwrap_or(default_output).min(cap))
            }),
            choices: self.choices,
            makes_output: !matches!(self.operation, Operation::Embeddings | Operation::CountTokens),
            default_output,
            model_output: None,
        }
    }

    /// The refusal of a request that can cost more than any request may.
    pub(super) fn too_dear(&self) -> GatewayError {
        let fields = output_fields(self.operation);
        let given = fields.iter().find(|field| self.body.has(field));
        invalid(
            given.unwrap_or(&"model"),
            "lets the request cost more than a million USD",
        )
    }

    /// Whether nobody would say what was used: the client did not ask, and the provider does not say it unasked.
    fn lacks_usage(&self) -> bool {
        let streams = self.stream && matches!(self.operation, Operation::Chat | Operation::TextCompletion);
        let options: Option<Value> = self.body.get("stream_options");
        let asked = options
            .as_ref()
            .and_then(|o| o.get("include_usage"))
            .and_then(Value::as_bool);
        streams && asked != Some(true)
    }

    /// Asks for the usage if it is lacking; says whether it was, so that the client is not shown it.
    pub(super) fn ask_for_usage(&mut self) -> bool {
        if !self.lacks_usage() {
            return false;
        }
        let mut options: Value = self.body.get("stream_options").unwrap_or_else(|| json!({}));
        if let Some(object) = options.as_object_mut() {
            object.insert("include_usage".to_owned(), json!(true));
        } else {
            options = json!({ "include_usage": true });
        }
        self.body.set("stream_options", &options);
        true
    }

    /// The body for the provider, with the output capped where that is needed.
    pub(super) fn into_body(mut self, kind: UpstreamKind, cap: Option<i64>) -> Bytes {
        if let Some(cap) = cap {
            self.cap_output(kind, cap);
        }
        self.body.into_bytes()
    }

    /// Lowers every cap that is above this one; which of two a provider obeys is not known. States it if there is none.
    fn cap_output(&mut self, kind: UpstreamKind, cap: i64) {
        let fields = output_fields(self.operation).iter().copied();
        let beyond =
            |field: &str| whole(&self.body, field).is_some_and(|wanted| !(0..=cap).contains(&wanted));
        let field: Vec<_> = if self.requested_output.is_some() || self.uncapped.is_some() {
            fields.filter(|field| beyond(field)).collect()
        } else {
            // Compatible providers know the older name only; OpenAI's newer models the newer one only.
            let older = kind == UpstreamKind::OpenaiCompatible;
            fields
                .skip(usize::from(older && self.operation == Operation::Chat))
                .take(1)
                .collect()
        };
        for field in field {
            self.body.set(field, &json!(cap));
        }
    }
}
