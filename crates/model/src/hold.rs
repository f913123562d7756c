//! What is a hold, and how may it end?
//!
//! A hold sets amounts aside on every limit that matches a request, before the request spends. It ends
//! exactly once: settled with what was really used, released, or expired by itself.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::amounts::Amounts;
use crate::id::{DecisionId, HoldId, KeyId, LimitId, RunId, TenantId};
use crate::limit::LimitType;
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// Where a hold stands.
    HoldStatus {
        /// Open: its amounts count as held.
        Pending,
        /// Ended: what was used counts as settled.
        Settled,
        /// Ended: nothing was used.
        Released,
        /// Ended by time: nobody said what was used.
        Expired,
    }
}

/// What a hold has set aside on one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HoldItem {
    /// Who owns the limit: the tenant of the hold, or the platform for GLOBAL limits.
    #[serde(rename = "t")]
    pub owner: TenantId,
    /// Which limit.
    #[serde(rename = "l")]
    pub limit: LimitId,
    /// What the limit counts, so that the hold can be settled whatever became of the limit.
    #[serde(rename = "k")]
    pub counts: LimitType,
    /// The start of the window in which it was taken, in microseconds; it stays there when windows roll.
    #[serde(rename = "w")]
    pub window_start: i64,
    /// How much, in the unit of the limit.
    #[serde(rename = "a")]
    pub amount: i64,
    /// How much of it was used, once settled.
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    pub settled: i64,
    /// Whether nobody used this: it tells a counter what other windows have counted since the counter's own began
    /// (the window of the limit was changed).
    #[serde(rename = "c", default, skip_serializing_if = "is_false")]
    pub carried: bool,
}

impl HoldItem {
    /// The start of the window in which it counts as long as it is not settled: the one in which it was taken, unless
    /// that one was moved, when the limit got another window, to one (`moved_to`) that had begun before it was taken.
    pub fn counts_in(&self, taken_at: Timestamp, moved_to: Option<i64>) -> i64 {
        moved_to
            .filter(|start| *start <= taken_at.as_micros())
            .unwrap_or(self.window_start)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(amount: &i64) -> bool {
    *amount == 0
}

/// Who and what a request is for: what limits match on and what its cost is attributed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Subject {
    /// The key that made the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_id: Option<KeyId>,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// The product feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// The conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The customer's own user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_user: Option<String>,
    /// The provider, in the words of OpenTelemetry's `gen_ai.provider.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// A hold as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Whose limits it is on.
    pub tenant: TenantId,
    /// Where it stands.
    pub status: HoldStatus,
    /// The decision that allowed it.
    pub decision: DecisionId,
    /// The LLM Run it is for, if there is one.
    pub run: Option<RunId>,
    /// Who and what it is for; runs and costs that it explains share it.
    pub subject: Arc<Subject>,
    /// What was asked for.
    pub requested: Amounts,
    /// What was used, once settled.
    pub settled: Option<Amounts>,
    /// What it set aside, per limit.
    pub items: Vec<HoldItem>,
    /// When it was taken.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}
