//! `plimsoll tenants`: who are the customers of the installation?

use adapters::founder::tenants::TenantView;
use anyhow::{Context as _, Result};
use model::id::TenantId;
use model::tenant::Tenant;
use serde_json::json;
use services::Context;
use services::audit::Author;
use services::tenants::TenantChange;

use super::{must_exist, with_context};
use crate::cli::Global;
use crate::output::table;

/// Tenants that are read at a time.
const STRETCH: u32 = 200;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a tenant
    Create {
        /// What people call the tenant; no two tenants share a name
        #[arg(long, value_name = "NAME")]
        name: String,
    },
    /// List all tenants, newest first
    List,
    /// Stop all traffic of a tenant, at once
    Freeze {
        /// Which tenant: its name or its id
        #[arg(value_name = "TENANT")]
        tenant: String,
        /// Why; the tenant's clients see it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let the traffic of a tenant flow again
    Unfreeze {
        /// Which tenant: its name or its id
        #[arg(value_name = "TENANT")]
        tenant: String,
    },
}

pub(crate) fn run(global: &Global, command: Command) -> Result<()> {
    if !matches!(command, Command::Create { .. }) {
        must_exist(global)?;
    }
    with_context(global, |cx| async move {
        match command {
            Command::Create { name } => {
                let made = services::tenants::create(&cx, Author::system(), &name).await;
                one(
                    global,
                    made.with_context(|| format!("the tenant {name:?} could not be made"))?,
                )
            }
            Command::List => list(global, all(&cx).await?),
            Command::Freeze { tenant, reason } => {
                change(global, &cx, &tenant, TenantChange::Freeze { reason }).await
            }
            Command::Unfreeze { tenant } => change(global, &cx, &tenant, TenantChange::Unfreeze).await,
        }
    })
}

/// The tenant of this name or id.
pub(super) async fn named(cx: &Context, name_or_id: &str) -> Result<Tenant> {
    let found = match name_or_id.parse::<TenantId>() {
        Ok(id) => services::tenants::get(cx, id).await,
        Err(_a_name) => services::tenants::by_name(cx, name_or_id).await,
    };
    found.with_context(|| format!("the tenant {name_or_id:?} could not be found"))
}

async fn change(global: &Global, cx: &Context, name_or_id: &str, change: TenantChange) -> Result<()> {
    let tenant = named(cx, name_or_id).await?;
    let changed = services::tenants::change(cx, Author::system(), tenant.id, change).await;
    one(
        global,
        changed.with_context(|| format!("the tenant {name_or_id:?} could not be changed"))?,
    )
}

async fn all(cx: &Context) -> Result<Vec<Tenant>> {
    let mut all: Vec<Tenant> = Vec::new();
    loop {
        let before = all.last().map(|tenant| tenant.id);
        let stretch = services::tenants::list(cx, before, STRETCH).await?;
        if stretch.is_empty() {
            return Ok(all);
        }
        all.extend(stretch);
    }
}

fn one(global: &Global, tenant: Tenant) -> Result<()> {
    let view = TenantView::from(tenant);
    global
        .format()
        .result(&view, || rows(std::slice::from_ref(&view)))
}

fn list(global: &Global, tenants: Vec<Tenant>) -> Result<()> {
    let views: Vec<TenantView> = tenants.into_iter().map(Into::into).collect();
    let json = json!({"items": views});
    global
        .format()
        .list(&json, views.is_empty(), "no tenants yet", || rows(&views))
}

fn rows(views: &[TenantView]) -> String {
    let row = |view: &TenantView| {
        let reason = view.freeze_reason.clone().unwrap_or_default();
        [
            view.tenant_id.clone(),
            view.status.to_owned(),
            view.created_at.to_string(),
            view.name.clone(),
            reason,
        ]
    };
    table(
        ["TENANT", "STATUS", "MADE", "NAME", "REASON"],
        &views.iter().map(row).collect::<Vec<_>>(),
    )
}
