//! Which Policy Rules are there, are they what was decided, and how often were they triggered lately?

use model::id::TenantId;
use model::integrity::Integrity;
use model::policy::Rule;
use store::{Recent, StoreError, StoreResult};

pub use store::policy_rules::Shown;

use super::{Piece, Rows, readable, window_start};
use crate::context::Context;

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRow {
    /// The rule.
    pub rule: Rule,
    /// Whether it is what was decided; none if nobody knows.
    pub integrity: Option<Integrity>,
    /// How often it was triggered in the last 30 days, and when the last time.
    pub recent: Option<Recent>,
}

/// A piece of a tenant's own rules: those that were triggered last first, then the newest.
///
/// # Errors
/// What the database says.
pub async fn rules(
    cx: &Context,
    tenant: TenantId,
    shown: Shown,
    rows: Rows,
) -> Result<Piece<RuleRow>, StoreError> {
    let since = window_start(cx.clock.now());
    cx.db
        .read(move |tx| -> StoreResult<_> {
            let own = (tenant, tenant);
            let (page, total) = store::policy_rules::shown(tx, own, &shown, since, rows.part())?;
            let read = page.len();
            let page = readable(page);
            let ids: Vec<_> = page.iter().map(|rule| rule.id).collect();
            let found = store::policy_rules::found_of(tx, tenant, &ids)?;
            let recent = store::enforcements::recent(tx, own, &ids, since)?;
            let items = page.into_iter().map(|rule| RuleRow {
                integrity: found.get(&rule.id).map(|found| found.integrity),
                recent: recent.get(&rule.id).copied(),
                rule,
            });
            Ok(Piece::of(items.collect(), read, total, rows))
        })
        .await
}
