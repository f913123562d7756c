//! What may a load balancer or an operator's probe see?

use serde::Serialize;
use utoipa::ToSchema;

/// One thing that has to work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CheckView {
    /// What is checked.
    pub name: &'static str,
    /// Whether it works.
    pub ok: bool,
    /// What is wrong, in words that hold no secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Whether the server may be sent traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReadinessView {
    /// Whether everything works.
    pub ready: bool,
    /// One by one.
    pub checks: Vec<CheckView>,
}

impl ReadinessView {
    /// Ready if every check is.
    pub fn of(checks: Vec<CheckView>) -> Self {
        Self {
            ready: checks.iter().all(|check| check.ok),
            checks,
        }
    }
}
