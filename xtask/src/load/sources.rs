//! Which Rust files does each crate have, and what is in them?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use crate::model::{Crate, SourceFile, Sources, TargetKind, Workspace, extension_of, is_fixture, join};
use crate::scan::{Words, lex, out_of_line_test_modules, test_regions};

/// Lexes every Rust file of every crate, in parallel. A file that is the same in the tree `before` is taken from there,
/// with all that was worked out about it.
pub(super) fn lex_all(workspace: &Workspace, words: &Words, before: &Sources) -> Sources {
    let externs: BTreeMap<&str, Arc<Vec<String>>> = workspace
        .crates
        .iter()
        .map(|krate| (krate.name.as_str(), Arc::new(externs(krate))))
        .collect();
    let dirs: BTreeMap<&str, &Crate> = workspace
        .crates
        .iter()
        .map(|krate| (krate.dir.as_str(), krate))
        .collect();
    let files: Vec<_> = workspace
        .files
        .0
        .iter()
        .filter(|(path, _)| extension_of(path) == Some("rs") && !is_fixture(path))
        .filter_map(|(path, text)| Some((path, text.as_ref()?, owner(&dirs, path)?)))
        .collect();
    let mut sources: Vec<_> = files
        .into_par_iter()
        .filter_map(|(path, text, krate)| {
            let externs = externs.get(krate.name.as_str())?;
            let same = |known: &&Arc<SourceFile>| {
                Arc::ptr_eq(&known.text, text) && known.krate == krate.name && known.externs == *externs
            };
            if let Some(known) = before.shared(path).filter(same) {
                return Some(Arc::clone(known));
            }
            let text = Arc::clone(text);
            Some(Arc::new(lex_one(
                path,
                text,
                &krate.name,
                &krate.dir,
                externs,
                words,
            )))
        })
        .collect();
    mark_test_modules(&mut sources);
    Sources(sources)
}

pub(super) fn lex_one(
    path: &str,
    text: Arc<str>,
    krate: &str,
    dir: &str,
    externs: &Arc<Vec<String>>,
    words: &Words,
) -> SourceFile {
    let inside = path.strip_prefix(dir).unwrap_or(path).trim_start_matches('/');
    let mut file = SourceFile {
        path: path.to_owned(),
        krate: krate.to_owned(),
        target: target(inside),
        module: module(inside),
        externs: Arc::clone(externs),
        tokens: lex(&text, words),
        text,
        ..SourceFile::default()
    };
    file.tests = test_regions(&file, words);
    file
}

/// Names by which the crate's files reach other crates; its library is one for its other targets.
fn externs(krate: &Crate) -> Vec<String> {
    let mut names: Vec<_> = krate.edges.iter().map(crate::model::Edge::extern_name).collect();
    names.push(krate.lib_name.clone());
    names.sort();
    names.dedup();
    names
}

/// The crate whose directory is the innermost around the file.
fn owner<'a>(dirs: &BTreeMap<&str, &'a Crate>, path: &str) -> Option<&'a Crate> {
    let mut dir = path;
    while let Some((above, _)) = dir.rsplit_once('/') {
        if let Some(krate) = dirs.get(above) {
            return Some(krate);
        }
        dir = above;
    }
    dirs.get("").copied()
}

fn target(inside: &str) -> TargetKind {
    match inside.split('/').next().unwrap_or_default() {
        "build.rs" => TargetKind::Build,
        "tests" => TargetKind::Test,
        "benches" => TargetKind::Bench,
        "examples" => TargetKind::Example,
        _ if inside == "src/main.rs" || inside.starts_with("src/bin/") => TargetKind::Bin,
        _ => TargetKind::Lib,
    }
}

/// `src/a/b.rs` is `a::b`; `tests/it/a.rs` is `a`.
fn module(inside: &str) -> Vec<String> {
    let rest = inside
        .strip_prefix("src/")
        .or_else(|| inside.strip_prefix("tests/it/"))
        .unwrap_or(inside);
    let rest = rest.strip_suffix(".rs").unwrap_or(rest);
    let mut parts: Vec<_> = rest.split('/').map(str::to_owned).collect();
    if parts.len() == 1
        && parts
            .first()
            .is_some_and(|name| matches!(name.as_str(), "lib" | "main"))
    {
        parts.clear();
    }
    if parts.last().is_some_and(|name| name == "mod") {
        parts.pop();
    }
    parts
}

/// Files of modules that are declared under `#[cfg(test)]` are test code as a whole.
fn mark_test_modules(sources: &mut [Arc<SourceFile>]) {
    let declared = |source: &Arc<SourceFile>| -> Vec<String> {
        let stem = source.path.strip_suffix(".rs").unwrap_or(&source.path);
        let (dir, last) = stem.rsplit_once('/').unwrap_or(("", stem));
        let beside = matches!(last, "lib" | "main" | "mod");
        let names = out_of_line_test_modules(source).into_iter();
        names
            .map(|name| join(if beside { dir } else { stem }, &name))
            .collect()
    };
    let roots: BTreeSet<String> = sources.par_iter().flat_map_iter(declared).collect();
    if roots.is_empty() {
        return;
    }
    sources.par_iter_mut().for_each(|source| {
        let mut stem = source.path.strip_suffix(".rs").unwrap_or(&source.path);
        loop {
            if roots.contains(stem) {
                // A file of another tree is marked already: what makes a test module of it is the same there.
                if let Some(source) = Arc::get_mut(source) {
                    source.tests = std::iter::once(0..usize::MAX).collect();
                }
                break;
            }
            match stem.rsplit_once('/') {
                Some((above, _)) => stem = above,
                None => break,
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use crate::load::testing::workspace;
    use crate::load::with_files;
    use crate::scan::Words;

    #[test]
    fn a_test_module_in_a_file_of_its_own_is_test_code() {
        let tree = workspace(&[
            ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]"),
            ("crates/a/Cargo.toml", "[package]\nname = \"a\""),
            ("crates/a/src/lib.rs", "mod m;\nfn p() {}"),
            ("crates/a/src/m.rs", "#[cfg(test)]\nmod tests;\nfn p() {}"),
            ("crates/a/src/m/tests.rs", "mod deep;"),
            ("crates/a/src/m/tests/deep.rs", "fn t() {}"),
            ("crates/a/src/n.rs", "mod i { mod o; #[cfg(test)] mod t; }"),
            ("crates/a/src/n/i/o.rs", "fn p() {}"),
            ("crates/a/src/n/i/t.rs", "fn t() {}"),
        ]);
        assert!(tree.broken.is_empty(), "{:?}", tree.broken);
        let test: Vec<_> = tree
            .sources
            .iter()
            .filter(|s| s.is_test_file())
            .map(|s| s.path.as_str())
            .collect();
        let expected = ["m/tests.rs", "m/tests/deep.rs", "n/i/t.rs"];
        assert_eq!(test, expected.map(|path| format!("crates/a/src/{path}")));
        let edit = (
            "crates/a/src/m/tests/late.rs".to_owned(),
            Some("fn t() {}".to_owned()),
        );
        let other = with_files(&tree, [edit], &Words::new([]));
        let late = other.sources.shared("crates/a/src/m/tests/late.rs");
        assert!(late.is_some_and(|late| late.is_test_file()));
        let lib = "crates/a/src/lib.rs";
        let same = tree.sources.shared(lib).zip(other.sources.shared(lib));
        assert!(same.is_some_and(|(a, b)| std::sync::Arc::ptr_eq(a, b)));
        let manifest = "[package]\nname = \"a\"\n[dependencies]\nserde = \"1\"".to_owned();
        let edit = ("crates/a/Cargo.toml".to_owned(), Some(manifest));
        let other = with_files(&tree, [edit], &Words::new([]));
        let knows = |file: &crate::model::SourceFile| file.externs.contains(&"serde".to_owned());
        assert!(other.sources.iter().all(knows));
        let modules: Vec<_> = tree.sources.iter().map(|s| s.module.join("::")).collect();
        let expected = ["", "m", "m::tests", "m::tests::deep", "n", "n::i::o", "n::i::t"];
        assert_eq!(modules, expected);
    }
}
