//! What does the gate say?

use crate::wire::wire_enum;

wire_enum! {
    /// What the gate says.
    Verdict {
        /// It becomes an Incident.
        Promote,
        /// Not now; a person has to say so later.
        Defer,
        /// It does not.
        Reject,
    }
}
