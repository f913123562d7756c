//! Do costs add up, whatever they are grouped by?

use std::sync::Arc;

use model::cost::{CostRecord, CostSource};
use model::id::{KeyId, RunId, TenantId};
use model::money::NanoUsd;
use store::costs::{self, CostGroup, GroupBy};
use store::{Db, StoreError};
use testkit::db::TestDb;

use crate::support::samples::{ACME, add_spenders, at, cost};

const DAY: i64 = 86_400;

async fn insert(db: &Db, list: Vec<CostRecord>) {
    db.locked(move |tx| costs::insert(tx, &list)).await.unwrap();
}

async fn grouped(db: &Db, group: GroupBy, from: i64, to: i64) -> Vec<CostGroup> {
    db.read(move |tx| costs::grouped(tx, ACME, group, at(from), at(to)))
        .await
        .unwrap()
}

/// A group of so many records of the sample.
fn group(key: Option<&str>, cost: i64, requests: i64) -> CostGroup {
    CostGroup {
        key: key.map(str::to_owned),
        cost: NanoUsd(cost),
        input_tokens: 10 * requests,
        output_tokens: 20 * requests,
        requests,
    }
}

/// Four records: two with everything, one the next day, and one that says nothing about itself.
async fn add_four(db: &Db) {
    add_spenders(db, 4).await;
    let mut later = cost(3);
    later.created_at = at(DAY);
    Arc::make_mut(&mut later.subject).agent_id = Some("writer".to_owned());
    later.model = Some("claude".to_owned());
    Arc::make_mut(&mut later.subject).api_key_id = Some(KeyId::from_bits(4));
    later.cost = NanoUsd(1000);
    let mut silent = cost(4);
    (silent.subject, silent.model, silent.run, silent.cost) = (Arc::default(), None, None, NanoUsd(7));
    let mut foreign = cost(5);
    (foreign.tenant, foreign.run) = (TenantId::from_bits(2), None);
    Arc::make_mut(&mut foreign.subject).api_key_id = None;
    insert(db, vec![cost(1), cost(2), later, silent, foreign]).await;
}

testkit::both_databases! {
    async fn a_cost_record_comes_back_as_it_was(db: TestDb) {
        add_spenders(&db, 3).await;
        let mut second = cost(2);
        second.run = cost(1).run;
        (second.source, second.price_version, second.created_at) = (CostSource::Sdk, None, at(1));
        let mut bare = cost(3);
        (bare.subject, bare.model) = (Arc::default(), None);
        insert(&db, vec![]).await;
        insert(&db, vec![second.clone(), cost(1), bare.clone()]).await;
        let of_run = async |n| db.read(move |tx| costs::of_run(tx, ACME, RunId::from_bits(n))).await.unwrap();
        assert_eq!(of_run(1).await, [cost(1), second], "oldest first");
        assert_eq!(of_run(3).await, [bare]);
        let other = db.read(|tx| costs::of_run(tx, TenantId::from_bits(2), RunId::from_bits(1))).await.unwrap();
        assert_eq!(other, []);
    }

    async fn costs_add_up_by_every_group(db: TestDb) {
        add_four(&db).await;
        let by = async |group| grouped(&db, group, 0, 2 * DAY).await;
        assert_eq!(by(GroupBy::None).await, [group(None, 1907, 4)]);
        // 2026-11-21 is day 20778.
        assert_eq!(by(GroupBy::Day).await, [group(Some("20778"), 907, 3), group(Some("20779"), 1000, 1)]);
        assert_eq!(
            by(GroupBy::Model).await,
            [group(Some("claude"), 1000, 1), group(Some("gpt-4o"), 900, 2), group(None, 7, 1)]
        );
        let key = |n| KeyId::from_bits(n).to_string();
        assert_eq!(
            by(GroupBy::ApiKey).await,
            [group(Some(&key(4)), 1000, 1), group(Some(&key(3)), 900, 2), group(None, 7, 1)]
        );
        assert_eq!(
            by(GroupBy::Agent).await,
            [group(Some("writer"), 1000, 1), group(Some("crawler"), 900, 2), group(None, 7, 1)]
        );
        assert_eq!(by(GroupBy::Feature).await, [group(Some("summary"), 1900, 3), group(None, 7, 1)]);
    }

    async fn a_stretch_of_costs_is_half_open(db: TestDb) {
        add_four(&db).await;
        assert_eq!(grouped(&db, GroupBy::None, 0, DAY).await, [group(None, 907, 3)]);
        assert_eq!(grouped(&db, GroupBy::Day, DAY, DAY + 1).await, [group(Some("20779"), 1000, 1)]);
        assert_eq!(grouped(&db, GroupBy::None, 5 * DAY, 6 * DAY).await, [group(None, 0, 0)]);
        assert_eq!(grouped(&db, GroupBy::Model, 5 * DAY, 6 * DAY).await, []);
    }

    async fn groups_of_the_same_cost_have_a_fixed_order(db: TestDb) {
        add_spenders(&db, 4).await;
        let named = |n, name: Option<&str>| {
            let mut record = cost(n);
            Arc::make_mut(&mut record.subject).feature = name.map(str::to_owned);
            record
        };
        insert(&db, vec![named(1, Some("b")), named(2, None), named(3, Some("B")), named(4, Some("a"))]).await;
        let keys: Vec<_> = grouped(&db, GroupBy::Feature, 0, 1).await.into_iter().map(|group| group.key).collect();
        assert_eq!(keys, [None, Some("B".to_owned()), Some("a".to_owned()), Some("b".to_owned())]);
    }

    async fn a_sum_that_does_not_fit_is_an_error_and_no_wrong_number(db: TestDb) {
        add_spenders(&db, 2).await;
        insert(&db, [1, 2].map(|n| CostRecord { cost: NanoUsd::MAX, ..cost(n) }).to_vec()).await;
        let sum = db.read(|tx| costs::grouped(tx, ACME, GroupBy::None, at(0), at(1))).await;
        assert!(matches!(sum, Err(StoreError::Query(_))), "{sum:?}");
    }
}
