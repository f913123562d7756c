//! A rule of the product reports the network.

use infra::envelope::{ErrorEnvelope, ErrorId, ErrorSeverity, InfraClass, L4};
use model::time::Timestamp;

fn main() {
    let (id, now) = (ErrorId::from_bits(1), Timestamp::from_micros(1));
    ErrorEnvelope::new::<L4, _>(InfraClass::Network, ErrorSeverity::Error, "limits", "gone", id, now);
}
