//! What runs at one time counts while it does, and is given back however it ends.

use model::hold::{Hold, HoldStatus};
use model::id::{DecisionId, HoldId};

use super::*;
use crate::settle::{Authority, End, end};

fn places(enforcement: Enforcement) -> Limit {
    Limit {
        limit_type: LimitType::ConcurrentRuns,
        max: 3,
        window: WindowSpec::Calendar {
            period: ResetPeriod::None,
            zone: Zone::UTC,
            week_start: Weekday::Monday,
        },
        enforcement,
        ..budget(1, 1)
    }
}

fn ask(limit: &Limit, held: i64, concurrency: i64) -> CheckOutput {
    check(&CheckInput {
        now: now(),
        amounts: usd(1),
        concurrency,
        cost_known: false,
        limits: &[LimitState {
            limit,
            counted: used(0, held),
        }],
        crowded: &[],
        degraded_by: &[],
    })
}

#[test]
fn no_more_run_at_one_time_than_there_are_places() {
    let limit = places(Enforcement::Block);
    let last = ask(&limit, 2, 1);
    assert_eq!(last.items[0].amount, 1);
    assert_eq!((last.outcome, last.headroom.requests), (Outcome::Warn, Some(0)));
    let none = ask(&limit, 3, 1);
    assert_eq!(none.outcome, Outcome::Block);
    let report = &none.blocking[0];
    assert_eq!(report.message_code, "CONCURRENT_RUN_LIMIT_EXCEEDED");
    assert_eq!((report.resets_at, report.held, report.max), (None, 3, 3));
    assert_eq!(none.breaches[0].breach_type, BreachType::Throttled);
    // One after the other takes no place, also where none is left.
    let after = ask(&limit, 3, 0);
    assert_eq!((after.outcome, after.items.len()), (Outcome::Warn, 0));
    assert_eq!(ask(&limit, 0, 3).outcome, Outcome::Warn);
    assert_eq!(ask(&limit, 0, 4).outcome, Outcome::Block);
}

#[test]
fn who_finds_no_place_waits_for_one_unless_there_never_are_so_many() {
    let limit = places(Enforcement::Queue);
    assert_eq!(ask(&limit, 3, 1).remedy(), Some(Remedy::Wait));
    assert_eq!(ask(&limit, 0, 4).remedy(), None);
    assert_eq!(ask(&places(Enforcement::Block), 3, 1).remedy(), None);
}

#[test]
fn a_place_is_given_back_however_a_run_ends() {
    let limit = places(Enforcement::Block);
    let hold = Hold {
        id: HoldId::from_bits(1),
        tenant: limit.tenant,
        status: HoldStatus::Pending,
        decision: DecisionId::from_bits(1),
        run: None,
        subject: alloc::sync::Arc::default(),
        requested: usd(1),
        settled: None,
        items: ask(&limit, 0, 1).items,
        created_at: now(),
        expires_at: now().plus_seconds(60),
        ended_at: None,
    };
    let later = now().plus_seconds(60);
    for how in [End::Settle(usd(7)), End::Release, End::Expire] {
        let ended = end(&hold, how, Authority::Gateway, later).unwrap();
        let change = &ended.changes[0];
        assert_eq!(
            (change.settled, change.held, change.overrun),
            (0, -1, 0),
            "{how:?}"
        );
    }
}

#[test]
fn that_places_were_passed_is_told_once_a_day() {
    let limit = places(Enforcement::Alert);
    let fact = ask(&limit, 3, 1).breaches[0];
    let midnight: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
    assert_eq!((fact.breach_type, fact.alert), (BreachType::Breached, true));
    assert_eq!(fact.once_since, Some(midnight));
    let minute = Limit {
        enforcement: Enforcement::Warn,
        ..rate(2, 3)
    };
    let states = [LimitState {
        limit: &minute,
        counted: used(0, 3),
    }];
    let fact = decide(&states, usd(1)).breaches[0];
    assert_eq!(
        (fact.alert, fact.once_since),
        (false, Some(now().plus_seconds(-60)))
    );
}
