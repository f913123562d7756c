//! What is said in a check under several names or in several units, and may be said once?

use model::money::NanoUsd;

use super::CheckBody;
use crate::problem::ApiError;
use crate::text;

/// What is said under one of two names; both may say it if they say the same.
pub(super) fn one_name<T: PartialEq>(
    pointer: &str,
    name: Option<T>,
    other: Option<T>,
) -> Result<Option<T>, ApiError> {
    match (name, other) {
        (Some(name), Some(other)) if name != other => Err(ApiError::field(
            pointer,
            "is another name of what is given too, and says something else",
        )),
        (name, other) => Ok(name.or(other)),
    }
}

pub(super) fn one_cost(body: &CheckBody) -> Result<Option<NanoUsd>, ApiError> {
    let cents = body.estimated_cost_cents.map(|cents| {
        cents
            .checked_mul(NanoUsd::PER_CENT)
            .map(NanoUsd)
            .ok_or_else(|| ApiError::field("/estimated_cost_cents", "is too large"))
    });
    let given = [
        ("/estimated_cost_usd", body.estimated_cost_usd.map(|cost| cost.0)),
        ("/estimated_cost_cents", cents.transpose()?),
        (
            "/estimated_cost_nano_usd",
            body.estimated_cost_nano_usd.map(NanoUsd),
        ),
    ];
    let mut costs = given
        .into_iter()
        .filter_map(|(pointer, cost)| Some((pointer, cost?)));
    let Some((pointer, cost)) = costs.next() else {
        return Ok(None);
    };
    if let Some((another, _)) = costs.next() {
        return Err(ApiError::field(another, "give the cost once, in one unit"));
    }
    if cost < NanoUsd::ZERO {
        return Err(ApiError::field(pointer, "must not be negative"));
    }
    Ok(Some(cost))
}

pub(super) fn tokens(body: &CheckBody) -> Result<(i64, i64), ApiError> {
    text::counts(&[
        ("/estimated_tokens", body.estimated_tokens),
        ("/estimated_input_tokens", body.estimated_input_tokens),
        ("/estimated_output_tokens", body.estimated_output_tokens),
    ])?;
    match (
        body.estimated_tokens,
        body.estimated_input_tokens,
        body.estimated_output_tokens,
    ) {
        (Some(total), None, None) => Ok((total, 0)),
        (None, input, output) => Ok((input.unwrap_or(0), output.unwrap_or(0))),
        (Some(_), _, _) => Err(ApiError::field(
            "/estimated_tokens",
            "give either the total or input and output",
        )),
    }
}
