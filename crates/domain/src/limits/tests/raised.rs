//! Limits that an override has raised.

use model::id::OverrideId;
use model::limit::Raise;

use super::*;

fn raised(to: i64, from_s: i64, until_s: i64) -> Limit {
    Limit {
        raise: Some(Raise {
            id: OverrideId::from_bits(9),
            max: to * USD,
            from: now().plus_seconds(from_s),
            until: now().plus_seconds(until_s),
        }),
        ..budget(1, 50)
    }
}

fn asked(limit: &Limit, settled: i64, dollars: i64) -> CheckOutput {
    let counted = used(settled * USD, 0);
    decide(&[LimitState { limit, counted }], usd(dollars))
}

fn codes(output: &CheckOutput) -> Vec<&'static str> {
    output.warnings.iter().map(|report| report.message_code).collect()
}

#[test]
fn what_passes_by_an_override_alone_says_so() {
    let output = asked(&raised(100, -60, 60), 45, 10);
    assert_eq!(output.outcome, Outcome::Warn);
    assert_eq!(codes(&output), ["OVERRIDE_APPLIED"]);
    let limit = raised(100, -60, 60);
    assert_eq!(output.overrides, [(limit.tenant, OverrideId::from_bits(9))]);
    assert_eq!(output.headroom.cost, Some(45 * USD));
    assert!(output.breaches.is_empty());
}

#[test]
fn what_passes_anyway_does_not_mention_the_override() {
    let output = asked(&raised(100, -60, 60), 10, 10);
    assert_eq!(output.outcome, Outcome::Allow);
    assert!(output.overrides.is_empty());
}

#[test]
fn the_raised_maximum_is_as_strict_as_the_other() {
    let limit = raised(100, -60, 60);
    assert_eq!(asked(&limit, 90, 10).outcome, Outcome::Warn);
    let refused = asked(&limit, 90, 11);
    assert_eq!(refused.outcome, Outcome::Block);
    assert_eq!(refused.blocking[0].max, 100 * USD);
    assert_eq!(refused.breaches[0].max, 100 * USD);
    assert!(codes(&refused).is_empty());
}

#[test]
fn an_override_lasts_from_its_first_instant_until_before_its_last() {
    assert_eq!(asked(&raised(100, 0, 1), 45, 10).outcome, Outcome::Warn);
    assert_eq!(asked(&raised(100, 1, 2), 45, 10).outcome, Outcome::Block);
    assert_eq!(asked(&raised(100, -1, 0), 45, 10).outcome, Outcome::Block);
}

#[test]
fn what_an_override_of_this_window_would_have_let_pass_says_that_it_is_over() {
    let lately = asked(&raised(100, -120, -60), 60, 10);
    assert_eq!(lately.outcome, Outcome::Block);
    assert_eq!(lately.blocking[0].message_code, "DAILY_COST_BUDGET_EXCEEDED");
    assert_eq!(codes(&lately), ["OVERRIDE_EXPIRED"]);
    // Too much for it as well, or over since yesterday: then it is no explanation.
    assert!(codes(&asked(&raised(100, -120, -60), 95, 10)).is_empty());
    assert!(codes(&asked(&raised(100, -90_000, -80_000), 60, 10)).is_empty());
    // One that begins later is none yet.
    assert!(codes(&asked(&raised(100, 60, 120), 60, 10)).is_empty());
}

#[test]
fn a_limit_that_was_raised_for_good_meanwhile_is_not_lowered() {
    let limit = Limit {
        max: 200 * USD,
        ..raised(100, -60, 60)
    };
    assert_eq!(asked(&limit, 140, 10).outcome, Outcome::Allow);
}

#[test]
fn a_limit_that_was_changed_or_raised_in_its_window_may_be_told_again() {
    let raised = |from: i64, until: i64| Raise {
        id: OverrideId::from_bits(1),
        max: 20 * USD,
        from: now().plus_seconds(from),
        until: now().plus_seconds(until),
    };
    let window = budget(1, 10).window.window_at(now());
    let table = [
        ("never changed", -90_000, None, window.start),
        ("changed", -60, None, now().plus_seconds(-60)),
        (
            "raised since",
            -60,
            Some(raised(-30, 30)),
            now().plus_seconds(-30),
        ),
        (
            "raised no more",
            -60,
            Some(raised(-50, -10)),
            now().plus_seconds(-10),
        ),
        ("to be raised", -60, Some(raised(10, 20)), now().plus_seconds(-60)),
        ("changed by a clock that is ahead", 5, None, window.start),
    ];
    for (title, updated, raise, since) in table {
        let limit = Limit {
            updated_at: now().plus_seconds(updated),
            raise,
            ..budget(1, 10)
        };
        assert_eq!(told_since(&limit, window, now()), Some(since), "{title}");
    }
}
