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
    /// What was asked for or used with it, in the unit of the Limit; money in nano-USD. Null for a Limit of the installation:
    /// nobody is told what all of its users have used.
    pub value_at_breach: Option<String>,
    /// What the Limit allowed then, in the same unit; null for a Limit of the installation.
    pub limit_value: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub breached_at: Timestamp,
}

impl From<Breach> for IncidentBreachView {
    fn from(of: Breach) -> Self {
        let Breach {
            id,
            tenant,
            limit_owner,
            limit,
            run,
            decision: _,
            breach_type,
            value,
            max,
            at,
        } = of;
        let own = |amount: i64| (limit_owner == tenant).then(|| amount.to_string());
        let (value_at_breach, limit_value) = (own(value), own(max));
        Self {
            breach_id: id.to_string(),
            limit_id: limit.to_string(),
            llm_run_id: run.map(|run| run.to_string()),
            breach_type: breach_type.as_str(),
            value_at_breach,
            limit_value,
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
