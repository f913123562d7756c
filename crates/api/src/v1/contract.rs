//! `/api/v1/contract`: what the consoles and this API agree on.

use actix_web::HttpResponse;
use adapters::customer::labels::{LabelsView, labels as all_labels};

use crate::actor::ReadActor;
use crate::problem::ApiError;

/// The labels of the consoles
#[utoipa::path(get, path = "/api/v1/contract/labels", operation_id = "contract_labels", tag = "Console",
    responses((status = 200, description = "Terms, columns and words as people read them", body = LabelsView)))]
pub(crate) async fn labels(_actor: ReadActor) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(all_labels()))
}
