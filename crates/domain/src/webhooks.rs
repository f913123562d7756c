//! When is a message tried again, when is it given up, and when is its receiver?
//!
//! A message that does not arrive is tried ten times over three days and given up: a dead letter that people see and may
//! have sent again. A receiver that says that it is gone, or that has failed for three days without one success, is sent
//! nothing more until somebody turns it on.

use model::time::Timestamp;
use model::webhook::{Attempt, Delivery, DeliveryError, DeliveryStatus, Health};

/// The pauses between attempts, in seconds: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
pub const PAUSES: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// How long a receiver may fail, in seconds, before nothing is sent to it any more.
pub const FAILING_SECONDS: i64 = 3 * 86_400;

/// Failures in a row from which on a receiver is given a rest, so that messages do not wait for it one by one.
const TIRED: i64 = 3;
/// How long it rests, in seconds.
const REST_SECONDS: i64 = 30;
/// The longest that a receiver may ask to be left alone, in seconds.
const LONGEST_WISH: i64 = 86_400;
/// Pauses are up to a tenth shorter or longer.
const JITTER_PERMILLE: i64 = 100;

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Went {
    /// The receiver answered.
    Answered {
        /// With this status.
        status: u16,
        /// And wants to be left alone for so many seconds.
        retry_after: Option<i64>,
    },
    /// It did not.
    Failed(DeliveryError),
}

/// An attempt that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried<'a> {
    /// Of which message.
    pub delivery: &'a Delivery,
    /// How its receiver was doing before.
    pub health: Health,
    /// How it went.
    pub went: Went,
    /// When it was over.
    pub now: Timestamp,
    /// What makes pauses differ from message to message.
    pub salt: u64,
}

/// Why a receiver is sent nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It said that it is gone.
    Gone,
    /// It has failed for too long.
    Failing,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The message as it is now.
    pub delivery: Delivery,
    /// How its receiver is doing now.
    pub health: Health,
    /// Whether the receiver is given up as well.
    pub stop: Option<Stop>,
}

/// What follows from an attempt.
pub fn judge(tried: &Tried<'_>) -> Judged {
    let (status, error) = match tried.went {
        Went::Answered { status, .. } if (200..300).contains(&status) => (Some(status), None),
        Went::Answered { status, .. } => (Some(status), Some(DeliveryError::Status)),
        Went::Failed(error) => (None, Some(error)),
    };
    let delivery = Delivery {
        attempts: tried.delivery.attempts.saturating_add(1),
        step: tried.delivery.step.saturating_add(1),
        last: Some(Attempt {
            at: tried.now,
            status,
            error,
        }),
        ..tried.delivery.clone()
    };
    if error.is_none() {
        return Judged {
            delivery: finished(&delivery, DeliveryStatus::Delivered, tried.now),
            health: Health {
                rests_until: tried.health.rests_until,
                ..Health::NEW
            },
            stop: None,
        };
    }
    let health = worse(tried);
    let is_gone = status == Some(410);
    let failing = health.failing_since.unwrap_or(tried.now);
    let is_failing = failing.plus_seconds(FAILING_SECONDS) <= tried.now;
    let stop = match (is_gone, is_failing) {
        (true, _) => Some(Stop::Gone),
        (_, true) => Some(Stop::Failing),
        _ => None,
    };
    let delivery = match next(tried, health).filter(|_| stop.is_none()) {
        Some(due) => Delivery {
            due_at: Some(due),
            ..delivery
        },
        None => finished(&delivery, DeliveryStatus::Dead, tried.now),
    };
    Judged {
        delivery,
        health,
        stop,
    }
}

/// A message that is to be sent once more, from the beginning of the schedule; none if it waits to be sent anyway.
pub fn again(delivery: &Delivery, now: Timestamp) -> Option<Delivery> {
    (delivery.status != DeliveryStatus::Pending).then(|| Delivery {
        status: DeliveryStatus::Pending,
        step: 0,
        due_at: Some(now),
        finished_at: None,
        ..delivery.clone()
    })
}

fn finished(delivery: &Delivery, status: DeliveryStatus, now: Timestamp) -> Delivery {
    Delivery {
        status,
        due_at: None,
        finished_at: Some(now),
        ..delivery.clone()
    }
}

fn worse(tried: &Tried<'_>) -> Health {
    let failures = tried.health.failures.saturating_add(1);
    let wish = match tried.went {
        Went::Answered { retry_after, .. } => retry_after.unwrap_or(0).clamp(0, LONGEST_WISH),
        Went::Failed(_) => 0,
    };
    let rest = if failures >= TIRED { REST_SECONDS } else { 0 };
    let until = match wish.max(rest) {
        0 => tried.health.rests_until,
        seconds => tried.health.rests_until.max(tried.now.plus_seconds(seconds)),
    };
    Health {
        failures,
        failing_since: tried.health.failing_since.or(Some(tried.now)),
        rests_until: until,
    }
}

/// When it is tried again; none if it was tried often enough.
fn next(tried: &Tried<'_>, health: Health) -> Option<Timestamp> {
    let step = usize::try_from(tried.delivery.step).ok()?;
    let pause = PAUSES.get(step)?.saturating_mul(1_000);
    let width = JITTER_PERMILLE.saturating_mul(2).saturating_add(1);
    let drawn = i64::try_from(tried.salt.checked_rem(width.unsigned_abs())?).ok()?;
    let permille = drawn.saturating_sub(JITTER_PERMILLE);
    let jitter = pause.saturating_mul(permille).checked_div(1_000)?;
    let due = tried.now.plus_millis(pause.saturating_add(jitter));
    let asked = matches!(
        tried.went,
        Went::Answered {
            retry_after: Some(_),
            ..
        }
    );
    Some(if asked { due.max(health.rests_until) } else { due })
}

#[cfg(test)]
mod tests;
