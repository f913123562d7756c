//! Which piece of a list is asked for?

use std::str::FromStr;

use model::id::TenantId;
use serde::Deserialize;
use services::cursors::{self, List};
use utoipa::IntoParams;

use crate::problem::ApiError;
use crate::state::State;

/// Items of a page when the client does not say.
pub(crate) const LIMIT_DEFAULT: u32 = 50;
/// The most items of a page.
pub(crate) const LIMIT_MAX: u32 = 200;

/// Which piece, of a list without filters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// 1 to 200, default 50.
    #[param(value_type = Option<u32>)]
    pub(crate) limit: Option<String>,
    /// `next_cursor` of the previous page.
    pub(crate) cursor: Option<String>,
}

/// A page that is asked for.
pub(crate) struct Asked<T> {
    list: List,
    limit: u32,
    /// Where the page before it ended.
    pub(crate) place: Option<T>,
}

impl<T: FromStr + ToString> Asked<T> {
    pub(crate) async fn of(
        state: &State,
        (name, owner): (&'static str, TenantId),
        query: &PageQuery,
    ) -> Result<Self, ApiError> {
        let list = List {
            name,
            owner,
            filter: String::new(),
        };
        Self::filtered(state, list, (query.limit.as_deref(), query.cursor.as_deref())).await
    }

    /// The same of a list with filters, which are part of it.
    pub(crate) async fn filtered(
        state: &State,
        list: List,
        (size, cursor): (Option<&str>, Option<&str>),
    ) -> Result<Self, ApiError> {
        let limit = limit(size)?;
        let place = position(state, &list, cursor).await?;
        Ok(Self { list, limit, place })
    }

    /// How many to read: one more than are shown, which tells whether there are more.
    pub(crate) fn most(&self) -> u32 {
        self.limit.saturating_add(1)
    }

    /// What is shown of that, and the cursor of what follows.
    pub(crate) async fn cut<I>(
        self,
        state: &State,
        mut items: Vec<I>,
        place: impl Fn(&I) -> T,
    ) -> Result<(Vec<I>, Option<String>), ApiError> {
        let shown = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > shown;
        items.truncate(shown);
        let last = items.last().filter(|_| more).map(place);
        let cursor = next(state, &self.list, last).await?;
        Ok((items, cursor))
    }
}

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

/// Where the previous page of this list ended, if its cursor was sent.
pub(crate) async fn position<T: FromStr>(
    state: &State,
    list: &List,
    cursor: Option<&str>,
) -> Result<Option<T>, ApiError> {
    let Some(cursor) = cursor else { return Ok(None) };
    let position = cursors::position(&state.cx, list, cursor).await?;
    let position = position.and_then(|position| position.parse().ok());
    position.map(Some).ok_or_else(|| {
        ApiError::new(
            400,
            "invalid-cursor",
            "Invalid cursor",
            "Send `next_cursor` of the previous page, with the filter of that page.",
        )
    })
}

/// The cursor of the next page, if there is one.
pub(crate) async fn next(
    state: &State,
    list: &List,
    position: Option<impl ToString>,
) -> Result<Option<String>, ApiError> {
    match position {
        Some(position) => Ok(Some(cursors::sign(&state.cx, list, &position.to_string()).await?)),
        None => Ok(None),
    }
}
