//! What is written down when a tenant or an operator comes, changes or goes?

use model::audit::{AuditEvent, EntityType};
use model::id::{OperatorId, TenantId};
use model::tenant::{FreezeState, Operator, Tenant};
use model::timeline::SourceDomain;
use serde_json::{Value, json};

use crate::audit::Changed;

pub(super) fn created(tenant: &Tenant) -> Changed {
    let what = (AuditEvent::TenantCreated, "tenant_created");
    changed(
        tenant,
        what,
        format!("The tenant {} was made.", tenant.name),
        None,
    )
}

/// What happened to a tenant; none if it is as it was.
pub(super) fn change(before: &Tenant, after: &Tenant) -> Option<Changed> {
    if before == after {
        return None;
    }
    let name = &after.name;
    let (event, word, summary) = if before.floor_price != after.floor_price {
        let price = after
            .floor_price
            .map_or_else(|| "nothing any more".to_owned(), |price| price.to_string());
        (
            AuditEvent::TenantFloorPriceChanged,
            "tenant_floor_price_changed",
            format!("A token of a model without a price counts as {price}."),
        )
    } else if before.two_person_review != after.two_person_review {
        let persons = if after.two_person_review {
            "two persons"
        } else {
            "one person"
        };
        (
            AuditEvent::TenantReviewChanged,
            "tenant_review_changed",
            format!("A Policy Rule of the tenant {name} takes {persons} from now on."),
        )
    } else if after.state == FreezeState::Frozen {
        let summary = format!("All traffic of the tenant {name} was stopped.");
        (AuditEvent::EmergencyOverrideActivated, "tenant_frozen", summary)
    } else {
        let summary = format!("The traffic of the tenant {name} flows again.");
        (
            AuditEvent::EmergencyOverrideDeactivated,
            "tenant_unfrozen",
            summary,
        )
    };
    Some(changed(after, (event, word), summary, Some(shown(before))))
}

fn changed(
    tenant: &Tenant,
    (event, event_type): (AuditEvent, &'static str),
    summary: String,
    before: Option<Value>,
) -> Changed {
    Changed {
        tenant: tenant.id,
        event,
        entity_type: EntityType::Tenant,
        entity_id: tenant.id.to_string(),
        reason: tenant.freeze_reason.clone(),
        before,
        after: Some(shown(tenant)),
        source: SourceDomain::Connectivity,
        event_type,
        summary,
        related: json!({}),
    }
}

fn shown(tenant: &Tenant) -> Value {
    json!({
        "name": tenant.name,
        "status": tenant.state.as_str(),
        "freeze_reason": tenant.freeze_reason,
        "floor_price_nano_usd": tenant.floor_price.map(|price| price.0.to_string()),
        "two_person_review": tenant.two_person_review,
    })
}

pub(super) fn operator_created(operator: &Operator) -> Changed {
    let summary = format!("The operator {} was made.", operator.name);
    let after = json!({ "name": operator.name });
    let what = (AuditEvent::OperatorCreated, "operator_created");
    of_operator(operator.id, what, summary, Some(after))
}

pub(super) fn operator_revoked(id: OperatorId) -> Changed {
    let summary = format!("The operator {id} was revoked.");
    let what = (AuditEvent::OperatorRevoked, "operator_revoked");
    of_operator(id, what, summary, None)
}

/// Operators belong to the installation, and so does what is written of them.
fn of_operator(
    id: OperatorId,
    (event, event_type): (AuditEvent, &'static str),
    summary: String,
    after: Option<Value>,
) -> Changed {
    Changed {
        tenant: TenantId::PLATFORM,
        event,
        entity_type: EntityType::Operator,
        entity_id: id.to_string(),
        reason: None,
        before: None,
        after,
        source: SourceDomain::Connectivity,
        event_type,
        summary,
        related: json!({}),
    }
}
