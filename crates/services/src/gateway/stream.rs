//! How does an answer reach its client while it is made?

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use domain::limits::outcome::{RunOutcome, reports};
use domain::policy::outcome;
use http::StatusCode;
use model::time::Timestamp;
use workers::upstream::UpstreamResponse;
use workers::upstream::pump::{Farewell, Pump, PumpEnd, PumpHow, PumpLimits, Sieve};
use workers::upstream::tap::UsageTap;

use super::end::Ticket;
use super::ending::Ending;
use super::failures::OnRecord;
use super::output::{Asking, Watch};
use super::ruled::Ruled;
use super::sift::Sift;
use super::thresholds::Cuts;
use super::{GatewayError, Served, ServedBody};
use crate::context::Context;
use crate::journal;
use crate::ledger::{Forbidden, HoldAnswer};

/// Chunks of a streamed answer that may wait for the client.
const QUEUE_CHUNKS: usize = 64;

/// The rules that look at a stream, and what they have seen of it.
struct Watched {
    watch: Arc<Watch>,
    sift: Arc<Mutex<Sift>>,
    began: Timestamp,
    /// Why the client does not get the rest, when it does not.
    withheld: Arc<OnceLock<Forbidden>>,
}

pub(super) async fn streamed(
    cx: Context,
    ticket: Ticket,
    mut answer: HoldAnswer,
    response: UpstreamResponse,
    (tap, cuts, watch): (UsageTap, Cuts, Option<Watch>),
) -> Result<Served, GatewayError> {
    let run = ticket.run.id;
    let (status, retries) = (response.status, response.retries);
    let began = cx.clock.now();
    if let Some(ruled) = watch
        .as_ref()
        .and_then(|watch| watch.beforehand(cx.ids.as_ref(), began))
    {
        // Nobody will know what it used.
        drop(response.body);
        let forbidden = ruled.forbidden(run);
        let ending =
            Ending::unheard(status, retries, response.sent_at.elapsed()).ruled(ruled, StatusCode::FORBIDDEN);
        ticket.end(&cx, ending).await;
        return Err(GatewayError::Forbidden(Box::new(forbidden)));
    }
    let passed = reports(&ticket.bounds, RunOutcome::begun(retries));
    answer.output.warnings.extend(passed);
    let watched = watch.map(|watch| Watched::new(watch, &ticket, response.is_readable(), began));
    let withheld = watched.as_ref().map(|watched| Arc::clone(&watched.withheld));
    let settings = &cx.gateway.settings;
    let pump = Pump {
        body: response.body,
        tap,
        sieve: watched.as_ref().map(Watched::sieve),
        sent_at: response.sent_at,
        limits: PumpLimits {
            queue_chunks: QUEUE_CHUNKS,
            stall_timeout: settings.stall_timeout,
            drain_timeout: settings.drain_timeout,
            until: cuts.end,
        },
    };
    let correlation = infra::correlation::capture();
    let token = cx.gateway.flights.token();
    let (stream, _task) = pump.spawn(move |end| {
        correlation.carry(async move {
            if let PumpHow::UpstreamBroken(error) = &end.how {
                journal::provider_failed(&cx, &ticket.run, error);
            }
            let mut ending = Ending::streamed(&end, status, retries);
            let mut farewell = Farewell::Plain;
            if let Some(watched) = &watched {
                let ruled = watched.judge(&cx, &ticket, &ending).await;
                farewell = watched.farewell(&ticket, &end, &ruled);
                ending = ending.ruled(ruled, status);
            }
            ticket.end(&cx, ending).await;
            drop(token);
            farewell
        })
    });
    Ok(Served {
        status,
        headers: response.headers,
        body: ServedBody::Stream(stream),
        run,
        decision: answer.decision,
        cost: None,
        answer: Box::new(answer),
        withheld,
    })
}

impl Watched {
    fn new(watch: Watch, ticket: &Ticket, readable: bool, began: Timestamp) -> Self {
        let watch = Arc::new(watch);
        let mut sift = watch.sift(ticket.run.operation, began);
        if !readable {
            sift.cannot_read();
        }
        Self {
            sift: Arc::new(Mutex::new(sift)),
            watch,
            began,
            withheld: Arc::default(),
        }
    }

    fn sieve(&self) -> Sieve {
        let sift = Arc::clone(&self.sift);
        Sieve::new(move |came| sift.lock().unwrap_or_else(PoisonError::into_inner).take(came))
    }

    /// What the rules say of all of it.
    async fn judge(&self, cx: &Context, ticket: &Ticket, ending: &Ending) -> Ruled {
        let failure = self.watch.failure(cx, &ticket.run, ending).await;
        let found = self
            .sift
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .found()
            .clone();
        let asking = Asking {
            // By the clock of what ended it, if something did.
            at: self.began,
            found: &found,
            streamed: true,
            failure: failure.as_ref().map(OnRecord::context),
        };
        self.watch.judge(cx.ids.as_ref(), asking)
    }

    /// What the client is told at the end: why it does not get the rest, or what was found.
    fn farewell(&self, ticket: &Ticket, end: &PumpEnd, ruled: &Ruled) -> Farewell {
        if ruled.withholds() {
            // It is set once, here.
            self.withheld.set(ruled.forbidden(ticket.run.id)).ok();
            return match end.how {
                PumpHow::Withheld => Farewell::Plain,
                _ => Farewell::Withhold,
            };
        }
        let between = self
            .sift
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_between_events();
        if ruled.verdict.is_none() || !between {
            return Farewell::Plain;
        }
        let said = outcome::header(&ruled.judgement);
        Farewell::Note(Bytes::from(format!(": x-plimsoll-policy-outcome: {said}\n\n")))
    }
}
