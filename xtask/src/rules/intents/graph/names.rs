//! What does each node do, and what does it call?

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use super::file::File;
use super::index::{Index, Names};
use super::owners::Owners;
use super::{Deeds, Hands, Kind, Node, covers, effects};
use crate::rule::Ctx;
use crate::rules::intents::never;
use crate::scan::{PathUse, Seen};

/// What is looked for in each file.
struct Sought<'a> {
    index: &'a Index<'a>,
    /// Words that show an effect by themselves.
    telling: HashSet<&'a str>,
    /// What any of the words may be: most identifiers end here.
    likely: Seen,
    never: Vec<String>,
}

/// Works out effects, calls and opened transactions of all nodes.
pub(super) fn connect(ctx: &Ctx<'_>, files: &[File<'_>], nodes: &mut [Node], hands: Hands) {
    let places = places(nodes);
    let done = {
        let index = Index::new(files, nodes, hands);
        let open = &ctx.config.transactions.open;
        let open = [&open.read, &open.write, &open.lock].into_iter().flatten();
        let telling: HashSet<&str> = open.map(String::as_str).chain(effects::words()).collect();
        let names = index.names().chain(index.macros());
        let likely = Seen::of(names.chain(telling.iter().copied()));
        let sought = Sought {
            index: &index,
            telling,
            likely,
            never: never::read(ctx.config).unwrap_or_default(),
        };
        let of_file = |file: &File<'_>| {
            let own = places.get(&file.index).cloned().unwrap_or_default();
            deeds(ctx, &sought, file, own.start, nodes.get(own).unwrap_or_default())
        };
        hands.each(files, of_file)
    };
    for (node, deeds) in nodes.iter_mut().zip(done.into_iter().flatten()) {
        node.deeds = deeds;
    }
    typed_closures(nodes, &places);
}

/// What the nodes of a file do; nothing is kept of those that do nothing. The first of them has the number `first`.
fn deeds(
    ctx: &Ctx<'_>,
    sought: &Sought<'_>,
    file: &File<'_>,
    first: usize,
    nodes: &[Node],
) -> Vec<Option<Box<Deeds>>> {
    let names = Names::new(sought.index, file);
    let owners = Owners::new(file, nodes);
    let mut done: Vec<_> = nodes.iter().map(|_| Deeds::default()).collect();
    let mut known: HashSet<(usize, usize)> = HashSet::new();
    effects::note_texts(file, &mut done, |at| owners.of(at));
    let mut likely = sought.likely.clone();
    likely.add(&Seen::of(file.renamed.iter().copied()));
    for at in file.source.tokens.list.idents() {
        let word = file.source.word(at);
        if !likely.may_have(word) {
            continue;
        }
        let macro_call = || file.source.is(at + 1, b'!') && sought.index.has_macro(word);
        let is_name = sought.index.has(word) || file.renamed.contains(word) || macro_call();
        if !is_name && !sought.telling.contains(word) {
            continue;
        }
        for owner in owners.of(at) {
            let Some((node, deeds)) = nodes.get(*owner).zip(done.get_mut(*owner)) else {
                continue;
            };
            effects::note(file, at, node, deeds);
            opened(ctx, file, at, deeds);
            if !is_name {
                continue;
            }
            for to in names.called(at, node) {
                if known.insert((*owner, to)) {
                    deeds.calls.push((to, at));
                }
            }
        }
    }
    for (owner, (node, deeds)) in nodes.iter().zip(&mut done).enumerate() {
        deeds.calls.retain(|(to, _)| *to != first + owner);
        if !sought.never.is_empty() {
            let paths = file.source.paths_in(node.body.clone());
            let own = paths.filter(|path| owners.of(path.tokens.start).contains(&owner));
            let real = |path: &PathUse| (path.tokens.start, names.real(&file.absolute(path)));
            let told =
                |name: &(usize, String)| sought.never.iter().any(|path| never::is_under(&name.1, path));
            deeds.names = own.map(real).filter(told).collect();
        }
        let config = &ctx.config.transactions;
        effects::tables_of_macro(file, node, deeds, |word| {
            let names = config.facts.iter().chain(&config.interpretation);
            names.into_iter().any(|name| covers(name.as_ref(), word))
        });
    }
    let kept = |deeds: Deeds| (deeds != Deeds::default()).then(|| Box::new(deeds));
    // A list of its own size: to collect in place would keep the room of all that is dropped.
    let mut all = Vec::with_capacity(nodes.len());
    all.extend(done.into_iter().map(kept));
    all
}

/// The nodes of each file, which lie together.
fn places(nodes: &[Node]) -> BTreeMap<usize, Range<usize>> {
    let mut places: BTreeMap<usize, Range<usize>> = BTreeMap::new();
    for (number, node) in nodes.iter().enumerate() {
        places.entry(node.file).or_insert(number..number).end = number + 1;
    }
    places
}

/// A function calls the closures in it that are given a transaction by name, and not by a method that opens one.
fn typed_closures(nodes: &mut [Node], places: &BTreeMap<usize, Range<usize>>) {
    let mut calls = Vec::new();
    for (index, closure) in nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.kind == Kind::Closure)
    {
        let own = places.get(&closure.file).cloned().unwrap_or_default();
        for (outer, node) in nodes.iter().enumerate().take(own.end).skip(own.start) {
            let around = node.kind == Kind::Function && node.body.contains(&closure.at);
            let opened = node
                .deeds()
                .opens
                .iter()
                .any(|(_, at)| closure.intents.iter().any(|(_, mark)| mark == at));
            if around && !opened {
                calls.push((outer, index, closure.at));
            }
        }
    }
    for (outer, to, at) in calls {
        if let Some(node) = nodes.get_mut(outer) {
            node.deeds.get_or_insert_default().calls.push((to, at));
        }
    }
}

/// Notes `.read(…)` when what it is given is a closure, or a function with that kind of transaction.
fn opened(ctx: &Ctx<'_>, file: &File<'_>, at: usize, deeds: &mut Deeds) {
    let source = file.source;
    let Some(intent) = super::opens(ctx, source.word(at)) else {
        return;
    };
    if at == 0 || !source.is(at - 1, b'.') || !source.is(at + 1, b'(') {
        return;
    }
    let Some(close) = source.closing(at + 1) else {
        return;
    };
    let closure = super::closures(source, at + 2..close).into_iter().next();
    let path = |at: usize| source.is(at, b':') || !source.word(at).is_empty() && !is_value(source.word(at));
    let named = close > at + 2 && (at + 2..close).all(path);
    let takes = closure.is_some_and(|closure| !closure.parameters.is_empty());
    if takes || named && !file.speaks_sql {
        deeds.opens.push((intent, at));
    }
}

fn is_value(word: &str) -> bool {
    matches!(word, "true" | "false" | "self" | "mut")
}
