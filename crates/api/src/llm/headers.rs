//! What do the headers of an LLM answer say about limits, and what do those of a request say about whom?
//!
//! `RateLimit-Policy` and `RateLimit` follow the IETF draft (draft-ietf-httpapi-ratelimit-headers-10); the
//! `x-ratelimit-*` names are OpenAI's, the `anthropic-ratelimit-*` names Anthropic's. These exist for requests and
//! tokens only, so money is in the first two alone: under a name that says requests it would be misread.

use std::fmt::Write as _;

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{HeaderMap, HeaderValue};
use model::decision::Outcome;
use model::id::{RunId, Slug};
use model::limit::{LimitCategory, Unit};
use model::time::Timestamp;
use services::gateway::Attribution;
use services::ledger::HoldAnswer;
use services::words::{CheckOutput, LimitReport};

use super::errors::Dialect;
use crate::problem::ApiError;

/// Limits that are named in the headers, the one with the least room first.
const LIMITS_MAX: usize = 5;

/// Limits that are named in a warning.
const WARNINGS_MAX: usize = 20;

/// When all of a limit can be used again. After a request that may run, a rolling window is empty a whole window
/// later; everything else is what the report says.
fn full_at(report: &LimitReport, allowed: bool, now: Timestamp) -> Option<Timestamp> {
    match report.window_seconds {
        Some(seconds) if allowed && report.category == LimitCategory::Rate => Some(now.plus_seconds(seconds)),
        _ => report.resets_at,
    }
}

/// What the Policy Rules said.
pub(crate) const POLICY_OUTCOME: &str = "x-plimsoll-policy-outcome";

/// Writes the header about Policy Rules, if there are any.
pub(crate) fn policy(response: &mut HttpResponseBuilder, outcome: Option<&str>) {
    if let Some(outcome) = outcome {
        response.insert_header((POLICY_OUTCOME, outcome));
    }
}

/// The Limits of the tenant's own that are passed and let pass, or nearly used up: a list of RFC 9651.
fn warnings(response: &mut HttpResponseBuilder, output: &CheckOutput) {
    let own = output.warnings.iter().filter(|report| !report.is_platform());
    let told = own
        .take(WARNINGS_MAX)
        .map(|report| format!("\"{}\";code={}", report.limit, report.message_code));
    let told: Vec<String> = told.collect();
    if !told.is_empty() {
        response.insert_header(("x-plimsoll-limit-warnings", told.join(", ")));
    }
}

/// Writes the headers about limits.
pub(crate) fn limits(
    response: &mut HttpResponseBuilder,
    dialect: Dialect,
    output: &CheckOutput,
    now: Timestamp,
) {
    let allowed = output.outcome != Outcome::Block;
    let left = |report: &LimitReport| {
        let taken = if allowed { report.requested } else { 0 };
        report
            .max
            .saturating_sub(report.settled)
            .saturating_sub(report.held)
            .saturating_sub(taken)
            .max(0)
    };
    let (mut policy, mut state) = (String::new(), String::new());
    for report in output.reports.iter().take(LIMITS_MAX) {
        let comma = if policy.is_empty() { "" } else { ", " };
        let unit = match report.limit_type.unit() {
            Unit::NanoUsd => ";qu=\"x-nano-usd\"",
            Unit::Tokens => ";qu=\"x-tokens\"",
            Unit::Places => ";qu=\"concurrent-requests\"",
            Unit::Requests | Unit::Milliseconds | Unit::Percent => ";qu=\"requests\"",
        };
        // Writing to a `String` cannot fail.
        write!(policy, "{comma}\"{}\";q={}{unit}", report.limit, report.max).ok();
        if let Some(seconds) = report.window_seconds {
            write!(policy, ";w={seconds}").ok();
        }
        write!(state, "{comma}\"{}\";r={}", report.limit, left(report)).ok();
        if let Some(at) = full_at(report, allowed, now) {
            write!(state, ";t={}", at.seconds_until_from(now)).ok();
        }
    }
    warnings(response, output);
    if !policy.is_empty() {
        response.insert_header(("RateLimit-Policy", policy));
        response.insert_header(("RateLimit", state));
    }
    for (unit, name) in [(Unit::Requests, "requests"), (Unit::Tokens, "tokens")] {
        let Some(report) = output
            .reports
            .iter()
            .find(|report| report.limit_type.unit() == unit)
        else {
            continue;
        };
        let full = full_at(report, allowed, now);
        provider_names(response, dialect, name, (report.max, left(report)), (full, now));
    }
}

fn provider_names(
    response: &mut HttpResponseBuilder,
    dialect: Dialect,
    name: &str,
    (max, left): (i64, i64),
    (full, now): (Option<Timestamp>, Timestamp),
) {
    let prefix = match dialect {
        Dialect::OpenAi => "x-ratelimit".to_owned(),
        Dialect::Anthropic => format!("anthropic-ratelimit-{name}"),
    };
    let key = |word: &str| match dialect {
        Dialect::OpenAi => format!("{prefix}-{word}-{name}"),
        Dialect::Anthropic => format!("{prefix}-{word}"),
    };
    response.insert_header((key("limit"), max.to_string()));
    response.insert_header((key("remaining"), left.to_string()));
    if let Some(at) = full {
        let value = match dialect {
            Dialect::OpenAi => format!("{}s", at.seconds_until_from(now)),
            Dialect::Anthropic => at.to_string(),
        };
        response.insert_header((key("reset"), value));
    }
}

/// Writes whether it has waited, and whether something else is served than what was asked for.
pub(crate) fn handling(response: &mut HttpResponseBuilder, answer: &HoldAnswer) {
    if let Some(waited) = answer.waited {
        if answer.allowed() {
            response.insert_header(("x-plimsoll-queued-ms", waited.ms.to_string()));
        }
        response.insert_header(("x-plimsoll-queue-deadline", waited.deadline.to_string()));
    }
    if let Some(instead) = answer.instead.as_ref().filter(|_| answer.allowed()) {
        let because: Vec<_> = instead.because.iter().map(ToString::to_string).collect();
        // A model's name is whatever the configuration says: what no header can hold is left out.
        if let Ok(model) = HeaderValue::from_str(&instead.served_model) {
            response.insert_header(("x-plimsoll-served-model", model));
        }
        response.insert_header(("x-plimsoll-degraded-by", because.join(", ")));
    }
}

/// How long the list of fields may be, in bytes.
const FIELDS_MAX: usize = 1_000;

/// The fields that the model is told nothing about, as a header says.
pub(crate) fn unknown_fields(headers: &HeaderMap) -> Result<Vec<String>, ApiError> {
    const NAME: &str = "x-plimsoll-unknown-fields";
    let Some(value) = headers.get(NAME) else {
        return Ok(Vec::new());
    };
    let is_name = |name: &str| {
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        (1..=64).contains(&name.len()) && name.chars().all(named)
    };
    let text = value.to_str().ok().filter(|text| text.len() <= FIELDS_MAX);
    let names = text.map(|text| text.split(',').map(str::trim).map(str::to_owned).collect());
    names
        .filter(|names: &Vec<String>| names.iter().all(|name| is_name(name)))
        .ok_or_else(|| {
            let detail = format!(
                "`{NAME}` must be names of 1 to 64 letters, digits, `_` and `-`, with commas between them, 1000 characters \
                 in all."
            );
            ApiError::new(400, "invalid-header", "Invalid header", detail)
        })
}

/// Who a request is attributed to, as its headers say.
pub(crate) fn attribution(headers: &HeaderMap) -> Result<Attribution, ApiError> {
    let text = |name: &'static str| -> Result<Option<String>, ApiError> {
        let Some(value) = headers.get(name) else {
            return Ok(None);
        };
        let text = value.to_str().ok().filter(|text| (1..=200).contains(&text.len()));
        let invalid = || {
            ApiError::new(
                400,
                "invalid-header",
                "Invalid header",
                format!("`{name}` must have 1 to 200 visible ASCII characters."),
            )
        };
        text.map(|text| Some(text.to_owned())).ok_or_else(invalid)
    };
    let slug = |name: &'static str| -> Result<Option<String>, ApiError> {
        let Some(value) = text(name)? else { return Ok(None) };
        let slug: Result<Slug, _> = value.parse();
        slug.map(|slug| Some(slug.to_string())).map_err(|error| {
            ApiError::new(
                400,
                "invalid-header",
                "Invalid header",
                format!("`{name}`: {error}."),
            )
        })
    };
    let run = |name: &'static str| -> Result<Option<RunId>, ApiError> {
        let Some(value) = text(name)? else { return Ok(None) };
        let wrong = || {
            let detail = format!("`{name}` must be the id of an LLM Run.");
            ApiError::new(400, "invalid-header", "Invalid header", detail)
        };
        value.parse().ok().map(Some).ok_or_else(wrong)
    };
    Ok(Attribution {
        project_id: slug("x-plimsoll-project")?,
        agent_id: slug("x-plimsoll-agent")?,
        feature: slug("x-plimsoll-feature")?,
        session_id: text("x-plimsoll-session-id")?,
        end_user: text("x-plimsoll-end-user")?,
        parent_run: run("x-plimsoll-parent-run-id")?,
    })
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn fields(value: &str) -> Result<Vec<String>, u16> {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_static("x-plimsoll-unknown-fields");
        headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        unknown_fields(&headers).map_err(|_refused| 400)
    }

    #[test]
    fn the_fields_that_nobody_told_are_names_with_commas_between_them() {
        assert_eq!(unknown_fields(&HeaderMap::new()).ok(), Some(Vec::new()));
        assert_eq!(fields("auto_renew"), Ok(vec!["auto_renew".to_owned()]));
        let two = vec!["autoRenew".to_owned(), "end-date".to_owned()];
        assert_eq!(fields("autoRenew ,  end-date"), Ok(two));
        for wrong in ["", "a,,b", "auto renew", "é", &"x".repeat(65), &"ab,".repeat(400)] {
            assert_eq!(fields(wrong), Err(400), "{wrong}");
        }
    }
}
