//! Does every error of a use case say what caused it?

use std::error::Error;

use services::analytics::AnalyticsError;
use services::auth::AuthError;
use services::gateway::GatewayError;
use services::keys::KeyError;
use services::ledger::LedgerError;
use services::limits::{CheckError, LimitError};
use services::once::OnceError;
use services::runs::RunError;
use services::tenants::TenantError;
use store::StoreError;

#[test]
fn a_failure_of_the_store_is_the_source_of_every_error_that_it_becomes() {
    let errors: [Box<dyn Error>; 10] = [
        Box::new(AnalyticsError::from(StoreError::Overloaded)),
        Box::new(AuthError::from(StoreError::Overloaded)),
        Box::new(CheckError::from(StoreError::Overloaded)),
        Box::new(GatewayError::from(StoreError::Overloaded)),
        Box::new(KeyError::from(StoreError::Overloaded)),
        Box::new(LedgerError::from(StoreError::Overloaded)),
        Box::new(LimitError::from(StoreError::Overloaded)),
        Box::new(OnceError::from(StoreError::Overloaded)),
        Box::new(RunError::from(StoreError::Overloaded)),
        Box::new(TenantError::from(StoreError::Overloaded)),
    ];
    for error in errors {
        let source = error
            .source()
            .unwrap_or_else(|| panic!("{error:?} has no source"));
        assert!(source.is::<StoreError>(), "{error:?}");
        assert_ne!(
            error.to_string(),
            source.to_string(),
            "the message does not repeat the source"
        );
    }
}
