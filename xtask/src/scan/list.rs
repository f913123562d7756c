//! How are the tokens of a file kept?

use std::ops::Range;

use super::Tok;

/// Tokens in order, in four bytes each: a large workspace has ten million of them, and memory that is touched for the
/// first time costs more than what is done with it.
#[derive(Debug, Default)]
pub(crate) struct List {
    /// Where each begins in the upper 25 bits, its code in the lower 7.
    places: Box<[u32]>,
    /// Lengths of the tokens whose code does not say it, by index, ascending.
    long: Box<[(u32, u32)]>,
}

/// A larger file does not fit.
pub(super) const LARGEST: usize = (1 << 25) - 1;

/// Codes say what a token is and, for most, how long: punctuation is the byte that it is, always one long, and these
/// ranges between printable ASCII punctuation hold the lengths that are usual for the others.
const IDENT: u8 = 1;
const NUMBER: u8 = b'0';
const WIDE_IDENT: u8 = b'A';
const LIFETIME: u8 = b'M';
const CHAR: u8 = b'Q';
const STR: u8 = b'a';
/// Codes of tokens whose length is in the table.
const LONG_IDENT: u8 = b'T';
const LONG_STR: u8 = b'U';
const LONG_NUMBER: u8 = b'V';
const LONG_LIFETIME: u8 = b'W';
const LONG_CHAR: u8 = b'X';
const LONG_PUNCTUATION: u8 = 0x7f;

/// A list that grows.
#[derive(Default)]
pub(super) struct Growing {
    places: Vec<u32>,
    long: Vec<(u32, u32)>,
}

impl Growing {
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.long.clear();
    }

    /// Adds a token that begins within `LARGEST`.
    pub(super) fn push(&mut self, start: u32, length: u32, tok: Tok) {
        let short = match length {
            0..=0x7f => length.to_le_bytes()[0],
            _ => 0x7f,
        };
        let code = match (tok, short) {
            (Tok::P(byte), 1) => byte & 0x7f,
            (Tok::Ident, 1..=32) => IDENT - 1 + short,
            (Tok::Ident, 33..=44) => WIDE_IDENT - 33 + short,
            (Tok::Str, 2..=27) => STR - 2 + short,
            (Tok::Number, 1..=10) => NUMBER - 1 + short,
            (Tok::Lifetime, 2..=5) => LIFETIME - 2 + short,
            (Tok::Char, 3..=5) => CHAR - 3 + short,
            _ => self.long(length, tok),
        };
        self.places.push(start << 7 | u32::from(code));
    }

    #[cold]
    fn long(&mut self, length: u32, tok: Tok) -> u8 {
        let index = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.long.push((index, length));
        match tok {
            Tok::Ident => LONG_IDENT,
            Tok::Str => LONG_STR,
            Tok::Number => LONG_NUMBER,
            Tok::Lifetime => LONG_LIFETIME,
            Tok::Char => LONG_CHAR,
            Tok::P(_) => LONG_PUNCTUATION,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// What it is now, as large as it is.
    pub(super) fn done(&self) -> List {
        List {
            places: self.places.as_slice().into(),
            long: self.long.as_slice().into(),
        }
    }
}

impl List {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn tok(&self, index: usize) -> Option<Tok> {
        self.places.get(index).map(|place| told(*place).0)
    }

    /// Whether the token is this punctuation.
    pub(crate) fn is(&self, index: usize, punctuation: u8) -> bool {
        self.places
            .get(index)
            .is_some_and(|place| code(*place) == punctuation)
    }

    /// The bytes of a token.
    pub(crate) fn range(&self, index: usize) -> Option<Range<usize>> {
        let place = *self.places.get(index)?;
        self.bytes(index, place, told(place).1)
    }

    /// The bytes of an identifier; none for every other token.
    pub(crate) fn ident(&self, index: usize) -> Option<Range<usize>> {
        let place = *self.places.get(index)?;
        match told(place) {
            (Tok::Ident, length) => self.bytes(index, place, length),
            _ => None,
        }
    }

    fn bytes(&self, index: usize, place: u32, length: u8) -> Option<Range<usize>> {
        let length = match length {
            0 => self.long(index)?,
            length => usize::from(length),
        };
        let start = wide(place >> 7);
        Some(start..start + length)
    }

    #[cold]
    fn long(&self, index: usize) -> Option<usize> {
        let index = u32::try_from(index).ok()?;
        let at = self.long.binary_search_by_key(&index, |(index, _)| *index);
        self.long.get(at.ok()?).map(|(_, length)| wide(*length))
    }

    /// Indexes of the identifiers.
    pub(crate) fn idents(&self) -> impl Iterator<Item = usize> + '_ {
        let all = self.places.iter().enumerate();
        all.filter(|(_, place)| told(**place).0 == Tok::Ident)
            .map(|(index, _)| index)
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

fn code(place: u32) -> u8 {
    let [low, ..] = place.to_le_bytes();
    low & 0x7f
}

/// What each code says.
static CODES: [(Tok, u8); 1 << 7] = {
    let mut codes = [(Tok::Ident, 0); 1 << 7];
    let mut code = 0;
    let mut rest: &mut [(Tok, u8)] = &mut codes;
    while let Some((first, others)) = rest.split_first_mut() {
        *first = (tok(code), length(code));
        code += 1;
        rest = others;
    }
    codes
};

fn told(place: u32) -> (Tok, u8) {
    CODES
        .get(usize::from(code(place)))
        .copied()
        .unwrap_or((Tok::P(0), 0))
}

const fn tok(code: u8) -> Tok {
    match code {
        1..=32 | b'A'..=b'L' | LONG_IDENT => Tok::Ident,
        b'a'..=b'z' | LONG_STR => Tok::Str,
        b'0'..=b'9' | LONG_NUMBER => Tok::Number,
        b'M'..=b'P' | LONG_LIFETIME => Tok::Lifetime,
        b'Q'..=b'S' | LONG_CHAR => Tok::Char,
        LONG_PUNCTUATION => Tok::P(0),
        byte => Tok::P(byte),
    }
}

/// The length that a code says; 0 when it says none.
const fn length(code: u8) -> u8 {
    match code {
        1..=32 => code - IDENT + 1,
        b'A'..=b'L' => code - WIDE_IDENT + 33,
        b'a'..=b'z' => code - STR + 2,
        b'0'..=b'9' => code - NUMBER + 1,
        b'M'..=b'P' => code - LIFETIME + 2,
        b'Q'..=b'S' => code - CHAR + 3,
        b'T'..=b'X' | LONG_PUNCTUATION => 0,
        _ => 1,
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
        let mut toks: Vec<_> = (0..0x7f_u8)
            .filter(|byte| *byte == 0 || byte.is_ascii_punctuation())
            .map(Tok::P)
            .collect();
        toks.extend([Tok::Ident, Tok::Lifetime, Tok::Str, Tok::Char, Tok::Number]);
        let mut list = Growing::default();
        let mut start = 0;
        let mut expected = Vec::new();
        for length in (1..130_u32).chain([254, 255, 256, 70_000]) {
            for tok in &toks {
                // What Rust does not know may have any length; all other punctuation is one character.
                if length == 1 || !matches!(tok, Tok::P(1..)) {
                    list.push(start, length, *tok);
                    expected.push((wide(start)..wide(start + length), *tok));
                    start += length;
                }
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
