//! Who reads a provider's answer to its end when the client may leave at any time?
//!
//! A task of its own does. The client gets its bytes over a short queue; when the client is gone the task
//! reads on for a while, because what the provider says about usage comes last.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::error::UpstreamError;
use super::response::UpstreamBody;
use super::tap::{TapReport, UsageTap};

mod sieve;
#[cfg(test)]
mod tests;

pub use self::sieve::{Cut, Farewell, Sieve, Sifted};

/// How long a provider may keep the connection open when its answer has ended. Nothing is to come then, and the end
/// of the answer waits for it.
const LAST_WORD: Duration = Duration::from_millis(250);
/// How many chunks may follow it all the same: whoever goes on talking is cut off.
const LAST_CHUNKS: usize = 64;

/// One answer that is to be pumped from the provider to the client.
#[derive(Debug)]
pub struct Pump {
    /// The answer.
    pub body: UpstreamBody,
    /// Who watches it pass.
    pub tap: UsageTap,
    /// Who says how much of it goes on to the client; without one, all of it at once.
    pub sieve: Option<Sieve>,
    /// When the request was sent: what the times in [`PumpEnd`] are counted from.
    pub sent_at: Instant,
    /// How far client and provider may be apart.
    pub limits: PumpLimits,
}

/// How far client and provider may be apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PumpLimits {
    /// Chunks that wait for the client at most; more than that and the provider has to wait.
    pub queue_chunks: usize,
    /// A client that takes nothing for so long counts as gone.
    pub stall_timeout: Duration,
    /// How long the provider is read on when the client is gone.
    pub drain_timeout: Duration,
    /// When the answer is cut off, wherever it is then.
    pub until: Option<Instant>,
}

/// How the answer ended.
#[derive(Debug, Clone, PartialEq)]
pub struct PumpEnd {
    /// What the answer said about itself.
    pub report: TapReport,
    /// Who ended it.
    pub how: PumpHow,
    /// From the request to the first byte of the answer's body, on the monotonic clock.
    pub first_byte: Option<Duration>,
    /// From the request to the end, on the monotonic clock.
    pub elapsed: Duration,
}

/// Who ended an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PumpHow {
    /// The provider, and the client got all of it.
    Completed,
    /// The client left.
    ClientGone {
        /// Whether the provider's answer was read to its end all the same.
        drained: bool,
    },
    /// The provider broke off.
    UpstreamBroken(UpstreamError),
    /// The provider fell silent.
    IdleTimeout,
    /// We did: its time was over.
    CutOff,
    /// The sieve: the client does not get the rest.
    Withheld,
}

impl Pump {
    /// Starts the task on the current runtime, and gives the client's end and a handle to wait for it.
    ///
    /// Whatever happens, `on_end` is called once. The event that ends the answer (`[DONE]`, `message_stop`), the error
    /// that broke it off and the end of the stream go to the client when `on_end` is done, so that whoever has read
    /// an answer to its end finds settled what `on_end` settles. A client that stops reading before that, at a
    /// `finish_reason` say, may be faster. What `on_end` gives is said before that end, or instead of it.
    pub fn spawn<F, Fut>(self, on_end: F) -> (PumpStream, JoinHandle<()>)
    where
        F: FnOnce(PumpEnd) -> Fut + Send + 'static,
        Fut: Future<Output: Into<Farewell>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(self.limits.queue_chunks.max(1));
        let task = tokio::spawn(self.run(sender, on_end));
        (PumpStream { receiver }, task)
    }

    async fn run<F, Fut>(mut self, sender: Sender<Result<Bytes, Cut>>, on_end: F)
    where
        F: FnOnce(PumpEnd) -> Fut,
        Fut: Future<Output: Into<Farewell>>,
    {
        let mut client = Client {
            sender,
            limits: self.limits,
            gone_until: None,
        };
        let mut first_byte = None;
        // The end of the answer, and what may follow it: the client gets it when the books are done.
        let mut last = Vec::new();
        let mut withheld = false;
        let ended = loop {
            match client.or_left(self.next()).await {
                Waited::Left => {}
                Waited::DrainedEnough => break None,
                Waited::Next(None) => break Some(Ok(())),
                Waited::Next(Some(Err(error))) => break Some(Err(error)),
                Waited::Next(Some(Ok(chunk))) => {
                    first_byte.get_or_insert_with(|| self.sent_at.elapsed());
                    let passed = self.tap.feed(chunk);
                    let Sifted { pass, withhold } = self.sift(Some(passed));
                    withheld |= withhold;
                    if self.tap.has_ended() {
                        last.push(pass);
                    } else {
                        client.give(pass).await;
                    }
                    // Without a client nothing is left to be withheld, and what was used is said at the end.
                    if withheld && !client.is_gone() {
                        break Some(Ok(()));
                    }
                    if last.len() >= LAST_CHUNKS {
                        break Some(Ok(()));
                    }
                }
            }
        };
        // The connection to the provider ends here, not when the books are done.
        drop(self.body);
        let (rest, report) = self.tap.finish();
        for came in [Some(rest), None] {
            let Sifted { pass, withhold } = sift(self.sieve.as_mut(), came);
            withheld |= withhold;
            last.push(pass);
        }
        let broken = ended.clone().and_then(Result::err).map(Cut::Provider);
        let cut = if withheld { Some(Cut::Withheld) } else { broken };
        let farewell = on_end(PumpEnd {
            report,
            how: how(ended, client.is_gone(), withheld),
            first_byte,
            elapsed: self.sent_at.elapsed(),
        });
        client.part(farewell.await.into(), last, cut).await;
    }

    fn sift(&mut self, came: Option<Bytes>) -> Sifted {
        sift(self.sieve.as_mut(), came)
    }

    /// What comes next from the provider.
    async fn next(&mut self) -> Option<Result<Bytes, UpstreamError>> {
        if self.tap.has_ended() {
            return timeout(LAST_WORD, self.body.next()).await.ok().flatten();
        }
        self.body.next_until(self.limits.until).await
    }
}

fn sift(sieve: Option<&mut Sieve>, came: Option<Bytes>) -> Sifted {
    match sieve {
        Some(sieve) => sieve.sift(came),
        None => Sifted {
            pass: came.unwrap_or_default(),
            withhold: false,
        },
    }
}

/// `ended` is `None` if the provider was still talking when the time for draining was over.
fn how(ended: Option<Result<(), UpstreamError>>, client_is_gone: bool, withheld: bool) -> PumpHow {
    match ended {
        _ if withheld => PumpHow::Withheld,
        ended if client_is_gone => PumpHow::ClientGone {
            drained: ended == Some(Ok(())),
        },
        None | Some(Ok(())) => PumpHow::Completed,
        Some(Err(UpstreamError::IdleTimeout { .. })) => PumpHow::IdleTimeout,
        Some(Err(UpstreamError::CutOff)) => PumpHow::CutOff,
        Some(Err(error)) => PumpHow::UpstreamBroken(error),
    }
}

/// The task's view of the client.
struct Client {
    sender: Sender<Result<Bytes, Cut>>,
    limits: PumpLimits,
    /// Set once the client is gone: until when the provider is read on.
    gone_until: Option<Instant>,
}

enum Waited {
    Next(Option<Result<Bytes, UpstreamError>>),
    Left,
    DrainedEnough,
}

impl Client {
    /// Waits for the provider, and for the client to leave or for the draining to end.
    async fn or_left(&mut self, next: impl Future<Output = Option<Result<Bytes, UpstreamError>>>) -> Waited {
        if let Some(until) = self.gone_until {
            return timeout_at(until, next)
                .await
                .map_or(Waited::DrainedEnough, Waited::Next);
        }
        tokio::select! {
            biased;
            next = next => Waited::Next(next),
            () = self.sender.closed() => {
                self.leaves();
                Waited::Left
            }
        }
    }

    async fn give(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.send(Ok(bytes)).await;
        }
    }

    /// Gives what is left, and says why there is no more.
    async fn part(&mut self, farewell: Farewell, last: Vec<Bytes>, cut: Option<Cut>) {
        match farewell {
            Farewell::Withhold => return self.fail(Cut::Withheld).await,
            Farewell::Note(note) => self.give(note).await,
            Farewell::Plain => {}
        }
        for bytes in last {
            self.give(bytes).await;
        }
        if let Some(cut) = cut {
            self.fail(cut).await;
        }
    }

    async fn fail(&mut self, cut: Cut) {
        self.send(Err(cut)).await;
    }

    async fn send(&mut self, item: Result<Bytes, Cut>) {
        if self.is_gone() {
            return;
        }
        let sent = self.sender.send_timeout(item, self.limits.stall_timeout).await;
        if sent.is_err() {
            self.leaves();
        }
    }

    /// Whether the client has left, noticed or not.
    fn is_gone(&self) -> bool {
        self.gone_until.is_some() || self.sender.is_closed()
    }

    fn leaves(&mut self) {
        self.gone_until = Some(Instant::now() + self.limits.drain_timeout);
    }
}

/// The client's end of a pump: what goes to the client. After an error there is nothing more; dropping it
/// says that the client is gone.
#[derive(Debug)]
pub struct PumpStream {
    receiver: Receiver<Result<Bytes, Cut>>,
}

impl Stream for PumpStream {
    type Item = Result<Bytes, Cut>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context)
    }
}

/// An answer that was collected whole.
#[derive(Debug)]
pub struct Collected {
    /// All of it, or why there is not all of it.
    pub body: Result<Bytes, UpstreamError>,
    /// What it said about itself.
    pub report: TapReport,
    /// From the request to the first byte of the answer's body, on the monotonic clock.
    pub first_byte: Option<Duration>,
    /// From the request to the end, on the monotonic clock.
    pub elapsed: Duration,
}

/// Collects an answer that is not streamed, up to `cap_bytes` and `until` then.
///
/// Like any future it stops when it is dropped; whoever has to settle afterwards runs it in a task.
pub async fn collect(
    mut body: UpstreamBody,
    mut tap: UsageTap,
    cap_bytes: usize,
    sent_at: Instant,
    until: Option<Instant>,
) -> Collected {
    let mut first_byte = None;
    let mut all = BytesMut::new();
    let ended = loop {
        match body.next_until(until).await {
            None => break Ok(()),
            Some(Err(error)) => break Err(error),
            Some(Ok(chunk)) if all.len() + chunk.len() > cap_bytes => {
                break Err(UpstreamError::TooLarge { cap_bytes });
            }
            Some(Ok(chunk)) => {
                first_byte.get_or_insert_with(|| sent_at.elapsed());
                all.extend_from_slice(&chunk);
            }
        }
    };
    drop(body);
    let passed = tap.feed(all.freeze());
    let (rest, report) = tap.finish();
    let whole = if rest.is_empty() {
        passed
    } else {
        Bytes::from([passed, rest].concat())
    };
    Collected {
        body: ended.map(|()| whole),
        report,
        first_byte,
        elapsed: sent_at.elapsed(),
    }
}
