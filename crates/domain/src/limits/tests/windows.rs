//! Rates say when there is room again; thresholds bound every single run.

use super::*;

#[test]
fn a_full_rate_says_when_the_request_will_fit() {
    let limit = rate(1, 3);
    let at = |seconds: i64| now().plus_seconds(-seconds).as_micros();
    let counted = vec![
        Counted {
            window_start: at(50),
            settled: 1,
            held: 0,
        },
        Counted {
            window_start: at(20),
            settled: 1,
            held: 0,
        },
        Counted {
            window_start: at(5),
            settled: 0,
            held: 1,
        },
    ];
    let output = decide(
        &[LimitState {
            limit: &limit,
            counted,
        }],
        usd(0),
    );
    assert_eq!(output.outcome, Outcome::Block);
    assert_eq!(output.breaches[0].breach_type, BreachType::Throttled);
    // The oldest step began 50 s ago, lasts 1 s and leaves the window 60 s after that.
    assert_eq!(output.blocking[0].resets_at, Some(now().plus_seconds(11)));
    assert_eq!(output.blocking[0].message_code, "RATE_LIMIT_EXCEEDED");
}

#[test]
fn a_request_that_is_larger_than_the_rate_never_fits() {
    let limit = Limit {
        limit_type: LimitType::TokensPerMinute,
        ..rate(1, 20)
    };
    let output = decide(
        &[LimitState {
            limit: &limit,
            counted: vec![],
        }],
        usd(0),
    );
    assert_eq!(
        (output.outcome, output.blocking[0].resets_at),
        (Outcome::Block, None)
    );
}

#[test]
fn a_threshold_bounds_each_run_and_holds_nothing() {
    let limit = Limit {
        category: LimitCategory::Threshold,
        limit_type: LimitType::TokensPerRun,
        window: WindowSpec::PerRun,
        max: 30,
        ..budget(1, 1)
    };
    let fits = decide(
        &[LimitState {
            limit: &limit,
            counted: vec![],
        }],
        usd(0),
    );
    assert_eq!(
        (fits.outcome, fits.items.len(), fits.reports.len()),
        (Outcome::Allow, 0, 0)
    );
    let tight = Limit { max: 29, ..limit };
    let over = decide(
        &[LimitState {
            limit: &tight,
            counted: vec![],
        }],
        usd(0),
    );
    assert_eq!(over.blocking[0].message_code, "THRESHOLD_LIMIT_EXCEEDED");
    assert_eq!(over.breaches[0].breach_type, BreachType::Violated);
}

#[test]
fn a_threshold_that_only_the_finished_run_can_pass_says_nothing_before() {
    let limit = Limit {
        category: LimitCategory::Threshold,
        limit_type: LimitType::LatencyMs,
        window: WindowSpec::PerRun,
        max: 1,
        ..budget(1, 1)
    };
    assert_eq!(
        decide(
            &[LimitState {
                limit: &limit,
                counted: vec![]
            }],
            usd(1)
        )
        .outcome,
        Outcome::Allow
    );
}
