//! Does a history refuse what would have been refused in life?
//!
//! Life is played here instant by instant: whoever comes is checked against all counters that there are, holds what it
//! asks for, and settles what it used when it ends; nobody knows of a history.

use proptest::prelude::*;

use super::super::super::{Counted, check};
use super::*;
use crate::settle::{Authority, End, end};

/// Lets the runs happen, and says which were refused.
fn life(limit: &Limit, runs: &[Run]) -> Vec<u128> {
    // Everything that happens: (when, ends before starts, which run).
    let mut happens: Vec<(Timestamp, bool, usize)> = Vec::new();
    for (n, run) in runs.iter().enumerate() {
        happens.push((run.started_at, true, n));
        happens.extend(run.completed_at.map(|at| (at, false, n)));
    }
    happens.sort_by_key(|(at, starts, n)| {
        // A run that ends as it starts ends after it has started.
        let own = !starts && runs[*n].started_at == *at;
        (*at, *starts || own, *n, own)
    });
    let mut counters: Vec<Counted> = Vec::new();
    let mut holds: Vec<Option<Hold>> = vec![None; runs.len()];
    let mut refused = Vec::new();
    for (now, starts, n) in happens {
        let run = &runs[n];
        if starts {
            let since = limit.window.counted_since(now).as_micros();
            let counted = counters.iter().filter(|it| it.window_start >= since).copied();
            let state = LimitState {
                limit,
                counted: counted.collect(),
            };
            let output = check(&CheckInput {
                now,
                amounts: run.estimated,
                concurrency: 1,
                cost_known: true,
                limits: &[state],
                crowded: &[],
                degraded_by: &[],
            });
            if output.outcome == Outcome::Block {
                refused.push(run.id.bits());
                continue;
            }
            for item in &output.items {
                add(&mut counters, (item.window_start, 0, item.amount));
            }
            holds[n] = Some(held(run, output.items));
        } else if let Some(hold) = holds[n].take() {
            let used = End::Settle(run.used().unwrap());
            for change in end(&hold, used, Authority::Gateway, now).unwrap().changes {
                add(&mut counters, (change.window_start, change.settled, change.held));
            }
        }
    }
    refused
}

fn add(counters: &mut Vec<Counted>, (window_start, settled, held): (i64, i64, i64)) {
    match counters.iter_mut().find(|it| it.window_start == window_start) {
        Some(counter) => {
            counter.settled += settled;
            counter.held += held;
        }
        None => counters.push(Counted {
            window_start,
            settled,
            held,
        }),
    }
}

fn limits() -> impl Strategy<Value = Limit> {
    let rolling = |seconds| WindowSpec::Rolling { seconds };
    let budget = |max| budget(ResetPeriod::Daily, "Europe/Berlin", max);
    let rate = move |limit_type, seconds| limit((LimitCategory::Rate, limit_type), rolling(seconds), 1);
    let kinds = vec![
        budget(1),
        rate(LimitType::RequestsTotal, 600),
        rate(LimitType::TokensTotal, 7_200),
        rate(LimitType::CostUsd, 90_000),
        limit(
            (LimitCategory::Threshold, LimitType::CostUsdPerRun),
            WindowSpec::PerRun,
            1,
        ),
    ];
    let enforcements = [Enforcement::Block, Enforcement::Reject, Enforcement::Warn];
    let chosen = prop::sample::select(enforcements.to_vec());
    (prop::sample::select(kinds), 1_i64..200, chosen).prop_map(|(limit, max, enforcement)| Limit {
        max,
        enforcement,
        ..limit
    })
}

/// Runs within two days, some at the same instant, some still running, some released, some that used more than they held.
fn histories() -> impl Strategy<Value = Vec<Run>> {
    let one = (
        0_i64..2_880,
        prop_oneof![Just(0_i64), 1..600_i64],
        1_i64..60,
        0_i64..80,
        0_u8..6,
    );
    prop::collection::vec(one, 0..60).prop_map(|mut drawn| {
        drawn.sort_by_key(|one| one.0);
        let runs = (1_u128..).zip(drawn);
        runs.map(|(n, (minute, minutes, asked, cost, how))| {
            let started_at = at("2026-11-20T00:00:00Z").plus_seconds(minute * 60);
            let whole = run(n, "2026-11-20T00:00:00Z", 0, (asked, cost));
            let ended = Run {
                started_at,
                completed_at: Some(started_at.plus_seconds(minutes * 60)),
                ..whole
            };
            match how {
                0 => Run {
                    completed_at: None,
                    ..ended
                },
                1 => Run {
                    usage: None,
                    usage_source: UsageSource::None,
                    cost: None,
                    ..ended
                },
                _ => ended,
            }
        })
        .collect()
    })
}

proptest! {
    #[test]
    fn a_history_refuses_what_life_would_have_refused(limit in limits(), runs in histories()) {
        let refused = life(&limit, &runs);
        let mut replay = Replay::new(limit, at("2026-11-20T00:00:00Z"), at("2026-11-22T12:00:00Z"));
        let mut found = Vec::new();
        for run in &runs {
            let before = replay.report.blocked.runs;
            replay.take(run);
            if replay.report.blocked.runs > before {
                found.push(run.id.bits());
            }
        }
        prop_assert_eq!(found, refused);
    }

    #[test]
    fn the_peak_fits_all_and_anything_less_does_not(limit in limits(), runs in histories()) {
        let strict = Limit { enforcement: Enforcement::Block, ..limit };
        let Some(peak) = replay(strict.clone(), &runs).peak else { return Ok(()) };
        let fits = replay(Limit { max: peak.value, ..strict.clone() }, &runs);
        prop_assert_eq!(fits.blocked.runs, 0);
        let less = replay(Limit { max: peak.value - 1, ..strict }, &runs);
        prop_assert!(less.blocked.runs > 0);
    }
}
