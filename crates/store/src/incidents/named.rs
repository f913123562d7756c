//! Which Incidents are there, whatever stands in their rows?

use std::collections::BTreeSet;

use diesel::prelude::*;
use model::id::{IncidentId, TenantId};

use crate::error::StoreResult;
use crate::rows::paging::beyond;
use crate::schema::{incident_events, incidents};
use crate::tx::Tx;

/// An Incident as its row names it: what somebody has written by hand need not be an id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Named {
    /// Whose.
    pub tenant: String,
    /// Which.
    pub incident: String,
}

impl Named {
    /// Whose and which it is; none if that is no id of ours.
    pub fn ids(&self) -> Option<(TenantId, IncidentId)> {
        let (tenant, incident) = self.tenant.parse().ok().zip(self.incident.parse().ok())?;
        // What is read otherwise than it stands there is found by nobody.
        (Self::from((tenant, incident)) == *self).then_some((tenant, incident))
    }
}

impl From<(TenantId, IncidentId)> for Named {
    fn from((tenant, incident): (TenantId, IncidentId)) -> Self {
        Self {
            tenant: tenant.to_string(),
            incident: incident.to_string(),
        }
    }
}

/// The next Incidents of all tenants, in the order of their ids: those that are stored, and those of which events alone
/// are left.
///
/// # Errors
/// What the database says.
pub fn after(tx: &mut impl Tx, last: Option<Named>, most: i64) -> StoreResult<Vec<Named>> {
    let last = last.map(|last| (last.tenant, last.incident));
    let stored = incidents::table
        .select((incidents::tenant_id, incidents::id))
        .order((incidents::tenant_id, incidents::id))
        .limit(most)
        .into_boxed();
    let stored = beyond!(stored, last.clone(), (incidents::tenant_id, incidents::id));
    let told = incident_events::table
        .select((incident_events::tenant_id, incident_events::incident_id))
        .distinct()
        .order((incident_events::tenant_id, incident_events::incident_id))
        .limit(most)
        .into_boxed();
    let told = beyond!(
        told,
        last,
        (incident_events::tenant_id, incident_events::incident_id)
    );
    let mut all: BTreeSet<(String, String)> = stored.load(tx.conn())?.into_iter().collect();
    all.extend(told.load::<(String, String)>(tx.conn())?);
    let next = all.into_iter().take(usize::try_from(most).unwrap_or(usize::MAX));
    Ok(next
        .map(|(tenant, incident)| Named { tenant, incident })
        .collect())
}
