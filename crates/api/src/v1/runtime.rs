//! `/api/v1/runtime`: the tables of the console.

use actix_web::HttpResponse;
use actix_web::web::Data;
use adapters::customer::projections::{LimitRowView, LimitRowsView};
use adapters::problem::{FieldProblem, Problem};
use model::limit::{Enforcement, LimitCategory, LimitScope, LimitStatus};
use model::time::Timestamp;
use serde::Deserialize;
use services::projections::Rows;
use services::projections::limits::{Shown, limits as read_limits};
use utoipa::IntoParams;

use crate::actor::ReadActor;
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;

/// Rows of a piece when the client does not say.
const LIMIT_DEFAULT: usize = 20;
/// The most rows of a piece.
const LIMIT_MAX: usize = 100;

/// What to show of the Limits.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsQuery {
    /// BUDGET, RATE or THRESHOLD.
    #[serde(rename = "type")]
    #[param(required = true)]
    kind: Option<String>,
    /// ACTIVE (if it is left out) or DISABLED.
    status: Option<String>,
    /// Only GLOBAL, TENANT, PROJECT, AGENT or PROVIDER.
    scope: Option<String>,
    /// Only BLOCK, WARN, REJECT, QUEUE, DEGRADE or ALERT.
    enforcement: Option<String>,
    /// Only those made then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    created_after: Option<String>,
    /// Only those made then or before.
    #[param(value_type = Option<String>, format = DateTime)]
    created_before: Option<String>,
    /// 1 to 100, default 20.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// Rows to pass over, default 0.
    #[param(value_type = Option<u32>)]
    offset: Option<String>,
}

/// What is wrong with the parameters, all at once.
#[derive(Default)]
struct Wrong(Vec<FieldProblem>);

impl Wrong {
    fn add(&mut self, name: &str, detail: &str) {
        self.0.push(FieldProblem {
            pointer: name.to_owned(),
            detail: detail.to_owned(),
            ..FieldProblem::default()
        });
    }

    fn parsed<T: std::str::FromStr>(&mut self, name: &str, text: Option<&str>, expected: &str) -> Option<T> {
        let parsed = text.map(str::parse::<T>)?;
        if parsed.is_err() {
            self.add(name, &format!("must be {expected}"));
        }
        parsed.ok()
    }

    fn rows(&mut self, limit: Option<&str>, offset: Option<&str>) -> Rows {
        let limit: Option<usize> = self.parsed("limit", limit, "1 to 100");
        if limit.is_some_and(|limit| !(1..=LIMIT_MAX).contains(&limit)) {
            self.add("limit", "must be 1 to 100");
        }
        Rows {
            limit: limit.unwrap_or(LIMIT_DEFAULT),
            offset: self.parsed("offset", offset, "0 or more").unwrap_or(0),
        }
    }

    fn refuse(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(ApiError::invalid(self.0))
    }
}

/// The table of Limits
#[utoipa::path(get, path = "/api/v1/runtime/policies/limits", operation_id = "runtime_limits", tag = "Console",
    params(LimitsQuery),
    responses((status = 200, description = "Those that were breached last first, then the newest", body = LimitRowsView),
              (status = 422, description = "A parameter is wrong", body = Problem)))]
pub(crate) async fn limits(
    actor: ReadActor,
    state: Data<State>,
    query: Query<LimitsQuery>,
) -> Result<HttpResponse, ApiError> {
    let mut wrong = Wrong::default();
    if query.kind.is_none() {
        wrong.add("type", "is required: BUDGET, RATE or THRESHOLD");
    }
    let category: Option<LimitCategory> =
        wrong.parsed("type", query.kind.as_deref(), "one of BUDGET, RATE, THRESHOLD");
    let status: Option<LimitStatus> =
        wrong.parsed("status", query.status.as_deref(), "one of ACTIVE, DISABLED");
    let scope: Option<LimitScope> = wrong.parsed(
        "scope",
        query.scope.as_deref(),
        "one of GLOBAL, TENANT, PROJECT, AGENT, PROVIDER",
    );
    let enforcement: Option<Enforcement> = wrong.parsed(
        "enforcement",
        query.enforcement.as_deref(),
        "one of BLOCK, WARN, REJECT, QUEUE, DEGRADE, ALERT",
    );
    let time = "a time such as 2026-01-17T00:00:00Z";
    let created_after: Option<Timestamp> =
        wrong.parsed("created_after", query.created_after.as_deref(), time);
    let created_before: Option<Timestamp> =
        wrong.parsed("created_before", query.created_before.as_deref(), time);
    let rows = wrong.rows(query.limit.as_deref(), query.offset.as_deref());
    wrong.refuse()?;
    let shown = Shown {
        category: category.unwrap_or(LimitCategory::Budget),
        status: status.unwrap_or(LimitStatus::Active),
        scope,
        enforcement,
        created_after,
        created_before,
    };
    let piece = read_limits(&state.cx, actor.0.tenant_id(), shown, rows).await?;
    let items = piece.items.into_iter().map(|row| {
        let recent = row.recent.map(|recent| (recent.breaches, recent.last_at));
        LimitRowView::of(row.limit, row.integrity, recent)
    });
    Ok(HttpResponse::Ok().json(LimitRowsView {
        items: items.collect(),
        total: piece.total,
        has_more: piece.has_more,
    }))
}
