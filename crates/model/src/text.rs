//! Which characters may a name have?

/// Whether people see nothing where it stands, or see something else than is there: control characters,
/// zero-width characters, and those that turn the direction of the text.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Whether it is no control character and nobody sees it all the same: fillers, and what only changes how another one looks.
const fn is_empty(character: char) -> bool {
    matches!(character,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{2800}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

/// How many characters of a text people see. White space between two words counts as one, and what nobody sees as none, so
/// that a text is not made longer than what it says.
pub fn visible_length(text: &str) -> usize {
    let is_seen = |character: &char| !is_hidden(*character) && !is_empty(*character);
    let words = text
        .split_whitespace()
        .map(|word| word.chars().filter(is_seen).count());
    let (seen, words) = words
        .filter(|length| *length > 0)
        .fold((0_usize, 0_usize), |(seen, words), length| {
            (seen.saturating_add(length), words.saturating_add(1))
        });
    seen.saturating_add(words.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_people_see_makes_a_text_longer() {
        for (text, length) in [
            ("", 0),
            (" \n\t", 0),
            ("rolled back", 11),
            (" rolled \r\n\t back\n", 11),
            ("\u{200b}\u{200b}\u{200b}", 0),
            ("x\u{200b}\u{200b}\u{200b}", 1),
            ("x \u{200b} \u{3164} \u{2800} x", 3),
            ("x\u{200b}x", 2),
            ("Züri 田中", 7),
        ] {
            assert_eq!(visible_length(text), length, "{text:?}");
        }
    }

    #[test]
    fn what_people_read_is_not_hidden() {
        assert!(
            "Züri Müller AG, 田中 Ω (2)"
                .chars()
                .all(|character| !is_hidden(character))
        );
        for hidden in ['\0', '\u{1b}', '\u{85}', '\u{200b}', '\u{202e}', '\u{feff}'] {
            assert!(is_hidden(hidden), "{hidden:?}");
        }
    }
}
