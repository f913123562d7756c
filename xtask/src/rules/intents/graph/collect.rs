//! Which functions, closures and texts of SQL does a file have?

use std::collections::BTreeSet;
use std::ops::Range;

use super::closures::{Closure, closures};
use super::file::File;
use super::types::{Types, parameters};
use super::{Intent, Kind, Node};
use crate::model::SourceFile;
use crate::rule::Ctx;
use crate::scan::{Item, ItemKind};

/// What the file has.
pub(super) fn nodes(ctx: &Ctx<'_>, types: &Types, file: &File<'_>) -> Vec<Node> {
    let source = file.source;
    let functions = source
        .items()
        .iter()
        .filter(|item| item.kind == ItemKind::Function);
    let mut nodes = Vec::with_capacity(functions.count());
    let types = Some(types).filter(|types| types.concern(source));
    for item in source.items() {
        if source.in_tests(item.extent.start) {
            continue;
        }
        match item.kind {
            ItemKind::Function => function(ctx, types, file, item, &mut nodes),
            ItemKind::Constant if file.speaks_sql => text(file, item, &mut nodes),
            _ => {}
        }
    }
    if file.speaks_sql {
        macros(file, &mut nodes);
    }
    nodes
}

fn node(file: &File<'_>, kind: Kind, path: String, at: usize, body: Range<usize>) -> Node {
    Node {
        kind,
        path,
        file: file.index,
        at,
        signature: at..at,
        module: file.module_at(at),
        body,
        intents: Vec::new(),
        handles: Vec::new(),
        is_async: None,
        holder: None,
        deeds: None,
    }
}

/// `types` are given where the file may name one of them.
fn function(ctx: &Ctx<'_>, types: Option<&Types>, file: &File<'_>, item: &Item, nodes: &mut Vec<Node>) {
    let source = file.source;
    let at = item.extent.start + 1;
    let body = item.body.clone().unwrap_or(item.extent.end..item.extent.end);
    let signature = at..body.start.min(item.extent.end);
    let mut own = node(file, Kind::Function, file.path_of(item), at, body.clone());
    let back = at.saturating_sub(6);
    own.is_async = (back..at)
        .rev()
        .take_while(|before| !source.is(*before, b';') && !source.is(*before, b'}'))
        .find(|before| source.word(*before) == "async");
    own.holder = holder(file, item).map(Into::into);
    if let Some(types) = types {
        for parameter in parameters(source, signature.clone()) {
            if let Some(found) = types.of(file, &parameter) {
                own.intents.push(found);
                own.handles.extend(parameter.names);
            }
        }
    }
    own.signature = signature;
    let (path, holder) = (own.path.clone(), own.holder.clone());
    nodes.push(own);
    let mut counts = [0_usize; 3];
    for closure in closures(source, body) {
        let opened = opener(ctx, source, closure.start);
        let declared = types.and_then(|types| closure_parameters(types, file, &closure));
        let known = declared.as_ref().map(|(intent, mark, _)| (*intent, *mark));
        let Some((intent, mark)) = opened.or(known) else {
            continue;
        };
        let count =
            counts.get_mut(usize::from(intent == Intent::Write) + 2 * usize::from(intent == Intent::Lock));
        let number = count.map_or(1, |count| {
            *count += 1;
            *count
        });
        let name = match number {
            1 => format!("{path}{{{}}}", intent.word()),
            _ => format!("{path}{{{} {number}}}", intent.word()),
        };
        let mut inner = node(file, Kind::Closure, name, closure.start, closure.body.clone());
        inner.signature = closure.start..closure.body.start;
        inner.intents.push((intent, mark));
        inner.handles = match declared {
            Some((_, _, names)) => names,
            None => first_name(source, closure.parameters.clone()),
        };
        inner.holder.clone_from(&holder);
        nodes.push(inner);
    }
}

fn holder(file: &File<'_>, item: &Item) -> Option<String> {
    let around = file.source.items().iter().filter(|outer| {
        matches!(outer.kind, ItemKind::Impl | ItemKind::Trait)
            && outer.extent.contains(&item.extent.start)
            && outer.extent != item.extent
    });
    around
        .max_by_key(|outer| outer.extent.start)
        .map(|outer| file.path_of(outer))
}

/// The method that gives a transaction to the closure that starts here: `.read(|tx| …)`, `.batcher(Arc::new(|tx, c| …))`.
fn opener(ctx: &Ctx<'_>, source: &SourceFile, start: usize) -> Option<(Intent, usize)> {
    let mut at = start;
    for _ in 0..3 {
        let open = at.checked_sub(1).filter(|open| source.is(*open, b'('))?;
        let name = open.checked_sub(1)?;
        let method = name > 0 && source.is(name - 1, b'.');
        if method {
            return super::opens(ctx, source.word(name)).map(|intent| (intent, name));
        }
        // `Arc::new(`, `Box::new(` around the closure.
        if !matches!(source.word(name), "new" | "from") {
            return None;
        }
        at = name;
        while at > 0 && (source.is(at - 1, b':') || !source.word(at - 1).is_empty()) {
            at -= 1;
        }
    }
    None
}

fn closure_parameters(
    types: &Types,
    file: &File<'_>,
    closure: &Closure,
) -> Option<(Intent, usize, Vec<String>)> {
    super::types::split(file.source, closure.parameters.clone())
        .into_iter()
        .find_map(|parameter| {
            let (intent, mark) = types.of(file, &parameter)?;
            Some((intent, mark, parameter.names))
        })
}

fn first_name(source: &SourceFile, parameters: Range<usize>) -> Vec<String> {
    let mut words = parameters.map(|at| source.word(at));
    words
        .find(|word| !matches!(*word, "" | "mut" | "ref"))
        .map(|word| vec![word.to_owned()])
        .unwrap_or_default()
}

/// A constant with a string in it; that of a type's impl is found by the type too.
fn text(file: &File<'_>, item: &Item, nodes: &mut Vec<Node>) {
    let body = item.extent.clone();
    let has_text = file
        .source
        .literals()
        .iter()
        .any(|literal| body.contains(&literal.tokens.start));
    if !has_text {
        return;
    }
    let at = body.start + 1;
    nodes.push(node(file, Kind::Text, file.path_of(item), at, body.clone()));
    if let Some(holder) = holder(file, item) {
        nodes.push(node(file, Kind::Text, holder, at, body));
    }
}

/// Macros by example, and what is declared by macros between the items: each name in capitals is a type.
fn macros(file: &File<'_>, nodes: &mut Vec<Node>) {
    let source = file.source;
    let inside = |at: usize| {
        let mut items = source.items().iter();
        items.any(|item| item.kind == ItemKind::Function && item.extent.contains(&at))
    };
    for at in 1..source.tokens.list.len() {
        if !source.is(at, b'!') || source.word(at - 1).is_empty() || source.in_tests(at) {
            continue;
        }
        let definition = source.word(at - 1) == "macro_rules";
        let open = if definition { at + 2 } else { at + 1 };
        let Some(close) = source.closing(open) else {
            continue;
        };
        if definition {
            let path = format!("{}::{}!", file.krate, source.word(at + 1));
            nodes.push(node(file, Kind::Text, path, at + 1, open + 1..close));
        } else if !inside(at) && source.is(open, b'{') {
            let module = file.module_at(at);
            let mut known = BTreeSet::new();
            for name in (open + 1..close).filter(|name| source.word(*name).starts_with(char::is_uppercase)) {
                // Whoever says a name twice means the same: every column of a table has a type.
                if known.insert(source.word(name)) {
                    let path = format!("{module}::{}", source.word(name));
                    // The whole call: the macro is named in it, and so are its tables.
                    nodes.push(node(file, Kind::Text, path, name, at - 1..close));
                }
            }
        }
    }
}
