//! What does a piece of source do to the database?

use super::file::File;
use super::sql::judge;
use super::{Deeds, Kind, Node};
use crate::scan::PathUse;

const WRITERS: [&str; 4] = [
    "insert_into",
    "insert_or_ignore_into",
    "replace_into",
    "save_changes",
];
const LOCKERS: [&str; 4] = ["for_update", "for_no_key_update", "for_share", "for_key_share"];
const READERS: [&str; 7] = [
    "load",
    "load_iter",
    "get_result",
    "get_results",
    "first",
    "internal_load",
    "query_by_index",
];
const EXECUTORS: [&str; 3] = ["execute", "batch_execute", "execute_returning_count"];
const WAITERS: [&str; 4] = ["await", "async", "block_on", "block_in_place"];

/// The words that show something by themselves.
pub(super) fn words<'a>() -> impl Iterator<Item = &'a str> {
    let lists: [&[&str]; 5] = [&WRITERS, &LOCKERS, &READERS, &EXECUTORS, &WAITERS];
    lists.into_iter().flatten().copied().chain(["update", "delete"])
}

/// Notes what the token shows.
pub(super) fn note(file: &File<'_>, at: usize, node: &Node, deeds: &mut Deeds) {
    let source = file.source;
    let word = source.word(at);
    if WAITERS.contains(&word) {
        deeds.does.waits.get_or_insert(at);
    }
    if !file.speaks_sql || !source.is(at + 1, b'(') && !source.is(at + 1, b':') {
        return;
    }
    let method = at > 0 && source.is(at - 1, b'.');
    let open = (at + 1..at + 24).find(|open| source.is(*open, b'('));
    if WRITERS.contains(&word) || changes(file, at) && !method {
        deeds.does.writes.get_or_insert(at);
        tables(file, at, node, deeds);
    } else if !method {
    } else if LOCKERS.contains(&word) {
        deeds.does.locks.get_or_insert(at);
    } else if EXECUTORS.contains(&word) && handed(file, open) {
        deeds.does.executes.get_or_insert(at);
    } else if READERS.contains(&word) && handed(file, open) {
        deeds.does.reads.get_or_insert(at);
    }
}

/// `diesel::update`, `diesel::delete`, under any name.
fn changes(file: &File<'_>, at: usize) -> bool {
    file.source.paths_at(at).any(|path| {
        let last = path.last();
        path.tokens.end == at + 1 && path.root() == "diesel" && matches!(last, "update" | "delete")
            || path.tokens.end == at + 1 && path.root() == "diesel" && WRITERS.contains(&last)
    })
}

/// Whether a call is handed a connection, as `Option::first` and atomics are not.
fn handed(file: &File<'_>, open: Option<usize>) -> bool {
    let source = file.source;
    let Some((open, close)) = open.and_then(|open| Some((open, source.closing(open)?))) else {
        return false;
    };
    let orders = ["Ordering", "Relaxed", "Acquire", "SeqCst"];
    let word = |at: usize| orders.contains(&source.word(at));
    close > open + 1 && !(open..close).any(word)
}

/// The tables in the arguments of a call that writes; all that the function names when the call names none.
fn tables(file: &File<'_>, at: usize, node: &Node, deeds: &mut Deeds) {
    let source = file.source;
    let open = (at + 1..at + 24).find(|open| source.is(*open, b'('));
    let close = open.and_then(|open| source.closing(open)).unwrap_or(at);
    let named = |range: std::ops::Range<usize>| -> Vec<(String, usize)> {
        let paths = source.paths_in(range);
        paths
            .filter_map(|path| Some((table_of(path)?, path.tokens.start)))
            .collect()
    };
    let mut found = named(at..close + 1);
    if found.is_empty() {
        found = named(node.body.clone());
    }
    for (table, at) in found {
        if !deeds.does.tables.iter().any(|(known, _)| *known == table) {
            deeds.does.tables.push((table, at));
        }
    }
}

/// `crate::schema::runs::table` is the table `runs`.
fn table_of(path: &PathUse) -> Option<String> {
    let position = |wanted: &str| path.segments().position(|segment| segment == wanted);
    let end = position("table").or_else(|| position("schema").map(|at| at + 2))?;
    path.segments().nth(end.checked_sub(1)?).map(str::to_owned)
}

/// Notes what the strings of a file say, each for the innermost node around it.
pub(super) fn note_texts<'o>(file: &File<'_>, deeds: &mut [Deeds], owners: impl Fn(usize) -> &'o [usize]) {
    if !file.speaks_sql {
        return;
    }
    for literal in file.source.literals() {
        let at = literal.tokens.start;
        for owner in owners(at) {
            let Some(deeds) = deeds.get_mut(*owner) else {
                continue;
            };
            let sql = judge(&literal.text);
            if sql.reads {
                deeds.does.reads.get_or_insert(at);
            }
            if sql.writes {
                deeds.does.writes.get_or_insert(at);
            }
            if sql.locks {
                deeds.does.locks.get_or_insert(at);
            }
            let tables = sql.tables.into_iter().filter(|table| !table.contains('\u{FFFC}'));
            deeds.does.tables.extend(tables.map(|table| (table, at)));
        }
    }
}

/// The tables that stand in the call of a macro that writes: `appended! { Pairs: pairs (one, other) }`.
pub(super) fn tables_of_macro(file: &File<'_>, node: &Node, deeds: &mut Deeds, known: impl Fn(&str) -> bool) {
    if node.kind != Kind::Text || !file.source.is(node.body.start + 1, b'!') {
        return;
    }
    for at in node.body.clone() {
        let word = file.source.word(at);
        if known(word) && !deeds.does.tables.iter().any(|(table, _)| table == word) {
            deeds.does.tables.push((word.to_owned(), at));
        }
    }
}
