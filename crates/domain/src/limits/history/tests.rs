//! What a limit would have done to histories that were worked out by hand, and to any history at all.

mod live;

use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;

use model::amounts::Amounts;
use model::cost::TokenUsage;
use model::hold::Subject;
use model::id::{DecisionId, LimitId, RunId, TenantId};
use model::limit::{Enforcement, Handling, LimitScope, LimitStatus};
use model::money::NanoUsd;
use model::run::{Operation, RunStatus, UsageSource};
use model::window::{ResetPeriod, Weekday, WindowSpec};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn limit(kind: (LimitCategory, LimitType), window: WindowSpec, max: i64) -> Limit {
    let made = at("2026-11-22T12:00:00Z");
    Limit {
        id: LimitId::from_bits(1),
        tenant: TenantId::from_bits(1),
        name: "draft".to_string(),
        description: None,
        category: kind.0,
        limit_type: kind.1,
        scope: LimitScope::Tenant,
        scope_id: None,
        api_key_id: None,
        model: None,
        feature: None,
        end_user: None,
        max,
        window,
        enforcement: Enforcement::Block,
        handling: Handling::default(),
        status: LimitStatus::Active,
        raise: None,
        overrun: None,
        created_at: made,
        updated_at: made,
    }
}

fn budget(period: ResetPeriod, zone: &str, max: i64) -> Limit {
    let window = WindowSpec::Calendar {
        period,
        zone: zone.parse().unwrap(),
        week_start: Weekday::Monday,
    };
    limit((LimitCategory::Budget, LimitType::CostUsd), window, max)
}

/// A run that started then, ended so many milliseconds later, could have cost so much and did cost so much.
fn run(n: u128, started: &str, lasted_ms: i64, (estimated, cost): (i64, i64)) -> Run {
    let started_at = at(started);
    Run {
        id: RunId::from_bits(n),
        tenant: TenantId::from_bits(1),
        status: RunStatus::Succeeded,
        operation: Operation::Chat,
        subject: Arc::default(),
        served_model: None,
        stream: false,
        decision: DecisionId::from_bits(n),
        hold: Some(HoldId::from_bits(n)),
        estimated: Amounts {
            cost: NanoUsd(estimated),
            input_tokens: 8,
            output_tokens: 4,
            requests: 1,
        },
        usage: Some(TokenUsage {
            input: 5,
            output: 2,
            ..TokenUsage::default()
        }),
        usage_source: UsageSource::Provider,
        cost: Some(NanoUsd(cost)),
        http_status: Some(200),
        error_code: None,
        retries: 0,
        started_at,
        first_byte_at: Some(started_at.plus_millis(lasted_ms / 2)),
        completed_at: Some(started_at.plus_millis(lasted_ms)),
        correlation_id: String::new(),
        tools: Vec::new(),
        input_fingerprint: None,
        parent: None,
    }
}

fn replay(limit: Limit, runs: &[Run]) -> Report {
    let mut replay = Replay::new(limit, at("2026-11-20T00:00:00Z"), at("2026-11-22T12:00:00Z"));
    for run in runs {
        replay.take(run);
    }
    replay.report()
}

fn ids(report: &Report) -> Option<(u128, u128)> {
    let (first, last) = report.hits?;
    Some((first.run.bits(), last.run.bits()))
}

/// A budget of 100 a day. What is asked for and what it cost, in the order in which they start:
///
/// | run | starts | ends | asks | costs | settled + held before | after | |
/// |---|---|---|---|---|---|---|---|
/// | 1 | 20th 09:00 | 09:01 | 60 | 40 | 0 | 60 | fits |
/// | 2 | 20th 09:02 | 09:03 | 60 | 50 | 40 | 100 | fits: equality passes |
/// | 3 | 20th 09:04 | 09:05 | 11 | 7 | 90 | 101 | refused |
/// | 4 | 20th 09:06 | 09:07 | 10 | 10 | 90 | 100 | fits: 3 is not counted |
/// | 5 | 21st 00:00 | 00:10 | 70 | 70 | 0 | 70 | fits: a new day |
/// | 6 | 21st 00:05 | 00:06 | 40 | 1 | 70 (held) | 110 | refused |
/// | 7 | 21st 00:10 | 00:11 | 30 | 30 | 70 | 100 | fits: 5 ends as it starts |
///
/// Had nothing been refused: 40 + 50 + 7 + 10 = 107 on the 20th with 4, 70 + 1 + 30 = 101 on the 21st with 7, and 70 + 40 =
/// 110 on the 21st with 6.
fn a_spreadsheet() -> Vec<Run> {
    vec![
        run(1, "2026-11-20T09:00:00Z", 60_000, (60, 40)),
        run(2, "2026-11-20T09:02:00Z", 60_000, (60, 50)),
        run(3, "2026-11-20T09:04:00Z", 60_000, (11, 7)),
        run(4, "2026-11-20T09:06:00Z", 60_000, (10, 10)),
        run(5, "2026-11-21T00:00:00Z", 600_000, (70, 70)),
        run(6, "2026-11-21T00:05:00Z", 60_000, (40, 1)),
        run(7, "2026-11-21T00:10:00Z", 60_000, (30, 30)),
    ]
}

#[test]
fn a_daily_budget_refuses_what_the_spreadsheet_says() {
    let report = replay(budget(ResetPeriod::Daily, "UTC", 100), &a_spreadsheet());
    assert_eq!((report.looked_at, report.applied_to), (7, 7));
    let blocked = Tally {
        runs: 2,
        cost: NanoUsd(8),
        input_tokens: 10,
        output_tokens: 4,
    };
    assert_eq!((report.blocked, report.warned), (blocked, Tally::default()));
    assert_eq!(ids(&report), Some((3, 6)));
    let peak = report.peak.unwrap();
    assert_eq!((peak.value, peak.mark.run.bits()), (110, 6));
    let days: Vec<_> = report.days.values().collect();
    assert_eq!(days.len(), 3);
    let told = |day: &DaySum| (day.looked_at, day.blocked.runs, day.peak.map(|peak| peak.value));
    assert_eq!(
        [told(days[0]), told(days[1]), told(days[2])],
        [(4, 1, Some(107)), (3, 1, Some(110)), (0, 0, None)]
    );
    let windows: Vec<_> = report.windows.values().collect();
    assert_eq!(windows.len(), 2);
    assert_eq!(windows[1].window.start, at("2026-11-21T00:00:00Z"));
    assert_eq!((windows[1].blocked, windows[1].peak.unwrap().value), (1, 110));
}

#[test]
fn the_peak_is_the_least_maximum_that_refuses_nothing() {
    let at_peak = replay(budget(ResetPeriod::Daily, "UTC", 110), &a_spreadsheet());
    assert_eq!((at_peak.blocked.runs, at_peak.hits), (0, None));
    let below = replay(budget(ResetPeriod::Daily, "UTC", 109), &a_spreadsheet());
    assert_eq!(ids(&below), Some((6, 6)));
}

#[test]
fn a_day_is_that_of_the_zone() {
    // In New York it is still the evening of the 20th when the last three start: 100 are used up, and nothing fits.
    let report = replay(
        budget(ResetPeriod::Daily, "America/New_York", 100),
        &a_spreadsheet(),
    );
    assert_eq!(report.blocked.runs, 4);
    assert_eq!(ids(&report), Some((3, 7)));
    let windows: Vec<_> = report.windows.keys().copied().collect();
    assert_eq!(windows, [at("2026-11-20T05:00:00Z").as_micros()]);
    // And by weeks: the 20th is a Friday, so all of it is one week, in any zone.
    let week = replay(budget(ResetPeriod::Weekly, "UTC", 100), &a_spreadsheet());
    assert_eq!(week.blocked.runs, 4);
}

#[test]
fn a_warning_limit_refuses_nothing_and_counts_everything() {
    let limit = Limit {
        enforcement: Enforcement::Warn,
        ..budget(ResetPeriod::Daily, "UTC", 100)
    };
    let report = replay(limit, &a_spreadsheet());
    assert_eq!(report.blocked.runs, 0);
    // 3: 90 + 11. 4: 97 + 10. 6: 70 + 40. 7: 71 + 30.
    assert_eq!((report.warned.runs, report.warned.cost), (4, NanoUsd(48)));
    assert_eq!(ids(&report), Some((3, 7)));
}

#[test]
fn what_was_refused_in_life_is_not_spending() {
    let mut runs = a_spreadsheet();
    runs[1] = Run {
        status: RunStatus::Blocked,
        hold: None,
        usage: None,
        cost: None,
        usage_source: UsageSource::None,
        ..runs[1].clone()
    };
    let report = replay(budget(ResetPeriod::Daily, "UTC", 100), &runs);
    assert_eq!(
        (report.looked_at, report.applied_to, report.refused_before),
        (7, 6, 1)
    );
    // Without the 50 of run 2, run 3 fits.
    assert_eq!(ids(&report), Some((6, 6)));
    assert!(report.notes().contains(&Note::SomeWereRefusedBefore));
}

#[test]
fn what_was_released_gives_all_of_its_room_back_and_what_runs_keeps_it() {
    let released = Run {
        status: RunStatus::Failed,
        usage: None,
        usage_source: UsageSource::None,
        cost: None,
        ..run(1, "2026-11-20T09:00:00Z", 60_000, (100, 0))
    };
    let next = run(2, "2026-11-20T09:01:00Z", 60_000, (100, 100));
    let fits = replay(
        budget(ResetPeriod::Daily, "UTC", 100),
        &[released.clone(), next.clone()],
    );
    assert_eq!(fits.blocked.runs, 0);
    let open = Run {
        status: RunStatus::Running,
        completed_at: None,
        ..released
    };
    let report = replay(budget(ResetPeriod::Daily, "UTC", 100), &[open, next]);
    assert_eq!((ids(&report), report.running), (Some((2, 2)), 1));
}

#[test]
fn only_runs_in_its_scope_are_asked_about() {
    let mut runs = a_spreadsheet();
    let search = Subject {
        project_id: Some("search".to_string()),
        ..Subject::default()
    };
    runs[2].subject = Arc::new(search);
    let limit = Limit {
        scope: LimitScope::Project,
        scope_id: Some("search".to_string()),
        ..budget(ResetPeriod::Daily, "UTC", 10)
    };
    let report = replay(limit, &runs);
    assert_eq!((report.looked_at, report.applied_to), (7, 1));
    assert_eq!(ids(&report), Some((3, 3)));
}

#[test]
fn a_rate_forgets_what_has_left_its_window() {
    let kind = (LimitCategory::Rate, LimitType::RequestsPerMinute);
    let limit = limit(kind, WindowSpec::Rolling { seconds: 60 }, 2);
    let runs = [
        run(1, "2026-11-20T09:00:00Z", 500, (1, 1)),
        run(2, "2026-11-20T09:00:30Z", 500, (1, 1)),
        run(3, "2026-11-20T09:00:59Z", 500, (1, 1)),
        // The step of run 1 overlaps the last minute until 09:01:01.
        run(4, "2026-11-20T09:01:00.9Z", 500, (1, 1)),
        run(5, "2026-11-20T09:01:01Z", 500, (1, 1)),
    ];
    let report = replay(limit, &runs);
    assert_eq!((report.blocked.runs, ids(&report)), (2, Some((3, 4))));
    assert_eq!(report.peak.unwrap().value, 4);
    assert!(report.windows.is_empty());
}

#[test]
fn a_cost_that_nobody_knew_is_refused_by_a_strict_limit_of_money() {
    let unknown = Run {
        cost: None,
        ..run(1, "2026-11-20T09:00:00Z", 500, (0, 0))
    };
    let report = replay(budget(ResetPeriod::Daily, "UTC", 100), &[unknown]);
    assert_eq!((report.blocked.runs, report.unpriced, report.peak), (1, 1, None));
}

#[test]
fn a_threshold_judges_every_run_by_itself() {
    let per_run = |limit_type, max| limit((LimitCategory::Threshold, limit_type), WindowSpec::PerRun, max);
    let cost = replay(per_run(LimitType::CostUsdPerRun, 60), &a_spreadsheet());
    assert_eq!(ids(&cost), Some((5, 5)));
    assert_eq!(cost.peak.unwrap().value, 70);
    let tokens = replay(per_run(LimitType::TokensPerRun, 11), &a_spreadsheet());
    assert_eq!(tokens.blocked.runs, 7);
    // What is measured when it is over refuses nothing.
    let duration = replay(per_run(LimitType::DurationMs, 60_000), &a_spreadsheet());
    assert_eq!((duration.blocked.runs, duration.warned.runs), (0, 1));
    assert_eq!(
        (ids(&duration), duration.peak.unwrap().value),
        (Some((5, 5)), 600_000)
    );
    let latency = replay(per_run(LimitType::LatencyMs, 29_999), &a_spreadsheet());
    assert_eq!(latency.warned.runs, 7);
    let retries = replay(per_run(LimitType::RetryCount, 1), &a_spreadsheet());
    assert_eq!((retries.warned.runs, retries.peak.unwrap().value), (0, 0));
    let errors = replay(per_run(LimitType::ErrorRatePct, 1), &a_spreadsheet());
    assert_eq!((errors.warned.runs, errors.peak), (0, None));
    assert_eq!(errors.notes(), [Note::MeasuredAfterwards, Note::NotOnRecord]);
}

#[test]
fn a_run_that_never_said_anything_was_waited_for_until_it_ended() {
    let mut silent = run(1, "2026-11-21T09:00:00Z", 60_000, (10, 10));
    silent.first_byte_at = None;
    silent.status = RunStatus::Failed;
    let mut unheard = run(2, "2026-11-21T09:02:00Z", 60_000, (10, 10));
    (unheard.first_byte_at, unheard.completed_at) = (None, None);
    let limit = limit(
        (LimitCategory::Threshold, LimitType::LatencyMs),
        WindowSpec::PerRun,
        5_000,
    );
    let latency = replay(limit, &[silent, unheard]);
    assert_eq!((latency.warned.runs, ids(&latency)), (1, Some((1, 1))));
    assert_eq!(latency.peak.map(|peak| peak.value), Some(60_000));
}

#[test]
fn nothing_comes_of_no_runs() {
    let report = replay(budget(ResetPeriod::Monthly, "UTC", 1), &[]);
    assert_eq!((report.looked_at, report.hits, report.peak), (0, None, None));
    assert_eq!((report.days.len(), report.windows.len()), (3, 0));
    assert_eq!(report.notes(), [Note::CountersBeganEmpty, Note::HoldsWithoutRuns]);
}

#[test]
fn of_what_goes_on_at_one_time_only_what_overlaps_is_refused() {
    let one_place = Limit {
        limit_type: LimitType::ConcurrentRuns,
        ..budget(ResetPeriod::None, "UTC", 1)
    };
    let report = replay(one_place, &a_spreadsheet());
    // Run 6 starts while run 5 goes on; run 7 starts as it ends.
    assert_eq!((report.blocked.runs, ids(&report)), (1, Some((6, 6))));
    let peak = report.peak.map(|peak| (peak.value, peak.mark.run.bits()));
    assert_eq!(peak, Some((2, 6)));
}
