//! Do the events of an Incident still say what they said, and is the Incident what they say?
//!
//! Everything is made again from the events alone. What does not fit is named, all of it, and nothing is mended.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::event::{EVENT_SCHEMA, IncidentEvent, event_id};
use super::mismatch::{MismatchKind, Projection, Replay, Violation};
use super::reduce::{Deed, Impossible, reduce};
use super::transition::allowed;
use super::{Change, EdgeError, Incident, IncidentEventType, IncidentState, Refusal, Step};
use crate::authority::AuthorityContext;
use crate::digest::Digest;
use crate::id::{IncidentId, TenantId};

/// More than this is not told of one Incident: whoever looks for the cause begins with the first.
pub const VIOLATIONS_MOST: usize = 1_000;

/// Makes the Incident again from these events, in the order in which they are stored, and compares it with what is stored
/// of it.
pub fn replay(
    of: (TenantId, IncidentId),
    events: &[IncidentEvent],
    projection: Option<&Projection>,
) -> Replay {
    let mut player = Player::new(of);
    for event in events {
        player.play(event);
    }
    player.end(projection)
}

/// Makes an Incident again from events that come piece by piece, so that one with many of them need not be in memory.
#[derive(Debug)]
pub struct Player {
    of: (TenantId, IncidentId),
    incident: Option<Incident>,
    head: Digest,
    events: usize,
    seq: i64,
    at: i64,
    violations: Vec<Violation>,
}

/// What an event means.
struct Meant {
    change: Change,
    new_state: IncidentState,
    authority: AuthorityContext,
}

impl Player {
    /// Nothing has been played yet.
    pub const fn new(of: (TenantId, IncidentId)) -> Self {
        Self {
            of,
            incident: None,
            head: Digest::ZERO,
            events: 0,
            seq: 0,
            at: i64::MIN,
            violations: Vec::new(),
        }
    }

    /// What came of it, compared with what is stored of the Incident.
    pub fn end(mut self, projection: Option<&Projection>) -> Replay {
        let has_events = self.events > 0;
        if !has_events {
            self.found(MismatchKind::NoEvents, None, None, None);
        }
        self.compare(projection, has_events);
        Replay {
            incident: self.incident,
            head: self.head,
            events: self.events,
            violations: self.violations,
        }
    }

    fn found(
        &mut self,
        kind: MismatchKind,
        seq: Option<i64>,
        expected: Option<String>,
        actual: Option<String>,
    ) {
        if self.violations.len() < VIOLATIONS_MOST {
            self.violations.push(Violation {
                kind,
                event_seq: seq,
                expected,
                actual,
            });
        }
    }

    /// That something is not what it should be, if it is not.
    fn compared(&mut self, kind: MismatchKind, seq: i64, expected: &impl ToString, actual: &str) {
        let expected = expected.to_string();
        if expected != actual {
            self.found(kind, Some(seq), Some(expected), Some(actual.to_string()));
        }
    }

    /// Plays the next event, in the order in which they are stored.
    pub fn play(&mut self, event: &IncidentEvent) {
        self.events = self.events.saturating_add(1);
        self.place(event);
        self.links(event);
        if let Some(meant) = self.meaning(event) {
            self.apply(event, &meant);
        }
        // The chain goes on from what is recorded, so that one fault is told once.
        self.head = event.event_hash.parse().unwrap_or_else(|_| event.hash());
        self.seq = self.seq.max(event.seq);
        self.at = self.at.max(event.at);
    }

    fn place(&mut self, event: &IncidentEvent) {
        let (tenant, id) = self.of;
        let due = self.seq.saturating_add(1);
        let kind = if event.seq > due {
            Some(MismatchKind::SequenceGap)
        } else {
            (event.seq < due).then_some(MismatchKind::SequenceDisorder)
        };
        if let Some(kind) = kind {
            let (expected, actual) = (due.to_string(), event.seq.to_string());
            self.found(kind, Some(event.seq), Some(expected), Some(actual));
        }
        self.compared(MismatchKind::ForeignEvent, event.seq, &tenant, &event.tenant);
        self.compared(MismatchKind::ForeignEvent, event.seq, &id, &event.incident);
        let expected = event_id(tenant, id, event.seq);
        // An id follows from the place: one that is there twice is wrong at one of them, or the place is there twice.
        if expected != event.event_id {
            let actual = Some(event.event_id.clone());
            self.found(
                MismatchKind::EventIdMismatch,
                Some(event.seq),
                Some(expected),
                actual,
            );
        }
        if event.at < self.at {
            let (expected, actual) = (self.at.to_string(), event.at.to_string());
            self.found(
                MismatchKind::TimeBackwards,
                Some(event.seq),
                Some(expected),
                Some(actual),
            );
        }
    }

    fn links(&mut self, event: &IncidentEvent) {
        let head = self.head;
        self.compared(
            MismatchKind::EventHashMismatch,
            event.seq,
            &event.hash(),
            &event.event_hash,
        );
        self.compared(
            MismatchKind::ChainBroken,
            event.seq,
            &head,
            &event.prev_event_hash,
        );
        let before = self.incident.as_ref().map(|before| before.state);
        let before = before.map(|state| state.as_str().to_string());
        if before != event.previous_state {
            let actual = event.previous_state.clone();
            self.found(
                MismatchKind::PreviousStateMismatch,
                Some(event.seq),
                before,
                actual,
            );
        }
        let hash = self
            .incident
            .as_ref()
            .map(|before| before.state_hash().to_string());
        if hash != event.state_hash_before {
            let actual = event.state_hash_before.clone();
            self.found(MismatchKind::StateHashMismatch, Some(event.seq), hash, actual);
        }
    }

    fn meaning(&mut self, event: &IncidentEvent) -> Option<Meant> {
        let seq = Some(event.seq);
        if event.schema_version != EVENT_SCHEMA {
            let (expected, actual) = (EVENT_SCHEMA.to_string(), event.schema_version.to_string());
            self.found(MismatchKind::UnknownEvent, seq, Some(expected), Some(actual));
            return None;
        }
        let Ok(event_type) = event.event_type.parse::<IncidentEventType>() else {
            self.found(
                MismatchKind::UnknownEvent,
                seq,
                None,
                Some(event.event_type.clone()),
            );
            return None;
        };
        let Ok(new_state) = event.new_state.parse::<IncidentState>() else {
            self.found(
                MismatchKind::EventCorrupt,
                seq,
                None,
                Some(event.new_state.clone()),
            );
            return None;
        };
        let authority = match serde_json::from_str::<AuthorityContext>(&event.authority) {
            Ok(authority) => authority,
            Err(error) => {
                self.found(MismatchKind::EventCorrupt, seq, None, Some(error.to_string()));
                return None;
            }
        };
        match Change::read(event_type, new_state, &event.metadata) {
            Ok(change) => Some(Meant {
                change,
                new_state,
                authority,
            }),
            Err(error) => {
                self.found(MismatchKind::EventCorrupt, seq, None, Some(error.to_string()));
                None
            }
        }
    }

    fn apply(&mut self, event: &IncidentEvent, meant: &Meant) {
        let seq = Some(event.seq);
        let step = Step {
            change: meant.change.clone(),
            authority: meant.authority.clone(),
            reason: event.reason.clone(),
            at: event.timestamp(),
            request_id: String::new(),
            idempotency_key: None,
        };
        if let Err(refusal) = allowed(self.incident.as_ref(), &step) {
            let kind = kind_of(&refusal);
            self.found(kind, seq, None, Some(refusal.to_string()));
        }
        let deed = Deed {
            at: event.timestamp(),
            actor: &event.actor,
            authority: &meant.authority,
            reason: event.reason.as_deref(),
        };
        let (tenant, id) = self.of;
        if let Change::Created(creation) = &meant.change {
            let derived = IncidentId::derive(tenant, &creation.identity);
            self.compared(
                MismatchKind::IncidentIdMismatch,
                event.seq,
                &derived,
                &id.to_string(),
            );
        }
        match reduce(self.of, self.incident.as_ref(), &meant.change, &deed) {
            Ok(after) => {
                self.compared(
                    MismatchKind::StateHashMismatch,
                    event.seq,
                    &after.state_hash(),
                    &event.state_hash_after,
                );
                if after.state != meant.new_state {
                    let (expected, actual) = (after.state.as_str(), meant.new_state.as_str());
                    let kind = MismatchKind::IllegalTransition;
                    self.found(kind, seq, Some(expected.to_string()), Some(actual.to_string()));
                }
                self.incident = Some(after);
            }
            Err(Impossible::CreatedTwice | Impossible::NotCreated) => {
                self.found(
                    MismatchKind::CreationMisplaced,
                    seq,
                    None,
                    Some(event.event_type.clone()),
                );
            }
            Err(Impossible::OutOfPlace | Impossible::TooOften) => {
                self.found(
                    MismatchKind::IllegalTransition,
                    seq,
                    None,
                    Some(event.event_type.clone()),
                );
            }
        }
    }

    fn compare(&mut self, projection: Option<&Projection>, has_events: bool) {
        let Some(stored) = projection else {
            if has_events {
                self.found(MismatchKind::ProjectionMissing, None, None, None);
            }
            return;
        };
        if (stored.version, stored.head.as_str()) != (self.seq, self.head.to_string().as_str()) {
            let expected = alloc::format!("{} {}", self.seq, self.head);
            let actual = alloc::format!("{} {}", stored.version, stored.head);
            self.found(MismatchKind::HeadMismatch, None, Some(expected), Some(actual));
        }
        let made = self.incident.as_ref().map(Incident::canonical);
        if made.as_deref() != Some(stored.body.as_str()) {
            let hash = |text: &str| Digest::of(text.as_bytes()).to_string();
            let expected = made.as_deref().map(hash);
            self.found(
                MismatchKind::ProjectionMismatch,
                None,
                expected,
                Some(hash(&stored.body)),
            );
        }
    }
}

/// What it is called when something happened that is refused.
const fn kind_of(refusal: &Refusal) -> MismatchKind {
    match refusal {
        Refusal::Edge(EdgeError::Unauthorized { .. }) | Refusal::Justification(_) => {
            MismatchKind::AuthorityNotPermitted
        }
        Refusal::Edge(EdgeError::Illegal { .. }) | Refusal::OutOfPlace(_) | Refusal::ResolutionImmutable => {
            MismatchKind::IllegalTransition
        }
        _ => MismatchKind::GuardViolated,
    }
}
