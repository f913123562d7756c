//! Is what somebody wants as a limit a limit?

mod handling;

use alloc::string::String;
use alloc::vec::Vec;

use model::id::KeyId;
use model::limit::{Enforcement, Handling, LimitCategory, LimitScope, LimitType};
use model::text::is_hidden;
use model::window::{ResetPeriod, Weekday, WindowSpec};
use model::zone::Zone;

/// The longest rolling window: 31 days.
pub const WINDOW_SECONDS_MAX: u32 = 31 * 86_400;

/// What somebody wants, field by field as it is written.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Budget, rate or threshold.
    pub category: LimitCategory,
    /// What it counts.
    pub limit_type: LimitType,
    /// Whose requests it applies to.
    pub scope: LimitScope,
    /// Which project, agent or provider.
    pub scope_id: Option<String>,
    /// Only requests made with this key.
    pub api_key_id: Option<KeyId>,
    /// Only requests for this model.
    pub model: Option<String>,
    /// Only requests for this feature.
    pub feature: Option<String>,
    /// Only requests for this user of the customer's.
    pub end_user: Option<String>,
    /// The most, in the unit of the type.
    pub max: i64,
    /// When the counter starts again (BUDGET).
    pub reset_period: Option<ResetPeriod>,
    /// In whose calendar (BUDGET).
    pub zone: Option<Zone>,
    /// On which day a week begins (BUDGET per week).
    pub week_start: Option<Weekday>,
    /// Over how many seconds (RATE).
    pub window_seconds: Option<u32>,
    /// What happens when a request does not fit.
    pub enforcement: Enforcement,
    /// How that is done.
    pub handling: Handling,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which field, in the words of the API.
    pub field: &'static str,
    /// What it should be.
    pub detail: &'static str,
}

/// The window of a draft, or everything that is wrong with the draft.
///
/// # Errors
/// All problems at once, in the order of the fields.
pub fn validate(draft: &Draft) -> Result<WindowSpec, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut wrong = |field, detail| problems.push(Problem { field, detail });
    let length = draft.name.trim().chars().count();
    if length == 0 || length > 256 || draft.name.chars().any(is_hidden) {
        wrong("name", "1 to 256 characters, none of them invisible");
    }
    if draft
        .description
        .as_ref()
        .is_some_and(|text| text.chars().count() > 1024 || text.contains('\0'))
    {
        wrong("description", "at most 1024 characters");
    }
    if !draft.limit_type.fits(draft.category) {
        wrong("limit_type", "not a type of this limit_category");
    }
    if draft.max <= 0 {
        wrong("max_value", "more than 0");
    }
    let named = matches!(
        draft.scope,
        LimitScope::Project | LimitScope::Agent | LimitScope::Provider
    );
    if named != draft.scope_id.is_some() {
        wrong(
            "scope_id",
            "needed for PROJECT, AGENT and PROVIDER, and for nothing else",
        );
    }
    if draft
        .scope_id
        .as_ref()
        .is_some_and(|id| id.parse::<model::id::Slug>().is_err())
    {
        wrong(
            "scope_id",
            "1 to 64 characters out of letters, digits, `.`, `_` and `-`",
        );
    }
    if draft
        .model
        .as_ref()
        .is_some_and(|model| model.is_empty() || model.len() > 200 || model.chars().any(is_hidden))
    {
        wrong("model", "1 to 200 characters, none of them invisible");
    }
    qualifiers(draft, &mut wrong);
    let window = window(draft, &mut wrong);
    handling::check(draft, &mut wrong);
    if problems.is_empty() {
        Ok(window)
    } else {
        Err(problems)
    }
}

fn qualifiers(draft: &Draft, wrong: &mut impl FnMut(&'static str, &'static str)) {
    let is_slug = |feature: &String| feature.parse::<model::id::Slug>().is_ok();
    if draft.feature.as_ref().is_some_and(|feature| !is_slug(feature)) {
        wrong(
            "feature",
            "1 to 64 characters out of letters, digits, `.`, `_` and `-`",
        );
    }
    // As long as requests may say it.
    let is_name = |user: &String| {
        (1..=200).contains(&user.chars().count()) && !user.trim().is_empty() && !user.chars().any(is_hidden)
    };
    if draft.end_user.as_ref().is_some_and(|user| !is_name(user)) {
        wrong("end_user", "1 to 200 characters, none of them invisible");
    }
}

fn window(draft: &Draft, wrong: &mut impl FnMut(&'static str, &'static str)) -> WindowSpec {
    if draft.category != LimitCategory::Budget && (draft.reset_period.is_some() || draft.zone.is_some()) {
        wrong("reset_period", "only a BUDGET has a reset_period and a time_zone");
    }
    if draft.week_start.is_some() && draft.reset_period != Some(ResetPeriod::Weekly) {
        wrong("week_start", "only a WEEKLY reset_period has a week_start");
    }
    if draft.category != LimitCategory::Rate && draft.window_seconds.is_some() {
        wrong("window_seconds", "only a RATE has window_seconds");
    }
    match draft.category {
        LimitCategory::Threshold => WindowSpec::PerRun,
        LimitCategory::Budget if draft.limit_type.is_given_back() => {
            if draft
                .reset_period
                .is_some_and(|period| period != ResetPeriod::None)
                || draft.zone.as_ref().is_some_and(|zone| *zone != Zone::UTC)
            {
                wrong(
                    "reset_period",
                    "what is given back is never reset: NONE, or nothing",
                );
            }
            WindowSpec::Calendar {
                period: ResetPeriod::None,
                zone: Zone::UTC,
                week_start: Weekday::Monday,
            }
        }
        LimitCategory::Budget => {
            let Some(period) = draft.reset_period else {
                wrong("reset_period", "a BUDGET needs DAILY, WEEKLY, MONTHLY or NONE");
                return WindowSpec::PerRun;
            };
            WindowSpec::Calendar {
                period,
                zone: draft.zone.clone().unwrap_or(Zone::UTC),
                week_start: draft.week_start.unwrap_or(Weekday::Monday),
            }
        }
        LimitCategory::Rate => {
            let stated = draft.limit_type.stated_seconds();
            match (stated, draft.window_seconds) {
                (Some(stated), Some(given)) if given != stated => {
                    wrong("window_seconds", "must be what the limit_type says");
                }
                (None, None) => wrong("window_seconds", "a RATE of this type needs window_seconds"),
                (_, Some(given)) if given == 0 || given > WINDOW_SECONDS_MAX => {
                    wrong("window_seconds", "1 second to 31 days (2678400)");
                }
                _ => {}
            }
            WindowSpec::Rolling {
                seconds: stated.or(draft.window_seconds).unwrap_or(1),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    pub(super) fn draft() -> Draft {
        Draft {
            name: "daily".to_string(),
            description: None,
            category: LimitCategory::Budget,
            limit_type: LimitType::CostUsd,
            scope: LimitScope::Tenant,
            scope_id: None,
            api_key_id: None,
            model: None,
            feature: None,
            end_user: None,
            max: 1,
            reset_period: Some(ResetPeriod::Daily),
            zone: None,
            week_start: None,
            window_seconds: None,
            enforcement: Enforcement::Block,
            handling: Handling::default(),
        }
    }

    pub(super) fn problems(draft: &Draft) -> Vec<&'static str> {
        validate(draft)
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|problem| problem.field)
            .collect()
    }

    #[test]
    fn a_week_begins_on_the_day_that_is_said() {
        let weekly = |week_start, reset_period| Draft {
            reset_period: Some(reset_period),
            week_start,
            ..draft()
        };
        let sunday = weekly(Some(Weekday::Sunday), ResetPeriod::Weekly);
        let window = validate(&sunday);
        assert!(matches!(
            window,
            Ok(WindowSpec::Calendar {
                week_start: Weekday::Sunday,
                ..
            })
        ));
        let monthly = weekly(Some(Weekday::Sunday), ResetPeriod::Monthly);
        assert_eq!(problems(&monthly), ["week_start"]);
    }

    #[test]
    fn a_good_draft_has_the_window_it_describes() {
        assert_eq!(
            validate(&draft()),
            Ok(WindowSpec::Calendar {
                period: ResetPeriod::Daily,
                zone: Zone::UTC,
                week_start: Weekday::Monday,
            })
        );
        let rate = Draft {
            category: LimitCategory::Rate,
            limit_type: LimitType::RequestsPerHour,
            reset_period: None,
            ..draft()
        };
        assert_eq!(validate(&rate), Ok(WindowSpec::Rolling { seconds: 3_600 }));
        let threshold = Draft {
            category: LimitCategory::Threshold,
            limit_type: LimitType::TokensPerRun,
            reset_period: None,
            ..draft()
        };
        assert_eq!(validate(&threshold), Ok(WindowSpec::PerRun));
    }

    #[test]
    fn every_problem_of_a_draft_is_named() {
        let bad = Draft {
            name: "  ".to_string(),
            description: Some("x".repeat(1_025)),
            limit_type: LimitType::LatencyMs,
            max: 0,
            scope: LimitScope::Project,
            model: Some(String::new()),
            reset_period: None,
            window_seconds: Some(5),
            ..draft()
        };
        let expected = [
            "name",
            "description",
            "limit_type",
            "max_value",
            "scope_id",
            "model",
            "window_seconds",
            "reset_period",
        ];
        assert_eq!(problems(&bad), expected);
    }

    #[test]
    fn windows_that_make_no_sense_are_refused() {
        let rate = Draft {
            category: LimitCategory::Rate,
            limit_type: LimitType::CostUsd,
            reset_period: None,
            ..draft()
        };
        assert_eq!(problems(&rate), ["window_seconds"]);
        for seconds in [0, 2_678_401] {
            assert_eq!(
                problems(&Draft {
                    window_seconds: Some(seconds),
                    ..rate.clone()
                }),
                ["window_seconds"]
            );
        }
        let stated = Draft {
            limit_type: LimitType::TokensPerMinute,
            window_seconds: Some(61),
            ..rate.clone()
        };
        assert_eq!(problems(&stated), ["window_seconds"]);
        assert_eq!(
            problems(&Draft {
                reset_period: Some(ResetPeriod::None),
                ..stated
            }),
            ["reset_period", "window_seconds"]
        );
        assert_eq!(
            problems(&Draft {
                scope_id: Some("a b".to_string()),
                ..draft()
            }),
            ["scope_id", "scope_id"]
        );
    }
}
