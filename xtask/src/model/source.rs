//! What is in a Rust file? Lexed once for all rules; everything else is worked out when first asked for.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::Span;
use crate::scan::{Comment, Item, Literal, PathUse, Spelled, SqlText, Tok, Tokens, Words};

/// A Rust file of a crate.
#[derive(Default)]
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) text: Arc<str>,
    /// The name of its package.
    pub(crate) krate: String,
    pub(crate) target: TargetKind,
    /// Where it stands in its crate: `["limits", "tests"]` for `src/limits/tests.rs`.
    pub(crate) module: Vec<String>,
    /// Names by which it can reach other crates: dependencies, as renamed.
    pub(crate) externs: Arc<Vec<String>>,
    pub(crate) tokens: Tokens,
    /// Token ranges that exist in tests only, ascending.
    pub(crate) tests: Vec<Range<usize>>,
    pub(crate) items: OnceLock<Box<[Item]>>,
    pub(crate) literals: OnceLock<Box<[Literal]>>,
    pub(crate) paths: OnceLock<Box<[PathUse]>>,
    pub(crate) imports: OnceLock<Box<[PathUse]>>,
    pub(crate) sql: OnceLock<Box<[SqlText]>>,
}

/// The same in a place of its own size. What grew has room for up to as much again, and to make it smaller where it is
/// leaves that room where it was.
fn exact<T>(mut grown: Vec<T>) -> Box<[T]> {
    let mut kept = Vec::with_capacity(grown.len());
    kept.append(&mut grown);
    kept.into_boxed_slice()
}

/// Which kind of target a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TargetKind {
    #[default]
    Lib,
    Bin,
    Build,
    Test,
    Bench,
    Example,
}

impl SourceFile {
    pub(crate) fn tok(&self, index: usize) -> Option<Tok> {
        self.tokens.list.tok(index)
    }

    /// Whether the token is this punctuation.
    pub(crate) fn is(&self, index: usize, punctuation: u8) -> bool {
        self.tokens.list.is(index, punctuation)
    }

    /// The text of an identifier, without `r#`; empty for every other token.
    pub(crate) fn word(&self, index: usize) -> &str {
        let range = self.tokens.list.ident(index);
        let text = range.and_then(|range| self.text.get(range)).unwrap_or_default();
        text.strip_prefix("r#").unwrap_or(text)
    }

    /// The text of a token as written.
    pub(crate) fn raw(&self, index: usize) -> &str {
        let range = self.tokens.list.range(index);
        range.and_then(|range| self.text.get(range)).unwrap_or_default()
    }

    /// The token that closes the delimiter at `open`.
    pub(crate) fn closing(&self, open: usize) -> Option<usize> {
        self.tokens.pairs.closing(open)
    }

    /// Whether the token exists in tests only: `#[cfg(test)]`, `#[test]`, `tests/`, benches and examples.
    pub(crate) fn in_tests(&self, index: usize) -> bool {
        self.is_test_file() || self.tests.iter().any(|range| range.contains(&index))
    }

    pub(crate) fn is_test_file(&self) -> bool {
        matches!(
            self.target,
            TargetKind::Test | TargetKind::Bench | TargetKind::Example
        ) || self.tests.first().is_some_and(|all| *all == (0..usize::MAX))
    }

    /// Opening and closing delimiters, ascending.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.tokens.pairs.iter()
    }

    /// Token indexes at which `word` stands as an identifier. `word` must be a needle of some rule.
    pub(crate) fn hits<'a>(&'a self, words: &Words, word: &str) -> impl Iterator<Item = usize> + use<'a> {
        words.id(word).into_iter().flat_map(|id| self.marked(id))
    }

    /// Token indexes of the word with this number.
    pub(crate) fn marked(&self, id: u16) -> impl Iterator<Item = usize> + '_ {
        let hits = self.tokens.hits.of_word(id).iter();
        hits.filter_map(|hit| usize::try_from(*hit).ok())
    }

    /// Token indexes of string literals, ascending.
    pub(crate) fn strings(&self) -> impl Iterator<Item = usize> + '_ {
        let strings = self.tokens.strings.iter();
        strings.filter_map(|at| usize::try_from(*at).ok())
    }

    /// Token indexes of numbers, ascending.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
        let numbers = self.tokens.numbers.iter();
        numbers.filter_map(|at| usize::try_from(*at).ok())
    }

    /// The place of one token.
    pub(crate) fn span(&self, index: usize) -> Span {
        self.span_of(index..index + 1)
    }

    /// The place from the first to the last token of a range.
    pub(crate) fn span_of(&self, tokens: Range<usize>) -> Span {
        match self.bytes_of(tokens) {
            Some(bytes) => Span::bytes(&self.path, bytes),
            None => Span::file(&self.path),
        }
    }

    /// The bytes from the first to the last token of a range.
    pub(crate) fn bytes_of(&self, tokens: Range<usize>) -> Option<Range<usize>> {
        let first = self.tokens.list.range(tokens.start)?;
        let last = self.tokens.list.range(tokens.end.saturating_sub(1))?;
        Some(first.start..last.end)
    }

    /// Whether the identifier may stand in the file; a no is certain. For every other text, whether it stands there.
    pub(crate) fn may_say(&self, word: &str) -> bool {
        let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        let identifier = word.bytes().next().is_some_and(letter)
            && word.bytes().all(|byte| letter(byte) || byte.is_ascii_digit());
        if identifier {
            self.tokens.seen.may_have(word)
        } else {
            self.text.contains(word)
        }
    }

    /// Whether a string of the file may have one of these pieces in it, however it is put together; a no is certain.
    pub(crate) fn may_spell(&self, pieces: &Spelled) -> bool {
        self.may_say("concat")
            || self.tokens.escaped
            || self.strings().any(|at| pieces.stands_in(self.raw(at)))
    }

    /// Whether the file is `crate` or `crate::module`, or below it.
    pub(crate) fn is_in(&self, name: &str) -> bool {
        let Some(rest) = name.strip_prefix(self.krate.as_str()) else {
            return false;
        };
        // Nearly always the name is that of a crate.
        let Some(rest) = rest.strip_prefix("::") else {
            return rest.is_empty();
        };
        let mut own = self.module.iter();
        rest.split("::")
            .all(|part| own.next().is_some_and(|own| own == part))
    }

    /// Whether it is in one of these.
    pub(crate) fn is_in_any<S: AsRef<String>>(&self, names: &[S]) -> bool {
        names.iter().any(|name| self.is_in(name.as_ref()))
    }

    pub(crate) fn comments(&self) -> &[Comment] {
        &self.tokens.comments
    }

    /// Modules, functions, types and impl blocks with their extent.
    pub(crate) fn items(&self) -> &[Item] {
        self.items.get_or_init(|| exact(crate::scan::items(self)))
    }

    /// String literals, decoded; the pieces of a `concat!` joined.
    pub(crate) fn literals(&self) -> &[Literal] {
        self.literals.get_or_init(|| exact(crate::scan::literals(self)))
    }

    /// Texts with a word of SQL in them, put together from their pieces.
    pub(crate) fn sql(&self) -> &[SqlText] {
        self.sql.get_or_init(|| exact(crate::scan::sql_texts(self)))
    }

    /// `use` trees and paths in code, resolved to `krate::module::…`.
    pub(crate) fn paths(&self) -> &[PathUse] {
        self.paths.get_or_init(|| exact(crate::scan::paths(self)))
    }

    /// Those of `use` lines alone, which come before all others.
    pub(crate) fn imports(&self) -> &[PathUse] {
        match self.paths.get() {
            Some(all) => {
                let end = all.partition_point(|path| path.import);
                all.get(..end).unwrap_or_default()
            }
            None => self.imports.get_or_init(|| exact(crate::scan::imports(self))),
        }
    }

    /// What the path in code at a token leads to; several when names have several meanings.
    pub(crate) fn paths_at(&self, index: usize) -> impl Iterator<Item = &PathUse> {
        self.paths_in(index..index + 1)
    }

    /// Paths in code that lie, at least in part, within these tokens. Paths of `use` lines come before all others.
    pub(crate) fn paths_in(&self, tokens: Range<usize>) -> impl Iterator<Item = &PathUse> {
        let all = self.paths();
        let first = all.partition_point(|path| path.import || path.tokens.end <= tokens.start);
        let rest = all.get(first..).unwrap_or_default().iter();
        rest.take_while(move |path| path.tokens.start < tokens.end)
    }

    /// `module::Type::function` around a token; the file's module when it is in no item.
    pub(crate) fn item_path(&self, index: usize) -> String {
        let inner = self
            .items()
            .iter()
            .filter(|item| item.extent.contains(&index))
            .max_by_key(|item| item.extent.start);
        let mut parts = self.module.clone();
        parts.extend(inner.map(|item| item.path.clone()));
        parts.join("::")
    }

    /// The syntax tree, for the few files where tokens are not enough. Parsed at every call.
    #[expect(
        dead_code,
        reason = "for rules that tokens cannot keep; remove this line with the first of them"
    )]
    pub(crate) fn syntax<T>(&self, read: impl FnOnce(&syn::File) -> T) -> syn::Result<T> {
        syn::parse_file(&self.text).map(|file| read(&file))
    }
}
