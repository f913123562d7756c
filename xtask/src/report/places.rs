//! On which line and column is a finding?

use crate::model::{Span, Workspace, line_column};

/// Lines and columns from 1; all 0 for a file as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) end_line: usize,
    pub(super) end_column: usize,
}

pub(super) fn place(workspace: &Workspace, span: &Span) -> Place {
    let text = workspace.text(&span.path);
    if span.is_file() || text.is_empty() {
        return Place::default();
    }
    let (line, column) = line_column(text, span.start);
    let (end_line, end_column) = line_column(text, span.end);
    Place {
        line,
        column,
        end_line,
        end_column,
    }
}
