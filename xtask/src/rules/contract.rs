//! Words and shapes that clients rely on: the rules of `check-contract`.

mod breaking;
mod changelog;
mod committed;
mod frozen;
mod operations;
mod routes;
mod routing;
mod shapes;
mod terms;

pub(crate) use breaking::accept;

use crate::rule::Rule;

/// The rules, in the order of their numbers.
pub(crate) const RULES: &[&'static dyn Rule] = &[
    &committed::Committed,
    &operations::Complete,
    &terms::Terms,
    &frozen::Frozen,
    &breaking::Compatible,
    &routes::Authorised,
];
