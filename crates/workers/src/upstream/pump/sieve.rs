//! Who says how much of an answer its client gets?

use std::fmt;

use bytes::Bytes;

use super::super::error::UpstreamError;

/// Says how much of an answer goes on to the client. It gets what has come, and when nothing more will, `None`; when it
/// withholds the rest, the answer is not read on.
pub struct Sieve(Box<dyn FnMut(Option<Bytes>) -> Sifted + Send>);

impl Sieve {
    /// A sieve that asks this.
    pub fn new(sift: impl FnMut(Option<Bytes>) -> Sifted + Send + 'static) -> Self {
        Self(Box::new(sift))
    }

    pub(super) fn sift(&mut self, came: Option<Bytes>) -> Sifted {
        (self.0)(came)
    }
}

impl fmt::Debug for Sieve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sieve").finish_non_exhaustive()
    }
}

/// What becomes of what has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sifted {
    /// What goes on now.
    pub pass: Bytes,
    /// Whether nothing goes on any more.
    pub withhold: bool,
}

/// What is said at the end of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Farewell {
    /// Its own end.
    Plain,
    /// This, before its own end.
    Note(Bytes),
    /// Its end is withheld.
    Withhold,
}

impl From<()> for Farewell {
    fn from((): ()) -> Self {
        Self::Plain
    }
}

/// Why a client does not get the rest of an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
    /// The provider.
    #[error(transparent)]
    Provider(#[from] UpstreamError),
    /// The sieve.
    #[error("the rest of the answer is withheld")]
    Withheld,
}

impl Cut {
    /// A stable word for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Provider(error) => error.code(),
            Self::Withheld => "policy_violation",
        }
    }
}
