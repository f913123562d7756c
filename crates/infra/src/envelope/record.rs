//! How does an envelope rest in the store?

use std::collections::BTreeMap;

use model::time::Timestamp;

use super::{ErrorClass, ErrorEnvelope, LayerName, WordError};

/// The columns of one envelope. Made and read by [`ErrorEnvelope`] only; the store copies it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of the envelope with its name")]
pub struct ErrorRecord {
    pub error_id: String,
    pub timestamp: Timestamp,
    pub layer: String,
    pub component: String,
    pub error_class: String,
    pub severity: String,
    pub message: String,
    pub correlation_id: Option<String>,
    pub decision_id: Option<String>,
    pub run_id: Option<String>,
    pub agent_id: Option<String>,
    pub tenant_id: Option<String>,
    pub input_hash: Option<String>,
    pub exception_type: Option<String>,
    /// A JSON array of texts.
    pub exception_chain: Option<String>,
    /// A JSON object of texts.
    pub context: String,
    pub envelope_version: String,
}

/// Why a record is not an envelope.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A word that the vocabulary does not have.
    #[error("the record has an unknown word")]
    Word(#[from] WordError),
    /// A layer that may not report this class.
    #[error("layer {layer} must not emit {class}")]
    Emission {
        /// The layer.
        layer: LayerName,
        /// The class.
        class: ErrorClass,
    },
    /// A later version of the envelope.
    #[error("version {0} of the envelope is not known")]
    Version(String),
    /// The chain or the context is not the JSON that it should be.
    #[error("the record holds broken JSON")]
    Json(#[from] serde_json::Error),
}

impl ErrorEnvelope {
    /// The columns of this envelope.
    pub fn to_record(&self) -> ErrorRecord {
        let json = |chain: &Vec<String>| serde_json::Value::from(chain.clone()).to_string();
        let context = self
            .context
            .iter()
            .map(|(key, value)| (key.clone(), value.clone().into()));
        ErrorRecord {
            error_id: self.error_id.to_string(),
            timestamp: self.timestamp,
            layer: self.layer.to_string(),
            component: self.component.clone(),
            error_class: self.error_class.to_string(),
            severity: self.severity.to_string(),
            message: self.message.clone(),
            correlation_id: self.correlation_id.clone(),
            decision_id: self.decision_id.clone(),
            run_id: self.run_id.clone(),
            agent_id: self.agent_id.clone(),
            tenant_id: self.tenant_id.clone(),
            input_hash: self.input_hash.clone(),
            exception_type: self.exception_type.clone(),
            exception_chain: self.exception_chain.as_ref().map(json),
            context: serde_json::Value::Object(context.collect()).to_string(),
            envelope_version: Self::VERSION.to_owned(),
        }
    }

    /// The envelope of these columns.
    pub fn from_record(record: ErrorRecord) -> Result<Self, RecordError> {
        let layer: LayerName = record.layer.parse()?;
        let error_class: ErrorClass = record.error_class.parse()?;
        if !layer.may_emit(error_class) {
            return Err(RecordError::Emission {
                layer,
                class: error_class,
            });
        }
        if record.envelope_version != Self::VERSION {
            return Err(RecordError::Version(record.envelope_version));
        }
        let chain = record
            .exception_chain
            .as_deref()
            .map(serde_json::from_str::<Vec<String>>);
        Ok(Self {
            error_id: record.error_id.parse()?,
            timestamp: record.timestamp,
            layer,
            component: record.component,
            error_class,
            severity: record.severity.parse()?,
            message: record.message,
            correlation_id: record.correlation_id,
            decision_id: record.decision_id,
            run_id: record.run_id,
            agent_id: record.agent_id,
            tenant_id: record.tenant_id,
            input_hash: record.input_hash,
            exception_type: record.exception_type,
            exception_chain: chain.transpose()?,
            context: serde_json::from_str::<BTreeMap<String, String>>(&record.context)?,
        })
    }
}
