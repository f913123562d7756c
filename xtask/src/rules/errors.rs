//! Which layer emits which class of errors, and what leaves the API: the rules of `check-errors`.

use crate::rule::Rule;

/// The rules, in the order of their numbers.
pub(crate) const RULES: &[&'static dyn Rule] = &[];
