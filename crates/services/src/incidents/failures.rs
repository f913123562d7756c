//! What becomes of an LLM Run that failed?
//!
//! The end of a run records facts only, among them that nobody has looked at its failure yet. This job looks at every such
//! run, also at those that a process has left behind that is gone: it decides whether an Incident is opened and whether a
//! Policy Rule is proposed, and commits all of that at once. That it has been looked at is a fact again, and committed
//! after that; whatever is looked at twice has the same id and opens nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::incidents::{self as engine, FailedRun, Opening};
use domain::pipeline::signals::own;
use domain::policy::proposals::{Draft, Recorded, draft_from, is_worth_a_proposal};
use infra::secrets;
use model::audit::Actor;
use model::authority::AuthorityContext;
use model::decision::{DecisionSnapshot, Outcome};
use model::id::{DecisionId, IdGenerator, RunId, TenantId};
use model::incident::{Creation, IncidentSource, Signature};
use model::run::{Run, RunStatus};
use model::time::Timestamp;
use serde_json::json;
use store::{ReadTx, StoreError, StoreResult, Tx, WriteTx};

use super::pipeline::{self, Promoted};
use super::{ENGINE, IncidentError};

use crate::audit::Author;
use crate::context::Context;
use crate::proposals::{self, Cause};
use crate::recorded::{history, signature};

/// Runs that are found at a time.
const MOST: i64 = 100;

/// What was made of failures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Explained {
    /// How many runs were looked at.
    pub runs: u64,
    /// How many Incidents were opened.
    pub incidents: u64,
    /// How many proposals were made.
    pub proposals: u64,
}

/// Looks at every run that has failed and that nobody has looked at. One that cannot be looked at now is left for the
/// next time.
///
/// # Errors
/// What the database says.
pub async fn explain_all(cx: &Context) -> Result<Explained, StoreError> {
    let (mut sum, mut after) = (Explained::default(), None);
    loop {
        let failed = cx
            .db
            .read(move |tx| store::runs::unexplained(tx, after, MOST))
            .await?;
        let is_last = i64::try_from(failed.len()).is_ok_and(|found| found < MOST);
        after = failed.last().copied().or(after);
        let (mut looked_at, mut histories) = (Vec::new(), BTreeMap::new());
        for one in failed {
            match explain(cx, one.tenant, one.run, &mut histories).await {
                Ok((incident, proposal)) => {
                    looked_at.push(one);
                    sum.runs += 1;
                    sum.incidents += u64::from(incident);
                    sum.proposals += u64::from(proposal);
                }
                // Asked again, the rules would say the same.
                Err(error @ IncidentError::NotNoticed) => {
                    tracing::error!(%error, run_id = %one.run, "a failed run opens no Incident");
                    looked_at.push(one);
                    sum.runs += 1;
                }
                Err(error) => {
                    tracing::warn!(%error, run_id = %one.run, "a failed run could not be looked at yet");
                }
            }
        }
        cx.db
            .write(move |tx| store::runs::explained(tx, &looked_at))
            .await?;
        if is_last {
            return Ok(sum);
        }
    }
}

/// Looks at one run: whether an Incident was opened, and whether a rule was proposed.
async fn explain(
    cx: &Context,
    tenant: TenantId,
    run: RunId,
    histories: &mut Histories,
) -> Result<(bool, bool), IncidentError> {
    let now = cx.clock.now();
    let known = histories.get(&tenant).cloned();
    let failed = cx
        .db
        .read(move |tx| Failed::load(tx, tenant, run, (known.clone(), now)))
        .await?;
    let Some(failed) = failed else {
        return Ok((false, false));
    };
    histories.insert(tenant, Arc::clone(&failed.history));
    let decided = failed.decide();
    if !decided.opening.opens && decided.draft.is_none() {
        return Ok((false, false));
    }
    let ids = cx.ids.clone();
    cx.db
        .write(move |tx| commit(tx, ids.as_ref(), &failed, &decided, now))
        .await
}

/// What is on record of each tenant, read once for all of its runs that are looked at together.
type Histories = BTreeMap<TenantId, Arc<Vec<Recorded>>>;

/// A run that failed, and what is known beside it.
struct Failed {
    run: Run,
    signature: Signature,
    history: Arc<Vec<Recorded>>,
}

/// What was decided about it.
struct Decided {
    opening: Opening,
    draft: Option<Draft>,
}

impl Failed {
    /// None if it has not failed after all: a hold that expired can still be settled by its process.
    fn load(
        tx: &mut ReadTx<'_>,
        tenant: TenantId,
        run: RunId,
        (known, now): (Option<Arc<Vec<Recorded>>>, Timestamp),
    ) -> StoreResult<Option<Self>> {
        let Some(run) = store::runs::find(tx, tenant, run)?.filter(has_failed) else {
            return Ok(None);
        };
        let history = match known {
            Some(known) => known,
            None => Arc::new(history(tx, tenant, now)?),
        };
        let signature = signature(&run);
        Ok(Some(Self {
            run,
            signature,
            history,
        }))
    }

    fn decide(&self) -> Decided {
        let opening = engine::open(&FailedRun {
            tenant: self.run.tenant,
            run: self.run.id,
            signature: &self.signature,
        });
        let family = self.history.iter().filter(|recorded| self.is_of_family(recorded));
        let draft = is_worth_a_proposal(opening.severity, family.count())
            .then(|| draft_from(&self.signature, &self.history));
        Decided { opening, draft }
    }

    fn is_of_family(&self, recorded: &Recorded) -> bool {
        let other = recorded.failure.as_ref().map(|failure| Signature {
            failure: failure.clone(),
            request: recorded.request.clone(),
        });
        other.is_some_and(|other| other.family() == self.signature.family())
    }
}

fn has_failed(run: &Run) -> bool {
    matches!(run.status, RunStatus::Failed | RunStatus::Crashed)
}

/// Writes down what was decided, unless that was done before or a Policy Rule has prevented it.
fn commit(
    tx: &mut WriteTx<'_>,
    ids: &dyn IdGenerator,
    failed: &Failed,
    decided: &Decided,
    now: Timestamp,
) -> Result<(bool, bool), IncidentError> {
    let run = &failed.run;
    let id = decided.opening.incident;
    if store::preventions::is_recorded(tx, run.tenant, run.id)? {
        return Ok((false, false));
    }
    let author = Author {
        actor: Actor::SYSTEM,
        correlation_id: run.correlation_id.clone(),
    };
    let mut promoted = None;
    if decided.opening.opens {
        if store::incidents::find(tx, run.tenant, id)?.is_some() {
            return Ok((false, false));
        }
        promoted = Some(promote(tx, failed, &decided.opening, now)?);
    }
    let opened = match &promoted {
        Some(promoted) => {
            let new = (
                run.tenant,
                creation(failed, &decided.opening),
                promoted.promotion(),
            );
            super::open(tx, ids, &author, new, now)?
        }
        None => false,
    };
    let cause = Cause {
        tenant: run.tenant,
        run: Some(run.id),
        incident: promoted.is_some().then_some(id),
    };
    let proposed = match &decided.draft {
        Some(draft) => proposals::propose(tx, ids, &author, (cause, draft), now)?.is_some(),
        None => false,
    };
    if promoted.is_some() || proposed {
        let decisions = [snapshot(ids, failed, (decided, promoted.as_ref()), now)];
        store::decisions::insert(tx, &decisions)?;
    }
    Ok((opened, proposed))
}

/// What the pipeline makes of the failure, from signal to decision.
fn promote(
    tx: &mut impl Tx,
    failed: &Failed,
    opening: &Opening,
    now: Timestamp,
) -> Result<Promoted, IncidentError> {
    let service = service(&failed.run);
    let of_run = FailedRun {
        tenant: failed.run.tenant,
        run: failed.run.id,
        signature: &failed.signature,
    };
    let happened_at = failed.run.completed_at.unwrap_or(failed.run.started_at);
    let draft = own::failed_run(&of_run, &service, happened_at);
    let asked = pipeline::Asked {
        tenant: failed.run.tenant,
        incident: opening.incident,
        authority: AuthorityContext::engine(ENGINE, now),
        request_id: failed.run.correlation_id.clone(),
        automation: crate::automation::known(tx, failed.run.tenant)?,
    };
    let look_up = |service: &str| store::incidents::of_service(tx, asked.tenant, service);
    pipeline::decide(&draft, &asked, look_up, now)
}

/// Which service it happened to: the agent, else the product feature, else all of it.
fn service(run: &Run) -> String {
    let subject = &run.subject;
    let named = subject.agent_id.as_ref().or(subject.feature.as_ref());
    named.map_or_else(|| "llm".to_owned(), ToString::to_string)
}

fn creation(failed: &Failed, opening: &Opening) -> Creation {
    let run = &failed.run;
    Creation {
        identity: run.id.to_string(),
        source: IncidentSource::Promotion,
        severity: opening.severity,
        category: opening.category,
        cause_type: opening.cause_type,
        service: service(run),
        title: opening.title.clone(),
        description: String::new(),
        tags: Vec::new(),
        run: Some(run.id),
        error_code: Some(failed.signature.failure.error_class.clone()),
        signature: Some(failed.signature.clone()),
        fingerprint: None,
        cost: run.cost.unwrap_or_default(),
        correlation_id: run.correlation_id.clone(),
    }
}

/// What the engine was given and what it said, so that it can be asked again.
fn snapshot(
    ids: &dyn IdGenerator,
    failed: &Failed,
    (decided, promoted): (&Decided, Option<&Promoted>),
    now: Timestamp,
) -> DecisionSnapshot {
    let run = &failed.run;
    let input =
        json!({ "tenant_id": run.tenant, "run_id": run.id, "signature": failed.signature }).to_string();
    let draft = decided.draft.as_ref().map(|draft| {
        json!({
            "condition": draft.definition.condition,
            "confidence": draft.confidence.to_string(),
            "failures_met": draft.failures_met,
            "successes_met": draft.successes_met,
        })
    });
    DecisionSnapshot {
        id: DecisionId::generate(ids),
        tenant: run.tenant,
        engine: engine::NAME,
        engine_version: engine::VERSION,
        // There is something to be said about it; nothing is refused.
        outcome: Outcome::Warn,
        run: Some(run.id),
        hold: run.hold,
        input_hash: secrets::sha256_hex(input.as_bytes()),
        input,
        output: json!({ "opening": decided.opening, "promotion": promoted, "draft": draft }).to_string(),
        correlation_id: run.correlation_id.clone(),
        created_at: now,
    }
}
