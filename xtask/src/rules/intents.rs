//! Transactions that do what their intent says: the rules of `check-intents`.

use crate::rule::Rule;

/// The rules, in the order of their numbers.
pub(crate) const RULES: &[&'static dyn Rule] = &[];
