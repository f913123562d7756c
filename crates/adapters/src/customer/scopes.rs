//! How are projects and agents shown?

use model::tenant::{Agent, Project};
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A project.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProjectView {
    /// Its name.
    pub project_id: String,
    /// What it is for.
    pub description: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<Project> for ProjectView {
    fn from(project: Project) -> Self {
        let Project {
            id,
            tenant: _,
            description,
            created_at,
        } = project;
        Self {
            project_id: id.to_string(),
            description,
            created_at,
        }
    }
}

/// The projects of a tenant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProjectListView {
    /// By name.
    pub items: Vec<ProjectView>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to send as `cursor` for the next piece.
    pub next_cursor: Option<String>,
}

/// An agent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AgentView {
    /// Its name.
    pub agent_id: String,
    /// The project it works for.
    pub project_id: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<Agent> for AgentView {
    fn from(agent: Agent) -> Self {
        let Agent {
            id,
            tenant: _,
            project,
            description,
            created_at,
        } = agent;
        Self {
            agent_id: id.to_string(),
            project_id: project.map(|id| id.to_string()),
            description,
            created_at,
        }
    }
}

/// The agents of a tenant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AgentListView {
    /// By name.
    pub items: Vec<AgentView>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to send as `cursor` for the next piece.
    pub next_cursor: Option<String>,
}
