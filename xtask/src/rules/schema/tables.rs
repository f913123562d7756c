//! Which tables does a file with Diesel's `table!` have?

use std::ops::Range;

use crate::model::SourceFile;
use crate::scan::{Tok, Words};

/// A `table!`, with token ranges for places.
pub(super) struct DieselTable {
    /// What SQL calls it.
    pub(super) name: String,
    pub(super) place: Range<usize>,
    pub(super) key: Vec<String>,
    pub(super) columns: Vec<DieselColumn>,
}

pub(super) struct DieselColumn {
    pub(super) name: String,
    pub(super) type_: String,
    pub(super) nullable: bool,
    pub(super) place: Range<usize>,
}

/// Every `table!` of the file, whatever path it is called by; what is not understood is the token to blame.
pub(super) fn tables(file: &SourceFile, words: &Words) -> Result<Vec<DieselTable>, usize> {
    let mut found = Vec::new();
    for at in file.hits(words, "table") {
        if !file.is(at + 1, b'!') || file.in_tests(at) {
            continue;
        }
        let Some(close) = file.closing(at + 2) else {
            continue;
        };
        found.push(table(file, at + 3, close)?);
    }
    Ok(found)
}

/// `name (key, …) { column -> Type, … }`.
fn table(file: &SourceFile, start: usize, end: usize) -> Result<DieselTable, usize> {
    let mut at = start;
    // `use` lines bring types in.
    while file.word(at) == "use" && at < end {
        while at < end && !file.is(at, b';') {
            at += 1;
        }
        at += 1;
    }
    let renamed = attributes(file, &mut at, "sql_name");
    let mut place = at..at + 1;
    // `schema.name`.
    while file.is(at + 1, b'.') {
        at += 2;
        place = at..at + 1;
    }
    let name = name(file, at)?;
    at += 1;
    let mut key = Vec::new();
    if file.is(at, b'(') {
        let close = file.closing(at).ok_or(at)?;
        key = (at + 1..close).map(|at| file.word(at).to_owned()).collect();
        key.retain(|word| !word.is_empty());
        at = close + 1;
    } else {
        // Diesel's default.
        key.push("id".to_owned());
    }
    let close = file.closing(at).filter(|_| file.is(at, b'{')).ok_or(at)?;
    let mut columns = Vec::new();
    at += 1;
    while at < close {
        columns.push(column(file, &mut at, close)?);
    }
    Ok(DieselTable {
        name: renamed.unwrap_or(name),
        place,
        key,
        columns,
    })
}

fn name(file: &SourceFile, at: usize) -> Result<String, usize> {
    match file.word(at) {
        "" => Err(at),
        word => Ok(word.to_owned()),
    }
}

/// `#[sql_name = "x"] column -> Nullable<Type>,`.
fn column(file: &SourceFile, at: &mut usize, end: usize) -> Result<DieselColumn, usize> {
    let renamed = attributes(file, at, "sql_name");
    let place = *at;
    let own = name(file, *at)?;
    if !file.is(*at + 1, b'-') || !file.is(*at + 2, b'>') {
        return Err(*at + 1);
    }
    *at += 3;
    let mut depth = 0_i32;
    let mut words = Vec::new();
    while *at < end && !(depth == 0 && file.is(*at, b',')) {
        depth += i32::from(file.is(*at, b'<')) - i32::from(file.is(*at, b'>'));
        words.push(file.raw(*at));
        *at += 1;
    }
    let last = *at;
    *at += 1;
    let nullable = words.first() == Some(&"Nullable");
    let inner = if nullable {
        words.get(2..words.len().saturating_sub(1)).unwrap_or_default()
    } else {
        words.as_slice()
    };
    // `sql_types::Text` and `Text` are one type.
    let type_ = inner
        .split(|word| *word == ":")
        .next_back()
        .unwrap_or_default()
        .concat();
    Ok(DieselColumn {
        name: renamed.unwrap_or(own),
        type_,
        nullable,
        place: place..last,
    })
}

/// Steps over attributes; what one of them, `name = "value"`, says.
fn attributes(file: &SourceFile, at: &mut usize, name: &str) -> Option<String> {
    let mut value = None;
    while file.is(*at, b'#') {
        let close = file.closing(*at + 1)?;
        if file.word(*at + 2) == name && file.tok(*at + 4) == Some(Tok::Str) {
            value = Some(file.raw(*at + 4).trim_matches('"').to_owned());
        }
        *at = close + 1;
    }
    value
}
