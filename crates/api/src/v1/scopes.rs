//! `/api/v1/projects` and `/api/v1/agents`: what requests can be attributed to.

use actix_web::HttpResponse;
use actix_web::web::Data;
use adapters::customer::scopes::{AgentListView, AgentView, ProjectListView, ProjectView};
use adapters::problem::Problem;
use model::id::Slug;
use serde::Deserialize;
use services::tenants::TenantError;
use utoipa::ToSchema;

use crate::actor::{ManageActor, ReadActor};
use crate::body::{Body, Json};
use crate::paging::{Asked, PageQuery};
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;
use crate::text;

/// A new project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectBody {
    /// Its name: 1 to 64 characters out of letters, digits, `.`, `_` and `-`.
    #[schema(value_type = String)]
    project_id: Slug,
    /// What it is for.
    description: Option<String>,
}

impl Body for ProjectBody {
    const READ_ONLY: &'static [&'static str] = &["tenant_id", "created_at"];
}

/// Make a project
#[utoipa::path(post, path = "/api/v1/projects", tag = "Projects", request_body = ProjectBody,
    responses((status = 201, description = "The new project", body = ProjectView),
              (status = 409, description = "The name is taken", body = Problem)))]
pub(crate) async fn create_project(
    actor: ManageActor,
    state: Data<State>,
    body: Json<ProjectBody>,
) -> Result<HttpResponse, ApiError> {
    let ProjectBody {
        project_id,
        description,
    } = body.value;
    text::description(description.as_deref())?;
    let project = services::tenants::create_project(&state.cx, actor.0.tenant_id(), project_id, description)
        .await
        .map_err(tenant_error)?;
    Ok(HttpResponse::Created().json(ProjectView::from(project)))
}

/// List projects
#[utoipa::path(get, path = "/api/v1/projects", operation_id = "list_projects",
    tag = "Projects", params(PageQuery),
    responses((status = 200, description = "The projects, by name", body = ProjectListView)))]
pub(crate) async fn projects(
    actor: ReadActor,
    state: Data<State>,
    query: Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let tenant = actor.0.tenant_id();
    let asked = Asked::<Slug>::of(&state, ("projects", tenant), &query).await?;
    let list = services::tenants::projects(&state.cx, tenant, asked.place.clone(), asked.most())
        .await
        .map_err(tenant_error)?;
    let (list, next_cursor) = asked.cut(&state, list, |item| item.id.clone()).await?;
    Ok(HttpResponse::Ok().json(ProjectListView {
        items: list.into_iter().map(Into::into).collect(),
        has_more: next_cursor.is_some(),
        next_cursor,
    }))
}

/// A new agent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentBody {
    /// Its name: 1 to 64 characters out of letters, digits, `.`, `_` and `-`.
    #[schema(value_type = String)]
    agent_id: Slug,
    /// The project it works for.
    #[schema(value_type = Option<String>)]
    project_id: Option<Slug>,
    /// What it does.
    description: Option<String>,
}

impl Body for AgentBody {
    const READ_ONLY: &'static [&'static str] = &["tenant_id", "created_at"];
}

/// Make an agent
#[utoipa::path(post, path = "/api/v1/agents", tag = "Agents", request_body = AgentBody,
    responses((status = 201, description = "The new agent", body = AgentView),
              (status = 409, description = "The name is taken", body = Problem)))]
pub(crate) async fn create_agent(
    actor: ManageActor,
    state: Data<State>,
    body: Json<AgentBody>,
) -> Result<HttpResponse, ApiError> {
    let AgentBody {
        agent_id,
        project_id,
        description,
    } = body.value;
    text::description(description.as_deref())?;
    let tenant = actor.0.tenant_id();
    let agent = services::tenants::create_agent(&state.cx, tenant, agent_id, project_id, description)
        .await
        .map_err(tenant_error)?;
    Ok(HttpResponse::Created().json(AgentView::from(agent)))
}

/// List agents
#[utoipa::path(get, path = "/api/v1/agents", operation_id = "list_agents", tag = "Agents", params(PageQuery),
    responses((status = 200, description = "The agents, by name", body = AgentListView)))]
pub(crate) async fn agents(
    actor: ReadActor,
    state: Data<State>,
    query: Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let tenant = actor.0.tenant_id();
    let asked = Asked::<Slug>::of(&state, ("agents", tenant), &query).await?;
    let list = services::tenants::agents(&state.cx, tenant, asked.place.clone(), asked.most())
        .await
        .map_err(tenant_error)?;
    let (list, next_cursor) = asked.cut(&state, list, |item| item.id.clone()).await?;
    Ok(HttpResponse::Ok().json(AgentListView {
        items: list.into_iter().map(Into::into).collect(),
        has_more: next_cursor.is_some(),
        next_cursor,
    }))
}

pub(crate) fn tenant_error(error: TenantError) -> ApiError {
    match error {
        TenantError::NotFound | TenantError::NoOperator => ApiError::not_found(),
        TenantError::NoProject => ApiError::field("/project_id", "is not a project of this tenant"),
        TenantError::Taken => ApiError::new(409, "already-exists", "Already exists", "The name is taken."),
        TenantError::Invalid { field, detail } => ApiError::field(&format!("/{field}"), detail),
        TenantError::Store(error) => error.into(),
    }
}
