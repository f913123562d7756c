//! How do the pieces of an answer leave, one by one, and what became of them?

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::task::yield_now;
use actix_web::rt::time::sleep;
use bytes::Bytes;
use futures_util::stream::{Stream, unfold};

use super::answer::{Answer, Ending, Pace};
use super::script::{Outcome, Script};
use super::server::Wire;

/// Long enough for the kernel to take what was written before the connection is cut.
const BEFORE_CUT: Duration = Duration::from_millis(20);

/// The sending of one answer; noted as abandoned if it is dropped before its end.
#[derive(Debug)]
pub(super) struct Delivery {
    script: Arc<Script>,
    number: usize,
    wire: Option<Arc<Wire>>,
    ended: bool,
}

impl Delivery {
    pub(super) fn new(script: Arc<Script>, number: usize, wire: Option<Arc<Wire>>) -> Self {
        Self {
            script,
            number,
            wire,
            ended: false,
        }
    }

    pub(super) fn end(mut self, outcome: Outcome) {
        self.ended = true;
        self.script.conclude(self.number, outcome);
    }

    /// The pieces with their waits. The server writes what it has whenever a piece is not ready yet, so
    /// that every piece is flushed by itself.
    pub(super) fn stream(self, answer: Answer) -> impl Stream<Item = io::Result<Bytes>> {
        let sending = Sending {
            delivery: self,
            pieces: answer.pieces.into(),
            pace: answer.pace,
            first: true,
        };
        unfold(Some(sending), |sending| async { sending?.next().await })
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if !self.ended {
            self.script.conclude(self.number, Outcome::Abandoned);
        }
    }
}

struct Sending {
    delivery: Delivery,
    pieces: VecDeque<Bytes>,
    pace: Pace,
    first: bool,
}

impl Sending {
    async fn next(mut self) -> Option<(io::Result<Bytes>, Option<Self>)> {
        if !self.first {
            yield_now().await;
            if !self.pieces.is_empty() && !self.pace.between.is_zero() {
                sleep(self.pace.between).await;
            }
        }
        self.first = false;
        if let Some(piece) = self.pieces.pop_front() {
            if self.pieces.is_empty() && self.pace.ending == Ending::Proper {
                self.delivery.end(Outcome::Sent);
                return Some((Ok(piece), None));
            }
            return Some((Ok(piece), Some(self)));
        }
        if self.pace.ending == Ending::Proper {
            self.delivery.end(Outcome::Sent);
            return None;
        }
        sleep(BEFORE_CUT).await;
        let wire = self.delivery.wire.take();
        // Noted first: the client may look as soon as it sees the end.
        self.delivery.end(Outcome::Cut);
        if let Some(wire) = wire {
            wire.cut();
        }
        let cut = io::Error::new(io::ErrorKind::ConnectionAborted, "cut by the script");
        Some((Err(cut), None))
    }
}
