//! `/api/v1/policy-proposals`: from a failure to a Policy Rule.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::proposals::{ProposalPageView, ProposalView};
use adapters::problem::{FieldProblem, Problem};
use model::id::{IncidentId, ProposalId, RuleId};
use model::page::{Cursor, PageRequest};
use model::policy::{ProposalType, RuleScope};
use serde::Deserialize;
use services::audit::Author;
use services::cursors::List;
use services::proposals::{self, Approval, Filter, Known, ProposalError, Review, Wish};
use utoipa::{IntoParams, ToSchema};

use super::rules::{invalid_rule, not_on_record, rule_error, self_approval};
use super::rules_change::RuleBody;
use crate::actor::{ManageActor, ReadActor};
use crate::body::{Body, Json, OptionalJson};
use crate::idempotency;
use crate::mode::Mode;
use crate::paging;
use crate::problem::ApiError;
use crate::query::{Query, word};
use crate::state::State;

/// What is proposed: either the Policy Rule that would have prevented an Incident, drafted from the LLM Runs on record,
/// or what somebody has written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposalBody {
    /// The Incident of an LLM Run that failed; with nothing else beside it.
    #[schema(value_type = Option<String>)]
    incident_id: Option<IncidentId>,
    /// CREATE (if it is left out), MODIFY or RETIRE.
    #[schema(value_type = Option<String>, example = "CREATE")]
    proposal_type: Option<ProposalType>,
    /// The Policy Rule that it is about (MODIFY, RETIRE).
    #[schema(value_type = Option<String>)]
    target_rule_id: Option<RuleId>,
    /// What the Policy Rule is to say, as a whole (CREATE, MODIFY).
    definition: Option<RuleBody>,
    /// Why: 10 to 500 characters.
    #[schema(example = "shells were started at night by nobody we know")]
    reason: Option<String>,
}

impl Body for ProposalBody {
    const READ_ONLY: &'static [&'static str] = &[
        "tenant_id",
        "proposal_id",
        "status",
        "confidence_score",
        "proposed_by",
        "created_by",
        "triggering_run_id",
        "triggering_incident_id",
        "signature_id",
        "conflicts",
        "rule_id",
        "reviewed_by",
        "reviewed_at",
        "review_notes",
        "created_at",
        "expires_at",
    ];
}

impl ProposalBody {
    fn wish(self) -> Result<Wish, ApiError> {
        let Self {
            incident_id,
            proposal_type,
            target_rule_id,
            definition,
            reason,
        } = self;
        let definition = definition.map(|body| body.definition(RuleScope::Tenant));
        if let Some(incident) = incident_id {
            let alone = proposal_type.is_none()
                && target_rule_id.is_none()
                && definition.is_none()
                && reason.is_none();
            return if alone {
                Ok(Wish::FromIncident(incident))
            } else {
                Err(ApiError::field(
                    "/incident_id",
                    "stands alone: the rest is drafted",
                ))
            };
        }
        let missing = |pointer: &str, for_what: &str| {
            Err(ApiError::field(pointer, &format!("is needed for {for_what}")))
        };
        let Some(reason) = reason else {
            return missing("/reason", "a proposal without `incident_id`");
        };
        let kind = proposal_type.unwrap_or(ProposalType::Create);
        match (kind, target_rule_id, definition) {
            (ProposalType::Create, None, Some(definition)) => Ok(Wish::Create { definition, reason }),
            (ProposalType::Modify, Some(target), Some(definition)) => Ok(Wish::Modify {
                target,
                definition,
                reason,
            }),
            (ProposalType::Retire, Some(target), None) => Ok(Wish::Retire { target, reason }),
            (ProposalType::Create | ProposalType::Modify, _, None) => missing("/definition", kind.as_str()),
            (ProposalType::Modify | ProposalType::Retire, None, _) => {
                missing("/target_rule_id", kind.as_str())
            }
            (ProposalType::Create, Some(_), _) => {
                Err(ApiError::field("/target_rule_id", "is for MODIFY and RETIRE"))
            }
            (ProposalType::Retire, Some(_), Some(_)) => {
                Err(ApiError::field("/definition", "is for CREATE and MODIFY"))
            }
        }
    }
}

pub(crate) fn proposal_error(error: ProposalError) -> ApiError {
    match error {
        ProposalError::NotFound => ApiError::not_found(),
        ProposalError::Invalid(problems) => invalid_rule("", problems),
        ProposalError::Definition(problems) => invalid_rule("/definition", problems),
        ProposalError::Exists(other) => ApiError::new(
            409,
            "already-exists",
            "Already exists",
            format!("{other} is a proposal for this failure. Review it first."),
        ),
        ProposalError::Reviewed(status) => ApiError::new(
            409,
            "proposal-reviewed",
            "Proposal reviewed",
            format!("The proposal waits no more: it is {}.", status.as_str()),
        ),
        ProposalError::Conflicts(conflicts) => {
            let error = ApiError::new(
                409,
                "policy-conflict",
                "Policy Rule conflict",
                "ACTIVE Policy Rules stand against it. Change or retire them first, or approve it in another mode.",
            );
            let fields = conflicts.into_iter().map(|conflict| FieldProblem {
                pointer: "/definition".to_owned(),
                detail: format!("{} {}", <&str>::from(conflict.kind), conflict.rule),
                ..FieldProblem::default()
            });
            ApiError {
                errors: fields.collect(),
                ..error
            }
        }
        ProposalError::OwnProposal => {
            self_approval("It is your own proposal: another person has to approve it.")
        }
        ProposalError::Policy(error) => rule_error(error),
        ProposalError::NothingToTry => {
            not_on_record("The proposal retires a Policy Rule: there is nothing to try.")
        }
        ProposalError::Once(error) => idempotency::refusal(error),
        ProposalError::Store(error) => error.into(),
    }
}

fn view(known: Known) -> ProposalView {
    ProposalView::of(known.proposal, known.rule, known.conflicts, known.changes)
}

fn body_of(known: &Known) -> String {
    serde_json::to_string(&view(known.clone())).unwrap_or_default()
}

/// Propose a Policy Rule
#[utoipa::path(post, path = "/api/v1/policy-proposals", operation_id = "create_policy_proposal", tag = "Policy Rules",
    request_body = ProposalBody, params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, description = "The proposal; it changes nothing until somebody approves it", body = ProposalView),
              (status = 409, description = "The failure has a proposal that waits", body = Problem),
              (status = 422, description = "The body is not valid; of a condition it is said where", body = Problem)))]
pub(crate) async fn create(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    body: Json<ProposalBody>,
) -> Result<HttpResponse, ApiError> {
    let (tenant, principal) = (actor.0.tenant_id(), actor.0.principal());
    let once = idempotency::once(
        &request,
        "policy_proposals.create",
        tenant,
        principal.clone(),
        &body.bytes,
    )?;
    let wish = body.value.wish()?;
    let done = proposals::create(&state.cx, tenant, Author::human(principal), wish, once, body_of)
        .await
        .map_err(proposal_error)?;
    Ok(idempotency::respond(201, done))
}

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Only PENDING, APPROVED, REJECTED or EXPIRED.
    status: Option<String>,
    /// Only CREATE, MODIFY or RETIRE.
    proposal_type: Option<String>,
    /// 1 to 200, default 50.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// List proposals
#[utoipa::path(get, path = "/api/v1/policy-proposals", operation_id = "list_policy_proposals", tag = "Policy Rules",
    params(ListQuery),
    responses((status = 200, description = "Proposals, newest first", body = ProposalPageView),
              (status = 400, description = "A parameter is wrong", body = Problem)))]
pub(crate) async fn list(
    actor: ReadActor,
    state: Data<State>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let tenant = actor.0.tenant_id();
    let filter = Filter {
        status: word(
            "status",
            query.status.as_deref(),
            "PENDING, APPROVED, REJECTED, EXPIRED",
        )?,
        proposal_type: word(
            "proposal_type",
            query.proposal_type.as_deref(),
            "CREATE, MODIFY, RETIRE",
        )?,
    };
    let pages = List {
        name: "policy_proposals",
        owner: tenant,
        filter: format!("{filter:?}"),
    };
    let limit = paging::limit(query.limit.as_deref())?;
    let after = paging::position::<ProposalId>(&state, &pages, query.cursor.as_deref()).await?;
    let after = after.map(|id| Cursor {
        at_micros: 0,
        id: id.to_string(),
    });
    let (items, has_more) = proposals::list(&state.cx, tenant, filter, PageRequest { limit, after })
        .await
        .map_err(proposal_error)?;
    let end = items.last().filter(|_| has_more).map(|item| item.proposal.id);
    Ok(HttpResponse::Ok().json(ProposalPageView {
        items: items.into_iter().map(view).collect(),
        has_more,
        next_cursor: paging::next(&state, &pages, end).await?,
    }))
}

/// Get a proposal
#[utoipa::path(get, path = "/api/v1/policy-proposals/{proposal_id}", operation_id = "get_policy_proposal",
    tag = "Policy Rules", params(("proposal_id" = String, Path)),
    responses((status = 200, description = "The proposal", body = ProposalView),
              (status = 404, description = "There is no such proposal", body = Problem)))]
pub(crate) async fn get(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = parsed(&id)?;
    let found = proposals::get(&state.cx, actor.0.tenant_id(), id)
        .await
        .map_err(proposal_error)?;
    Ok(HttpResponse::Ok().json(view(found)))
}

fn parsed(id: &str) -> Result<ProposalId, ApiError> {
    id.parse().ok().ok_or_else(ApiError::not_found)
}

/// How a proposal is approved.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApprovalBody {
    /// BLOCK, WARN, LOG or `DRY_RUN`: what the Policy Rule does when it matches; as proposed if it is left out.
    #[schema(value_type = Option<String>, example = "BLOCK")]
    enforcement_mode: Option<Mode>,
    /// What people should know: at most 1000 characters.
    review_notes: Option<String>,
}

impl Body for ApprovalBody {
    const READ_ONLY: &'static [&'static str] = &["reviewed_by", "reviewed_at", "status"];
}

/// How a proposal is rejected.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RejectionBody {
    /// Why: at most 1000 characters.
    #[schema(example = "the provider has mended it")]
    review_notes: Option<String>,
}

impl Body for RejectionBody {
    const READ_ONLY: &'static [&'static str] = &["reviewed_by", "reviewed_at", "status"];
}

async fn review(
    (actor, state, request): (&ManageActor, &State, &HttpRequest),
    id: &str,
    body: &[u8],
    (said, operation): (Review, &'static str),
) -> Result<HttpResponse, ApiError> {
    let id = parsed(id)?;
    let (tenant, principal) = (actor.0.tenant_id(), actor.0.principal());
    let once = idempotency::once(request, operation, tenant, principal.clone(), body)?;
    let author = Author::human(principal);
    let done = proposals::conclude(&state.cx, author, (tenant, id), said, once, body_of)
        .await
        .map_err(proposal_error)?;
    Ok(idempotency::respond(200, done))
}

/// Approve a proposal
#[utoipa::path(post, path = "/api/v1/policy-proposals/{proposal_id}/approve", operation_id = "approve_policy_proposal",
    tag = "Policy Rules", request_body = ApprovalBody,
    params(("proposal_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "The proposal, with the Policy Rule that came of it; the next request is judged by it",
               body = ProposalView),
              (status = 403, description = "It is your own, and your tenant wants two persons", body = Problem),
              (status = 404, description = "There is no such proposal", body = Problem),
              (status = 409, description = "It was reviewed otherwise, or ACTIVE Policy Rules stand against it", body = Problem)))]
pub(crate) async fn approve(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
    body: OptionalJson<ApprovalBody>,
) -> Result<HttpResponse, ApiError> {
    let wanted = body.0;
    let approval = Approval {
        mode: wanted.enforcement_mode.map(|mode| mode.0),
        notes: wanted.review_notes,
    };
    let said = (Review::Approve(approval), "policy_proposals.approve");
    review((&actor, &state, &request), &id, &body.1, said).await
}

/// Reject a proposal
#[utoipa::path(post, path = "/api/v1/policy-proposals/{proposal_id}/reject", operation_id = "reject_policy_proposal",
    tag = "Policy Rules", request_body = RejectionBody,
    params(("proposal_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "The proposal", body = ProposalView),
              (status = 404, description = "There is no such proposal", body = Problem),
              (status = 409, description = "It was reviewed otherwise", body = Problem)))]
pub(crate) async fn reject(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
    body: OptionalJson<RejectionBody>,
) -> Result<HttpResponse, ApiError> {
    let said = (Review::Reject(body.0.review_notes), "policy_proposals.reject");
    review((&actor, &state, &request), &id, &body.1, said).await
}
