//! What went wrong inside, for whoever investigates and for nobody else?
//!
//! An [`ErrorEnvelope`] is forensic: it is stored and read by operators, and never becomes part of an
//! answer. So it has no serialiser; the store takes it apart with [`ErrorEnvelope::to_record`].
//! Which layer may report which class of error is checked by the compiler, see [`MayEmit`].

mod cause;
mod class;
mod emission;
mod record;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::str::FromStr;

use model::time::Timestamp;

use crate::correlation::CorrelationContext;
use crate::secrets::{hex, keyed_hash};

pub use class::{DomainClass, ErrorClass, ErrorSeverity, InfraClass, SystemClass, UnknownClass, WordError};
pub use emission::{Class, L2, L3, L4, L5, L6, Layer, LayerName, MayEmit};
pub use record::{ErrorRecord, RecordError};

// LIMIT: what the store's columns hold. Evidence is cut rather than refused.
const MAX_COMPONENT: usize = 200;
const MAX_ID: usize = 100;
const MAX_TEXT: usize = 4000;

/// The name of an envelope: `err_` and 12 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorId(String);

impl ErrorId {
    /// The id out of these bits, as an `IdGenerator` gives them; the lower 48 are used.
    pub fn from_bits(bits: u128) -> Self {
        Self(format!("err_{:012x}", bits & 0xffff_ffff_ffff))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ErrorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ErrorId {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let digits = text.strip_prefix("err_").unwrap_or_default();
        let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if digits.len() == 12 && digits.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(WordError {
                what: "error id",
                word: text.to_owned(),
            })
        }
    }
}

/// One thing that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorEnvelope {
    error_id: ErrorId,
    timestamp: Timestamp,
    layer: LayerName,
    component: String,
    error_class: ErrorClass,
    severity: ErrorSeverity,
    message: String,
    correlation_id: Option<String>,
    decision_id: Option<String>,
    run_id: Option<String>,
    agent_id: Option<String>,
    tenant_id: Option<String>,
    input_hash: Option<String>,
    exception_type: Option<String>,
    exception_chain: Option<Vec<String>>,
    context: BTreeMap<String, String>,
}

impl ErrorEnvelope {
    /// The version of the envelope's fields.
    pub const VERSION: &str = "1.0";

    /// An error of this class, reported by a component of layer `L`:
    /// `ErrorEnvelope::new::<L5, _>(InfraClass::Timeout, …)`. A layer that may not report the class
    /// does not compile.
    pub fn new<L, C>(
        class: C,
        severity: ErrorSeverity,
        component: &str,
        message: &str,
        error_id: ErrorId,
        now: Timestamp,
    ) -> Self
    where
        L: MayEmit<C>,
        C: Class,
    {
        Self {
            error_id,
            timestamp: now,
            layer: L::NAME,
            component: cut(component, MAX_COMPONENT),
            error_class: class.into(),
            severity,
            message: cut(message, MAX_TEXT),
            correlation_id: None,
            decision_id: None,
            run_id: None,
            agent_id: None,
            tenant_id: None,
            input_hash: None,
            exception_type: None,
            exception_chain: None,
            context: BTreeMap::new(),
        }
    }

    /// The same error under another id, for the store when the id was taken by another error.
    #[must_use]
    pub fn with_error_id(self, error_id: ErrorId) -> Self {
        Self { error_id, ..self }
    }

    /// The same error as part of a correlation.
    #[must_use]
    pub fn correlated(self, context: &CorrelationContext) -> Self {
        Self {
            correlation_id: Some(cut(context.correlation_id(), MAX_ID)),
            ..self
        }
    }

    /// The same error as part of a decision.
    #[must_use]
    pub fn with_decision_id(self, id: impl fmt::Display) -> Self {
        Self {
            decision_id: Some(cut(&id.to_string(), MAX_ID)),
            ..self
        }
    }

    /// The same error as part of an LLM Run.
    #[must_use]
    pub fn with_run_id(self, id: impl fmt::Display) -> Self {
        Self {
            run_id: Some(cut(&id.to_string(), MAX_ID)),
            ..self
        }
    }

    /// The same error as part of an agent's work.
    #[must_use]
    pub fn with_agent_id(self, id: impl fmt::Display) -> Self {
        Self {
            agent_id: Some(cut(&id.to_string(), MAX_ID)),
            ..self
        }
    }

    /// The same error as part of a tenant's traffic.
    #[must_use]
    pub fn with_tenant_id(self, id: impl fmt::Display) -> Self {
        Self {
            tenant_id: Some(cut(&id.to_string(), MAX_ID)),
            ..self
        }
    }

    /// The same error with a hash of the input that led to it, under the tenant's key so that nobody
    /// can find the input by guessing. The input itself is never kept; an empty one has no hash.
    #[must_use]
    pub fn with_input(self, tenant_key: &[u8], input: &[u8]) -> Self {
        let hash = || hex(&keyed_hash(tenant_key, input)).chars().take(16).collect();
        Self {
            input_hash: (!input.is_empty()).then(hash),
            ..self
        }
    }

    /// The same error with what caused it, down to the fifth cause.
    #[must_use]
    pub fn caused_by<E: Error>(self, cause: &E) -> Self {
        let (exception_type, chain) = cause::chain(cause);
        Self {
            exception_type: Some(exception_type),
            exception_chain: Some(chain),
            ..self
        }
    }

    /// A copy with one more fact. No secrets, no content.
    #[must_use]
    pub fn with_context(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.context
            .insert(key.to_owned(), cut(&value.to_string(), MAX_TEXT));
        self
    }

    /// Whether somebody has to act now.
    pub fn is_critical(&self) -> bool {
        self.severity == ErrorSeverity::Critical
    }

    /// Whether what we run on failed.
    pub fn is_infrastructure_error(&self) -> bool {
        matches!(self.error_class, ErrorClass::Infra(_))
    }

    /// Whether a rule of the product said no.
    pub fn is_domain_error(&self) -> bool {
        matches!(self.error_class, ErrorClass::Domain(_))
    }

    /// Whether we ourselves are wrong.
    pub fn is_system_error(&self) -> bool {
        matches!(self.error_class, ErrorClass::System(_))
    }

    /// What the error is called.
    pub fn error_id(&self) -> &ErrorId {
        &self.error_id
    }

    /// When it happened.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Which layer reports it.
    pub fn layer(&self) -> LayerName {
        self.layer
    }

    /// Which part of the layer reports it.
    pub fn component(&self) -> &str {
        &self.component
    }

    /// What kind of error it is.
    pub fn error_class(&self) -> ErrorClass {
        self.error_class
    }

    /// How bad it is.
    pub fn severity(&self) -> ErrorSeverity {
        self.severity
    }

    /// What happened, for people who investigate.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The correlation it belongs to.
    pub fn correlation_id(&self) -> Option<&str> {
        self.correlation_id.as_deref()
    }

    /// The decision it belongs to.
    pub fn decision_id(&self) -> Option<&str> {
        self.decision_id.as_deref()
    }

    /// The LLM Run it belongs to.
    pub fn run_id(&self) -> Option<&str> {
        self.run_id.as_deref()
    }

    /// The agent it belongs to.
    pub fn agent_id(&self) -> Option<&str> {
        self.agent_id.as_deref()
    }

    /// The tenant it belongs to.
    pub fn tenant_id(&self) -> Option<&str> {
        self.tenant_id.as_deref()
    }

    /// The keyed hash of the input that led to it: 16 hex digits.
    pub fn input_hash(&self) -> Option<&str> {
        self.input_hash.as_deref()
    }

    /// The type of the error that caused it.
    pub fn exception_type(&self) -> Option<&str> {
        self.exception_type.as_deref()
    }

    /// The causes, outermost first, each as `Type: message`.
    pub fn exception_chain(&self) -> Option<&[String]> {
        self.exception_chain.as_deref()
    }

    /// Further facts.
    pub fn context(&self) -> &BTreeMap<String, String> {
        &self.context
    }
}

/// The text up to this many characters.
fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

#[cfg(test)]
mod tests;
