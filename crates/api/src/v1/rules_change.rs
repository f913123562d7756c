//! `/api/v1/policies/rules`: make, change and retire Policy Rules.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::policies::{RuleView, WrittenRuleView};
use adapters::problem::Problem;
use model::id::{RuleId, TenantId};
use model::permille::Permille;
use model::policy::{Definition, OnStream, PREVENTION_CONFIDENCE, RuleScope, RuleStatus, RuleType, Stage};
use serde::Deserialize;
use services::audit::Author;
use services::owner::Owner;
use services::policies::{Change, Known};
use utoipa::ToSchema;

use super::rules::rule_error;
use crate::actor::ManageActor;
use crate::body::{Body, Json};
use crate::idempotency;
use crate::mode::Mode;
use crate::problem::ApiError;
use crate::share::Share;
use crate::state::State;

/// A new Policy Rule.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleBody {
    /// What people call it: 1 to 256 characters.
    #[schema(example = "no shells at night")]
    name: String,
    /// What it is for: at most 1024 characters.
    description: Option<String>,
    /// CONDITION (if it is left out), `PII_FILTER`, `SAFETY_BASIC`, `CONTENT_ACCURACY` or `PROMPT_INJECTION`.
    #[schema(value_type = Option<String>, example = "CONDITION")]
    rule_type: Option<RuleType>,
    /// INPUT (before the call) or OUTPUT (on its answer); INPUT if it is left out, OUTPUT for `CONTENT_ACCURACY`.
    #[schema(value_type = Option<String>, example = "INPUT")]
    stage: Option<Stage>,
    /// The condition, in CEL (CONDITION); for all other types it narrows down what they match.
    #[schema(example = "tools.exists(tool, tool == 'shell') && time.hour < 6")]
    condition: Option<String>,
    /// The least confidence of a finding that counts, 0.000 to 1.000; 0.600 if it is left out.
    #[schema(value_type = Option<f64>, example = 0.6)]
    min_confidence: Option<Share>,
    /// TENANT if it is left out.
    #[schema(value_type = Option<String>, example = "TENANT")]
    scope: Option<RuleScope>,
    /// Which project or agent (PROJECT, AGENT).
    scope_id: Option<String>,
    /// BLOCK, WARN, LOG (or AUDIT, an older word for it) or `DRY_RUN`.
    #[schema(value_type = String, example = "DRY_RUN")]
    enforcement_mode: Mode,
    /// What happens when it matches in a stream (OUTPUT): BLOCK or ANNOTATE; BLOCK for BLOCK if it is left out.
    #[schema(value_type = Option<String>)]
    on_stream: Option<OnStream>,
}

impl Body for RuleBody {
    const READ_ONLY: &'static [&'static str] = READ_ONLY;
}

/// What the installation says of a rule, and nobody else.
const READ_ONLY: &[&str] = &[
    "rule_id",
    "tenant_id",
    "version",
    "hash",
    "integrity_status",
    "integrity_score",
    "source",
    "source_proposal_id",
    "source_incident_id",
    "source_run_id",
    "parent_rule_id",
    "created_by",
    "created_at",
    "updated_at",
    "retired_at",
    "retired_by",
    "conflicts",
];

impl RuleBody {
    /// What the rule is to say.
    pub(crate) fn definition(self, scope: RuleScope) -> Definition {
        let rule_type = self.rule_type.unwrap_or(RuleType::Condition);
        let stage = match rule_type {
            RuleType::ContentAccuracy => Stage::Output,
            _ => Stage::Input,
        };
        let mode = self.enforcement_mode.0;
        let on_stream = if mode.refuses() {
            OnStream::Block
        } else {
            OnStream::Annotate
        };
        Definition {
            name: self.name,
            description: self.description,
            rule_type,
            stage: self.stage.unwrap_or(stage),
            condition: self.condition,
            min_confidence: self.min_confidence.map_or(PREVENTION_CONFIDENCE, |share| share.0),
            scope: self.scope.unwrap_or(scope),
            scope_id: self.scope_id,
            mode,
            on_stream: self.on_stream.unwrap_or(on_stream),
        }
    }
}

/// The body that answers a change.
pub(crate) fn body_of(known: &Known) -> String {
    let view = WrittenRuleView {
        rule: RuleView::of(known.rule.clone(), known.integrity),
        conflicts: known.conflicts.iter().copied().map(Into::into).collect(),
    };
    serde_json::to_string(&view).unwrap_or_default()
}

/// Make a Policy Rule
#[utoipa::path(post, path = "/api/v1/policies/rules", operation_id = "create_policy_rule", tag = "Policy Rules",
    request_body = RuleBody, params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, description = "The new Policy Rule; the next request is judged by it", body = WrittenRuleView),
              (status = 409, description = "There is one that demands the same and does the same", body = Problem),
              (status = 422, description = "The body is not valid; of a condition it is said where", body = Problem)))]
pub(crate) async fn create(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    body: Json<RuleBody>,
) -> Result<HttpResponse, ApiError> {
    let (tenant, principal) = (actor.0.tenant_id(), actor.0.principal());
    make(
        &state,
        request,
        (Owner::Tenant(tenant), RuleScope::Tenant),
        principal,
        body,
    )
    .await
}

/// Makes a rule of this owner; `scope` is the one that is meant if none is named.
pub(crate) async fn make(
    state: &State,
    request: HttpRequest,
    (owner, scope): (Owner, RuleScope),
    principal: String,
    body: Json<RuleBody>,
) -> Result<HttpResponse, ApiError> {
    let once = once(
        &request,
        "policy_rules.create",
        owner.id(),
        &principal,
        &body.bytes,
    )?;
    let definition = body.value.definition(scope);
    let author = Author::human(principal);
    let done = services::policies::create(&state.cx, owner, author, definition, once, body_of)
        .await
        .map_err(rule_error)?;
    Ok(idempotency::respond(201, done))
}

fn once(
    request: &HttpRequest,
    operation: &'static str,
    tenant: TenantId,
    principal: &str,
    bytes: &[u8],
) -> Result<Option<services::once::Once>, ApiError> {
    idempotency::once(request, operation, tenant, principal.to_owned(), bytes)
}

/// What to change of a Policy Rule; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleChangeBody {
    /// What people call it.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// The condition, in CEL.
    condition: Option<String>,
    /// The least confidence of a finding that counts, 0.000 to 1.000.
    #[schema(value_type = Option<f64>)]
    min_confidence: Option<Share>,
    /// BLOCK, WARN, LOG or `DRY_RUN`.
    #[schema(value_type = Option<String>, example = "BLOCK")]
    enforcement_mode: Option<Mode>,
    /// BLOCK or ANNOTATE.
    #[schema(value_type = Option<String>)]
    on_stream: Option<OnStream>,
    /// RETIRED retires it, for good.
    #[schema(value_type = Option<String>)]
    status: Option<RuleStatus>,
    /// Why it is changed: at most 500 characters.
    change_reason: Option<String>,
    /// Why it is retired (RETIRED): at most 500 characters.
    retirement_reason: Option<String>,
    /// The Policy Rule that takes its place (RETIRED).
    #[schema(value_type = Option<String>)]
    superseded_by: Option<RuleId>,
    /// The version that the change is made on; refused if it has another one by now.
    expected_version: Option<u32>,
}

impl Body for RuleChangeBody {
    const READ_ONLY: &'static [&'static str] = &[
        "rule_id",
        "tenant_id",
        "rule_type",
        "stage",
        "scope",
        "scope_id",
        "version",
        "hash",
        "integrity_status",
        "integrity_score",
        "source",
        "source_proposal_id",
        "source_incident_id",
        "source_run_id",
        "parent_rule_id",
        "created_by",
        "created_at",
        "updated_at",
        "retired_at",
        "retired_by",
        "conflicts",
    ];
}

impl From<RuleChangeBody> for Change {
    fn from(body: RuleChangeBody) -> Self {
        Self {
            whole: None,
            name: body.name,
            description: body.description,
            condition: body.condition,
            min_confidence: body.min_confidence.map(|share: Share| -> Permille { share.0 }),
            mode: body.enforcement_mode.map(|mode| mode.0),
            on_stream: body.on_stream,
            status: body.status,
            reason: body.change_reason,
            retirement_reason: body.retirement_reason,
            superseded_by: body.superseded_by,
            expected_version: body.expected_version,
        }
    }
}

/// Change or retire a Policy Rule
#[utoipa::path(put, path = "/api/v1/policies/rules/{rule_id}", operation_id = "update_policy_rule",
    tag = "Policy Rules", request_body = RuleChangeBody,
    params(("rule_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "The Policy Rule in its new version", body = WrittenRuleView),
              (status = 404, description = "There is no such Policy Rule", body = Problem),
              (status = 409, description = "It is retired, or has another version by now", body = Problem),
              (status = 422, description = "The body is not valid; of a condition it is said where", body = Problem)))]
pub(crate) async fn update(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
    body: Json<RuleChangeBody>,
) -> Result<HttpResponse, ApiError> {
    let (tenant, principal) = (actor.0.tenant_id(), actor.0.principal());
    change(&state, request, Owner::Tenant(tenant), principal, (&id, body)).await
}

/// Changes a rule of this owner.
pub(crate) async fn change(
    state: &State,
    request: HttpRequest,
    owner: Owner,
    principal: String,
    (id, body): (&str, Json<RuleChangeBody>),
) -> Result<HttpResponse, ApiError> {
    let id: RuleId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let once = once(
        &request,
        "policy_rules.update",
        owner.id(),
        &principal,
        &body.bytes,
    )?;
    let author = Author::human(principal);
    let done = services::policies::update(&state.cx, owner, author, (id, body.value.into()), once, body_of)
        .await
        .map_err(rule_error)?;
    Ok(idempotency::respond(200, done))
}
