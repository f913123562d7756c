//! Which piece of a list is asked for?

use crate::problem::ApiError;

/// Items of a page when the client does not say.
pub(crate) const LIMIT_DEFAULT: u32 = 50;
/// The most items of a page.
pub(crate) const LIMIT_MAX: u32 = 200;

/// The size of a page, as asked for.
pub(crate) fn limit(asked: Option<&str>) -> Result<u32, ApiError> {
    let Some(asked) = asked else {
        return Ok(LIMIT_DEFAULT);
    };
    match asked.parse() {
        Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
        _ => Err(ApiError::parameter("limit", "must be 1 to 200")),
    }
}

/// A cursor that is the id of the last item.
pub(crate) fn id_cursor<T: std::str::FromStr>(asked: Option<&str>) -> Result<Option<T>, ApiError> {
    asked
        .map(|text| {
            text.parse().ok().ok_or_else(|| {
                ApiError::new(
                    400,
                    "invalid-cursor",
                    "Invalid cursor",
                    "Send `next_cursor` of the previous page.",
                )
            })
        })
        .transpose()
}
