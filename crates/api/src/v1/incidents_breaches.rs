//! Which breaches of Limits is an Incident about?

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use adapters::customer::incident_breaches::IncidentBreachesView;
use adapters::problem::Problem;

use super::incidents::find;
use crate::actor::ReadActor;
use crate::problem::ApiError;
use crate::state::State;

/// List the breaches that an Incident is about
#[utoipa::path(get, path = "/api/v1/incidents/{incident_id}/breaches", operation_id = "incident_breaches",
    tag = "Incidents", params(("incident_id" = String, Path)),
    responses((status = 200, description = "The breaches of Limits that have led to it, the latest first, at most 200; none if it is about something else", body = IncidentBreachesView),
              (status = 404, description = "There is no such Incident", body = Problem)))]
pub(crate) async fn list(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let found = find(&actor, &state, &id).await?;
    let breaches = services::incidents::breaches::of_incident(&state.cx, found.tenant, found.id)
        .await
        .map_err(ApiError::from)?;
    Ok(HttpResponse::Ok().json(IncidentBreachesView {
        items: breaches.into_iter().map(Into::into).collect(),
    }))
}
