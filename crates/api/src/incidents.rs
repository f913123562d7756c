//! The incident control plane: `/incidents`, with signed requests and errors of its own shape.

mod answers;
mod bodies;
pub(crate) mod kill_switch;
mod reads;
pub(crate) mod signals;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderValue, LOCATION};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::control::ControlIncidentView;
use model::authority::AuthorityType;
use model::id::IncidentId;
use model::incident::Incident;
use model::principal::PrincipalAction;
use serde_json::Value;
use services::automation;
use services::incidents::archive::retention;
use services::incidents::change::{Asked, change};
use services::incidents::report::{Report, Reporter, report_incident};
use services::limits::Done;
use services::once::{Once, fingerprint};
use services::principals;

use self::bodies::{AuthorityBody, Checked, CreateBody, PromotionBody, StateBody};
use crate::body;
use crate::control_error::IncidentError;
use crate::idempotency;
use crate::signed::SignedRequest;
use crate::state::State;

pub(crate) use self::reads::{__path_get, __path_list, __path_replay, __path_timeline};
pub(crate) use self::reads::{get, list, replay, timeline};

fn rendered(incident: &Incident) -> String {
    serde_json::to_string(&ControlIncidentView::from(incident.clone())).unwrap_or_default()
}

/// The answer to a change: now, or as it was given before.
fn answer<T>(status: u16, done: &Done<T>, is_keyed: bool) -> HttpResponse {
    if is_keyed && matches!(done, Done::Before(_)) {
        idempotency::count("hit");
    }
    let (status, body, replayed) = match done {
        Done::Now(_, body) => (status, body, "false"),
        // What is created twice is created once; the second answer is a reading of it.
        Done::Before(before) => (200, &before.body, "true"),
    };
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or_default())
        .insert_header(("x-idempotency-replayed", replayed))
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .body(body.clone())
}

/// The same of an Incident.
fn answered(status: u16, done: &Done<Incident>, is_keyed: bool) -> HttpResponse {
    let mut response = answer(status, done, is_keyed);
    if let Done::Now(incident, _) = done {
        let mut set = |name, text: String| {
            if let Ok(value) = HeaderValue::try_from(text) {
                response.headers_mut().insert(name, value);
            }
        };
        set(ETAG, format!("\"{}\"", incident.version));
        if status == 201 {
            set(LOCATION, format!("/incidents/{}", incident.id));
        }
    }
    response
}

/// Whether somebody may ask for a change at all, and has not done so too often. What only programs ask for is not even
/// looked at while the product may do nothing by itself.
async fn asks(
    state: &State,
    signed: &SignedRequest,
    action: PrincipalAction,
) -> Result<Asking, IncidentError> {
    principals::attempt(&state.cx, &signed.signed, action)?;
    signed.signed.require(action)?;
    let claims = |authority| signed.signed.claim(action, authority).is_ok();
    if !claims(AuthorityType::AutoEngine) {
        return Ok(Asking { is_paused: false });
    }
    let switches = automation::status(&state.cx, signed.signed.tenant_id()).await?;
    let asking = Asking {
        is_paused: switches.is_paused(),
    };
    if !claims(AuthorityType::HumanOperator) {
        asking.by(AuthorityType::AutoEngine)?;
    }
    Ok(asking)
}

/// Somebody who may ask for a change, by some authority.
struct Asking {
    /// Whether the product may do nothing by itself.
    is_paused: bool,
}

impl Asking {
    /// Refuses a program while it is to do nothing.
    fn by(&self, authority: AuthorityType) -> Result<(), IncidentError> {
        if self.is_paused && !authority.is_human() {
            return Err(IncidentError::switched_off());
        }
        Ok(())
    }
}

/// The key of a request: the one that it carries, else one that follows from who sends what. What the client says of the
/// time does not count: it restamps a repetition.
fn once(
    request: &HttpRequest,
    operation: &'static str,
    signed: &SignedRequest,
) -> Result<(Once, bool), IncidentError> {
    let mut said: Value = serde_json::from_slice(&signed.body).unwrap_or_default();
    if let Some(authority) = said.get_mut("authority").and_then(Value::as_object_mut) {
        authority.remove("timestamp");
    }
    let principal = signed.signed.arn();
    let fingerprint = fingerprint(
        request.method().as_str(),
        request.path(),
        said.to_string().as_bytes(),
    );
    let sent = idempotency::key(request).map_err(|error| IncidentError::header("Idempotency-Key", error))?;
    let is_sent = sent.is_some();
    if is_sent {
        idempotency::count("keyed");
    }
    let own = || infra::secrets::sha256_hex(format!("{principal}:{operation}:{fingerprint}").as_bytes());
    let once = Once {
        tenant: signed.signed.tenant_id(),
        operation,
        key: sent.unwrap_or_else(own),
        principal,
        fingerprint,
    };
    Ok((once, is_sent))
}

/// Report an Incident
#[utoipa::path(post, path = "/incidents", operation_id = "report_incident", tag = "Incident control plane", security(("sigv4" = [])),
    request_body = CreateBody, params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, description = "The Incident, OPEN or PENDING as the gate decided", body = ControlIncidentView),
              (status = 200, description = "The answer to the same request before", body = ControlIncidentView),
              (status = 400, description = "The request is not valid"),
              (status = 401, description = "The signature is missing, wrong, late or used up"),
              (status = 403, description = "The principal may not do this"),
              (status = 409, description = "The idempotency key was used for another request"),
              (status = 429, description = "The rate limit is used up"),
              (status = 503, description = "Automatic changes are switched off, or the database is not there")))]
pub(crate) async fn create(
    signed: SignedRequest,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, IncidentError> {
    let action = PrincipalAction::Create;
    let asking = asks(&state, &signed, action).await?;
    body::check_headers(&request)?;
    let said: CreateBody = bodies::read(&signed.body)?;
    let (once, is_keyed) = once(&request, "incidents.create", &signed)?;
    let authority = said
        .authority
        .context(&signed.signed, action, state.cx.clock.now())?;
    asking.by(authority.authority_type)?;
    let reporter = Reporter {
        tenant: signed.signed.tenant_id(),
        author: signed.signed.author(),
        authority,
        once,
        is_keyed,
        signed: signed.signed.clone(),
    };
    let beside = said.metadata.unwrap_or_default();
    let wanted = Report {
        service: said.service,
        severity: said.severity,
        title: said.title,
        description: said.description,
        tags: beside.tags,
        llm_run: beside.run_id,
        body: String::from_utf8_lossy(&signed.body).into_owned(),
    };
    let done = report_incident(&state.cx, reporter, wanted, rendered).await?;
    Ok(answered(201, &done, is_keyed))
}

fn id_of(text: &str) -> Result<IncidentId, IncidentError> {
    text.parse().map_err(|_error| {
        IncidentError::new(
            400,
            "INVALID_INCIDENT_ID",
            "The id of the Incident is not inc_ and 32 lower-case hex digits.",
        )
    })
}

/// Take an Incident to another state
#[utoipa::path(patch, path = "/incidents/{incident_id}/state", operation_id = "change_incident_state",
    tag = "Incident control plane", security(("sigv4" = [])), request_body = StateBody,
    params(("incident_id" = String, Path), ("Idempotency-Key" = Option<String>, Header), ("If-Match" = Option<String>, Header)),
    responses((status = 200, description = "The Incident in its new state", body = ControlIncidentView),
              (status = 400, description = "The request is not valid, or something that has to be said is missing"),
              (status = 401, description = "The signature is missing, wrong, late or used up"),
              (status = 403, description = "The principal may not do this"),
              (status = 404, description = "There is no such Incident"),
              (status = 409, description = "It does not go there, or has another version by now"),
              (status = 429, description = "The rate limit is used up"),
              (status = 503, description = "Automatic changes are switched off, or the database is not there")))]
pub(crate) async fn change_state(
    signed: SignedRequest,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, IncidentError> {
    let parts = |said: &StateBody| (said.authority.clone(), said.expected_version);
    let (asked, said) = asked(&state, &signed, &request, ("incidents.transition", &id), parts).await?;
    let is_keyed = asked.once.is_some();
    let done = change(&state.cx, asked, said.wish(retention(&state.cx)), rendered).await?;
    Ok(answered(200, &done, is_keyed))
}

/// Who asks for a change of which Incident, and in which words.
async fn asked<T: Checked>(
    state: &State,
    signed: &SignedRequest,
    request: &HttpRequest,
    (operation, id): (&'static str, &str),
    parts: fn(&T) -> (AuthorityBody, Option<i64>),
) -> Result<(Asked, T), IncidentError> {
    let action = PrincipalAction::Transition;
    let asking = asks(state, signed, action).await?;
    body::check_headers(request)?;
    let said: T = bodies::read(&signed.body)?;
    let (once, is_keyed) = once(request, operation, signed)?;
    let seen = crate::v1::incidents::expected_version(request)
        .map_err(|error| IncidentError::header("If-Match", error))?;
    let id = id_of(id)?;
    let (authority, expected) = parts(&said);
    let authority = authority.context(&signed.signed, action, state.cx.clock.now())?;
    asking.by(authority.authority_type)?;
    let asked = Asked {
        tenant: signed.signed.tenant_id(),
        id,
        author: signed.signed.author(),
        authority,
        expected_versions: expected.into_iter().chain(seen).collect(),
        once: is_keyed.then_some(once),
        signed: Some(signed.signed.clone()),
    };
    Ok((asked, said))
}

/// Let an Incident through that waits
#[utoipa::path(post, path = "/incidents/{incident_id}/promotion", operation_id = "promote_incident",
    tag = "Incident control plane", security(("sigv4" = [])), request_body = PromotionBody,
    params(("incident_id" = String, Path), ("Idempotency-Key" = Option<String>, Header), ("If-Match" = Option<String>, Header)),
    responses((status = 200, description = "The Incident, OPEN", body = ControlIncidentView),
              (status = 400, description = "The request is not valid, or does not say why"),
              (status = 401, description = "The signature is missing, wrong, late or used up"),
              (status = 403, description = "The principal may not do this"),
              (status = 404, description = "There is no such Incident"),
              (status = 409, description = "It does not wait, has another version by now, or the gate refuses it"),
              (status = 429, description = "The rate limit is used up"),
              (status = 503, description = "Automatic changes are switched off, or the database is not there")))]
pub(crate) async fn promote(
    signed: SignedRequest,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, IncidentError> {
    let parts = |said: &PromotionBody| (said.authority.clone(), said.expected_version);
    let (asked, _) = asked(&state, &signed, &request, ("incidents.promote", &id), parts).await?;
    let is_keyed = asked.once.is_some();
    let done = services::incidents::promote::promote(&state.cx, asked, rendered).await?;
    Ok(answered(200, &done, is_keyed))
}
