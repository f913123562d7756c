//! Who may spend, and what was spent?
//!
//! Every hold and every end of a hold goes through one queue per lane and is decided in a batch: load the
//! counters of all commands once, decide each in order with the engine, write everything once. The answer is
//! given after the commit.

mod apply;
mod batch;
mod cache;
mod command;
mod late;
mod load;
mod memory;
mod moved;
mod rules;
mod verify;

use std::sync::Arc;

use model::id::IdGenerator;
use model::time::Clock;
use store::{Batcher, Db};

pub use self::command::{
    Answer, Born, CostFacts, EndAnswer, EndCommand, Forbidden, HoldAnswer, HoldCommand, Idempotency, Judged,
    LedgerError, NewRun, RenewCommand, Replay, Verdict,
};
pub use self::verify::{Mismatch, Verification};

use self::batch::{Batch, Lasting};
use self::command::Command;
use crate::measure;

/// The hold ledger.
#[derive(Clone)]
pub struct Ledger {
    db: Db,
    batcher: Batcher<Command, Result<Answer, LedgerError>>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

impl Ledger {
    /// The ledger of this database.
    pub fn new(db: Db, clock: Arc<dyn Clock>, ids: Arc<dyn IdGenerator>) -> Self {
        let lasting = Lasting::default();
        let shared = db.is_shared();
        let batcher = db.batcher(Arc::new(
            move |tx: &mut store::LockTx<'_>, commands: &[Command]| {
                Batch::new(&lasting, clock.now(), ids.as_ref(), shared).run(tx, commands)
            },
        ));
        Self { db, batcher }
    }

    /// Decides about a request and, if it may run, holds its amounts on every limit that applies.
    ///
    /// # Errors
    /// [`LedgerError`]; a refusal by a limit is an answer, not an error.
    pub async fn hold(&self, command: HoldCommand) -> Result<Answer, LedgerError> {
        let lane = command.tenant.bits();
        let answer = self
            .batcher
            .submit(lane, Command::Hold(Box::new(command)))
            .await?;
        if let Ok(Answer::Decided(decided)) = &answer {
            measure::decided(decided.output.outcome);
        }
        answer
    }

    /// Ends a hold: settles, releases or expires it.
    ///
    /// # Errors
    /// [`LedgerError`] says how it has ended before, or why it cannot end like this.
    pub async fn end(&self, command: EndCommand) -> Result<Answer, LedgerError> {
        let lane = command.tenant.bits();
        self.batcher.submit(lane, Command::End(Box::new(command))).await?
    }

    /// Lets an open hold live on.
    ///
    /// # Errors
    /// [`LedgerError`] says how it has ended.
    pub async fn renew(&self, command: RenewCommand) -> Result<Answer, LedgerError> {
        let lane = command.tenant.bits();
        self.batcher.submit(lane, Command::Renew(command)).await?
    }
}
