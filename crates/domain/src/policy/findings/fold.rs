//! What do people read where tricks with characters were played?

use alloc::string::String;
use alloc::vec::Vec;

use model::permille::Permille;
use model::text::is_hidden;

use super::escapes::{Character, Characters};
use super::{Finding, FindingKind, alike};

/// A letter or digit that is no ASCII and looks like none.
const OTHER: u8 = 0x1a;

/// The same, if it is a letter of an alphabet in which addresses are written too.
pub(super) const LETTER: u8 = 0x1b;

/// A sentence as ASCII bytes, each with its place in the sentence.
pub(super) struct Folded {
    bytes: Vec<u8>,
    places: Vec<Place>,
    /// Whether a letter behind a backslash was read as an escape: where it is none, it is the letter.
    has_escapes: bool,
}

/// Where the character of a byte starts and ends in the sentence.
struct Place {
    start: usize,
    end: usize,
    /// Whether it only looks like its byte.
    alike: bool,
}

/// A run of bytes that are one word: ASCII letters, digits and apostrophes, in lower case.
pub(super) struct Word {
    pub(super) text: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Folded {
    /// As it is read where backslashes are escapes of JSON.
    pub(super) fn new(sentence: &str) -> Self {
        Self::of(Characters::new(sentence, true))
    }

    /// As it is read where they are not.
    pub(super) fn as_written(sentence: &str) -> Self {
        Self::of(Characters::new(sentence, false))
    }

    fn of(characters: Characters<'_>) -> Self {
        let mut folded = Self {
            bytes: Vec::new(),
            places: Vec::new(),
            has_escapes: false,
        };
        for one in characters {
            let Character {
                character,
                start,
                end,
                ..
            } = one;
            folded.has_escapes |= one.escaped && !matches!(character, '"' | '/');
            if let Some((byte, alike)) = fold(character) {
                folded.bytes.push(byte);
                folded.places.push(Place { start, end, alike });
            }
        }
        folded
    }

    /// Whether it would be another one as it is written.
    pub(super) const fn has_escapes(&self) -> bool {
        self.has_escapes
    }

    /// Whether the letter there is another one, which looks like it.
    pub(super) fn is_alike(&self, at: usize) -> bool {
        self.places.get(at).is_some_and(|place| place.alike)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The byte there; 0 outside.
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// The bytes from here to there.
    pub(super) fn part(&self, start: usize, end: usize) -> &[u8] {
        self.bytes
            .get(start..end.min(self.bytes.len()))
            .unwrap_or_default()
    }

    /// Whether something that starts here is not the rest of a word.
    pub(super) fn starts_word(&self, at: usize) -> bool {
        at.checked_sub(1).is_none_or(|before| !is_word(self.byte(before)))
    }

    /// Whether something that ends before this is not the start of a word.
    pub(super) fn ends_word(&self, end: usize) -> bool {
        !is_word(self.byte(end))
    }

    /// How many bytes from here on are of this kind, at most so many.
    pub(super) fn run(&self, start: usize, most: usize, of: impl Fn(u8) -> bool) -> usize {
        let end = start.saturating_add(most);
        let rest = self
            .bytes
            .get(start..end.min(self.bytes.len()))
            .unwrap_or_default();
        rest.iter().take_while(|byte| of(**byte)).count()
    }

    /// A finding from here to there.
    pub(super) fn finding(&self, kind: FindingKind, start: usize, end: usize, thousandths: u16) -> Finding {
        let first = self.places.get(start).map_or(0, |place| place.start);
        let last = self
            .places
            .get(end.saturating_sub(1))
            .map_or(first, |place| place.end);
        Finding {
            kind,
            start: first,
            end: last,
            confidence: Permille::new(thousandths),
        }
    }

    pub(super) fn words(&self) -> Vec<Word> {
        let in_word = |byte: u8| is_word(byte) || byte == b'\'';
        let mut words = Vec::new();
        let mut at = 0_usize;
        while at < self.bytes.len() {
            let length = self.run(at, usize::MAX, in_word);
            if length > 0 {
                let end = at.saturating_add(length);
                let text = self
                    .part(at, end)
                    .iter()
                    .map(|byte| char::from(byte.to_ascii_lowercase()));
                words.push(Word {
                    text: text.collect(),
                    start: at,
                    end,
                });
            }
            at = at.saturating_add(length).saturating_add(1);
        }
        words
    }
}

pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, OTHER | LETTER)
}

/// The byte of a character, and whether it only looks like it; none for what nobody sees.
fn fold(character: char) -> Option<(u8, bool)> {
    if character.is_whitespace() {
        return Some((b' ', false));
    }
    // Accents that are characters of their own leave the letter below them.
    if is_hidden(character) || is_tag(character) || matches!(character, '\u{300}'..='\u{36f}') {
        return None;
    }
    let alike = alike::latin(character);
    let ascii = match character {
        '\0'..='\u{7f}' => Some(character),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' => Some('-'),
        '\u{2018}' | '\u{2019}' | '\u{2bc}' => Some('\''),
        _ => alike.or_else(|| alike::plain(character)),
    };
    let byte = match ascii {
        Some(ascii) => u8::try_from(ascii).ok()?,
        None if alike::is_letter(character) => LETTER,
        None if character.is_alphanumeric() => OTHER,
        None => b'\x1f',
    };
    Some((byte, alike.is_some()))
}

/// Characters that mark languages, are never shown, and can spell a whole text.
fn is_tag(character: char) -> bool {
    matches!(character, '\u{e0000}'..='\u{e007f}')
}

/// Tag characters, marks that turn the direction, and runs of zero-width characters: nobody writes them by accident. Where
/// they are escapes, people see them, and code has many: tag characters alone have no use there either.
pub(super) fn scan_hidden(sentence: &str, findings: &mut Vec<Finding>) {
    let mut run: Option<(usize, usize, usize)> = None;
    for one in Characters::new(sentence, true) {
        let weight = match one.character {
            character if one.escaped && !is_tag(character) => 0,
            '\u{202d}' | '\u{202e}' | '\u{2066}'..='\u{2068}' => 4_usize,
            character if is_tag(character) => 2,
            // One joins an emoji; a soft hyphen and a byte-order mark are harmless.
            '\u{200b}' | '\u{200c}' | '\u{2060}'..='\u{2064}' => 1,
            _ => 0,
        };
        if weight == 0 {
            report_hidden(run.take(), findings);
            continue;
        }
        let (start, _, sum) = run.unwrap_or((one.start, one.end, 0));
        run = Some((start, one.end, sum.saturating_add(weight)));
    }
    report_hidden(run, findings);
}

fn report_hidden(run: Option<(usize, usize, usize)>, findings: &mut Vec<Finding>) {
    if let Some((start, end, weight)) = run
        && weight >= 4
    {
        findings.push(Finding {
            kind: FindingKind::HiddenText,
            start,
            end,
            confidence: Permille::new(800),
        });
    }
}
