//! How does the end of a run get into the books, also when the store fails or the hold is gone?
//!
//! The money is spent by now. So the end is tried again until it is written; a hold that has expired meanwhile
//! is settled all the same, and a hold ends once, however often its end is tried.

use domain::limits::outcome::MESSAGE_CODE;
use std::time::Duration;

use domain::settle::End;
use model::event::{OpsEvent, OpsEventType};
use model::hold::HoldStatus;
use model::id::EventId;
use model::money::NanoUsd;
use model::run::{Run, RunStatus};
use model::time::Timestamp;
use store::StoreError;
use tokio::sync::oneshot;

use super::flight::OpenHold;
use crate::context::Context;
use crate::ledger::{Answer, EndCommand, LedgerError, write_down_passed};

/// The pause before the second attempt; each one is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// About an hour. While the store is down nothing new is let in, so that only what was on its way waits here.
const ATTEMPTS: u32 = 128;

/// Ends the hold and writes the run down. Returns after the first attempt, or when that takes longer than an answer
/// may wait; a task of its own goes on trying.
pub(super) async fn close(cx: &Context, command: EndCommand, open: OpenHold) {
    let (hold, wait) = (command.hold, cx.gateway.settings.settle_wait);
    let (done, first_attempt) = oneshot::channel();
    let (cx, flights) = (cx.clone(), cx.gateway.flights.clone());
    let work = async move {
        let attempted = attempt(&cx, &command).await;
        // Whoever waited may have gone on.
        done.send(()).ok();
        if let Err(error) = attempted {
            keep_trying(&cx, &command, error).await;
        }
        drop(open);
    };
    flights.spawn(infra::correlation::capture().carry(work));
    if tokio::time::timeout(wait, first_attempt).await.is_err() {
        tracing::warn!(hold_id = %hold, "an answer goes out before it is settled, because the store is slow");
    }
}

async fn keep_trying(cx: &Context, command: &EndCommand, error: StoreError) {
    if !may_work_later(&error) {
        tracing::error!(%error, hold_id = %command.hold, "a run could not be settled; its hold will expire");
        return;
    }
    tracing::warn!(%error, hold_id = %command.hold, "a run could not be settled yet");
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        match attempt(cx, command).await {
            Ok(()) => return,
            Err(error) if may_work_later(&error) => {}
            Err(error) => {
                tracing::error!(%error, hold_id = %command.hold, "a run could not be settled; its hold will expire");
                return;
            }
        }
    }
    tracing::error!(hold_id = %command.hold, "a run could not be settled in an hour; its hold has expired");
}

async fn attempt(cx: &Context, command: &EndCommand) -> Result<(), StoreError> {
    match cx.ledger.end(command.clone()).await {
        Ok(Answer::Ended(ended)) => {
            if ended.overruns.iter().any(|overrun| *overrun > 0) {
                tracing::warn!(run_id = ?ended.hold.run, overruns = ?ended.overruns, "a provider reported more than was held");
            }
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(LedgerError::Store(error)) => Err(error),
        Err(error) => {
            // An earlier attempt was written although it seemed to fail, or there is nothing to be paid any more.
            let expected = matches!(error, LedgerError::HoldClosed(HoldStatus::Settled));
            if expected || command.end == End::Release {
                tracing::info!(%error, hold_id = %command.hold, "the hold of a run had ended before");
            } else {
                tracing::error!(%error, hold_id = %command.hold, "money was spent under a hold that is gone");
            }
            // When the hold expired it was told that the run failed.
            let told = matches!(error, LedgerError::HoldExpired);
            let mut events = command.events.clone();
            events.retain(|event| !told || event.event_type != OpsEventType::LlmCallFailed);
            write_run(cx, command, events).await
        }
    }
}

/// Writes the run down without its hold; doing it twice changes nothing.
async fn write_run(cx: &Context, command: &EndCommand, events: Vec<OpsEvent>) -> Result<(), StoreError> {
    let (command, ids) = (command.clone(), cx.ids.clone());
    let written = cx
        .db
        .write(move |tx| -> Result<(), StoreError> {
            store::runs::finish(tx, command.run.as_deref().map_or(&[], std::slice::from_ref))?;
            write_down_passed(tx, ids.as_ref(), &command)?;
            store::ops_events::insert(tx, &events)?;
            command
                .ruling
                .as_ref()
                .map_or(Ok(()), |ruling| ruling.write_down(tx))
        })
        .await;
    match written {
        Err(StoreError::Duplicate(_)) => Ok(()),
        written => written,
    }
}

/// Whether the same transaction can succeed when the store works again.
fn may_work_later(error: &StoreError) -> bool {
    match error {
        StoreError::Overloaded
        | StoreError::Unavailable(_)
        | StoreError::Connect(_)
        | StoreError::Contention(_)
        | StoreError::TimedOut(_)
        | StoreError::Full(_)
        | StoreError::Io(_)
        | StoreError::OutcomeUnknown(_)
        | StoreError::ReadOnly(_)
        | StoreError::Query(_)
        | StoreError::Panicked => true,
        StoreError::Duplicate(_)
        | StoreError::ForeignKey(_)
        | StoreError::Constraint(_)
        | StoreError::Corrupt { .. }
        | StoreError::Stopped
        | StoreError::Settings(_)
        | StoreError::Migration(_) => false,
    }
}

/// What is told about a run that has ended.
pub(super) fn events(cx: &Context, run: &Run, now: Timestamp) -> Vec<OpsEvent> {
    vec![received(cx, run, now), called(cx, run, now)]
}

fn event(
    cx: &Context,
    run: &Run,
    now: Timestamp,
    event_type: OpsEventType,
    metadata: &serde_json::Value,
) -> OpsEvent {
    OpsEvent {
        id: EventId::generate(cx.ids.as_ref()),
        at: now,
        tenant: Some(run.tenant),
        event_type,
        user_id: run.subject.end_user.clone(),
        session_id: run.subject.session_id.clone(),
        entity_type: Some("llm_call"),
        entity_id: Some(run.id.to_string()),
        severity: None,
        latency_ms: Some(now.millis_since(run.started_at)),
        cost: run.cost,
        metadata: metadata.to_string(),
    }
}

fn received(cx: &Context, run: &Run, now: Timestamp) -> OpsEvent {
    let metadata = serde_json::json!({
        "endpoint": run.operation, "method": "POST", "status_code": run.http_status,
    });
    event(cx, run, now, OpsEventType::ApiCallReceived, &metadata)
}

fn called(cx: &Context, run: &Run, now: Timestamp) -> OpsEvent {
    let usage = run.usage.unwrap_or_default();
    // What was cut off has no answer; what Policy Rules withhold has one.
    let cut_off = run.error_code.as_deref() == Some(MESSAGE_CODE);
    if run.status == RunStatus::Failed || cut_off {
        let metadata = serde_json::json!({
            "model": run.subject.model, "error_type": run.error_code, "retry_count": run.retries,
        });
        let failed = event(cx, run, now, OpsEventType::LlmCallFailed, &metadata);
        return OpsEvent {
            severity: Some(3),
            ..failed
        };
    }
    let metadata = serde_json::json!({
        "model": run.served_model.as_ref().or(run.subject.model.as_ref()),
        "tokens_in": usage.input,
        "tokens_out": usage.output,
        "cost_usd": run.cost.map(NanoUsd::to_usd_string),
    });
    event(cx, run, now, OpsEventType::LlmCallMade, &metadata)
}
