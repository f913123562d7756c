//! How does somebody report an Incident?
//!
//! It comes to be PENDING; the gate is asked in the same transaction, and the answer shows what it said.

use domain::attribution::{Facts, attribute};
use domain::pipeline::signals::own;
use model::authority::{AuthorityContext, AuthorityType};
use model::id::{IncidentId, RunId, TenantId};
use model::incident::{
    CauseType, Change, Creation, EdgeError, Incident, IncidentCategory, IncidentSource, IncidentState,
    Refusal, StepOf, Transition,
};
use model::money::NanoUsd;
use model::principal::PrincipalAction;
use model::promotion::Verdict;
use model::severity::Severity;
use model::signal::TITLE_MAX;
use model::text::is_hidden;
use model::time::Timestamp;
use store::{Tx, Writes};

use super::pipeline::{self, Asked};
use super::{ENGINE, IncidentError, record};
use crate::audit::Author;
use crate::context::Context;
use crate::ledger::Replay;
use crate::measure;
use crate::once::{Done, Once, Render};
use crate::principals::{Signed, Toll};

/// What somebody reports.
#[derive(Debug, Clone)]
pub struct Report {
    /// The service that it happened to.
    pub service: String,
    /// How bad it is.
    pub severity: Severity,
    /// What people read first.
    pub title: String,
    /// What else they should know.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The LLM Run that it is about.
    pub llm_run: Option<RunId>,
    /// The body of the request, as it came.
    pub body: String,
}

/// Who reports it, and in which request.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// Whose Incident it is.
    pub tenant: TenantId,
    /// Who, as the audit ledger says it.
    pub author: Author,
    /// By what authority.
    pub authority: AuthorityContext,
    /// The signature of the request, which is used up by it.
    pub signed: Signed,
    /// The idempotency key: what the id of the Incident follows from.
    pub once: Once,
    /// Whether the request carries the key; else it follows from who sends what.
    pub is_keyed: bool,
}

impl Reporter {
    /// The answer to somebody who sent the same signature with the same key at the same instant and was faster.
    fn answered_meanwhile(&self, tx: &mut impl Tx) -> Result<Option<Replay>, IncidentError> {
        let keyed = self.is_keyed.then_some(&self.once);
        Ok(keyed.map(|once| once.before(tx)).transpose()?.flatten())
    }
}

/// What the signal is called: a line of what can be seen of the title. The Incident keeps all of it.
fn line(title: &str) -> String {
    let seen = title.chars().map(|one| if is_hidden(one) { ' ' } else { one });
    // First what is seen, and of that the beginning: a title may begin with more blanks than a line has characters.
    let seen = seen.skip_while(|one| one.is_whitespace());
    seen.take(TITLE_MAX).collect::<String>().trim_end().to_owned()
}

/// Reports an Incident. The same request again gets the same answer, and makes nothing.
///
/// # Errors
/// [`IncidentError`].
pub async fn report_incident(
    cx: &Context,
    reporter: Reporter,
    report: Report,
    render: Render<Incident>,
) -> Result<Done<Incident>, IncidentError> {
    let (clock, ids) = (cx.clock.clone(), cx.ids.clone());
    let by = reporter.authority.authority_type;
    let toll = Toll::of(cx, &reporter.signed, PrincipalAction::Create, by);
    let done = cx
        .db
        .write(move |tx| -> Result<Done<Incident>, IncidentError> {
            // A key is answered for ever; without one, a request that is sent again as it was is refused as such.
            if reporter.is_keyed
                && let Some(before) = reporter.once.before(tx)?
            {
                return Ok(Done::Before(before));
            }
            if let Err(error) = reporter.signed.spend(tx) {
                let before = reporter.answered_meanwhile(tx)?;
                return before.map(Done::Before).ok_or(error.into());
            }
            if let Some(before) = reporter.once.before(tx)? {
                return Ok(Done::Before(before));
            }
            may_report(tx, &reporter, &report)?;
            let now = clock.now();
            let happened = happens(tx, &reporter, &report, now)?;
            toll.pay()?;
            let made = happened[1].after().clone();
            record(tx, ids.as_ref(), &reporter.author, None, &happened)?;
            let body = render(&made);
            reporter.once.record(tx, 201, &body, now)?;
            Ok(Done::Now(made, body))
        })
        .await?;
    if matches!(done, Done::Now(..)) {
        measure::done_by(by, "report");
    }
    Ok(done)
}

/// That it comes to be, and what the gate says of it.
fn happens(
    tx: &mut impl Writes,
    reporter: &Reporter,
    report: &Report,
    now: Timestamp,
) -> Result<[Transition; 2], IncidentError> {
    let (key, authority) = (&reporter.once.key, &reporter.authority);
    let creation = creation(report, key, &reporter.author.correlation_id);
    let step = |authority: AuthorityContext| StepOf {
        authority,
        at: now,
        request_id: reporter.author.correlation_id.clone(),
        idempotency_key: Some(key.clone()),
    };
    let asked = Asked {
        tenant: reporter.tenant,
        naming: pipeline::Naming::Given {
            incident: IncidentId::derive(reporter.tenant, &creation.identity),
            active: None,
        },
        authority: authority.clone(),
        request_id: reporter.author.correlation_id.clone(),
    };
    let title = line(&report.title);
    let draft = own::manual_report(&own::Report {
        idempotency_key: key,
        service: &report.service,
        severity: report.severity,
        title: &title,
        reported_by: &authority.authority_id,
        reported_at: now,
        body: &report.body,
    });
    let noticed = pipeline::notice(tx, reporter.tenant, &draft, now)?;
    let promotion = pipeline::decide(tx, &noticed, &asked, now)?.promotion();
    let first = Transition::create(reporter.tenant, creation, step(authority.clone()))?;
    let decided = if promotion.verdict == Verdict::Promote {
        Change::Opened(promotion)
    } else {
        Change::NotPromoted(promotion)
    };
    let engine = step(AuthorityContext::engine(ENGINE, now));
    let second = Transition::of(&first.standing(), engine.with(decided))?;
    Ok([first, second])
}

/// Whether somebody may report this, and says why where that has to be said.
fn may_report(tx: &mut impl Tx, reporter: &Reporter, report: &Report) -> Result<(), IncidentError> {
    let by = reporter.authority.authority_type;
    if !by.is_human() {
        // The product opens Incidents from facts, not from requests.
        let refused = EdgeError::Unauthorized {
            by,
            to: IncidentState::Pending,
            severity: report.severity,
            required: AuthorityType::HumanOperator,
        };
        return Err(Refusal::Edge(refused).into());
    }
    match report.llm_run {
        Some(run) if store::runs::find(tx, reporter.tenant, run)?.is_none() => Err(IncidentError::UnknownRun),
        _ => Ok(()),
    }
}

fn creation(report: &Report, key: &str, correlation_id: &str) -> Creation {
    Creation {
        identity: format!("manual {key}"),
        source: IncidentSource::Manual,
        severity: report.severity,
        category: IncidentCategory::Manual,
        cause_type: if report.llm_run.is_some() {
            CauseType::LlmRun
        } else {
            CauseType::Human
        },
        service: report.service.clone(),
        title: report.title.clone(),
        description: report.description.clone(),
        tags: report.tags.clone(),
        run: report.llm_run,
        error_code: None,
        signature: None,
        fingerprint: None,
        cost: NanoUsd::ZERO,
        attribution: attribute(&Facts::of_category(IncidentCategory::Manual)),
        correlation_id: correlation_id.to_owned(),
    }
}
