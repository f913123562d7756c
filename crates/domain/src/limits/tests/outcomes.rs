//! Was an LLM Run over a threshold that only its end can tell?

use model::limit::Consequence;

use super::super::outcome::{RunBound, RunOutcome, cutting, reports, violations};
use super::*;

fn threshold(id: u128, limit_type: LimitType, max: i64) -> Limit {
    Limit {
        category: LimitCategory::Threshold,
        limit_type,
        max,
        window: WindowSpec::PerRun,
        enforcement: Enforcement::Alert,
        ..budget(id, 1)
    }
}

fn bound(limit: &Limit) -> RunBound {
    RunBound::of(limit, now()).unwrap()
}

const ENDED: RunOutcome = RunOutcome {
    first_byte_ms: 100,
    duration_ms: 900,
    retries: 2,
};

#[test]
fn each_type_is_compared_with_what_it_bounds_and_equality_passes() {
    for (limit_type, value) in [
        (LimitType::LatencyMs, 100),
        (LimitType::DurationMs, 900),
        (LimitType::RetryCount, 2),
    ] {
        let of = |max| violations(&[bound(&threshold(1, limit_type, max))], ENDED);
        assert_eq!(of(value + 1), [], "{limit_type:?} under");
        assert_eq!(of(value), [], "{limit_type:?} equal");
        let over = of(value - 1);
        let breach = over[0].breach;
        assert_eq!((over.len(), breach.breach_type), (1, BreachType::Violated));
        assert_eq!(
            (breach.value, breach.max),
            (value, value - 1),
            "{limit_type:?} over"
        );
    }
}

#[test]
fn a_run_under_an_override_is_held_to_what_that_says() {
    let limit = threshold(1, LimitType::DurationMs, 800);
    let raised = Limit {
        raise: Some(model::limit::Raise {
            id: OverrideId::from_bits(1),
            max: 900,
            from: now(),
            until: now().plus_seconds(3_600),
        }),
        ..limit.clone()
    };
    assert_eq!(violations(&[bound(&limit)], ENDED).len(), 1);
    assert_eq!(violations(&[bound(&raised)], ENDED), []);
}

#[test]
fn strict_limits_and_those_that_abort_cut_off_and_the_lowest_of_them_first() {
    for enforcement in [
        Enforcement::Alert,
        Enforcement::Warn,
        Enforcement::Block,
        Enforcement::Reject,
    ] {
        for consequence in [
            None,
            Some(Consequence::Alert),
            Some(Consequence::Incident),
            Some(Consequence::Abort),
        ] {
            let limit = Limit {
                enforcement,
                handling: Handling {
                    consequence,
                    ..Handling::default()
                },
                ..threshold(1, LimitType::LatencyMs, 10)
            };
            let cuts = enforcement.is_strict() || consequence == Some(Consequence::Abort);
            assert_eq!(bound(&limit).cuts, cuts, "{enforcement:?} {consequence:?}");
        }
    }
    let strict = |id, limit_type, max| Limit {
        enforcement: Enforcement::Block,
        ..threshold(id, limit_type, max)
    };
    let bounds = [
        bound(&strict(1, LimitType::LatencyMs, 30)),
        bound(&strict(2, LimitType::LatencyMs, 20)),
        bound(&threshold(3, LimitType::LatencyMs, 10)),
        bound(&strict(4, LimitType::DurationMs, 5)),
    ];
    let first = |limit_type| cutting(&bounds, limit_type).map(|bound| bound.max);
    assert_eq!(first(LimitType::LatencyMs), Some(20));
    assert_eq!(first(LimitType::DurationMs), Some(5));
    assert_eq!(first(LimitType::RetryCount), None);
}

#[test]
fn what_is_known_before_a_run_is_no_bound_on_how_it_ends() {
    assert_eq!(RunBound::of(&budget(1, 1), now()), None);
    assert_eq!(
        RunBound::of(&threshold(1, LimitType::TokensPerRun, 1), now()),
        None
    );
    assert_eq!(
        RunBound::of(&threshold(1, LimitType::ErrorRatePct, 1), now()),
        None
    );
}

#[test]
fn only_an_alert_raises_one_and_what_is_passed_is_reported_as_far_as_it_is_known() {
    for enforcement in [
        Enforcement::Alert,
        Enforcement::Warn,
        Enforcement::Block,
        Enforcement::Reject,
    ] {
        let tried = Limit {
            enforcement,
            ..threshold(1, LimitType::RetryCount, 1)
        };
        let bounds = [bound(&tried), bound(&threshold(2, LimitType::LatencyMs, 5))];
        let passed = violations(&bounds, ENDED);
        assert_eq!(passed[0].breach.alert, enforcement == Enforcement::Alert);
        let told: Vec<_> = reports(&bounds, RunOutcome::begun(2)).collect();
        assert_eq!(told.len(), 1, "how long it takes is not known yet");
        assert_eq!(
            (told[0].limit, told[0].requested, told[0].max, told[0].enforcement),
            (tried.id, 2, 1, enforcement)
        );
        assert_eq!(told[0].message_code, "THRESHOLD_LIMIT_EXCEEDED");
        assert_eq!(reports(&bounds, ENDED).count(), 2);
    }
}
