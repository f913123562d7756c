//! Which node does a name in a body mean?

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use super::file::File;
use super::owners::Owners;
use super::spelling::{passed, shadowed, used_as_call, written};
use super::{Kind, Node, covers, effects, types};
use crate::model::SourceFile;
use crate::rule::Ctx;
use crate::rules::intents::never;
use crate::scan::{ItemKind, PathUse, Seen, Tok};

/// Re-exports are followed this often; a longer chain is a loop.
const DEPTH: usize = 8;

/// Everything that has a name.
#[derive(Default)]
struct Index {
    /// By the whole path.
    paths: HashMap<String, Vec<usize>>,
    /// Last names that anything has: most identifiers end here.
    last: HashMap<String, Vec<usize>>,
    /// `pub use`: where the name stands, and what it leads to.
    exports: BTreeMap<String, Vec<String>>,
    /// Types by the names of fields that have them.
    fields: BTreeMap<String, Vec<String>>,
    /// Of each node that is a method: the name of its type, and whether it takes a transaction.
    methods: Vec<Option<(String, bool)>>,
    /// The crate of each node.
    crates: Vec<String>,
    /// Crates that are looked at.
    roots: BTreeSet<String>,
    /// Paths that were followed before, and where they ended.
    known: RefCell<HashMap<String, String>>,
}

/// Works out effects, calls and opened transactions of all nodes.
pub(super) fn connect(ctx: &Ctx<'_>, files: &[File<'_>], nodes: &mut [Node]) {
    let index = index(files, nodes);
    let open = &ctx.config.transactions.open;
    let open = [&open.read, &open.write, &open.lock]
        .into_iter()
        .flatten()
        .map(String::as_str);
    let telling: HashSet<&str> = open.chain(effects::words()).collect();
    let names = index.last.keys().map(String::as_str);
    let likely = Seen::of(names.chain(telling.iter().copied()));
    let never = never::read(ctx.config).unwrap_or_default();
    let places = places(nodes);
    for file in files {
        let own = places.get(&file.index).cloned().unwrap_or_default();
        let owners = Owners::new(file, nodes, own.clone());
        effects::note_texts(file, nodes, |at| owners.of(at));
        let globs = globs(file);
        for at in 0..file.source.tokens.list.len() {
            if file.source.tok(at) != Some(Tok::Ident) {
                continue;
            }
            let word = file.source.word(at);
            // Most identifiers end here.
            let macro_call = file.source.is(at + 1, b'!');
            if !likely.may_have(word) && !macro_call && !file.renamed.contains(word) {
                continue;
            }
            let known = index.last.contains_key(word) || file.renamed.contains(word) || macro_call;
            if !known && !telling.contains(word) {
                continue;
            }
            for owner in owners.of(at) {
                let Some(node) = nodes.get_mut(*owner) else {
                    continue;
                };
                effects::note(file, at, node);
                opened(ctx, file, at, node);
                if !known {
                    continue;
                }
                let found = index.called(file, &globs, at, node);
                let known = |call: &(usize, usize)| node.calls.iter().any(|(to, _)| *to == call.0);
                let new: Vec<_> = found
                    .into_iter()
                    .map(|to| (to, at))
                    .filter(|call| !known(call))
                    .collect();
                node.calls.extend(new);
            }
        }
        for (owner, node) in nodes.iter_mut().enumerate().take(own.end).skip(own.start) {
            node.calls.retain(|(to, _)| *to != owner);
            if !never.is_empty() {
                let paths = file.source.paths_in(node.body.clone());
                let own = paths.filter(|path| owners.of(path.tokens.start).contains(&owner));
                let real = |path: &PathUse| (path.tokens.start, index.real(&file.absolute(path)));
                let told = |name: &(usize, String)| never.iter().any(|path| never::is_under(&name.1, path));
                node.names = own.map(real).filter(told).collect();
            }
            let config = &ctx.config.transactions;
            effects::tables_of_macro(file, node, |word| {
                let names = config.facts.iter().chain(&config.interpretation);
                names.into_iter().any(|name| covers(name.as_ref(), word))
            });
        }
    }
    typed_closures(nodes, &places);
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
            node.calls.push((to, at));
        }
    }
}

fn index(files: &[File<'_>], nodes: &[Node]) -> Index {
    let mut index = Index::default();
    for (number, node) in nodes.iter().enumerate() {
        let last = node.path.rsplit("::").next().unwrap_or_default();
        index.paths.entry(node.path.clone()).or_default().push(number);
        index.last.entry(last.to_owned()).or_default().push(number);
        let holder = node.holder.as_deref().filter(|_| node.kind == Kind::Function);
        let name = holder.and_then(|holder| holder.rsplit("::").next());
        let method = name.map(|name| (name.to_owned(), !node.intents.is_empty()));
        index.methods.push(method);
        let krate = node.path.split("::").next().unwrap_or_default();
        index.crates.push(krate.to_owned());
    }
    for file in files {
        index.roots.insert(file.krate.clone());
        for path in file
            .source
            .paths()
            .iter()
            .filter(|path| path.import && path.public)
        {
            let at = path.tokens.start;
            let renamed = path.tokens.end >= 2 && file.source.word(path.tokens.end - 2) == "as";
            let last = path.segments.last().map_or("", String::as_str);
            let name = if renamed {
                file.source.word(path.tokens.end - 1)
            } else {
                last
            };
            let (from, to) = (format!("{}::{name}", file.module_at(at)), file.absolute(path));
            if from != to {
                index.exports.entry(from).or_default().push(to);
            }
        }
        for item in file.source.items() {
            if item.kind == ItemKind::Type
                && let Some(body) = item.body.clone()
            {
                for field in types::split(file.source, body) {
                    let kinds = field.words(file.source).map(str::to_owned);
                    if let Some(name) = field.names.last() {
                        index.fields.entry(name.clone()).or_default().extend(kinds);
                    }
                }
            }
        }
    }
    index
}

fn globs(file: &File<'_>) -> Vec<String> {
    let imports = file.source.paths().iter().filter(|path| path.import);
    imports
        .filter(|path| path.segments.last().is_some_and(|last| last == "*"))
        .map(|path| file.absolute(path).trim_end_matches("::*").to_owned())
        .collect()
}

/// Notes `.read(…)` when what it is given is a closure, or a function with that kind of transaction.
fn opened(ctx: &Ctx<'_>, file: &File<'_>, at: usize, node: &mut Node) {
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
        node.opens.push((intent, at));
    }
}

fn is_value(word: &str) -> bool {
    matches!(word, "true" | "false" | "self" | "mut")
}

impl Index {
    /// A path behind its re-exports.
    fn real(&self, path: &str) -> String {
        let root = path.split("::").next().unwrap_or_default();
        if !self.roots.contains(root) {
            return path.to_owned();
        }
        if let Some(known) = self.known.borrow().get(path) {
            return known.clone();
        }
        let mut real = path.to_owned();
        for _ in 0..DEPTH {
            let Some(next) = self.next(&real) else { break };
            real = next;
        }
        self.known.borrow_mut().insert(path.to_owned(), real.clone());
        real
    }

    fn next(&self, path: &str) -> Option<String> {
        if self.paths.contains_key(path) {
            return None;
        }
        let mut end = path.len();
        loop {
            let (head, tail) = path.split_at(end);
            if let Some(target) = self.exports.get(head).and_then(|targets| targets.first()) {
                return Some(format!("{target}{tail}"));
            }
            let module = head.rsplit_once("::")?.0;
            let rest = path.get(module.len()..)?;
            for glob in self.exports.get(&format!("{module}::*")).into_iter().flatten() {
                let through = format!("{}{rest}", glob.trim_end_matches("::*"));
                if self.paths.contains_key(&through) {
                    return Some(through);
                }
            }
            end = module.len();
        }
    }

    fn at(&self, path: &str) -> &[usize] {
        match self.paths.get(path) {
            Some(found) => found,
            None => self.paths.get(&self.real(path)).map_or(&[], Vec::as_slice),
        }
    }

    /// What the name at this token means; nothing when it is not ours.
    fn called(&self, file: &File<'_>, globs: &[String], at: usize, node: &Node) -> Vec<usize> {
        let source = file.source;
        let word = source.word(at);
        if source.is(at + 1, b'!') {
            return self.at(&format!("{}::{word}!", file.krate)).to_vec();
        }
        // A path is looked at where it ends.
        if source.is(at + 1, b':') && source.is(at + 2, b':') && !source.word(at + 3).is_empty() {
            return Vec::new();
        }
        let Some(namesakes) = self.last.get(word).filter(|found| !found.is_empty()) else {
            return self.exported(file, at);
        };
        if at > 0 && source.is(at - 1, b'.') {
            return self.method(source, namesakes, at, node);
        }
        let resolved = self.exported(file, at);
        if !resolved.is_empty() || source.paths_at(at).next().is_some() {
            return resolved;
        }
        let path = written(source, at);
        let bare = path.len() == 1;
        if bare && !used_as_call(source, at) && (!passed(source, at) || shadowed(source, node, word)) {
            return Vec::new();
        }
        let mut tries = Vec::new();
        if let (Some("Self"), Some(holder)) = (path.first().map(String::as_str), &node.holder) {
            let rest = path.get(1..).unwrap_or_default().join("::");
            tries.push(format!("{holder}::{rest}"));
        } else {
            tries.push(format!("{}::{}", node.module, path.join("::")));
            tries.extend(globs.iter().map(|glob| format!("{glob}::{}", path.join("::"))));
        }
        tries.iter().flat_map(|path| self.at(path)).copied().collect()
    }

    /// Through `use` lines, aliases and re-exports.
    fn exported(&self, file: &File<'_>, at: usize) -> Vec<usize> {
        let paths = file.source.paths_at(at).filter(|path| path.tokens.end == at + 1);
        paths
            .flat_map(|path| self.at(&file.absolute(path)))
            .copied()
            .collect()
    }

    /// `self.f(…)`, `x.f(tx)`, and `x.f(…)` where a field or parameter `x` has a type that is written down.
    fn method(&self, source: &SourceFile, namesakes: &[usize], at: usize, node: &Node) -> Vec<usize> {
        let receiver = at.checked_sub(2).map_or("", |receiver| source.word(receiver));
        let nested = at >= 3 && source.is(at - 3, b'.');
        if receiver == "self" && !nested {
            let holder = node.holder.as_deref().unwrap_or_default();
            return self.at(&format!("{holder}::{}", source.word(at))).to_vec();
        }
        let own = node.path.split("::").next().unwrap_or_default();
        let nameable = |method: &&usize| {
            let krate = self.crates.get(**method).map_or("", String::as_str);
            let is_method = self.methods.get(**method).is_some_and(Option::is_some);
            is_method && (krate == own || source.externs.iter().any(|name| name == krate))
        };
        let candidates: Vec<_> = namesakes.iter().filter(nameable).copied().collect();
        if candidates.is_empty() {
            return candidates;
        }
        let mut types: Vec<&str> = Vec::new();
        let parameters = types::parameters(source, node.signature.clone());
        if !receiver.is_empty() {
            let own = parameters
                .iter()
                .filter(|own| own.names.iter().any(|name| name == receiver));
            types.extend(own.flat_map(|own| own.words(source)));
            types.extend(
                self.fields
                    .get(receiver)
                    .into_iter()
                    .flatten()
                    .map(String::as_str),
            );
        }
        let close = source.closing(at + 1).unwrap_or(at);
        let alone = |at: usize| source.is(at + 1, b',') || at + 1 == close;
        let handle = |at: usize| node.handles.iter().any(|name| name == source.word(at));
        let handed = (at + 2..close).any(|at| handle(at) && alone(at));
        let fits = |method: &usize| {
            let method = self.methods.get(*method).and_then(Option::as_ref);
            method.is_some_and(|(holder, takes)| types.contains(&holder.as_str()) || handed && *takes)
        };
        candidates.into_iter().filter(fits).collect()
    }
}
