//! How does a request stay part of a distributed trace (W3C Trace Context)?

use std::fmt;
use std::str::FromStr;

/// The flags that have a meaning: sampled, and random trace id. Others are passed on as zero.
const KNOWN_FLAGS: u8 = 0b11;

/// A `traceparent` header of version 00.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
}

/// Why a text is not a `traceparent` that is continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TraceParentError {
    /// Not `00-{32 hex}-{16 hex}-{2 hex}` in lower case.
    #[error("expected 00-, 32, 16 and 2 lower-case hex digits, separated by `-`")]
    Syntax,
    /// All digits of the trace's or the parent's id are zero.
    #[error("an id of zeros only")]
    Zero,
}

impl TraceParent {
    /// A trace and a step in it; none if one of the ids is zero.
    pub fn new(trace_id: u128, parent_id: u64, flags: u8) -> Option<Self> {
        (trace_id != 0 && parent_id != 0).then_some(Self {
            trace_id,
            parent_id,
            flags,
        })
    }

    /// The same trace with this step as the parent of what follows.
    #[must_use]
    pub fn child(self, span: u64) -> Self {
        Self {
            parent_id: span.max(1),
            flags: self.flags & KNOWN_FLAGS,
            ..self
        }
    }

    /// The id that all steps of the trace share.
    pub fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// The step that the header names.
    pub fn parent_id(self) -> u64 {
        self.parent_id
    }

    /// Whether the caller records this trace.
    pub fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id, self.parent_id, self.flags
        )
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        let mut parts = text.split('-');
        let mut hex = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            let plain = part
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            plain.then(|| u128::from_str_radix(part, 16).ok()).flatten()
        };
        let (version, trace_id, parent_id, flags) = (hex(2), hex(32), hex(16), hex(2));
        if version != Some(0) || parts.next().is_some() {
            return Err(TraceParentError::Syntax);
        }
        let parent_id = parent_id.and_then(|id| u64::try_from(id).ok());
        let flags = flags.and_then(|flags| u8::try_from(flags).ok());
        let (Some(trace_id), Some(parent_id), Some(flags)) = (trace_id, parent_id, flags) else {
            return Err(TraceParentError::Syntax);
        };
        Self::new(trace_id, parent_id, flags).ok_or(TraceParentError::Zero)
    }
}

/// The lower half of an id's bits.
pub(super) fn low_64_bits(bits: u128) -> u64 {
    u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(trace in 1u128.., parent in 1u64.., flags: u8, span: u64) {
            let header = TraceParent::new(trace, parent, flags).unwrap();
            prop_assert_eq!(header.to_string().parse(), Ok(header));
            let child = header.child(span);
            prop_assert_eq!(child.to_string().parse(), Ok(child));
            prop_assert_eq!(child.trace_id(), trace);
        }

        #[test]
        fn what_is_read_is_written_back(text in "0[0-1]-[0-9a-f]{31,33}-[0-9a-fA-F]{16}-[0-9a-f]{2}") {
            if let Ok(header) = text.parse::<TraceParent>() {
                prop_assert_eq!(header.to_string(), text);
            }
        }
    }

    #[test]
    fn only_version_00_in_its_one_spelling_is_continued() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let header: TraceParent = good.parse().unwrap();
        assert!(header.is_sampled());
        assert_eq!(header.parent_id(), 0x00f0_67aa_0ba9_02b7);
        for bad in [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-+0f067aa0ba902b7-01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(bad.parse::<TraceParent>(), Err(TraceParentError::Syntax), "{bad}");
        }
        for zero in [
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(zero.parse::<TraceParent>(), Err(TraceParentError::Zero), "{zero}");
        }
    }
}
