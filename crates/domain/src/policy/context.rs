//! What may a condition ask about?
//!
//! [`VARIABLES`] is the one table of names, types and meanings: conditions are checked against it and read through it,
//! and `docs/policies.md` shows it.

use model::money::NanoUsd;

/// The longest list that a condition may look at, in entries.
pub const LIST_MAX: usize = 256;
/// The longest text that a condition may look at, in bytes.
pub const TEXT_MAX: usize = 1024;

/// Everything that conditions are judged on. A text that is not given is empty.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Context<'a> {
    /// The model asked for.
    pub model: &'a str,
    /// The provider, in the words of OpenTelemetry's `gen_ai.provider.name`.
    pub provider: &'a str,
    /// The agent.
    pub agent: &'a str,
    /// The project.
    pub project: &'a str,
    /// The product feature.
    pub feature: &'a str,
    /// The id of the API key.
    pub key: &'a str,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The most input tokens it can have.
    pub input_tokens: i64,
    /// The most output tokens it can have.
    pub output_tokens: i64,
    /// The most it can cost; none if nobody knows the price.
    pub cost: Option<NanoUsd>,
    /// The names of the tools that the model may call, sorted, each once.
    pub tools: &'a [&'a str],
    /// The keyed hash of the input.
    pub input_fingerprint: &'a str,
    /// The hour of the day, 0 to 23 (UTC).
    pub hour: i64,
    /// The day of the week, 1 (Monday) to 7 (Sunday) (UTC).
    pub weekday: i64,
    /// The failure it is about: at the stage OUTPUT that of this LLM Run, at the stage INPUT the latest one on record of
    /// a request with the same traits.
    pub failure: Option<FailureContext<'a>>,
    /// What the evaluators found.
    pub findings: FindingsContext<'a>,
}

/// A failure, as conditions see it.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct FailureContext<'a> {
    /// The code, such as `EXECUTION_TIMEOUT`.
    pub code: &'a str,
    /// The stable word of whoever reported it.
    pub class: &'a str,
    /// The provider's HTTP status; 0 if it did not answer.
    pub status: i64,
    /// The id of its signature.
    pub signature: &'a str,
    /// The id of its signature without the input.
    pub family: &'a str,
    /// How often it is on record.
    pub count: i64,
}

/// What one evaluator found.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Found<'a> {
    /// How often.
    pub count: i64,
    /// Which kinds, sorted, each once.
    pub kinds: &'a [&'a str],
}

/// What the evaluators found.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct FindingsContext<'a> {
    /// `PII_FILTER`.
    pub pii: Found<'a>,
    /// `SAFETY_BASIC`.
    pub safety: Found<'a>,
    /// `PROMPT_INJECTION`.
    pub injection: Found<'a>,
    /// `CONTENT_ACCURACY`.
    pub accuracy: Found<'a>,
}

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Type {
    /// True or false.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// Unicode text.
    String,
    /// An exact amount of USD; written as a number, such as `0.05`.
    Usd,
    /// A list of texts.
    #[strum(serialize = "list(string)")]
    Strings,
    /// A list of whole numbers.
    #[strum(serialize = "list(int)")]
    Ints,
}

/// A value while it is judged.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Bool(bool),
    /// A number, or an amount in nano-USD: the types were checked.
    Int(i64),
    Text(&'a str),
    List(Items<'a>),
}

/// A list while it is judged.
#[derive(Debug, Clone, Copy)]
pub(super) enum Items<'a> {
    Given(&'a [&'a str]),
    Texts(&'a [alloc::string::String]),
    Ints(&'a [i64]),
}

/// A name that conditions may use.
#[derive(Debug)]
pub struct Variable {
    /// The name, with dots.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// What it means.
    pub doc: &'static str,
    /// How it is read; none where nobody knows it.
    pub(super) read: for<'a> fn(&Context<'a>) -> Option<Value<'a>>,
    /// Which part of the context must be there for it.
    pub needs: Needs,
}

/// What has to be found out before a condition can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The request.
    Request,
    /// The failures on record.
    Failure,
    /// What the evaluators find.
    Findings,
    /// What they find if they know what the model was told nothing about.
    Accuracy,
}

macro_rules! variables {
    ($($name:literal $kind:ident $needs:ident $doc:literal |$context:ident| $read:expr;)*) => {
        /// Every name that conditions may use.
        pub const VARIABLES: &[Variable] = &[$(Variable {
            name: $name, kind: Type::$kind, doc: $doc, read: |$context| $read, needs: Needs::$needs,
        }),*];
    };
}

variables! {
    "run.model" String Request "the model asked for" |it| Some(Value::Text(it.model));
    "run.provider" String Request "the provider, such as `openai`" |it| Some(Value::Text(it.provider));
    "run.agent" String Request "the agent; empty if none is named" |it| Some(Value::Text(it.agent));
    "run.project" String Request "the project; empty if none is named" |it| Some(Value::Text(it.project));
    "run.feature" String Request "the product feature; empty if none is named" |it| Some(Value::Text(it.feature));
    "run.key" String Request "the id of the API key" |it| Some(Value::Text(it.key));
    "run.stream" Bool Request "whether the answer is to be streamed" |it| Some(Value::Bool(it.stream));
    "estimate.input_tokens" Int Request "the most input tokens it can have" |it| Some(Value::Int(it.input_tokens));
    "estimate.output_tokens" Int Request "the most output tokens it can have" |it| Some(Value::Int(it.output_tokens));
    "estimate.cost_usd" Usd Request "the most it can cost, exactly; not known for a model without a price"
        |it| it.cost.map(|cost| Value::Int(cost.0));
    "tools" Strings Request "the names of the tools the model may call, sorted" |it| Some(Value::List(Items::Given(it.tools)));
    "input.fingerprint" String Request "the keyed hash of the input" |it| Some(Value::Text(it.input_fingerprint));
    "time.hour" Int Request "the hour, 0 to 23 (UTC)" |it| Some(Value::Int(it.hour));
    "time.weekday" Int Request "the day of the week, 1 (Monday) to 7 (Sunday) (UTC)" |it| Some(Value::Int(it.weekday));
    "failure.known" Bool Failure "whether a failure is on record" |it| Some(Value::Bool(it.failure.is_some()));
    "failure.code" String Failure "its code, such as `EXECUTION_TIMEOUT`; empty if none is on record"
        |it| Some(Value::Text(it.failure.unwrap_or_default().code));
    "failure.class" String Failure "its error class, such as `context_length_exceeded`"
        |it| Some(Value::Text(it.failure.unwrap_or_default().class));
    "failure.status" Int Failure "the provider's HTTP status; 0 if it did not answer"
        |it| Some(Value::Int(it.failure.unwrap_or_default().status));
    "failure.signature" String Failure "the id of its signature"
        |it| Some(Value::Text(it.failure.unwrap_or_default().signature));
    "failure.family" String Failure "the id of its signature without the input"
        |it| Some(Value::Text(it.failure.unwrap_or_default().family));
    "failure.count" Int Failure "how often it is on record" |it| Some(Value::Int(it.failure.unwrap_or_default().count));
    "findings.pii.count" Int Findings "how much personal data was found" |it| Some(Value::Int(it.findings.pii.count));
    "findings.pii.kinds" Strings Findings "its kinds, such as `EMAIL`"
        |it| Some(Value::List(Items::Given(it.findings.pii.kinds)));
    "findings.safety.count" Int Findings "how many words of harm were found"
        |it| Some(Value::Int(it.findings.safety.count));
    "findings.safety.kinds" Strings Findings "their kinds" |it| Some(Value::List(Items::Given(it.findings.safety.kinds)));
    "findings.injection.count" Int Findings "how many attempts to take over the model were found"
        |it| Some(Value::Int(it.findings.injection.count));
    "findings.injection.kinds" Strings Findings "their kinds"
        |it| Some(Value::List(Items::Given(it.findings.injection.kinds)));
    "findings.accuracy.count" Int Accuracy "how many statements about what nobody knows were found"
        |it| Some(Value::Int(it.findings.accuracy.count));
    "findings.accuracy.kinds" Strings Accuracy "their kinds"
        |it| Some(Value::List(Items::Given(it.findings.accuracy.kinds)));
}
