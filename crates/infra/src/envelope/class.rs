//! Which kinds of errors are there, and how bad is one?
//!
//! The words are frozen: they stand in stored records and in the queries over them.

use std::fmt;
use std::str::FromStr;

/// A word that is not in the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not a known {what}")]
pub struct WordError {
    /// Which vocabulary.
    pub what: &'static str,
    /// The word.
    pub word: String,
}

macro_rules! words {
    ($what:literal, $(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The frozen word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = WordError;

            fn from_str(text: &str) -> Result<Self, WordError> {
                let found = Self::ALL.iter().copied().find(|word| word.as_str() == text);
                found.ok_or_else(|| WordError { what: $what, word: text.to_owned() })
            }
        }
    };
}
pub(super) use words;

words! { "error severity",
    /// How bad an error is.
    ErrorSeverity {
        /// Of interest to developers only.
        Debug = "debug",
        /// Expected in normal operation.
        Info = "info",
        /// Worth a look.
        Warning = "warning",
        /// Something did not work.
        Error = "error",
        /// Somebody has to act now.
        Critical = "critical",
    }
}

words! { "error class",
    /// What we run on failed.
    InfraClass {
        /// The network.
        Network = "infra.network",
        /// The database.
        Database = "infra.database",
        /// A service that others run, such as a provider.
        ExternalService = "infra.external_service",
        /// No answer in time.
        Timeout = "infra.timeout",
        /// No memory, disk, connection or place in a queue left.
        ResourceExhausted = "infra.resource_exhausted",
        /// A connection was refused or broke.
        Connection = "infra.connection",
    }
}

words! { "error class",
    /// A rule of the product said no.
    DomainClass {
        /// The request makes no sense.
        Validation = "domain.validation",
        /// The caller may not do this.
        Authorization = "domain.authorization",
        /// Too many at once.
        RateLimit = "domain.rate_limit",
        /// The money is spent.
        BudgetExceeded = "domain.budget_exceeded",
        /// A Policy Rule forbids it.
        PolicyViolation = "domain.policy_violation",
        /// It contradicts what is there.
        Constraint = "domain.constraint",
        /// It is not there.
        NotFound = "domain.not_found",
    }
}

words! { "error class",
    /// We ourselves are wrong.
    SystemClass {
        /// A defect.
        Internal = "system.internal",
        /// Wrongly configured.
        Configuration = "system.configuration",
        /// A repair failed.
        RecoveryFailed = "system.recovery_failed",
        /// Stored state contradicts itself.
        StateCorruption = "system.state_corruption",
        /// What cannot be was.
        Assertion = "system.assertion",
    }
}

words! { "error class",
    /// Nobody knows what kind of error it is. Every layer may say so.
    UnknownClass {
        /// Not classified.
        Unknown = "unknown",
    }
}

/// What kind of error it is: one of 19.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// What we run on failed.
    Infra(InfraClass),
    /// A rule of the product said no.
    Domain(DomainClass),
    /// We ourselves are wrong.
    System(SystemClass),
    /// Nobody knows.
    Unknown,
}

impl ErrorClass {
    /// All 19, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        let infra = InfraClass::ALL.iter().copied().map(Self::Infra);
        let domain = DomainClass::ALL.iter().copied().map(Self::Domain);
        let system = SystemClass::ALL.iter().copied().map(Self::System);
        infra.chain(domain).chain(system).chain([Self::Unknown])
    }

    /// The frozen word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Infra(class) => class.as_str(),
            Self::Domain(class) => class.as_str(),
            Self::System(class) => class.as_str(),
            Self::Unknown => UnknownClass::Unknown.as_str(),
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ErrorClass {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let found = Self::all().find(|class| class.as_str() == text);
        found.ok_or_else(|| WordError {
            what: "error class",
            word: text.to_owned(),
        })
    }
}

impl From<InfraClass> for ErrorClass {
    fn from(class: InfraClass) -> Self {
        Self::Infra(class)
    }
}

impl From<DomainClass> for ErrorClass {
    fn from(class: DomainClass) -> Self {
        Self::Domain(class)
    }
}

impl From<SystemClass> for ErrorClass {
    fn from(class: SystemClass) -> Self {
        Self::System(class)
    }
}

impl From<UnknownClass> for ErrorClass {
    fn from(UnknownClass::Unknown: UnknownClass) -> Self {
        Self::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_frozen() {
        let words: Vec<_> = ErrorClass::all().map(ErrorClass::as_str).collect();
        let frozen = "infra.network infra.database infra.external_service infra.timeout \
            infra.resource_exhausted infra.connection domain.validation domain.authorization domain.rate_limit \
            domain.budget_exceeded domain.policy_violation domain.constraint domain.not_found system.internal \
            system.configuration system.recovery_failed system.state_corruption system.assertion unknown";
        assert_eq!(words.join(" "), frozen);
        assert_eq!(words.len(), 19);
        let severities: Vec<_> = ErrorSeverity::ALL
            .iter()
            .map(|severity| severity.as_str())
            .collect();
        assert_eq!(severities, ["debug", "info", "warning", "error", "critical"]);
        assert!(ErrorSeverity::ALL.is_sorted());
    }

    #[test]
    fn every_word_is_read_back_and_no_other() {
        for class in ErrorClass::all() {
            assert_eq!(class.as_str().parse(), Ok(class));
        }
        for severity in ErrorSeverity::ALL {
            assert_eq!(severity.as_str().parse(), Ok(*severity));
        }
        assert!("infra".parse::<ErrorClass>().is_err());
        assert!("domain.timeout".parse::<ErrorClass>().is_err());
        assert!("Critical".parse::<ErrorSeverity>().is_err());
    }
}
