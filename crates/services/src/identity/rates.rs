//! How often may somebody do something, and be wrong about who they are?
//!
//! Counted in this process: with several nodes behind one address, each gives what it says.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use domain::rates::{AuthorityRates, Bucket, Rate};
use model::authority::AuthorityType;
use model::id::PrincipalId;
use model::principal::AccessKeyId;
use model::time::Timestamp;

/// Buckets that are remembered; beyond that those are dropped that have long been full again, or all.
const BUCKETS_MAX: usize = 100_000;

/// After how many seconds nothing needs to be known of a bucket: every one is full again.
const IDLE_SECONDS: i64 = 3_600;

/// How many times as often an address may be wrong as one access key at it.
const ADDRESS_FACTOR: u32 = 10;

/// How many times as many access keys that nobody has an address may name as it may be wrong: each is a look-up.
const UNKNOWN_FACTOR: u32 = 10;

/// How often somebody may do what, by authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateTable {
    /// `AUTO_ENGINE`
    pub auto_engine: AuthorityRates,
    /// `HUMAN_OPERATOR`
    pub human_operator: AuthorityRates,
    /// `ON_CALL_SRE`
    pub on_call_sre: AuthorityRates,
    /// `EMERGENCY_OVERRIDE`
    pub emergency_override: AuthorityRates,
}

impl Default for RateTable {
    fn default() -> Self {
        let usual = AuthorityRates::usual;
        Self {
            auto_engine: usual(AuthorityType::AutoEngine),
            human_operator: usual(AuthorityType::HumanOperator),
            on_call_sre: usual(AuthorityType::OnCallSre),
            emergency_override: usual(AuthorityType::EmergencyOverride),
        }
    }
}

impl RateTable {
    /// What holds for an authority.
    pub(crate) fn of(&self, authority: AuthorityType) -> AuthorityRates {
        match authority {
            AuthorityType::AutoEngine => self.auto_engine,
            AuthorityType::HumanOperator => self.human_operator,
            AuthorityType::OnCallSre => self.on_call_sre,
            AuthorityType::EmergencyOverride => self.emergency_override,
        }
    }
}

/// Somebody did something too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rate limit of the authority is used up for {retry_after} s")]
pub struct TooOften {
    /// In how many seconds there is room again, at least 1.
    pub retry_after: i64,
}

/// What of a principal is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Counted {
    /// What it reads.
    Reads,
    /// What it changes.
    Changes,
    /// What it asks to change, whatever comes of it.
    Tries,
}

/// What is left for each principal, of each of these.
#[derive(Default)]
pub(crate) struct Rates(Buckets<(PrincipalId, Counted)>);

impl Rates {
    /// Takes one out of what the principal has.
    ///
    /// # Errors
    /// [`TooOften`]; then nothing was taken.
    pub(crate) fn take(
        &self,
        of: (PrincipalId, Counted),
        rate: Rate,
        now: Timestamp,
    ) -> Result<(), TooOften> {
        self.0.take(of, rate, now)
    }
}

/// What of an address is counted that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Wrong {
    /// Anything.
    Any,
    /// The signature, by this access key.
    Key(AccessKeyId),
    /// The access key: nobody has it, and it was looked up.
    Unknown,
}

/// How often signatures were wrong. What is right is never held up by it: many clients may have one address, that of a
/// proxy.
pub(crate) struct Failures {
    per_key: Rate,
    buckets: Buckets<(IpAddr, Wrong)>,
}

impl Failures {
    pub(crate) fn new(per_minute: u32) -> Self {
        let burst = 0;
        Self {
            per_key: Rate { per_minute, burst },
            buckets: Buckets::default(),
        }
    }

    fn rate(&self, what: Wrong) -> Rate {
        let factor = match what {
            Wrong::Key(_) => 1,
            Wrong::Any => ADDRESS_FACTOR,
            Wrong::Unknown => ADDRESS_FACTOR.saturating_mul(UNKNOWN_FACTOR),
        };
        Rate {
            per_minute: self.per_key.per_minute.saturating_mul(factor),
            ..self.per_key
        }
    }

    /// Whether an access key of which nothing is remembered may be looked up for this address.
    ///
    /// # Errors
    /// [`TooOften`]: it has named too many that nobody has.
    pub(crate) fn look_up(&self, from: IpAddr, now: Timestamp) -> Result<(), TooOften> {
        let what = Wrong::Unknown;
        self.buckets.peek(&(from, what), self.rate(what), now)
    }

    /// Notes that an access key was looked up and nobody has it.
    pub(crate) fn unknown(&self, from: IpAddr, now: Timestamp) {
        let what = Wrong::Unknown;
        let _empty = self.buckets.take((from, what), self.rate(what), now);
    }

    /// Notes that something was wrong once more, with a signature by this access key if it names one.
    ///
    /// # Errors
    /// [`TooOften`] if the address, or the access key at it, has been wrong too often already.
    pub(crate) fn note(
        &self,
        from: IpAddr,
        key: Option<AccessKeyId>,
        now: Timestamp,
    ) -> Result<(), TooOften> {
        let all = || [Some(Wrong::Any), key.map(Wrong::Key)].into_iter().flatten();
        for what in all() {
            self.buckets.peek(&(from, what), self.rate(what), now)?;
        }
        for what in all() {
            // Beyond the last token there is nothing to take; that it was refused is what counts.
            let _empty = self.buckets.take((from, what), self.rate(what), now);
        }
        Ok(())
    }
}

struct Buckets<K>(Mutex<HashMap<K, (Bucket, Timestamp)>>);

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Buckets<K> {
    fn take(&self, key: K, rate: Rate, now: Timestamp) -> Result<(), TooOften> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= BUCKETS_MAX && !all.contains_key(&key) {
            all.retain(|_, (_, used)| now.millis_since(*used) < IDLE_SECONDS * 1_000);
            if all.len() >= BUCKETS_MAX {
                all.clear();
            }
        }
        let known = all.get(&key).map(|(bucket, _)| *bucket);
        let (left, taken) = known.unwrap_or(Bucket::new(rate, now)).take(rate, now);
        all.insert(key, (left, now));
        taken.map_err(|retry_after| TooOften { retry_after })
    }

    /// Whether one could be taken.
    fn peek(&self, key: &K, rate: Rate, now: Timestamp) -> Result<(), TooOften> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = all
            .get(key)
            .map_or(Ok(()), |(bucket, _)| bucket.take(rate, now).1);
        taken.map_err(|retry_after| TooOften { retry_after })
    }
}
