//! What has to be done now and then?

use domain::settle::{Authority, End};
use store::StoreError;

use crate::context::Context;
use crate::ledger::{Answer, EndCommand, LedgerError, RenewCommand};

/// Holds that are expired at a time.
const EXPIRE_MOST: i64 = 500;
/// Holds that are renewed at a time.
const RENEW_MOST: usize = 500;

/// How long before its end a hold is renewed at the latest, in milliseconds; long-lived ones at half of their time.
/// Several turns of the loop that renews fit into it.
const RENEW_BEFORE_MS: i64 = 5_000;

/// Lets the holds live on under which requests of this process are on their way. One that cannot be renewed now is tried
/// again at the next turn.
async fn renew_holds(cx: &Context) {
    let (flights, ttl_ms) = (&cx.gateway.flights, cx.gateway.settings.hold_ttl_ms);
    let soon = cx.clock.now().plus_millis(RENEW_BEFORE_MS.max(ttl_ms / 2));
    let due = flights.expiring(soon);
    // Not all at once: what waits in the queue of the ledger is bounded.
    for due in due.chunks(RENEW_MOST) {
        let renewals = due.iter().map(|(tenant, hold)| {
            cx.ledger.renew(RenewCommand {
                tenant: *tenant,
                hold: *hold,
                ttl_ms,
            })
        });
        let renewed = futures_util::future::join_all(renewals).await;
        for (name, answer) in due.iter().zip(renewed) {
            match answer {
                Ok(Answer::Renewed(hold)) => flights.renewed(*name, hold.expires_at),
                Err(LedgerError::Store(error)) => {
                    tracing::warn!(%error, hold_id = %name.1, "the hold of a call could not be renewed yet");
                }
                // It has just ended, or another process saw nobody renew it in time.
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// Ends every hold whose time is over, with the run that was made under it, and says how many there were. A hold under
/// which a request of this process is on its way is renewed instead: its money may still be spent.
///
/// # Errors
/// What the database says.
pub async fn expire_holds(cx: &Context) -> Result<u64, StoreError> {
    let (mut expired, mut after) = (0, None);
    loop {
        renew_holds(cx).await;
        let now = cx.clock.now();
        let due = cx
            .db
            .read(move |tx| store::holds::overdue(tx, now, after, EXPIRE_MOST))
            .await?;
        let is_last = i64::try_from(due.len()).is_ok_and(|found| found < EXPIRE_MOST);
        after = due.last().copied();
        let due = due.into_iter().map(|overdue| (overdue.tenant, overdue.id));
        // A call of this process is on its way, whether its hold could be renewed or not.
        let left = due.filter(|name| !cx.gateway.flights.keeps(*name));
        let ends = left.map(|(tenant, hold)| {
            cx.ledger.end(EndCommand {
                tenant,
                hold,
                end: End::Expire,
                authority: Authority::Gateway,
                key: None,
                cost: None,
                run: None,
                events: Vec::new(),
                passed: Vec::new(),
                ruling: None,
                idempotency: None,
            })
        });
        for end in futures_util::future::join_all(ends).await {
            match end {
                Ok(_) => expired += 1,
                Err(LedgerError::Store(error)) => return Err(error),
                // Somebody else ended it meanwhile.
                Err(_) => {}
            }
        }
        if is_last {
            return Ok(expired);
        }
    }
}

/// How long recorded errors are kept.
pub const ERROR_RETENTION_DAYS: i64 = 90;

/// Deletes recorded errors that are older than [`ERROR_RETENTION_DAYS`], and says how many there were.
///
/// # Errors
/// What the database says.
pub async fn delete_old_errors(cx: &Context) -> Result<usize, StoreError> {
    let cutoff = cx.clock.now().plus_seconds(-ERROR_RETENTION_DAYS * 86_400);
    cx.db
        .write(move |tx| store::retention::delete_infra_errors_before(tx, cutoff))
        .await
}

/// Writes down when keys were last used.
///
/// # Errors
/// What the database says.
pub async fn note_key_use(cx: &Context) -> Result<(), StoreError> {
    let used = cx.keys.take_used();
    if used.is_empty() {
        return Ok(());
    }
    cx.db.write(move |tx| store::keys::touch(tx, &used)).await
}

/// One thing that has to work before traffic may come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadinessCheck {
    /// What is checked.
    pub name: &'static str,
    /// Whether it works.
    pub ok: bool,
    /// What is wrong, in words that hold no secret.
    pub detail: Option<String>,
}

/// Whether the database can be read and written, and whether there is a provider to call.
pub async fn readiness(cx: &Context) -> Vec<ReadinessCheck> {
    let check = |name, result: Result<(), StoreError>| ReadinessCheck {
        name,
        ok: result.is_ok(),
        detail: result.err().map(|error| error.to_string()),
    };
    let read = cx.db.read(|tx| store::operators::count(tx)).await.map(|_| ());
    let write = cx.db.write(|tx| store::operators::count(tx)).await.map(|_| ());
    let providers = !cx.gateway.upstreams.upstreams().is_empty();
    vec![
        check("database_read", read),
        check("database_write", write),
        ReadinessCheck {
            name: "providers",
            ok: true,
            detail: (!providers).then(|| "no provider is configured; LLM routes answer 404".to_owned()),
        },
    ]
}
