//! What source and SQL may not say: the rules of `check-patterns`.

use crate::rule::Rule;

/// The rules, in the order of their numbers.
pub(crate) const RULES: &[&'static dyn Rule] = &[];
