//! What does the engine `settle` decide?

use std::sync::Arc;

use domain::settle::{Authority, Change, End, Ended, NAME, Refusal, end, renew};
use model::amounts::Amounts;
use model::hold::{Hold, HoldItem, HoldStatus};
use model::id::{DecisionId, HoldId, LimitId, TenantId};
use model::limit::LimitType;
use model::money::NanoUsd;
use model::time::Timestamp;

const STATUSES: [HoldStatus; 4] = [
    HoldStatus::Pending,
    HoldStatus::Settled,
    HoldStatus::Released,
    HoldStatus::Expired,
];

fn item(limit: u128, counts: LimitType, amount: i64) -> HoldItem {
    HoldItem {
        owner: TenantId::from_bits(1),
        limit: LimitId::from_bits(limit),
        counts,
        window_start: 5,
        amount,
        settled: 0,
        carried: false,
    }
}

fn used(cost: i64, tokens: i64) -> Amounts {
    Amounts {
        cost: NanoUsd(cost),
        input_tokens: tokens,
        output_tokens: 0,
        requests: 1,
    }
}

/// Taken at 0 for 100 nano-USD and 10 tokens, until 1,000.
fn hold(status: HoldStatus) -> Hold {
    Hold {
        id: HoldId::from_bits(2),
        tenant: TenantId::from_bits(1),
        status,
        decision: DecisionId::from_bits(3),
        run: None,
        subject: Arc::default(),
        requested: used(100, 10),
        settled: None,
        items: vec![
            item(7, LimitType::CostUsd, 100),
            item(8, LimitType::TokensTotal, 10),
            item(9, LimitType::RequestsPerMinute, 1),
        ],
        created_at: Timestamp::from_micros(0),
        expires_at: Timestamp::from_micros(1_000),
        ended_at: None,
    }
}

fn told(ended: Result<Ended, Refusal>) -> String {
    match ended {
        Err(refusal) => format!("{refusal:?}"),
        Ok(Ended { hold, changes }) => {
            let items: Vec<_> = hold
                .items
                .iter()
                .map(|item| (item.amount, item.settled))
                .collect();
            let moved = |change: &Change| (change.settled, change.held, change.overrun);
            let changes: Vec<_> = changes.iter().map(moved).collect();
            let Hold { status, ended_at, .. } = hold;
            format!("{status:?} at {ended_at:?} items {items:?} changes {changes:?}")
        }
    }
}

#[test]
fn endings_are_the_golden_ones() {
    let ends = [
        End::Settle(used(0, 0)),
        End::Settle(used(100, 10)),
        End::Settle(used(101, 4)),
        End::Release,
        End::Expire,
    ];
    let mut decided = Vec::new();
    for status in STATUSES {
        for how in ends {
            for authority in [Authority::Client, Authority::Gateway] {
                for now in [999, 1_000] {
                    let ended = end(&hold(status), how, authority, Timestamp::from_micros(now));
                    decided.push(format!(
                        "{status:?} {how:?} {authority:?} at {now}\n  {}",
                        told(ended)
                    ));
                }
            }
        }
    }
    crate::golden(NAME, "endings", &decided);
}

#[test]
fn renewals_are_the_golden_ones() {
    let mut decided = Vec::new();
    for status in STATUSES {
        for until in [500, 1_000, 5_000] {
            let renewed = renew(&hold(status), Timestamp::from_micros(until));
            let until_then = renewed.map(|hold| (hold.status, hold.expires_at));
            decided.push(format!("{status:?} until {until}\n  {until_then:?}"));
        }
    }
    crate::golden(NAME, "renewals", &decided);
}
