//! How bad is it? One table for the four scales of the requirements.

use crate::wire::wire_enum;

wire_enum! {
    /// The severity of an incident, worst first. The scales name the same four rungs differently:
    ///
    /// | here | word | number | ops |
    /// |---|---|---|---|
    /// | SEV1 | critical | 5 | URGENT |
    /// | SEV2 | high | 4 | ACTION |
    /// | SEV3 | medium | 3 | ATTENTION |
    /// | SEV4 | low | 2 | INFO |
    Severity {
        /// Critical: someone is paged now.
        Sev1,
        /// High: someone acts today.
        Sev2,
        /// Medium: worth attention.
        Sev3,
        /// Low: worth knowing.
        Sev4,
    }
}

impl Severity {
    /// The severity that the customer console calls so.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Sev1, Self::Sev2, Self::Sev3, Self::Sev4]
            .into_iter()
            .find(|severity| severity.word() == word)
    }

    /// The word of the customer console.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sev1 => "critical",
            Self::Sev2 => "high",
            Self::Sev3 => "medium",
            Self::Sev4 => "low",
        }
    }

    /// The number of the ops event stream, 5 worst.
    pub const fn number(self) -> i32 {
        match self {
            Self::Sev1 => 5,
            Self::Sev2 => 4,
            Self::Sev3 => 3,
            Self::Sev4 => 2,
        }
    }

    /// The word of the founder's console.
    pub const fn ops(self) -> &'static str {
        match self {
            Self::Sev1 => "URGENT",
            Self::Sev2 => "ACTION",
            Self::Sev3 => "ATTENTION",
            Self::Sev4 => "INFO",
        }
    }
}
