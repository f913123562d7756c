//! What is written of what Policy Rules said about an answer?

use model::decision::DecisionSnapshot;
use model::event::OpsEvent;
use store::{StoreResult, Writes};

use super::judged::Ruled;

/// What Policy Rules said about an answer, as it is written when the LLM Run ends. Its ids are given, so that it is written
/// once however often that is tried.
#[derive(Debug, Clone)]
pub struct Ruling {
    pub(crate) decision: DecisionSnapshot,
    pub(crate) ruled: Ruled,
    pub(crate) events: Vec<OpsEvent>,
}

impl Ruling {
    /// Writes it down without the ledger.
    pub(crate) fn write_down(&self, tx: &mut impl Writes) -> StoreResult<()> {
        store::decisions::insert(tx, std::slice::from_ref(&self.decision))?;
        store::ops_events::insert(tx, &self.events)?;
        self.ruled.write_down(tx)
    }
}
