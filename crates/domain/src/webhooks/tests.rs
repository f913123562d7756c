//! Does each attempt have the right consequence?

use alloc::vec::Vec;

use model::id::{DeliveryId, TenantId, WebhookId};
use model::outbox::Topic;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn delivery(step: i64) -> Delivery {
    Delivery {
        id: DeliveryId::from_bits(1),
        tenant: TenantId::from_bits(1),
        webhook: WebhookId::from_bits(1),
        place: 1,
        topic: Topic::Created,
        status: DeliveryStatus::Pending,
        attempts: step,
        step,
        due_at: Some(NOW),
        last: None,
        created_at: NOW,
        finished_at: None,
    }
}

const fn answered(status: u16) -> Went {
    Went::Answered {
        status,
        retry_after: None,
    }
}

/// Without jitter.
const PLAIN: u64 = 100;

fn judged(step: i64, health: Health, went: Went) -> Judged {
    judge(&Tried {
        delivery: &delivery(step),
        health,
        went,
        now: NOW,
        salt: PLAIN,
    })
}

fn failing(failures: i64, seconds: i64) -> Health {
    Health {
        failures,
        failing_since: Some(NOW.plus_seconds(-seconds)),
        ..Health::NEW
    }
}

#[test]
fn every_success_is_an_arrival_and_makes_the_receiver_well() {
    for status in [200, 201, 202, 204, 299] {
        let judged = judged(4, failing(9, 100), answered(status));
        assert_eq!(judged.delivery.status, DeliveryStatus::Delivered, "{status}");
        assert_eq!(
            (judged.delivery.due_at, judged.delivery.finished_at),
            (None, Some(NOW))
        );
        assert_eq!((judged.health, judged.stop), (Health::NEW, None));
    }
}

#[test]
fn what_fails_is_tried_ten_times_over_three_days_and_then_dead() {
    let mut seconds = Vec::new();
    for step in 0..9 {
        for went in [
            answered(500),
            answered(302),
            answered(404),
            Went::Failed(DeliveryError::Timeout),
        ] {
            let judged = judged(step, Health::NEW, went);
            assert_eq!(judged.delivery.status, DeliveryStatus::Pending, "{step} {went:?}");
            assert_eq!(judged.delivery.attempts, step + 1);
            seconds.push(judged.delivery.due_at.unwrap().seconds_until_from(NOW));
        }
    }
    let expected: Vec<i64> = PAUSES.iter().flat_map(|pause| [*pause; 4]).collect();
    assert_eq!(seconds, expected);
    assert_eq!(PAUSES.iter().sum::<i64>(), 272_105);
    let last = judged(9, Health::NEW, Went::Failed(DeliveryError::Unreachable));
    assert_eq!(
        (last.delivery.status, last.delivery.due_at),
        (DeliveryStatus::Dead, None)
    );
    assert_eq!(
        last.delivery.last.unwrap().error,
        Some(DeliveryError::Unreachable)
    );
    assert_eq!(last.stop, None, "its receiver has not failed for three days");
}

#[test]
fn pauses_differ_by_a_tenth_at_the_most() {
    let due = |salt| {
        let tried = Tried {
            delivery: &delivery(1),
            health: Health::NEW,
            went: answered(500),
            now: NOW,
            salt,
        };
        judge(&tried).delivery.due_at.unwrap().millis_since(NOW)
    };
    assert_eq!((due(0), due(100), due(200)), (270_000, 300_000, 330_000));
    assert!(
        (0..5_000)
            .map(|n| due(n * 7_919))
            .all(|pause| (270_000..=330_000).contains(&pause))
    );
}

#[test]
fn a_receiver_that_asks_for_it_is_left_alone_for_a_day_at_the_most() {
    let asks = |status, seconds| {
        judged(
            0,
            Health::NEW,
            Went::Answered {
                status,
                retry_after: Some(seconds),
            },
        )
    };
    let limited = asks(429, 120);
    assert_eq!(limited.health.rests_until, NOW.plus_seconds(120));
    assert_eq!(limited.delivery.due_at, Some(NOW.plus_seconds(120)));
    assert_eq!(
        asks(503, 1).delivery.due_at,
        Some(NOW.plus_seconds(5)),
        "not sooner than the schedule"
    );
    assert_eq!(asks(429, 9_999_999).health.rests_until, NOW.plus_seconds(86_400));
    assert_eq!(asks(200, 50).health.rests_until, Health::NEW.rests_until);
}

#[test]
fn a_receiver_that_fails_again_and_again_is_given_a_rest() {
    assert_eq!(
        judged(0, failing(1, 1), answered(500)).health.rests_until,
        Health::NEW.rests_until
    );
    let tired = judged(0, failing(2, 1), answered(500));
    assert_eq!(
        (tired.health.failures, tired.health.rests_until),
        (3, NOW.plus_seconds(30))
    );
    assert_eq!(
        tired.health.failing_since,
        Some(NOW.plus_seconds(-1)),
        "the first failure stays the first"
    );
}

#[test]
fn a_receiver_that_is_gone_or_fails_for_three_days_is_sent_nothing_more() {
    let gone = judged(0, Health::NEW, answered(410));
    assert_eq!(
        (gone.stop, gone.delivery.status),
        (Some(Stop::Gone), DeliveryStatus::Dead)
    );
    let nearly = judged(0, failing(50, FAILING_SECONDS - 1), answered(500));
    assert_eq!(
        (nearly.stop, nearly.delivery.status),
        (None, DeliveryStatus::Pending)
    );
    let failing = judged(0, failing(50, FAILING_SECONDS), answered(500));
    assert_eq!(
        (failing.stop, failing.delivery.status),
        (Some(Stop::Failing), DeliveryStatus::Dead)
    );
}

#[test]
fn what_is_over_may_begin_anew_and_what_waits_may_not() {
    let dead = judged(9, Health::NEW, answered(500)).delivery;
    let again_now = again(&dead, NOW).unwrap();
    assert_eq!(
        (again_now.step, again_now.attempts, again_now.due_at),
        (0, 10, Some(NOW))
    );
    assert_eq!(
        (again_now.status, again_now.finished_at),
        (DeliveryStatus::Pending, None)
    );
    assert_eq!(again(&again_now, NOW), None);
}
