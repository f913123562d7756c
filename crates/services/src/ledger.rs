//! Who may spend, and what was spent?
//!
//! Every hold and every end of a hold goes through one queue per lane and is decided in a batch: load the
//! counters of all commands once, decide each in order with the engine, write everything once. The answer is
//! given after the commit.

mod apply;
mod batch;
mod cache;
mod case;
mod command;
mod facts;
mod judged;
mod late;
mod load;
mod memory;
mod moved;
mod passing;
mod passings;
mod patience;
mod room;
mod rules;
mod ruling;
mod told;
mod verify;

use std::sync::Arc;

use model::id::IdGenerator;
use model::time::Clock;
use store::{Batcher, Db};

pub(crate) use self::case::Case;
pub use self::command::{
    Answer, Born, CostFacts, EndAnswer, EndCommand, Forbidden, HoldAnswer, HoldCommand, Idempotency, Instead,
    Judged, LedgerError, NewRun, Passed, Patience, RenewCommand, Replay, Ruling, Verdict, Waited,
};
pub(crate) use self::passings::write_down_passed;
pub use self::room::RoomSettings;
pub(crate) use self::told::alerted;
pub use self::verify::{Mismatch, Verification};

use self::batch::{Batch, Lasting};
use self::command::Command;
use self::room::Room;
use crate::measure;

/// The hold ledger.
#[derive(Clone)]
pub struct Ledger {
    db: Db,
    batcher: Batcher<Command, Result<Answer, LedgerError>>,
    room: Arc<Room>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

impl Ledger {
    /// The ledger of this database.
    pub fn new(db: Db, clock: Arc<dyn Clock>, ids: Arc<dyn IdGenerator>) -> Self {
        Self::with_room(db, clock, ids, RoomSettings::default())
    }

    /// The same, where so many may wait.
    pub fn with_room(
        db: Db,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        settings: RoomSettings,
    ) -> Self {
        let room = Arc::new(Room::new(settings));
        let lasting = Lasting::in_room(Arc::clone(&room));
        let shared = db.is_shared();
        let batcher = db.batcher(Arc::new(
            move |tx: &mut store::LockTx<'_>, commands: &[Command]| {
                Batch::new(&lasting, clock.now(), ids.as_ref(), shared).run(tx, commands)
            },
        ));
        Self { db, batcher, room }
    }

    /// Where requests wait for room.
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// How many requests wait for room under a QUEUE limit, in this process.
    pub fn waiting(&self) -> usize {
        self.room.count()
    }

    /// From now on no request waits: those that do are decided upon at once.
    pub fn stop_waiting(&self) {
        self.room.close();
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
        if let Ok(Answer::Decided(decided)) = &answer
            && decided.provisional.is_none()
        {
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
        let answer = self.batcher.submit(lane, Command::End(Box::new(command))).await?;
        if let Ok(Answer::Ended(ended)) = &answer {
            self.room.freed(&ended.hold);
        }
        answer
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
