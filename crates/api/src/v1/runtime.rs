//! `/api/v1/runtime`: the tables of the console.

use actix_web::HttpResponse;
use actix_web::web::Data;
use adapters::customer::projections::{
    IncidentRowsView, LimitRowView, LimitRowsView, RuleRowView, RuleRowsView,
};
use adapters::problem::{FieldProblem, Problem};
use model::incident::CauseType;
use model::limit::{Enforcement, LimitCategory, LimitScope, LimitStatus};
use model::policy::{RuleScope, RuleSource, RuleStatus};
use model::severity::Severity;
use model::text::is_hidden;
use model::time::Timestamp;
use serde::Deserialize;
use services::projections::Rows;
use services::projections::incidents::{Filter, incidents as read_incidents};
use services::projections::limits::{Shown, limits as read_limits};
use services::projections::rules::{Shown as ShownRules, rules as read_rules};
use utoipa::IntoParams;

use crate::actor::ReadActor;
use crate::mode::Mode;
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;

/// Rows of a piece when the client does not say.
const LIMIT_DEFAULT: usize = 20;
/// The most rows of a piece.
const LIMIT_MAX: usize = 100;
/// The longest category, in characters.
const CATEGORY_MAX: usize = 64;

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

    /// When what is shown was made.
    fn made(&mut self, after: Option<&str>, before: Option<&str>) -> (Option<Timestamp>, Option<Timestamp>) {
        let time = "a time such as 2026-01-17T00:00:00Z";
        (
            self.parsed("created_after", after, time),
            self.parsed("created_before", before, time),
        )
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
    let (created_after, created_before) =
        wrong.made(query.created_after.as_deref(), query.created_before.as_deref());
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
        let recent = row.recent.map(|recent| (recent.times, recent.last_at));
        LimitRowView::of(row.limit, row.integrity, recent)
    });
    Ok(HttpResponse::Ok().json(LimitRowsView {
        items: items.collect(),
        total: piece.total,
        has_more: piece.has_more,
    }))
}

/// What to show of the Policy Rules.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RulesQuery {
    /// ACTIVE or RETIRED.
    #[param(required = true)]
    status: Option<String>,
    /// Only BLOCK, WARN, LOG or `DRY_RUN`.
    enforcement_mode: Option<String>,
    /// Only GLOBAL, TENANT, PROJECT or AGENT.
    scope: Option<String>,
    /// Only MANUAL, SYSTEM or LEARNED.
    source: Option<String>,
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

/// The table of Policy Rules
#[utoipa::path(get, path = "/api/v1/runtime/policies/rules", operation_id = "runtime_rules", tag = "Console",
    params(RulesQuery),
    responses((status = 200, description = "Those that were triggered last first, then the newest", body = RuleRowsView),
              (status = 422, description = "A parameter is wrong", body = Problem)))]
pub(crate) async fn rules(
    actor: ReadActor,
    state: Data<State>,
    query: Query<RulesQuery>,
) -> Result<HttpResponse, ApiError> {
    let mut wrong = Wrong::default();
    if query.status.is_none() {
        wrong.add("status", "is required: ACTIVE or RETIRED");
    }
    let status: Option<RuleStatus> =
        wrong.parsed("status", query.status.as_deref(), "one of ACTIVE, RETIRED");
    let mode: Option<Mode> = wrong.parsed(
        "enforcement_mode",
        query.enforcement_mode.as_deref(),
        "one of BLOCK, WARN, LOG, DRY_RUN",
    );
    let scope: Option<RuleScope> = wrong.parsed(
        "scope",
        query.scope.as_deref(),
        "one of GLOBAL, TENANT, PROJECT, AGENT",
    );
    let source: Option<RuleSource> = wrong.parsed(
        "source",
        query.source.as_deref(),
        "one of MANUAL, SYSTEM, LEARNED",
    );
    let (created_after, created_before) =
        wrong.made(query.created_after.as_deref(), query.created_before.as_deref());
    let rows = wrong.rows(query.limit.as_deref(), query.offset.as_deref());
    wrong.refuse()?;
    let shown = ShownRules {
        status: status.unwrap_or(RuleStatus::Active),
        mode: mode.map(|mode| mode.0),
        scope,
        source,
        created_after,
        created_before,
    };
    let piece = read_rules(&state.cx, actor.0.tenant_id(), shown, rows).await?;
    let items = piece.items.into_iter().map(|row| {
        let recent = row.recent.map(|recent| (recent.times, recent.last_at));
        RuleRowView::of(row.rule, row.integrity, recent)
    });
    Ok(HttpResponse::Ok().json(RuleRowsView {
        items: items.collect(),
        total: piece.total,
        has_more: piece.has_more,
    }))
}

/// What to show of the Incidents.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct IncidentsQuery {
    /// ACTIVE (acknowledged ones are part of it) or RESOLVED.
    #[param(required = true)]
    topic: Option<String>,
    /// Only critical, high, medium or low.
    severity: Option<String>,
    /// Only this category, such as `EXECUTION_FAILURE`.
    category: Option<String>,
    /// Only `LLM_RUN`, SYSTEM or HUMAN.
    cause_type: Option<String>,
    /// Only those opened then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    created_after: Option<String>,
    /// Only those opened then or before.
    #[param(value_type = Option<String>, format = DateTime)]
    created_before: Option<String>,
    /// 1 to 100, default 20.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// Rows to pass over, default 0.
    #[param(value_type = Option<u32>)]
    offset: Option<String>,
}

impl IncidentsQuery {
    fn filter(&self, wrong: &mut Wrong) -> Filter {
        let is_over = match self.topic.as_deref() {
            Some("ACTIVE") => false,
            Some("RESOLVED") => true,
            Some(_) => {
                wrong.add("topic", "must be one of ACTIVE, RESOLVED");
                false
            }
            None => {
                wrong.add("topic", "is required: ACTIVE or RESOLVED");
                false
            }
        };
        let severity = self.severity.as_deref().and_then(|word| {
            let severity = Severity::of_word(word);
            if severity.is_none() {
                wrong.add("severity", "must be one of critical, high, medium, low");
            }
            severity
        });
        let category = self.category.clone();
        let is_text = |text: &String| !text.is_empty() && text.chars().count() <= CATEGORY_MAX;
        if category
            .as_ref()
            .is_some_and(|text| !is_text(text) || text.chars().any(is_hidden))
        {
            wrong.add("category", "must be 1 to 64 characters, none of them invisible");
        }
        let cause_type: Option<CauseType> = wrong.parsed(
            "cause_type",
            self.cause_type.as_deref(),
            "one of LLM_RUN, SYSTEM, HUMAN",
        );
        let (created_after, created_before) =
            wrong.made(self.created_after.as_deref(), self.created_before.as_deref());
        Filter {
            is_over,
            severity,
            category,
            cause_type,
            created_after,
            created_before,
        }
    }
}

/// The table of Incidents
#[utoipa::path(get, path = "/api/v1/runtime/incidents", operation_id = "runtime_incidents", tag = "Console",
    params(IncidentsQuery),
    responses((status = 200, description = "The newest first", body = IncidentRowsView),
              (status = 422, description = "A parameter is wrong", body = Problem)))]
pub(crate) async fn incidents(
    actor: ReadActor,
    state: Data<State>,
    query: Query<IncidentsQuery>,
) -> Result<HttpResponse, ApiError> {
    let mut wrong = Wrong::default();
    let filter = query.filter(&mut wrong);
    let rows = wrong.rows(query.limit.as_deref(), query.offset.as_deref());
    wrong.refuse()?;
    let piece = read_incidents(&state.cx, actor.0.tenant_id(), filter, rows).await?;
    Ok(HttpResponse::Ok().json(IncidentRowsView {
        items: piece.items.into_iter().map(Into::into).collect(),
        total: piece.total,
        has_more: piece.has_more,
    }))
}
