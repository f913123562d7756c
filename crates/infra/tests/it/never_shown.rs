//! Can what must never be shown be serialised or printed?

use std::fmt::Display;

use infra::config::Config;
use infra::correlation::CorrelationContext;
use infra::envelope::{ErrorEnvelope, ErrorRecord};
use infra::secrets::{ApiKeySecret, MasterKey, OperatorTokenSecret, ParsedKey, Secret};

/// Does not compile if the type has one of the traits: `Lacks<_>` would be ambiguous.
macro_rules! assert_lacks {
    ($trait_:path: $($type_:ty),* $(,)?) => {{
        struct Present;
        trait Lacks<Marker> {
            const LACKS: bool = true;
        }
        impl<T: ?Sized> Lacks<()> for T {}
        impl<T: ?Sized + $trait_> Lacks<Present> for T {}
        $(assert!(<$type_ as Lacks<_>>::LACKS);)*
    }};
}

#[test]
fn nothing_forensic_or_secret_has_a_serialiser() {
    assert_lacks!(
        serde::Serialize: ErrorEnvelope, ErrorRecord, Secret, MasterKey, ApiKeySecret, ParsedKey,
        OperatorTokenSecret, Config, CorrelationContext,
    );
}

#[test]
fn nothing_forensic_or_secret_can_be_printed_by_accident() {
    assert_lacks!(Display: ErrorEnvelope, ErrorRecord, Secret, MasterKey, ApiKeySecret, OperatorTokenSecret, Config);
}
