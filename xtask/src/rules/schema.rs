//! Migrations, the schema and both databases: the rules of `check-schema`.

mod append_only;
mod columns;
mod diesel;
mod excepted;
mod frozen;
mod lookup;
mod readable;
mod same;
mod strict;
mod tables;
mod tenants;
mod vocabulary;

pub(crate) use frozen::released_facts;

use crate::rule::Rule;

/// The rules, in the order of their numbers.
pub(crate) const RULES: &[&'static dyn Rule] = &[
    &readable::Readable,
    &diesel::Mirrored,
    &same::Same,
    &vocabulary::Vocabularies,
    &tenants::Tenants,
    &append_only::AppendOnly,
    &lookup::Served,
    &columns::Exact,
    &strict::Strict,
    &frozen::Frozen,
];
