//! What have the Policy Rules said of an answer?

use domain::policy::Judgement;
use model::decision::Outcome;
use model::id::{DecisionId, RunId};
use model::policy::Stage;

use crate::ledger::{Forbidden, Verdict};

/// What the rules said of an answer.
#[derive(Debug, Clone)]
pub(super) struct Ruled {
    pub(super) decision: DecisionId,
    pub(super) judgement: Judgement,
    /// None if there is nothing to be written down.
    pub(super) verdict: Option<Verdict>,
}

impl Ruled {
    pub(super) fn withholds(&self) -> bool {
        self.judgement.outcome == Outcome::Block
    }

    /// What the client is told whose answer is withheld.
    pub(super) fn forbidden(&self, run: RunId) -> Forbidden {
        Forbidden {
            stage: Stage::Output,
            decision: self.decision,
            run,
            judgement: self.judgement.clone(),
        }
    }
}
