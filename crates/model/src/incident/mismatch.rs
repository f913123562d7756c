//! What can be wrong with the past of an Incident?

use alloc::string::String;
use alloc::vec::Vec;

use super::Incident;
use crate::digest::Digest;
use crate::wire::wire_enum;

wire_enum! {
    /// What does not fit.
    MismatchKind {
        /// There are no events.
        NoEvents,
        /// An event is missing: at the beginning or in between.
        SequenceGap,
        /// A place is taken twice, or the order is not that of the places.
        SequenceDisorder,
        /// What is recorded cannot be read.
        EventCorrupt,
        /// An event is of a type or of a version that nobody knows.
        UnknownEvent,
        /// An event belongs to another Incident or tenant.
        ForeignEvent,
        /// The id of an event does not follow from its place, or is there twice.
        EventIdMismatch,
        /// The hash of an event is not that of what it says.
        EventHashMismatch,
        /// An event does not follow the one before it.
        ChainBroken,
        /// The first event does not create, or another one does.
        CreationMisplaced,
        /// The id of the Incident does not follow from what it was made of.
        IncidentIdMismatch,
        /// The state before is not the one that the event before led to.
        PreviousStateMismatch,
        /// The machine has no such edge, or the event is out of place.
        IllegalTransition,
        /// The authority may not do that.
        AuthorityNotPermitted,
        /// Something that has to be said was not.
        GuardViolated,
        /// The hash of the state is not that of the state.
        StateHashMismatch,
        /// The time is before that of the event before.
        TimeBackwards,
        /// There are events and no Incident.
        ProjectionMissing,
        /// The Incident is not what its events say.
        ProjectionMismatch,
        /// The Incident knows of later events, or of another last one: the end was cut off.
        HeadMismatch,
    }
}

/// One thing that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// What kind of thing.
    pub kind: MismatchKind,
    /// At which event; none if it is about the Incident as a whole.
    pub event_seq: Option<i64>,
    /// What should stand there.
    pub expected: Option<String>,
    /// What does.
    pub actual: Option<String>,
}

/// What is stored of an Incident beside its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    /// Its canonical form, byte for byte.
    pub body: String,
    /// How many events it knows of.
    pub version: i64,
    /// The hash of the last one.
    pub head: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The Incident, as far as its events could be followed.
    pub incident: Option<Incident>,
    /// The hash of the last event that could be followed.
    pub head: Digest,
    /// How many events there are.
    pub events: usize,
    /// What does not fit, in the order of the events.
    pub violations: Vec<Violation>,
}

impl Replay {
    /// Whether everything fits.
    pub const fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}
