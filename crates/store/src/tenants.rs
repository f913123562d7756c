//! The tenants with their projects and agents.

use diesel::prelude::*;
use model::id::{Slug, TenantId};
use model::tenant::{Agent, Project, Tenant};

use crate::error::StoreResult;
use crate::rows::{Table, at};
use crate::schema::{agents, projects, tenants};
use crate::tx::{LockTx, Tx, WriteTx};

const TABLE: Table = Table("tenants");

#[derive(Queryable, Insertable)]
#[diesel(table_name = tenants)]
struct Row {
    id: String,
    name: String,
    state: String,
    freeze_reason: Option<String>,
    floor_price: Option<i64>,
    limits_version: i64,
    created_at: i64,
    rules_version: i64,
    two_person_review: bool,
}

/// One tenant.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut impl Tx, id: TenantId) -> StoreResult<Option<Tenant>> {
    let row: Option<Row> = tenants::table
        .find(id.to_string())
        .get_result(tx.conn())
        .optional()?;
    row.map(tenant).transpose()
}

/// One tenant, to which nobody else adds keys or limits until this transaction ends.
///
/// # Errors
/// What the database says.
pub fn lock(tx: &mut LockTx<'_>, id: TenantId) -> StoreResult<Option<Tenant>> {
    crate::dialect::tenants::lock(crate::tx::sealed::Connected::conn(tx), &id.to_string())?;
    find(tx, id)
}

/// The tenant of this name.
///
/// # Errors
/// What the database says.
pub fn by_name(tx: &mut impl Tx, name: &str) -> StoreResult<Option<Tenant>> {
    let row: Option<Row> = tenants::table
        .filter(tenants::name.eq(name))
        .get_result(tx.conn())
        .optional()?;
    row.map(tenant).transpose()
}

/// Tenants newest first, at most `most`, older than `before` if it is given.
///
/// # Errors
/// What the database says.
pub fn list(tx: &mut impl Tx, before: Option<TenantId>, most: i64) -> StoreResult<Vec<Tenant>> {
    let mut query = tenants::table
        .filter(tenants::id.ne(TenantId::PLATFORM.to_string()))
        .order(tenants::id.desc())
        .limit(most)
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(tenants::id.lt(before.to_string()));
    }
    query.load::<Row>(tx.conn())?.into_iter().map(tenant).collect()
}

/// Adds a tenant.
///
/// # Errors
/// [`crate::StoreError::Duplicate`] if the name is taken.
pub fn insert(tx: &mut WriteTx<'_>, tenant: &Tenant) -> StoreResult<()> {
    use crate::tx::sealed::Connected as _;
    let row = Row {
        id: tenant.id.to_string(),
        name: tenant.name.clone(),
        state: tenant.state.as_str().to_owned(),
        freeze_reason: tenant.freeze_reason.clone(),
        floor_price: tenant.floor_price.map(|price| price.0),
        limits_version: 0,
        created_at: tenant.created_at.as_micros(),
        rules_version: 0,
        two_person_review: tenant.two_person_review,
    };
    diesel::insert_into(tenants::table)
        .values(row)
        .execute(tx.conn())?;
    Ok(())
}

/// Writes whether a tenant is frozen, its floor price, and how many persons a Policy Rule takes.
///
/// # Errors
/// What the database says.
pub fn update(tx: &mut WriteTx<'_>, tenant: &Tenant) -> StoreResult<()> {
    use crate::tx::sealed::Connected as _;
    diesel::update(tenants::table.find(tenant.id.to_string()))
        .set((
            tenants::state.eq(tenant.state.as_str()),
            tenants::freeze_reason.eq(&tenant.freeze_reason),
            tenants::floor_price.eq(tenant.floor_price.map(|price| price.0)),
            tenants::two_person_review.eq(tenant.two_person_review),
        ))
        .execute(tx.conn())?;
    crate::credentials::changed(tx)
}

/// The projects of a tenant by name.
///
/// # Errors
/// What the database says.
pub fn projects(tx: &mut impl Tx, owner: TenantId) -> StoreResult<Vec<Project>> {
    projects_page(tx, owner, None, i64::MAX)
}

/// Projects of a tenant by name, at most `most`, behind `after` if it is given.
///
/// # Errors
/// What the database says.
pub fn projects_page(
    tx: &mut impl Tx,
    owner: TenantId,
    after: Option<&Slug>,
    most: i64,
) -> StoreResult<Vec<Project>> {
    let mut query = projects::table
        .filter(projects::tenant_id.eq(owner.to_string()))
        .order(projects::id)
        .select((projects::id, projects::description, projects::created_at))
        .limit(most)
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(projects::id.gt(after.as_str().to_owned()));
    }
    let rows: Vec<(String, Option<String>, i64)> = query.load(tx.conn())?;
    rows.into_iter()
        .map(|(id, description, created)| {
            let id: Slug = Table("projects").parse("id", &id)?;
            Ok(Project {
                id,
                tenant: owner,
                description,
                created_at: at(created),
            })
        })
        .collect()
}

/// Adds a project.
///
/// # Errors
/// [`crate::StoreError::Duplicate`] if the name is taken.
pub fn insert_project(tx: &mut WriteTx<'_>, project: &Project) -> StoreResult<()> {
    use crate::tx::sealed::Connected as _;
    diesel::insert_into(projects::table)
        .values((
            projects::tenant_id.eq(project.tenant.to_string()),
            projects::id.eq(project.id.as_str()),
            projects::description.eq(&project.description),
            projects::created_at.eq(project.created_at.as_micros()),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// The agents of a tenant by name.
///
/// # Errors
/// What the database says.
pub fn agents(tx: &mut impl Tx, owner: TenantId) -> StoreResult<Vec<Agent>> {
    agents_page(tx, owner, None, i64::MAX)
}

/// Agents of a tenant by name, at most `most`, behind `after` if it is given.
///
/// # Errors
/// What the database says.
pub fn agents_page(
    tx: &mut impl Tx,
    owner: TenantId,
    after: Option<&Slug>,
    most: i64,
) -> StoreResult<Vec<Agent>> {
    let table = Table("agents");
    let mut query = agents::table
        .filter(agents::tenant_id.eq(owner.to_string()))
        .order(agents::id)
        .select((
            agents::id,
            agents::project_id,
            agents::description,
            agents::created_at,
        ))
        .limit(most)
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(agents::id.gt(after.as_str().to_owned()));
    }
    let rows: Vec<(String, Option<String>, Option<String>, i64)> = query.load(tx.conn())?;
    rows.into_iter()
        .map(|(id, project, description, created)| {
            Ok(Agent {
                id: table.parse("id", &id)?,
                tenant: owner,
                project: table.parse_opt("project_id", project.as_deref())?,
                description,
                created_at: at(created),
            })
        })
        .collect()
}

/// Adds an agent.
///
/// # Errors
/// [`crate::StoreError::Duplicate`] if the name is taken, [`crate::StoreError::ForeignKey`] if there is no such
/// project.
pub fn insert_agent(tx: &mut WriteTx<'_>, agent: &Agent) -> StoreResult<()> {
    use crate::tx::sealed::Connected as _;
    diesel::insert_into(agents::table)
        .values((
            agents::tenant_id.eq(agent.tenant.to_string()),
            agents::id.eq(agent.id.as_str()),
            agents::project_id.eq(agent.project.as_ref().map(Slug::as_str)),
            agents::description.eq(&agent.description),
            agents::created_at.eq(agent.created_at.as_micros()),
        ))
        .execute(tx.conn())?;
    Ok(())
}

fn tenant(row: Row) -> StoreResult<Tenant> {
    Ok(Tenant {
        id: TABLE.parse("id", &row.id)?,
        name: row.name,
        state: TABLE.parse("state", &row.state)?,
        freeze_reason: row.freeze_reason,
        floor_price: row.floor_price.map(model::money::NanoUsd),
        two_person_review: row.two_person_review,
        created_at: at(row.created_at),
    })
}
