//! How are the tokens of a file kept?

use std::ops::Range;

use super::Tok;

/// Tokens in order, in five bytes each: a large workspace has ten million of them, and memory that is touched for the
/// first time costs more than what is done with it.
#[derive(Debug, Default)]
pub(crate) struct List {
    /// Where each begins in the upper 25 bits, what it is in the lower 7.
    places: Box<[u32]>,
    lengths: Box<[u8]>,
    /// Lengths of the tokens whose length does not fit, by index, ascending.
    long: Box<[(usize, u32)]>,
}

/// A larger file does not fit.
pub(super) const LARGEST: usize = (1 << 25) - 1;
/// Stands for a length that does not fit.
const LONG: u8 = u8::MAX;

/// Numbers of the kinds that are no punctuation, which is printable ASCII, or 0 for what Rust does not know.
const IDENT: u8 = 1;
const LIFETIME: u8 = 2;
const STR: u8 = 3;
const CHAR: u8 = 4;
const NUMBER: u8 = 5;

/// A list that grows: wider, so that adding to it is a single step.
#[derive(Default)]
pub(super) struct Growing {
    /// Where each begins and what it is, as in the list, and its length.
    all: Vec<(u32, u32)>,
    long: Vec<(usize, u32)>,
}

impl Growing {
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.long.clear();
    }

    /// Adds a token that begins within `LARGEST`.
    pub(super) fn push(&mut self, start: u32, length: u32, tok: Tok) {
        let code = match tok {
            Tok::Ident => IDENT,
            Tok::Lifetime => LIFETIME,
            Tok::Str => STR,
            Tok::Char => CHAR,
            Tok::Number => NUMBER,
            Tok::P(byte) => byte & 0x7f,
        };
        if length >= u32::from(LONG) {
            self.long.push((self.all.len(), length));
        }
        self.all.push((start << 7 | u32::from(code), length));
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// What it is now, as large as it is.
    pub(super) fn done(&self) -> List {
        let short = |length: u32| {
            let [short, ..] = length.min(u32::from(LONG)).to_le_bytes();
            short
        };
        List {
            places: self.all.iter().map(|(place, _)| *place).collect(),
            lengths: self.all.iter().map(|(_, length)| short(*length)).collect(),
            long: self.long.as_slice().into(),
        }
    }
}

impl List {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn tok(&self, index: usize) -> Option<Tok> {
        self.places.get(index).map(|place| tok(*place))
    }

    /// The bytes of a token.
    pub(crate) fn range(&self, index: usize) -> Option<Range<usize>> {
        let (place, short) = (*self.places.get(index)?, *self.lengths.get(index)?);
        let length = if short == LONG {
            let at = self.long.binary_search_by_key(&index, |(index, _)| *index);
            self.long.get(at.ok()?)?.1
        } else {
            u32::from(short)
        };
        let start = wide(place >> 7);
        Some(start..start + wide(length))
    }

    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        (0..self.len()).filter_map(|index| self.range(index))
    }

    /// How many tokens stand before the first of which this is not true; it is true of those before it.
    pub(crate) fn partition_point(&self, is_before: impl Fn(Range<usize>) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.range(middle).is_some_and(&is_before) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

fn tok(place: u32) -> Tok {
    let [low, ..] = place.to_le_bytes();
    match low & 0x7f {
        IDENT => Tok::Ident,
        LIFETIME => Tok::Lifetime,
        STR => Tok::Str,
        CHAR => Tok::Char,
        NUMBER => Tok::Number,
        byte => Tok::P(byte),
    }
}

fn wide(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_comes_back_as_it_went_in_however_long_it_is() {
        let lengths = [1_u32, 254, 255, 256, 70_000];
        let toks = [
            Tok::Ident,
            Tok::Lifetime,
            Tok::Str,
            Tok::Char,
            Tok::Number,
            Tok::P(b'~'),
            Tok::P(0),
        ];
        let mut list = Growing::default();
        let mut start = 0;
        let mut expected = Vec::new();
        for length in lengths {
            for tok in toks {
                list.push(start, length, tok);
                expected.push((wide(start)..wide(start + length), tok));
                start += length;
            }
        }
        let list = list.done();
        let toks = (0..list.len()).filter_map(|at| list.tok(at));
        assert_eq!(list.ranges().zip(toks).collect::<Vec<_>>(), expected);
        assert_eq!((list.range(list.len()), list.tok(list.len())), (None, None));
        let middle = expected[17].0.start;
        assert_eq!(list.partition_point(|range| range.start < middle), 17);
        assert_eq!(list.partition_point(|_| true), list.len());
    }
}
