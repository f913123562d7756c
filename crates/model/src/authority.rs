//! By whose authority does an Incident change?

use alloc::string::String;

use crate::severity::Severity;
use crate::text::visible_length;
use crate::time::Timestamp;
use crate::wire::wire_enum;

/// The shortest justification, in characters; the same for other reasons that are asked for.
pub const REASON_MIN: usize = 20;
/// The longest, in characters.
pub const REASON_MAX: usize = 2048;

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

/// Who acts, by what authority, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorityContext {
    /// What kind of authority.
    pub authority_type: AuthorityType,
    /// Who: a principal, a key or a part of the product.
    pub authority_id: String,
    /// The session that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Why the authority is used; [`REASON_MIN`] to [`REASON_MAX`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// When it was claimed.
    pub timestamp: Timestamp,
}

/// What is wrong with a justification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JustificationError {
    /// Whoever breaks the glass has to say why.
    #[error("EMERGENCY_OVERRIDE has no justification")]
    Missing,
    /// It is too short or too long.
    #[error("the justification has fewer than {REASON_MIN} or more than {REASON_MAX} characters")]
    Length,
}

impl AuthorityContext {
    /// The product itself, by this part of it.
    pub fn engine(part: &str, at: Timestamp) -> Self {
        Self {
            authority_type: AuthorityType::AutoEngine,
            authority_id: String::from(part),
            session_id: None,
            justification: None,
            timestamp: at,
        }
    }

    /// Whether it says why, where it has to, at the length that it may have.
    ///
    /// # Errors
    /// [`JustificationError`].
    pub fn justified(&self) -> Result<(), JustificationError> {
        match &self.justification {
            None if self.authority_type.needs_justification() => Err(JustificationError::Missing),
            Some(text) if !is_a_reason(text) => Err(JustificationError::Length),
            _ => Ok(()),
        }
    }
}

/// Whether people see enough of a text for a reason, and it is no longer than one without the white space around it.
pub fn is_a_reason(text: &str) -> bool {
    visible_length(text) >= REASON_MIN && text.trim().chars().count() <= REASON_MAX
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

    #[test]
    fn a_reason_is_what_people_see_of_it() {
        let zero_width = "\u{200b}".repeat(19);
        let blanks = " ".repeat(18);
        for (text, is) in [
            (alloc::format!("\u{200b}{zero_width}"), false),
            (alloc::format!("x{zero_width}"), false),
            (alloc::format!("x{blanks}x"), false),
            (alloc::format!("x{}x", "\n".repeat(18)), false),
            (String::from("the bad deployment\nis"), true),
            (alloc::format!("the bad{zero_width} deployment is"), true),
        ] {
            assert_eq!(is_a_reason(&text), is, "{text:?}");
        }
    }

    #[test]
    fn a_reason_is_measured_without_the_white_space_around_it() {
        let mut context = AuthorityContext::engine("test", Timestamp::from_micros(0));
        assert_eq!(context.justified(), Ok(()));
        context.authority_type = AuthorityType::EmergencyOverride;
        assert_eq!(context.justified(), Err(JustificationError::Missing));
        for (length, fits) in [(0, false), (19, false), (20, true), (2048, true), (2049, false)] {
            context.justification = Some(alloc::format!(" {}\n", "ü".repeat(length)));
            assert_eq!(context.justified().is_ok(), fits, "{length}");
            context.authority_type = AuthorityType::HumanOperator;
            assert_eq!(
                context.justified().is_ok(),
                fits,
                "a reason that nobody asked for is measured as well"
            );
            context.authority_type = AuthorityType::EmergencyOverride;
        }
    }
}
