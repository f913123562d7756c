//! Migrations, the schema and both databases: the rules of `check-schema`.

use crate::rule::Rule;

/// The rules, in the order of their numbers.
pub(crate) const RULES: &[&'static dyn Rule] = &[];
