//! `/api/v1/policies/rules`: look at Policy Rules.

mod errors;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use adapters::customer::policies::{RulePageView, RuleVersionsView, RuleView, StoredVersion};
use adapters::problem::Problem;
use model::id::RuleId;
use model::page::{Cursor, PageRequest};
use serde::Deserialize;
use services::cursors::List;
use services::owner::Owner;
use services::policies::{Known, ListFilter};
use utoipa::IntoParams;

use crate::actor::ReadActor;
use crate::mode::Mode;
use crate::paging;
use crate::problem::ApiError;
use crate::query::{Query, word};
use crate::state::State;

pub(crate) use self::errors::{invalid as invalid_rule, not_on_record, rule_error, self_approval};

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Only ACTIVE or RETIRED.
    status: Option<String>,
    /// Only BLOCK, WARN, LOG or `DRY_RUN`.
    enforcement_mode: Option<String>,
    /// Only GLOBAL, TENANT, PROJECT or AGENT.
    scope: Option<String>,
    /// Only MANUAL, SYSTEM or LEARNED.
    source: Option<String>,
    /// Only CONDITION, `PII_FILTER`, `SAFETY_BASIC`, `CONTENT_ACCURACY` or `PROMPT_INJECTION`.
    rule_type: Option<String>,
    /// 1 to 200, default 50.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// A piece of the rules of an owner.
pub(crate) async fn page(state: &State, owner: Owner, query: &ListQuery) -> Result<RulePageView, ApiError> {
    let filter = ListFilter {
        status: word("status", query.status.as_deref(), "ACTIVE, RETIRED")?,
        mode: word::<Mode>(
            "enforcement_mode",
            query.enforcement_mode.as_deref(),
            "BLOCK, WARN, LOG, DRY_RUN",
        )?
        .map(|mode| mode.0),
        scope: word("scope", query.scope.as_deref(), "GLOBAL, TENANT, PROJECT, AGENT")?,
        source: word("source", query.source.as_deref(), "MANUAL, SYSTEM, LEARNED")?,
        rule_type: word(
            "rule_type",
            query.rule_type.as_deref(),
            "CONDITION, PII_FILTER, SAFETY_BASIC, CONTENT_ACCURACY, PROMPT_INJECTION",
        )?,
    };
    let pages = List {
        name: "policy_rules",
        owner: owner.id(),
        filter: format!("{filter:?}"),
    };
    let limit = paging::limit(query.limit.as_deref())?;
    let after = paging::position::<RuleId>(state, &pages, query.cursor.as_deref()).await?;
    let after = after.map(|id| Cursor {
        at_micros: 0,
        id: id.to_string(),
    });
    let (items, has_more) = services::policies::list(&state.cx, owner, filter, PageRequest { limit, after })
        .await
        .map_err(rule_error)?;
    let end = items.last().filter(|_| has_more).map(|item| item.rule.id);
    Ok(RulePageView {
        items: items.into_iter().map(view).collect(),
        has_more,
        next_cursor: paging::next(state, &pages, end).await?,
    })
}

fn view(known: Known) -> RuleView {
    RuleView::of(known.rule, known.integrity)
}

/// List Policy Rules
#[utoipa::path(get, path = "/api/v1/policies/rules", operation_id = "list_policy_rules", tag = "Policy Rules",
    params(ListQuery),
    responses((status = 200, description = "Policy Rules, newest first", body = RulePageView),
              (status = 400, description = "A parameter is wrong", body = Problem)))]
pub(crate) async fn list(
    actor: ReadActor,
    state: Data<State>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let owner = Owner::Tenant(actor.0.tenant_id());
    Ok(HttpResponse::Ok().json(page(&state, owner, &query).await?))
}

/// Get a Policy Rule
#[utoipa::path(get, path = "/api/v1/policies/rules/{rule_id}", operation_id = "get_policy_rule", tag = "Policy Rules",
    params(("rule_id" = String, Path)),
    responses((status = 200, description = "The Policy Rule", body = RuleView),
              (status = 404, description = "There is no such Policy Rule", body = Problem)))]
pub(crate) async fn get(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: RuleId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let found = services::policies::get(&state.cx, Owner::Tenant(actor.0.tenant_id()), id)
        .await
        .map_err(rule_error)?;
    Ok(HttpResponse::Ok().json(view(found)))
}

/// List the versions of a Policy Rule
#[utoipa::path(get, path = "/api/v1/policies/rules/{rule_id}/versions", operation_id = "list_policy_rule_versions",
    tag = "Policy Rules", params(("rule_id" = String, Path)),
    responses((status = 200, description = "Everything it has said, oldest first, with what each version changed",
               body = RuleVersionsView),
              (status = 404, description = "There is no such Policy Rule", body = Problem)))]
pub(crate) async fn versions(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: RuleId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let found = services::policies::versions(&state.cx, Owner::Tenant(actor.0.tenant_id()), id)
        .await
        .map_err(rule_error)?;
    let stored = found.into_iter().map(|version| StoredVersion {
        version: version.version,
        definition: version.definition,
        hash: version.hash,
        reason: version.reason,
        by: version.by,
        at: version.at,
    });
    Ok(HttpResponse::Ok().json(RuleVersionsView::of(stored.collect())))
}
