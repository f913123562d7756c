//! Who signs requests, and what may they do and claim?

mod access_key;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::authority::AuthorityType;
use crate::id::{PrincipalId, Slug, TenantId};
use crate::time::Timestamp;
use crate::wire::wire_enum;

pub use self::access_key::{AccessKey, AccessKeyId};

wire_enum! {
    /// What a principal is for.
    PrincipalRole {
        /// Reads.
        Reader,
        /// Reads, and opens Incidents.
        Creator,
        /// Works on Incidents.
        Operator,
        /// Is on call.
        Sre,
        /// A program that acts by its own rules.
        Service,
        /// May break the glass.
        BreakGlass,
    }
}

wire_enum! {
    /// What a request does to Incidents.
    PrincipalAction {
        /// It changes nothing.
        Read,
        /// It opens one.
        Create,
        /// It changes one that is there.
        Transition,
    }
}

impl PrincipalAction {
    /// Whether it changes anything.
    pub const fn is_mutation(self) -> bool {
        !matches!(self, Self::Read)
    }
}

impl PrincipalRole {
    /// Whether the role leads to this kind of route at all.
    pub const fn may(self, action: PrincipalAction) -> bool {
        match self {
            Self::Reader => matches!(action, PrincipalAction::Read),
            Self::Creator => matches!(action, PrincipalAction::Read | PrincipalAction::Create),
            Self::Operator | Self::Sre | Self::Service | Self::BreakGlass => true,
        }
    }

    /// The highest authority that the role gives; none for one that only reads.
    pub const fn authority(self) -> Option<AuthorityType> {
        match self {
            Self::Reader => None,
            Self::Service => Some(AuthorityType::AutoEngine),
            Self::Creator | Self::Operator => Some(AuthorityType::HumanOperator),
            Self::Sre => Some(AuthorityType::OnCallSre),
            Self::BreakGlass => Some(AuthorityType::EmergencyOverride),
        }
    }

    /// Whether whoever has the role may say to act by this authority. A person may claim less than the role gives, but
    /// never to be the product itself: what only the product does is not for people.
    pub fn grants(self, claimed: AuthorityType) -> bool {
        self.authority().is_some_and(|given| {
            given == claimed || given.is_human() && claimed.is_human() && claimed.level() <= given.level()
        })
    }
}

/// Somebody who signs requests to the incident control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its id.
    pub id: PrincipalId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What people call it, unique within the tenant for ever.
    pub name: Slug,
    /// What it is for, in the order of the roles and each once.
    pub roles: Vec<PrincipalRole>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Principal {
    /// What records call it: `arn:plimsoll:iam::<tenant>:principal/<name>`.
    pub fn arn(&self) -> String {
        format!("arn:plimsoll:iam::{}:principal/{}", self.tenant, self.name)
    }

    /// Whether it may send requests of this kind.
    pub fn may(&self, action: PrincipalAction) -> bool {
        self.roles.iter().any(|role| role.may(action))
    }

    /// Whether it may say to do this by this authority: one of its roles allows both.
    pub fn may_claim(&self, action: PrincipalAction, claimed: AuthorityType) -> bool {
        let both = |role: &PrincipalRole| role.may(action) && role.grants(claimed);
        self.roles.iter().any(both)
    }

    /// The highest authority by which it may do this; none if by none.
    pub fn highest(&self, action: PrincipalAction) -> Option<AuthorityType> {
        let allowed = self.roles.iter().filter(|role| role.may(action));
        allowed
            .filter_map(|role| role.authority())
            .max_by_key(|authority| authority.level())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use strum::IntoEnumIterator as _;

    use super::*;

    fn principal(roles: Vec<PrincipalRole>) -> Principal {
        Principal {
            id: PrincipalId::from_bits(1),
            tenant: TenantId::from_bits(2),
            name: "pager.bot-1".parse().unwrap(),
            roles,
            created_at: Timestamp::from_micros(0),
            revoked_at: None,
        }
    }

    #[test]
    fn every_role_leads_to_its_routes_and_its_authorities() {
        let all: Vec<_> = PrincipalRole::iter()
            .map(|role| {
                let routes: String = PrincipalAction::iter()
                    .map(|action| if role.may(action) { 'x' } else { '.' })
                    .collect();
                let claims: String = AuthorityType::iter()
                    .map(|claimed| if role.grants(claimed) { 'x' } else { '.' })
                    .collect();
                (role.as_str(), routes, claims)
            })
            .collect();
        // Read, create, transition; AUTO_ENGINE, HUMAN_OPERATOR, ON_CALL_SRE, EMERGENCY_OVERRIDE.
        let expected = [
            ("READER", "x..", "...."),
            ("CREATOR", "xx.", ".x.."),
            ("OPERATOR", "xxx", ".x.."),
            ("SRE", "xxx", ".xx."),
            ("SERVICE", "xxx", "x..."),
            ("BREAK_GLASS", "xxx", ".xxx"),
        ];
        let expected = expected.map(|(role, routes, claims)| (role, routes.into(), claims.into()));
        assert_eq!(all, expected);
    }

    #[test]
    fn two_roles_do_not_give_together_what_none_of_them_gives() {
        let both = principal(vec![PrincipalRole::Creator, PrincipalRole::Service]);
        assert!(both.may_claim(PrincipalAction::Create, AuthorityType::HumanOperator));
        assert!(both.may_claim(PrincipalAction::Transition, AuthorityType::AutoEngine));
        assert!(!both.may_claim(PrincipalAction::Transition, AuthorityType::HumanOperator));
        assert_eq!(
            both.highest(PrincipalAction::Transition),
            Some(AuthorityType::AutoEngine)
        );
        assert_eq!(
            both.highest(PrincipalAction::Create),
            Some(AuthorityType::HumanOperator)
        );
    }

    #[test]
    fn a_reader_acts_by_no_authority() {
        let reader = principal(vec![PrincipalRole::Reader]);
        assert!(reader.may(PrincipalAction::Read) && !reader.may(PrincipalAction::Create));
        assert_eq!(reader.highest(PrincipalAction::Read), None);
        let none = principal(vec![]);
        assert!(PrincipalAction::iter().all(|action| !none.may(action)));
    }

    #[test]
    fn the_name_in_records_has_its_six_parts() {
        let arn = principal(vec![]).arn();
        assert_eq!(
            arn,
            "arn:plimsoll:iam::tnt_00000000000000000000000002:principal/pager.bot-1"
        );
        assert_eq!(arn.split(':').count(), 6);
    }
}
