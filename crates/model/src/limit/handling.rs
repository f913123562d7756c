//! What does a limit do beyond refusing?

use alloc::string::String;

use super::wire_enum;

wire_enum! {
    /// What follows when an LLM Run turns out to be over a threshold. Declared from mild to severe.
    Consequence {
        /// It is recorded and told.
        Alert,
        /// An Incident is opened.
        Incident,
        /// The LLM Run is cut off where it passes the threshold.
        Abort,
    }
}

/// What a DEGRADE limit serves instead: at least one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Degrade {
    /// The cheaper model.
    pub model: Option<String>,
    /// The lower cap of the output, in tokens.
    pub output_tokens: Option<i64>,
}

/// What a limit does beyond refusing. Each field is for one kind of limits and is none for all others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handling {
    /// The longest that a request waits for room, in milliseconds (QUEUE).
    pub queue_ms: Option<i64>,
    /// What is served instead (DEGRADE).
    pub degrade: Option<Degrade>,
    /// What follows when it is passed (THRESHOLD).
    pub consequence: Option<Consequence>,
    /// Over how many of the last seconds the share of failures is measured (`ERROR_RATE_PCT`).
    pub measured_seconds: Option<u32>,
}

impl Handling {
    /// How long a request waits where a QUEUE limit does not say, in milliseconds.
    pub const QUEUE_MS_DEFAULT: i64 = 10_000;
    /// Over how many seconds failures are measured where an `ERROR_RATE_PCT` limit does not say.
    pub const MEASURED_SECONDS_DEFAULT: u32 = 300;
}
