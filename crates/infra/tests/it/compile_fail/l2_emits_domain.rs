//! HTTP reports a rule of the product.

use infra::envelope::{DomainClass, ErrorEnvelope, ErrorId, ErrorSeverity, L2};
use model::time::Timestamp;

fn main() {
    let (id, now) = (ErrorId::from_bits(1), Timestamp::from_micros(1));
    ErrorEnvelope::new::<L2, _>(DomainClass::BudgetExceeded, ErrorSeverity::Error, "http", "spent", id, now);
}
