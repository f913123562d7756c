//! How does a change answer the same request twice?
//!
//! The answer is stored in the transaction of the change, under tenant, operation and key, for ever. Whoever
//! sends the key again gets it byte for byte.

use model::id::TenantId;
use model::time::Timestamp;
use store::idempotency::StoredAnswer;
use store::{StoreError, Tx, Writes};

use crate::ledger::Replay;

/// A change that was made now, or the answer to the same request before.
#[derive(Debug, Clone)]
pub enum Done<T> {
    /// Made now; with the body that was rendered for it.
    Now(T, String),
    /// Made before.
    Before(Replay),
}

/// What makes the body of an answer, so that it can be stored with the change.
pub type Render<T> = fn(&T) -> String;

/// An idempotency key of a request.
#[derive(Debug, Clone)]
pub struct Once {
    /// Whose key.
    pub tenant: TenantId,
    /// Which operation; part of the key's name.
    pub operation: &'static str,
    /// The key.
    pub key: String,
    /// Who sends it.
    pub principal: String,
    /// A hash of the request.
    pub fingerprint: String,
}

/// For which request a key was used, and with which one it came now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reuse {
    /// The key.
    pub key: String,
    /// When it was used.
    pub at: Timestamp,
    /// The hash of the request that it was used for.
    pub expected: String,
    /// The hash of the request that it came with now.
    pub actual: String,
    /// The body of the answer that was given.
    pub answer: String,
}

/// Why a key cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OnceError {
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    Reused(Box<Reuse>),
    /// The key was used by somebody else.
    #[error("the idempotency key belongs to another principal")]
    Foreign,
    /// The database failed.
    #[error("the idempotency key could not be read")]
    Store(#[from] StoreError),
}

impl Once {
    /// What was answered to this key before, if anything was.
    ///
    /// # Errors
    /// [`OnceError`] if the key belongs to another request.
    pub fn before(&self, tx: &mut impl Tx) -> Result<Option<Replay>, OnceError> {
        let Some(stored) = store::idempotency::find(tx, self.tenant, self.operation, &self.key)? else {
            return Ok(None);
        };
        if stored.principal != self.principal {
            return Err(OnceError::Foreign);
        }
        if stored.fingerprint != self.fingerprint {
            return Err(OnceError::Reused(Box::new(Reuse {
                key: stored.key,
                at: stored.created_at,
                expected: stored.fingerprint,
                actual: self.fingerprint.clone(),
                answer: stored.body,
            })));
        }
        Ok(Some(Replay {
            status: stored.status,
            body: stored.body,
        }))
    }

    /// Stores the answer with the change.
    ///
    /// # Errors
    /// What the database says.
    pub fn record(
        &self,
        tx: &mut impl Writes,
        status: u16,
        body: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        store::idempotency::insert(
            tx,
            &StoredAnswer {
                tenant: self.tenant,
                operation: self.operation.to_owned(),
                key: self.key.clone(),
                principal: self.principal.clone(),
                fingerprint: self.fingerprint.clone(),
                status,
                body: body.to_owned(),
                created_at: now,
            },
        )
    }
}

/// A hash of a request that whitespace and the order of members do not change.
pub fn fingerprint(method: &str, path: &str, body: &[u8]) -> String {
    // Objects of `serde_json` are sorted by name, so that equal documents have equal texts.
    let canonical = serde_json::from_slice::<serde_json::Value>(body)
        .map_or_else(|_| body.to_vec(), |value| value.to_string().into_bytes());
    let mut text = format!("{method} {path}\n").into_bytes();
    text.extend_from_slice(&canonical);
    infra::secrets::sha256_hex(&text)
}
