//! Which identifiers does some rule look for? One look per identifier finds them for all rules.

/// Words that the scan itself needs, by which it numbers them.
const OWN: [&str; 15] = [
    "cfg", "test", "mod", "use", "extern", "concat", "fn", "trait", "struct", "enum", "union", "const",
    "static", "type", "impl",
];
pub(crate) const MOD: u16 = 2;
pub(crate) const USE: u16 = 3;
pub(crate) const EXTERN: u16 = 4;
pub(crate) const CONCAT: u16 = 5;
/// The keywords with which an item begins.
pub(crate) const ITEMS: [u16; 10] = [MOD, 6, 7, 8, 9, 10, 11, 12, 13, 14];

/// A word goes to one of so many lists; a power of two.
const LISTS: usize = 1 << 11;

/// The needles of all rules, numbered.
pub(crate) struct Words {
    /// Lengths (as bits) of the needles by their first byte: most identifiers end here.
    lengths: Vec<u64>,
    lists: Vec<Vec<(&'static str, u16)>>,
    /// Whether anybody asks.
    pub(super) wanted: bool,
}

impl Words {
    pub(crate) fn new(needles: impl IntoIterator<Item = &'static str>) -> Self {
        let mut words = Self {
            wanted: true,
            ..Self::none()
        };
        let mut next = 0;
        for needle in OWN.into_iter().chain(needles) {
            if words.id(needle).is_some() {
                continue;
            }
            if let Some(first) = needle.bytes().next()
                && let Some(mask) = words.lengths.get_mut(usize::from(first))
            {
                *mask |= bit(needle.len());
            }
            if let Some(list) = words.lists.get_mut(Place::of(needle).0) {
                list.push((needle, next));
                next += 1;
            }
        }
        words
    }

    /// Nothing is noted, not even what the scan needs: for those who only count tokens.
    pub(crate) fn none() -> Self {
        Self {
            lengths: vec![0; 256],
            lists: vec![Vec::new(); LISTS],
            wanted: false,
        }
    }

    pub(crate) fn id(&self, word: &str) -> Option<u16> {
        self.id_at(Place::of(word), word)
    }

    /// The number of a word whose place is known.
    pub(super) fn id_at(&self, place: Place, word: &str) -> Option<u16> {
        let first = word.bytes().next()?;
        let mask = self.lengths.get(usize::from(first))?;
        if mask & bit(word.len()) == 0 {
            return None;
        }
        let list = self.lists.get(place.0)?.iter();
        list.filter(|(needle, _)| *needle == word)
            .map(|(_, id)| *id)
            .next()
    }
}

/// Which identifiers a file may have, by a few of their bytes: one that it has is never missed.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen([u64; SEEN]);

/// 2,048 bits: a file of 400 lines has a few hundred identifiers.
const SEEN: usize = 32;

impl Seen {
    pub(super) fn note(&mut self, place: Place) {
        if let Some(bits) = self.0.get_mut(place.0 / 64 % SEEN) {
            *bits |= 1 << (place.0 % 64);
        }
    }

    /// Everything that the other has seen too.
    pub(crate) fn add(&mut self, other: &Self) {
        for (own, more) in self.0.iter_mut().zip(&other.0) {
            *own |= more;
        }
    }

    pub(crate) fn may_have(&self, word: &str) -> bool {
        let place = Place::of(word).0;
        let bits = self.0.get(place / 64 % SEEN);
        bits.is_some_and(|bits| bits & (1 << (place % 64)) != 0)
    }

    pub(crate) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut seen = Self::default();
        words.into_iter().for_each(|word| seen.note(Place::of(word)));
        seen
    }
}

fn bit(length: usize) -> u64 {
    1 << length.min(63)
}

/// The list of a word, which is its bit among those that were seen too.
#[derive(Clone, Copy)]
pub(super) struct Place(usize);

impl Place {
    /// First, middle and last byte and the length tell most words apart.
    pub(super) fn of(word: &str) -> Self {
        let bytes = word.as_bytes();
        let at = |index: usize| usize::from(bytes.get(index).copied().unwrap_or_default());
        let middle = at(bytes.len() / 2);
        Self((at(0) * 67 + middle * 31 + at(bytes.len().saturating_sub(1)) * 7 + bytes.len()) % LISTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_never_missed() {
        let names = ["a", "limit", "Limits", "r", "straße", "_"];
        let seen = Seen::of(names);
        assert!(names.iter().all(|name| seen.may_have(name)));
        assert!(!seen.may_have("unseen") && !Seen::default().may_have("a"));
    }

    #[test]
    fn the_numbers_of_the_scans_own_words_are_fixed() {
        let words = Words::new(["todo", "use", "abc", "aXc"]);
        assert_eq!(
            [MOD, USE, EXTERN, CONCAT].map(Some),
            ["mod", "use", "extern", "concat"].map(|word| words.id(word))
        );
        assert_eq!(
            ITEMS.map(Some),
            [
                "mod", "fn", "trait", "struct", "enum", "union", "const", "static", "type", "impl"
            ]
            .map(|word| words.id(word))
        );
        assert_eq!(
            ["todo", "abc", "aXc"].map(|word| words.id(word)),
            [Some(15), Some(16), Some(17)]
        );
        assert_eq!(["tod", "todx", "", "r"].map(|word| words.id(word)), [None; 4]);
        assert_eq!(Words::none().id("use"), None);
    }
}
