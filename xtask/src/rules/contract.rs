//! Words and shapes that clients rely on: the rules of `check-contract`.

use crate::rule::Rule;

/// The rules, in the order of their numbers.
pub(crate) const RULES: &[&'static dyn Rule] = &[];
