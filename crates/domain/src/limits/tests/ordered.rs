//! Limits are asked in one order; the first that refuses is told, and all of them say whether to try again.

use super::*;

fn counting(id: u128, limit_type: LimitType, period: ResetPeriod) -> Limit {
    Limit {
        limit_type,
        max: 10,
        window: WindowSpec::Calendar {
            period,
            zone: Zone::UTC,
            week_start: Weekday::Monday,
        },
        ..budget(id, 1)
    }
}

fn of_agent(limit: Limit) -> Limit {
    Limit {
        scope: LimitScope::Agent,
        scope_id: Some("crawler".to_string()),
        ..limit
    }
}

fn of_run(id: u128, limit_type: LimitType) -> Limit {
    Limit {
        category: LimitCategory::Threshold,
        window: WindowSpec::PerRun,
        ..counting(id, limit_type, ResetPeriod::None)
    }
}

/// One of every place in the order, first to last, with ids that descend.
fn in_order() -> Vec<Limit> {
    use LimitType::{ConcurrentRuns, CostUsd, RequestsTotal, TokensPerRun, TokensTotal};
    use ResetPeriod::{Daily, Monthly, None, Weekly};

    let mut all = vec![
        Limit {
            tenant: TenantId::PLATFORM,
            scope: LimitScope::Global,
            ..rate(0, 10)
        },
        rate(0, 10),
        Limit {
            tenant: TenantId::PLATFORM,
            scope: LimitScope::Global,
            ..counting(0, RequestsTotal, Daily)
        },
        counting(0, RequestsTotal, Daily),
        counting(0, ConcurrentRuns, None),
        counting(0, TokensTotal, Monthly),
        counting(0, CostUsd, Daily),
        counting(0, CostUsd, Weekly),
        of_agent(counting(0, CostUsd, Monthly)),
        counting(0, CostUsd, None),
        Limit {
            model: Some("gpt*".to_string()),
            ..counting(0, TokensTotal, Monthly)
        },
        of_agent(counting(0, RequestsTotal, Daily)),
        of_agent(of_run(0, TokensPerRun)),
    ];
    // The order is not that of their ids.
    for (id, limit) in (1_u128..).zip(all.iter_mut().rev()) {
        limit.id = LimitId::from_bits(id);
    }
    all
}

fn full(limit: &Limit) -> LimitState<'_> {
    LimitState {
        limit,
        counted: used(0, 10),
    }
}

fn refused(limits: &[Limit]) -> CheckOutput {
    let states: Vec<LimitState<'_>> = limits.iter().map(full).collect();
    let eleven = Amounts {
        input_tokens: 11,
        requests: 1,
        cost: NanoUsd(1),
        output_tokens: 0,
    };
    decide(&states, eleven)
}

#[test]
fn limits_are_asked_in_one_order_whoever_names_them_first() {
    let ordered = in_order();
    let mut mixed = ordered.clone();
    mixed.reverse();
    mixed.rotate_left(5);
    let output = refused(&mixed);
    let told = |ids: &mut dyn Iterator<Item = LimitId>| ids.collect::<Vec<_>>();
    assert_eq!(
        told(&mut output.blocking.iter().map(|report| report.limit)),
        told(&mut ordered.iter().map(|limit| limit.id))
    );
    // Whichever are left, the first of them decides.
    for skipped in 0..ordered.len() {
        let rest = &ordered[skipped..];
        let mut backwards = rest.to_vec();
        backwards.reverse();
        let output = refused(&backwards);
        assert_eq!(
            output.deciding().map(|report| report.limit),
            rest.first().map(|limit| limit.id)
        );
        assert_eq!(output.blocking.len(), rest.len(), "all are reported");
    }
}

#[test]
fn only_what_is_full_for_a_while_is_worth_another_try() {
    let minute = || rate(1, 20);
    let places = || counting(2, LimitType::ConcurrentRuns, ResetPeriod::None);
    let day = || Limit {
        max: 20,
        ..counting(3, LimitType::CostUsd, ResetPeriod::Daily)
    };
    let reject = |limit| Limit {
        enforcement: Enforcement::Reject,
        ..limit
    };
    let midnight: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
    let retry = |limits: &[Limit]| {
        let states: Vec<LimitState<'_>> = limits
            .iter()
            .map(|limit| LimitState {
                limit,
                counted: used(0, 20),
            })
            .collect();
        let output = decide(
            &states,
            Amounts {
                requests: 1,
                cost: NanoUsd(1),
                ..Amounts::ZERO
            },
        );
        assert_eq!(output.outcome, Outcome::Block);
        output.retry()
    };
    let full_minute = retry(&[minute()]);
    assert!(full_minute.helps && full_minute.at.is_some());
    // Nobody knows when a place will be free, and it may be at once.
    assert_eq!(
        retry(&[places()]),
        Retry {
            helps: true,
            at: None
        }
    );
    assert_eq!(retry(&[minute(), places()]), full_minute);
    assert_eq!(
        retry(&[day()]),
        Retry {
            helps: false,
            at: Some(midnight)
        }
    );
    assert_eq!(
        retry(&[minute(), day()]),
        Retry {
            helps: false,
            at: Some(midnight)
        }
    );
    // The rate decides, and it is of no use to wait for it.
    assert_eq!(retry(&[minute(), reject(day())]), Retry::default());
    assert_eq!(retry(&[reject(minute())]), Retry::default());
    assert_eq!(retry(&[reject(places())]), Retry::default());
}

#[test]
fn what_is_larger_than_a_limit_is_never_worth_another_try() {
    let too_small = Limit {
        limit_type: LimitType::TokensPerMinute,
        max: 1,
        ..rate(1, 20)
    };
    let states = [LimitState {
        limit: &too_small,
        counted: vec![],
    }];
    assert_eq!(decide(&states, usd(1)).retry(), Retry::default());
}
