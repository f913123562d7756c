//! Which refusals are not the last word, and what is known of a request that is served something else?

use std::sync::Arc;

use domain::limits::{CheckOutput, Remedy};
use model::hold::Subject;
use model::limit::Limit;
use model::time::Timestamp;

use super::command::{HoldAnswer, HoldCommand};
use super::room::Room;

/// The answer to an attempt that waiting or a cheaper model may mend. Who is to wait stands in line when this
/// returns, before anything else is decided; for whom there is no space to stand, the refusal is the last word.
pub(super) fn provisional(
    room: &Room,
    command: &HoldCommand,
    limits: &[&Limit],
    output: &CheckOutput,
    now: Timestamp,
) -> Option<HoldAnswer> {
    let patience = command.patience.filter(|patience| !patience.last)?;
    let remedy = output.remedy()?;
    let refuses = |limit: &&&Limit| output.refusing().any(|report| report.limit == limit.id);
    let refusing: Vec<Limit> = limits
        .iter()
        .filter(refuses)
        .map(|limit| (*limit).clone())
        .collect();
    if remedy == Remedy::Wait && !room.line_up(patience.place, &refusing) {
        return None;
    }
    Some(HoldAnswer {
        decision: command.decision,
        hold: None,
        run: None,
        output: output.clone(),
        at: now,
        provisional: Some(refusing),
        bounds: Vec::new(),
        instead: command.instead.clone(),
        waited: None,
        policy: None,
    })
}

/// The subject with the model that was asked for, whatever is served.
pub(super) fn asked_for(command: &HoldCommand) -> Arc<Subject> {
    match &command.instead {
        None => Arc::clone(&command.subject),
        Some(instead) => Arc::new(Subject {
            model: Some(instead.asked_model.clone()),
            ..Subject::clone(&command.subject)
        }),
    }
}
