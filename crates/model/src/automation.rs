//! May the product open Incidents by itself?

use alloc::string::String;

use crate::id::TenantId;
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// For whom automatic promotion is switched off and on.
    AutomationScope {
        /// For every tenant.
        Global,
        /// For one tenant.
        Tenant,
    }
}

/// How automatic promotion was switched last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutomationSwitch {
    /// For which tenant; [`TenantId::PLATFORM`] for all of them.
    pub tenant: TenantId,
    /// Whether it is off.
    pub is_paused: bool,
    /// Why.
    pub reason: String,
    /// By whom.
    pub changed_by: String,
    /// When.
    pub changed_at: Timestamp,
}

/// Both switches that count for a tenant; none where nobody has ever switched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AutomationSwitches {
    /// The one of all tenants.
    pub global: Option<AutomationSwitch>,
    /// Its own.
    pub tenant: Option<AutomationSwitch>,
}

impl AutomationSwitches {
    /// Whether the product opens nothing by itself: one of them is enough.
    pub fn is_paused(&self) -> bool {
        let both = [&self.global, &self.tenant];
        both.into_iter().flatten().any(|switch| switch.is_paused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_switch_that_is_off_is_enough() {
        let switch = |is_paused| {
            Some(AutomationSwitch {
                tenant: TenantId::PLATFORM,
                is_paused,
                reason: String::new(),
                changed_by: String::new(),
                changed_at: Timestamp::from_micros(0),
            })
        };
        for (global, tenant, paused) in [
            (None, None, false),
            (switch(false), None, false),
            (switch(true), None, true),
            (None, switch(true), true),
            (switch(false), switch(true), true),
            (switch(true), switch(false), true),
            (switch(false), switch(false), false),
        ] {
            assert_eq!(AutomationSwitches { global, tenant }.is_paused(), paused);
        }
    }
}
