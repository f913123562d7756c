//! What do these tests have in common?

pub(crate) mod asked;
pub(crate) mod gate;
pub(crate) mod raw;
pub(crate) mod samples;

use std::time::Duration;

use store::{Settings, StoreError, TxError};

/// The settings of a second opening of a test's database.
pub(crate) fn settings(url: &str) -> Settings {
    let mut settings = Settings::for_url(url).unwrap();
    settings.read_connections = 1;
    settings.write_connections = 2;
    settings.ledger_lanes = 1;
    settings
}

/// Waits for something that happens on another thread, and fails if it does not.
pub(crate) async fn eventually<F: AsyncFnMut() -> bool>(what: &str, mut happened: F) {
    for _ in 0..500 {
        if happened().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never happened: {what}");
}

/// The answer, unless it takes longer than any answer may.
pub(crate) async fn soon<F: Future>(work: F) -> F::Output {
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, work)
        .await
        .expect("no answer within 20 s")
}

/// An error of a caller: its own word, or the store's.
#[derive(Debug)]
pub(crate) enum CallerError {
    Refused,
    Store(StoreError),
}

impl From<StoreError> for CallerError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl TxError for CallerError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Refused => None,
            Self::Store(error) => Some(error),
        }
    }
}
