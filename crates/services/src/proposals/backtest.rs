//! What would the Policy Rule have done that a proposal wants?

use model::id::ProposalId;

use super::ProposalError;
use crate::context::Context;
use crate::history::Stretch;
use crate::policies::{self, Backtested};

/// Judges the recorded runs of a tenant by what a proposal wants a rule to say. Nothing is written.
///
/// # Errors
/// [`ProposalError::NotFound`], [`ProposalError::NothingToTry`], and what [`policies::backtest`] says.
pub async fn backtest(cx: &Context, id: ProposalId, stretch: Stretch) -> Result<Backtested, ProposalError> {
    let tenant = stretch.tenant;
    let proposal = cx
        .db
        .read(move |tx| store::proposals::find(tx, tenant, id))
        .await?
        .ok_or(ProposalError::NotFound)?;
    let definition = proposal.definition.ok_or(ProposalError::NothingToTry)?;
    Ok(policies::backtest(cx, definition, stretch).await?)
}
