//! Engines that decide the same twice: the rules of `check-determinism`.

use crate::rule::Rule;

/// The rules, in the order of their numbers.
pub(crate) const RULES: &[&'static dyn Rule] = &[];
