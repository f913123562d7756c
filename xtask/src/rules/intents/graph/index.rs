//! Which node does a name in a body mean?

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::file::File;
use super::spelling::{passed, shadowed, used_as_call, written};
use super::{Hands, Kind, Node, types};
use crate::model::SourceFile;
use crate::scan::{ItemKind, first as first_of, last as last_of};

/// Re-exports are followed this often; a longer chain is a loop.
const DEPTH: usize = 8;

/// Everything that has a name.
pub(super) struct Index<'a> {
    nodes: &'a [Node],
    /// The first node of each whole path.
    paths: HashMap<&'a str, usize>,
    /// The next node that has the same path.
    next: Vec<Option<usize>>,
    /// By their last names: most identifiers are none.
    last: HashMap<&'a str, Vec<usize>>,
    /// Names of macros by example.
    macros: BTreeSet<&'a str>,
    /// `pub use`: where the name stands, and what it leads to.
    exports: BTreeMap<String, Vec<String>>,
    /// Types by the names of fields that have them.
    fields: HashMap<String, BTreeSet<&'a str>>,
    /// Crates that are looked at.
    roots: BTreeSet<&'a str>,
}

/// What one file adds to the index.
type Added<'a> = (Vec<(String, String)>, Vec<(String, Vec<&'a str>)>);

impl<'a> Index<'a> {
    pub(super) fn new(files: &'a [File<'_>], nodes: &'a [Node], hands: Hands) -> Self {
        let mut index = Self {
            nodes,
            paths: HashMap::with_capacity(nodes.len()),
            next: vec![None; nodes.len()],
            last: HashMap::new(),
            macros: BTreeSet::new(),
            exports: BTreeMap::new(),
            fields: HashMap::new(),
            roots: files.iter().map(|file| file.krate.as_str()).collect(),
        };
        // From the last to the first, so that nodes of one path follow each other in their order.
        for (number, (node, next)) in nodes.iter().zip(&mut index.next).enumerate().rev() {
            *next = index.paths.insert(&node.path, number);
        }
        for (number, node) in nodes.iter().enumerate() {
            let last = last_of(&node.path);
            index.last.entry(last).or_default().push(number);
            index.macros.extend(last.strip_suffix('!'));
        }
        let added: Vec<Added<'a>> = hands.each(files, |file| (exports(file), fields(file)));
        for (exports, fields) in added {
            for (from, to) in exports {
                index.exports.entry(from).or_default().push(to);
            }
            for (name, kinds) in fields {
                index.fields.entry(name).or_default().extend(kinds);
            }
        }
        index
    }

    /// Last names of everything.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.last.keys().copied()
    }

    /// Whether a macro has this name.
    pub(super) fn has_macro(&self, name: &str) -> bool {
        self.macros.contains(name)
    }

    /// Names of macros.
    pub(super) fn macros(&self) -> impl Iterator<Item = &str> {
        self.macros.iter().copied()
    }

    /// Whether anything has this last name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.last.contains_key(name)
    }

    /// A step behind re-exports.
    fn behind(&self, path: &str) -> Option<String> {
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
                if self.paths.contains_key(through.as_str()) {
                    return Some(through);
                }
            }
            end = module.len();
        }
    }

    /// The nodes of this very path.
    fn named(&self, path: &str) -> impl Iterator<Item = usize> {
        let first = self.paths.get(path).copied();
        std::iter::successors(first, |number| self.next.get(*number).copied().flatten())
    }
}

fn exports(file: &File<'_>) -> Vec<(String, String)> {
    let public = file.source.imports().iter().filter(|path| path.public);
    let export = public.map(|path| {
        let at = path.tokens.start;
        let renamed = path.tokens.end >= 2 && file.source.word(path.tokens.end - 2) == "as";
        let last = path.last();
        let name = if renamed {
            file.source.word(path.tokens.end - 1)
        } else {
            last
        };
        (format!("{}::{name}", file.module_at(at)), file.absolute(path))
    });
    export.filter(|(from, to)| from != to).collect()
}

fn fields<'a>(file: &File<'a>) -> Vec<(String, Vec<&'a str>)> {
    let items = file.source.items().iter();
    let types = items.filter(|item| item.kind == ItemKind::Type);
    let fields = types
        .filter_map(|item| item.body.clone())
        .flat_map(|body| types::split(file.source, body));
    fields
        .filter_map(|field| {
            let kinds = field.words(file.source).collect();
            Some((field.names.last()?.clone(), kinds))
        })
        .collect()
}

fn globs(file: &File<'_>) -> Vec<String> {
    let imports = file.source.imports().iter();
    imports
        .filter(|path| path.last() == "*")
        .map(|path| file.absolute(path).trim_end_matches("::*").to_owned())
        .collect()
}

/// Names as one file says them.
pub(super) struct Names<'i, 'f> {
    index: &'i Index<'i>,
    file: &'i File<'f>,
    /// Modules that it brings in as a whole.
    globs: Vec<String>,
    /// Paths that were followed before, and where they ended.
    known: RefCell<HashMap<String, Arc<str>>>,
}

impl<'i, 'f> Names<'i, 'f> {
    pub(super) fn new(index: &'i Index<'i>, file: &'i File<'f>) -> Self {
        Self {
            index,
            file,
            globs: globs(file),
            known: RefCell::default(),
        }
    }

    /// A path behind its re-exports.
    pub(super) fn real(&self, path: &str) -> String {
        if !self.index.roots.contains(first_of(path)) {
            return path.to_owned();
        }
        if let Some(known) = self.known.borrow().get(path) {
            return known.as_ref().to_owned();
        }
        let mut real = path.to_owned();
        for _ in 0..DEPTH {
            let Some(next) = self.index.behind(&real) else {
                break;
            };
            real = next;
        }
        self.known
            .borrow_mut()
            .insert(path.to_owned(), real.as_str().into());
        real
    }

    fn at(&self, path: &str) -> Vec<usize> {
        let found: Vec<_> = self.index.named(path).collect();
        if found.is_empty() {
            self.index.named(&self.real(path)).collect()
        } else {
            found
        }
    }

    /// What the name at this token means; nothing when it is not ours.
    pub(super) fn called(&self, at: usize, node: &Node) -> Vec<usize> {
        let (file, source) = (self.file, self.file.source);
        let word = source.word(at);
        if source.is(at + 1, b'!') {
            return self.at(&format!("{}::{word}!", file.krate));
        }
        // A path is looked at where it ends.
        if source.is(at + 1, b':') && source.is(at + 2, b':') && !source.word(at + 3).is_empty() {
            return Vec::new();
        }
        let Some(namesakes) = self.index.last.get(word).filter(|found| !found.is_empty()) else {
            return self.exported(at);
        };
        if at > 0 && source.is(at - 1, b'.') {
            return self.method(source, namesakes, at, node);
        }
        let resolved = self.exported(at);
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
            tries.extend(
                self.globs
                    .iter()
                    .map(|glob| format!("{glob}::{}", path.join("::"))),
            );
        }
        tries.iter().flat_map(|path| self.at(path)).collect()
    }

    /// Through `use` lines, aliases and re-exports.
    fn exported(&self, at: usize) -> Vec<usize> {
        let file = self.file;
        let paths = file.source.paths_at(at).filter(|path| path.tokens.end == at + 1);
        paths.flat_map(|path| self.at(&file.absolute(path))).collect()
    }

    /// `self.f(…)`, `x.f(tx)`, and `x.f(…)` where a field or parameter `x` has a type that is written down.
    fn method(&self, source: &SourceFile, namesakes: &[usize], at: usize, node: &Node) -> Vec<usize> {
        let receiver = at.checked_sub(2).map_or("", |receiver| source.word(receiver));
        let nested = at >= 3 && source.is(at - 3, b'.');
        if receiver == "self" && !nested {
            let holder = node.holder.as_deref().unwrap_or_default();
            return self.at(&format!("{holder}::{}", source.word(at)));
        }
        let own = first_of(&node.path);
        let nameable = |(_, method): &(usize, &Node)| {
            let krate = first_of(&method.path);
            let is_method = method.kind == Kind::Function && method.holder.is_some();
            is_method && (krate == own || source.externs.iter().any(|name| name == krate))
        };
        let namesakes = namesakes
            .iter()
            .filter_map(|number| Some((*number, self.index.nodes.get(*number)?)));
        let candidates: Vec<_> = namesakes.filter(nameable).collect();
        if candidates.is_empty() {
            return Vec::new();
        }
        let mut types: Vec<&str> = Vec::new();
        if !receiver.is_empty() {
            let parameters = types::parameters(source, node.signature.clone());
            let own = parameters
                .iter()
                .filter(|own| own.names.iter().any(|name| name == receiver));
            types.extend(own.flat_map(|own| own.words(source)));
            types.extend(self.index.fields.get(receiver).into_iter().flatten());
        }
        let close = source.closing(at + 1).unwrap_or(at);
        let alone = |at: usize| source.is(at + 1, b',') || at + 1 == close;
        let handle = |at: usize| node.handles.iter().any(|name| name == source.word(at));
        let handed = (at + 2..close).any(|at| handle(at) && alone(at));
        let fits = |(_, method): &(usize, &Node)| {
            let holder = method.holder.as_deref().map_or("", last_of);
            types.contains(&holder) || handed && !method.intents.is_empty()
        };
        let fitting = candidates.into_iter().filter(fits);
        fitting.map(|(number, _)| number).collect()
    }
}
