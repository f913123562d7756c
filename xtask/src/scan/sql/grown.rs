//! Where does a text go: which function takes it, and is a value added to it later?

use super::format::{FORMATS, is_constant_name};
use super::{GAP, SILENT};
use crate::model::SourceFile;
use crate::scan::Tok;

/// Whether `+ value` follows.
pub(super) fn goes_on(file: &SourceFile, end: usize) -> bool {
    let mut at = end;
    while at < end + GAP {
        let step =
            file.is(at, b'.') || file.is(at, b'(') || file.is(at, b')') || SILENT.contains(&file.word(at));
        if !step {
            break;
        }
        at += 1;
    }
    let value = if file.is(at + 1, b'&') { at + 2 } else { at + 1 };
    file.is(at, b'+')
        && !file.is(at + 1, b'=')
        && !file.word(value).is_empty()
        && !is_constant_name(file.word(value))
}

/// What the text is given to: the word before the parenthesis around it.
pub(super) fn call(file: &SourceFile, start: usize) -> String {
    for open in (start.saturating_sub(GAP)..start).rev() {
        if file.is(open, b'(') && file.closing(open).is_some_and(|close| close > start) {
            let before = if file.is(open.wrapping_sub(1), b'!') {
                open - 2
            } else {
                open.wrapping_sub(1)
            };
            let name = file.word(before);
            // `execute(&format!(…))` gives the text to `execute`.
            if !FORMATS.contains(&name) && !SILENT.contains(&name) {
                return name.to_owned();
            }
        }
        if file.is(open, b';') || file.is(open, b'{') {
            break;
        }
    }
    String::new()
}

/// `let mut sql = String::from("…")` and later `sql.push_str(value)`, `sql += value`, `write!(sql, …)`.
pub(super) fn grows(file: &SourceFile, start: usize, end: usize) -> bool {
    let Some(binding) = (start.saturating_sub(GAP)..start)
        .rev()
        .take_while(|at| !file.is(*at, b';') && !file.is(*at, b'}'))
        .find(|at| file.word(*at) == "let" && file.word(at + 1) == "mut")
    else {
        return false;
    };
    let name = file.word(binding + 2);
    let mut at = end;
    let mut depth = 0_usize;
    while at < file.tokens.list.len() {
        if file.is(at, b'{') {
            depth += 1;
        } else if file.is(at, b'}') {
            let Some(outer) = depth.checked_sub(1) else {
                return false;
            };
            depth = outer;
        }
        let here = file.word(at) == name && !name.is_empty();
        if here && (takes_value(file, at) || in_write(file, at)) {
            return true;
        }
        at += 1;
    }
    false
}

fn takes_value(file: &SourceFile, at: usize) -> bool {
    let method =
        file.is(at + 1, b'.') && matches!(file.word(at + 2), "push_str" | "push" | "extend" | "insert_str");
    let operator = file.is(at + 1, b'+') && file.is(at + 2, b'=');
    let value = if method { at + 4 } else { at + 3 };
    let value = if file.is(value, b'&') { value + 1 } else { value };
    (method || operator)
        && !matches!(file.tok(value), Some(Tok::Str | Tok::Char))
        && !is_constant_name(file.word(value))
}

fn in_write(file: &SourceFile, at: usize) -> bool {
    (at.saturating_sub(3)..at).any(|open| {
        file.is(open, b'(')
            && file.is(open.wrapping_sub(1), b'!')
            && file.word(open.wrapping_sub(2)).starts_with("write")
    })
}
