//! What is known of a limit that was passed and let pass, until it is asked whether that is new?

use model::audit::AuditEntry;
use model::breach::Breach;
use model::hold::Hold;
use model::id::{DecisionId, RunId, TenantId};
use model::time::Timestamp;

use super::command::EndCommand;

/// What it was that hit a limit.
pub(super) struct Hit<'a> {
    pub(super) tenant: TenantId,
    pub(super) run: Option<RunId>,
    pub(super) decision: DecisionId,
    pub(super) correlation_id: &'a str,
}

impl<'a> Hit<'a> {
    /// The LLM Run that ends.
    pub(super) fn of(hold: &Hold, command: &'a EndCommand) -> Self {
        Self {
            tenant: hold.tenant,
            run: hold.run,
            decision: hold.decision,
            correlation_id: command.correlation_id(),
        }
    }
}

/// A breach for the audit ledger, unless it has one since then.
pub(super) struct Audited {
    pub(super) since: Timestamp,
    pub(super) entry: AuditEntry,
}

/// A breach that is recorded unless one was since then.
pub(super) struct Passing {
    pub(super) breach: Breach,
    /// When the window of the calendar began in which it counts; 0 for what has none.
    pub(super) window: Timestamp,
    pub(super) since: Timestamp,
    /// What is noted as the time of the breach: in the window that it belongs to, which may be over.
    pub(super) noted_at: Timestamp,
    /// Whether an alert fires with it.
    pub(super) alert: bool,
    pub(super) correlation_id: String,
}
