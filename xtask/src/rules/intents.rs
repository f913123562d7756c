//! Does every transaction do what its intent says, and nothing else?

mod escape;
mod excess;
mod foreign;
mod graph;
mod missing;
mod nested;
mod never;
mod registry;
mod separate;
mod signature;
mod understated;

use crate::rule::{Ctx, Rule};

pub(super) use graph::sql::judge;

/// The rules, in the order of their numbers.
pub(crate) const RULES: &[&'static dyn Rule] = &[
    &registry::Registered,
    &missing::Missing,
    &signature::Signatures,
    &excess::Excess,
    &understated::Understated,
    &escape::Escapes,
    &nested::Nested,
    &foreign::Foreign,
    &separate::Separate,
];

/// Whether raw connections are at home in a module.
fn at_home(ctx: &Ctx<'_>, module: &str) -> bool {
    let inside = |home: &String| {
        module
            .strip_prefix(home)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    ctx.config.transactions.inside.iter().any(inside)
}
