//! May the product open Incidents by itself? Whoever breaks the glass switches it off and on.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use adapters::control::AutomationView;
use model::automation::{AutomationScope, AutomationSwitches};
use model::principal::PrincipalAction;
use serde::Deserialize;
use services::automation::{self, AutomationError, Switcher};
use services::principals;
use utoipa::ToSchema;

use super::bodies::{self, AuthorityBody, Checked, Members};
use super::{answer, once};
use crate::body::{self, Body};
use crate::control_error::{IncidentError, sentence};
use crate::signed::SignedRequest;
use crate::state::State;

/// Which switch, and by what authority.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SwitchBody {
    /// TENANT (if nobody says), or GLOBAL for every tenant, which only principals of the installation may switch, and which
    /// they have to say.
    #[schema(value_type = Option<String>, example = "TENANT")]
    scope: Option<AutomationScope>,
    /// `EMERGENCY_OVERRIDE`, with the justification.
    authority: AuthorityBody,
}

impl Body for SwitchBody {}

impl Checked for SwitchBody {
    fn check(members: &mut Members<'_>) {
        members.known(&["scope", "authority"]);
        members.required(&["authority"]);
        members.is::<AutomationScope>("scope", "one of GLOBAL, TENANT");
        members.object("authority", bodies::authority);
    }
}

fn rendered(switches: &AutomationSwitches) -> String {
    serde_json::to_string(&AutomationView::from(switches.clone())).unwrap_or_default()
}

async fn switch(
    signed: SignedRequest,
    state: Data<State>,
    request: HttpRequest,
    is_paused: bool,
) -> Result<HttpResponse, IncidentError> {
    let action = PrincipalAction::Transition;
    principals::attempt(&state.cx, &signed.signed, action)?;
    signed.signed.require(action)?;
    body::check_headers(&request)?;
    let said: SwitchBody = bodies::read(&signed.body)?;
    let (once, is_keyed) = once(&request, "automation.switch", &signed)?;
    let authority = said
        .authority
        .context(&signed.signed, action, state.cx.clock.now())?;
    let by = Switcher {
        author: signed.signed.author(),
        authority,
        signed: signed.signed.clone(),
        once: is_keyed.then_some(once),
    };
    let which = (said.scope.unwrap_or(AutomationScope::Tenant), is_paused);
    let done = automation::switch(&state.cx, by, which, rendered).await?;
    Ok(answer(200, &done, is_keyed))
}

/// Stop the product from opening Incidents by itself
#[utoipa::path(post, path = "/kill-switch/disable", operation_id = "disable_automation", tag = "Incident control plane",
    security(("sigv4" = [])), request_body = SwitchBody, params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "How the switches stand now", body = AutomationView),
              (status = 400, description = "The request is not valid, or does not say why"),
              (status = 401, description = "The signature is missing, wrong, late or used up"),
              (status = 403, description = "The principal may not do this"),
              (status = 409, description = "The idempotency key was used for another request"),
              (status = 429, description = "The rate limit is used up")))]
pub(crate) async fn disable(
    signed: SignedRequest,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, IncidentError> {
    switch(signed, state, request, true).await
}

/// Let the product open Incidents by itself again
#[utoipa::path(post, path = "/kill-switch/enable", operation_id = "enable_automation", tag = "Incident control plane",
    security(("sigv4" = [])), request_body = SwitchBody, params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "How the switches stand now", body = AutomationView),
              (status = 400, description = "The request is not valid, or does not say why"),
              (status = 401, description = "The signature is missing, wrong, late or used up"),
              (status = 403, description = "The principal may not do this"),
              (status = 409, description = "The idempotency key was used for another request"),
              (status = 429, description = "The rate limit is used up")))]
pub(crate) async fn enable(
    signed: SignedRequest,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, IncidentError> {
    switch(signed, state, request, false).await
}

/// Whether the product opens Incidents by itself
#[utoipa::path(get, path = "/kill-switch/status", operation_id = "automation_status", tag = "Incident control plane",
    security(("sigv4" = [])),
    responses((status = 200, description = "How the switches stand", body = AutomationView),
              (status = 401, description = "The signature is missing, wrong or late"),
              (status = 429, description = "The rate limit is used up")))]
pub(crate) async fn status(signed: SignedRequest, state: Data<State>) -> Result<HttpResponse, IncidentError> {
    signed.signed.require(PrincipalAction::Read)?;
    principals::admit(&state.cx, &signed.signed, PrincipalAction::Read, None)?;
    let switches = automation::status(&state.cx, signed.signed.tenant_id()).await?;
    Ok(HttpResponse::Ok().json(AutomationView::from(switches)))
}

impl From<AutomationError> for IncidentError {
    fn from(error: AutomationError) -> Self {
        match error {
            AutomationError::Authority(_) => Self::new(403, "UNAUTHORIZED", sentence(&error.to_string()))
                .with(serde_json::json!({
                    "requiredAuthority": "EMERGENCY_OVERRIDE",
                })),
            AutomationError::Scope => Self::new(403, "UNAUTHORIZED", sentence(&error.to_string())),
            AutomationError::NoTenant => {
                let problem =
                    "has to be GLOBAL for a principal of the installation, which has no tenant of its own";
                bodies::invalid(vec![("scope".to_owned(), problem.to_owned())])
            }
            AutomationError::Spent(error) => error.into(),
            AutomationError::Once(error) => error.into(),
            AutomationError::TooOften(error) => error.into(),
            AutomationError::Store(error) => error.into(),
        }
    }
}
