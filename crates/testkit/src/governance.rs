//! Which Policy Rules and Incidents does a test begin with?
//!
//! They are written straight into the database: a test of what is shown needs none of the services that make them.

use model::digest::Digest;
use model::id::{EnforcementId, IncidentId, PreventionId, RuleId, RunId, SignatureId, TenantId};
use model::incident::{
    Acknowledgement, CauseType, Incident, IncidentCategory, IncidentLifecycle, Resolution, ResolutionMethod,
};
use model::money::NanoUsd;
use model::permille::Permille;
use model::policy::{
    Definition, Enforcement, EnforcementAction, EnforcementMode, OnStream, Prevention, PreventionOutcome,
    Rule, RuleScope, RuleSource, RuleStatus, RuleType, Stage,
};
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

/// An ACTIVE Incident of a tenant's run, of severity high.
pub fn incident(tenant: TenantId, number: u128, at: Timestamp) -> Incident {
    Incident {
        id: IncidentId::derive(tenant, &number.to_string()),
        tenant,
        lifecycle: IncidentLifecycle::Active,
        severity: Severity::Sev2,
        category: IncidentCategory::ExecutionFailure,
        title: format!("Execution Timeout {number}"),
        cause_type: CauseType::LlmRun,
        run: Some(RunId::from_bits(number)),
        error_code: Some("upstream_timeout".to_owned()),
        signature: None,
        cost: NanoUsd(0),
        acknowledgement: None,
        resolution: None,
        correlation_id: "req_test".to_owned(),
        created_at: at,
        updated_at: at,
    }
}

/// The same Incident when somebody has seen to it.
#[must_use]
pub fn acknowledged(incident: Incident, at: Timestamp) -> Incident {
    Incident {
        lifecycle: IncidentLifecycle::Acked,
        acknowledgement: Some(Acknowledgement {
            by: "key_1".to_owned(),
            at,
        }),
        ..incident
    }
}

/// The same Incident when it is over.
#[must_use]
pub fn resolved(incident: Incident, at: Timestamp) -> Incident {
    Incident {
        lifecycle: IncidentLifecycle::Resolved,
        resolution: Some(Resolution {
            by: "key_1".to_owned(),
            at,
            method: ResolutionMethod::Manual,
            notes: None,
        }),
        ..incident
    }
}

/// Adds Incidents as they are.
pub async fn add_incidents(db: &Db, incidents: Vec<Incident>) {
    let added = db.write(move |tx| {
        incidents
            .iter()
            .try_for_each(|incident| store::incidents::insert(tx, incident))
    });
    added
        .await
        .unwrap_or_else(|error| panic!("no Incidents: {error:?}"));
}

/// Writes down that a rule of a tenant, born of an Incident, kept a run from failing, which would have cost so many
/// nano-USD.
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
        original_incident: incident,
        blocked_run: run,
        outcome: PreventionOutcome::Prevented,
        confidence: Permille::new(700),
        estimated_saving: NanoUsd(saving),
        at,
    };
    let added = db.write(move |tx| store::preventions::insert(tx, &record));
    added
        .await
        .unwrap_or_else(|error| panic!("no prevention: {error:?}"));
}
