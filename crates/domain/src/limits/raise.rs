//! What is said about a limit that an override has raised?

use model::limit::Limit;
use model::time::Timestamp;
use model::window::Window;

use super::LimitReport;

/// The message code of a limit that would have been passed, had nobody raised it.
pub(super) const APPLIED: &str = "OVERRIDE_APPLIED";
/// The message code of a limit that refuses what it would have let pass while it was raised.
const EXPIRED: &str = "OVERRIDE_EXPIRED";

/// The warning that the request would have fitted, had the override of this window not ended.
pub(super) fn expired(
    limit: &Limit,
    window: Window,
    now: Timestamp,
    report: &LimitReport,
) -> Option<LimitReport> {
    let raise = limit.raise?;
    let after = report
        .settled
        .saturating_add(report.held)
        .saturating_add(report.requested);
    let is_lately = raise.until <= now && raise.until > window.start;
    (is_lately && after <= raise.max).then(|| LimitReport {
        message_code: EXPIRED,
        ..report.clone()
    })
}
