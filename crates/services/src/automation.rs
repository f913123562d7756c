//! May the product open Incidents by itself?
//!
//! Automatic promotion is switched off for one tenant or for all of them. What was noticed meanwhile is kept: it waits as a
//! PENDING Incident for a person. Nothing that people do is touched.

use domain::pipeline::gate::Automation;
use model::audit::{AuditEvent, EntityType};
use model::authority::{AuthorityContext, AuthorityType};
use model::automation::{AutomationScope, AutomationSwitch, AutomationSwitches};
use model::id::{IdGenerator, TenantId};
use model::principal::PrincipalAction;
use model::time::Timestamp;
use model::timeline::SourceDomain;
use serde_json::json;
use store::{StoreError, StoreResult, Tx, TxError, Writes};

use crate::audit::{self, Author, Changed};
use crate::context::Context;
use crate::identity::TooOften;
use crate::measure;
use crate::once::{Done, Once, OnceError, Render};
use crate::principals::{Signed, SpendError, Toll, answered_or_spent};

/// Why automatic promotion cannot be switched.
#[derive(Debug, thiserror::Error)]
pub enum AutomationError {
    /// Only who breaks the glass may.
    #[error("{} may not switch automatic promotion", .0.as_str())]
    Authority(AuthorityType),
    /// The switch of all tenants is for principals of the installation.
    #[error("the switch of all tenants is not for a principal of one tenant")]
    Scope,
    /// A principal of the installation has no tenant of its own, and says that it means all of them.
    #[error("a principal of the installation has no tenant of its own")]
    NoTenant,
    /// The signature of the request cannot be used.
    #[error(transparent)]
    Spent(#[from] SpendError),
    /// The idempotency key cannot be used.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// Whoever asks has asked too often.
    #[error(transparent)]
    TooOften(#[from] TooOften),
    /// The database failed.
    #[error("the switch could not be read or written")]
    Store(#[from] StoreError),
}

impl TxError for AutomationError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error)
            | Self::Once(OnceError::Store(error))
            | Self::Spent(SpendError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

/// What the gate is told of it. Where the switches cannot be read nothing is decided at all.
///
/// # Errors
/// What the database says.
pub(crate) fn known(tx: &mut impl Tx, tenant: TenantId) -> StoreResult<Automation> {
    let switches = store::automation::switches(tx, tenant)?;
    Ok(if switches.is_paused() {
        Automation::Paused
    } else {
        Automation::Running
    })
}

/// How the switches stand that count for a tenant.
///
/// # Errors
/// What the database says.
pub async fn status(cx: &Context, tenant: TenantId) -> Result<AutomationSwitches, StoreError> {
    cx.db
        .read(move |tx| store::automation::switches(tx, tenant))
        .await
}

/// Who switches, and in which request.
#[derive(Debug, Clone)]
pub struct Switcher {
    /// Who, as the audit ledger says it.
    pub author: Author,
    /// By what authority; it says why.
    pub authority: AuthorityContext,
    /// The signature of the request, which is used up by it.
    pub signed: Signed,
    /// The idempotency key, if the request has one.
    pub once: Option<Once>,
}

/// Switches automatic promotion off or on, and says how the switches stand then. It counts from the next decision on, on
/// every node. What is as it is to be stays as it is.
///
/// # Errors
/// [`AutomationError`].
pub async fn switch(
    cx: &Context,
    by: Switcher,
    (scope, is_paused): (AutomationScope, bool),
    render: Render<AutomationSwitches>,
) -> Result<Done<AutomationSwitches>, AutomationError> {
    let (clock, ids) = (cx.clock.clone(), cx.ids.clone());
    let (own, claimed) = (by.signed.tenant_id(), by.authority.authority_type);
    let toll = Toll::of(cx, &by.signed, PrincipalAction::Transition, claimed);
    let (done, is_switched) = cx
        .db
        .write(
            move |tx| -> Result<(Done<AutomationSwitches>, bool), AutomationError> {
                let before = answered_or_spent::<AutomationError>(tx, by.once.as_ref(), Some(&by.signed))?;
                if let Some(before) = before {
                    return Ok((Done::Before(before), false));
                }
                if claimed != AuthorityType::EmergencyOverride {
                    return Err(AutomationError::Authority(claimed));
                }
                let owner = match scope {
                    AutomationScope::Tenant if own == TenantId::PLATFORM => {
                        return Err(AutomationError::NoTenant);
                    }
                    AutomationScope::Tenant => own,
                    AutomationScope::Global if own == TenantId::PLATFORM => own,
                    AutomationScope::Global => return Err(AutomationError::Scope),
                };
                toll.pay()?;
                let now = clock.now();
                let known = store::automation::switches(tx, owner)?;
                let known = if owner == TenantId::PLATFORM {
                    known.global
                } else {
                    known.tenant
                };
                let is_switched = known.as_ref().is_some_and(|known| known.is_paused) != is_paused;
                if is_switched {
                    let switch = AutomationSwitch {
                        tenant: owner,
                        is_paused,
                        reason: by.authority.justification.clone().unwrap_or_default(),
                        changed_by: by.authority.authority_id.clone(),
                        changed_at: now,
                    };
                    store::automation::switch(tx, &switch)?;
                    told(tx, ids.as_ref(), &by.author, known.as_ref(), &switch, now)?;
                }
                let stands = store::automation::switches(tx, own)?;
                let body = render(&stands);
                if let Some(once) = &by.once {
                    once.record(tx, 200, &body, now)?;
                }
                Ok((Done::Now(stands, body), is_switched))
            },
        )
        .await?;
    if is_switched {
        measure::done_by(claimed, "kill-switch");
    }
    Ok(done)
}

fn told(
    tx: &mut impl Writes,
    ids: &dyn IdGenerator,
    author: &Author,
    before: Option<&AutomationSwitch>,
    switch: &AutomationSwitch,
    now: Timestamp,
) -> StoreResult<()> {
    let (event, event_type, word) = if switch.is_paused {
        (AuditEvent::AutomationPaused, "automation_paused", "off")
    } else {
        (AuditEvent::AutomationResumed, "automation_resumed", "on again")
    };
    let shown = |of: &AutomationSwitch| json!({ "paused": of.is_paused });
    let changed = Changed {
        tenant: switch.tenant,
        event,
        entity_type: EntityType::Automation,
        entity_id: "automatic-promotion".to_owned(),
        reason: Some(switch.reason.clone()),
        before: Some(before.map_or_else(|| json!({ "paused": false }), shown)),
        after: Some(shown(switch)),
        source: SourceDomain::Incidents,
        event_type,
        summary: format!("The automatic promotion of Incidents was switched {word}."),
        related: json!({}),
    };
    audit::record(tx, ids, author, changed, now)
}
