//! Where in its text is something wrong with a condition?

use alloc::string::ToString as _;
use alloc::vec::Vec;

use cel::ParseErrors;
use cel::common::ast::{Expr, IdedExpr, SourceInfo};

use super::{Problem, ProblemCode};

/// A part of a condition's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line of its start, from 1.
    pub line: usize,
    /// The column of its start, from 1, in characters.
    pub column: usize,
    /// Where it starts, in bytes from 0.
    pub start: usize,
    /// Where it ends: the first byte behind it.
    pub end: usize,
}

impl Place {
    /// All of the text.
    pub(super) const fn whole(source: &str) -> Self {
        Self {
            line: 1,
            column: 1,
            start: 0,
            end: source.len(),
        }
    }

    /// From one byte to another (exclusive).
    fn of_bytes(source: &str, from: usize, to: usize) -> Self {
        let start = source.floor_char_boundary(from);
        let before = source.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        Self {
            line: before.matches('\n').count().saturating_add(1),
            column: column.saturating_add(1),
            start,
            end: source.ceil_char_boundary(to.clamp(start, source.len())),
        }
    }

    /// The text that an expression was read from, from its first to its last token that the parser kept.
    pub(super) fn of(source: &str, info: &SourceInfo, expr: &IdedExpr) -> Self {
        let mut span = None;
        cover(info, expr, &mut span);
        let (from, to) = span.unwrap_or((0, u32::MAX));
        let at = |byte: u32| usize::try_from(byte).unwrap_or(usize::MAX);
        Self::of_bytes(source, at(from), at(to).saturating_add(1))
    }
}

/// Widens the span by the tokens of this expression and everything in it.
fn cover(info: &SourceInfo, expr: &IdedExpr, span: &mut Option<(u32, u32)>) {
    if let Some((from, to)) = info.offset_for(expr.id) {
        *span = Some(span.map_or((from, to), |(first, last)| (first.min(from), last.max(to))));
    }
    match &expr.expr {
        Expr::Call(call) => {
            let parts = call.target.as_deref().into_iter().chain(&call.args);
            parts.for_each(|part| cover(info, part, span));
        }
        Expr::Select(select) => {
            cover(info, &select.operand, span);
            // The parser keeps the dot; the field stands behind it.
            let field = u32::try_from(select.field.len()).unwrap_or(0);
            if let (Some((_, dot)), Some((_, last)), false) =
                (info.offset_for(expr.id), span.as_mut(), select.test)
            {
                *last = (*last).max(dot.saturating_add(field));
            }
        }
        Expr::List(list) => list.elements.iter().for_each(|part| cover(info, part, span)),
        Expr::Comprehension(each) => {
            cover(info, &each.iter_range, span);
            cover(info, &each.loop_step, span);
        }
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Map(_) | Expr::Struct(_) => {}
    }
}

/// What the parser says.
pub(super) fn syntax(source: &str, errors: &ParseErrors) -> Vec<Problem> {
    let mut problems: Vec<_> = errors
        .errors
        .iter()
        .map(|error| {
            let (line, column) = (coordinate(error.pos.0), coordinate(error.pos.1));
            let before = source.split_inclusive('\n').take(line);
            let before: usize = before.map(str::len).sum();
            let rest = source.get(before..).unwrap_or_default();
            let start = rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at);
            let start = before.saturating_add(start);
            let message = error.msg.strip_prefix("Syntax error: ").unwrap_or(&error.msg);
            let deep = message.contains("Recursion limit");
            Problem {
                code: if deep {
                    ProblemCode::TooDeep
                } else {
                    ProblemCode::Syntax
                },
                message: message.to_string(),
                place: Place::of_bytes(source, start, start.saturating_add(1)),
            }
        })
        .collect();
    // Nested too deep is the cause; what the parser says after it is not.
    if problems
        .iter()
        .any(|problem| problem.code == ProblemCode::TooDeep)
    {
        problems.retain(|problem| problem.code == ProblemCode::TooDeep);
    }
    problems
}

/// A line or column of the parser, counted from 0 instead of 1.
fn coordinate(from_one: isize) -> usize {
    usize::try_from(from_one.saturating_sub(1)).unwrap_or(0)
}
