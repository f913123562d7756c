//! How does a hold end, and what does that change?
//!
//! A hold ends exactly once. Settling moves each item from held to settled with what was really used; the client
//! of the API may not settle more than it held, our own gateway records it as an overrun, because the money is
//! spent whether it fits or not.

use alloc::vec::Vec;

use model::amounts::Amounts;
use model::hold::{Hold, HoldItem, HoldStatus};
use model::id::{LimitId, TenantId};
use model::time::Timestamp;

/// The engine's name in decision snapshots.
pub const NAME: &str = "settle";
/// The engine's version; raised with every change of what it decides.
pub const VERSION: &str = "1";

/// Who ends the hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// Somebody who called the API: may not settle more than was held, nor after the hold expired.
    Client,
    /// Our own gateway: what it reports has been spent.
    Gateway,
}

/// How it is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// This much was used.
    Settle(Amounts),
    /// Nothing was used.
    Release,
    /// Its time is over.
    Expire,
}

/// Why it cannot end like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has ended before.
    #[error("the hold has been closed")]
    Closed(HoldStatus),
    /// Its time was over.
    #[error("the hold has expired")]
    Expired,
    /// More was used than it held.
    #[error("the settlement exceeds the hold")]
    Exceeds,
    /// Its time is not over yet.
    #[error("the hold is not due")]
    NotDue,
}

/// What changes on one counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Who owns the limit.
    pub owner: TenantId,
    /// Which limit.
    pub limit: LimitId,
    /// Which window.
    pub window_start: i64,
    /// To be added to what is settled.
    pub settled: i64,
    /// To be added to what is held.
    pub held: i64,
    /// How much more was used than this item held.
    pub overrun: i64,
}

/// A hold that has ended, and what that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The hold as it is to be stored.
    pub hold: Hold,
    /// What is to be added to the counters.
    pub changes: Vec<Change>,
}

/// Ends the hold.
///
/// # Errors
/// [`Refusal`], and then nothing changes.
pub fn end(hold: &Hold, end: End, authority: Authority, now: Timestamp) -> Result<Ended, Refusal> {
    let late = match (hold.status, end, authority) {
        (HoldStatus::Pending, End::Expire, _) if now < hold.expires_at => return Err(Refusal::NotDue),
        (HoldStatus::Pending, End::Settle(_) | End::Release, Authority::Client) if now >= hold.expires_at => {
            return Err(Refusal::Expired);
        }
        (HoldStatus::Pending, _, _) => false,
        // What the gateway measured has been spent, although the hold is gone.
        (HoldStatus::Expired, End::Settle(_), Authority::Gateway) => true,
        (HoldStatus::Expired, _, _) => return Err(Refusal::Expired),
        (status @ (HoldStatus::Settled | HoldStatus::Released), _, _) => return Err(Refusal::Closed(status)),
    };
    let (status, used) = match end {
        End::Settle(amounts) => (HoldStatus::Settled, Some(amounts)),
        End::Release => (HoldStatus::Released, None),
        End::Expire => (HoldStatus::Expired, None),
    };
    let mut items = hold.items.clone();
    let mut changes = Vec::with_capacity(items.len());
    for item in &mut items {
        let change = change(item, used.as_ref(), late);
        if authority == Authority::Client && change.overrun > 0 {
            return Err(Refusal::Exceeds);
        }
        item.settled = change.settled;
        changes.push(change);
    }
    let hold = Hold {
        status,
        settled: used,
        items,
        ended_at: Some(now),
        ..hold.clone()
    };
    Ok(Ended { hold, changes })
}

/// Lets an open hold live on until `expires_at`, if that is later than it would: whoever made it is at work under it.
/// A hold whose time is over but that nobody has ended yet is still open, and its room still its own.
///
/// # Errors
/// [`Refusal::Expired`] and [`Refusal::Closed`] if it has ended.
pub fn renew(hold: &Hold, expires_at: Timestamp) -> Result<Hold, Refusal> {
    match hold.status {
        HoldStatus::Pending => Ok(Hold {
            expires_at: hold.expires_at.max(expires_at),
            ..hold.clone()
        }),
        HoldStatus::Expired => Err(Refusal::Expired),
        status @ (HoldStatus::Settled | HoldStatus::Released) => Err(Refusal::Closed(status)),
    }
}

fn change(item: &HoldItem, used: Option<&Amounts>, late: bool) -> Change {
    let settled = match used {
        None => 0,
        // Only counted types are ever held, so there always is an amount.
        Some(amounts) => item.counts.amount_of(amounts).unwrap_or(item.amount),
    };
    let held_before = if late { 0 } else { item.amount };
    Change {
        owner: item.owner,
        limit: item.limit,
        window_start: item.window_start,
        settled,
        held: held_before.saturating_neg(),
        overrun: settled.saturating_sub(item.amount).max(0),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use alloc::sync::Arc;

    use model::id::{DecisionId, HoldId};
    use model::limit::LimitType;
    use model::money::NanoUsd;

    use super::*;

    const LIMIT: LimitId = LimitId::from_bits(7);
    const OWNER: TenantId = TenantId::from_bits(1);

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn hold(status: HoldStatus) -> Hold {
        Hold {
            id: HoldId::from_bits(2),
            tenant: OWNER,
            status,
            decision: DecisionId::from_bits(3),
            run: None,
            subject: Arc::default(),
            requested: Amounts {
                cost: NanoUsd(100),
                ..Amounts::ZERO
            },
            settled: None,
            items: vec![item()],
            created_at: at(0),
            expires_at: at(1_000),
            ended_at: None,
        }
    }

    fn item() -> HoldItem {
        let counts = LimitType::CostUsd;
        HoldItem {
            owner: OWNER,
            limit: LIMIT,
            counts,
            window_start: 5,
            amount: 100,
            settled: 0,
            carried: false,
        }
    }

    fn cost(nano: i64) -> End {
        End::Settle(Amounts {
            cost: NanoUsd(nano),
            ..Amounts::ZERO
        })
    }

    fn try_end(status: HoldStatus, how: End, authority: Authority, now: i64) -> Result<Ended, Refusal> {
        end(&hold(status), how, authority, at(now))
    }

    #[test]
    fn settling_moves_what_was_used_and_frees_the_rest() {
        let ended = try_end(HoldStatus::Pending, cost(60), Authority::Client, 10).unwrap();
        assert_eq!(
            (ended.hold.status, ended.hold.ended_at),
            (HoldStatus::Settled, Some(at(10)))
        );
        assert_eq!(ended.hold.items[0].settled, 60);
        let change = ended.changes[0];
        assert_eq!(
            (change.window_start, change.settled, change.held, change.overrun),
            (5, 60, -100, 0)
        );
    }

    #[test]
    fn releasing_and_expiring_free_everything() {
        for (how, now, status) in [
            (End::Release, 10, HoldStatus::Released),
            (End::Expire, 1_000, HoldStatus::Expired),
        ] {
            let ended = try_end(HoldStatus::Pending, how, Authority::Client, now).unwrap();
            assert_eq!(
                (ended.hold.status, ended.changes[0].settled, ended.changes[0].held),
                (status, 0, -100)
            );
        }
    }

    #[test]
    fn a_client_cannot_settle_more_than_it_held_and_the_gateway_records_it() {
        assert_eq!(
            try_end(HoldStatus::Pending, cost(101), Authority::Client, 10),
            Err(Refusal::Exceeds)
        );
        let ended = try_end(HoldStatus::Pending, cost(101), Authority::Gateway, 10).unwrap();
        assert_eq!((ended.changes[0].settled, ended.changes[0].overrun), (101, 1));
    }

    #[test]
    fn a_hold_ends_once() {
        for status in [HoldStatus::Settled, HoldStatus::Released] {
            for how in [cost(1), End::Release, End::Expire] {
                for authority in [Authority::Client, Authority::Gateway] {
                    assert_eq!(
                        try_end(status, how, authority, 2_000),
                        Err(Refusal::Closed(status))
                    );
                }
            }
        }
        assert_eq!(
            try_end(HoldStatus::Expired, cost(1), Authority::Client, 2_000),
            Err(Refusal::Expired)
        );
        assert_eq!(
            try_end(HoldStatus::Expired, End::Release, Authority::Gateway, 2_000),
            Err(Refusal::Expired)
        );
    }

    #[test]
    fn a_hold_expires_neither_early_nor_for_a_client_that_comes_late() {
        assert_eq!(
            try_end(HoldStatus::Pending, End::Expire, Authority::Gateway, 999),
            Err(Refusal::NotDue)
        );
        assert_eq!(
            try_end(HoldStatus::Pending, cost(1), Authority::Client, 1_000),
            Err(Refusal::Expired)
        );
        assert_eq!(
            try_end(HoldStatus::Pending, End::Release, Authority::Client, 1_000),
            Err(Refusal::Expired)
        );
        assert!(try_end(HoldStatus::Pending, cost(1), Authority::Gateway, 1_000).is_ok());
    }

    #[test]
    fn an_open_hold_lives_on_and_never_shorter_than_before() {
        let until = |micros: i64| renew(&hold(HoldStatus::Pending), at(micros)).map(|hold| hold.expires_at);
        assert_eq!(until(5_000), Ok(at(5_000)));
        assert_eq!(until(500), Ok(at(1_000)));
        for (status, refusal) in [
            (HoldStatus::Expired, Refusal::Expired),
            (HoldStatus::Settled, Refusal::Closed(HoldStatus::Settled)),
            (HoldStatus::Released, Refusal::Closed(HoldStatus::Released)),
        ] {
            assert_eq!(renew(&hold(status), at(5_000)), Err(refusal));
        }
    }

    #[test]
    fn money_that_was_spent_after_the_hold_expired_is_counted_all_the_same() {
        let ended = try_end(HoldStatus::Expired, cost(40), Authority::Gateway, 2_000).unwrap();
        assert_eq!((ended.changes[0].settled, ended.changes[0].held), (40, 0));
    }
}
