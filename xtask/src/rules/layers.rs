//! Does every crate stay within its layer, and is the graph the one that was reviewed?

mod copies;
mod cycle;
mod drawing;
mod edge;
mod escape;
mod fence;
mod inventory;
mod lifted;
mod locked;
mod no_std;
mod outside;
mod reach;
mod table;

use crate::rule::Rule;

pub(crate) const RULES: &[&'static dyn Rule] = &[
    &edge::Edges,
    &table::Table,
    &inventory::Label,
    &inventory::Member,
    &inventory::Lints,
    &inventory::Name,
    &locked::Graph,
    &locked::Moved,
    &reach::Reached,
    &outside::Fenced,
    &fence::Fences,
    &cycle::Cycles,
    &escape::Escapes,
    &no_std::NoStd,
    &copies::Fences,
    &copies::Bans,
    &lifted::Lifted,
    &drawing::Drawing,
];
