//! `/api/v1/limits`: look at limits, ask them, and try them out.

mod errors;
mod said;
pub(crate) mod usage;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::checks::{CheckView, HoldView};
use adapters::customer::limits::{LimitPageView, LimitView};
use adapters::problem::Problem;
use model::hold::Subject;
use model::id::{LimitId, Slug};
use model::limit::{LimitCategory, LimitStatus};
use model::page::{Cursor, PageRequest};
use serde::Deserialize;
use services::auth::TenantActor;
use services::cursors::List;
use services::ledger::{Answer, Idempotency};
use services::limits::{CheckRequest, ListFilter, Owner};
use services::once::fingerprint;
use services::words::CheckOutput;
use utoipa::{IntoParams, ToSchema};

use crate::actor::{LlmActor, ReadActor};
use crate::body::{Body, Json};
use crate::decimal::Decimal;
use crate::idempotency;
use crate::paging;
use crate::problem::ApiError;
use crate::query::{Query, word};
use crate::state::State;
use crate::text;

pub(crate) use self::errors::{check_error, ledger_error, limit_error, tampered};
use self::said::{one_cost, one_name, tokens};

/// The shortest and the longest life of a hold, in seconds.
const TTL_SECONDS: std::ops::RangeInclusive<i64> = 1..=86_400;
/// The life of a hold if the client does not say.
const TTL_SECONDS_DEFAULT: i64 = 600;

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Only BUDGET, RATE or THRESHOLD.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Only ACTIVE or DISABLED.
    status: Option<String>,
    /// 1 to 200, default 50.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// List Limits
#[utoipa::path(get, path = "/api/v1/limits", operation_id = "list_limits", tag = "Limits", params(ListQuery),
    responses((status = 200, description = "Limits, newest first", body = LimitPageView),
              (status = 400, description = "A parameter is wrong", body = Problem)))]
pub(crate) async fn list(
    actor: ReadActor,
    state: Data<State>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let filter = ListFilter {
        category: word::<LimitCategory>("type", query.kind.as_deref(), "BUDGET, RATE, THRESHOLD")?,
        status: word::<LimitStatus>("status", query.status.as_deref(), "ACTIVE, DISABLED")?,
    };
    let owner = Owner::Tenant(actor.0.tenant_id());
    let words = format!("{:?} {:?}", query.kind, query.status);
    let asked = Asked {
        limit: query.limit.as_deref(),
        cursor: query.cursor.as_deref(),
    };
    Ok(HttpResponse::Ok().json(page(&state, owner, filter, words, asked).await?))
}

/// Which piece of the limits is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) limit: Option<&'a str>,
    pub(crate) cursor: Option<&'a str>,
}

/// A piece of the limits of an owner; `words` is the filter as it was written.
pub(crate) async fn page(
    state: &State,
    owner: Owner,
    filter: ListFilter,
    words: String,
    asked: Asked<'_>,
) -> Result<LimitPageView, ApiError> {
    let list = List {
        name: "limits",
        owner: owner.id(),
        filter: words,
    };
    let limit = paging::limit(asked.limit)?;
    let after = paging::position::<LimitId>(state, &list, asked.cursor).await?;
    let after = after.map(|id| Cursor {
        at_micros: 0,
        id: id.to_string(),
    });
    let (limits, more) = services::limits::list(&state.cx, owner, filter, PageRequest { limit, after })
        .await
        .map_err(limit_error)?;
    let end = limits.last().filter(|_| more).map(|limit| limit.id);
    let next = paging::next(state, &list, end).await?;
    Ok(LimitPageView::of(limits, next))
}

/// Get a Limit
#[utoipa::path(get, path = "/api/v1/limits/{limit_id}", operation_id = "get_limit", tag = "Limits",
    params(("limit_id" = String, Path)),
    responses((status = 200, description = "The Limit", body = LimitView),
              (status = 404, description = "There is no such Limit", body = Problem)))]
pub(crate) async fn get(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: LimitId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let owner = Owner::Tenant(actor.0.tenant_id());
    let limit = services::limits::get(&state.cx, owner, id)
        .await
        .map_err(limit_error)?;
    Ok(HttpResponse::Ok().json(LimitView::from(limit)))
}

/// What somebody wants to spend. Amounts are the most that the LLM Run can use.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckBody {
    /// What kind of LLM Run it is, in your own word. No Limit is about it, and nothing is kept of it.
    #[schema(value_type = Option<String>, example = "chat")]
    #[expect(dead_code, reason = "it has to be a word, and nothing is decided by it")]
    run_type: Option<Slug>,
    /// USD as a JSON number or a decimal text; 0 says that it costs nothing.
    #[schema(value_type = Option<f64>, example = 10)]
    estimated_cost_usd: Option<Decimal>,
    /// The same in whole cents.
    estimated_cost_cents: Option<i64>,
    /// The same in exact nano-USD.
    estimated_cost_nano_usd: Option<i64>,
    /// Tokens in all, if input and output are not told apart.
    estimated_tokens: Option<i64>,
    /// Tokens to be sent.
    estimated_input_tokens: Option<i64>,
    /// Tokens to be made.
    estimated_output_tokens: Option<i64>,
    /// Requests, default 1.
    run_count: Option<i64>,
    /// How many more LLM Runs it would be at one time, default 1; 0 if they are one after the other.
    concurrency_delta: Option<i64>,
    /// The project.
    #[schema(value_type = Option<String>)]
    project_id: Option<Slug>,
    /// The agent.
    #[schema(value_type = Option<String>)]
    agent_id: Option<Slug>,
    /// Another name of `agent_id`.
    #[schema(value_type = Option<String>)]
    worker_id: Option<Slug>,
    /// The product feature.
    #[schema(value_type = Option<String>)]
    feature: Option<Slug>,
    /// Another name of `feature`.
    #[schema(value_type = Option<String>)]
    feature_id: Option<Slug>,
    /// The conversation.
    session_id: Option<String>,
    /// The customer's own user.
    end_user: Option<String>,
    /// Another name of `end_user`.
    user_id: Option<String>,
    /// The provider, such as `openai`; with `model` it prices the tokens if no cost is given.
    #[schema(value_type = Option<String>)]
    provider: Option<Slug>,
    /// The model.
    model: Option<String>,
    /// After how many seconds the hold ends by itself: 1 to 86400, default 600.
    ttl_seconds: Option<i64>,
}

impl Body for CheckBody {
    const READ_ONLY: &'static [&'static str] = &[
        "tenant_id",
        "api_key_id",
        "decision",
        "allowed",
        "message",
        "message_code",
        "blocking_limit_id",
        "blocking_limit_type",
        "checks_performed",
        "decision_id",
        "hold_id",
        "expires_at",
        "blocking_limits",
        "warnings",
        "headroom",
        "overrides_applied",
    ];
}

impl CheckBody {
    fn request(self, actor: &TenantActor) -> Result<CheckRequest, ApiError> {
        let cost = one_cost(&self)?;
        let (input, output) = tokens(&self)?;
        let requests = self.run_count.unwrap_or(1);
        let ttl = self.ttl_seconds.unwrap_or(TTL_SECONDS_DEFAULT);
        if !TTL_SECONDS.contains(&ttl) {
            return Err(ApiError::field("/ttl_seconds", "must be 1 to 86400"));
        }
        if !(1..=1_000_000).contains(&requests) {
            return Err(ApiError::field("/run_count", "must be 1 to 1000000"));
        }
        let concurrency = self.concurrency_delta.unwrap_or(1);
        if !(0..=1_000_000).contains(&concurrency) {
            return Err(ApiError::field("/concurrency_delta", "must be 0 to 1000000"));
        }
        for (pointer, word) in [
            ("/session_id", &self.session_id),
            ("/end_user", &self.end_user),
            ("/user_id", &self.user_id),
            ("/model", &self.model),
        ] {
            text::word(pointer, word.as_deref())?;
        }
        Ok(CheckRequest {
            tenant: actor.tenant_id(),
            floor_price: actor.tenant.floor_price,
            subject: Subject {
                api_key_id: Some(actor.key.id),
                project_id: self.project_id.map(|id| id.to_string()),
                agent_id: one_name("/worker_id", self.agent_id, self.worker_id)?.map(|id| id.to_string()),
                feature: one_name("/feature_id", self.feature, self.feature_id)?.map(|id| id.to_string()),
                session_id: self.session_id,
                end_user: one_name("/user_id", self.end_user, self.user_id)?,
                provider: self.provider.map(|id| id.to_string()),
                model: self.model,
            },
            cost,
            input_tokens: input,
            output_tokens: output,
            requests,
            concurrency,
            ttl_ms: ttl * 1000,
        })
    }
}

/// Check an LLM Run against its Limits and hold what it can cost
#[utoipa::path(post, path = "/api/v1/limits/check", operation_id = "check_limits",
    tag = "Limits", request_body = CheckBody,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "The decision; if it allows, the amounts are held", body = CheckView),
              (status = 422, description = "The body is not valid", body = Problem)))]
pub(crate) async fn check(
    actor: LlmActor,
    state: Data<State>,
    request: HttpRequest,
    body: Json<CheckBody>,
) -> Result<HttpResponse, ApiError> {
    let idempotency = idempotency::key(&request)?.map(|key| Idempotency {
        operation: "limits.check",
        key,
        principal: actor.0.principal(),
        fingerprint: fingerprint("POST", request.path(), &body.bytes),
        render: rendered,
    });
    let wanted = body.value.request(&actor.0)?;
    let correlation = infra::correlation::current_id();
    let answer = services::limits::check(&state.cx, wanted, correlation, idempotency)
        .await
        .map_err(check_error)?;
    Ok(respond(&answer))
}

/// The answer to a check or to the end of a hold: now, or as it was given before.
pub(crate) fn respond(answer: &Answer) -> HttpResponse {
    let (status, body, replayed) = match answer {
        Answer::Replayed(replay) => (replay.status, replay.body.clone(), true),
        Answer::Decided(_) | Answer::Ended(_) | Answer::Renewed(_) => {
            let (status, body) = rendered(answer);
            (status, body, false)
        }
    };
    let status = actix_web::http::StatusCode::from_u16(status).unwrap_or(actix_web::http::StatusCode::OK);
    let mut response = HttpResponse::build(status);
    if replayed {
        response.insert_header(("idempotency-replayed", "true"));
    }
    response
        .insert_header(("content-type", "application/json"))
        .body(body)
}

/// The status and body of an answer, as they are sent and stored.
pub(crate) fn rendered(answer: &Answer) -> (u16, String) {
    let body = match answer {
        Answer::Decided(answer) => {
            let view = CheckView::of(
                &answer.output,
                Some(answer.decision.to_string()),
                answer.hold.as_ref(),
            );
            serde_json::to_string(&view)
        }
        Answer::Ended(ended) => serde_json::to_string(&HoldView::from(&ended.hold)),
        Answer::Renewed(hold) => serde_json::to_string(&HoldView::from(hold.as_ref())),
        Answer::Replayed(replay) => return (replay.status, replay.body.clone()),
    };
    (200, body.unwrap_or_default())
}

/// What a check would say
#[utoipa::path(post, path = "/api/v1/limits/simulate", operation_id = "simulate_limits",
    tag = "Limits", request_body = CheckBody,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "The decision a check would get; nothing is held or recorded", body = CheckView),
              (status = 422, description = "The body is not valid", body = Problem)))]
pub(crate) async fn simulate(
    actor: ReadActor,
    state: Data<State>,
    request: HttpRequest,
    body: Json<CheckBody>,
) -> Result<HttpResponse, ApiError> {
    let tenant = actor.0.tenant_id();
    let once = idempotency::once(
        &request,
        "limits.simulate",
        tenant,
        actor.0.principal(),
        &body.bytes,
    )?;
    let wanted = body.value.request(&actor.0)?;
    let done = services::limits::simulate(&state.cx, wanted, once, simulated)
        .await
        .map_err(check_error)?;
    Ok(idempotency::respond(200, done))
}

fn simulated(output: &CheckOutput) -> String {
    serde_json::to_string(&CheckView::of(output, None, None)).unwrap_or_default()
}
