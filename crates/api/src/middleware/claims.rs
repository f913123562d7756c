//! Is a request with this idempotency key being answered already?
//!
//! The answer to a key is stored with the change, so nothing is done twice without this. It only tells those who send a
//! request again too early so at once. A process knows its own requests: on another node the database makes them wait.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::AUTHORIZATION;
use infra::secrets::sha256_hex;

use crate::idempotency;
use crate::problem::ApiError;

/// The keys whose requests are being answered; a clone shares them.
#[derive(Clone, Default)]
pub(crate) struct Claims(Arc<Mutex<BTreeSet<String>>>);

/// A key whose request is being answered, until it is dropped.
pub(super) struct Claim {
    of: Claims,
    name: String,
}

impl Claims {
    /// Claims the key of a request to our own API; none if it carries no key, or one that is refused later.
    ///
    /// # Errors
    /// 409 if the same credential has sent the same key to the same route, and is not answered yet.
    pub(super) fn claim(&self, request: &HttpRequest) -> Result<Option<Claim>, ApiError> {
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        if !changes || !request.path().starts_with("/api/v1/") {
            return Ok(None);
        }
        let Ok(Some(key)) = idempotency::key(request) else {
            return Ok(None);
        };
        let credential = request.headers().get(AUTHORIZATION);
        let mut name = format!("{} {}\n{key}\n", request.method(), request.path()).into_bytes();
        name.extend_from_slice(credential.map_or(&b""[..], |value| value.as_bytes()));
        // Hashed, so that no credential is kept.
        let name = sha256_hex(&name);
        if self.keys().insert(name.clone()) {
            let of = self.clone();
            return Ok(Some(Claim { of, name }));
        }
        Err(idempotency::in_progress())
    }

    fn keys(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.of.keys().remove(&self.name);
    }
}
