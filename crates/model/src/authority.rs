//! By whose authority does an Incident change?

use crate::severity::Severity;
use crate::wire::wire_enum;

wire_enum! {
    /// What kind of authority somebody acts by, weakest first. The requirements call the first one "System" and the others
    /// "Human".
    AuthorityType {
        /// The product itself, by its own rules.
        AutoEngine,
        /// A person who works on Incidents.
        HumanOperator,
        /// The person who is on call.
        OnCallSre,
        /// A person who breaks the glass, and says why.
        EmergencyOverride,
    }
}

impl AuthorityType {
    /// How much it may, as a number to compare.
    pub const fn level(self) -> u16 {
        match self {
            Self::AutoEngine => 0,
            Self::HumanOperator => 1,
            Self::OnCallSre => 2,
            Self::EmergencyOverride => 999,
        }
    }

    /// Whether a person acts.
    pub const fn is_human(self) -> bool {
        !matches!(self, Self::AutoEngine)
    }

    /// The worst severity of a candidate that it may promote to an Incident.
    pub const fn promotes_up_to(self) -> Severity {
        match self {
            Self::AutoEngine => Severity::Sev3,
            Self::HumanOperator => Severity::Sev2,
            Self::OnCallSre | Self::EmergencyOverride => Severity::Sev1,
        }
    }

    /// Whether whoever acts by it must say why.
    pub const fn needs_justification(self) -> bool {
        matches!(self, Self::EmergencyOverride)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use strum::IntoEnumIterator as _;

    use super::*;

    #[test]
    fn the_authorities_are_ordered_and_only_the_first_is_the_product() {
        let all: Vec<_> = AuthorityType::iter()
            .map(|kind| {
                (
                    kind.as_str(),
                    kind.level(),
                    kind.is_human(),
                    kind.promotes_up_to(),
                    kind.needs_justification(),
                )
            })
            .collect();
        assert_eq!(
            all,
            [
                ("AUTO_ENGINE", 0, false, Severity::Sev3, false),
                ("HUMAN_OPERATOR", 1, true, Severity::Sev2, false),
                ("ON_CALL_SRE", 2, true, Severity::Sev1, false),
                ("EMERGENCY_OVERRIDE", 999, true, Severity::Sev1, true),
            ]
        );
    }
}
