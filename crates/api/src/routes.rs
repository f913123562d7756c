//! Which paths are there? This is the one place to read them all.

use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError as _, Route};

use crate::llm::errors::{Dialect, LlmError};
use crate::order::InOrder;
use crate::problem::ApiError;
use crate::{incidents, llm, openapi, ops, v1};

/// How many routes are open to everybody.
pub const OPEN: [&str; 5] = ["/livez", "/readyz", "/openapi.json", "/docs", "/metrics"];

/// A resource whose handlers take their arguments in order: who calls, then what for.
macro_rules! resource {
    ($config:expr, $path:literal, $($method:ident => $handler:path),+ $(,)?) => {
        $config.service(only($path, vec![$(on::$method().to(InOrder($handler))),+], &[$(stringify!($method)),+]))
    };
}

/// A resource whose handlers read the request themselves.
macro_rules! plain {
    ($config:expr, $path:literal, $($method:ident => $handler:path),+ $(,)?) => {
        $config.service(only($path, vec![$(on::$method().to($handler)),+], &[$(stringify!($method)),+]))
    };
}

/// One function per method; what answers GET answers HEAD as well, without the body.
mod on {
    use actix_web::{Route, guard, web};

    pub(super) use actix_web::web::{delete, patch, post, put};

    pub(super) fn get() -> Route {
        web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
    }
}

fn only(path: &str, routes: Vec<Route>, methods: &'static [&'static str]) -> Resource {
    let resource = routes.into_iter().fold(web::resource(path), Resource::route);
    resource.default_service(web::to(move |request: HttpRequest| async move {
        wrong_method(&request, methods)
    }))
}

/// The routes of limits; a route before those that name one.
fn limits(config: &mut ServiceConfig) {
    resource!(config, "/api/v1/limits", get => v1::limits::list, post => v1::limits_change::create);
    resource!(config, "/api/v1/limits/usage", get => v1::limits::usage::usage);
    resource!(config, "/api/v1/limits/check", post => v1::limits::check);
    resource!(config, "/api/v1/limits/simulate", post => v1::limits::simulate);
    resource!(config, "/api/v1/limits/simulate/history", post => v1::limits_history::simulate);
    resource!(config, "/api/v1/limits/overrides", get => v1::limits_overrides::list,
        post => v1::limits_overrides::create);
    resource!(config, "/api/v1/limits/overrides/{override_id}", get => v1::limits_overrides::get,
        delete => v1::limits_overrides::delete);
    resource!(config, "/api/v1/limits/{limit_id}", get => v1::limits::get,
        put => v1::limits_change::update, delete => v1::limits_change::delete);
}

/// The routes of the incident control plane, whose requests are signed.
fn control(config: &mut ServiceConfig) {
    resource!(config, "/incidents", get => incidents::list, post => incidents::create);
    resource!(config, "/incidents/{incident_id}", get => incidents::get);
    resource!(config, "/incidents/{incident_id}/state", patch => incidents::change_state);
    resource!(config, "/incidents/{incident_id}/promotion", post => incidents::promote);
    resource!(config, "/incidents/{incident_id}/timeline", get => incidents::timeline);
    resource!(config, "/incidents/{incident_id}/replay", get => incidents::replay);
    resource!(config, "/signals", post => incidents::signals::send);
    resource!(config, "/kill-switch/status", get => incidents::kill_switch::status);
    resource!(config, "/kill-switch/disable", post => incidents::kill_switch::disable);
    resource!(config, "/kill-switch/enable", post => incidents::kill_switch::enable);
}

/// The routes of Incidents, for customers; a route before those that name one.
fn incidents(config: &mut ServiceConfig) {
    resource!(config, "/api/v1/incidents", get => v1::incidents_list::list);
    resource!(config, "/api/v1/incidents/patterns", get => v1::incidents_learned::patterns);
    resource!(config, "/api/v1/incidents/recurring", get => v1::incidents_learned::recurring);
    resource!(config, "/api/v1/incidents/stream", get => v1::incidents_stream::stream);
    resource!(config, "/api/v1/incidents/{incident_id}", get => v1::incidents::get);
    resource!(config, "/api/v1/incidents/{incident_id}/anomalies", get => v1::incidents_anomalies::list);
    resource!(config, "/api/v1/incidents/{incident_id}/breaches", get => v1::incidents_breaches::list);
    resource!(config, "/api/v1/incidents/{incident_id}/events", get => v1::incidents::events);
    resource!(config, "/api/v1/incidents/{incident_id}/source-run", get => v1::incidents::source_run);
    resource!(config, "/api/v1/incidents/{incident_id}/cost-impact", get => v1::incidents_list::cost_impact);
    resource!(config, "/api/v1/incidents/{incident_id}/learnings", get => v1::incidents_learned::learnings);
    resource!(config, "/api/v1/incidents/{incident_id}/acknowledge", post => v1::incidents::acknowledge);
    resource!(config, "/api/v1/incidents/{incident_id}/resolve", post => v1::incidents::resolve);
    resource!(config, "/api/v1/runs/{run_id}/incidents", get => v1::incidents::of_run);
}

/// The routes of those who are sent messages.
fn webhooks(config: &mut ServiceConfig) {
    resource!(config, "/api/v1/webhooks", get => v1::webhooks::list, post => v1::webhooks_change::create);
    resource!(config, "/api/v1/webhooks/{webhook_id}", get => v1::webhooks::get,
        put => v1::webhooks_change::update, delete => v1::webhooks_change::delete);
    resource!(config, "/api/v1/webhooks/{webhook_id}/rotate-secret", post => v1::webhooks_change::rotate);
    resource!(config, "/api/v1/webhooks/{webhook_id}/test", post => v1::webhooks::test);
    resource!(config, "/api/v1/webhooks/{webhook_id}/deliveries", get => v1::webhooks::deliveries);
    resource!(config, "/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
        post => v1::webhooks::redeliver);
}

/// The routes of those who run the installation.
fn operators(config: &mut ServiceConfig) {
    resource!(config, "/api/v1/ops/tenants", get => ops::tenants::list, post => ops::tenants::create);
    resource!(config, "/api/v1/ops/tenants/{tenant_id}/freeze", post => ops::tenants::freeze);
    resource!(config, "/api/v1/ops/tenants/{tenant_id}/unfreeze", post => ops::tenants::unfreeze);
    resource!(config, "/api/v1/ops/tenants/{tenant_id}/floor-price", put => ops::tenants::floor_price);
    resource!(config, "/api/v1/ops/tenants/{tenant_id}/review", put => ops::tenants::review);
    resource!(config, "/api/v1/ops/tenants/{tenant_id}/keys", get => ops::keys::list, post => ops::keys::create);
    resource!(config, "/api/v1/ops/tenants/{tenant_id}/keys/{api_key_id}", delete => ops::keys::revoke);
    resource!(config, "/api/v1/ops/tenants/{tenant_id}/keys/{api_key_id}/freeze", post => ops::keys::freeze);
    resource!(config, "/api/v1/ops/tenants/{tenant_id}/keys/{api_key_id}/unfreeze", post => ops::keys::unfreeze);
    resource!(config, "/api/v1/ops/limits", get => ops::limits::list, post => ops::limits::create);
    resource!(config, "/api/v1/ops/limits/usage", get => ops::limits::usage);
    resource!(config, "/api/v1/ops/limits/overrides", get => ops::limits_overrides::list,
        post => ops::limits_overrides::create);
    resource!(config, "/api/v1/ops/limits/overrides/{override_id}", get => ops::limits_overrides::get,
        delete => ops::limits_overrides::delete);
    resource!(config, "/api/v1/ops/limits/{limit_id}", put => ops::limits::update);
    resource!(config, "/api/v1/ops/policies/rules", get => ops::rules::list, post => ops::rules::create);
    resource!(config, "/api/v1/ops/policies/rules/{rule_id}", put => ops::rules::update);
}

/// The routes of the public listener.
pub(crate) fn public(config: &mut ServiceConfig) {
    // First, so that finding it costs as little as finding a route can.
    #[cfg(feature = "bench")]
    plain!(config, "/bench/check", post => crate::bench::check);
    plain!(config, "/v1/chat/completions", post => llm::serve::chat);
    plain!(config, "/v1/completions", post => llm::serve::completions);
    plain!(config, "/v1/embeddings", post => llm::serve::embeddings);
    plain!(config, "/v1/responses", post => llm::serve::responses);
    plain!(config, "/v1/messages", post => llm::serve::messages);
    plain!(config, "/v1/messages/count_tokens", post => llm::serve::count_tokens);
    plain!(config, "/v1/models", get => llm::serve::models);

    limits(config);
    incidents(config);
    control(config);
    webhooks(config);
    resource!(config, "/api/v1/policies/rules/{rule_id}/effectiveness", get => v1::effectiveness::of_rule);
    resource!(config, "/api/v1/policies/preventions", get => v1::preventions::list);
    resource!(config, "/api/v1/policies/preventions/{prevention_id}/false-positive", post => v1::effectiveness::mark);
    resource!(config, "/api/v1/policy-proposals", get => v1::proposals::list, post => v1::proposals::create);
    resource!(config, "/api/v1/policy-proposals/{proposal_id}", get => v1::proposals::get);
    resource!(config, "/api/v1/policy-proposals/{proposal_id}/backtest", get => v1::backtest::proposal);
    resource!(config, "/api/v1/policy-proposals/{proposal_id}/approve", post => v1::proposals::approve);
    resource!(config, "/api/v1/policy-proposals/{proposal_id}/reject", post => v1::proposals::reject);
    resource!(config, "/api/v1/contract/labels", get => v1::contract::labels);
    resource!(config, "/api/v1/runtime/incidents", get => v1::runtime::incidents);
    resource!(config, "/api/v1/runtime/policies/rules", get => v1::runtime::rules);
    resource!(config, "/api/v1/runtime/policies/limits", get => v1::runtime::limits);
    resource!(config, "/api/v1/policies/rules", get => v1::rules::list, post => v1::rules_change::create);
    resource!(config, "/api/v1/policies/rules/backtest", post => v1::backtest::rule);
    resource!(config, "/api/v1/policies/rules/{rule_id}", get => v1::rules::get, put => v1::rules_change::update);
    resource!(config, "/api/v1/policies/rules/{rule_id}/versions", get => v1::rules::versions);
    resource!(config, "/api/v1/holds/{hold_id}/settle", post => v1::holds::settle);
    resource!(config, "/api/v1/holds/{hold_id}/release", post => v1::holds::release);

    resource!(config, "/api/v1/runs", get => v1::runs::list);
    resource!(config, "/api/v1/runs/{run_id}", get => v1::runs::get);
    resource!(config, "/api/v1/runs/{run_id}/cost", get => v1::runs::cost);
    resource!(config, "/api/v1/runs/{run_id}/logs", get => v1::run_logs::logs);
    resource!(config, "/api/v1/analytics/costs", get => v1::analytics::costs);

    resource!(config, "/api/v1/keys", get => v1::keys::list, post => v1::keys::create);
    resource!(config, "/api/v1/keys/{api_key_id}", delete => v1::keys::revoke);
    resource!(config, "/api/v1/keys/{api_key_id}/freeze", post => v1::keys::freeze);
    resource!(config, "/api/v1/keys/{api_key_id}/unfreeze", post => v1::keys::unfreeze);
    resource!(config, "/api/v1/projects", get => v1::scopes::projects, post => v1::scopes::create_project);
    resource!(config, "/api/v1/agents", get => v1::scopes::agents, post => v1::scopes::create_agent);

    operators(config);
    plain!(config, "/livez", get => ops::health::live);
    plain!(config, "/readyz", get => ops::health::ready);
    plain!(config, "/openapi.json", get => openapi::document);
    plain!(config, "/docs", get => openapi::page);
    config.default_service(web::to(nothing_here));
}

/// The routes of the operators' own listener.
pub(crate) fn private(config: &mut ServiceConfig) {
    plain!(config, "/livez", get => ops::health::live);
    plain!(config, "/readyz", get => ops::health::ready);
    plain!(config, "/metrics", get => ops::health::metrics);
    config.default_service(web::to(|| async { ApiError::not_found().error_response() }));
}

async fn nothing_here(request: HttpRequest) -> HttpResponse {
    match Dialect::at(request.path(), request.headers()) {
        Some(dialect) => LlmError::no_route().response(dialect),
        None => ApiError::not_found().error_response(),
    }
}

fn wrong_method(request: &HttpRequest, methods: &[&str]) -> HttpResponse {
    let allow = methods.join(", ").to_uppercase().replace("GET", "GET, HEAD");
    let mut response = match Dialect::at(request.path(), request.headers()) {
        Some(dialect) => LlmError::wrong_method(&allow).response(dialect),
        None => ApiError::new(
            405,
            "method-not-allowed",
            "Method not allowed",
            format!("This path takes {allow}."),
        )
        .error_response(),
    };
    if let Ok(value) = HeaderValue::from_str(&allow) {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}
