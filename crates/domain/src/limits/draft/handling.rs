//! Can a limit do what it is to do beyond refusing?

use model::limit::{Consequence, Enforcement, LimitCategory, LimitScope, LimitType};
use model::text::is_hidden;

use super::Draft;

/// The longest wait of a QUEUE limit: a minute.
const QUEUE_MS_MAX: i64 = 60_000;
/// The longest time over which failures are measured: a day.
const MEASURED_SECONDS_MAX: u32 = 86_400;
/// The shortest.
const MEASURED_SECONDS_MIN: u32 = 10;

pub(super) fn check(draft: &Draft, wrong: &mut impl FnMut(&'static str, &'static str)) {
    queue(draft, wrong);
    degrade(draft, wrong);
    threshold(draft, wrong);
}

fn queue(draft: &Draft, wrong: &mut impl FnMut(&'static str, &'static str)) {
    let queues = draft.enforcement == Enforcement::Queue;
    if queues && draft.category == LimitCategory::Threshold {
        wrong("enforcement", "no waiting makes room under a THRESHOLD");
    }
    match draft.handling.queue_ms {
        Some(_) if !queues => wrong("queue_timeout_ms", "only a QUEUE limit has it"),
        Some(wait) if !(1..=QUEUE_MS_MAX).contains(&wait) => wrong("queue_timeout_ms", "1 to 60000"),
        _ => {}
    }
}

fn degrade(draft: &Draft, wrong: &mut impl FnMut(&'static str, &'static str)) {
    let degrades = draft.enforcement == Enforcement::Degrade;
    if degrades && is_measured(draft.limit_type) {
        wrong("enforcement", "an LLM Run that has ended cannot be degraded");
        return;
    }
    let Some(degrade) = &draft.handling.degrade else {
        if degrades {
            wrong(
                "degrade_model",
                "a DEGRADE limit needs degrade_model or degrade_max_output_tokens",
            );
        }
        return;
    };
    if !degrades {
        wrong("degrade_model", "only a DEGRADE limit has it");
    }
    let is_name = |model: &str| !model.is_empty() && model.len() <= 200 && !model.chars().any(is_hidden);
    if degrade.model.as_ref().is_some_and(|model| !is_name(model)) {
        wrong("degrade_model", "1 to 200 characters, none of them invisible");
    }
    if degrade.model.is_some() && degrade.model == draft.model {
        wrong("degrade_model", "another model than the one that is limited");
    }
    if degrade
        .output_tokens
        .is_some_and(|tokens| !(1..=100_000_000).contains(&tokens))
    {
        wrong("degrade_max_output_tokens", "1 to 100000000");
    }
}

fn threshold(draft: &Draft, wrong: &mut impl FnMut(&'static str, &'static str)) {
    let handling = &draft.handling;
    let is_rate = draft.limit_type == LimitType::ErrorRatePct;
    if handling.consequence.is_some() && draft.category != LimitCategory::Threshold {
        wrong("consequence", "only a THRESHOLD has it");
    }
    if handling.consequence == Some(Consequence::Abort) && is_rate {
        wrong(
            "consequence",
            "a share of failures is seen when LLM Runs have ended",
        );
    }
    if is_rate && draft.scope == LimitScope::Global {
        wrong(
            "limit_type",
            "the failures of one tenant are measured: no GLOBAL limit has it",
        );
    }
    if is_rate && draft.max > 99 {
        wrong("max_value", "1 to 99 percent");
    }
    match handling.measured_seconds {
        Some(_) if !is_rate => wrong(
            "measurement_window_seconds",
            "only an ERROR_RATE_PCT limit has it",
        ),
        Some(seconds) if !(MEASURED_SECONDS_MIN..=MEASURED_SECONDS_MAX).contains(&seconds) => {
            wrong("measurement_window_seconds", "10 seconds to 1 day (86400)");
        }
        _ => {}
    }
}

/// Whether it is known of one LLM Run only when that has ended.
const fn is_measured(limit_type: LimitType) -> bool {
    matches!(
        limit_type,
        LimitType::LatencyMs | LimitType::DurationMs | LimitType::RetryCount
    )
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;
    use alloc::vec::Vec;

    use model::limit::{Degrade, Handling};

    use super::super::tests::{draft, problems};
    use super::*;

    fn threshold(limit_type: LimitType) -> Draft {
        Draft {
            category: LimitCategory::Threshold,
            limit_type,
            reset_period: None,
            max: 5,
            ..draft()
        }
    }

    fn with(draft: Draft, enforcement: Enforcement, handling: Handling) -> Vec<&'static str> {
        problems(&Draft {
            enforcement,
            handling,
            ..draft
        })
    }

    fn degrade(model: Option<&str>, output_tokens: Option<i64>) -> Handling {
        Handling {
            degrade: Some(Degrade {
                model: model.map(Into::into),
                output_tokens,
            }),
            ..Handling::default()
        }
    }

    #[test]
    fn a_wait_is_bounded_and_only_for_what_can_get_room() {
        let wait = |queue_ms| Handling {
            queue_ms: Some(queue_ms),
            ..Handling::default()
        };
        let none: [&str; 0] = [];
        assert_eq!(with(draft(), Enforcement::Queue, wait(1)), none);
        assert_eq!(with(draft(), Enforcement::Queue, wait(60_000)), none);
        assert_eq!(with(draft(), Enforcement::Queue, Handling::default()), none);
        assert_eq!(
            with(draft(), Enforcement::Queue, wait(60_001)),
            ["queue_timeout_ms"]
        );
        assert_eq!(with(draft(), Enforcement::Queue, wait(0)), ["queue_timeout_ms"]);
        assert_eq!(with(draft(), Enforcement::Block, wait(5)), ["queue_timeout_ms"]);
        let per_run = threshold(LimitType::TokensPerRun);
        assert_eq!(
            with(per_run, Enforcement::Queue, Handling::default()),
            ["enforcement"]
        );
    }

    #[test]
    fn a_degrade_limit_says_what_it_serves_instead() {
        let none: [&str; 0] = [];
        assert_eq!(
            with(draft(), Enforcement::Degrade, Handling::default()),
            ["degrade_model"]
        );
        assert_eq!(
            with(draft(), Enforcement::Degrade, degrade(Some("small"), None)),
            none
        );
        assert_eq!(with(draft(), Enforcement::Degrade, degrade(None, Some(64))), none);
        assert_eq!(
            with(draft(), Enforcement::Degrade, degrade(None, Some(0))),
            ["degrade_max_output_tokens"]
        );
        assert_eq!(
            with(draft(), Enforcement::Degrade, degrade(Some(""), None)),
            ["degrade_model"]
        );
        assert_eq!(
            with(draft(), Enforcement::Warn, degrade(Some("small"), None)),
            ["degrade_model"]
        );
        let itself = Draft {
            model: Some("small".to_string()),
            ..draft()
        };
        assert_eq!(
            with(itself, Enforcement::Degrade, degrade(Some("small"), None)),
            ["degrade_model"]
        );
        let late = threshold(LimitType::DurationMs);
        assert_eq!(
            with(late, Enforcement::Degrade, degrade(None, Some(64))),
            ["enforcement"]
        );
    }

    #[test]
    fn a_threshold_has_consequences_and_a_rate_of_errors_a_time() {
        let of = |consequence, measured_seconds| Handling {
            consequence,
            measured_seconds,
            ..Handling::default()
        };
        let none: [&str; 0] = [];
        let (abort, incident) = (Some(Consequence::Abort), Some(Consequence::Incident));
        let errors = || threshold(LimitType::ErrorRatePct);
        let block = Enforcement::Block;
        assert_eq!(
            with(threshold(LimitType::DurationMs), block, of(abort, None)),
            none
        );
        assert_eq!(with(errors(), block, of(incident, Some(60))), none);
        assert_eq!(with(errors(), block, of(abort, None)), ["consequence"]);
        assert_eq!(with(draft(), block, of(incident, None)), ["consequence"]);
        assert_eq!(
            with(errors(), block, of(None, Some(9))),
            ["measurement_window_seconds"]
        );
        assert_eq!(
            with(threshold(LimitType::LatencyMs), block, of(None, Some(60))),
            ["measurement_window_seconds"]
        );
        let all = Draft { max: 100, ..errors() };
        assert_eq!(with(all, block, Handling::default()), ["max_value"]);
        let global = Draft {
            scope: LimitScope::Global,
            scope_id: None,
            ..errors()
        };
        assert_eq!(with(global, block, Handling::default()), ["limit_type"]);
    }
}
