//! Which files may have a piece of text in their strings?

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter};

/// Pieces of text that are looked for in many files.
pub(crate) struct Spelled(Vec<Finder<'static>>);

impl Spelled {
    pub(crate) fn new<S: AsRef<str>>(pieces: impl IntoIterator<Item = S>) -> Self {
        let pieces = pieces.into_iter();
        Self(
            pieces
                .map(|piece| Finder::new(piece.as_ref()).into_owned())
                .collect(),
        )
    }

    /// Whether one of them stands there as it is.
    pub(crate) fn stands_in(&self, text: &str) -> bool {
        self.0.iter().any(|piece| piece.find(text.as_bytes()).is_some())
    }
}

/// Whether a string in a text may say something else than what stands there: `\x`, `\u`, or a line that goes on.
pub(crate) fn is_escaped(text: &str) -> bool {
    let bytes = text.as_bytes();
    let says = |at: usize| matches!(bytes.get(at + 1), Some(b'x' | b'u' | b'\n' | b'\r'));
    memchr(b'\\', bytes).is_some_and(|first| {
        let later = bytes.get(first..).unwrap_or_default();
        memchr_iter(b'\\', later).any(|at| says(first + at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_text_and_what_may_be_spelled_in_it_is_found() {
        let pieces = Spelled::new(["POLICY_", "p}"]);
        assert!(pieces.stands_in("x POLICY_LIMIT") && pieces.stands_in("{:p}"));
        assert!(!pieces.stands_in("policy_") && !pieces.stands_in("p }"));
        for escaped in [r"a \n \x41", r"\u{41}", "a \\\n b", "\\\r\n"] {
            assert!(is_escaped(escaped), "{escaped:?}");
        }
        for plain in ["", r"a\n\t", r"\", "x u", r"\t x"] {
            assert!(!is_escaped(plain), "{plain:?}");
        }
    }
}
