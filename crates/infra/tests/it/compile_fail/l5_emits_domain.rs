//! A worker decides on a rule.

use infra::envelope::{DomainClass, ErrorEnvelope, ErrorId, ErrorSeverity, L5};
use model::time::Timestamp;

fn main() {
    let (id, now) = (ErrorId::from_bits(1), Timestamp::from_micros(1));
    ErrorEnvelope::new::<L5, _>(DomainClass::PolicyViolation, ErrorSeverity::Error, "jobs", "no", id, now);
}
