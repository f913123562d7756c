//! Where does an Incident stand, and where may it go?

use crate::authority::AuthorityType;
use crate::id::IncidentId;
use crate::severity::Severity;
use crate::wire::wire_enum;

wire_enum! {
    /// Where an Incident stands.
    IncidentState {
        /// Nobody has approved it yet.
        Pending,
        /// It is an Incident, and nobody works on it.
        Open,
        /// Somebody does.
        Mitigating,
        /// What was wrong is right again.
        Resolved,
        /// What was learned from it is written down.
        Closed,
        /// It was none.
        Cancelled,
        /// It is kept for the record.
        Archived,
    }
}

wire_enum! {
    /// Where an Incident stands, as the customer console shows it.
    IncidentLifecycle {
        /// Nobody has seen to it.
        Active,
        /// Somebody has; it is listed with the active ones, with a badge.
        Acked,
        /// It is over.
        Resolved,
    }
}

/// Whether an Incident of a service is not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GoingOn {
    /// None is going on.
    #[default]
    Nothing,
    /// This one is.
    Incident(IncidentId),
    /// One is, and nobody can say which: what stands there is no id.
    Unreadable,
}

/// Why an Incident may not go there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EdgeError {
    /// Nobody may take it there.
    #[error("an Incident in state {} does not go to {}", from.as_str(), to.as_str())]
    Illegal {
        /// Where it stands.
        from: IncidentState,
        /// Where it was to go.
        to: IncidentState,
    },
    /// Somebody else may.
    #[error("{} may not take a {} Incident to {}", by.as_str(), severity.as_str(), to.as_str())]
    Unauthorized {
        /// By what authority it was tried.
        by: AuthorityType,
        /// Where it was to go.
        to: IncidentState,
        /// How bad the Incident is.
        severity: Severity,
        /// The weakest authority that may.
        required: AuthorityType,
    },
}

impl IncidentState {
    /// Where it may go from here: the six edges of the machine, and no other.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Pending => &[Self::Open],
            Self::Open => &[Self::Mitigating, Self::Cancelled],
            Self::Mitigating => &[Self::Resolved],
            Self::Resolved => &[Self::Closed],
            Self::Closed => &[Self::Archived],
            Self::Cancelled | Self::Archived => &[],
        }
    }

    /// Whether nothing follows.
    pub const fn is_terminal(self) -> bool {
        self.next().is_empty()
    }

    /// Whether something is still wrong, or could be.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Pending | Self::Open | Self::Mitigating)
    }

    /// What the customer console shows; nothing of one that nobody has approved.
    pub const fn lifecycle(self, is_acknowledged: bool) -> Option<IncidentLifecycle> {
        match self {
            Self::Pending => None,
            Self::Open if !is_acknowledged => Some(IncidentLifecycle::Active),
            Self::Open | Self::Mitigating => Some(IncidentLifecycle::Acked),
            Self::Resolved | Self::Closed | Self::Cancelled | Self::Archived => {
                Some(IncidentLifecycle::Resolved)
            }
        }
    }

    /// Whether an Incident of this severity may go there, by this authority. The edge is looked at first: what nobody may
    /// is refused alike for everybody.
    ///
    /// | edge | by |
    /// |---|---|
    /// | PENDING to OPEN | the product, for a promotion that was approved |
    /// | OPEN to MITIGATING | everybody |
    /// | MITIGATING to RESOLVED | people; of SEV1 who is on call |
    /// | RESOLVED to CLOSED | people |
    /// | OPEN to CANCELLED | people; of SEV1 who is on call |
    /// | CLOSED to ARCHIVED | the product, when its time is over |
    ///
    /// # Errors
    /// [`EdgeError`].
    pub fn may_go(self, to: Self, by: AuthorityType, severity: Severity) -> Result<(), EdgeError> {
        if !self.next().contains(&to) {
            return Err(EdgeError::Illegal { from: self, to });
        }
        let on_call_for_the_worst = match severity {
            Severity::Sev1 => AuthorityType::OnCallSre,
            Severity::Sev2 | Severity::Sev3 | Severity::Sev4 => AuthorityType::HumanOperator,
        };
        let (required, is_allowed) = match to {
            Self::Open | Self::Archived => (AuthorityType::AutoEngine, by == AuthorityType::AutoEngine),
            Self::Mitigating => (AuthorityType::AutoEngine, true),
            Self::Closed => (AuthorityType::HumanOperator, by.is_human()),
            Self::Pending | Self::Resolved | Self::Cancelled => {
                (on_call_for_the_worst, by.level() >= on_call_for_the_worst.level())
            }
        };
        if is_allowed {
            return Ok(());
        }
        Err(EdgeError::Unauthorized {
            by,
            to,
            severity,
            required,
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use strum::IntoEnumIterator as _;

    use super::*;

    /// PENDING OPEN MITIGATING RESOLVED CLOSED CANCELLED ARCHIVED, rows from, columns to. S: the product alone, H: people
    /// alone, X: both.
    const TABLE: [&str; 7] = [
        ".S.....", "..X..H.", "...H...", "....H..", "......S", ".......", ".......",
    ];

    #[test]
    fn of_98_triples_of_from_to_and_class_7_are_accepted() {
        let (mut accepted, mut refused) = (0, 0);
        for (from, row) in IncidentState::iter().zip(TABLE) {
            for (to, mark) in IncidentState::iter().zip(row.chars()) {
                for (class, by) in [
                    ('S', &[AuthorityType::AutoEngine][..]),
                    (
                        'H',
                        &[
                            AuthorityType::HumanOperator,
                            AuthorityType::OnCallSre,
                            AuthorityType::EmergencyOverride,
                        ],
                    ),
                ] {
                    let expected = mark == class || mark == 'X';
                    for (by, severity) in by.iter().flat_map(|by| Severity::iter().map(move |at| (*by, at))) {
                        let on_call = matches!(to, IncidentState::Resolved | IncidentState::Cancelled);
                        let held_back =
                            on_call && severity == Severity::Sev1 && by == AuthorityType::HumanOperator;
                        let said = from.may_go(to, by, severity);
                        assert_eq!(
                            said.is_ok(),
                            expected && !held_back,
                            "{from:?} {to:?} {by:?} {severity:?}"
                        );
                        let is_illegal = matches!(said, Err(EdgeError::Illegal { .. }));
                        assert_eq!(is_illegal, mark == '.', "{from:?} {to:?} {by:?} {severity:?}");
                    }
                    if expected { accepted += 1 } else { refused += 1 }
                }
            }
        }
        assert_eq!((accepted, refused), (7, 91));
    }

    #[test]
    fn a_refusal_names_the_weakest_authority_that_may() {
        use AuthorityType as By;
        use IncidentState as State;

        let required = |from: IncidentState, to, by, severity| match from.may_go(to, by, severity) {
            Err(EdgeError::Unauthorized { required, .. }) => Some(required),
            _ => None,
        };
        assert_eq!(
            required(
                State::Mitigating,
                State::Resolved,
                By::HumanOperator,
                Severity::Sev1
            ),
            Some(By::OnCallSre)
        );
        assert_eq!(
            required(State::Mitigating, State::Resolved, By::AutoEngine, Severity::Sev2),
            Some(By::HumanOperator)
        );
        assert_eq!(
            required(State::Pending, State::Open, By::EmergencyOverride, Severity::Sev4),
            Some(By::AutoEngine)
        );
        assert_eq!(
            required(State::Resolved, State::Closed, By::AutoEngine, Severity::Sev4),
            Some(By::HumanOperator)
        );
    }

    #[test]
    fn only_what_was_cancelled_or_archived_has_an_end() {
        let ends: Vec<_> = IncidentState::iter()
            .filter(|state| state.is_terminal())
            .collect();
        assert_eq!(ends, [IncidentState::Cancelled, IncidentState::Archived]);
    }

    #[test]
    fn the_console_shows_every_state_but_the_first_and_never_goes_back() {
        let shown: Vec<String> = IncidentState::iter()
            .map(|state| {
                let word = |seen| {
                    state
                        .lifecycle(seen)
                        .map_or("-", super::IncidentLifecycle::as_str)
                };
                alloc::format!("{} {} {}", state.as_str(), word(false), word(true))
            })
            .collect();
        assert_eq!(
            shown.join("\n"),
            "PENDING - -\nOPEN ACTIVE ACKED\nMITIGATING ACKED ACKED\nRESOLVED RESOLVED RESOLVED\nCLOSED RESOLVED \
             RESOLVED\nCANCELLED RESOLVED RESOLVED\nARCHIVED RESOLVED RESOLVED"
        );
        for from in IncidentState::iter() {
            for to in from.next() {
                assert!(from.lifecycle(false) <= to.lifecycle(false), "{from:?} {to:?}");
                assert!(from.lifecycle(true) <= to.lifecycle(true), "{from:?} {to:?}");
            }
        }
    }
}
