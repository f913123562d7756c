//! Which letters are read as others?

/// The ASCII character that this is another form of: full-width, mathematical, or in a circle or a square.
pub(super) fn plain(character: char) -> Option<char> {
    let code = u32::from(character);
    let letters = |first: u32| letter(code.saturating_sub(first).checked_rem(52)?);
    let capitals = |first: u32| letter(code.saturating_sub(first));
    match character {
        // Full-width forms stand 0xfee0 above ASCII.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(code.saturating_sub(0xfee0)),
        '\u{660}'..='\u{669}' => digit(code.saturating_sub(0x660)),
        '\u{6f0}'..='\u{6f9}' => digit(code.saturating_sub(0x6f0)),
        // Thirteen alphabets of capital and small letters, and five sets of digits.
        '\u{1d400}'..='\u{1d6a3}' => letters(0x1d400),
        '\u{1d7ce}'..='\u{1d7ff}' => digit(code.saturating_sub(0x1d7ce).checked_rem(10)?),
        '\u{24b6}'..='\u{24e9}' => letters(0x24b6),
        '\u{1f130}'..='\u{1f149}' => capitals(0x1f130),
        '\u{1f150}'..='\u{1f169}' => capitals(0x1f150),
        '\u{1f170}'..='\u{1f189}' => capitals(0x1f170),
        '\u{2100}'..='\u{214f}' => older(character),
        _ => None,
    }
}

/// Mathematical letters that were there before their alphabets.
const fn older(character: char) -> Option<char> {
    Some(match character {
        'ℂ' | 'ℭ' => 'C',
        'ℊ' => 'g',
        'ℋ' | 'ℌ' | 'ℍ' => 'H',
        'ℎ' => 'h',
        'ℐ' | 'ℑ' => 'I',
        'ℒ' => 'L',
        'ℓ' => 'l',
        'ℕ' => 'N',
        'ℙ' => 'P',
        'ℚ' => 'Q',
        'ℛ' | 'ℜ' | 'ℝ' => 'R',
        'ℤ' | 'ℨ' => 'Z',
        'ℬ' => 'B',
        'ℯ' => 'e',
        'ℰ' => 'E',
        'ℱ' => 'F',
        'ℳ' => 'M',
        'ℴ' => 'o',
        _ => return None,
    })
}

/// The Latin letter that a Cyrillic or Greek one looks like.
pub(super) const fn latin(character: char) -> Option<char> {
    Some(match character {
        'а' | 'α' => 'a',
        'е' => 'e',
        'ԁ' => 'd',
        'һ' => 'h',
        'і' | 'ι' => 'i',
        'ј' => 'j',
        'κ' => 'k',
        'ӏ' => 'l',
        'о' | 'ο' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'с' => 'c',
        'ѕ' => 's',
        'υ' => 'u',
        'ν' => 'v',
        'ԝ' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        'А' | 'Α' => 'A',
        'В' | 'Β' => 'B',
        'С' => 'C',
        'Е' | 'Ε' => 'E',
        'Ԍ' => 'G',
        'Н' | 'Η' => 'H',
        'І' | 'Ӏ' | 'Ι' => 'I',
        'Ј' => 'J',
        'К' | 'Κ' => 'K',
        'М' | 'Μ' => 'M',
        'Ν' => 'N',
        'О' | 'Ο' => 'O',
        'Р' | 'Ρ' => 'P',
        'Ԛ' => 'Q',
        'Ѕ' => 'S',
        'Т' | 'Τ' => 'T',
        'Ѵ' => 'V',
        'Ԝ' => 'W',
        'Х' | 'Χ' => 'X',
        'У' | 'Υ' | 'Ү' => 'Y',
        'Ζ' => 'Z',
        _ => return None,
    })
}

/// Whether it is a letter of an alphabet in which addresses are written letter by letter: Latin, Greek, Cyrillic.
pub(super) fn is_letter(character: char) -> bool {
    let alphabet =
        matches!(character, '\u{aa}'..='\u{24f}' | '\u{370}'..='\u{52f}' | '\u{1e00}'..='\u{1fff}');
    alphabet && character.is_alphabetic()
}

fn digit(number: u32) -> Option<char> {
    char::from_digit(number, 10)
}

/// The letters of the alphabet, capital and then small.
fn letter(number: u32) -> Option<char> {
    let first = if number < 26 {
        u32::from('A')
    } else {
        0x61_u32.saturating_sub(26)
    };
    char::from_u32(first.saturating_add(number))
}
