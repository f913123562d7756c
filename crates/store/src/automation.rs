//! May the product open Incidents by itself?

use diesel::prelude::*;
use model::automation::{AutomationSwitch, AutomationSwitches};
use model::id::TenantId;

use crate::dialect::upsert;
use crate::error::StoreResult;
use crate::rows::{Table, at};
use crate::schema::automation_switches;
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("automation_switches");

#[derive(Clone, Queryable, Insertable, AsChangeset)]
#[diesel(table_name = automation_switches, primary_key(tenant_id))]
struct Row {
    tenant_id: String,
    paused: bool,
    reason: String,
    changed_by: String,
    changed_at: i64,
}

/// The switches that count for a tenant.
///
/// # Errors
/// What the database says.
pub fn switches(tx: &mut impl Tx, tenant: TenantId) -> StoreResult<AutomationSwitches> {
    let owners = [TenantId::PLATFORM.to_string(), tenant.to_string()];
    let rows: Vec<Row> = automation_switches::table
        .filter(automation_switches::tenant_id.eq_any(owners))
        .load(tx.conn())?;
    let mut found = AutomationSwitches::default();
    for row in rows {
        let switch = AutomationSwitch {
            tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
            is_paused: row.paused,
            reason: row.reason,
            changed_by: row.changed_by,
            changed_at: at(row.changed_at),
        };
        if switch.tenant == TenantId::PLATFORM {
            found.global = Some(switch);
        } else {
            found.tenant = Some(switch);
        }
    }
    Ok(found)
}

/// Switches.
///
/// # Errors
/// What the database says.
pub fn switch(tx: &mut impl Writes, switch: &AutomationSwitch) -> StoreResult<()> {
    let row = Row {
        tenant_id: switch.tenant.to_string(),
        paused: switch.is_paused,
        reason: switch.reason.clone(),
        changed_by: switch.changed_by.clone(),
        changed_at: switch.changed_at.as_micros(),
    };
    let change = row.clone();
    upsert!(
        tx.conn(),
        automation_switches::table,
        row,
        automation_switches::tenant_id,
        change
    );
    Ok(())
}
