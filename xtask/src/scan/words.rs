//! Which identifiers does some rule look for? One look per identifier finds them for all rules.

use std::collections::HashMap;

/// Words that the scan itself needs.
const OWN: [&str; 2] = ["cfg", "test"];

/// The needles of all rules, numbered.
pub(crate) struct Words {
    /// Lengths (as bits) of the needles by their first byte: most identifiers end here.
    lengths: Vec<u64>,
    ids: HashMap<&'static str, u16>,
}

impl Words {
    pub(crate) fn new(needles: impl IntoIterator<Item = &'static str>) -> Self {
        let mut words = Self {
            lengths: vec![0; 256],
            ids: HashMap::new(),
        };
        for needle in OWN.into_iter().chain(needles) {
            let next = u16::try_from(words.ids.len()).unwrap_or(u16::MAX);
            words.ids.entry(needle).or_insert(next);
            if let Some(first) = needle.bytes().next()
                && let Some(mask) = words.lengths.get_mut(usize::from(first))
            {
                *mask |= bit(needle.len());
            }
        }
        words
    }

    pub(crate) fn id(&self, word: &str) -> Option<u16> {
        let first = word.bytes().next()?;
        let mask = self.lengths.get(usize::from(first))?;
        if mask & bit(word.len()) == 0 {
            return None;
        }
        self.ids.get(word).copied()
    }
}

fn bit(length: usize) -> u64 {
    1 << length.min(63)
}
