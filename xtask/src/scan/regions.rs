//! Which tokens exist in tests only?

use std::ops::Range;

use super::{Words, words};
use crate::model::SourceFile;

/// Token ranges under `#[cfg(test)]`, `#[test]` and what implies them, ascending. `0..MAX` is the whole file.
pub(crate) fn test_regions(file: &SourceFile, words: &Words) -> Vec<Range<usize>> {
    let mut regions = Vec::new();
    for hit in file.hits(words, "cfg") {
        let Some(open) = attribute_start(file, hit) else {
            continue;
        };
        if !file.is(hit + 1, b'(') || !implies_test(file, hit + 2) {
            continue;
        }
        if file.is(open.wrapping_sub(1), b'!') {
            regions.push(enclosing(file, open));
        } else {
            regions.push(open..item_end(file, open));
        }
    }
    for hit in file.hits(words, "test") {
        // `#[test]` and `#[tokio::test(..)]`, not `cfg(test)`.
        let Some(open) = attribute_start(file, hit) else {
            continue;
        };
        if file.is(hit + 1, b']') || file.is(hit + 1, b'(') {
            regions.push(open..item_end(file, open));
        }
    }
    regions.sort_by_key(|region| region.start);
    regions
}

/// Names of modules that this file declares out of line in tests only: `#[cfg(test)] mod tests;`.
pub(crate) fn out_of_line_test_modules(file: &SourceFile) -> Vec<String> {
    let mut names = Vec::new();
    for region in &file.tests {
        let inside = file.marked(words::MOD).filter(|index| region.contains(index));
        for index in inside.filter(|index| file.is(index + 2, b';')) {
            let mut parts = modules_around(file, index);
            parts.push(file.word(index + 1));
            names.push(parts.join("/"));
        }
    }
    names
}

/// The names of the modules with a body that a token is in: their files lie in folders of these names.
fn modules_around(file: &SourceFile, index: usize) -> Vec<&str> {
    let opens = |at: &usize| file.is(at + 2, b'{');
    let around = |at: &usize| file.closing(at + 2).is_some_and(|close| close > index);
    let before = file.marked(words::MOD).take_while(|at| *at < index);
    let starts = before.filter(opens).filter(around);
    starts.map(|at| file.word(at + 1)).collect()
}

/// The `[` of the attribute whose path ends at this word: `#[a::b::word` or `#![word`.
fn attribute_start(file: &SourceFile, word: usize) -> Option<usize> {
    let mut at = word.checked_sub(1)?;
    while file.is(at, b':') {
        // `::` and the segment before it.
        at = at.checked_sub(3)?;
    }
    let hash = if file.is(at.checked_sub(1)?, b'!') {
        at.checked_sub(2)?
    } else {
        at - 1
    };
    (file.is(at, b'[') && file.is(hash, b'#')).then_some(at)
}

/// Whether the predicate that starts at this token can only hold in tests.
fn implies_test(file: &SourceFile, at: usize) -> bool {
    match file.word(at) {
        "test" => file.is(at + 1, b')') || file.is(at + 1, b','),
        "all" if file.is(at + 1, b'(') => arguments(file, at + 1)
            .iter()
            .any(|part| implies_test(file, *part)),
        "any" if file.is(at + 1, b'(') => {
            let parts = arguments(file, at + 1);
            !parts.is_empty() && parts.iter().all(|part| implies_test(file, *part))
        }
        _ => false,
    }
}

/// First tokens of the arguments between the parenthesis at `open` and its end.
fn arguments(file: &SourceFile, open: usize) -> Vec<usize> {
    let Some(close) = file.closing(open) else {
        return Vec::new();
    };
    let mut parts = Vec::new();
    let mut at = open + 1;
    let mut fresh = true;
    while at < close {
        if fresh {
            parts.push(at);
            fresh = false;
        }
        if file.is(at, b',') {
            fresh = true;
        }
        at = if file.is(at, b'(') {
            file.closing(at).unwrap_or(at)
        } else {
            at
        } + 1;
    }
    parts
}

/// The end of the item after the attribute whose `[` is at `open`.
fn item_end(file: &SourceFile, open: usize) -> usize {
    let length = file.tokens.list.len();
    let mut at = file.closing(open).map_or(length, |close| close + 1);
    let list = !begins_item(file, at);
    while at < length {
        if file.is(at, b'{') {
            return file.closing(at).map_or(length, |close| close + 1);
        }
        // A comma ends a field, a variant, an arm or an argument, but not the generics of an item.
        if file.is(at, b';') || list && file.is(at, b',') {
            return at + 1;
        }
        if file.is(at, b'}') {
            return at;
        }
        at = if file.is(at, b'(') || file.is(at, b'[') {
            file.closing(at).unwrap_or(at)
        } else {
            at
        } + 1;
    }
    length
}

/// Whether an item or a statement follows, after further attributes and its visibility.
fn begins_item(file: &SourceFile, mut at: usize) -> bool {
    loop {
        at = match file.word(at) {
            "pub" if file.is(at + 1, b'(') => file.closing(at + 1).unwrap_or(at) + 1,
            "pub" => at + 1,
            "" if file.is(at, b'#') => file.closing(at + 1).unwrap_or(at + 1) + 1,
            "async" | "const" | "enum" | "extern" | "fn" | "impl" | "let" | "macro_rules" | "mod"
            | "static" | "struct" | "trait" | "type" | "union" | "unsafe" | "use" => {
                return !file.is(at + 1, b':');
            }
            _ => return false,
        };
    }
}

/// The block around an inner attribute, or the whole file.
fn enclosing(file: &SourceFile, at: usize) -> Range<usize> {
    let inner = file.pairs().map(|(open, close)| open..close + 1);
    inner
        .filter(|block| block.contains(&at) && file.is(block.start, b'{'))
        .max_by_key(|block| block.start)
        .unwrap_or(0..usize::MAX)
}

#[cfg(test)]
mod tests {
    use crate::load::testing::source;

    /// The words of a file that are product code.
    fn product(text: &str) -> String {
        let file = source("crates/a/src/lib.rs", text);
        let words: Vec<_> = (0..file.tokens.list.len())
            .filter(|index| !file.in_tests(*index))
            .map(|index| file.word(index))
            .filter(|word| word.starts_with("p_") || word.starts_with("t_"))
            .collect();
        words.join(" ")
    }

    #[test]
    fn code_after_a_test_module_is_product_code() {
        let text = "fn p_a() {}\n#[cfg(test)]\nmod t_m { fn t_f() { if x { y } } }\nfn p_b() {}";
        assert_eq!(product(text), "p_a p_b");
    }

    #[test]
    fn what_implies_test_is_a_test_and_what_does_not_is_none() {
        for test in [
            "test",
            "all(test, unix)",
            "any(test)",
            "all(unix, any(test, all(test)))",
        ] {
            assert_eq!(
                product(&format!(
                    "#[cfg({test})]\n#[derive(A)]\nfn t_f(a: [u8; 2]) {{}}\nfn p_b() {{}}"
                )),
                "p_b"
            );
        }
        for product_code in ["not(test)", "any(test, unix)", "feature = \"test\"", "testing"] {
            assert_eq!(product(&format!("#[cfg({product_code})]\nfn p_a() {{}}")), "p_a");
        }
    }

    #[test]
    fn test_attributes_and_inner_attributes_count() {
        assert_eq!(
            product("#[tokio::test]\nasync fn t_a() {}\n#[test]\nfn t_b() {}\nfn p_c() {}"),
            "p_c"
        );
        assert_eq!(product("mod m { #![cfg(test)] fn t_a() {} } fn p_b() {}"), "p_b");
        assert_eq!(product("#![cfg(test)] fn t_a() {}"), "");
        assert_eq!(product("struct S { #[cfg(test)] t_x: u8, p_y: u8 }"), "p_y");
        assert_eq!(product("#[cfg(test)]\nuse t_a::{b, c};\nuse p_b;"), "p_b");
    }
}
