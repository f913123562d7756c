//! Which characters may a name have?

/// Whether people see nothing where it stands, or see something else than is there: control characters,
/// zero-width characters, and those that turn the direction of the text.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

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
