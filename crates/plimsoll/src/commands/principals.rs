//! `plimsoll principals`: who signs requests about Incidents, and who no longer?

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use model::id::{PrincipalId, Slug};
use model::principal::{AccessKey, AccessKeyId, Principal, PrincipalRole};
use serde_json::{Value, json};
use services::Context;
use services::audit::Author;
use services::principals::{Issued, NewPrincipal};

use super::tenants::named;
use super::{must_exist, with_context};
use crate::cli::Global;
use crate::output::table;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a principal and show the secret of its access key, once
    Create {
        /// Whose principal: the tenant's name or id
        #[arg(long, value_name = "TENANT")]
        tenant: String,
        /// What people and records call it, for ever: letters, digits, `.`, `_` and `-`
        #[arg(long, value_name = "NAME")]
        name: Slug,
        /// What it may do and claim
        #[arg(
            long,
            value_enum,
            ignore_case = true,
            value_delimiter = ',',
            required = true,
            value_name = "ROLES"
        )]
        roles: Vec<Role>,
    },
    /// List the principals of a tenant and their access keys, oldest first
    List {
        /// Whose principals: the tenant's name or id
        #[arg(long, value_name = "TENANT")]
        tenant: String,
    },
    /// Make another access key and show its secret, once; the one that is there works until it is revoked
    Rotate(Which),
    /// Revoke a principal with all its access keys, or one of them, for ever
    Revoke {
        #[command(flatten)]
        which: Which,
        /// Only this access key, `PLIM…`
        #[arg(long, value_name = "ACCESS_KEY_ID")]
        access_key: Option<AccessKeyId>,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Whose principal: the tenant's name or id
    #[arg(long, value_name = "TENANT")]
    tenant: String,
    /// The principal's id, `prn_…`
    #[arg(value_name = "PRINCIPAL")]
    principal: PrincipalId,
}

/// What a principal is for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    /// Read Incidents
    Reader,
    /// Read and open Incidents, as `HUMAN_OPERATOR`
    Creator,
    /// Read, open and change Incidents, as `HUMAN_OPERATOR`
    Operator,
    /// The same as `ON_CALL_SRE`
    Sre,
    /// A program that acts as `AUTO_ENGINE`
    Service,
    /// The same as `EMERGENCY_OVERRIDE`, with a justification each time
    BreakGlass,
}

impl From<Role> for PrincipalRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Reader => Self::Reader,
            Role::Creator => Self::Creator,
            Role::Operator => Self::Operator,
            Role::Sre => Self::Sre,
            Role::Service => Self::Service,
            Role::BreakGlass => Self::BreakGlass,
        }
    }
}

pub(crate) fn run(global: &Global, command: Command) -> Result<()> {
    must_exist(global)?;
    with_context(global, |cx| async move {
        match command {
            Command::Create { tenant, name, roles } => create(global, &cx, &tenant, name, roles).await,
            Command::List { tenant } => list(global, &cx, &tenant).await,
            Command::Rotate(which) => rotate(global, &cx, &which).await,
            Command::Revoke { which, access_key } => revoke(global, &cx, &which, access_key).await,
        }
    })
}

async fn create(global: &Global, cx: &Context, tenant: &str, name: Slug, roles: Vec<Role>) -> Result<()> {
    let tenant = named(cx, tenant).await?;
    let roles = roles.into_iter().map(Into::into).collect();
    let new = NewPrincipal { name, roles };
    let made = services::principals::create(cx, tenant.id, Author::system(), new).await;
    show(global, &made.context("the principal could not be made")?)
}

async fn rotate(global: &Global, cx: &Context, which: &Which) -> Result<()> {
    let tenant = named(cx, &which.tenant).await?;
    let made = services::principals::rotate(cx, tenant.id, Author::system(), which.principal).await;
    let refused = || format!("the principal {} could not be given a key", which.principal);
    show(global, &made.with_context(refused)?)
}

/// Shows a key that was just made, with its secret.
fn show(global: &Global, issued: &Issued) -> Result<()> {
    let mut json = view(&issued.principal, std::slice::from_ref(&issued.key));
    if let Value::Object(members) = &mut json {
        members.insert("access_key_id".to_owned(), issued.key.id.to_string().into());
        members.insert("secret_access_key".to_owned(), issued.secret.expose().into());
    }
    global.format().result(&json, || {
        format!(
            "{}\nThis is the secret of the access key {}; it is not shown again:\n\n  {}\n\n",
            rows(&[(issued.principal.clone(), vec![issued.key.clone()])]),
            issued.key.id,
            issued.secret.expose()
        )
    })
}

async fn list(global: &Global, cx: &Context, tenant: &str) -> Result<()> {
    let tenant = named(cx, tenant).await?;
    let known = services::principals::list(cx, tenant.id).await;
    let known = known.context("the principals could not be read")?;
    let json: Vec<Value> = known
        .iter()
        .map(|(principal, keys)| view(principal, keys))
        .collect();
    let nothing = format!("no principals of {} yet", tenant.name);
    global
        .format()
        .list(&json, known.is_empty(), &nothing, || rows(&known))
}

async fn revoke(global: &Global, cx: &Context, which: &Which, key: Option<AccessKeyId>) -> Result<()> {
    let tenant = named(cx, &which.tenant).await?;
    let id = which.principal;
    let revoked = match key {
        None => services::principals::revoke(cx, tenant.id, Author::system(), id).await,
        Some(key) => services::principals::revoke_key(cx, (tenant.id, id), Author::system(), key).await,
    };
    let principal = revoked.with_context(|| match key {
        None => format!("the principal {id} could not be revoked"),
        Some(key) => format!("the access key {key} of {id} could not be revoked"),
    })?;
    let json = json!({
        "principal_id": id, "access_key_id": key.map(|key| key.to_string()), "revoked": true,
    });
    global.format().result(&json, || match key {
        None => format!("{} and its access keys work no more.\n", principal.name),
        Some(key) => format!("The access key {key} of {} works no more.\n", principal.name),
    })
}

fn view(principal: &Principal, keys: &[AccessKey]) -> Value {
    let key = |key: &AccessKey| {
        json!({
            "access_key_id": key.id.to_string(), "secret_last4": key.last4,
            "created_at": key.created_at, "revoked_at": key.revoked_at,
        })
    };
    json!({
        "principal_id": principal.id, "name": principal.name, "arn": principal.arn(), "roles": principal.roles,
        "created_at": principal.created_at, "revoked_at": principal.revoked_at,
        "access_keys": keys.iter().map(key).collect::<Vec<_>>(),
    })
}

/// A line for each access key, and one for a principal that has none.
fn rows(known: &[(Principal, Vec<AccessKey>)]) -> String {
    let row = |principal: &Principal, key: Option<&AccessKey>| {
        let roles: Vec<&str> = principal.roles.iter().map(|role| role.as_str()).collect();
        let revoked = key.map_or(principal.revoked_at, |key| key.revoked_at);
        [
            principal.id.to_string(),
            principal.name.to_string(),
            roles.join(","),
            key.map(|key| key.id.to_string()).unwrap_or_default(),
            key.map(|key| format!("…{}", key.last4)).unwrap_or_default(),
            key.map_or(principal.created_at, |key| key.created_at).to_string(),
            revoked.map(|at| at.to_string()).unwrap_or_default(),
        ]
    };
    let lines = known.iter().flat_map(|(principal, keys)| {
        let without = keys.is_empty().then_some(None);
        let keys = keys.iter().map(Some).chain(without);
        keys.map(|key| row(principal, key)).collect::<Vec<_>>()
    });
    table(
        [
            "PRINCIPAL",
            "NAME",
            "ROLES",
            "ACCESS KEY",
            "SECRET",
            "CREATED",
            "REVOKED",
        ],
        &lines.collect::<Vec<_>>(),
    )
}
