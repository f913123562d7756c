//! `/api/v1/policies/preventions`: the LLM Runs that Policy Rules have kept from failing again.

use std::str::FromStr;

use actix_web::HttpResponse;
use actix_web::web::Data;
use adapters::customer::preventions::{Marked, PreventionPageView, PreventionView};
use adapters::problem::Problem;
use model::id::PreventionId;
use serde::Deserialize;
use services::cursors::List;
use services::preventions::{self, Filter, Known};
use utoipa::IntoParams;

use crate::actor::ReadActor;
use crate::paging::Asked;
use crate::problem::ApiError;
use crate::query::{Query, word};
use crate::state::State;

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Only those of this Policy Rule.
    rule_id: Option<String>,
    /// Only those of Policy Rules that came from this Incident.
    incident_id: Option<String>,
    /// true: only those that somebody has called a false positive; false: only the others.
    #[param(value_type = Option<bool>)]
    false_positive: Option<String>,
    /// 1 to 200, default 50.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

fn id_of<T: FromStr>(name: &str, text: Option<&str>, what: &str) -> Result<Option<T>, ApiError> {
    let wrong = || ApiError::parameter(name, &format!("must be the id of {what}"));
    text.map(|text| text.parse().ok().ok_or_else(wrong)).transpose()
}

fn view(known: Known) -> PreventionView {
    let marked = known.marked.map(|marked| Marked {
        by: marked.by,
        at: marked.at,
        reason: marked.reason,
    });
    PreventionView::of(&known.prevention, marked)
}

/// List what Policy Rules have prevented
#[utoipa::path(get, path = "/api/v1/policies/preventions", operation_id = "list_preventions", tag = "Policy Rules",
    params(ListQuery),
    responses((status = 200, description = "Preventions, newest first", body = PreventionPageView),
              (status = 400, description = "A parameter is wrong", body = Problem)))]
pub(crate) async fn list(
    actor: ReadActor,
    state: Data<State>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let tenant = actor.0.tenant_id();
    let filter = Filter {
        rule: id_of("rule_id", query.rule_id.as_deref(), "a Policy Rule")?,
        incident: id_of("incident_id", query.incident_id.as_deref(), "an Incident")?,
        is_false_positive: word("false_positive", query.false_positive.as_deref(), "true, false")?,
    };
    let pages = List {
        name: "policy_preventions",
        owner: tenant,
        filter: format!("{filter:?}"),
    };
    let asked =
        Asked::<PreventionId>::filtered(&state, pages, (query.limit.as_deref(), query.cursor.as_deref()))
            .await?;
    let found = preventions::list(&state.cx, tenant, filter, asked.place, asked.most()).await?;
    let (items, next_cursor) = asked.cut(&state, found, |known| known.prevention.id).await?;
    Ok(HttpResponse::Ok().json(PreventionPageView {
        items: items.into_iter().map(view).collect(),
        has_more: next_cursor.is_some(),
        next_cursor,
    }))
}
