//! How are the refusals of limits and holds said?

use services::ledger::LedgerError;
use services::limits::{CheckError, LimitError};

use crate::idempotency;
use crate::problem::ApiError;

pub(crate) fn check_error(error: CheckError) -> ApiError {
    match error {
        CheckError::Ledger(error) => ledger_error(error),
        CheckError::Once(error) => idempotency::refusal(error),
        CheckError::Store(error) => error.into(),
    }
}

/// How the ledger's refusals are said.
pub(crate) fn ledger_error(error: LedgerError) -> ApiError {
    match error {
        LedgerError::HoldNotFound => ApiError::not_found(),
        LedgerError::HoldClosed(status) => ApiError::new(
            409,
            "reservation-closed",
            "Hold closed",
            format!("The hold has ended before: it is {}.", status.as_str()),
        ),
        LedgerError::HoldExpired => ApiError::new(
            409,
            "reservation-expired",
            "Hold expired",
            "The hold ended by itself before this.",
        ),
        LedgerError::ExceedsHold => ApiError::new(
            409,
            "settlement-exceeds-reservation",
            "Settlement exceeds the hold",
            "More was used than was held. Settle at most what was held.",
        ),
        LedgerError::NotDue => ApiError::new(
            409,
            "reservation-not-due",
            "Hold not due",
            "The hold has not ended yet.",
        ),
        LedgerError::KeyReused(at) => idempotency::reused(&at.to_string()),
        LedgerError::KeyForeign => idempotency::foreign(),
        // These answer requests that rules are asked about, and no route of ours asks.
        LedgerError::Forbidden(_) | LedgerError::Outdated => services::StoreError::Stopped.into(),
        LedgerError::Store(error) => error.into(),
    }
}

pub(crate) fn limit_error(error: LimitError) -> ApiError {
    match error {
        LimitError::NotFound => ApiError::not_found(),
        LimitError::Invalid(problems) => ApiError::members(
            problems
                .into_iter()
                .map(|problem| (problem.field, problem.detail)),
        ),
        LimitError::Scope => ApiError::new(
            403,
            "insufficient-scope",
            "Insufficient scope",
            "GLOBAL limits are set by operators, and all others by their tenant.",
        ),
        LimitError::Exists(twin) => ApiError::new(
            409,
            "already-exists",
            "Already exists",
            format!("{twin} is the same limit."),
        ),
        LimitError::Quota => ApiError::new(
            403,
            "quota-exceeded",
            "Quota exceeded",
            "There may be 1000 ACTIVE limits; delete one first.",
        ),
        LimitError::Tampered => tampered(),
        LimitError::InUse { .. } => ApiError::new(
            409,
            "limit-in-use",
            "Limit in use",
            "Open holds are on the limit. Wait for them to end, or set its status to DISABLED.",
        ),
        LimitError::Busy => ApiError::histories(),
        LimitError::Once(error) => idempotency::refusal(error),
        LimitError::Store(error) => error.into(),
    }
}

/// Nothing is built on a limit that somebody has changed by other means.
pub(crate) fn tampered() -> ApiError {
    ApiError::new(
        409,
        "integrity-failed",
        "Integrity failed",
        "What is stored of the limit is not what was decided last. Set its status to DISABLED and make another one.",
    )
}
