//! Which problems can an operation answer?
//!
//! They are said here and not at each handler: what follows from what an operation takes, and what its services refuse.
//! Each operation lists them by status in `x-problems`; those of every operation stand once at the top of the document.
//! The tests of the API compare every problem that they are answered with what is listed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use utoipa::openapi::OpenApi;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;

/// Where they are listed.
const MEMBER: &str = "x-problems";

/// Problems of one status.
type Codes = (&'static str, &'static [&'static str]);

/// Any request may be answered with these, whatever it asks for.
const ANY: [Codes; 11] = [
    (
        "400",
        &[
            "credential-in-url",
            "invalid-header",
            "invalid-parameter",
            "malformed-request",
        ],
    ),
    (
        "401",
        &[
            "authentication-required",
            "invalid-credential",
            "wrong-credential-kind",
        ],
    ),
    ("404", &["not-found"]),
    ("405", &["method-not-allowed"]),
    ("406", &["not-acceptable"]),
    ("414", &["uri-too-long"]),
    ("421", &["misdirected-request"]),
    ("431", &["headers-too-large"]),
    ("500", &["internal-error"]),
    (
        "503",
        &[
            "outcome-unknown",
            "overloaded",
            "shutting-down",
            "storage-unavailable",
            "timed-out",
        ],
    ),
    ("507", &["storage-full"]),
];

/// With the key of a tenant.
const OF_TENANTS: [Codes; 1] = [("403", &["insufficient-scope", "key-frozen", "tenant-suspended"])];

/// With a body.
const WITH_BODY: [Codes; 5] = [
    ("400", &["duplicate-member", "malformed-json"]),
    ("408", &["request-timeout"]),
    ("413", &["payload-too-large"]),
    ("415", &["unsupported-encoding", "unsupported-media-type"]),
    ("422", &["read-only-field", "unknown-field", "validation-failed"]),
];

/// With an `Idempotency-Key`.
const WITH_KEY: [Codes; 4] = [
    ("400", &["idempotency-key-invalid"]),
    ("403", &["idempotency-key-foreign"]),
    ("409", &["idempotency-in-progress"]),
    ("422", &["idempotency-key-reused"]),
];

/// With a `cursor`.
const WITH_CURSOR: [Codes; 1] = [("400", &["invalid-cursor"])];

const CONDITION: Codes = (
    "422",
    &["policy-invalid", "policy-self-lockout", "policy-too-complex"],
);
const HISTORY: Codes = ("429", &["rate-limited"]);
/// Of the tables of the consoles, whose parameters are judged like members of a body.
const PARAMETERS: [Codes; 1] = [("422", &["validation-failed"])];
const NAME_TAKEN: [Codes; 1] = [("409", &["already-exists"])];
const KEY_MADE: [Codes; 1] = [("403", &["quota-exceeded", "scope-escalation"])];
const KEY_CHANGED: [Codes; 1] = [("409", &["key-revoked"])];
const LIMIT_MADE: [Codes; 2] = [
    ("403", &["insufficient-scope", "quota-exceeded"]),
    ("409", &["already-exists"]),
];
const LIMIT_CHANGED: [Codes; 2] = [
    ("403", &["insufficient-scope", "quota-exceeded"]),
    ("409", &["already-exists", "integrity-failed", "limit-in-use"]),
];
const OVERRIDE_MADE: [Codes; 2] = [
    ("403", &["quota-exceeded"]),
    ("409", &["already-exists", "integrity-failed"]),
];
const RULE_MADE: [Codes; 3] = [
    ("403", &["insufficient-scope", "quota-exceeded", "self-approval"]),
    ("409", &["already-exists"]),
    CONDITION,
];
const RULE_CHANGED: [Codes; 3] = [
    ("403", &["insufficient-scope", "quota-exceeded", "self-approval"]),
    (
        "409",
        &[
            "already-exists",
            "integrity-failed",
            "rule-retired",
            "version-conflict",
        ],
    ),
    CONDITION,
];
const APPROVED: [Codes; 3] = [
    ("403", &["quota-exceeded", "self-approval"]),
    (
        "409",
        &[
            "already-exists",
            "integrity-failed",
            "policy-conflict",
            "proposal-reviewed",
            "rule-retired",
        ],
    ),
    CONDITION,
];
const INCIDENT_CHANGED: [Codes; 1] = [("409", &["incident-state", "version-conflict"])];

/// What the services behind an operation refuse; the first path that fits counts. A `*` stands for any one segment.
const REFUSED: [(&str, &str, &[Codes]); 44] = [
    ("POST", "/api/v1/limits", &LIMIT_MADE),
    ("PUT", "/api/v1/limits/*", &LIMIT_CHANGED),
    ("DELETE", "/api/v1/limits/*", &LIMIT_CHANGED),
    ("POST", "/api/v1/limits/simulate/history", &[HISTORY]),
    ("POST", "/api/v1/limits/overrides", &OVERRIDE_MADE),
    (
        "DELETE",
        "/api/v1/limits/overrides/*",
        &[("409", &["override-ended"])],
    ),
    ("POST", "/api/v1/ops/limits", &LIMIT_MADE),
    ("PUT", "/api/v1/ops/limits/*", &LIMIT_CHANGED),
    ("POST", "/api/v1/ops/limits/overrides", &OVERRIDE_MADE),
    (
        "DELETE",
        "/api/v1/ops/limits/overrides/*",
        &[("409", &["override-ended"])],
    ),
    (
        "POST",
        "/api/v1/holds/*/settle",
        &[(
            "409",
            &[
                "reservation-closed",
                "reservation-expired",
                "settlement-exceeds-reservation",
            ],
        )],
    ),
    (
        "POST",
        "/api/v1/holds/*/release",
        &[("409", &["reservation-closed", "reservation-expired"])],
    ),
    ("POST", "/api/v1/policies/rules", &RULE_MADE),
    ("PUT", "/api/v1/policies/rules/*", &RULE_CHANGED),
    ("POST", "/api/v1/ops/policies/rules", &RULE_MADE),
    ("PUT", "/api/v1/ops/policies/rules/*", &RULE_CHANGED),
    (
        "POST",
        "/api/v1/policies/rules/backtest",
        &[HISTORY, CONDITION, ("422", &["not-on-record"])],
    ),
    (
        "POST",
        "/api/v1/policy-proposals",
        &[("409", &["already-exists", "rule-retired"]), CONDITION],
    ),
    ("POST", "/api/v1/policy-proposals/*/approve", &APPROVED),
    (
        "POST",
        "/api/v1/policy-proposals/*/reject",
        &[("409", &["proposal-reviewed"])],
    ),
    (
        "GET",
        "/api/v1/policy-proposals/*/backtest",
        &[HISTORY, ("422", &["not-on-record"])],
    ),
    ("POST", "/api/v1/incidents/*/acknowledge", &INCIDENT_CHANGED),
    ("POST", "/api/v1/incidents/*/resolve", &INCIDENT_CHANGED),
    (
        "GET",
        "/api/v1/incidents/stream",
        &[HISTORY, ("503", &["too-many-streams"])],
    ),
    ("GET", "/api/v1/runtime/incidents", &PARAMETERS),
    ("GET", "/api/v1/runtime/policies/rules", &PARAMETERS),
    ("GET", "/api/v1/runtime/policies/limits", &PARAMETERS),
    ("POST", "/api/v1/keys", &KEY_MADE),
    ("DELETE", "/api/v1/keys/*", &KEY_CHANGED),
    ("POST", "/api/v1/keys/*/freeze", &KEY_CHANGED),
    ("POST", "/api/v1/keys/*/unfreeze", &KEY_CHANGED),
    ("POST", "/api/v1/ops/tenants/*/keys", &KEY_MADE),
    ("DELETE", "/api/v1/ops/tenants/*/keys/*", &KEY_CHANGED),
    ("POST", "/api/v1/ops/tenants/*/keys/*/freeze", &KEY_CHANGED),
    ("POST", "/api/v1/ops/tenants/*/keys/*/unfreeze", &KEY_CHANGED),
    ("POST", "/api/v1/projects", &NAME_TAKEN),
    ("POST", "/api/v1/agents", &NAME_TAKEN),
    ("POST", "/api/v1/ops/tenants", &NAME_TAKEN),
    ("GET", "/api/v1/analytics/costs", &[("400", &["range-too-large"])]),
    (
        "POST",
        "/api/v1/webhooks",
        &[
            ("403", &["quota-exceeded"]),
            ("409", &["webhooks-unavailable"]),
            ("422", &["unsafe-url"]),
        ],
    ),
    (
        "PUT",
        "/api/v1/webhooks/*",
        &[("409", &["webhooks-unavailable"]), ("422", &["unsafe-url"])],
    ),
    (
        "POST",
        "/api/v1/webhooks/*/rotate-secret",
        &[("409", &["webhooks-unavailable"])],
    ),
    (
        "POST",
        "/api/v1/webhooks/*/test",
        &[("409", &["webhooks-unavailable"])],
    ),
    (
        "POST",
        "/api/v1/webhooks/*/deliveries/*/redeliver",
        &[("409", &["delivery-pending", "webhook-disabled"])],
    ),
];

/// Codes by status.
type Listed = BTreeMap<&'static str, BTreeSet<&'static str>>;

/// Lists the problems of every request.
pub(super) fn of_all(document: &mut OpenApi) {
    let extensions = document.extensions.get_or_insert_with(Extensions::default);
    extensions.insert(MEMBER.to_owned(), shown(&gathered([&ANY[..]])));
}

/// Lists the problems of an operation of ours, and says which statuses those are.
pub(super) fn of_operation(method: &str, path: &str, operation: &mut Operation) -> Vec<&'static str> {
    let takes = |name: &str| {
        let mut parameters = operation.parameters.iter().flatten();
        parameters.any(|parameter| matches!(parameter, utoipa::openapi::RefOr::T(it) if it.name == name))
    };
    let mut lists: Vec<&[Codes]> = Vec::new();
    if !path.starts_with("/api/v1/ops/") {
        lists.push(&OF_TENANTS);
    }
    if operation.request_body.is_some() {
        lists.push(&WITH_BODY);
    }
    if takes("Idempotency-Key") {
        lists.push(&WITH_KEY);
    }
    if takes("cursor") {
        lists.push(&WITH_CURSOR);
    }
    let refused = REFUSED
        .iter()
        .find(|(of, pattern, _)| *of == method && fits(pattern, path));
    lists.extend(refused.map(|(_, _, codes)| *codes));
    let listed = gathered(lists);
    let extensions = operation.extensions.get_or_insert_with(Extensions::default);
    extensions.insert(MEMBER.to_owned(), shown(&listed));
    listed.into_keys().collect()
}

fn gathered<'a>(lists: impl IntoIterator<Item = &'a [Codes]>) -> Listed {
    let mut listed = Listed::new();
    for (status, codes) in lists.into_iter().flatten() {
        listed.entry(status).or_default().extend(codes.iter());
    }
    listed
}

fn shown(listed: &Listed) -> Value {
    serde_json::to_value(listed).unwrap_or_default()
}

fn fits(pattern: &str, path: &str) -> bool {
    let (wanted, found) = (pattern.split('/'), path.split('/'));
    wanted.clone().count() == found.clone().count()
        && wanted
            .zip(found)
            .all(|(wanted, found)| wanted == found || (wanted == "*" && found.starts_with('{')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_about_an_operation_that_there_is() {
        let document: Value = serde_json::from_str(&super::super::json()).unwrap();
        let paths = document.get("paths").and_then(Value::as_object).unwrap();
        for (method, pattern, _) in REFUSED {
            let found = paths
                .iter()
                .filter(|(path, item)| fits(pattern, path) && item.get(method.to_lowercase()).is_some());
            assert_eq!(found.count(), 1, "{method} {pattern}");
        }
    }
}
