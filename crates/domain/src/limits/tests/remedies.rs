//! What may still let a refused request run?

use super::*;

fn one(enforcement: Enforcement, held: i64) -> CheckOutput {
    let limit = Limit {
        enforcement,
        ..budget(1, 10)
    };
    let state = LimitState {
        limit: &limit,
        counted: used(0, held * USD),
    };
    decide(&[state], usd(5))
}

#[test]
fn each_enforcement_has_its_own_remedy_and_what_passes_needs_none() {
    for (enforcement, remedy) in [
        (Enforcement::Alert, None),
        (Enforcement::Warn, None),
        (Enforcement::Degrade, Some(Remedy::Degrade)),
        (Enforcement::Queue, Some(Remedy::Wait)),
        (Enforcement::Block, None),
        (Enforcement::Reject, None),
    ] {
        assert_eq!(one(enforcement, 6).remedy(), remedy, "{enforcement:?}");
        assert_eq!(one(enforcement, 5).remedy(), None, "{enforcement:?} has room");
    }
}

#[test]
fn of_several_the_severest_decides_about_the_remedy() {
    use Enforcement::{Block, Degrade, Queue, Warn};
    for (both, remedy) in [
        ([Queue, Queue], Some(Remedy::Wait)),
        ([Queue, Degrade], Some(Remedy::Degrade)),
        ([Queue, Block], None),
        ([Degrade, Block], None),
        ([Queue, Warn], Some(Remedy::Wait)),
    ] {
        let limits = [(1, both[0]), (2, both[1])].map(|(id, enforcement)| Limit {
            enforcement,
            ..budget(id, 10)
        });
        let states = limits.each_ref().map(|limit| LimitState {
            limit,
            counted: used(0, 6 * USD),
        });
        assert_eq!(decide(&states, usd(5)).remedy(), remedy, "{both:?}");
    }
}

#[test]
fn waiting_is_no_remedy_for_what_never_fits() {
    let limit = Limit {
        enforcement: Enforcement::Queue,
        ..budget(1, 4)
    };
    let state = LimitState {
        limit: &limit,
        counted: Vec::new(),
    };
    let output = decide(&[state], usd(5));
    assert_eq!((output.outcome, output.remedy()), (Outcome::Block, None));
}

#[test]
fn a_crowded_queue_limit_refuses_what_it_has_room_for_and_other_limits_do_not_know_crowds() {
    for enforcement in [Enforcement::Queue, Enforcement::Block, Enforcement::Warn] {
        let limit = Limit {
            enforcement,
            ..budget(1, 10)
        };
        let limits = [LimitState {
            limit: &limit,
            counted: Vec::new(),
        }];
        let output = check(&CheckInput {
            now: now(),
            amounts: usd(1),
            concurrency: 1,
            cost_known: true,
            limits: &limits,
            crowded: &[limit.id],
            degraded_by: &[],
        });
        let refused = output.outcome == Outcome::Block;
        assert_eq!(refused, enforcement == Enforcement::Queue, "{enforcement:?}");
        assert_eq!(output.remedy().is_some(), refused);
        // It has not come above its maximum.
        assert_eq!(output.breaches, []);
    }
}

#[test]
fn what_nobody_has_a_price_for_may_be_served_as_something_cheaper_that_has_one() {
    use Enforcement::{Block, Degrade, Queue};
    for (both, remedy) in [
        ([Degrade, Degrade], Some(Remedy::Degrade)),
        ([Queue, Degrade], Some(Remedy::Degrade)),
        ([Queue, Queue], None),
        ([Degrade, Block], None),
    ] {
        let limits = [(1, both[0]), (2, both[1])].map(|(id, enforcement)| Limit {
            enforcement,
            ..budget(id, 10)
        });
        let states = limits.each_ref().map(|limit| LimitState {
            limit,
            counted: Vec::new(),
        });
        let output = check(&CheckInput {
            now: now(),
            amounts: usd(0),
            concurrency: 1,
            cost_known: false,
            limits: &states,
            crowded: &[],
            degraded_by: &[],
        });
        assert_eq!((output.unpriced.len(), output.remedy()), (2, remedy), "{both:?}");
    }
}
