//! `/api/v1/analytics`: where the money goes.

use actix_web::HttpResponse;
use actix_web::web::Data;
use adapters::customer::analytics::{CostGroupView, CostsView};
use adapters::problem::Problem;
use model::time::Timestamp;
use serde::Deserialize;
use services::analytics::{AnalyticsError, CostGroup, GroupBy};
use utoipa::IntoParams;

use crate::actor::ReadActor;
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;

/// What to add up.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct CostsQuery {
    /// `none` (default), `day`, `model`, `api_key`, `agent` or `feature`.
    group_by: Option<String>,
    /// First instant, RFC 3339; 30 days before `to` if it is left out.
    from: Option<String>,
    /// First instant that is left out, RFC 3339; now if it is left out.
    to: Option<String>,
}

const GROUPS: [(&str, GroupBy); 6] = [
    ("none", GroupBy::None),
    ("day", GroupBy::Day),
    ("model", GroupBy::Model),
    ("api_key", GroupBy::ApiKey),
    ("agent", GroupBy::Agent),
    ("feature", GroupBy::Feature),
];

fn instant(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
    text.map(|text| {
        text.parse()
            .ok()
            .ok_or_else(|| ApiError::parameter(name, "must be an RFC 3339 time with a zone"))
    })
    .transpose()
}

/// What was spent, by day, model, key, agent or feature
#[utoipa::path(get, path = "/api/v1/analytics/costs", operation_id = "list_costs",
    tag = "Analytics", params(CostsQuery),
    responses((status = 200, description = "What was spent", body = CostsView),
              (status = 400, description = "A parameter is wrong", body = Problem)))]
pub(crate) async fn costs(
    actor: ReadActor,
    state: Data<State>,
    query: Query<CostsQuery>,
) -> Result<HttpResponse, ApiError> {
    let asked = query.group_by.as_deref().unwrap_or("none");
    let (name, group) = GROUPS
        .into_iter()
        .find(|(name, _)| *name == asked)
        .ok_or_else(|| {
            ApiError::parameter(
                "group_by",
                "must be one of none, day, model, api_key, agent, feature",
            )
        })?;
    let from = instant("from", query.from.as_deref())?;
    let to = instant("to", query.to.as_deref())?;
    let costs = services::analytics::costs(&state.cx, actor.0.tenant_id(), group, from, to)
        .await
        .map_err(|error| match error {
            AnalyticsError::Empty => ApiError::parameter("from", "must be before `to`"),
            AnalyticsError::TooLarge => ApiError::new(
                400,
                "range-too-large",
                "Range too large",
                "The range may be 366 days long.",
            ),
            AnalyticsError::Store(error) => error.into(),
        })?;
    let groups = costs.groups.into_iter().map(|sum| view(group, sum)).collect();
    Ok(HttpResponse::Ok().json(CostsView::of(costs.from, costs.to, name, groups)))
}

fn view(group: GroupBy, sum: CostGroup) -> CostGroupView {
    let key = match group {
        GroupBy::Day => sum
            .key
            .as_deref()
            .and_then(|day| day.parse::<i64>().ok())
            .map(date),
        _ => sum.key,
    };
    CostGroupView::of(key, sum.cost, sum.input_tokens, sum.output_tokens, sum.requests)
}

/// The date of a day since the epoch.
fn date(day: i64) -> String {
    let midnight = Timestamp::from_micros(day.saturating_mul(86_400_000_000)).to_string();
    midnight.split('T').next().unwrap_or_default().to_owned()
}
