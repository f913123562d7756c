//! Is what is remembered of keys believed only as long as it may be?

use std::sync::Arc;

use model::key::{ApiKey, KeyStatus};
use model::tenant::{FreezeState, Tenant};

use super::*;

const KEY: [u8; 32] = [1; 32];

fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros(0).plus_millis(millis)
}

fn actor() -> TenantActor {
    let tenant = TenantId::from_bits(1);
    let key = ApiKey {
        id: KeyId::from_bits(2),
        tenant,
        name: "key".to_owned(),
        last4: "abcd".to_owned(),
        live: true,
        scopes: Vec::new(),
        status: KeyStatus::Active,
        freeze_reason: None,
        rpm: None,
        expires_at: None,
        created_at: at(0),
        last_used_at: None,
        revoked_at: None,
        root: KeyId::from_bits(2),
    };
    let tenant = Tenant {
        id: tenant,
        name: "tenant".to_owned(),
        state: FreezeState::Active,
        freeze_reason: None,
        floor_price: None,
        two_person_review: false,
        created_at: at(0),
    };
    TenantActor {
        key: Arc::new(key),
        tenant: Arc::new(tenant),
    }
}

/// A cache that knows one key since the beginning, when there had been `version` changes.
fn cache(version: i64) -> KeyCache {
    let cache = KeyCache::default();
    cache.learn((0, version), KEY, Some(&actor()), at(0));
    cache
}

#[test]
fn one_request_asks_early_and_the_others_go_on() {
    let cache = cache(7);
    assert!(cache.known(&KEY, at(249)).is_some());
    assert!(cache.known(&KEY, at(250)).is_none(), "the first asks");
    assert!(cache.known(&KEY, at(251)).is_some(), "the next does not");
    assert!(cache.known(&KEY, at(499)).is_some());
    assert!(
        cache.known(&KEY, at(500)).is_none(),
        "nobody believes it any more"
    );
    assert!(cache.known(&KEY, at(501)).is_none());
}

#[test]
fn one_answer_confirms_all_keys() {
    let cache = cache(7);
    cache.learn((0, 7), [2; 32], Some(&actor()), at(0));
    cache.learn((0, 7), KEY, None, at(400));
    assert!(cache.known(&KEY, at(600)).is_some());
    assert!(cache.known(&[2; 32], at(600)).is_some());
}

#[test]
fn a_change_makes_everything_old() {
    let cache = cache(7);
    cache.learn((0, 8), [2; 32], Some(&actor()), at(10));
    assert!(cache.known(&KEY, at(20)).is_none());
    assert!(cache.known(&[2; 32], at(20)).is_some());
}

#[test]
fn what_was_read_before_a_change_is_not_learned_after_it() {
    let cache = cache(8);
    cache.learn((0, 7), [2; 32], Some(&actor()), at(10));
    assert!(cache.known(&[2; 32], at(20)).is_none());
    cache.forget();
    cache.learn((0, 9), KEY, Some(&actor()), at(10));
    assert!(
        cache.known(&KEY, at(20)).is_none(),
        "it was read before all was forgotten"
    );
    cache.learn((1, 9), KEY, Some(&actor()), at(10));
    assert!(cache.known(&KEY, at(20)).is_some());
}

#[test]
fn a_clock_that_goes_back_makes_nothing_fresh() {
    let cache = cache(7);
    assert!(cache.known(&KEY, at(-1)).is_none());
    cache.learn((0, 7), KEY, None, at(-3_600_000));
    assert!(cache.known(&KEY, at(-3_599_900)).is_some());
}
