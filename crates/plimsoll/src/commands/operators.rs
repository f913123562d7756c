//! `plimsoll operators`: who runs the installation?

use anyhow::{Context as _, Result};
use serde_json::json;

use super::with_context;
use crate::cli::Global;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make an operator and show the token, once
    Create {
        /// What people call the operator
        #[arg(long, value_name = "NAME")]
        name: String,
    },
}

pub(crate) fn run(global: &Global, command: Command) -> Result<()> {
    let Command::Create { name } = command;
    with_context(global, |cx| async move {
        let made = services::tenants::create_operator(&cx, &name).await;
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
    })
}
