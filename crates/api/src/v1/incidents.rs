//! `/api/v1/incidents`: what a customer sees of an Incident and does about it.

use actix_web::http::header::{ETAG, IF_MATCH};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::incidents::{IncidentEventsView, IncidentView, RunIncidentsView};
use adapters::customer::runs::RunView;
use adapters::problem::Problem;
use model::authority::{AuthorityContext, AuthorityType};
use model::id::{IncidentId, RunId};
use model::incident::{EdgeError, Incident, IncidentState, Refusal, ResolutionMethod, ResolutionType};
use serde::Deserialize;
use services::audit::Author;
use services::cursors::List;
use services::incidents::change::{Asked, Wish, change};
use services::incidents::{self, IncidentError};
use services::principals::SpendError;
use utoipa::ToSchema;

use crate::actor::{ManageActor, ReadActor};
use crate::body::{Body, Json};
use crate::idempotency;
use crate::paging::{self, PageQuery};
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;

/// The longest note, in characters.
const NOTES_MAX: usize = 2000;

pub(crate) fn incident_error(error: IncidentError) -> ApiError {
    match error {
        // The last six are about reports, promotions, programs and signatures, of which there are none here.
        IncidentError::NotFound
        | IncidentError::NotNoticed
        | IncidentError::NotLetThrough(_)
        | IncidentError::UnknownRun
        | IncidentError::SwitchedOff
        | IncidentError::TooOften(_)
        | IncidentError::Spent(SpendError::Replayed) => ApiError::not_found(),
        IncidentError::Refused(Refusal::Edge(EdgeError::Illegal { from, .. })) => out_of_place(from),
        IncidentError::Refused(Refusal::OutOfPlace(state)) => out_of_place(state),
        IncidentError::Refused(Refusal::ResolutionImmutable) => ApiError::new(
            409,
            "incident-state",
            "Incident state",
            "The Incident is resolved, and stays so.",
        ),
        IncidentError::Refused(refusal) => ApiError::new(
            409,
            "incident-state",
            "Incident state",
            format!("The Incident does not allow it: {refusal}."),
        ),
        IncidentError::Outdated { expected, actual, .. } => ApiError::new(
            409,
            "version-conflict",
            "Version conflict",
            format!("The Incident is of version {actual}, not {expected}. Read it again."),
        ),
        IncidentError::Once(error) => idempotency::refusal(error),
        IncidentError::Spent(SpendError::Store(error)) | IncidentError::Store(error) => error.into(),
    }
}

fn out_of_place(state: IncidentState) -> ApiError {
    ApiError::new(
        409,
        "incident-state",
        "Incident state",
        format!(
            "The Incident is {}: this cannot happen to it any more.",
            state.as_str()
        ),
    )
}

/// One that nobody has approved is not there for a customer.
fn shown(incident: Incident) -> Result<Incident, ApiError> {
    incident
        .lifecycle()
        .is_some()
        .then_some(incident)
        .ok_or_else(ApiError::not_found)
}

pub(super) async fn find(actor: &ReadActor, state: &State, id: &str) -> Result<Incident, ApiError> {
    let id: IncidentId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let found = incidents::get(&state.cx, actor.0.tenant_id(), id)
        .await
        .map_err(incident_error)?;
    shown(found)
}

/// Get an Incident
#[utoipa::path(get, path = "/api/v1/incidents/{incident_id}", operation_id = "get_incident", tag = "Incidents",
    params(("incident_id" = String, Path)),
    responses((status = 200, description = "The Incident; its version is the ETag", body = IncidentView),
              (status = 404, description = "There is no such Incident", body = Problem)))]
pub(crate) async fn get(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let found = find(&actor, &state, &id).await?;
    let tag = format!("\"{}\"", found.version);
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, tag))
        .json(IncidentView::from(found)))
}

/// What happened to an Incident
#[utoipa::path(get, path = "/api/v1/incidents/{incident_id}/events", operation_id = "incident_events", tag = "Incidents",
    params(("incident_id" = String, Path), PageQuery),
    responses((status = 200, description = "A page of its events, oldest first", body = IncidentEventsView),
              (status = 400, description = "A parameter is wrong", body = Problem),
              (status = 404, description = "There is no such Incident", body = Problem)))]
pub(crate) async fn events(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
    query: Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let found = find(&actor, &state, &id).await?;
    let list = List {
        name: "incident_events",
        owner: found.tenant,
        filter: found.id.to_string(),
    };
    let asked = (query.limit.as_deref(), query.cursor.as_deref());
    let page = paging::Asked::<i64>::filtered(&state, list, asked).await?;
    let events = incidents::events(&state.cx, (found.tenant, found.id), page.place, page.most())
        .await
        .map_err(ApiError::from)?;
    let (events, next_cursor) = page.cut(&state, events, |event| event.seq).await?;
    Ok(HttpResponse::Ok().json(IncidentEventsView {
        items: events.into_iter().map(Into::into).collect(),
        has_more: next_cursor.is_some(),
        next_cursor,
    }))
}

/// Get the LLM Run that an Incident comes from
#[utoipa::path(get, path = "/api/v1/incidents/{incident_id}/source-run", operation_id = "incident_source_run",
    tag = "Incidents", params(("incident_id" = String, Path)),
    responses((status = 200, description = "The LLM Run that failed", body = RunView),
              (status = 404, description = "There is no such Incident, or it comes from no LLM Run", body = Problem)))]
pub(crate) async fn source_run(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let found = find(&actor, &state, &id).await?;
    let run = found.creation.run.ok_or_else(ApiError::not_found)?;
    let run = services::runs::get(&state.cx, found.tenant, run)
        .await
        .map_err(super::runs::run_error)?;
    Ok(HttpResponse::Ok().json(RunView::from(run)))
}

/// List the Incidents of an LLM Run
#[utoipa::path(get, path = "/api/v1/runs/{run_id}/incidents", operation_id = "run_incidents", tag = "LLM Runs",
    params(("run_id" = String, Path)),
    responses((status = 200, description = "The Incidents that it has led to, the newest 200, newest first; none if it went well", body = RunIncidentsView),
              (status = 404, description = "There is no such LLM Run", body = Problem)))]
pub(crate) async fn of_run(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let run = services::runs::get(&state.cx, actor.0.tenant_id(), id)
        .await
        .map_err(super::runs::run_error)?;
    let found = incidents::of_run(&state.cx, run.tenant, run.id)
        .await
        .map_err(ApiError::from)?;
    let approved = found.into_iter().filter(|one| one.lifecycle().is_some());
    Ok(HttpResponse::Ok().json(RunIncidentsView {
        items: approved.map(Into::into).collect(),
    }))
}

fn body_of(incident: &Incident) -> String {
    serde_json::to_string(&IncidentView::from(incident.clone())).unwrap_or_default()
}

/// The version that the caller has seen: `If-Match: "3"`.
pub(crate) fn expected_version(request: &HttpRequest) -> Result<Option<i64>, ApiError> {
    let wrong = || {
        ApiError::new(
            400,
            "invalid-header",
            "Invalid header",
            "`If-Match` is the ETag of the Incident, such as \"3\".",
        )
    };
    let mut values = request.headers().get_all(IF_MATCH);
    let (Some(value), None) = (values.next(), values.next()) else {
        return if request.headers().contains_key(IF_MATCH) {
            Err(wrong())
        } else {
            Ok(None)
        };
    };
    let text = value.to_str().ok().ok_or_else(wrong)?;
    if text == "*" {
        return Ok(None);
    }
    let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let version = number.and_then(|text| text.parse().ok());
    let version = version.filter(|version: &i64| *version > 0);
    version.map(Some).ok_or_else(wrong)
}

/// Whoever holds a key that manages a tenant is on call for it.
fn asked(
    actor: &ManageActor,
    state: &State,
    request: &HttpRequest,
    (id, operation): (&str, &'static str),
    body: &[u8],
) -> Result<Asked, ApiError> {
    let id: IncidentId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let (tenant, principal) = (actor.0.tenant_id(), actor.0.principal());
    let once = idempotency::once(request, operation, tenant, principal.clone(), body)?;
    Ok(Asked {
        tenant,
        id,
        authority: AuthorityContext {
            authority_type: AuthorityType::OnCallSre,
            authority_id: principal.clone(),
            session_id: None,
            justification: None,
            timestamp: state.cx.clock.now(),
        },
        author: Author::human(principal),
        expected_versions: expected_version(request)?.into_iter().collect(),
        once,
        signed: None,
    })
}

/// Acknowledge an Incident
#[utoipa::path(post, path = "/api/v1/incidents/{incident_id}/acknowledge", operation_id = "acknowledge_incident",
    tag = "Incidents",
    params(("incident_id" = String, Path), ("Idempotency-Key" = Option<String>, Header), ("If-Match" = Option<String>, Header)),
    responses((status = 200, description = "The Incident, ACKED; who was first stays", body = IncidentView),
              (status = 404, description = "There is no such Incident", body = Problem),
              (status = 409, description = "It is over, or has changed", body = Problem)))]
pub(crate) async fn acknowledge(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let asked = asked(&actor, &state, &request, (&id, "incidents.acknowledge"), &[])?;
    let done = change(&state.cx, asked, Wish::Acknowledge, body_of)
        .await
        .map_err(incident_error)?;
    Ok(idempotency::respond(200, done))
}

/// How an Incident is resolved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResolveBody {
    /// `manual` (the default), `rollback` or `auto`.
    #[schema(value_type = Option<String>, example = "rollback")]
    resolution_method: Option<ResolutionMethod>,
    /// FIXED (the default), `FALSE_POSITIVE`, DUPLICATE or `WONT_FIX`.
    #[schema(value_type = Option<String>, example = "FIXED")]
    resolution_type: Option<ResolutionType>,
    /// What was done: at most 2,000 characters.
    #[schema(example = "went back to the prompt of last week")]
    notes: Option<String>,
}

impl Body for ResolveBody {
    const READ_ONLY: &'static [&'static str] = &[
        "incident_id",
        "lifecycle_state",
        "state",
        "resolved_by",
        "resolved_at",
        "version",
    ];
}

/// Resolve an Incident
#[utoipa::path(post, path = "/api/v1/incidents/{incident_id}/resolve", operation_id = "resolve_incident",
    tag = "Incidents", request_body = ResolveBody,
    params(("incident_id" = String, Path), ("Idempotency-Key" = Option<String>, Header), ("If-Match" = Option<String>, Header)),
    responses((status = 200, description = "The Incident, RESOLVED", body = IncidentView),
              (status = 404, description = "There is no such Incident", body = Problem),
              (status = 409, description = "It is over, or has changed", body = Problem),
              (status = 422, description = "The body is not valid", body = Problem)))]
pub(crate) async fn resolve(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
    body: Json<ResolveBody>,
) -> Result<HttpResponse, ApiError> {
    let asked = asked(&actor, &state, &request, (&id, "incidents.resolve"), &body.bytes)?;
    let said = body.value;
    if said
        .notes
        .as_ref()
        .is_some_and(|notes| notes.chars().count() > NOTES_MAX)
    {
        return Err(ApiError::field("/notes", "at most 2000 characters"));
    }
    let wish = Wish::Resolve {
        notes: said.notes,
        resolution_type: said.resolution_type.unwrap_or(ResolutionType::Fixed),
        method: said.resolution_method.unwrap_or(ResolutionMethod::Manual),
    };
    let done = change(&state.cx, asked, wish, body_of)
        .await
        .map_err(incident_error)?;
    Ok(idempotency::respond(200, done))
}
