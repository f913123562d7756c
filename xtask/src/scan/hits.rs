//! Where does each needle stand in a file?

/// The tokens of each needle. A file has a few dozen needles and each of them often, so its number is kept once.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    /// The number of a needle in `Words`, ascending, and where its tokens end in the list of all.
    ends: Box<[(u16, u32)]>,
    tokens: Box<[u32]>,
}

impl Hits {
    /// Of numbers and tokens, ascending.
    pub(super) fn of(sorted: &[(u16, u32)]) -> Self {
        let mut ends: Vec<(u16, u32)> = Vec::new();
        for (end, (id, _)) in (1..).zip(sorted) {
            match ends.last_mut().filter(|(last, _)| last == id) {
                Some(last) => last.1 = end,
                None => ends.push((*id, end)),
            }
        }
        Self {
            ends: ends.as_slice().into(),
            tokens: sorted.iter().map(|(_, token)| *token).collect(),
        }
    }

    /// The tokens that are this needle, ascending.
    pub(crate) fn of_word(&self, id: u16) -> &[u32] {
        let Ok(at) = self.ends.binary_search_by_key(&id, |(id, _)| *id) else {
            return &[];
        };
        let end = |at: usize| self.ends.get(at).map_or(0, |(_, end)| wide(*end));
        let start = at.checked_sub(1).map_or(0, end);
        self.tokens.get(start..end(at)).unwrap_or_default()
    }
}

fn wide(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_needle_has_its_own_tokens_in_order() {
        let hits = Hits::of(&[(2, 5), (2, 9), (7, 1), (8, 0), (8, 3)]);
        assert_eq!([2, 7, 8].map(|id| hits.of_word(id)), [&[5, 9][..], &[1], &[0, 3]]);
        assert_eq!([0, 3, 9].map(|id| hits.of_word(id).len()), [0; 3]);
        assert!(Hits::of(&[]).of_word(1).is_empty());
    }
}
