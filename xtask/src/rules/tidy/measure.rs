//! How long are files and functions, and how long may they be?

use std::collections::BTreeMap;

use crate::model::{SourceFile, Workspace, line_count};
use crate::scan::ItemKind;

/// A longer file needs an entry in the ratchet.
pub(super) const FILE_LIMIT: usize = 400;
pub(super) const FUNCTION_LIMIT: usize = 70;

/// Lengths in lines: files by path, functions by `path::name`.
#[derive(Default)]
pub(super) struct Lengths {
    pub(super) files: BTreeMap<String, Length>,
    pub(super) functions: BTreeMap<String, Length>,
}

pub(super) struct Length {
    pub(super) lines: usize,
}

/// Lines from one token to another.
pub(super) fn lines(source: &SourceFile, first: usize, last: usize) -> usize {
    let bytes = source.bytes_of(first..last + 1).unwrap_or_default();
    line_count(source.text.get(bytes).unwrap_or_default())
}

pub(super) fn measure(workspace: &Workspace) -> Lengths {
    let mut lengths = Lengths::default();
    for source in &workspace.sources {
        let file = Length {
            lines: source.tokens.lines,
        };
        lengths.files.insert(source.path.clone(), file);
        let functions = source
            .items()
            .iter()
            .filter(|item| item.kind == ItemKind::Function);
        for item in functions {
            let name = format!("{}::{}", source.path, item.path);
            let length = Length {
                lines: lines(source, item.extent.start, item.extent.end.saturating_sub(1)),
            };
            // Two methods of one name (of two traits) share an entry: the longer one counts.
            if lengths
                .functions
                .get(&name)
                .is_none_or(|known| known.lines < length.lines)
            {
                lengths.functions.insert(name, length);
            }
        }
    }
    lengths
}
