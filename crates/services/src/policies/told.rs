//! What is written down of a change of a Policy Rule?

use model::audit::{AuditEvent, EntityType};
use model::policy::{Rule, RuleStatus};
use model::timeline::SourceDomain;
use serde_json::{Value, json};

use crate::audit::Changed;

/// What the audit ledger shows of a rule: everything that decides.
fn state(rule: &Rule) -> Value {
    let definition = &rule.definition;
    let retirement = rule.retirement.as_ref();
    json!({
        "version": rule.version,
        "hash": rule.hash,
        "name": definition.name,
        "description": definition.description,
        "rule_type": definition.rule_type,
        "stage": definition.stage,
        "condition": definition.condition,
        "min_confidence": definition.min_confidence.to_string(),
        "scope": definition.scope,
        "scope_id": definition.scope_id,
        "enforcement_mode": definition.mode,
        "on_stream": definition.on_stream,
        "status": rule.status,
        "source": rule.source,
        "source_proposal_id": rule.source_proposal,
        "superseded_by": retirement.and_then(|retirement| retirement.superseded_by),
    })
}

pub(super) fn created(rule: &Rule) -> Changed {
    Changed {
        after: Some(state(rule)),
        ..entry(rule, AuditEvent::PolicyRuleCreated, "rule_created", "was made")
    }
}

pub(super) fn changed(before: &Rule, after: &Rule, reason: Option<String>) -> Changed {
    let entry = match after.status {
        RuleStatus::Active => entry(
            after,
            AuditEvent::PolicyRuleModified,
            "rule_modified",
            "was changed",
        ),
        RuleStatus::Retired => entry(
            after,
            AuditEvent::PolicyRuleRetired,
            "rule_retired",
            "was retired",
        ),
    };
    Changed {
        reason,
        before: Some(state(before)),
        after: Some(state(after)),
        ..entry
    }
}

pub(super) fn entry(rule: &Rule, event: AuditEvent, word: &'static str, what: &str) -> Changed {
    Changed {
        tenant: rule.tenant,
        event,
        entity_type: EntityType::PolicyRule,
        entity_id: rule.id.to_string(),
        reason: None,
        before: None,
        after: None,
        source: SourceDomain::Policies,
        event_type: word,
        summary: format!("Policy Rule \u{201c}{}\u{201d} {what}", rule.definition.name),
        related: json!({
            "rule_id": rule.id,
            "incident_id": rule.source_incident,
            "run_id": rule.source_run,
        }),
    }
}
