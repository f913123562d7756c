//! What can go wrong between us and a provider?

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

/// Why a provider gave no answer, or not all of it. It never holds the provider key, and its text is for
/// our log: a client sees [`UpstreamError::code`] only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// No connection came about, so the request was never sent.
    #[error("could not connect to the provider after {retries} retries: {reason}")]
    Connect {
        /// What the network said.
        reason: String,
        /// Attempts beyond the first.
        retries: u32,
    },
    /// The request was sent, and no answer began in time. It is not sent again: it may have been served.
    #[error("the provider did not begin to answer within {after:?}")]
    FirstByteTimeout {
        /// The time it was given.
        after: Duration,
        /// Attempts beyond the first.
        retries: u32,
    },
    /// The answer began and then fell silent.
    #[error("the provider fell silent for {after:?}")]
    IdleTimeout {
        /// The longest silence that is allowed.
        after: Duration,
    },
    /// The connection broke, or what came was not HTTP.
    #[error("the provider's answer broke off: {reason}")]
    Broken {
        /// What the network said.
        reason: String,
        /// Attempts beyond the first.
        retries: u32,
    },
    /// The time that the answer was given is over.
    #[error("the answer took longer than it was given")]
    CutOff,
    /// An answer that has to be collected whole was larger than that may be.
    #[error("the provider's answer is larger than {cap_bytes} bytes")]
    TooLarge {
        /// The largest answer that is collected.
        cap_bytes: usize,
    },
}

impl UpstreamError {
    /// A stable word for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "upstream_unreachable",
            Self::FirstByteTimeout { .. } | Self::IdleTimeout { .. } => "upstream_timeout",
            Self::Broken { .. } => "upstream_error",
            Self::CutOff => "threshold_cut_off",
            Self::TooLarge { .. } => "upstream_too_large",
        }
    }

    /// Attempts beyond the first, as far as this error knows.
    pub const fn retries(&self) -> u32 {
        match self {
            Self::Connect { retries, .. }
            | Self::FirstByteTimeout { retries, .. }
            | Self::Broken { retries, .. } => *retries,
            Self::IdleTimeout { .. } | Self::CutOff | Self::TooLarge { .. } => 0,
        }
    }

    /// Whether the provider can have done (and charged) anything.
    pub const fn may_have_run(&self) -> bool {
        !matches!(self, Self::Connect { .. })
    }
}

/// The error with all its causes and without the address, which may hold what is not for the log.
pub(super) fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        // Writing to a `String` cannot fail.
        write!(text, ": {inner}").ok();
        cause = inner.source();
    }
    text
}
