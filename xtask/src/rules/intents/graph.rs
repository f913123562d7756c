//! Which functions and closures take a transaction, what do they do, and what do they call?
//!
//! Calls are found by name: paths through `use` lines and re-exports, names of the same module, `Self::f`, `self.f()`,
//! methods that are handed a transaction, and methods of a field or parameter whose type is written down. A call
//! through a trait object, a function in a variable, or a macro of another crate is not seen.

mod closures;
mod collect;
mod effects;
mod file;
mod index;
mod names;
mod owners;
mod spelling;
pub(in crate::rules) mod sql;
mod types;

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use crate::model::{SourceFile, Span, Workspace};
use crate::rule::{Ctx, Sink};

pub(super) use closures::closures;
pub(super) use file::renamed;

/// What a transaction promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Intent {
    Read,
    Write,
    Lock,
}

impl Intent {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Read => "READ_ONLY",
            Self::Write => "ATOMIC_WRITE",
            Self::Lock => "LOCKED_MUTATION",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Function,
    /// A closure that is given a transaction.
    Closure,
    /// A constant, type or macro with SQL in it.
    Text,
}

/// A piece of source that does something.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// `store::runs::insert`; a closure has its function's path and the method that runs it.
    pub(super) path: String,
    /// Index of its file in the workspace.
    pub(super) file: usize,
    /// The token to point at.
    pub(super) at: usize,
    /// Parameters and what else stands before the body.
    pub(super) signature: Range<usize>,
    pub(super) body: Range<usize>,
    /// Its transactions, with the tokens that say so.
    pub(super) intents: Vec<(Intent, usize)>,
    /// What its transactions are called.
    pub(super) handles: Vec<String>,
    pub(super) is_async: Option<usize>,
    /// The module, and the type whose method it is.
    pub(super) module: Arc<str>,
    pub(super) holder: Option<Arc<str>>,
    /// Most nodes do nothing of interest, and a large workspace has a hundred thousand.
    deeds: Option<Box<Deeds>>,
}

/// What a node does and calls.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Deeds {
    pub(super) does: Effects,
    /// Calls of other nodes, with the tokens.
    pub(super) calls: Vec<(usize, usize)>,
    /// Transactions that it opens, with the tokens.
    pub(super) opens: Vec<(Intent, usize)>,
    /// Paths that no transaction may name and that it names, resolved, with the tokens.
    pub(super) names: Vec<(usize, String)>,
}

static NOTHING: Deeds = Deeds {
    does: Effects {
        reads: None,
        writes: None,
        locks: None,
        executes: None,
        waits: None,
        tables: Vec::new(),
    },
    calls: Vec::new(),
    opens: Vec::new(),
    names: Vec::new(),
};

impl Node {
    pub(super) fn intent(&self) -> Option<Intent> {
        self.intents.iter().map(|(intent, _)| *intent).max()
    }

    pub(super) fn deeds(&self) -> &Deeds {
        self.deeds.as_deref().unwrap_or(&NOTHING)
    }
}

/// What a node does by itself: the first token that shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Effects {
    pub(super) reads: Option<usize>,
    pub(super) writes: Option<usize>,
    pub(super) locks: Option<usize>,
    /// Carries a statement out.
    pub(super) executes: Option<usize>,
    /// Waits or spawns: `async`, `.await`, `block_on`.
    pub(super) waits: Option<usize>,
    /// Tables that it writes.
    pub(super) tables: Vec<(String, usize)>,
}

#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    callers: Vec<BTreeSet<usize>>,
    /// Files that were looked at, by crate.
    pub(super) files: Vec<usize>,
}

impl Graph {
    /// The graph of the workspace, made once for all rules; none when the rule file names no crate that speaks SQL.
    pub(super) fn of<'a>(ctx: &Ctx<'a>, out: &mut Sink<'_>) -> Option<&'a Self> {
        if ctx.config.transactions.krate.is_empty() {
            out.off("the rule file has no [transactions] with a crate");
            return None;
        }
        Some(Self::shared(ctx))
    }

    pub(super) fn shared<'a>(ctx: &Ctx<'a>) -> &'a Self {
        ctx.workspace.shared.get(|| Self::new(ctx, Hands::One))
    }

    /// Makes the graph on all cores before anybody asks for it. Whoever asks later may be waited for.
    pub(super) fn ahead(ctx: &Ctx<'_>) {
        if !ctx.config.transactions.krate.is_empty() {
            let graph = Self::new(ctx, Hands::All);
            ctx.workspace.shared.get(|| graph);
        }
    }

    fn new(ctx: &Ctx<'_>, hands: Hands) -> Self {
        let files = files(ctx);
        let read = hands.each(&files, |index| file::File::new(ctx, *index));
        let read: Vec<_> = read.into_iter().flatten().collect();
        let types = types::Types::new(ctx, &read);
        let found = hands.each(&read, |file| collect::nodes(ctx, &types, file));
        let mut nodes = Vec::with_capacity(found.iter().map(Vec::len).sum());
        nodes.extend(found.into_iter().flatten());
        names::connect(ctx, &read, &mut nodes, hands);
        let mut callers = vec![BTreeSet::new(); nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            for (to, _) in &node.deeds().calls {
                if let Some(callers) = callers.get_mut(*to) {
                    callers.insert(index);
                }
            }
        }
        Self {
            nodes,
            callers,
            files,
        }
    }

    /// Functions and closures that take a transaction.
    pub(super) fn transactions(&self) -> impl Iterator<Item = (usize, &Node)> {
        let all = self.nodes.iter().enumerate();
        all.filter(|(_, node)| !node.intents.is_empty() && node.kind != Kind::Text)
    }

    pub(super) fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index)
    }

    /// The shortest way from a node to one of which something is true: the calls on it, the last node last.
    pub(super) fn way(&self, from: usize, is_goal: impl Fn(&Node) -> bool) -> Option<Way> {
        let mut seen = BTreeSet::from([from]);
        let mut queue = VecDeque::from([(from, Vec::new())]);
        while let Some((index, steps)) = queue.pop_front() {
            let node = self.node(index)?;
            if is_goal(node) {
                return Some(Way { end: index, steps });
            }
            for (to, at) in &node.deeds().calls {
                if seen.insert(*to) {
                    let mut longer = steps.clone();
                    longer.push((index, *at));
                    queue.push_back((*to, longer));
                }
            }
        }
        None
    }

    pub(super) fn does(&self, from: usize, is_goal: impl Fn(&Node) -> bool) -> bool {
        self.way(from, is_goal).is_some()
    }

    /// A node and everything that it calls, directly or not.
    pub(super) fn below(&self, index: usize) -> BTreeSet<usize> {
        let mut seen = BTreeSet::from([index]);
        let mut open = vec![index];
        while let Some(node) = open.pop().and_then(|at| self.node(at)) {
            for (to, _) in &node.deeds().calls {
                if seen.insert(*to) {
                    open.push(*to);
                }
            }
        }
        seen
    }

    /// Everything that calls a node, directly or not.
    pub(super) fn above(&self, index: usize) -> BTreeSet<usize> {
        let mut seen = BTreeSet::new();
        let mut open = vec![index];
        while let Some(at) = open.pop() {
            for caller in self.callers_of(at) {
                if seen.insert(caller) {
                    open.push(caller);
                }
            }
        }
        seen
    }

    pub(super) fn callers_of(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        self.callers.get(index).into_iter().flatten().copied()
    }

    pub(super) fn span(&self, workspace: &Workspace, index: usize, at: usize) -> Span {
        self.file(workspace, index)
            .map_or_else(Span::default, |file| file.span(at))
    }

    pub(super) fn file<'a>(&self, workspace: &'a Workspace, index: usize) -> Option<&'a SourceFile> {
        workspace.sources.get(self.node(index)?.file)
    }
}

/// Who works on the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hands {
    /// The caller alone: what is worked out for all who wait must not wait for them.
    One,
    All,
}

impl Hands {
    /// Something of each, in their order.
    fn each<T: Sync, R: Send>(self, all: &[T], make: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
        match self {
            Self::One => all.iter().map(make).collect(),
            Self::All => all.par_iter().map(make).collect(),
        }
    }
}

/// How one gets from a node to another.
pub(super) struct Way {
    pub(super) end: usize,
    /// Nodes and the tokens of their calls.
    pub(super) steps: Vec<(usize, usize)>,
}

impl Way {
    /// `through a, b` for people; empty for a node that does it by itself.
    pub(super) fn told(&self, graph: &Graph) -> String {
        let inner = self.steps.iter().skip(1).map(|(node, _)| *node);
        let names: Vec<_> = inner
            .chain((!self.steps.is_empty()).then_some(self.end))
            .filter_map(|node| graph.node(node))
            .filter(|node| node.kind != Kind::Text)
            .map(|node| format!("`{}`", node.path))
            .collect();
        if names.is_empty() {
            String::new()
        } else {
            format!(", through {}", names.join(", "))
        }
    }

    /// Where the way leaves its first node.
    pub(super) fn leaves_at(&self) -> Option<usize> {
        self.steps.first().map(|(_, at)| *at)
    }
}

/// The transaction that a method of this name gives out.
fn opens(ctx: &Ctx<'_>, method: &str) -> Option<Intent> {
    let open = &ctx.config.transactions.open;
    let is = |names: &[String]| names.iter().any(|name| name == method);
    match method {
        _ if is(&open.lock) => Some(Intent::Lock),
        _ if is(&open.write) => Some(Intent::Write),
        _ if is(&open.read) => Some(Intent::Read),
        _ => None,
    }
}

/// Product files of the crate that speaks SQL and of every crate that uses it.
fn files(ctx: &Ctx<'_>) -> Vec<usize> {
    let store = &ctx.config.transactions.krate;
    let concerned = |name: &str| {
        let krate = ctx.workspace.krate(name);
        name == store
            || krate.is_some_and(|krate| {
                krate
                    .inside()
                    .any(|edge| edge.to == *store && is_product(edge.kind))
            })
    };
    let all = ctx.workspace.sources.iter().enumerate();
    all.filter(|(_, file)| !file.is_test_file() && concerned(&file.krate))
        .map(|(index, _)| index)
        .collect()
}

fn is_product(kind: crate::model::Kind) -> bool {
    kind != crate::model::Kind::Dev
}

/// Whether a name of the rule file, with or without `*` at its end, means this table.
pub(super) fn covers(name: &str, table: &str) -> bool {
    match name.strip_suffix('*') {
        Some(start) => table.starts_with(start),
        None => name == table,
    }
}

/// The module of a file, from the crate on.
pub(super) fn module_of(ctx: &Ctx<'_>, file: &SourceFile) -> String {
    let krate = ctx
        .workspace
        .krate(&file.krate)
        .map(|krate| krate.lib_name.clone());
    let modules = file.module.iter().cloned();
    krate.into_iter().chain(modules).collect::<Vec<_>>().join("::")
}
