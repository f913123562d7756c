//! Which modules, functions and types are in a file, and where does each end?

use std::ops::Range;

use super::words;
use crate::model::SourceFile;

/// A named piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) kind: ItemKind,
    /// Relative to the file: `tests::Type::function`.
    pub(crate) path: String,
    /// From the keyword to the closing brace or the semicolon.
    pub(crate) extent: Range<usize>,
    /// The token between the braces, where there are any.
    pub(crate) body: Option<Range<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemKind {
    Module,
    Function,
    Trait,
    Impl,
    Type,
    /// `const`, `static` and `type`.
    Constant,
}

/// Items in order; an inner item comes after the one around it.
pub(crate) fn items(file: &SourceFile) -> Vec<Item> {
    let keywords = words::ITEMS.into_iter().flat_map(|id| file.marked(id));
    let mut keywords: Vec<_> = keywords.collect();
    keywords.sort_unstable();
    let mut found = Vec::new();
    walk(file, &keywords, 0..file.tokens.list.len(), "", &mut found);
    found
}

/// Finds the items of a range. `keywords` are the places where one may begin, ascending, in the whole file.
fn walk(file: &SourceFile, keywords: &[usize], range: Range<usize>, scope: &str, found: &mut Vec<Item>) {
    let first = keywords.partition_point(|at| *at < range.start);
    let mut after = range.start;
    for &at in keywords.iter().skip(first).take_while(|at| **at < range.end) {
        if at < after {
            continue;
        }
        let Some((kind, name)) = begins(file, at) else {
            continue;
        };
        let (end, body) = extent(file, at, range.end);
        let path = if scope.is_empty() {
            name.to_owned()
        } else {
            format!("{scope}::{name}")
        };
        // A type's fields hold no items; everything else may, and hardly any function does.
        let holds = |body: &Range<usize>| {
            let next = keywords.partition_point(|at| *at < body.start);
            kind != ItemKind::Type && keywords.get(next).is_some_and(|at| *at < body.end)
        };
        let inner = body.clone().filter(holds).map(|body| (body, path.clone()));
        found.push(Item {
            kind,
            path,
            extent: at..end,
            body,
        });
        if let Some((body, path)) = inner {
            walk(file, keywords, body, &path, found);
        }
        after = end;
    }
}

/// The item whose keyword is this token.
fn begins(file: &SourceFile, at: usize) -> Option<(ItemKind, &str)> {
    let kind = match file.word(at) {
        "mod" => ItemKind::Module,
        "fn" => ItemKind::Function,
        "trait" => ItemKind::Trait,
        "struct" | "enum" | "union" => ItemKind::Type,
        "const" | "static" | "type" => ItemKind::Constant,
        "impl" if starts_statement(file, at) => return Some((ItemKind::Impl, implementor(file, at))),
        _ => return None,
    };
    let name = file.word(at + 1);
    let keyword = matches!(name, "fn" | "unsafe" | "async" | "extern" | "move" | "");
    // `union` is a keyword only where an item may stand.
    let named = !keyword && (file.word(at) != "union" || starts_statement(file, at));
    // `*const T` and `<const N: usize>` name no item.
    let pointer = kind == ItemKind::Constant && !starts_statement(file, at);
    (named && !pointer).then_some((kind, name))
}

fn starts_statement(file: &SourceFile, at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else {
        return true;
    };
    let after_keyword = matches!(file.word(before), "unsafe" | "default" | "pub");
    let visibility = file.is(before, b')') && !file.is(at, b'(');
    after_keyword || visibility || [b'}', b'{', b';', b']'].iter().any(|sign| file.is(before, *sign))
}

/// The last name of the type that an `impl` is for.
fn implementor(file: &SourceFile, at: usize) -> &str {
    let mut name = "";
    let mut depth = 0_usize;
    for index in at + 1..file.tokens.list.len() {
        if file.is(index, b'<') {
            depth += 1;
        } else if file.is(index, b'>') && !file.is(index.wrapping_sub(1), b'-') {
            depth = depth.saturating_sub(1);
        } else if file.is(index, b'{') || file.is(index, b';') || file.word(index) == "where" {
            break;
        } else if depth == 0 && !matches!(file.word(index), "" | "for" | "dyn" | "mut" | "const") {
            name = file.word(index);
        }
    }
    if name.is_empty() { "impl" } else { name }
}

/// The end of the item that starts here, and the tokens between its braces.
fn extent(file: &SourceFile, start: usize, limit: usize) -> (usize, Option<Range<usize>>) {
    let constant = matches!(file.word(start), "const" | "static" | "type");
    let mut at = start + 1;
    while at < limit {
        if file.is(at, b';') {
            return (at + 1, None);
        }
        if file.is(at, b'{') {
            let close = file.closing(at).unwrap_or(limit);
            if !constant {
                return (close + 1, Some(at + 1..close));
            }
            at = close;
        } else if file.is(at, b'(') || file.is(at, b'[') {
            at = file.closing(at).unwrap_or(at);
        }
        at += 1;
    }
    (limit, None)
}

#[cfg(test)]
mod tests {
    use crate::load::testing::source;

    fn paths(text: &str) -> Vec<String> {
        let file = source("crates/a/src/lib.rs", text);
        file.items().iter().map(|item| item.path.clone()).collect()
    }

    #[test]
    fn items_have_the_path_that_leads_to_them() {
        let text = "mod m { trait T { fn f(); } impl<A: B<C>> Show for Vec<A> where A: X { fn g() { fn h() {} } } }\n\
                    pub(crate) const N: [u8; 2] = { [1, 2] };\nstruct S(u8);\npub async fn z() -> impl Fn(u8) { x }";
        let expected = [
            "m",
            "m::T",
            "m::T::f",
            "m::Vec",
            "m::Vec::g",
            "m::Vec::g::h",
            "N",
            "S",
            "z",
        ];
        assert_eq!(paths(text), expected);
    }

    #[test]
    fn what_only_looks_like_an_item_is_none() {
        let text = "fn f(a: fn(u8), b: *const u8, c: impl X) -> impl Y { let union = 1; union + 1 }";
        assert_eq!(paths(text), ["f"]);
    }

    #[test]
    fn a_token_knows_its_item() {
        let file = source("crates/a/src/limits.rs", "impl T { fn f() { needle } } fn g() {}");
        let at = (0..20).find(|index| file.word(*index) == "needle").unwrap();
        assert_eq!(file.item_path(at), "limits::T::f");
    }
}
