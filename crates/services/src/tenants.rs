//! How do tenants, projects, agents and operators come and go?

use infra::secrets::{OperatorTokenSecret, random_bytes};
use model::id::{EventId, OperatorId, Slug, TenantId};
use model::money::NanoUsd;
use model::tenant::{Agent, FreezeState, Operator, Project, Tenant};
use store::{StoreError, TxError};

use crate::audit::{Author, record};
use crate::context::Context;
use crate::keys::frozen;
use crate::names;

mod told;

const NAME_MAX: usize = 255;

/// Why a tenant, a project or an agent cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// There is no such tenant.
    #[error("there is no such tenant")]
    NotFound,
    /// There is no such operator, or no longer.
    #[error("there is no such operator, or it has been revoked")]
    NoOperator,
    /// There is no such project.
    #[error("there is no such project")]
    NoProject,
    /// The name is taken.
    #[error("the name is taken")]
    Taken,
    /// A field is not what it should be.
    #[error("`{field}`: {detail}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What it should be.
        detail: &'static str,
    },
    /// The database failed.
    #[error("the tenants could not be read or written")]
    Store(#[source] StoreError),
}

impl From<StoreError> for TenantError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Duplicate(_) => Self::Taken,
            StoreError::ForeignKey(_) => Self::NoProject,
            other => Self::Store(other),
        }
    }
}

impl TxError for TenantError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

/// Makes a tenant.
///
/// # Errors
/// [`TenantError::Taken`], [`TenantError::Invalid`].
pub async fn create(cx: &Context, author: Author, name: &str) -> Result<Tenant, TenantError> {
    let name = checked(name)?;
    let tenant = Tenant {
        id: TenantId::generate(cx.ids.as_ref()),
        name,
        state: FreezeState::Active,
        freeze_reason: None,
        floor_price: None,
        two_person_review: false,
        created_at: cx.clock.now(),
    };
    let (stored, ids) = (tenant.clone(), cx.ids.clone());
    let write = cx.db.write(move |tx| -> Result<(), TenantError> {
        store::tenants::insert(tx, &stored)?;
        let changed = told::created(&stored);
        Ok(record(tx, ids.as_ref(), &author, changed, stored.created_at)?)
    });
    write.await?;
    Ok(tenant)
}

fn checked(name: &str) -> Result<String, TenantError> {
    names::checked(name, NAME_MAX).ok_or(TenantError::Invalid {
        field: "name",
        detail: "1 to 255 characters, none of them invisible",
    })
}

/// One tenant.
///
/// # Errors
/// [`TenantError::NotFound`].
pub async fn get(cx: &Context, id: TenantId) -> Result<Tenant, TenantError> {
    cx.db
        .read(move |tx| store::tenants::find(tx, id))
        .await?
        .ok_or(TenantError::NotFound)
}

/// The tenant of this name.
///
/// # Errors
/// [`TenantError::NotFound`].
pub async fn by_name(cx: &Context, name: &str) -> Result<Tenant, TenantError> {
    let name = names::normal(name);
    cx.db
        .read(move |tx| store::tenants::by_name(tx, &name))
        .await?
        .ok_or(TenantError::NotFound)
}

/// Tenants, newest first, at most `most`, older than `before`.
///
/// # Errors
/// [`TenantError::Store`].
pub async fn list(cx: &Context, before: Option<TenantId>, most: u32) -> Result<Vec<Tenant>, TenantError> {
    Ok(cx
        .db
        .read(move |tx| store::tenants::list(tx, before, i64::from(most)))
        .await?)
}

/// What is to become of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantChange {
    /// Stop all its traffic until somebody lifts the freeze.
    Freeze {
        /// Why.
        reason: Option<String>,
    },
    /// Let its traffic flow again.
    Unfreeze,
    /// What a token of a model without a price is taken to cost.
    FloorPrice(Option<NanoUsd>),
    /// Whether its Policy Rules take two persons from now on.
    TwoPersonReview(bool),
}

/// Changes a tenant; doing it twice changes nothing. It takes effect with the next request, here at once and on
/// every other node within a second.
///
/// # Errors
/// [`TenantError`].
pub async fn change(
    cx: &Context,
    author: Author,
    id: TenantId,
    change: TenantChange,
) -> Result<Tenant, TenantError> {
    let (now, ids) = (cx.clock.now(), cx.ids.clone());
    let event_id = EventId::generate(cx.ids.as_ref());
    let tenant = cx
        .db
        .write(move |tx| -> Result<Tenant, TenantError> {
            let known = store::tenants::find(tx, id)?.filter(|tenant| tenant.id != TenantId::PLATFORM);
            let before = known.ok_or(TenantError::NotFound)?;
            let mut tenant = before.clone();
            match &change {
                TenantChange::Freeze { reason } => {
                    tenant.state = FreezeState::Frozen;
                    tenant.freeze_reason.clone_from(reason);
                    if before.state != FreezeState::Frozen {
                        let event = frozen(event_id, id, ("tenant", id.to_string()), now);
                        store::ops_events::insert(tx, &[event])?;
                    }
                }
                TenantChange::Unfreeze => {
                    tenant.state = FreezeState::Active;
                    tenant.freeze_reason = None;
                }
                TenantChange::FloorPrice(price) => tenant.floor_price = *price,
                TenantChange::TwoPersonReview(is_needed) => tenant.two_person_review = *is_needed,
            }
            if let Some(changed) = told::change(&before, &tenant) {
                store::tenants::update(tx, &tenant)?;
                record(tx, ids.as_ref(), &author, changed, now)?;
            }
            Ok(tenant)
        })
        .await?;
    cx.keys.forget();
    cx.identity.forget();
    Ok(tenant)
}

/// Makes a project.
///
/// # Errors
/// [`TenantError::Taken`].
pub async fn create_project(
    cx: &Context,
    tenant: TenantId,
    id: Slug,
    description: Option<String>,
) -> Result<Project, TenantError> {
    let project = Project {
        id,
        tenant,
        description,
        created_at: cx.clock.now(),
    };
    let stored = project.clone();
    cx.db
        .write(move |tx| -> Result<(), TenantError> { Ok(store::tenants::insert_project(tx, &stored)?) })
        .await?;
    Ok(project)
}

/// Projects of a tenant by name, at most `most`, behind `after`.
///
/// # Errors
/// [`TenantError::Store`].
pub async fn projects(
    cx: &Context,
    tenant: TenantId,
    after: Option<Slug>,
    most: u32,
) -> Result<Vec<Project>, TenantError> {
    Ok(cx
        .db
        .read(move |tx| store::tenants::projects_page(tx, tenant, after.as_ref(), i64::from(most)))
        .await?)
}

/// Makes an agent.
///
/// # Errors
/// [`TenantError::Taken`], [`TenantError::NoProject`].
pub async fn create_agent(
    cx: &Context,
    tenant: TenantId,
    id: Slug,
    project: Option<Slug>,
    description: Option<String>,
) -> Result<Agent, TenantError> {
    let agent = Agent {
        id,
        tenant,
        project,
        description,
        created_at: cx.clock.now(),
    };
    let stored = agent.clone();
    cx.db
        .write(move |tx| -> Result<(), TenantError> { Ok(store::tenants::insert_agent(tx, &stored)?) })
        .await?;
    Ok(agent)
}

/// Agents of a tenant by name, at most `most`, behind `after`.
///
/// # Errors
/// [`TenantError::Store`].
pub async fn agents(
    cx: &Context,
    tenant: TenantId,
    after: Option<Slug>,
    most: u32,
) -> Result<Vec<Agent>, TenantError> {
    Ok(cx
        .db
        .read(move |tx| store::tenants::agents_page(tx, tenant, after.as_ref(), i64::from(most)))
        .await?)
}

/// Makes an operator. The token is returned here and nowhere else, ever.
///
/// # Errors
/// [`TenantError::Invalid`].
pub async fn create_operator(
    cx: &Context,
    author: Author,
    name: &str,
) -> Result<(Operator, OperatorTokenSecret), TenantError> {
    let (operator, token) = new_operator(cx, name)?;
    let (stored, hash, last4) = (operator.clone(), token.hash(), token.last4().to_owned());
    let ids = cx.ids.clone();
    let write = cx.db.write(move |tx| -> Result<(), TenantError> {
        store::operators::insert(tx, &stored, &hash, &last4)?;
        let changed = told::operator_created(&stored);
        Ok(record(tx, ids.as_ref(), &author, changed, stored.created_at)?)
    });
    write.await?;
    Ok((operator, token))
}

fn new_operator(cx: &Context, name: &str) -> Result<(Operator, OperatorTokenSecret), TenantError> {
    let operator = Operator {
        id: OperatorId::generate(cx.ids.as_ref()),
        name: checked(name)?,
        created_at: cx.clock.now(),
        revoked_at: None,
    };
    Ok((operator, OperatorTokenSecret::generate(random_bytes())))
}

/// All operators with the end of their token, those who were revoked included, oldest first.
///
/// # Errors
/// [`TenantError::Store`].
pub async fn operators(cx: &Context) -> Result<Vec<(Operator, String)>, TenantError> {
    Ok(cx.db.read(|tx| store::operators::list(tx)).await?)
}

/// Revokes an operator, for ever. If none is left, the next start makes a new first one.
///
/// # Errors
/// [`TenantError::NoOperator`] if there is none of this id that has not been revoked.
pub async fn revoke_operator(cx: &Context, author: Author, id: OperatorId) -> Result<(), TenantError> {
    let (now, ids) = (cx.clock.now(), cx.ids.clone());
    let write = cx.db.write(move |tx| -> Result<(), TenantError> {
        if !store::operators::revoke(tx, id, now)? {
            return Err(TenantError::NoOperator);
        }
        let changed = told::operator_revoked(id);
        Ok(record(tx, ids.as_ref(), &author, changed, now)?)
    });
    write.await
}

/// Makes the first operator of an installation that has none; none if it has one. Of several nodes that start together
/// one makes it.
///
/// # Errors
/// [`TenantError::Store`].
pub async fn bootstrap(cx: &Context) -> Result<Option<OperatorTokenSecret>, TenantError> {
    let (operator, token) = new_operator(cx, "admin")?;
    let (hash, last4, ids) = (token.hash(), token.last4().to_owned(), cx.ids.clone());
    let author = Author::system();
    let made = cx.db.locked(move |tx| -> Result<bool, TenantError> {
        // The row of the platform stands for the installation.
        store::tenants::lock(tx, TenantId::PLATFORM)?;
        let none_yet = store::operators::count(tx)? == 0;
        if none_yet {
            store::operators::insert(tx, &operator, &hash, &last4)?;
            let changed = told::operator_created(&operator);
            record(tx, ids.as_ref(), &author, changed, operator.created_at)?;
        }
        Ok(none_yet)
    });
    Ok(made.await?.then_some(token))
}
