//! Which characters may a name have?

use crate::problem::ApiError;

/// Whether people see nothing where it stands, or see something else than is there: control characters,
/// zero-width characters, and those that turn the direction of the text.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Refuses a name with characters that nobody can see.
pub(crate) fn name(pointer: &str, text: &str) -> Result<(), ApiError> {
    if text.chars().any(is_hidden) {
        return Err(ApiError::field(pointer, "must not hold invisible characters"));
    }
    Ok(())
}

/// Refuses what is not 1 to 200 visible characters.
pub(crate) fn word(pointer: &str, text: Option<&str>) -> Result<(), ApiError> {
    let Some(text) = text else { return Ok(()) };
    if text.is_empty() || text.chars().count() > 200 {
        return Err(ApiError::field(pointer, "must have 1 to 200 characters"));
    }
    name(pointer, text)
}

/// Refuses a description that is too long.
pub(crate) fn description(text: Option<&str>) -> Result<(), ApiError> {
    if text.is_some_and(|text| text.chars().count() > 1024) {
        return Err(ApiError::field("/description", "may have 1024 characters"));
    }
    Ok(())
}
