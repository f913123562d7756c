//! Does a limit apply to a request at all?

use model::hold::Subject;
use model::limit::{Limit, LimitScope, LimitStatus};

/// Whether the limit applies: it is ACTIVE, its scope is the request's, and its conditions hold.
pub fn applies(limit: &Limit, subject: &Subject) -> bool {
    let in_scope = match limit.scope {
        LimitScope::Global | LimitScope::Tenant => true,
        LimitScope::Project => names(limit.scope_id.as_deref(), subject.project_id.as_deref()),
        LimitScope::Agent => names(limit.scope_id.as_deref(), subject.agent_id.as_deref()),
        LimitScope::Provider => names(limit.scope_id.as_deref(), subject.provider.as_deref()),
    };
    limit.status == LimitStatus::Active
        && in_scope
        && limit.api_key_id.is_none_or(|key| subject.api_key_id == Some(key))
        && limit
            .model
            .as_deref()
            .is_none_or(|pattern| subject.model.as_deref().is_some_and(|m| glob(pattern, m)))
        && qualifies(limit.feature.as_deref(), subject.feature.as_deref())
        && qualifies(limit.end_user.as_deref(), subject.end_user.as_deref())
}

/// Whether a limit that is about this one alone, if it is, is about the request.
fn qualifies(only: Option<&str>, subject: Option<&str>) -> bool {
    only.is_none() || only == subject
}

fn names(scope: Option<&str>, subject: Option<&str>) -> bool {
    scope.is_some() && scope == subject
}

/// Whether the text is the pattern, or starts with what stands before its final `*`.
pub fn glob(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => text.starts_with(prefix),
        None => text == pattern,
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use model::id::{KeyId, LimitId, TenantId};
    use model::limit::{Enforcement, Handling, LimitCategory, LimitType};
    use model::time::Timestamp;
    use model::window::WindowSpec;

    use super::*;

    fn limit(scope: LimitScope, scope_id: Option<&str>) -> Limit {
        Limit {
            id: LimitId::from_bits(1),
            tenant: TenantId::from_bits(1),
            name: "any".to_string(),
            description: None,
            category: LimitCategory::Threshold,
            limit_type: LimitType::TokensPerRun,
            scope,
            scope_id: scope_id.map(Into::into),
            api_key_id: None,
            model: None,
            feature: None,
            end_user: None,
            max: 1,
            window: WindowSpec::PerRun,
            enforcement: Enforcement::Block,
            handling: Handling::default(),
            status: LimitStatus::Active,
            raise: None,
            overrun: None,
            created_at: Timestamp::from_micros(0),
            updated_at: Timestamp::from_micros(0),
        }
    }

    fn subject() -> Subject {
        Subject {
            api_key_id: Some(KeyId::from_bits(9)),
            project_id: Some("search".to_string()),
            agent_id: Some("crawler".to_string()),
            feature: Some("answers".to_string()),
            end_user: Some("ada".to_string()),
            provider: Some("openai".to_string()),
            model: Some("gpt-4o-mini".to_string()),
            ..Subject::default()
        }
    }

    #[test]
    fn a_limit_applies_to_requests_of_its_scope() {
        let cases = [
            (LimitScope::Global, None, true),
            (LimitScope::Tenant, None, true),
            (LimitScope::Project, Some("search"), true),
            (LimitScope::Project, Some("other"), false),
            (LimitScope::Agent, Some("crawler"), true),
            (LimitScope::Agent, None, false),
            (LimitScope::Provider, Some("openai"), true),
            (LimitScope::Provider, Some("anthropic"), false),
        ];
        for (scope, id, expected) in cases {
            assert_eq!(
                applies(&limit(scope, id), &subject()),
                expected,
                "{scope:?} {id:?}"
            );
        }
        assert!(!applies(
            &limit(LimitScope::Project, Some("search")),
            &Subject::default()
        ));
    }

    #[test]
    fn a_limit_applies_under_its_conditions_and_while_it_is_active() {
        let tenant = || limit(LimitScope::Tenant, None);
        let cases = [
            (
                Limit {
                    api_key_id: Some(KeyId::from_bits(9)),
                    ..tenant()
                },
                true,
            ),
            (
                Limit {
                    api_key_id: Some(KeyId::from_bits(8)),
                    ..tenant()
                },
                false,
            ),
            (
                Limit {
                    model: Some("gpt-4o*".to_string()),
                    ..tenant()
                },
                true,
            ),
            (
                Limit {
                    model: Some("gpt-4o".to_string()),
                    ..tenant()
                },
                false,
            ),
            (
                Limit {
                    status: LimitStatus::Disabled,
                    ..tenant()
                },
                false,
            ),
        ];
        for (limit, expected) in cases {
            assert_eq!(applies(&limit, &subject()), expected, "{limit:?}");
        }
        assert!(!applies(
            &Limit {
                model: Some("*".to_string()),
                ..tenant()
            },
            &Subject::default()
        ));
    }

    #[test]
    fn a_limit_of_a_feature_and_of_an_end_user_is_about_exactly_these() {
        let only = |feature: Option<&str>, end_user: Option<&str>| Limit {
            feature: feature.map(Into::into),
            end_user: end_user.map(Into::into),
            ..limit(LimitScope::Tenant, None)
        };
        for (limit, expected) in [
            (only(Some("answers"), None), true),
            (only(None, Some("ada")), true),
            (only(Some("answers"), Some("ada")), true),
            (only(Some("answers"), Some("ada ")), false),
            (only(Some("other"), Some("ada")), false),
            (only(Some("answers*"), None), false),
        ] {
            assert_eq!(applies(&limit, &subject()), expected, "{limit:?}");
            assert!(!applies(&limit, &Subject::default()), "{limit:?}");
        }
    }
}
