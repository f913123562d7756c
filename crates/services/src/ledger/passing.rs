//! What is known of a limit that was passed and let pass, until it is asked whether that is new?

use model::breach::Breach;
use model::time::Timestamp;

/// A breach that is recorded unless one was since then.
pub(super) struct Passing {
    pub(super) breach: Breach,
    pub(super) since: Timestamp,
    /// Whether an alert fires with it.
    pub(super) alert: bool,
    pub(super) correlation_id: String,
}
