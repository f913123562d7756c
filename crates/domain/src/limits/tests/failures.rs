//! What follows when too many LLM Runs fail?

use model::limit::Overrun;
use model::run::RunStatus;

use super::super::rate::{Failures, RUNS_MIN};
use super::*;

fn error_rate(id: u128, percent: i64, enforcement: Enforcement) -> Limit {
    Limit {
        category: LimitCategory::Threshold,
        limit_type: LimitType::ErrorRatePct,
        max: percent,
        window: WindowSpec::PerRun,
        enforcement,
        ..budget(id, 1)
    }
}

fn of(runs: i64, failed: i64) -> Failures {
    let mut failures = Failures::default();
    (0..failed).for_each(|_| failures.count(RunStatus::Failed));
    (failed..runs).for_each(|_| failures.count(RunStatus::Succeeded));
    failures
}

#[test]
fn the_share_is_that_of_what_has_ended_by_itself() {
    let mut failures = of(10, 3);
    for status in [
        RunStatus::Running,
        RunStatus::Blocked,
        RunStatus::Halted,
        RunStatus::Aborted,
    ] {
        failures.count(status);
    }
    assert_eq!(failures, Failures { runs: 10, failed: 3 });
    failures.count(RunStatus::Crashed);
    assert_eq!(failures, Failures { runs: 11, failed: 4 });
    assert_eq!(failures.percent(), 37);
    assert_eq!((of(0, 0).percent(), of(3, 3).percent()), (0, 100));
}

#[test]
fn equality_passes_and_a_few_say_nothing() {
    let limit = error_rate(1, 25, Enforcement::Block);
    let over = |runs, failed| {
        of(runs, failed)
            .overrun(&limit, now())
            .map(|found| (found.value, found.runs))
    };
    assert_eq!(over(RUNS_MIN - 1, RUNS_MIN - 1), None, "too few");
    assert_eq!(over(20, 4), None, "under");
    assert_eq!(over(20, 5), None, "equal");
    assert_eq!(over(20, 6), Some((30, 20)), "over");
    // A little more than a quarter is more.
    assert_eq!(over(1_999, 500), Some((26, 1_999)));
}

#[test]
fn while_it_is_passed_strict_limits_refuse_and_the_others_say_so() {
    for enforcement in [
        Enforcement::Alert,
        Enforcement::Warn,
        Enforcement::Degrade,
        Enforcement::Block,
        Enforcement::Reject,
    ] {
        let found = of(20, 6).overrun(&error_rate(1, 25, enforcement), now());
        let passed = Limit {
            overrun: found,
            ..error_rate(1, 25, enforcement)
        };
        let state = [LimitState {
            limit: &passed,
            counted: Vec::new(),
        }];
        let output = decide(&state, usd(1));
        let refuses = enforcement.is_strict();
        let expected = if refuses { Outcome::Block } else { Outcome::Warn };
        assert_eq!(output.outcome, expected, "{enforcement:?}");
        let report = output.blocking.iter().chain(&output.warnings).next().unwrap();
        assert_eq!((report.settled, report.max, report.requested), (30, 25, 0));
        assert_eq!(report.message_code, "THRESHOLD_LIMIT_EXCEEDED");
        // That it was passed has been recorded once, when it was.
        assert_eq!((output.breaches.len(), output.items.len()), (0, 0));
    }
}

#[test]
fn who_is_served_something_cheaper_and_who_came_after_a_raise_passes() {
    let passed = Limit {
        overrun: Some(Overrun {
            value: 30,
            runs: 20,
            since: now(),
        }),
        ..error_rate(1, 25, Enforcement::Degrade)
    };
    let states = [LimitState {
        limit: &passed,
        counted: Vec::new(),
    }];
    let degraded = check(&CheckInput {
        now: now(),
        amounts: usd(1),
        concurrency: 1,
        cost_known: true,
        limits: &states,
        crowded: &[],
        degraded_by: &[passed.id],
    });
    assert_eq!((degraded.outcome, degraded.warnings.len()), (Outcome::Warn, 1));
    let raised = Limit {
        raise: Some(model::limit::Raise {
            id: OverrideId::from_bits(1),
            max: 30,
            from: now(),
            until: now().plus_seconds(60),
        }),
        ..passed
    };
    let states = [LimitState {
        limit: &raised,
        counted: Vec::new(),
    }];
    assert_eq!(decide(&states, usd(1)).outcome, Outcome::Allow);
}
