//! How are the breaches shown that an Incident is about?

use model::breach::Breach;
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A breach of a Limit that has led to an Incident.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IncidentBreachView {
    /// Its id.
    pub breach_id: String,
    /// The Limit that was hit.
    pub limit_id: String,
    /// The LLM Run that hit it, if one did.
    pub llm_run_id: Option<String>,
    /// BREACHED, EXHAUSTED or VIOLATED.
    pub breach_type: &'static str,
    /// What was asked for or used with it, in the unit of the Limit; money in nano-USD.
    pub value_at_breach: String,
    /// What the Limit allowed then, in the same unit.
    pub limit_value: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub breached_at: Timestamp,
}

impl From<Breach> for IncidentBreachView {
    fn from(of: Breach) -> Self {
        let Breach {
            id,
            tenant: _,
            limit_owner: _,
            limit,
            run,
            decision: _,
            breach_type,
            value,
            max,
            at,
        } = of;
        Self {
            breach_id: id.to_string(),
            limit_id: limit.to_string(),
            llm_run_id: run.map(|run| run.to_string()),
            breach_type: breach_type.as_str(),
            value_at_breach: value.to_string(),
            limit_value: max.to_string(),
            breached_at: at,
        }
    }
}

/// The breaches that an Incident is about.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IncidentBreachesView {
    /// The latest first, at most 200.
    pub items: Vec<IncidentBreachView>,
}
