//! What do Incidents have in common?

use crate::wire::wire_enum;

wire_enum! {
    "snake_case";
    /// What many Incidents have in common.
    PatternType {
        /// They are of one category.
        CategoryCluster,
        /// They are severe, and came within an hour.
        SeveritySpike,
        /// They come from one LLM Run.
        CascadeFailure,
    }
}

wire_enum! {
    /// How alike two Incidents are, from hardly to much.
    Similarity {
        /// They are of one category.
        Category,
        /// They are the same failure, with another input.
        Family,
        /// They are the same failure.
        Failure,
    }
}

wire_enum! {
    "snake_case";
    /// What can be learned from Incidents.
    InsightType {
        /// What keeps it from happening again.
        Prevention,
        /// What to watch.
        Detection,
        /// What helped.
        Response,
    }
}
