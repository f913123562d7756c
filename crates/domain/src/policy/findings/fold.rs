//! What do people read where tricks with characters were played?

use alloc::string::String;
use alloc::vec::Vec;

use model::permille::Permille;
use model::text::is_hidden;

use super::{Finding, FindingKind};

/// A character that is no ASCII and has no look-alike there; letters count as one.
const OTHER: u8 = 0x1a;

/// A sentence as ASCII bytes, each with its place in the sentence.
pub(super) struct Folded {
    bytes: Vec<u8>,
    /// Where the character of each byte starts and ends in the sentence.
    places: Vec<(usize, usize)>,
}

/// A run of bytes that are one word: ASCII letters, digits and apostrophes, in lower case.
pub(super) struct Word {
    pub(super) text: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Folded {
    pub(super) fn new(sentence: &str) -> Self {
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for (at, character) in sentence.char_indices() {
            if let Some(byte) = fold(character) {
                bytes.push(byte);
                places.push((at, at.saturating_add(character.len_utf8())));
            }
        }
        Self { bytes, places }
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
        let first = self.places.get(start).map_or(0, |place| place.0);
        let last = self
            .places
            .get(end.saturating_sub(1))
            .map_or(first, |place| place.1);
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
    byte.is_ascii_alphanumeric() || byte == OTHER
}

fn fold(character: char) -> Option<u8> {
    if character.is_whitespace() {
        return Some(b' ');
    }
    if is_hidden(character) || is_tag(character) {
        return None;
    }
    let ascii = match character {
        '\0'..='\u{7f}' => character,
        // Full-width forms stand 0xfee0 above ASCII.
        '\u{ff01}'..='\u{ff5e}' => shift(character, 0xfee0),
        '\u{660}'..='\u{669}' => shift(character, 0x630),
        '\u{6f0}'..='\u{6f9}' => shift(character, 0x6c0),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' => '-',
        '\u{2018}' | '\u{2019}' | '\u{2bc}' => '\'',
        // Cyrillic and Greek letters that look like Latin ones.
        'а' | 'α' => 'a',
        'е' => 'e',
        'і' => 'i',
        'о' | 'ο' => 'o',
        'р' | 'ρ' => 'p',
        'с' => 'c',
        'х' => 'x',
        'у' => 'y',
        'ѕ' => 's',
        _ => {
            return Some(if character.is_alphanumeric() {
                OTHER
            } else {
                b'\x1f'
            });
        }
    };
    u8::try_from(ascii).ok()
}

fn shift(character: char, down: u32) -> char {
    let code = u32::from(character).saturating_sub(down);
    char::from_u32(code).unwrap_or(character)
}

/// Characters that mark languages, are never shown, and can spell a whole text.
fn is_tag(character: char) -> bool {
    matches!(character, '\u{e0000}'..='\u{e007f}')
}

/// Tag characters, marks that turn the direction, and runs of zero-width characters: nobody writes them by accident.
pub(super) fn scan_hidden(sentence: &str, findings: &mut Vec<Finding>) {
    let mut run: Option<(usize, usize, usize)> = None;
    for (at, character) in sentence.char_indices() {
        let weight = match character {
            '\u{202d}' | '\u{202e}' | '\u{2066}'..='\u{2068}' => 4_usize,
            _ if is_tag(character) => 2,
            // One joins an emoji; a soft hyphen and a byte-order mark are harmless.
            '\u{200b}' | '\u{200c}' | '\u{2060}'..='\u{2064}' => 1,
            _ => 0,
        };
        if weight == 0 {
            report_hidden(run.take(), findings);
            continue;
        }
        let end = at.saturating_add(character.len_utf8());
        let (start, _, sum) = run.unwrap_or((at, end, 0));
        run = Some((start, end, sum.saturating_add(weight)));
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
