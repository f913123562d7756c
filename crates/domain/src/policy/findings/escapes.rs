//! What does a backslash mean?
//!
//! What tools are given and what they give is JSON in a text: a line break is written there as a backslash and `n`, and in
//! JSON within JSON as several backslashes and `n`. A model reads a line break in all of them. What is no escape of JSON is
//! a backslash.

/// The most bytes of an escape behind its backslashes and in front of the last one.
const INSIDE_MAX: usize = 11;

/// A character, and where it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Character {
    pub(super) character: char,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it is written with backslashes.
    pub(super) escaped: bool,
}

/// The characters of a text; with `escapes`, what is written with backslashes is one.
pub(super) struct Characters<'t> {
    text: &'t str,
    escapes: bool,
    at: usize,
    /// Whether this stands behind a backslash that means nothing: more of them do not either.
    behind: bool,
}

impl<'t> Characters<'t> {
    pub(super) const fn new(text: &'t str, escapes: bool) -> Self {
        Self {
            text,
            escapes,
            at: 0,
            behind: false,
        }
    }
}

impl Iterator for Characters<'_> {
    type Item = Character;

    fn next(&mut self) -> Option<Character> {
        let rest = self.text.get(self.at..)?;
        let character = rest.chars().next()?;
        let slash = self.escapes && character == '\\';
        let read = if slash && !self.behind {
            escaped(rest)
        } else {
            None
        };
        self.behind = slash && read.is_none();
        let (character, length) = read.unwrap_or((character, character.len_utf8()));
        let start = self.at;
        self.at = start.saturating_add(length);
        Some(Character {
            character,
            start,
            end: self.at,
            escaped: read.is_some(),
        })
    }
}

/// The character that is written with the backslashes at the start of this, and its length in bytes.
fn escaped(text: &str) -> Option<(char, usize)> {
    let (letter, mut length) = behind_slashes(text)?;
    if letter != 'u' {
        return short(letter).map(|character| (character, length));
    }
    let code = hex(text, length)?;
    length = length.saturating_add(4);
    // Above U+FFFF it takes two: the first says the upper half.
    if (0xd800..0xdc00).contains(&code)
        && let Some(rest) = text.get(length..)
        && let Some(('u', more)) = behind_slashes(rest)
        && let Some(low) = hex(rest, more).filter(|low| (0xdc00..0xe000).contains(low))
    {
        let upper = code.saturating_sub(0xd800).saturating_mul(0x400);
        let whole = upper
            .saturating_add(low.saturating_sub(0xdc00))
            .saturating_add(0x1_0000);
        let length = length.saturating_add(more).saturating_add(4);
        return char::from_u32(whole).map(|character| (character, length));
    }
    Some((
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
        length,
    ))
}

/// The character behind the backslashes at the start of this, and up to where it goes.
fn behind_slashes(text: &str) -> Option<(char, usize)> {
    let slashes = text.bytes().take_while(|byte| *byte == b'\\').count();
    let letter = text.get(slashes..)?.chars().next()?;
    (slashes > 0).then(|| (letter, slashes.saturating_add(letter.len_utf8())))
}

fn hex(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at.saturating_add(4))?;
    let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    all.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// JSON's escapes of one letter.
const fn short(letter: char) -> Option<char> {
    Some(match letter {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'f' => '\u{c}',
        'b' => '\u{8}',
        '"' | '/' => letter,
        _ => return None,
    })
}

/// The last place up to this one that is in the middle of no escape.
pub(super) fn outside(text: &str, at: usize) -> usize {
    let from = text.floor_char_boundary(at.saturating_sub(INSIDE_MAX));
    let slashes = text.get(from..at).unwrap_or_default().match_indices('\\');
    let mut starts = slashes.map(|(within, _)| from.saturating_add(within));
    let reaches_over = |start: &usize| {
        let read = text.get(*start..).and_then(escaped);
        read.is_some_and(|(_, length)| start.saturating_add(length) > at)
    };
    starts.find(reaches_over).unwrap_or(at)
}

/// Reads a text as it comes: one character at a time, and none again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    open: Open,
    /// Whether what was read since the last character was something else.
    broken: bool,
}

#[derive(Debug, Clone, Copy)]
enum Open {
    Nothing,
    Slashes,
    /// So many digits of a code.
    Code(u8, u32),
}

impl Reader {
    pub(super) const fn new() -> Self {
        Self {
            open: Open::Nothing,
            broken: false,
        }
    }

    /// The character that ends here, and whether there was something between it and the one before; none in the middle of an
    /// escape. Halves of characters above U+FFFF are given by themselves.
    pub(super) fn read(&mut self, character: char) -> Option<(char, bool)> {
        let read = match self.open {
            Open::Nothing => Some(character),
            Open::Slashes if character == 'u' => {
                self.open = Open::Code(0, 0);
                return None;
            }
            Open::Slashes if character == '\\' => return None,
            Open::Slashes => short(character),
            Open::Code(digits, code) => match character.to_digit(16) {
                Some(digit) if digits < 3 => {
                    let code = code.saturating_mul(16).saturating_add(digit);
                    self.open = Open::Code(digits.saturating_add(1), code);
                    return None;
                }
                Some(digit) => {
                    let code = code.saturating_mul(16).saturating_add(digit);
                    Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
                }
                None => None,
            },
        };
        let opened = !matches!(self.open, Open::Nothing);
        self.broken |= opened && read.is_none();
        self.open = Open::Nothing;
        if character == '\\' {
            self.open = Open::Slashes;
            return None;
        }
        let broken = core::mem::take(&mut self.broken);
        Some((read.unwrap_or(character), broken))
    }
}

#[cfg(test)]
mod tests;
