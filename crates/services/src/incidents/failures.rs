//! What becomes of an LLM Run that failed?
//!
//! The end of a run records facts only, among them that nobody has looked at its failure yet. This job looks at every such
//! run, also at those that a process has left behind that is gone: it decides whether an Incident is opened and whether a
//! Policy Rule is proposed, and commits all of that at once. That it has been looked at is a fact again, and committed
//! after that; whatever is looked at twice has the same id and opens nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::attribution::{Facts, Fired, attribute};
use domain::incidents::{self as engine, FailedRun, Opening};
use domain::pipeline::signals::own;
use domain::policy::proposals::{Draft, Recorded, draft_from, is_worth_a_proposal};
use infra::secrets;
use model::audit::Actor;
use model::authority::AuthorityContext;
use model::decision::{DecisionSnapshot, Outcome};
use model::id::{DecisionId, IdGenerator, IncidentId, RunId, TenantId};
use model::incident::{Creation, IncidentSource, Occurrence, Signature};
use model::run::{Run, RunStatus};
use model::time::Timestamp;
use serde_json::json;
use store::{ReadTx, StoreError, StoreResult, WriteTx, Writes};

use super::pipeline::{self, Promoted};
use super::{ENGINE, IncidentError, Opened, again};

use crate::audit::Author;
use crate::context::Context;
use crate::measure::{self, Counted};
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
    /// How many failures were added to one that is going on.
    pub again: u64,
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
                Ok(made) => {
                    measure::pipeline(&made.counted);
                    looked_at.push(one);
                    sum.runs += 1;
                    sum.incidents += u64::from(made.opened);
                    sum.again += u64::from(made.again);
                    sum.proposals += u64::from(made.proposed);
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

/// What was made of one failure.
#[derive(Debug, Clone, Copy, Default)]
struct Made {
    /// An Incident was opened.
    opened: bool,
    /// It was added to one that was there.
    again: bool,
    /// A rule was proposed.
    proposed: bool,
    /// What the pipeline has made on the way.
    counted: Counted,
}

/// Looks at one run.
async fn explain(
    cx: &Context,
    tenant: TenantId,
    run: RunId,
    histories: &mut Histories,
) -> Result<Made, IncidentError> {
    let now = cx.clock.now();
    let known = histories.get(&tenant).cloned();
    let failed = cx
        .db
        .read(move |tx| Failed::load(tx, tenant, run, (known.clone(), now)))
        .await?;
    let Some(failed) = failed else {
        return Ok(Made::default());
    };
    histories.insert(tenant, Arc::clone(&failed.history));
    let decided = failed.decide();
    if !decided.opening.opens && decided.draft.is_none() {
        return Ok(Made::default());
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
    /// The Policy Rules that stopped it.
    stopped_by: Vec<Fired>,
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
        let stopped_by = store::enforcements::that_stopped(tx, tenant, run.id)?;
        Ok(Some(Self {
            run,
            signature,
            stopped_by: stopped_by
                .into_iter()
                .map(|(_, rule_type, stage)| Fired { rule_type, stage })
                .collect(),
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

pub(super) fn has_failed(run: &Run) -> bool {
    matches!(run.status, RunStatus::Failed | RunStatus::Crashed)
}

/// Writes down what was decided, unless that was done before or a Policy Rule has prevented it.
fn commit(
    tx: &mut WriteTx<'_>,
    ids: &dyn IdGenerator,
    failed: &Failed,
    decided: &Decided,
    now: Timestamp,
) -> Result<Made, IncidentError> {
    let run = &failed.run;
    if store::preventions::is_recorded(tx, run.tenant, run.id)? {
        return Ok(Made::default());
    }
    let author = Author {
        actor: Actor::SYSTEM,
        correlation_id: run.correlation_id.clone(),
    };
    let (mut made, mut led_to) = (Made::default(), None);
    if decided.opening.opens {
        if store::incidents::led_to(tx, run.tenant, run.id)?.is_some() {
            return Ok(made);
        }
        led_to = Some(notice(
            tx,
            ids,
            &author,
            (failed, &decided.opening, &mut made),
            now,
        )?);
    }
    let cause = Cause {
        tenant: run.tenant,
        run: Some(run.id),
        incident: led_to.as_ref().and_then(|(incident, _)| *incident),
    };
    if let Some(draft) = &decided.draft {
        made.proposed = proposals::propose(tx, ids, &author, (cause, draft), now)?.is_some();
    }
    if led_to.is_some() || made.proposed {
        let promoted = led_to.as_ref().map(|(_, promoted)| promoted);
        let decisions = [snapshot(ids, failed, (decided, promoted), now)];
        store::decisions::insert(tx, &decisions)?;
    }
    Ok(made)
}

/// Opens the Incident of a failure, or adds it to the one that is about the same and going on; none if the gate rejects it.
fn notice(
    tx: &mut WriteTx<'_>,
    ids: &dyn IdGenerator,
    author: &Author,
    (failed, opening, made): (&Failed, &Opening, &mut Made),
    now: Timestamp,
) -> Result<(Option<IncidentId>, Promoted), IncidentError> {
    let run = &failed.run;
    let creation = creation(failed, opening);
    let fingerprint = creation.fingerprint.as_deref().unwrap_or_default();
    let same = store::incidents::same(tx, run.tenant, fingerprint)?;
    let incident = same.as_ref().map_or(opening.incident, |same| same.incident.id);
    let active = again::let_through(same.as_ref());
    let promoted = promote(tx, failed, (incident, active), now)?;
    made.counted = promoted.counted;
    let (promotion, mut exists) = (promoted.promotion(), true);
    if let Some(same) = &same {
        let again = Occurrence {
            signal_id: run.id.to_string(),
            checksum: None,
            run: Some(run.id),
            signature: Some(opening.signature),
            cost: creation.cost,
        };
        made.opened = again::attach(tx, ids, author, (same, again, promotion), now)?;
        made.again = true;
    } else {
        let opened = super::open(tx, ids, author, (run.tenant, creation, promotion), now)?;
        made.opened = opened == Opened::Open;
        exists = opened != Opened::Refused;
    }
    Ok((exists.then_some(incident), promoted))
}

/// What the pipeline makes of the failure, from signal to decision.
fn promote(
    tx: &mut impl Writes,
    failed: &Failed,
    (incident, active): (IncidentId, Option<IncidentId>),
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
        naming: pipeline::Naming::Given { incident, active },
        authority: AuthorityContext::engine(ENGINE, now),
        request_id: failed.run.correlation_id.clone(),
    };
    let noticed = pipeline::notice(tx, asked.tenant, &draft, now)?;
    pipeline::decide(tx, &noticed, &asked, now)
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
        attribution: attribute(&Facts {
            failure: Some(&failed.signature.failure),
            fired: &failed.stopped_by,
            ..Facts::of_category(opening.category)
        }),
        service: service(run),
        title: opening.title.clone(),
        description: String::new(),
        tags: Vec::new(),
        run: Some(run.id),
        error_code: Some(failed.signature.failure.error_class.clone()),
        signature: Some(failed.signature.clone()),
        fingerprint: Some(format!("failed-run {}", opening.family)),
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
