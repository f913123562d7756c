//! What is a Limit?

mod canonical;
mod handling;
mod overrun;
mod raise;

use alloc::string::String;

use crate::amounts::Amounts;
use crate::id::{KeyId, LimitId, TenantId};
use crate::time::Timestamp;
use crate::window::WindowSpec;

pub(crate) use crate::wire::wire_enum;

pub use self::handling::{Consequence, Degrade, Handling};
pub use self::overrun::Overrun;
pub use self::raise::Raise;

wire_enum! {
    /// The three kinds of limits.
    LimitCategory {
        /// An amount per calendar period.
        Budget,
        /// An amount per rolling window.
        Rate,
        /// A bound on every single LLM Run.
        Threshold,
    }
}

wire_enum! {
    /// What a limit counts or bounds.
    LimitType {
        /// Money spent.
        CostUsd,
        /// Input and output tokens.
        TokensTotal,
        /// Input tokens.
        TokensInput,
        /// Output tokens.
        TokensOutput,
        /// Requests made.
        RequestsTotal,
        /// LLM Runs at one time: each counts while its hold is open, and then gives its place back.
        ConcurrentRuns,
        /// Requests in any second.
        RequestsPerSecond,
        /// Requests in any minute.
        RequestsPerMinute,
        /// Requests in any hour.
        RequestsPerHour,
        /// Tokens in any minute.
        TokensPerMinute,
        /// Tokens in any hour.
        TokensPerHour,
        /// Tokens of a single LLM Run.
        TokensPerRun,
        /// Money spent by a single LLM Run.
        CostUsdPerRun,
        /// Milliseconds to the first byte of an answer.
        LatencyMs,
        /// Milliseconds to the last byte of an answer.
        DurationMs,
        /// Upstream attempts beyond the first.
        RetryCount,
        /// Failed LLM Runs in percent.
        ErrorRatePct,
    }
}

wire_enum! {
    /// Whose requests a limit applies to.
    LimitScope {
        /// Everyone on the installation; set by operators only.
        Global,
        /// The whole tenant.
        Tenant,
        /// One project of the tenant.
        Project,
        /// One agent of the tenant.
        Agent,
        /// Requests to one provider.
        Provider,
    }
}

wire_enum! {
    /// What happens when a request does not fit. Declared from mild to severe.
    Enforcement {
        /// Let it pass and raise an alert.
        Alert,
        /// Let it pass and say so in the answer.
        Warn,
        /// Serve a cheaper model or a lower cap.
        Degrade,
        /// Wait a bounded time for room.
        Queue,
        /// Refuse.
        Block,
        /// Refuse, and never retry.
        Reject,
    }
}

wire_enum! {
    /// Whether a limit applies.
    LimitStatus {
        /// It applies.
        Active,
        /// It is kept for the record only.
        Disabled,
    }
}

/// The unit of a limit's maximum and of everything counted against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nano-USD.
    NanoUsd,
    /// Tokens.
    Tokens,
    /// Requests.
    Requests,
    /// Places of LLM Runs that are under way.
    Places,
    /// Milliseconds.
    Milliseconds,
    /// Percent.
    Percent,
}

impl LimitType {
    /// The unit that the maximum is given in.
    pub const fn unit(self) -> Unit {
        match self {
            Self::CostUsd | Self::CostUsdPerRun => Unit::NanoUsd,
            Self::TokensTotal
            | Self::TokensInput
            | Self::TokensOutput
            | Self::TokensPerMinute
            | Self::TokensPerHour
            | Self::TokensPerRun => Unit::Tokens,
            Self::RequestsTotal
            | Self::RequestsPerSecond
            | Self::RequestsPerMinute
            | Self::RequestsPerHour
            | Self::RetryCount => Unit::Requests,
            Self::ConcurrentRuns => Unit::Places,
            Self::LatencyMs | Self::DurationMs => Unit::Milliseconds,
            Self::ErrorRatePct => Unit::Percent,
        }
    }

    /// What a request uses up; nothing of places, which are given back; none where only the finished run can tell
    /// (latency, errors, retries).
    pub const fn amount_of(self, amounts: &Amounts) -> Option<i64> {
        match self {
            Self::CostUsd | Self::CostUsdPerRun => Some(amounts.cost.0),
            Self::TokensTotal | Self::TokensPerMinute | Self::TokensPerHour | Self::TokensPerRun => {
                Some(amounts.total_tokens())
            }
            Self::TokensInput => Some(amounts.input_tokens),
            Self::TokensOutput => Some(amounts.output_tokens),
            Self::RequestsTotal
            | Self::RequestsPerSecond
            | Self::RequestsPerMinute
            | Self::RequestsPerHour => Some(amounts.requests),
            Self::ConcurrentRuns => Some(0),
            Self::LatencyMs | Self::DurationMs | Self::RetryCount | Self::ErrorRatePct => None,
        }
    }

    /// The rolling window in seconds that the name itself states.
    pub const fn stated_seconds(self) -> Option<u32> {
        match self {
            Self::RequestsPerSecond => Some(1),
            Self::RequestsPerMinute | Self::TokensPerMinute => Some(60),
            Self::RequestsPerHour | Self::TokensPerHour => Some(3600),
            _ => None,
        }
    }

    /// Whether what is held is given back when the hold ends, however it ends: nothing of it is ever settled.
    pub const fn is_given_back(self) -> bool {
        matches!(self, Self::ConcurrentRuns)
    }

    /// Whether a limit of this category may count this.
    pub const fn fits(self, category: LimitCategory) -> bool {
        match self {
            Self::CostUsd
            | Self::TokensTotal
            | Self::TokensInput
            | Self::TokensOutput
            | Self::RequestsTotal => {
                matches!(category, LimitCategory::Budget | LimitCategory::Rate)
            }
            Self::ConcurrentRuns => matches!(category, LimitCategory::Budget),
            Self::RequestsPerSecond
            | Self::RequestsPerMinute
            | Self::RequestsPerHour
            | Self::TokensPerMinute
            | Self::TokensPerHour => matches!(category, LimitCategory::Rate),
            Self::TokensPerRun
            | Self::CostUsdPerRun
            | Self::LatencyMs
            | Self::DurationMs
            | Self::RetryCount
            | Self::ErrorRatePct => matches!(category, LimitCategory::Threshold),
        }
    }
}

impl Enforcement {
    /// Whether a request that does not fit is kept from spending.
    ///
    /// QUEUE and DEGRADE are strict too: what finds no room in time or cannot be made to fit is refused.
    pub const fn is_strict(self) -> bool {
        match self {
            Self::Block | Self::Reject | Self::Queue | Self::Degrade => true,
            Self::Warn | Self::Alert => false,
        }
    }
}

/// A Limit as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its id.
    pub id: LimitId,
    /// Its owner; [`TenantId::PLATFORM`] for GLOBAL limits.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Budget, rate or threshold.
    pub category: LimitCategory,
    /// What it counts.
    pub limit_type: LimitType,
    /// Whose requests it applies to.
    pub scope: LimitScope,
    /// Which project, agent or provider; none for GLOBAL and TENANT.
    pub scope_id: Option<String>,
    /// Only requests made with this key, if given.
    pub api_key_id: Option<KeyId>,
    /// Only requests for this model (exact name, or a prefix that ends in `*`), if given.
    pub model: Option<String>,
    /// Only requests for this feature of the customer's product, if given.
    pub feature: Option<String>,
    /// Only requests for this user of the customer's, if given.
    pub end_user: Option<String>,
    /// The most that may be used, in the unit of the type.
    pub max: i64,
    /// Over which time.
    pub window: WindowSpec,
    /// What happens when a request does not fit.
    pub enforcement: Enforcement,
    /// How that is done.
    pub handling: Handling,
    /// Whether it applies.
    pub status: LimitStatus,
    /// The latest override.
    pub raise: Option<Raise>,
    /// Of an `ERROR_RATE_PCT` limit: what was found when it was passed, while it is.
    pub overrun: Option<Overrun>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use strum::IntoEnumIterator as _;

    use super::*;

    #[test]
    fn the_words_of_the_contract_do_not_change() {
        let words = |list: &mut dyn Iterator<Item = &'static str>| list.collect::<Vec<_>>().join(" ");
        assert_eq!(
            words(&mut LimitCategory::iter().map(LimitCategory::as_str)),
            "BUDGET RATE THRESHOLD"
        );
        assert_eq!(
            words(&mut LimitScope::iter().map(LimitScope::as_str)),
            "GLOBAL TENANT PROJECT AGENT PROVIDER"
        );
        assert_eq!(
            words(&mut Enforcement::iter().map(Enforcement::as_str)),
            "ALERT WARN DEGRADE QUEUE BLOCK REJECT"
        );
        assert_eq!(
            words(&mut LimitStatus::iter().map(LimitStatus::as_str)),
            "ACTIVE DISABLED"
        );
        assert_eq!(
            words(&mut LimitType::iter().map(LimitType::as_str)),
            "COST_USD TOKENS_TOTAL TOKENS_INPUT TOKENS_OUTPUT REQUESTS_TOTAL CONCURRENT_RUNS \
             REQUESTS_PER_SECOND REQUESTS_PER_MINUTE REQUESTS_PER_HOUR TOKENS_PER_MINUTE TOKENS_PER_HOUR TOKENS_PER_RUN \
             COST_USD_PER_RUN LATENCY_MS DURATION_MS RETRY_COUNT ERROR_RATE_PCT"
        );
    }

    #[test]
    fn every_type_fits_a_category_and_counted_ones_have_an_amount() {
        let amounts = Amounts {
            cost: crate::money::NanoUsd(7),
            input_tokens: 3,
            output_tokens: 2,
            requests: 1,
        };
        for kind in LimitType::iter() {
            assert!(
                LimitCategory::iter().any(|category| kind.fits(category)),
                "{kind:?}"
            );
            let counted = kind.fits(LimitCategory::Budget) || kind.fits(LimitCategory::Rate);
            assert!(!counted || kind.amount_of(&amounts).is_some(), "{kind:?}");
            assert_eq!(
                kind.stated_seconds().is_some(),
                kind.as_str().contains("_PER_") && counted,
                "{kind:?}"
            );
        }
        assert_eq!(LimitType::TokensTotal.amount_of(&amounts), Some(5));
        assert_eq!(LimitType::LatencyMs.amount_of(&amounts), None);
    }
}
