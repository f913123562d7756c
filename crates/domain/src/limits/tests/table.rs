//! Every enforcement in every category: under its maximum, at it, over it, and over it while an override raises it.

use model::id::OverrideId;
use model::limit::Raise;

use super::*;

const MAX: i64 = 100;

const ENFORCEMENTS: [Enforcement; 6] = [
    Enforcement::Alert,
    Enforcement::Warn,
    Enforcement::Degrade,
    Enforcement::Queue,
    Enforcement::Block,
    Enforcement::Reject,
];

/// What a request asks for when `settled` and `held` are used already; a threshold knows nothing but the request.
struct Case {
    name: &'static str,
    used: (i64, i64),
    requested: i64,
    raised_to: Option<i64>,
}

const CASES: [Case; 4] = [
    Case {
        name: "under",
        used: (30, 20),
        requested: 20,
        raised_to: None,
    },
    Case {
        name: "equal",
        used: (30, 20),
        requested: 50,
        raised_to: None,
    },
    Case {
        name: "over",
        used: (30, 20),
        requested: 51,
        raised_to: None,
    },
    Case {
        name: "over with override",
        used: (30, 20),
        requested: 51,
        raised_to: Some(MAX + 1),
    },
];

fn limit_of(category: LimitCategory, enforcement: Enforcement, raised_to: Option<i64>) -> Limit {
    let (limit_type, window) = match category {
        LimitCategory::Budget => (LimitType::TokensTotal, budget(1, 1).window),
        LimitCategory::Rate => (LimitType::TokensPerMinute, WindowSpec::Rolling { seconds: 60 }),
        LimitCategory::Threshold => (LimitType::TokensPerRun, WindowSpec::PerRun),
    };
    Limit {
        category,
        limit_type,
        window,
        enforcement,
        max: MAX,
        raise: raised_to.map(|max| Raise {
            id: OverrideId::from_bits(9),
            max,
            from: now(),
            until: now().plus_seconds(60),
        }),
        ..budget(1, 1)
    }
}

fn decision(category: LimitCategory, enforcement: Enforcement, case: &Case) -> CheckOutput {
    let limit = limit_of(category, enforcement, case.raised_to);
    // What others use is nothing to a threshold, so the whole of it is asked for.
    let per_run = category == LimitCategory::Threshold;
    let (settled, held) = case.used;
    let (counted, requested) = if per_run {
        (Vec::new(), settled + held + case.requested)
    } else {
        (used(settled, held), case.requested)
    };
    let amounts = Amounts {
        input_tokens: requested,
        output_tokens: 0,
        ..usd(0)
    };
    let limits = [LimitState {
        limit: &limit,
        counted,
    }];
    decide(&limits, amounts)
}

/// Outcome, message codes of what is said, breaches, and whether it is held.
type Row = (Outcome, Vec<&'static str>, Vec<(BreachType, i64, i64)>, bool);

fn expected(category: LimitCategory, enforcement: Enforcement, case: &Case) -> Row {
    let per_run = category == LimitCategory::Threshold;
    let over = match category {
        LimitCategory::Budget => "POLICY_LIMIT_BREACHED",
        LimitCategory::Rate => "RATE_LIMIT_EXCEEDED",
        LimitCategory::Threshold => "THRESHOLD_LIMIT_EXCEEDED",
    };
    let refused_as = match category {
        LimitCategory::Budget => BreachType::Exhausted,
        LimitCategory::Rate => BreachType::Throttled,
        LimitCategory::Threshold => BreachType::Violated,
    };
    let refuses = !matches!(enforcement, Enforcement::Alert | Enforcement::Warn);
    match case.name {
        "under" => (Outcome::Allow, vec![], vec![], !per_run),
        // A limit that is nearly used up says so; a single run that is nearly too large does not.
        "equal" if per_run => (Outcome::Allow, vec![], vec![], false),
        "equal" => (Outcome::Warn, vec!["LIMIT_APPROACHING"], vec![], true),
        "over" if refuses => (
            Outcome::Block,
            vec![over],
            vec![(refused_as, MAX + 1, MAX)],
            false,
        ),
        "over" => (
            Outcome::Warn,
            vec![over],
            vec![(BreachType::Breached, MAX + 1, MAX)],
            !per_run,
        ),
        _ => (Outcome::Warn, vec!["OVERRIDE_APPLIED"], vec![], !per_run),
    }
}

#[test]
fn every_enforcement_of_every_category_under_at_and_over_its_maximum() {
    for category in [
        LimitCategory::Budget,
        LimitCategory::Rate,
        LimitCategory::Threshold,
    ] {
        for enforcement in ENFORCEMENTS {
            for case in &CASES {
                let output = decision(category, enforcement, case);
                let said = output.blocking.iter().chain(&output.warnings);
                let breaches = output.breaches.iter();
                let found: Row = (
                    output.outcome,
                    said.map(|report| report.message_code).collect(),
                    breaches
                        .map(|breach| (breach.breach_type, breach.value, breach.max))
                        .collect(),
                    !output.items.is_empty(),
                );
                let what = (category, enforcement, case.name);
                assert_eq!(found, expected(category, enforcement, case), "{what:?}");
            }
        }
    }
}

/// Period, zone, first day of the week, an instant, and when a budget that is used up then has room again.
const RESETS: &str = "
    # Half hours and three quarters from UTC, and the far side of the date line.
    DAILY Asia/Kolkata MONDAY 2026-11-21T18:29:59Z 2026-11-21T18:30:00Z
    DAILY Asia/Kathmandu MONDAY 2026-11-21T18:15:00Z 2026-11-22T18:15:00Z
    DAILY Pacific/Kiritimati MONDAY 2026-11-21T09:59:59Z 2026-11-21T10:00:00Z
    # Days of 23 and of 25 hours.
    DAILY Europe/Berlin MONDAY 2026-03-28T23:00:00Z 2026-03-29T22:00:00Z
    DAILY Europe/Berlin MONDAY 2026-10-24T22:00:00Z 2026-10-25T23:00:00Z
    DAILY America/New_York MONDAY 2026-11-01T04:00:00Z 2026-11-02T05:00:00Z
    # A midnight that is not there, and one before which an hour comes twice.
    DAILY America/Santiago MONDAY 2026-09-05T12:00:00Z 2026-09-06T04:00:00Z
    DAILY America/Santiago MONDAY 2026-04-05T03:30:00Z 2026-04-05T04:00:00Z
    # A leap day, in a leap year and in none.
    DAILY UTC MONDAY 2028-02-28T12:00:00Z 2028-02-29T00:00:00Z
    MONTHLY UTC MONDAY 2028-02-29T12:00:00Z 2028-03-01T00:00:00Z
    DAILY UTC MONDAY 2100-02-28T12:00:00Z 2100-03-01T00:00:00Z
    # The end of a month in a zone that is ahead and in one that is behind.
    MONTHLY Asia/Tokyo MONDAY 2026-01-31T15:00:00Z 2026-02-28T15:00:00Z
    MONTHLY America/Los_Angeles MONDAY 2026-02-01T07:59:59Z 2026-02-01T08:00:00Z
    # A month in which the clocks change begins and ends at midnight of its own time.
    MONTHLY Europe/Berlin MONDAY 2026-03-15T00:00:00Z 2026-03-31T22:00:00Z
    # The end of a year, in a month and in a week.
    MONTHLY UTC MONDAY 2026-12-31T23:59:59Z 2027-01-01T00:00:00Z
    WEEKLY UTC MONDAY 2026-12-31T12:00:00Z 2027-01-04T00:00:00Z
    WEEKLY America/New_York SUNDAY 2026-03-08T05:00:00Z 2026-03-15T04:00:00Z
    # Weeks that begin on other days, over a change of the clocks.
    WEEKLY Europe/Berlin SUNDAY 2026-10-24T12:00:00Z 2026-10-24T22:00:00Z
    WEEKLY Europe/Berlin SATURDAY 2026-10-24T12:00:00Z 2026-10-30T23:00:00Z
";

#[test]
fn a_budget_that_is_used_up_says_when_its_zone_begins_anew() {
    let rows = RESETS.lines().map(str::trim);
    for row in rows.filter(|row| !row.is_empty() && !row.starts_with('#')) {
        let words: Vec<&str> = row.split(' ').collect();
        let [period, zone, week_start, at, resets] = words[..] else {
            panic!("five columns: {row}");
        };
        let limit = Limit {
            window: WindowSpec::Calendar {
                period: period.parse().unwrap(),
                zone: zone.parse().unwrap(),
                week_start: week_start.parse().unwrap(),
            },
            ..budget(1, 10)
        };
        let now: Timestamp = at.parse().unwrap();
        let counted = vec![Counted {
            window_start: limit.window.window_at(now).start.as_micros(),
            settled: 10 * USD,
            held: 0,
        }];
        let limits = [LimitState {
            limit: &limit,
            counted,
        }];
        let output = check(&CheckInput {
            now,
            amounts: usd(1),
            concurrency: 1,
            cost_known: true,
            limits: &limits,
            crowded: &[],
            degraded_by: &[],
        });
        let expected: Timestamp = resets.parse().unwrap();
        assert_eq!(output.blocking[0].resets_at, Some(expected), "{row}");
        // The next instant has a counter of its own.
        assert_eq!(limit.window.window_at(expected).start, expected, "{row}");
    }
}
