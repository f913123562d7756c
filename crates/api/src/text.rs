//! Is a text of a request one that may be there? (Names are checked where they are written down: in services.)

use model::text::is_hidden;

use crate::problem::ApiError;

/// What a word is.
const WORD: &str = "must have 1 to 200 characters, none of them invisible";

fn is_word(text: &str) -> bool {
    let length = text.chars().count();
    (1..=200).contains(&length) && !text.trim().is_empty() && !text.chars().any(is_hidden)
}

/// Refuses what is not 1 to 200 visible characters in a body.
pub(crate) fn word(pointer: &str, text: Option<&str>) -> Result<(), ApiError> {
    if text.is_none_or(is_word) {
        return Ok(());
    }
    Err(ApiError::field(pointer, WORD))
}

/// Refuses the same in a query string.
pub(crate) fn parameter(name: &str, text: Option<&str>) -> Result<(), ApiError> {
    if text.is_none_or(is_word) {
        return Ok(());
    }
    Err(ApiError::parameter(name, WORD))
}

/// Refuses tokens and requests of which there cannot be so many.
pub(crate) fn counts(given: &[(&str, Option<i64>)]) -> Result<(), ApiError> {
    let wrong = |count: Option<i64>| count.is_some_and(|count| !(0..=1_000_000_000_000).contains(&count));
    match given.iter().find(|(_, count)| wrong(*count)) {
        Some((pointer, _)) => Err(ApiError::field(pointer, "must be 0 to 1000000000000")),
        None => Ok(()),
    }
}

/// Refuses a description that is too long.
pub(crate) fn description(text: Option<&str>) -> Result<(), ApiError> {
    if text.is_some_and(|text| text.chars().count() > 1024) {
        return Err(ApiError::field("/description", "may have 1024 characters"));
    }
    Ok(())
}
