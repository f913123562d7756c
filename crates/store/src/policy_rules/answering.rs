//! Which failures does a Policy Rule answer?

use std::collections::BTreeMap;

use diesel::prelude::*;
use model::id::{RuleId, SignatureId, TenantId};
use model::policy::RuleStatus;

use super::row::TABLE;
use crate::error::StoreResult;
use crate::schema::{policy_proposals, policy_rules};
use crate::tx::Tx;

/// The ACTIVE rules that were made from proposals for these failures; of several the newest.
///
/// # Errors
/// What the database says.
pub fn answering(
    tx: &mut impl Tx,
    tenant: TenantId,
    failures: &[SignatureId],
) -> StoreResult<BTreeMap<SignatureId, RuleId>> {
    let which: Vec<String> = failures.iter().map(ToString::to_string).collect();
    let rows: Vec<(Option<String>, String)> = policy_proposals::table
        .inner_join(
            policy_rules::table.on(policy_rules::tenant_id
                .eq(policy_proposals::tenant_id)
                .and(policy_rules::source_proposal_id.eq(policy_proposals::id.nullable()))),
        )
        .filter(policy_proposals::tenant_id.eq(tenant.to_string()))
        .filter(policy_proposals::signature_id.eq_any(which))
        .filter(policy_rules::status.eq(RuleStatus::Active.as_str()))
        .order(policy_rules::id)
        .select((policy_proposals::signature_id, policy_rules::id))
        .load(tx.conn())?;
    rows.into_iter()
        .map(|(signature, rule)| {
            let signature = TABLE.parse("signature_id", &signature.unwrap_or_default())?;
            Ok((signature, TABLE.parse("id", &rule)?))
        })
        .collect()
}
