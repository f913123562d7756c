//! The table of what the limits engine decides.

mod codes;
mod failures;
mod ordered;
mod outcomes;
mod places;
mod raised;
mod remedies;
mod table;
mod windows;

use alloc::string::ToString as _;
use alloc::vec;

use model::limit::{Handling, LimitStatus};
use model::money::NanoUsd;
use model::window::{ResetPeriod, Weekday, WindowSpec};
use model::zone::Zone;

use super::*;

const USD: i64 = NanoUsd::PER_USD;

fn now() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

fn budget(id: u128, usd: i64) -> Limit {
    Limit {
        id: LimitId::from_bits(id),
        tenant: TenantId::from_bits(1),
        name: "daily budget".to_string(),
        description: None,
        category: LimitCategory::Budget,
        limit_type: LimitType::CostUsd,
        scope: LimitScope::Tenant,
        scope_id: None,
        api_key_id: None,
        model: None,
        feature: None,
        end_user: None,
        max: usd * USD,
        window: WindowSpec::Calendar {
            period: ResetPeriod::Daily,
            zone: Zone::UTC,
            week_start: Weekday::Monday,
        },
        enforcement: Enforcement::Block,
        handling: Handling::default(),
        status: LimitStatus::Active,
        raise: None,
        overrun: None,
        created_at: now(),
        updated_at: now().plus_seconds(-90_000),
    }
}

fn rate(id: u128, per_minute: i64) -> Limit {
    Limit {
        category: LimitCategory::Rate,
        limit_type: LimitType::RequestsPerMinute,
        max: per_minute,
        window: WindowSpec::Rolling { seconds: 60 },
        ..budget(id, 1)
    }
}

fn used(settled: i64, held: i64) -> Vec<Counted> {
    let window_start = now().as_micros() - 10 * 3_600_000_000;
    vec![Counted {
        window_start,
        settled,
        held,
    }]
}

fn usd(amount: i64) -> Amounts {
    Amounts {
        cost: NanoUsd(amount * USD),
        input_tokens: 10,
        output_tokens: 20,
        requests: 1,
    }
}

fn decide(limits: &[LimitState<'_>], amounts: Amounts) -> CheckOutput {
    check(&CheckInput {
        now: now(),
        amounts,
        concurrency: 1,
        cost_known: true,
        limits,
        crowded: &[],
        degraded_by: &[],
    })
}

#[test]
fn eight_of_ten_spent_leaves_no_room_for_five() {
    let limit = budget(1, 10);
    let output = decide(
        &[LimitState {
            limit: &limit,
            counted: used(8 * USD, 0),
        }],
        usd(5),
    );
    assert_eq!(output.outcome, Outcome::Block);
    assert!(output.items.is_empty());
    let report = &output.blocking[0];
    assert_eq!(
        (report.settled, report.held, report.requested),
        (8 * USD, 0, 5 * USD)
    );
    assert_eq!(report.resets_at, Some("2026-11-22T00:00:00Z".parse().unwrap()));
    assert_eq!(report.message_code, "DAILY_COST_BUDGET_EXCEEDED");
    assert_eq!(output.headroom.cost, Some(2 * USD));
    assert_eq!(output.breaches[0].breach_type, BreachType::Exhausted);
}

#[test]
fn equality_passes_and_one_more_does_not() {
    let limit = budget(1, 10);
    let state = |held| {
        [LimitState {
            limit: &limit,
            counted: used(3 * USD, held),
        }]
    };
    let fits = decide(&state(5 * USD), usd(2));
    assert_eq!((fits.outcome, fits.headroom.cost), (Outcome::Warn, Some(0)));
    assert_eq!(fits.warnings[0].message_code, "LIMIT_APPROACHING");
    assert_eq!(decide(&state(5 * USD + 1), usd(2)).outcome, Outcome::Block);
}

#[test]
fn what_is_left_of_a_limit_of_the_platform_is_told_to_nobody() {
    let platform = Limit {
        tenant: TenantId::PLATFORM,
        ..budget(2, 10)
    };
    let own = budget(1, 20);
    let states = [&platform, &own].map(|limit| LimitState {
        limit,
        counted: used(4 * USD, 0),
    });
    let output = decide(&states, usd(2));
    assert_eq!((output.items.len(), output.headroom.cost), (2, Some(14 * USD)));
    let named: Vec<_> = output.reports.iter().map(|report| report.limit).collect();
    assert_eq!(named, [own.id]);
    assert_eq!(decide(&states[..1], usd(2)).headroom, Headroom::default());
    assert!(decide(&states, usd(7)).blocking[0].is_platform());
}

#[test]
fn what_is_held_counts_like_what_is_settled() {
    let limit = budget(1, 10);
    let output = decide(
        &[LimitState {
            limit: &limit,
            counted: used(0, 8 * USD),
        }],
        usd(5),
    );
    assert_eq!(output.outcome, Outcome::Block);
}

#[test]
fn all_limits_are_held_or_none() {
    let (wide, narrow) = (budget(1, 100), budget(2, 1));
    let states = [
        LimitState {
            limit: &wide,
            counted: vec![],
        },
        LimitState {
            limit: &narrow,
            counted: vec![],
        },
    ];
    assert!(decide(&states, usd(5)).items.is_empty());
    let output = decide(&states, usd(1));
    assert_eq!(output.items.len(), 2);
    assert_eq!(output.items[0].amount, USD);
    assert_eq!(
        output.items[0].window_start,
        "2026-11-21T00:00:00Z".parse::<Timestamp>().unwrap().as_micros()
    );
}

#[test]
fn a_warning_limit_lets_pass_and_asks_to_be_told_once_in_its_window_however_it_was_passed() {
    let limit = Limit {
        enforcement: Enforcement::Warn,
        ..budget(1, 10)
    };
    let crossing = decide(
        &[LimitState {
            limit: &limit,
            counted: used(9 * USD, 0),
        }],
        usd(5),
    );
    assert_eq!((crossing.outcome, crossing.items.len()), (Outcome::Warn, 1));
    assert_eq!(crossing.breaches[0].breach_type, BreachType::Breached);
    let once_since = crossing.breaches[0].once_since;
    assert!(once_since.is_some());
    let beyond = decide(
        &[LimitState {
            limit: &limit,
            counted: used(11 * USD, 0),
        }],
        usd(5),
    );
    assert_eq!((beyond.outcome, beyond.breaches.len()), (Outcome::Warn, 1));
    assert_eq!(beyond.breaches[0].once_since, once_since);
}

#[test]
fn a_crossing_that_another_limit_prevents_is_not_recorded() {
    let (warning, strict) = (
        Limit {
            enforcement: Enforcement::Alert,
            ..budget(1, 1)
        },
        budget(2, 1),
    );
    let states = [
        LimitState {
            limit: &warning,
            counted: vec![],
        },
        LimitState {
            limit: &strict,
            counted: vec![],
        },
    ];
    let output = decide(&states, usd(5));
    assert_eq!(output.breaches.len(), 1);
    assert_eq!(output.breaches[0].limit, strict.id);
}

#[test]
fn a_request_that_takes_nothing_is_never_refused_by_a_passed_limit() {
    let limit = budget(1, 10);
    let free = Amounts {
        cost: NanoUsd::ZERO,
        ..usd(0)
    };
    let output = decide(
        &[LimitState {
            limit: &limit,
            counted: used(10 * USD, 0),
        }],
        free,
    );
    assert_eq!((output.outcome, output.items.len()), (Outcome::Warn, 0));
    let passed = decide(
        &[LimitState {
            limit: &limit,
            counted: used(12 * USD, 0),
        }],
        free,
    );
    assert_ne!(passed.outcome, Outcome::Block);
}

#[test]
fn the_most_severe_refusal_comes_first_and_headroom_is_the_least() {
    let (block, reject) = (
        budget(1, 3),
        Limit {
            enforcement: Enforcement::Reject,
            ..budget(2, 2)
        },
    );
    let states = [
        LimitState {
            limit: &block,
            counted: used(USD, 0),
        },
        LimitState {
            limit: &reject,
            counted: used(USD, 0),
        },
    ];
    let output = decide(&states, usd(5));
    assert_eq!(
        output.blocking.iter().map(|r| r.limit).collect::<Vec<_>>(),
        [reject.id, block.id]
    );
    assert_eq!(output.headroom.cost, Some(USD));
    assert_eq!(output.reports[0].limit, reject.id);
}

#[test]
fn message_codes_follow_the_period() {
    let cases = [
        (
            LimitType::CostUsd,
            ResetPeriod::Monthly,
            "MONTHLY_COST_BUDGET_EXCEEDED",
        ),
        (
            LimitType::TokensTotal,
            ResetPeriod::Monthly,
            "MONTHLY_TOKEN_LIMIT_EXCEEDED",
        ),
        (
            LimitType::RequestsTotal,
            ResetPeriod::Daily,
            "DAILY_RUN_LIMIT_EXCEEDED",
        ),
        (LimitType::CostUsd, ResetPeriod::Weekly, "POLICY_LIMIT_BREACHED"),
    ];
    for (limit_type, period, code) in cases {
        let window = WindowSpec::Calendar {
            period,
            zone: Zone::UTC,
            week_start: Weekday::Monday,
        };
        let limit = Limit {
            limit_type,
            window,
            max: 1,
            ..budget(1, 1)
        };
        let output = decide(
            &[LimitState {
                limit: &limit,
                counted: used(1, 0),
            }],
            usd(1),
        );
        assert_eq!(output.blocking[0].message_code, code);
    }
}

#[test]
fn a_cost_that_nobody_knows_is_refused_by_a_strict_money_limit_and_told_by_another() {
    let (strict, tokens) = (
        budget(1, 100),
        Limit {
            limit_type: LimitType::TokensTotal,
            ..budget(2, 100)
        },
    );
    let decide = |limit: &Limit| {
        let limits = [LimitState {
            limit,
            counted: vec![],
        }];
        check(&CheckInput {
            now: now(),
            amounts: usd(0),
            concurrency: 1,
            cost_known: false,
            limits: &limits,
            crowded: &[],
            degraded_by: &[],
        })
    };
    let output = decide(&strict);
    assert_eq!(
        (output.outcome, output.items.len(), output.unpriced.len()),
        (Outcome::Block, 0, 1)
    );
    assert!(output.blocking.is_empty() && output.breaches.is_empty());
    assert_eq!(decide(&tokens).outcome, Outcome::Allow);
    for enforcement in [Enforcement::Warn, Enforcement::Alert] {
        let output = decide(&Limit {
            enforcement,
            ..strict.clone()
        });
        let codes: Vec<_> = output.warnings.iter().map(|report| report.message_code).collect();
        assert_eq!((output.outcome, codes), (Outcome::Warn, vec![COST_UNKNOWN]));
        assert!(output.unpriced.is_empty() && output.breaches.is_empty());
    }
}
