//! What does the API look like, for programs and for people?

use actix_web::HttpResponse;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{RefOr, Required};

use self::control::Control;
use self::shared::Shared;
use crate::{incidents, llm, ops, v1};

mod control;
mod page;
mod problems;
mod shared;

/// The OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    info(title = "Plimsoll", description = "A control plane for LLM traffic: every LLM Run is authorised against Limits before it spends."),
    paths(
        llm::serve::chat, llm::serve::completions, llm::serve::embeddings, llm::serve::responses,
        llm::serve::messages, llm::serve::count_tokens, llm::serve::models,
        v1::limits::list, v1::limits_change::create, v1::limits::usage::usage, v1::limits::check, v1::limits::simulate,
        v1::limits_history::simulate,
        v1::limits::get, v1::limits_change::update, v1::limits_change::delete,
        v1::limits_overrides::list, v1::limits_overrides::create, v1::limits_overrides::get,
        v1::limits_overrides::delete,
        v1::effectiveness::of_rule, v1::effectiveness::mark, v1::preventions::list,
        v1::incidents_list::list, v1::incidents_list::cost_impact,
        v1::incidents_learned::patterns, v1::incidents_learned::recurring, v1::incidents_learned::learnings,
        v1::incidents::get, v1::incidents::events, v1::incidents::source_run, v1::incidents::of_run,
        v1::incidents_stream::stream,
        v1::incidents::acknowledge, v1::incidents::resolve,
        v1::webhooks::list, v1::webhooks_change::create, v1::webhooks::get, v1::webhooks_change::update,
        v1::webhooks_change::delete, v1::webhooks_change::rotate, v1::webhooks::test, v1::webhooks::deliveries,
        v1::webhooks::redeliver,
        v1::incidents_breaches::list, v1::incidents_anomalies::list,
        v1::proposals::list, v1::proposals::create, v1::proposals::get,
        v1::proposals::approve, v1::proposals::reject, v1::backtest::rule, v1::backtest::proposal,
        v1::contract::labels, v1::runtime::incidents, v1::runtime::rules, v1::runtime::limits,
        v1::rules::list, v1::rules_change::create, v1::rules::get, v1::rules_change::update, v1::rules::versions,
        v1::holds::settle, v1::holds::release,
        v1::runs::list, v1::runs::get, v1::runs::cost, v1::run_logs::logs, v1::analytics::costs,
        v1::keys::list, v1::keys::create, v1::keys::revoke, v1::keys::freeze, v1::keys::unfreeze,
        v1::scopes::projects, v1::scopes::create_project, v1::scopes::agents, v1::scopes::create_agent,
        ops::tenants::list, ops::tenants::create, ops::tenants::freeze, ops::tenants::unfreeze,
        ops::tenants::floor_price,
        ops::tenants::review,
        ops::keys::list, ops::keys::create, ops::keys::revoke, ops::keys::freeze, ops::keys::unfreeze,
        ops::limits::list, ops::limits::create, ops::limits::usage, ops::limits::update,
        ops::limits_overrides::list, ops::limits_overrides::create, ops::limits_overrides::get,
        ops::limits_overrides::delete,
        ops::rules::list, ops::rules::create, ops::rules::update,
        incidents::list, incidents::create, incidents::get, incidents::change_state, incidents::timeline,
        incidents::replay, incidents::promote, incidents::signals::send,
        incidents::kill_switch::status, incidents::kill_switch::disable, incidents::kill_switch::enable,
        ops::health::live, ops::health::ready,
    ),
    components(schemas(adapters::control::ControlErrorView, adapters::control::ControlErrorBody)),
    modifiers(&Bearer, &Shared, &OptionalBodies, &Control),
    security(("bearer" = []))
)]
struct Document;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An API key of a tenant, or an operator's token on the Operators routes.",
            ))
            .build();
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        let signed = "AWS Signature Version 4 of service `execute-api`, by the access key of a principal.";
        let header = ApiKey::Header(ApiKeyValue::with_description("Authorization", signed));
        components.add_security_scheme("sigv4", SecurityScheme::ApiKey(header));
    }
}

/// Bodies that may be left out, which the macros can only say of bodies that may be `null`.
struct OptionalBodies;

impl utoipa::Modify for OptionalBodies {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let optional = |path: &str| {
            ["/freeze", "/approve", "/reject"]
                .iter()
                .any(|end| path.ends_with(end))
        };
        let posts = document.paths.paths.iter_mut();
        let posts = posts.filter(|(path, _)| optional(path));
        for body in posts.filter_map(|(_, item)| item.post.as_mut()?.request_body.as_mut()) {
            if let RefOr::T(body) = body {
                body.required = Some(Required::False);
            }
        }
    }
}

/// The OpenAPI document of this release as JSON.
pub fn json() -> String {
    Document::openapi().to_pretty_json().unwrap_or_default()
}

pub(crate) async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(json())
}

/// A page that lists every operation: readable without a script.
pub(crate) async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'",
        ))
        .body(page::html(
            &serde_json::to_value(Document::openapi()).unwrap_or_default(),
        ))
}
