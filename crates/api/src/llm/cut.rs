//! What is said of an LLM Run that a limit has cut off?

use model::id::LimitId;

/// The word for an LLM Run that a limit has cut off.
pub(super) const WORD: &str = "threshold_cut_off";

/// Which limit has cut an LLM Run off.
pub(super) fn told(limit: Option<(LimitId, &str)>) -> String {
    let which = limit.map_or(String::new(), |(id, name)| format!(" `{name}` ({id})"));
    format!("Threshold exceeded: the limit{which} has cut the LLM Run off, because it took too long.")
}
