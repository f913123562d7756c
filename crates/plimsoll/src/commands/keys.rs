//! `plimsoll keys`: who may call, and who no longer?

use adapters::customer::keys::{KeyListView, KeyView, NewKeyView};
use anyhow::{Context as _, Result};
use clap::ValueEnum;
use model::id::KeyId;
use model::key::KeyScope;
use services::Context;
use services::audit::Author;
use services::keys::{KeyChange, Maker, NewKey};

use super::tenants::named;
use super::{must_exist, with_context};
use crate::cli::Global;
use crate::output::table;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key and show its secret, once
    Create(Create),
    /// List the keys of a tenant, newest first
    List {
        /// Whose keys: the tenant's name or id
        #[arg(long, value_name = "TENANT")]
        tenant: String,
    },
    /// Make a key useless for ever
    Revoke(Which),
    /// Stop the traffic of a key, at once
    Freeze {
        #[command(flatten)]
        which: Which,
        /// Why; the key's clients see it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let the traffic of a key flow again
    Unfreeze(Which),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// Whose key: the tenant's name or id
    #[arg(long, value_name = "TENANT")]
    tenant: String,
    /// What people call the key
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What the key may be used for
    #[arg(long, value_enum, ignore_case = true, value_delimiter = ',', default_values_t = [Scope::Llm, Scope::Read], value_name = "SCOPES")]
    scopes: Vec<Scope>,
    /// At most this many requests in any minute
    #[arg(long, value_name = "N")]
    rpm: Option<u32>,
    /// After how many days it stops working; never, if not stated
    #[arg(long, value_name = "DAYS")]
    expires_in_days: Option<u32>,
    /// Insist on a `plim_test_` key: only an installation whose server.environment is test takes it
    #[arg(long)]
    test: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Whose key: the tenant's name or id
    #[arg(long, value_name = "TENANT")]
    tenant: String,
    /// The key's id, `key_…`
    #[arg(value_name = "KEY")]
    key: KeyId,
}

/// What a key may be used for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Scope {
    /// Call models through the gateway, and hold and settle
    Llm,
    /// Read runs, costs, limits and keys
    Read,
    /// Change limits, projects, agents and keys
    Manage,
}

impl From<Scope> for KeyScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Llm => Self::Llm,
            Scope::Read => Self::Read,
            Scope::Manage => Self::Manage,
        }
    }
}

pub(crate) fn run(global: &Global, command: Command) -> Result<()> {
    must_exist(global)?;
    with_context(global, |cx| async move {
        match command {
            Command::Create(wanted) => create(global, &cx, wanted).await,
            Command::List { tenant } => list(global, &cx, &tenant).await,
            Command::Revoke(which) => change(global, &cx, &which, KeyChange::Revoke).await,
            Command::Freeze { which, reason } => {
                change(global, &cx, &which, KeyChange::Freeze { reason }).await
            }
            Command::Unfreeze(which) => change(global, &cx, &which, KeyChange::Unfreeze).await,
        }
    })
}

async fn create(global: &Global, cx: &Context, wanted: Create) -> Result<()> {
    let tenant = named(cx, &wanted.tenant).await?;
    let new = NewKey {
        name: wanted.name,
        live: !wanted.test && cx.takes_live_keys(),
        scopes: wanted.scopes.into_iter().map(Into::into).collect(),
        rpm: wanted.rpm,
        expires_in_days: wanted.expires_in_days,
    };
    let made = services::keys::create(cx, tenant.id, Maker::operator(Author::system()), new).await;
    let (key, secret) = made.context("the key could not be made")?;
    let view = NewKeyView {
        key: KeyView::of(key, cx.clock.now()),
        secret: Some(secret.expose().to_owned()),
    };
    global.format().result(&view, || {
        let rows = rows(std::slice::from_ref(&view.key));
        format!(
            "{rows}\nThis is the key; it is not shown again:\n\n  {}\n\n",
            secret.expose()
        )
    })
}

async fn list(global: &Global, cx: &Context, tenant: &str) -> Result<()> {
    let tenant = named(cx, tenant).await?;
    let now = cx.clock.now();
    let keys = services::keys::list(cx, tenant.id).await?;
    let view = KeyListView {
        items: keys.into_iter().map(|key| KeyView::of(key, now)).collect(),
        has_more: false,
        next_cursor: None,
    };
    let nothing = format!("no keys of {} yet", tenant.name);
    global
        .format()
        .list(&view, view.items.is_empty(), &nothing, || rows(&view.items))
}

async fn change(global: &Global, cx: &Context, which: &Which, change: KeyChange) -> Result<()> {
    let tenant = named(cx, &which.tenant).await?;
    let changed = services::keys::change(cx, tenant.id, Author::system(), which.key, change).await;
    let key = changed.with_context(|| format!("the key {} could not be changed", which.key))?;
    let view = KeyView::of(key, cx.clock.now());
    global
        .format()
        .result(&view, || rows(std::slice::from_ref(&view)))
}

fn rows(views: &[KeyView]) -> String {
    let row = |view: &KeyView| {
        [
            view.api_key_id.clone(),
            view.status.to_owned(),
            format!("plim_{}_…{}", view.environment, view.last4),
            view.scopes.join(","),
            view.rate_limit_rpm.map(|rpm| rpm.to_string()).unwrap_or_default(),
            view.expires_at.map(|at| at.to_string()).unwrap_or_default(),
            view.last_used_at.map(|at| at.to_string()).unwrap_or_default(),
            view.name.clone(),
        ]
    };
    let headings = [
        "KEY",
        "STATUS",
        "SECRET",
        "SCOPES",
        "RPM",
        "EXPIRES",
        "LAST USED",
        "NAME",
    ];
    table(headings, &views.iter().map(row).collect::<Vec<_>>())
}
