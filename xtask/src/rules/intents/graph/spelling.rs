//! How is a name used where it stands?

use super::Node;
use crate::model::SourceFile;

/// The path that ends at this token, as written.
pub(super) fn written(source: &SourceFile, at: usize) -> Vec<String> {
    let mut path = vec![source.word(at).to_owned()];
    let mut start = at;
    while start >= 3
        && source.is(start - 1, b':')
        && source.is(start - 2, b':')
        && !source.word(start - 3).is_empty()
    {
        start -= 3;
        path.insert(0, source.word(start).to_owned());
    }
    path
}

/// `f(`, `f::<T>(`, and names of types and constants.
pub(super) fn used_as_call(source: &SourceFile, at: usize) -> bool {
    let turbofish = source.is(at + 1, b':') && source.is(at + 2, b':') && source.is(at + 3, b'<');
    source.is(at + 1, b'(') || turbofish || source.word(at).starts_with(char::is_uppercase)
}

/// Whether a name stands as an argument by itself: `map(row)`.
pub(super) fn passed(source: &SourceFile, at: usize) -> bool {
    let before = at > 0 && (source.is(at - 1, b'(') || source.is(at - 1, b','));
    before && (source.is(at + 1, b')') || source.is(at + 1, b','))
}

/// Whether a parameter or a `let` of the node has this name.
pub(super) fn shadowed(source: &SourceFile, node: &Node, name: &str) -> bool {
    let bound = |at: usize| source.word(at) == name && source.is(at + 1, b':') && !source.is(at + 2, b':');
    let local = |at: usize| {
        source.word(at) == name
            && at > 0
            && (matches!(source.word(at - 1), "let" | "mut") || source.is(at - 1, b'|'))
    };
    node.signature.clone().any(bound) || node.body.clone().any(local)
}
