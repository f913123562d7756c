//! What is on record of one LLM Run?
//!
//! Stored facts only, and never what was asked or answered. What nobody keeps is named.

use std::collections::BTreeSet;

use model::audit::EntityType;
use model::cost::CostRecord;
use model::hold::Hold;
use model::id::{DecisionId, RunId, TenantId};
use model::incident::Incident;
use model::run::{LogGap, Run, RunState};
use store::audit::{Filter, Placed};
use store::breaches::Hit;
use store::decisions::Decided;
use store::enforcements::Done;
use store::timeline::Told;
use store::{StoreResult, Tx};

use super::RunError;
use crate::context::Context;

/// The most that is shown of each kind.
const MOST: i64 = 200;

/// What is on record of an LLM Run.
#[derive(Debug, Clone)]
pub struct RunLogs {
    /// The LLM Run itself.
    pub run: Run,
    /// What was decided about it.
    pub decisions: Vec<Decided>,
    /// What was set aside for it.
    pub hold: Option<Hold>,
    /// How often the provider was called; none while that may still change.
    pub attempts: Option<u32>,
    /// What it cost.
    pub costs: Vec<CostRecord>,
    /// What Policy Rules did about it.
    pub enforcements: Vec<Done>,
    /// Which limits it hit.
    pub breaches: Vec<Hit>,
    /// The Incidents that it has led to.
    pub incidents: Vec<Incident>,
    /// What happened for its request, oldest first.
    pub timeline: Vec<Told>,
    /// Who governed its Incidents, oldest first.
    pub audit: Vec<Placed>,
    /// What is not there.
    pub missing: BTreeSet<LogGap>,
}

/// What is on record of an LLM Run.
///
/// # Errors
/// [`RunError::NotFound`].
pub async fn logs(cx: &Context, tenant: TenantId, id: RunId) -> Result<RunLogs, RunError> {
    cx.db
        .read(move |tx| -> Result<RunLogs, RunError> {
            let run = store::runs::find(tx, tenant, id)?.ok_or(RunError::NotFound)?;
            Ok(collected(tx, run)?)
        })
        .await
}

fn collected(tx: &mut impl Tx, run: Run) -> StoreResult<RunLogs> {
    let (tenant, id) = (run.tenant, run.id);
    let enforcements = store::enforcements::of_run(tx, tenant, id, MOST)?;
    let asked = [Some(run.decision)].into_iter();
    let asked: BTreeSet<DecisionId> = asked
        .chain(enforcements.iter().map(|done| done.decision))
        .flatten()
        .collect();
    let asked: Vec<DecisionId> = asked.into_iter().collect();
    let decisions = store::decisions::find_all(tx, tenant, &asked)?;
    let hold = match run.hold {
        Some(hold) => store::holds::find(tx, tenant, hold)?,
        None => None,
    };
    let mut incidents = store::incidents::of_run(tx, tenant, id, MOST)?;
    let are_all = !is_full(incidents.len());
    incidents.retain(|incident| incident.lifecycle().is_some());
    let logs = RunLogs {
        attempts: attempts(&run),
        costs: store::costs::of_run(tx, tenant, id)?,
        breaches: store::breaches::of_run(tx, tenant, id, MOST)?,
        timeline: store::timeline::of_request(tx, tenant, &run.correlation_id, MOST)?,
        audit: audited(tx, tenant, &incidents)?,
        missing: BTreeSet::new(),
        run,
        decisions,
        hold,
        enforcements,
        incidents,
    };
    let mut gaps = missing(&logs);
    if !are_all {
        gaps.insert(LogGap::TooMany);
    }
    Ok(RunLogs {
        missing: gaps,
        ..logs
    })
}

/// Whether there may be more than is shown.
fn is_full(length: usize) -> bool {
    i64::try_from(length).is_ok_and(|length| length >= MOST)
}

/// How often the provider was called.
fn attempts(run: &Run) -> Option<u32> {
    if run.hold.is_none() {
        return Some(0);
    }
    (run.status.state() == RunState::Completed).then(|| run.retries.saturating_add(1))
}

fn audited(tx: &mut impl Tx, tenant: TenantId, incidents: &[Incident]) -> StoreResult<Vec<Placed>> {
    let mut found = Vec::new();
    for incident in incidents {
        // What is not read is missing all the same: as many as this are too many.
        let left = MOST - i64::try_from(found.len()).unwrap_or(MOST);
        if left <= 0 {
            break;
        }
        let of = Filter {
            entity_type: Some(EntityType::Incident),
            entity_id: Some(incident.id.to_string()),
            ..Filter::default()
        };
        found.extend(store::audit::list(tx, tenant, &of, left)?);
    }
    found.sort_by_key(|placed| placed.seq);
    Ok(found)
}

fn missing(logs: &RunLogs) -> BTreeSet<LogGap> {
    let run = &logs.run;
    let lists = [
        logs.timeline.len(),
        logs.audit.len(),
        logs.enforcements.len(),
        logs.breaches.len(),
    ];
    let gaps = [
        (LogGap::Content, true),
        (
            LogGap::Attempts,
            logs.attempts.is_some_and(|attempts| attempts > 1),
        ),
        (
            LogGap::Decision,
            logs.decisions.iter().all(|decided| decided.id != run.decision),
        ),
        (LogGap::Hold, run.hold.is_some() && logs.hold.is_none()),
        (LogGap::End, run.status.state() == RunState::Live),
        (LogGap::TooMany, lists.into_iter().any(is_full)),
    ];
    gaps.into_iter()
        .filter_map(|(gap, is_so)| is_so.then_some(gap))
        .collect()
}
