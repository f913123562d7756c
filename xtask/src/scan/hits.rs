//! Where does each needle stand in a file?

/// The tokens of each needle. A file has a few dozen needles and each of them often, so its number is kept once.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    /// The number of a needle in `Words`, ascending, and where its tokens end in the list of all.
    ends: Box<[(u16, u32)]>,
    tokens: Box<[u32]>,
}

impl Hits {
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

/// Needles as they come, token by token.
#[derive(Default)]
pub(super) struct Noted {
    /// The number of the needle in `Words`, and the token.
    all: Vec<(u16, u32)>,
    /// By number: how often it came, and then where its next token goes.
    places: Vec<u32>,
    ends: Vec<(u16, u32)>,
}

impl Noted {
    pub(super) fn clear(&mut self) {
        self.all.clear();
    }

    pub(super) fn push(&mut self, id: u16, token: u32) {
        self.all.push((id, token));
    }

    /// The tokens by needle. There are few needles and they come in order of their tokens: nothing has to be compared.
    pub(super) fn done(&mut self) -> Hits {
        let largest = self.all.iter().map(|(id, _)| *id).max();
        self.places.clear();
        self.places.resize(largest.map_or(0, |id| usize::from(id) + 1), 0);
        for (id, _) in &self.all {
            if let Some(count) = self.places.get_mut(usize::from(*id)) {
                *count += 1;
            }
        }
        self.ends.clear();
        let mut end = 0;
        for (id, place) in (0..).zip(&mut self.places) {
            let count = std::mem::replace(place, end);
            if count > 0 {
                end += count;
                self.ends.push((id, end));
            }
        }
        let mut tokens = vec![0; self.all.len()].into_boxed_slice();
        for (id, token) in &self.all {
            if let Some(place) = self.places.get_mut(usize::from(*id))
                && let Some(slot) = tokens.get_mut(wide(*place))
            {
                *slot = *token;
                *place += 1;
            }
        }
        Hits {
            ends: self.ends.as_slice().into(),
            tokens,
        }
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
        let mut noted = Noted::default();
        noted.push(9, 1);
        noted.clear();
        for (id, token) in [(8, 0), (7, 1), (8, 3), (2, 5), (2, 9)] {
            noted.push(id, token);
        }
        let hits = noted.done();
        assert_eq!([2, 7, 8].map(|id| hits.of_word(id)), [&[5, 9][..], &[1], &[0, 3]]);
        assert_eq!([0, 3, 9].map(|id| hits.of_word(id).len()), [0; 3]);
        noted.clear();
        assert!(noted.done().of_word(8).is_empty());
    }
}
