//! Which crate or module does a path in the source lead to? Aliases, groups, `extern crate … as`, `::a::b`.

use std::collections::BTreeMap;

use super::uses::{self, Leaf};
use super::{Item, ItemKind, PathUse, Tok, last, words};
use crate::model::SourceFile;

/// Aliases are followed this often; a longer chain is a loop.
const DEPTH: usize = 8;
const STANDARD: [&str; 3] = ["std", "core", "alloc"];

/// All `use` leaves and all paths in code that lead to a crate or a module by name.
pub(crate) fn paths(file: &SourceFile) -> Vec<PathUse> {
    let (leaves, lines) = uses::leaves(file);
    let names = Names::new(file, &leaves);
    let mut found = brought(&names, &leaves);
    let mut segments = Vec::new();
    let mut lines = lines.into_iter().peekable();
    let mut at = 0;
    while let Some(tok) = file.tok(at) {
        if let Some(line) = lines.next_if(|line| line.start <= at) {
            at = line.end.max(at);
            continue;
        }
        // Most tokens end here.
        if !matches!(tok, Tok::Ident | Tok::P(b':')) {
            at += 1;
            continue;
        }
        // A single name leads somewhere only where it is an alias: most names end here.
        let alone = tok == Tok::Ident && !file.is(at + 1, b':');
        let Some(path) = (!alone || names.is_likely(file.word(at)))
            .then(|| inline(file, at))
            .flatten()
        else {
            at += 1;
            continue;
        };
        if names.may_lead(&path, at) {
            segments.clear();
            segments.extend(path.segments(file));
            names.resolve(&segments, at, 0, &mut |segments| {
                found.push(PathUse {
                    text: segments.join("::").into(),
                    tokens: at..path.end,
                    import: false,
                    public: false,
                });
            });
        }
        at = path.end;
    }
    found
}

/// The `use` leaves among them, without a walk over the file.
pub(crate) fn imports(file: &SourceFile) -> Vec<PathUse> {
    let (leaves, _) = uses::leaves(file);
    brought(&Names::new(file, &leaves), &leaves)
}

fn brought<'a>(names: &Names<'a>, leaves: &[Leaf<'a>]) -> Vec<PathUse> {
    let mut found = Vec::new();
    for leaf in leaves {
        names.resolve(&leaf.segments, leaf.tokens.start, 0, &mut |segments| {
            found.push(PathUse {
                text: segments.join("::").into(),
                tokens: leaf.tokens.clone(),
                import: true,
                public: leaf.public,
            });
        });
    }
    found
}

/// A path in code, before anybody asks where it leads.
struct Inline<'a> {
    /// Its first name; empty for `::a`.
    first: &'a str,
    /// The token of its first name that is not empty.
    start: usize,
    names: usize,
    end: usize,
}

impl<'a> Inline<'a> {
    fn segments(&self, file: &'a SourceFile) -> impl Iterator<Item = &'a str> {
        // A name and `::` are three tokens.
        let start = self.start;
        let words = (0..self.names).map(move |name| file.word(start + 3 * name));
        self.first.is_empty().then_some("").into_iter().chain(words)
    }
}

/// A path that starts at this token: `a::b`, `::a`, or a single name, which may be an alias.
fn inline(file: &SourceFile, at: usize) -> Option<Inline<'_>> {
    if at > 0 && (file.is(at - 1, b'.') && !file.is(at.wrapping_sub(2), b'.') || file.is(at - 1, b'\'')) {
        return None;
    }
    let first = file.word(at);
    let mut start = at;
    if first.is_empty() {
        if !(file.is(at, b':') && file.is(at + 1, b':') && !file.word(at + 2).is_empty()) {
            return None;
        }
        // `<T as Trait>::f` and `a::<T>::f` continue a path, `::a` starts one.
        let continues = at > 0 && (!file.word(at - 1).is_empty() || file.is(at - 1, b'>'));
        if continues && !is_keyword(file.word(at - 1)) {
            return None;
        }
        start = at + 2;
    }
    let mut end = start + 1;
    let mut names = 1;
    while file.is(end, b':') && file.is(end + 1, b':') && file.tok(end + 2) == Some(Tok::Ident) {
        end += 3;
        names += 1;
    }
    Some(Inline {
        first,
        start,
        names,
        end,
    })
}

fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "as" | "in" | "return" | "for" | "impl" | "dyn" | "match" | "if" | "while" | "mut" | "else"
    )
}

/// What the first segment of a path can mean in this file.
struct Names<'a> {
    file: &'a SourceFile,
    aliases: BTreeMap<&'a str, Vec<&'a Leaf<'a>>>,
    /// Which aliases there may be, by a few of their bytes: most names are none.
    likely: [u64; 4],
    modules: Vec<&'a Item>,
}

impl<'a> Names<'a> {
    fn new(file: &'a SourceFile, leaves: &'a [Leaf<'a>]) -> Self {
        let mut aliases: BTreeMap<&str, Vec<&Leaf<'_>>> = BTreeMap::new();
        let mut likely = [0; 4];
        for leaf in leaves {
            if let Some(alias) = leaf.alias {
                aliases.entry(alias).or_default().push(leaf);
                let (word, bit) = place(alias);
                if let Some(word) = likely.get_mut(word) {
                    *word |= bit;
                }
            }
        }
        let modules = if file.marked(words::MOD).next().is_some() {
            let items = file.items().iter();
            items.filter(|item| item.kind == ItemKind::Module).collect()
        } else {
            Vec::new()
        };
        Self {
            file,
            aliases,
            likely,
            modules,
        }
    }

    /// Whether it may be an alias; a no is certain.
    fn is_likely(&self, name: &str) -> bool {
        let (word, bit) = place(name);
        self.likely.get(word).is_some_and(|likely| likely & bit != 0)
    }

    fn leaves(&self, name: &str) -> &[&'a Leaf<'a>] {
        if !self.is_likely(name) {
            return &[];
        }
        self.aliases.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a path can lead anywhere. A single name is a path only where a `use` line gave it its meaning.
    fn may_lead(&self, path: &Inline<'_>, at: usize) -> bool {
        let first = path.first;
        if first.is_empty() {
            return true;
        }
        let leaves = self.leaves(first);
        if path.names == 1 {
            let own = |leaf: &&Leaf<'_>| leaf.segments.first().is_some_and(|name| *name == first);
            return leaves.iter().any(|leaf| !own(leaf));
        }
        !leaves.is_empty()
            || matches!(first, "crate" | "self" | "super")
            || self.is_crate(first)
            || self.is_child(first, at)
    }

    /// Tells everything that a path at this token may lead to, and whether that is anything: a path that is local or
    /// unknown leads nowhere.
    fn resolve(&self, segments: &[&'a str], at: usize, depth: usize, tell: &mut dyn FnMut(&[&str])) -> bool {
        let Some((&first, rest)) = segments.split_first() else {
            return false;
        };
        match first {
            "" => {
                if !rest.is_empty() {
                    tell(rest);
                }
                return !rest.is_empty();
            }
            "crate" => {
                tell(segments);
                return true;
            }
            "self" if !rest.is_empty() => {
                tell(&from_module(&self.module_at(at), rest));
                return true;
            }
            "super" => {
                let ups = segments.iter().take_while(|segment| **segment == "super").count();
                let module = self.module_at(at);
                let kept = module.len().saturating_sub(ups);
                let module = module.get(..kept).unwrap_or_default();
                tell(&from_module(module, segments.get(ups..).unwrap_or_default()));
                return true;
            }
            _ => {}
        }
        let targets = self.leaves(first);
        if depth < DEPTH {
            // `use a;` and `use a as a;` name themselves.
            let others = targets
                .iter()
                .filter(|leaf| leaf.segments.first().is_none_or(|name| *name != first));
            let mut leads = false;
            for leaf in others {
                let segments = [leaf.segments.as_slice(), rest].concat();
                leads |= self.resolve(&segments, leaf.tokens.start, depth + 1, tell);
            }
            if leads {
                return true;
            }
        }
        if !rest.is_empty() && self.is_child(first, at) {
            tell(&from_module(&self.module_at(at), segments));
            return true;
        }
        let known = self.is_crate(first);
        if known {
            tell(segments);
        }
        known
    }

    /// The module of the file, and the modules inside of it around this token.
    fn module_at(&self, at: usize) -> Vec<&'a str> {
        let mut module: Vec<_> = self.file.module.iter().map(String::as_str).collect();
        let inner = self
            .modules
            .iter()
            .filter(|item| item.extent.contains(&at))
            .max_by_key(|item| item.extent.start);
        let inner = inner.into_iter().flat_map(|item| item.path.split("::"));
        module.extend(inner);
        module
    }

    /// Whether the module around this token declares a module of this name.
    fn is_child(&self, name: &str, at: usize) -> bool {
        let mut modules = self.modules.iter();
        if !modules.any(|item| last(&item.path) == name) {
            return false;
        }
        let own = self.module_at(at);
        let prefix = own.get(self.file.module.len()..).unwrap_or_default().join("::");
        let path = if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}::{name}")
        };
        self.modules.iter().any(|item| item.path == path)
    }

    fn is_crate(&self, name: &str) -> bool {
        STANDARD.contains(&name) || self.file.externs.iter().any(|known| known == name)
    }
}

/// Where a name is noted in `likely`.
fn place(name: &str) -> (usize, u64) {
    let bytes = name.as_bytes();
    let at = |index: usize| usize::from(bytes.get(index).copied().unwrap_or_default());
    let number = at(0) * 5 + at(bytes.len().saturating_sub(1)) * 3 + bytes.len();
    (number / 64 % 4, 1 << (number % 64))
}

fn from_module<'a>(module: &[&'a str], rest: &[&'a str]) -> Vec<&'a str> {
    [&["crate"][..], module, rest].concat()
}

#[cfg(test)]
mod tests {
    use crate::load::testing::source_with;

    fn paths(text: &str) -> Vec<String> {
        let file = source_with("crates/a/src/m.rs", text, &["store", "hi"]);
        let mut found: Vec<_> = file.paths().iter().map(|path| path.text().to_owned()).collect();
        found.dedup();
        found
    }

    #[test]
    fn groups_aliases_and_globs_are_resolved() {
        assert_eq!(
            paths("use store::{a, b::{c as d, *}, self};"),
            ["store::a", "store::b::c", "store::b::*", "store"]
        );
        assert_eq!(
            paths("use store::b as x; fn f() { x::g(); }"),
            ["store::b", "store::b::g"]
        );
        assert_eq!(
            paths("use hi as h; use h::k as j; fn f() { j() }"),
            ["hi", "hi::k"]
        );
        assert_eq!(
            paths("extern crate store as s; fn f() { s::g() }"),
            ["store", "store::g"]
        );
    }

    #[test]
    fn paths_in_code_and_in_macros_are_found() {
        assert_eq!(
            paths("fn f() -> ::std::time::Instant { x }"),
            ["std::time::Instant"]
        );
        assert_eq!(
            paths("fn f() { println!(\"{}\", store::g::<u8>()) }"),
            ["store::g"]
        );
        assert_eq!(paths("fn f(a: <T as store::A>::B) {}"), ["store::A"]);
        assert_eq!(
            paths("macro_rules! m { () => { $crate::x::y() } }"),
            ["crate::x::y"]
        );
        assert_eq!(
            paths("fn f() { super::n::g(); self::h(); crate::k() }"),
            ["crate::n::g", "crate::m::h", "crate::k"]
        );
    }

    #[test]
    fn modules_of_the_own_file_are_found_without_self() {
        assert_eq!(
            paths("mod n; use n::g; fn f() { n::h(); }"),
            ["crate::m::n::g", "crate::m::n::h"]
        );
        assert_eq!(
            paths("mod n { mod o; fn f() { o::h(); } }"),
            ["crate::m::n::o::h"]
        );
        assert!(paths("mod n { fn f() { n::h(); } }").is_empty());
    }

    #[test]
    fn fields_locals_words_and_comments_are_no_paths() {
        assert!(paths("// store::a\nfn f(s: &str) { s.store(); \"store::a\"; local::g(); }").is_empty());
    }
}
