//! What does the process do without being asked?
//!
//! Loops that call a service now and then. A failure is logged and tried again at the next turn: a database that
//! is away for a minute must not end them.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use infra::shutdown::Shutdown;
use services::Context;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::telemetry::Metrics;

const EXPIRE_HOLDS: Duration = Duration::from_secs(1);
/// How long a message waits for its place, and then to be sent, at the most.
const PLACE_MESSAGES: Duration = Duration::from_millis(250);
const SEND_MESSAGES: Duration = Duration::from_millis(250);
const SWEEP_MESSAGES: Duration = Duration::from_mins(10);
const EXPIRE_OVERRIDES: Duration = Duration::from_secs(10);
const EXPLAIN_FAILURES: Duration = Duration::from_secs(1);
const MEASURE_FAILURES: Duration = Duration::from_secs(1);
/// What is spent is looked at as often as that: today's cost records are added up each time.
const DETECT_ANOMALIES: Duration = Duration::from_mins(15);
const EXPIRE_PROPOSALS: Duration = Duration::from_mins(1);
/// Incidents are made again from their events, so many at a turn, all of them in turn.
const REPLAY_INCIDENTS: Duration = Duration::from_secs(10);
const REPLAYED_AT_A_TURN: i64 = 100;
const ARCHIVE_INCIDENTS: Duration = Duration::from_mins(10);
const CHECK_INTEGRITY: Duration = Duration::from_mins(10);
/// Every limit is compared with its history once in so many seconds.
const INTEGRITY_AGE_SECONDS: i64 = 3_600;
const NOTE_KEY_USE: Duration = Duration::from_secs(30);
const WRITE_JOURNAL: Duration = Duration::from_secs(1);
const FORGET_SIGNATURES: Duration = Duration::from_mins(1);
const DELETE_OLD_ERRORS: Duration = Duration::from_hours(24);
const TIDY_METRICS: Duration = Duration::from_secs(5);

/// The loops that run.
pub(crate) struct Upkeep {
    loops: Vec<JoinHandle<()>>,
    cx: Context,
}

/// Starts them all; they end when the signal is given.
pub(crate) fn start(cx: &Context, metrics: &Metrics, shutdown: &Shutdown) -> Upkeep {
    let holds = cx.clone();
    let keys = cx.clone();
    let journal = cx.clone();
    let errors = cx.clone();
    let signatures = cx.clone();
    let metrics = metrics.clone();
    let mut loops = vec![
        every(EXPIRE_HOLDS, "expire_holds", shutdown, move || {
            let cx = holds.clone();
            async move {
                let expired = services::upkeep::expire_holds(&cx).await?;
                if expired > 0 {
                    metrics::counter!("plimsoll_holds_expired_total").increment(expired);
                    tracing::warn!(expired, "holds expired that nobody ended");
                }
                Ok::<_, store::StoreError>(())
            }
        }),
        every(NOTE_KEY_USE, "note_key_use", shutdown, move || {
            let cx = keys.clone();
            async move { services::upkeep::note_key_use(&cx).await }
        }),
        every(WRITE_JOURNAL, "write_journal", shutdown, move || {
            let cx = journal.clone();
            async move { services::journal::write_down(&cx).await }
        }),
        every(FORGET_SIGNATURES, "forget_signatures", shutdown, move || {
            let cx = signatures.clone();
            async move { services::principals::prune_signatures(&cx).await.map(drop) }
        }),
        every(DELETE_OLD_ERRORS, "delete_old_errors", shutdown, move || {
            let cx = errors.clone();
            async move {
                let deleted = services::upkeep::delete_old_errors(&cx).await?;
                if deleted > 0 {
                    tracing::info!(deleted, "recorded errors were old enough to go");
                }
                Ok::<_, store::StoreError>(())
            }
        }),
        every(TIDY_METRICS, "tidy_metrics", shutdown, move || {
            metrics.tidy();
            std::future::ready(Ok::<_, store::StoreError>(()))
        }),
    ];
    loops.extend(governance(cx, shutdown));
    loops.extend(messages(cx, shutdown));
    Upkeep {
        loops,
        cx: cx.clone(),
    }
}

/// The loops about what governs: Limits, Policy Rules and what they come from.
fn governance(cx: &Context, shutdown: &Shutdown) -> Vec<JoinHandle<()>> {
    let overrides = cx.clone();
    let failures = cx.clone();
    let proposals = cx.clone();
    let rates = cx.clone();
    let integrity = cx.clone();
    vec![
        anomalies(cx, shutdown),
        every(EXPIRE_OVERRIDES, "expire_overrides", shutdown, move || {
            let cx = overrides.clone();
            async move { services::limits::overrides::expire(&cx).await.map(drop) }
        }),
        every(EXPLAIN_FAILURES, "explain_failures", shutdown, move || {
            let cx = failures.clone();
            async move {
                let explained = services::incidents::failures::explain_all(&cx).await?;
                metrics::counter!("plimsoll_incidents_opened_total").increment(explained.incidents);
                metrics::counter!("plimsoll_incidents_recurred_total").increment(explained.again);
                metrics::counter!("plimsoll_policy_proposals_total").increment(explained.proposals);
                let hit = services::incidents::breaches::explain_all(&cx).await?;
                metrics::counter!("plimsoll_incidents_opened_total").increment(hit.incidents);
                metrics::counter!("plimsoll_incidents_recurred_total").increment(hit.again);
                Ok::<_, store::StoreError>(())
            }
        }),
        every(MEASURE_FAILURES, "measure_failures", shutdown, move || {
            let cx = rates.clone();
            async move {
                let (passed, over) = services::limits::failures::measure_all(&cx).await?;
                if passed > 0 || over > 0 {
                    tracing::warn!(
                        passed,
                        over,
                        "limits on the share of failed LLM Runs were passed, or are not any more"
                    );
                }
                Ok::<_, store::StoreError>(())
            }
        }),
        replaying(cx, shutdown),
        archiving(cx, shutdown),
        every(EXPIRE_PROPOSALS, "expire_proposals", shutdown, move || {
            let cx = proposals.clone();
            async move { services::proposals::expire(&cx).await.map(drop) }
        }),
        every(CHECK_INTEGRITY, "check_integrity", shutdown, move || {
            let cx = integrity.clone();
            async move {
                let (_, limits) = services::limits::integrity::check_all(&cx, INTEGRITY_AGE_SECONDS).await?;
                let (_, rules) = services::policies::integrity::check_all(&cx, INTEGRITY_AGE_SECONDS).await?;
                let broken = limits.saturating_add(rules);
                if broken > 0 {
                    metrics::counter!("plimsoll_integrity_failures_total").increment(broken);
                    tracing::error!(
                        limits,
                        rules,
                        "limits or Policy Rules do not match their histories"
                    );
                }
                Ok::<_, store::StoreError>(())
            }
        }),
    ]
}

fn anomalies(cx: &Context, shutdown: &Shutdown) -> JoinHandle<()> {
    let cx = cx.clone();
    every(DETECT_ANOMALIES, "detect_anomalies", shutdown, move || {
        let cx = cx.clone();
        async move {
            let found = services::incidents::anomalies::detect_all(&cx).await?;
            metrics::counter!("plimsoll_cost_anomalies_total").increment(found.anomalies);
            metrics::counter!("plimsoll_incidents_opened_total").increment(found.incidents);
            metrics::counter!("plimsoll_incidents_recurred_total").increment(found.again);
            Ok::<_, store::StoreError>(())
        }
    })
}

/// The loops that tell the outside what has happened.
fn messages(cx: &Context, shutdown: &Shutdown) -> Vec<JoinHandle<()>> {
    let placing = cx.clone();
    let sending = cx.clone();
    let sweeping = cx.clone();
    vec![
        every(PLACE_MESSAGES, "place_messages", shutdown, move || {
            let cx = placing.clone();
            async move {
                let placed = services::outbox::place(&cx).await;
                // Also when nothing could be placed: that is when it grows.
                let lag = services::outbox::lag_seconds(&cx).await?;
                metrics::gauge!("plimsoll_outbox_lag_seconds")
                    .set(f64::from(i32::try_from(lag).unwrap_or(i32::MAX)));
                placed.map(drop)
            }
        }),
        every(SEND_MESSAGES, "send_messages", shutdown, move || {
            let cx = sending.clone();
            async move { services::webhooks::deliver_due(&cx).await.map(drop) }
        }),
        every(SWEEP_MESSAGES, "sweep_messages", shutdown, move || {
            let cx = sweeping.clone();
            async move { services::outbox::sweep(&cx).await.map(drop) }
        }),
    ]
}

fn replaying(cx: &Context, shutdown: &Shutdown) -> JoinHandle<()> {
    let cx = cx.clone();
    every(REPLAY_INCIDENTS, "replay_incidents", shutdown, move || {
        let cx = cx.clone();
        async move {
            let turn = services::incidents::integrity::verify(&cx, REPLAYED_AT_A_TURN).await?;
            let (broken, unreadable, failed) = (turn.broken.len(), turn.unreadable.len(), turn.failed.len());
            let count = |of: usize| u64::try_from(of).unwrap_or(u64::MAX);
            let clean = turn.incidents.saturating_sub(count(broken));
            let (broken, failed) = (count(broken + unreadable), count(failed));
            for (result, count) in [("clean", clean), ("broken", broken), ("failed", failed)] {
                metrics::counter!("plimsoll_incident_replays_total", "result" => result).increment(count);
            }
            for (_, id, violations) in &turn.broken {
                tracing::error!(incident_id = %id, ?violations, "an Incident is not what its events say");
            }
            for named in &turn.unreadable {
                tracing::error!(tenant_id = ?named.tenant, incident_id = ?named.incident, "the id of an Incident is none");
            }
            for (named, error) in &turn.failed {
                tracing::error!(incident_id = %named.incident, %error, "what an Incident's events say could not be read or told");
            }
            Ok::<_, store::StoreError>(())
        }
    })
}

fn archiving(cx: &Context, shutdown: &Shutdown) -> JoinHandle<()> {
    let cx = cx.clone();
    every(ARCHIVE_INCIDENTS, "archive_incidents", shutdown, move || {
        let cx = cx.clone();
        async move {
            let archived = services::incidents::archive::archive_due(&cx).await?;
            if archived > 0 {
                tracing::info!(archived, "Incidents were closed for long enough and are archived");
            }
            Ok::<_, store::StoreError>(())
        }
    })
}

impl Upkeep {
    /// Waits for the loops, which must have been told to end, and does the rest of their work.
    pub(crate) async fn finish(self) {
        for one in self.loops {
            if let Err(error) = one.await {
                tracing::error!(%error, "an upkeep loop ended by itself");
            }
        }
        services::webhooks::finish(&self.cx).await;
        if let Err(error) = services::journal::write_down(&self.cx).await {
            tracing::warn!(%error, "what waited in the journal could not be written down");
        }
        if let Err(error) = services::upkeep::note_key_use(&self.cx).await {
            tracing::warn!(%error, "when keys were last used could not be written down");
        }
    }
}

/// Calls the handler at once and then in every period, never twice at a time.
fn every<H, F, E>(period: Duration, name: &'static str, shutdown: &Shutdown, handler: H) -> JoinHandle<()>
where
    H: FnMut() -> F + Send + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send,
{
    let (shutdown, mut handler) = (shutdown.clone(), handler);
    tokio::spawn(async move {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.triggered() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = handler().await {
                tracing::warn!(%error, name, "an upkeep task failed; it is tried again");
            }
        }
    })
}
