//! `plimsoll operators`: who runs the installation?

use anyhow::{Context as _, Result};
use model::id::OperatorId;
use model::tenant::Operator;
use serde_json::json;
use services::Context;
use services::audit::Author;

use super::{must_exist, with_context};
use crate::cli::Global;
use crate::output::table;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make an operator and show the token, once
    Create {
        /// What people call the operator
        #[arg(long, value_name = "NAME")]
        name: String,
    },
    /// List all operators, oldest first
    List,
    /// Revoke the token of an operator, for ever; if none is left, the next start makes a new first one
    Revoke {
        /// Which operator
        #[arg(value_name = "OPERATOR_ID")]
        operator: OperatorId,
    },
}

pub(crate) fn run(global: &Global, command: Command) -> Result<()> {
    if !matches!(command, Command::Create { .. }) {
        must_exist(global)?;
    }
    with_context(global, |cx| async move {
        match command {
            Command::Create { name } => create(global, &cx, &name).await,
            Command::List => list(global, &cx).await,
            Command::Revoke { operator } => {
                let revoked = services::tenants::revoke_operator(&cx, Author::system(), operator).await;
                revoked.with_context(|| format!("the operator {operator} could not be revoked"))?;
                let json = json!({"operator_id": operator, "revoked": true});
                global
                    .format()
                    .result(&json, || format!("The token of {operator} works no more.\n"))
            }
        }
    })
}

async fn list(global: &Global, cx: &Context) -> Result<()> {
    let known = services::tenants::operators(cx).await;
    let known = known.context("the operators could not be read")?;
    let json: Vec<_> = known
        .iter()
        .map(|(operator, last4)| {
            json!({
                "operator_id": operator.id, "name": operator.name, "token_last4": last4,
                "created_at": operator.created_at, "revoked_at": operator.revoked_at,
            })
        })
        .collect();
    let row = |(operator, last4): &(Operator, String)| {
        [
            operator.id.to_string(),
            operator.name.clone(),
            format!("…{last4}"),
            operator.created_at.to_string(),
            operator.revoked_at.map(|at| at.to_string()).unwrap_or_default(),
        ]
    };
    global
        .format()
        .list(&json, known.is_empty(), "There are no operators yet.", || {
            table(
                ["ID", "NAME", "TOKEN", "CREATED", "REVOKED"],
                &known.iter().map(row).collect::<Vec<_>>(),
            )
        })
}

async fn create(global: &Global, cx: &Context, name: &str) -> Result<()> {
    let made = services::tenants::create_operator(cx, Author::system(), name).await;
    let (operator, token) = made.context("the operator could not be made")?;
    let json = json!({
        "operator_id": operator.id,
        "name": operator.name,
        "created_at": operator.created_at,
        "token": token.expose(),
    });
    global.format().result(&json, || {
        format!(
            "Operator {} ({}). This is the token; it is not shown again:\n\n  {}\n\n",
            operator.name,
            operator.id,
            token.expose()
        )
    })
}
