//! What does a provider say that knows nothing?

/// Short answers about ships. No character of theirs needs an escape in JSON; a test holds them to it.
const ANSWERS: [&str; 6] = [
    "The load line is the mark on the hull that says how deep a ship may sit. Cargo is counted before it is taken \
     on board, not after, because a ship that is found too deep at sea cannot put anything back on the quay.",
    "Freight is booked against the room that is left. If the hold is full, the clerk says so at the counter; nobody \
     is asked to swim. What was booked and not loaded is given back the same evening.",
    "In short: measure first, then load, then write down what was really taken. Three small steps, and the ledger \
     and the ship always agree.",
    "A harbour has many ships and one tide. Each of them has its own mark, and the fleet has one as well; the lowest \
     of them decides. That is why the pilot looks at all the marks before the gate opens.",
    "The summary of the voyage: fair wind, two ports, no incident. Coal was taken on at the second port at the agreed \
     price, and the remaining budget covers the way home with a margin.",
    "Yes. The line was drawn after ships were lost, and it has been kept since then. A rule that prevents the next \
     loss is cheaper than the best explanation of the last one, which is why the mark is painted where everybody can \
     see it and why nobody may paint over it.",
];

/// The answer to this prompt, cut after as many words as may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    /// What is said.
    pub(super) words: &'static str,
    /// How many words, each of which counts as one token.
    pub(super) tokens: usize,
    /// Whether there was more to say.
    pub(super) cut_short: bool,
}

impl Text {
    /// The same for the same prompt, always.
    pub(super) fn answer(prompt: u64, cap: Option<usize>) -> Self {
        let index = usize::try_from(prompt % 6).unwrap_or(0);
        let whole = ANSWERS.get(index).copied().unwrap_or_default();
        let cap = cap.unwrap_or(usize::MAX);
        let (mut end, mut tokens) = (0, 0);
        for word in whole.split_inclusive(' ').take(cap) {
            end += word.len();
            tokens += 1;
        }
        let words = whole.get(..end).unwrap_or(whole).trim_end();
        Self {
            words,
            tokens,
            cut_short: words.len() < whole.len(),
        }
    }

    /// The pieces in which it is streamed, one per token.
    pub(super) fn pieces(self) -> impl Iterator<Item = &'static str> {
        self.words.split_inclusive(' ')
    }
}

/// FNV-1a: the same number for the same bytes on every machine and in every release.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Tokens of this many bytes of input.
pub(super) const fn tokens_of(bytes: usize) -> usize {
    bytes.div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_need_no_escape_and_are_small() {
        for answer in ANSWERS {
            assert_eq!(serde_json::to_string(answer).unwrap(), format!("\"{answer}\""));
            assert!(!answer.contains("  "), "{answer}");
            assert!((20..100).contains(&answer.split(' ').count()), "{answer}");
        }
    }

    #[test]
    fn a_cap_cuts_after_so_many_words() {
        let whole = Text::answer(2, None);
        assert!(!whole.cut_short && whole.tokens == whole.words.split(' ').count());
        assert_eq!(whole.pieces().collect::<String>(), whole.words);
        let cut = Text::answer(2, Some(3));
        assert_eq!(
            cut,
            Text {
                words: "In short: measure",
                tokens: 3,
                cut_short: true
            }
        );
        assert_eq!(Text::answer(2, Some(whole.tokens)), whole);
        assert_eq!(Text::answer(2, Some(0)).words, "");
    }
}
