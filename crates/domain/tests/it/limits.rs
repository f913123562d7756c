//! What does the engine `limits` decide?

use domain::limits::{CheckInput, CheckOutput, Counted, LimitReport, LimitState, NAME, check};
use model::amounts::Amounts;
use model::id::{LimitId, TenantId};
use model::limit::{Enforcement, Handling, Limit, LimitCategory, LimitScope, LimitStatus, LimitType};
use model::money::NanoUsd;
use model::time::Timestamp;
use model::window::{ResetPeriod, Weekday, WindowSpec};
use model::zone::Zone;

const ENFORCEMENTS: [Enforcement; 6] = [
    Enforcement::Alert,
    Enforcement::Warn,
    Enforcement::Degrade,
    Enforcement::Queue,
    Enforcement::Block,
    Enforcement::Reject,
];

/// 2026-11-21, ten o'clock.
fn now() -> Timestamp {
    Timestamp::from_micros(1_795_255_200_000_000)
}

fn daily() -> WindowSpec {
    WindowSpec::Calendar {
        period: ResetPeriod::Daily,
        zone: Zone::UTC,
        week_start: Weekday::Monday,
    }
}

fn limit(id: u128, kind: (LimitCategory, LimitType, WindowSpec), enforcement: Enforcement) -> Limit {
    let (category, limit_type, window) = kind;
    Limit {
        id: LimitId::from_bits(id),
        tenant: TenantId::from_bits(1),
        name: "golden".to_owned(),
        description: None,
        category,
        limit_type,
        scope: LimitScope::Tenant,
        scope_id: None,
        api_key_id: None,
        model: None,
        feature: None,
        end_user: None,
        max: 100,
        window,
        enforcement,
        handling: Handling::default(),
        status: LimitStatus::Active,
        raise: None,
        overrun: None,
        created_at: now(),
        updated_at: now(),
    }
}

/// A budget of money, a rate of requests, a rate of tokens, and thresholds per run.
fn kinds() -> [(LimitCategory, LimitType, WindowSpec); 5] {
    let minute = || WindowSpec::Rolling { seconds: 60 };
    [
        (LimitCategory::Budget, LimitType::CostUsd, daily()),
        (LimitCategory::Rate, LimitType::RequestsPerMinute, minute()),
        (LimitCategory::Rate, LimitType::TokensPerMinute, minute()),
        (
            LimitCategory::Threshold,
            LimitType::TokensPerRun,
            WindowSpec::PerRun,
        ),
        (
            LimitCategory::Threshold,
            LimitType::CostUsdPerRun,
            WindowSpec::PerRun,
        ),
    ]
}

/// Ten of everything.
fn ten() -> Amounts {
    Amounts {
        cost: NanoUsd(10),
        input_tokens: 4,
        output_tokens: 6,
        requests: 10,
    }
}

fn counted(settled: i64, held: i64) -> Vec<Counted> {
    // Two steps of a rolling window; the same day.
    let second = 1_000_000;
    let at = |ago: i64| now().as_micros() - ago * second;
    vec![
        Counted {
            window_start: at(30),
            settled,
            held: 0,
        },
        Counted {
            window_start: at(5),
            settled: 0,
            held,
        },
    ]
}

fn decided(limits: &[LimitState<'_>], amounts: Amounts, cost_known: bool) -> String {
    let CheckOutput {
        outcome,
        items,
        blocking,
        unpriced,
        warnings,
        reports,
        overrides,
        headroom,
        breaches,
        bounds_usage,
        checks: _,
    } = check(&CheckInput {
        now: now(),
        amounts,
        concurrency: 1,
        cost_known,
        limits,
        crowded: &[],
        degraded_by: &[],
    });
    let held: Vec<_> = items
        .iter()
        .map(|item| (item.limit, item.window_start, item.amount))
        .collect();
    let breaches: Vec<_> = breaches
        .iter()
        .map(|breach| (breach.limit, breach.breach_type, breach.value))
        .collect();
    let headroom = (headroom.cost, headroom.tokens, headroom.requests);
    format!(
        "  {outcome:?} holds {held:?} blocking {:?} unpriced {:?} warnings {:?} reports {:?} overrides {:?} \
         headroom {headroom:?} breaches {breaches:?} bounds usage {bounds_usage}",
        told(&blocking),
        told(&unpriced),
        told(&warnings),
        told(&reports),
        overrides.iter().map(|(_, id)| id).collect::<Vec<_>>(),
    )
}

fn told(reports: &[LimitReport]) -> Vec<String> {
    let told = reports.iter().map(|report| {
        let resets = report
            .resets_at
            .map_or_else(|| "never".to_owned(), |at| at.to_string());
        let used = (report.settled, report.held, report.requested, report.max);
        format!("{} {} {used:?} {resets}", report.limit, report.message_code)
    });
    told.collect()
}

#[test]
fn decisions_about_one_limit_are_the_golden_ones() {
    let mut all = Vec::new();
    for kind in kinds() {
        for enforcement in ENFORCEMENTS {
            for (settled, held) in [(0, 0), (40, 50), (40, 51), (101, 0)] {
                for cost_known in [true, false] {
                    let limit = limit(7, kind.clone(), enforcement);
                    let state = LimitState {
                        limit: &limit,
                        counted: counted(settled, held),
                    };
                    let what = (kind.1, enforcement, settled, held, cost_known);
                    all.push(format!("{what:?}\n{}", decided(&[state], ten(), cost_known)));
                }
            }
        }
    }
    crate::golden(NAME, "one-limit", &all);
}

#[test]
fn decisions_about_several_limits_are_the_golden_ones() {
    let mut all = Vec::new();
    for (first, second) in [(0, 0), (95, 0), (0, 95), (95, 95)] {
        for [one, two] in [
            [Enforcement::Block, Enforcement::Reject],
            [Enforcement::Warn, Enforcement::Block],
            [Enforcement::Alert, Enforcement::Warn],
        ] {
            let [budget, rate, ..] = kinds();
            let platform = Limit {
                tenant: TenantId::PLATFORM,
                scope: LimitScope::Global,
                ..limit(9, budget.clone(), Enforcement::Block)
            };
            let limits = [limit(7, budget, one), limit(8, rate, two), platform];
            let counters = [counted(first, 0), counted(0, second), counted(first, second)];
            let states: Vec<_> = limits
                .iter()
                .zip(counters)
                .map(|(limit, counted)| LimitState { limit, counted })
                .collect();
            let what = (first, second, one, two);
            all.push(format!("{what:?}\n{}", decided(&states, ten(), true)));
            all.push(format!(
                "{what:?} for nothing\n{}",
                decided(&states, Amounts::ZERO, true)
            ));
        }
    }
    crate::golden(NAME, "several-limits", &all);
}
