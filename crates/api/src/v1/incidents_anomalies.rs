//! Which cost anomalies is an Incident about?

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use adapters::customer::incident_anomalies::IncidentAnomaliesView;
use adapters::problem::Problem;

use super::incidents::find;
use crate::actor::ReadActor;
use crate::problem::ApiError;
use crate::state::State;

/// List the cost anomalies that an Incident is about
#[utoipa::path(get, path = "/api/v1/incidents/{incident_id}/anomalies", operation_id = "incident_anomalies",
    tag = "Incidents", params(("incident_id" = String, Path)),
    responses((status = 200, description = "The cost anomalies that have led to it, the latest first, at most 200; none if it is about something else", body = IncidentAnomaliesView),
              (status = 404, description = "There is no such Incident", body = Problem)))]
pub(crate) async fn list(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let found = find(&actor, &state, &id).await?;
    let anomalies = services::incidents::anomalies::of_incident(&state.cx, found.tenant, found.id)
        .await
        .map_err(ApiError::from)?;
    Ok(HttpResponse::Ok().json(IncidentAnomaliesView {
        items: anomalies.into_iter().map(Into::into).collect(),
    }))
}
