//! How does somebody listen to what happens?
//!
//! A stream reads the outbox behind a place, again and again, and holds one page of it at the most: who listens slowly is
//! read for slowly. Who comes back with the last place that it has seen misses nothing that is still kept.

use std::collections::VecDeque;
use std::time::Duration;

use model::key::KeyScope;
use model::outbox::Placed;
use store::StoreError;
use tokio::time::{Instant, sleep};

use super::read;
use crate::auth::{self, AuthError, TenantActor};
use crate::context::{Context, STREAMS_MAX};
use crate::seats::{Full, Seat};

/// Messages that are read at a time.
const PAGE: i64 = 100;
/// How long it takes at the most until a message that has its place is told.
const POLL: Duration = Duration::from_millis(500);
/// How long it is believed that somebody may still listen: who has lost the right to hears nothing after a second.
const ALLOWED: Duration = Duration::from_millis(500);
/// After how long a silence is broken, so that everybody between knows that somebody is there.
const SILENCE: Duration = Duration::from_secs(15);
/// How long somebody listens.
const LONGEST: Duration = Duration::from_mins(10);

/// Why nobody can listen.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// As many of the tenant listen as may.
    #[error("{STREAMS_MAX} listen already")]
    Busy,
    /// As many of all tenants listen to this process as may.
    #[error("as many listen as may")]
    Full,
    /// The database failed.
    #[error("the messages could not be read")]
    Store(#[from] StoreError),
}

/// What somebody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// What happened.
    Message(Placed),
    /// Not all can be told that was asked for: what is kept begins behind this place.
    Gap(i64),
    /// Nothing, for a while.
    Quiet,
}

/// Somebody who listens.
#[derive(Debug)]
pub struct Listening {
    cx: Context,
    actor: TenantActor,
    place: i64,
    told: VecDeque<Told>,
    allowed_until: Instant,
    ends_at: Instant,
    _seat: Seat,
}

/// Begins to listen behind a place; none for what happens from now on. It is over when the key is revoked, frozen or
/// expired, or its tenant frozen.
///
/// # Errors
/// [`StreamError`].
pub async fn listen(cx: &Context, actor: &TenantActor, after: Option<i64>) -> Result<Listening, StreamError> {
    let tenant = actor.tenant_id();
    let seat = cx.streams.take(tenant).map_err(|full| match full {
        Full::Tenant => StreamError::Busy,
        Full::All => StreamError::Full,
    })?;
    let head = read(cx, tenant, i64::MAX, 1).await?.head;
    let mut listening = Listening {
        cx: cx.clone(),
        actor: actor.clone(),
        place: after.unwrap_or(head.placed),
        told: VecDeque::new(),
        allowed_until: Instant::now() + ALLOWED,
        ends_at: Instant::now() + LONGEST,
        _seat: seat,
    };
    // A place that was never given is one of another installation.
    if listening.place > head.placed {
        listening.place = head.placed;
        listening.told.push_back(Told::Gap(head.placed));
    }
    Ok(listening)
}

impl Listening {
    /// What is told next; none when it is over.
    ///
    /// # Errors
    /// What the database says; it is over then.
    pub async fn next(&mut self) -> Result<Option<Told>, StoreError> {
        let silent_until = Instant::now() + SILENCE;
        loop {
            if !self.is_allowed().await? {
                return Ok(None);
            }
            if let Some(told) = self.told.pop_front() {
                return Ok(Some(told));
            }
            if self.cx.post.ends.is_cancelled() || Instant::now() >= self.ends_at {
                return Ok(None);
            }
            if self.turn_page().await? {
                continue;
            }
            if Instant::now() >= silent_until {
                return Ok(Some(Told::Quiet));
            }
            tokio::select! {
                () = sleep(POLL) => {}
                () = self.cx.post.ends.cancelled() => {}
            }
        }
    }

    /// Whether whoever listens still may.
    async fn is_allowed(&mut self) -> Result<bool, StoreError> {
        if Instant::now() < self.allowed_until {
            return Ok(true);
        }
        match auth::again(&self.cx, &self.actor, KeyScope::Read).await {
            Ok(()) => {
                self.allowed_until = Instant::now() + ALLOWED;
                Ok(true)
            }
            Err(AuthError::Store(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Reads on; false if there is nothing more now.
    async fn turn_page(&mut self) -> Result<bool, StoreError> {
        let page = read(&self.cx, self.actor.tenant_id(), self.place, PAGE).await?;
        if self.place < page.head.swept {
            self.told.push_back(Told::Gap(page.head.swept));
        }
        let before = self.place;
        self.place = page.up_to.max(page.head.swept);
        self.told.extend(page.told.into_iter().map(Told::Message));
        Ok(self.place > before)
    }
}
