//! Which Policy Rules and Incidents does a test begin with?
//!
//! They are written straight into the database: a test of what is shown needs none of the services that make them.

use model::authority::{AuthorityContext, AuthorityType};
use model::digest::Digest;
use model::id::{EnforcementId, IncidentId, PreventionId, RuleId, RunId, SignatureId, TenantId};
use model::incident::{
    Attributed, Attribution, CauseType, Change as Happening, Creation, Incident, IncidentCategory,
    IncidentSource, Links, Promotion, ResolutionMethod, ResolutionType, Resolving, Step, StepOf, Transition,
};
use model::money::NanoUsd;
use model::permille::Permille;
use model::policy::{
    Definition, Enforcement, EnforcementAction, EnforcementMode, OnStream, Prevention, PreventionOutcome,
    Rule, RuleScope, RuleSource, RuleStatus, RuleType, Stage,
};
use model::promotion::Verdict;
use model::severity::Severity;
use model::time::Timestamp;
use store::Db;
use store::policy_rules::Change;

/// An ACTIVE rule of a tenant that blocks a model.
pub fn rule(tenant: TenantId, number: u128, at: Timestamp) -> Rule {
    let mut made = Rule {
        id: RuleId::from_bits(number),
        tenant,
        version: 1,
        definition: Definition {
            name: format!("rule {number}"),
            description: Some("keeps out what failed".to_owned()),
            rule_type: RuleType::Condition,
            stage: Stage::Input,
            condition: Some(format!("run.model == 'model-{number}'")),
            min_confidence: Permille::new(600),
            scope: RuleScope::Tenant,
            scope_id: None,
            mode: EnforcementMode::Block,
            on_stream: OnStream::Block,
        },
        status: RuleStatus::Active,
        hash: Digest::ZERO,
        source: RuleSource::Manual,
        source_proposal: None,
        source_incident: None,
        source_run: None,
        parent: None,
        created_by: None,
        retirement: None,
        created_at: at,
        updated_at: at,
    };
    made.hash = made.hash_after(Digest::ZERO);
    made
}

/// Adds rules as they are.
pub async fn add_rules(db: &Db, rules: Vec<Rule>) {
    let added = db.write(move |tx| {
        let nobody = Change {
            by: None,
            reason: None,
        };
        rules
            .iter()
            .try_for_each(|rule| store::policy_rules::insert(tx, rule, nobody))
    });
    added.await.unwrap_or_else(|error| panic!("no rules: {error:?}"));
}

/// Writes down that a tenant's rule refused something at each of these times. Ids count from `number` on.
pub async fn trigger(db: &Db, rule: Rule, number: u128, times: Vec<Timestamp>) {
    let done: Vec<Enforcement> = (number..)
        .zip(times)
        .map(|(number, at)| Enforcement {
            id: EnforcementId::from_bits(number),
            tenant: rule.tenant,
            rule_owner: rule.tenant,
            rule: rule.id,
            rule_version: rule.version,
            run: None,
            decision: None,
            action: EnforcementAction::Blocked,
            stage: Stage::Input,
            details: "{}".to_owned(),
            at,
        })
        .collect();
    let added = db.write(move |tx| store::enforcements::insert(tx, &done));
    added
        .await
        .unwrap_or_else(|error| panic!("no enforcements: {error:?}"));
}

/// An Incident as tests need it: opened, and perhaps seen or over.
#[derive(Debug, Clone)]
pub struct TestIncident {
    /// Whose.
    pub tenant: TenantId,
    /// What it is.
    pub creation: Creation,
    /// When it was opened.
    pub at: Timestamp,
    /// When it was seen.
    pub seen_at: Option<Timestamp>,
    /// When it was resolved.
    pub over_at: Option<Timestamp>,
}

impl TestIncident {
    /// Its id.
    pub fn id(&self) -> IncidentId {
        IncidentId::derive(self.tenant, &self.creation.identity)
    }

    /// What has happened to it, through the machine.
    pub fn history(&self) -> Vec<Transition> {
        let step = |change, by, at| Step {
            change,
            authority: AuthorityContext {
                authority_type: by,
                ..AuthorityContext::engine("key_1", at)
            },
            reason: None,
            at,
            request_id: "req_test".to_owned(),
            idempotency_key: None,
        };
        let first = Transition::create(
            self.tenant,
            self.creation.clone(),
            StepOf {
                authority: AuthorityContext::engine("incidents", self.at),
                at: self.at,
                request_id: "req_test".to_owned(),
                idempotency_key: None,
            },
        );
        let mut history = vec![first.unwrap_or_else(|refusal| panic!("{refusal}"))];
        let human = AuthorityType::OnCallSre;
        let mut wanted = vec![step(opened(), AuthorityType::AutoEngine, self.at)];
        wanted.extend(self.seen_at.map(|at| step(Happening::Acknowledged, human, at)));
        if let Some(at) = self.over_at {
            wanted.push(step(Happening::Mitigating(Links::default()), human, at));
            wanted.push(step(resolving(), human, at));
        }
        for step in wanted {
            let standing = history.last().map(Transition::standing);
            let standing = standing.unwrap_or_else(|| panic!("it was created"));
            let next = Transition::of(&standing, step).unwrap_or_else(|refusal| panic!("{refusal}"));
            history.push(next);
        }
        history
    }

    /// What it is after all of that.
    pub fn incident(&self) -> Incident {
        let history = self.history();
        let last = history.last().map(|last| last.after().clone());
        last.unwrap_or_else(|| panic!("it was created"))
    }
}

fn opened() -> Happening {
    Happening::Opened(Promotion {
        verdict: Verdict::Promote,
        reason: "All policy conditions satisfied".to_owned(),
        decision_id: "0".repeat(64),
        policy_id: "failed-runs".to_owned(),
        policy_version: "1.0.0".to_owned(),
        candidate_id: None,
        evidence_id: None,
        confidence_micro: None,
        detection_count: None,
        promoted_by: None,
    })
}

fn resolving() -> Happening {
    Happening::Resolved(Resolving {
        summary: "Resolved in a test, which needs a reason".to_owned(),
        resolution_type: ResolutionType::Fixed,
        method: ResolutionMethod::Manual,
        links: Links::default(),
    })
}

/// An ACTIVE Incident of a tenant, of severity high. It names no LLM Run: one that it names has to be on record.
pub fn incident(tenant: TenantId, number: u128, at: Timestamp) -> TestIncident {
    TestIncident {
        tenant,
        creation: Creation {
            identity: number.to_string(),
            source: IncidentSource::Promotion,
            severity: Severity::Sev2,
            category: IncidentCategory::ExecutionFailure,
            cause_type: CauseType::LlmRun,
            attribution: Attributed {
                to: Attribution::InfraTimeout,
                rule: "llm-timeout-or-5xx".to_owned(),
                rule_version: 1,
            },
            service: "llm".to_owned(),
            title: format!("Execution Timeout {number}"),
            description: String::new(),
            tags: Vec::new(),
            run: None,
            error_code: Some("upstream_timeout".to_owned()),
            signature: None,
            fingerprint: None,
            cost: NanoUsd(0),
            correlation_id: "req_test".to_owned(),
        },
        at,
        seen_at: None,
        over_at: None,
    }
}

/// The same Incident when somebody has seen to it.
#[must_use]
pub fn acknowledged(incident: TestIncident, at: Timestamp) -> TestIncident {
    TestIncident {
        seen_at: Some(at),
        ..incident
    }
}

/// The same Incident when it is over.
#[must_use]
pub fn resolved(incident: TestIncident, at: Timestamp) -> TestIncident {
    TestIncident {
        over_at: Some(at),
        ..incident
    }
}

/// Adds Incidents as they are.
pub async fn add_incidents(db: &Db, incidents: Vec<TestIncident>) {
    let added = db.write(move |tx| {
        incidents
            .iter()
            .try_for_each(|incident| store::incidents::append(tx, &incident.history()))
    });
    added
        .await
        .unwrap_or_else(|error| panic!("no Incidents: {error:?}"));
}

/// Writes down that a rule of a tenant, born of an Incident, kept a run from failing, which would have cost so many
/// nano-USD. The run is on record afterwards.
pub async fn prevent(
    db: &Db,
    (tenant, rule, incident): (TenantId, RuleId, IncidentId),
    (id, run): (PreventionId, RunId),
    saving: i64,
    at: Timestamp,
) {
    let record = Prevention {
        id,
        tenant,
        rule,
        rule_version: 1,
        signature: SignatureId::of(Digest::ZERO),
        original_incident: Some(incident),
        blocked_run: run,
        outcome: PreventionOutcome::Prevented,
        confidence: Permille::new(700),
        estimated_saving: NanoUsd(saving),
        at,
    };
    let kept = crate::history::stand_in(tenant, run, at);
    let added = db.write(move |tx| {
        if store::runs::find(tx, tenant, run)?.is_none() {
            store::runs::insert(tx, std::slice::from_ref(&kept))?;
        }
        store::preventions::insert(tx, &record)
    });
    added
        .await
        .unwrap_or_else(|error| panic!("no prevention: {error:?}"));
}
