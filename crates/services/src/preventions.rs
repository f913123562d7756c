//! Which LLM Runs did Policy Rules keep from failing again, one by one?

use model::id::{IncidentId, PreventionId, RuleId, TenantId};
use model::policy::Prevention;
use model::time::Timestamp;
use store::{StoreResult, preventions};

use crate::context::Context;

/// What to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only those of this rule.
    pub rule: Option<RuleId>,
    /// Only those of rules that came from this Incident.
    pub incident: Option<IncidentId>,
    /// Only those that people have called false positives, or only the others.
    pub is_false_positive: Option<bool>,
}

/// A prevention, and whether somebody has called it a false positive.
#[derive(Debug, Clone)]
pub struct Known {
    /// The prevention.
    pub prevention: Prevention,
    /// Who has, if anybody.
    pub marked: Option<Marked>,
}

/// Who has called a prevention a false positive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<String>,
}

fn marked(said: preventions::Said) -> Option<Marked> {
    let preventions::Said {
        is_false_positive,
        note,
        by,
        at,
    } = said;
    is_false_positive.then_some(Marked { by, at, reason: note })
}

/// Preventions of a tenant older than `before`, newest first, at most `most`.
///
/// # Errors
/// What the database says.
pub async fn list(
    cx: &Context,
    tenant: TenantId,
    filter: Filter,
    before: Option<PreventionId>,
    most: u32,
) -> StoreResult<Vec<Known>> {
    let filter = preventions::Filter {
        rule: filter.rule,
        incident: filter.incident,
        is_false_positive: filter.is_false_positive,
        before,
    };
    let found = cx
        .db
        .read(move |tx| preventions::list(tx, tenant, &filter, i64::from(most)))
        .await?;
    Ok(found
        .into_iter()
        .map(|(prevention, said)| Known {
            prevention,
            marked: said.and_then(marked),
        })
        .collect())
}
