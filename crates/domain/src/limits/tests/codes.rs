//! Every message code of the contract is said by some limit.

use alloc::collections::BTreeSet;
use alloc::string::String;

use model::id::OverrideId;
use model::limit::Raise;

use super::*;

/// The contract's list, in its order.
const CODES: [&str; 15] = [
    "DAILY_RUN_LIMIT_EXCEEDED",
    "MONTHLY_TOKEN_LIMIT_EXCEEDED",
    "CONCURRENT_RUN_LIMIT_EXCEEDED",
    "DAILY_COST_BUDGET_EXCEEDED",
    "MONTHLY_COST_BUDGET_EXCEEDED",
    "FEATURE_COST_BUDGET_EXCEEDED",
    "USER_COST_BUDGET_EXCEEDED",
    "POLICY_LIMIT_BREACHED",
    "RATE_LIMIT_EXCEEDED",
    "THRESHOLD_LIMIT_EXCEEDED",
    "WORKER_DAILY_LIMIT_EXCEEDED",
    "WORKER_TOKEN_LIMIT_EXCEEDED",
    "OVERRIDE_APPLIED",
    "OVERRIDE_EXPIRED",
    "LIMIT_APPROACHING",
];

fn per(limit_type: LimitType, period: ResetPeriod) -> Limit {
    Limit {
        limit_type,
        max: 10,
        window: WindowSpec::Calendar {
            period,
            zone: Zone::UTC,
            week_start: Weekday::Monday,
        },
        ..budget(1, 1)
    }
}

fn of_agent(limit: Limit) -> Limit {
    Limit {
        scope: LimitScope::Agent,
        scope_id: Some("crawler".to_string()),
        ..limit
    }
}

fn of_run(limit_type: LimitType) -> Limit {
    Limit {
        category: LimitCategory::Threshold,
        window: WindowSpec::PerRun,
        ..per(limit_type, ResetPeriod::None)
    }
}

fn raised(max: i64, until: Timestamp) -> Limit {
    let raise = Raise {
        id: OverrideId::from_bits(9),
        max,
        from: now().plus_seconds(-60),
        until,
    };
    Limit {
        raise: Some(raise),
        ..per(LimitType::TokensTotal, ResetPeriod::Daily)
    }
}

/// A limit of ten, how much is used of it, and what is said first of a request for five of everything.
fn rows() -> Vec<(Limit, i64, &'static str)> {
    use LimitType::{ConcurrentRuns, CostUsd, RequestsTotal, TokensPerRun, TokensTotal};
    use ResetPeriod::{Daily, Monthly, None, Weekly};

    let feature = |limit| Limit {
        feature: Some("answers".to_string()),
        ..limit
    };
    let user = |limit| Limit {
        end_user: Some("ada".to_string()),
        ..limit
    };
    let hour = now().plus_seconds(3_600);
    vec![
        (per(RequestsTotal, Daily), 6, "DAILY_RUN_LIMIT_EXCEEDED"),
        (per(TokensTotal, Monthly), 6, "MONTHLY_TOKEN_LIMIT_EXCEEDED"),
        (per(ConcurrentRuns, None), 6, "CONCURRENT_RUN_LIMIT_EXCEEDED"),
        (
            of_agent(per(ConcurrentRuns, None)),
            6,
            "CONCURRENT_RUN_LIMIT_EXCEEDED",
        ),
        (per(CostUsd, Daily), 6, "DAILY_COST_BUDGET_EXCEEDED"),
        (of_agent(per(CostUsd, Daily)), 6, "DAILY_COST_BUDGET_EXCEEDED"),
        (per(CostUsd, Monthly), 6, "MONTHLY_COST_BUDGET_EXCEEDED"),
        (feature(per(CostUsd, Daily)), 6, "FEATURE_COST_BUDGET_EXCEEDED"),
        (user(per(CostUsd, Monthly)), 6, "USER_COST_BUDGET_EXCEEDED"),
        // Of both the feature is named: it has more users than one.
        (
            user(feature(per(CostUsd, None))),
            6,
            "FEATURE_COST_BUDGET_EXCEEDED",
        ),
        (per(CostUsd, Weekly), 6, "POLICY_LIMIT_BREACHED"),
        (per(TokensTotal, Daily), 6, "POLICY_LIMIT_BREACHED"),
        (feature(per(RequestsTotal, Daily)), 6, "DAILY_RUN_LIMIT_EXCEEDED"),
        (
            Limit {
                max: 10,
                ..rate(1, 10)
            },
            6,
            "RATE_LIMIT_EXCEEDED",
        ),
        (of_run(LimitType::CostUsdPerRun), 6, "THRESHOLD_LIMIT_EXCEEDED"),
        (of_run(TokensPerRun), 6, "THRESHOLD_LIMIT_EXCEEDED"),
        (of_agent(of_run(TokensPerRun)), 6, "WORKER_TOKEN_LIMIT_EXCEEDED"),
        (
            of_agent(per(RequestsTotal, Daily)),
            6,
            "WORKER_DAILY_LIMIT_EXCEEDED",
        ),
        (of_agent(per(RequestsTotal, Monthly)), 6, "POLICY_LIMIT_BREACHED"),
        (raised(20, hour), 6, "OVERRIDE_APPLIED"),
        (per(TokensTotal, Daily), 4, "LIMIT_APPROACHING"),
    ]
}

/// What is said of a request for five of everything, or eleven where each request is looked at by itself.
fn said(limit: &Limit, used_before: i64) -> Vec<&'static str> {
    let five = if limit.category == LimitCategory::Threshold {
        11
    } else {
        5
    };
    let amounts = Amounts {
        cost: NanoUsd(five),
        input_tokens: five,
        output_tokens: 0,
        requests: five,
    };
    let output = check(&CheckInput {
        now: now(),
        amounts,
        concurrency: five,
        cost_known: true,
        limits: &[LimitState {
            limit,
            counted: used(0, used_before),
        }],
        crowded: &[],
        degraded_by: &[],
    });
    let said = output.blocking.iter().chain(&output.warnings);
    said.map(|report| report.message_code).collect()
}

#[test]
fn every_message_code_is_said_and_no_other() {
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for (limit, used_before, code) in rows() {
        let said = said(&limit, used_before);
        assert_eq!(said.first(), Some(&code), "{limit:?}");
        found.extend(said);
    }
    // Refused, and it would have been let through an hour ago.
    let expired = said(&raised(20, now().plus_seconds(-1)), 6);
    assert_eq!(expired, ["POLICY_LIMIT_BREACHED", "OVERRIDE_EXPIRED"]);
    found.extend(expired);
    let all: BTreeSet<&str> = CODES.into_iter().collect();
    let list = |codes: &BTreeSet<&str>| codes.iter().copied().collect::<Vec<_>>().join(" ");
    assert_eq!(
        list(&found),
        list(&all),
        "{}",
        String::from("the codes of the contract")
    );
}
