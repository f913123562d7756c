//! What do the `use` lines of a file bring in, and under which names?

use std::ops::Range;

use super::words;
use crate::model::SourceFile;

/// One leaf of a `use` tree or an `extern crate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf<'a> {
    /// As written, `*` included; a leading `::` is an empty first segment.
    pub(crate) segments: Vec<&'a str>,
    /// The name that it has in this file; `None` for `*` and `_`.
    pub(crate) alias: Option<&'a str>,
    /// The tokens of the leaf itself.
    pub(crate) tokens: Range<usize>,
    /// Whether it is `pub use`.
    pub(crate) public: bool,
}

/// Leaves in order, and the tokens of the `use` lines, which are no paths in code.
pub(crate) fn leaves(file: &SourceFile) -> (Vec<Leaf<'_>>, Vec<Range<usize>>) {
    let mut leaves = Vec::new();
    let mut lines = Vec::new();
    let mut starts: Vec<_> = file
        .marked(words::USE)
        .chain(file.marked(words::EXTERN))
        .collect();
    starts.sort_unstable();
    let mut after = 0;
    for at in starts {
        if at < after {
            continue;
        }
        let end = match file.word(at) {
            // `use<'a>` captures lifetimes and is no import.
            "use" if !file.is(at + 1, b'<') => {
                let public = is_public(file, at);
                tree(file, at + 1, &[], public, &mut leaves)
            }
            "extern" if file.word(at + 1) == "crate" => extern_crate(file, at, &mut leaves),
            _ => continue,
        };
        lines.push(at..end);
        after = end.max(at + 1);
    }
    (leaves, lines)
}

fn is_public(file: &SourceFile, at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else {
        return false;
    };
    file.word(before) == "pub" || file.is(before, b')')
}

fn extern_crate<'a>(file: &'a SourceFile, at: usize, leaves: &mut Vec<Leaf<'a>>) -> usize {
    let name = file.word(at + 2);
    let renamed = file.word(at + 3) == "as";
    let alias = if renamed { file.word(at + 4) } else { name };
    let end = if renamed { at + 5 } else { at + 3 };
    leaves.push(Leaf {
        segments: vec!["", name],
        alias: (alias != "_").then_some(alias),
        tokens: at + 2..end,
        public: is_public(file, at),
    });
    end
}

/// Reads one tree and returns the token after it.
fn tree<'a>(
    file: &'a SourceFile,
    start: usize,
    prefix: &[&'a str],
    public: bool,
    leaves: &mut Vec<Leaf<'a>>,
) -> usize {
    let mut segments = prefix.to_vec();
    let mut at = start;
    if prefix.is_empty() && file.is(at, b':') && file.is(at + 1, b':') {
        segments.push("");
        at += 2;
    }
    loop {
        if file.is(at, b'{') {
            let close = file.closing(at).unwrap_or(at + 1);
            at += 1;
            while at < close {
                at = tree(file, at, &segments, public, leaves).max(at + 1);
            }
            return close + 1;
        }
        // `$crate` of a macro is the crate itself.
        if file.is(at, b'$') {
            at += 1;
        }
        let name = if file.is(at, b'*') { "*" } else { file.word(at) };
        if name.is_empty() {
            return at + 1;
        }
        if name != "self" || segments.is_empty() {
            segments.push(name);
        }
        at += 1;
        if file.is(at, b':') && file.is(at + 1, b':') {
            at += 2;
            continue;
        }
        let renamed = file.word(at) == "as";
        let last = segments.last().copied().unwrap_or_default();
        let alias = if renamed { file.word(at + 1) } else { last };
        if renamed {
            at += 2;
        }
        leaves.push(Leaf {
            segments,
            alias: (alias != "_" && alias != "*").then_some(alias),
            tokens: start..at,
            public,
        });
        return if file.is(at, b',') { at + 1 } else { at };
    }
}
