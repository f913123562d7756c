//! What does a change do to the architecture? Two trees, compared fact by fact.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use crate::check::{Loaded, read_config};
use crate::config::PATHS;
use crate::load::{self, Revision};
use crate::lock::graph_facts;
use crate::model::{TargetKind, Workspace};
use crate::openapi::Document;

/// One kind of facts: how it is called, and how it is read from a tree. A family adds a line to `SOURCES`.
type Source = (&'static str, fn(&Loaded) -> BTreeSet<String>);

const SOURCES: &[Source] = &[
    ("crates and edges", |loaded| graph_facts(&loaded.workspace)),
    ("outside crates", |loaded| outside(&loaded.workspace)),
    ("fences", |loaded| fences(&rule_file(loaded))),
    ("rest of the rule file", |loaded| rest_of(rule_file(loaded))),
    ("exemptions", |loaded| exemptions(&loaded.workspace)),
    ("intents", |loaded| registry(loaded)),
    ("operations", |loaded| operations(loaded)),
    ("public items", |loaded| public(&loaded.workspace)),
];

/// What is compared, for the help and the last line.
pub(crate) fn titles() -> Vec<&'static str> {
    SOURCES.iter().map(|(title, _)| *title).collect()
}

/// The tree of a revision, with everything that a command needs to look at it.
fn revision(root: &Path, name: &str) -> Result<Loaded> {
    let tree = Revision::new(root.to_path_buf(), name)?;
    let words = crate::engine::words(&crate::registry::all());
    let mut workspace = load::load(&tree, &words);
    let config = read_config(&mut workspace, None);
    Ok(Loaded {
        workspace,
        config,
        words,
    })
}

/// Facts that the working tree adds to, and removes from, a revision.
pub(crate) fn text(now: &Loaded, name: &str) -> Result<String> {
    Ok(compare(&revision(&now.workspace.root, name)?, now, name))
}

fn compare(before: &Loaded, now: &Loaded, name: &str) -> String {
    let mut text = String::new();
    for broken in before.workspace.broken.iter().chain(&now.workspace.broken) {
        let _ = writeln!(text, "cannot compare all: {broken}");
    }
    let mut changes = 0;
    for (title, facts) in SOURCES {
        let (old, new) = (facts(before), facts(now));
        let mut lines: BTreeMap<&String, char> = old.difference(&new).map(|fact| (fact, '-')).collect();
        lines.extend(new.difference(&old).map(|fact| (fact, '+')));
        if lines.is_empty() {
            continue;
        }
        changes += lines.len();
        let _ = writeln!(text, "{title}");
        for (fact, sign) in lines {
            let _ = writeln!(text, "  {sign} {fact}");
        }
    }
    let (compared, s) = (titles().join(", "), if changes == 1 { "" } else { "s" });
    let _ = writeln!(text, "{changes} change{s} since {name}; compared: {compared}");
    text
}

fn outside(workspace: &Workspace) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for krate in &workspace.crates {
        for edge in krate.outside() {
            facts.insert(format!("{} -> {} {}", krate.name, edge.to, edge.how()));
        }
    }
    facts
}

/// The rule file as a table: an older one may have keys that this program does not know, and is compared all the same.
fn rule_file(loaded: &Loaded) -> toml::Table {
    let path = Some(loaded.config.path.as_str()).filter(|path| !path.is_empty());
    let text = |path: &str| loaded.workspace.files.text(path);
    let text = path.into_iter().chain(PATHS).find_map(text);
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// What may not be named, used or reached: a fact for each pair, so that a list that grows shows what grew.
fn fences(table: &toml::Table) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for fence in tables(table, "fence") {
        let mut but = list(fence, "allow", ", except ");
        if fence.get("tests").and_then(toml::Value::as_bool) == Some(true) {
            but.push_str(", in tests too");
        }
        let pairs = pairs(fence, "inside", "deny").into_iter();
        facts.extend(pairs.map(|(inside, deny)| format!("{inside} may not name {deny}{but}")));
    }
    for reach in tables(table, "reach") {
        let but = list(reach, "through", ", except through ");
        let pairs = pairs(reach, "from", "to").into_iter();
        facts.extend(pairs.map(|(from, to)| format!("{from} may not reach {to}{but}")));
    }
    for outside in tables(table, "outside") {
        let only = list(outside, "only", "");
        let but = list(outside, "dev", ", in tests ");
        let crates = strings(outside, "crate").into_iter();
        facts.extend(crates.map(|krate| format!("{krate} is for {only}{but}")));
    }
    let pure = strings(table, "no_std").into_iter();
    facts.extend(pure.map(|layer| format!("{layer} may not name std")));
    facts
}

/// Every other value, with the keys that lead to it.
fn rest_of(mut table: toml::Table) -> BTreeSet<String> {
    for shown in ["fence", "reach", "outside", "no_std"] {
        table.remove(shown);
    }
    let mut facts = BTreeSet::new();
    flatten("", &toml::Value::Table(table), &mut facts);
    facts
}

fn tables<'a>(table: &'a toml::Table, key: &str) -> impl Iterator<Item = &'a toml::Table> {
    let list = table.get(key).and_then(toml::Value::as_array);
    list.into_iter().flatten().filter_map(toml::Value::as_table)
}

fn strings<'a>(table: &'a toml::Table, key: &str) -> Vec<&'a str> {
    let list = table.get(key).and_then(toml::Value::as_array);
    let values = list.into_iter().flatten();
    values.filter_map(toml::Value::as_str).collect()
}

/// The list behind a key, after `start`; nothing when there is none.
fn list(table: &toml::Table, key: &str, start: &str) -> String {
    let list = strings(table, key);
    if list.is_empty() {
        return String::new();
    }
    format!("{start}{}", list.join(", "))
}

fn pairs<'a>(table: &'a toml::Table, left: &str, right: &str) -> Vec<(&'a str, &'a str)> {
    let (left, right) = (strings(table, left), strings(table, right));
    let pairs = left
        .into_iter()
        .flat_map(|left| right.iter().map(move |right| (left, *right)));
    pairs.collect()
}

fn flatten(path: &str, value: &toml::Value, facts: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flatten(&path, value, facts);
            }
        }
        // Lists of tables have no keys: their content tells them apart.
        toml::Value::Array(list) => facts.extend(list.iter().map(|value| format!("{path}: {value}"))),
        value => {
            facts.insert(format!("{path} = {value}"));
        }
    }
}

fn exemptions(workspace: &Workspace) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for source in &workspace.sources {
        for comment in source.comments() {
            let text = source.text.get(comment.range()).unwrap_or_default();
            if text.trim_start_matches(['/', ' ']).starts_with("arch:expect") {
                facts.insert(format!("{}: {text}", source.path));
            }
        }
    }
    facts
}

/// Rows of the document that lists transactions; a rule keeps it current.
fn registry(loaded: &Loaded) -> BTreeSet<String> {
    let text = loaded.workspace.text(&loaded.config.transactions.registry);
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim).filter(|cell| !cell.is_empty());
        let (name, intent) = (cells.next(), cells.next());
        format!("{} {}", name.unwrap_or_default(), intent.unwrap_or_default())
    })
    .collect()
}

/// Operations of the committed OpenAPI document; a rule keeps them equal to the routes.
fn operations(loaded: &Loaded) -> BTreeSet<String> {
    let path = loaded.config.contract.document.as_ref();
    let document = path.and_then(|path| Document::read(&loaded.workspace, path.as_ref()).ok());
    let mut facts = BTreeSet::new();
    for operation in document.iter().flat_map(Document::operations) {
        facts.insert(operation.name());
    }
    facts
}

/// What libraries offer: items that are `pub` without a restriction, outside of tests.
fn public(workspace: &Workspace) -> BTreeSet<String> {
    const KINDS: [&str; 7] = ["struct", "enum", "union", "trait", "fn", "type", "const"];
    let mut facts = BTreeSet::new();
    let product = workspace.sources.iter().filter(|source| {
        source.target == TargetKind::Lib && !source.is_test_file() && source.text.contains("pub ")
    });
    for source in product {
        for at in 0..source.tokens.list.len() {
            if source.word(at) != "pub" || source.is(at + 1, b'(') || source.in_tests(at) {
                continue;
            }
            let mut next = at + 1;
            while matches!(source.word(next), "const" | "async" | "unsafe" | "extern")
                && matches!(
                    source.word(next + 1),
                    "fn" | "async" | "unsafe" | "extern" | "trait"
                )
            {
                next += 1;
            }
            let kind = source.word(next);
            if KINDS.contains(&kind) {
                let place = source.item_path(next);
                let (name, krate) = (source.word(next + 1), &source.krate);
                let place = place.strip_suffix(name).unwrap_or(&place).trim_end_matches("::");
                let path = [krate.as_str(), place, name].join("::").replace("::::", "::");
                facts.insert(format!("pub {kind} {path}"));
            }
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::testing::workspace;

    const ROOT: (&str, &str) = ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n");

    fn loaded(files: &[(&str, &str)]) -> Loaded {
        let mut all = vec![ROOT];
        all.extend(files);
        let mut workspace = workspace(&all);
        let config = read_config(&mut workspace, None);
        Loaded {
            workspace,
            config,
            words: crate::engine::words(&crate::registry::all()),
        }
    }

    /// A fact of every kind goes, and one comes.
    #[test]
    fn a_change_of_every_kind_is_shown() {
        let before = loaded(&[
            (
                "crates/a/Cargo.toml",
                "[package]\nname = \"a\"\n[dependencies]\nb = { path = \"../b\" }\nserde = \"1\"\n",
            ),
            (
                "crates/a/src/lib.rs",
                "pub struct Old;\nimpl Old { pub fn method(&self) {} }\n",
            ),
            ("crates/b/Cargo.toml", "[package]\nname = \"b\"\n"),
            (
                "crates/b/src/lib.rs",
                "// arch:expect(ARCH-SQL-001): the reason\n",
            ),
            ("architecture.toml", include_str!("diff/before.toml")),
            ("docs/intents.md", "| `a::old` | read | x |\n"),
            ("openapi.json", r#"{"paths": {"/old": {"get": {}}}}"#),
        ]);
        let now = loaded(&[
            (
                "crates/a/Cargo.toml",
                "[package]\nname = \"a\"\n[dev-dependencies]\nb = { path = \"../b\" }\njiff = \"1\"\n",
            ),
            (
                "crates/a/src/lib.rs",
                "pub struct New;\npub(crate) struct Hidden;\n#[cfg(test)]\nmod tests { pub fn none() {} }\n",
            ),
            ("crates/b/Cargo.toml", "[package]\nname = \"b\"\n"),
            ("architecture.toml", include_str!("diff/now.toml")),
            ("docs/intents.md", "| `a::old` | write | x |\n"),
            ("openapi.json", r#"{"paths": {"/old": {"post": {}}}}"#),
        ]);
        insta::assert_snapshot!(compare(&before, &now, "main"));
        let same = compare(&before, &before, "main");
        assert!(
            same.starts_with("0 changes since main; compared: crates and edges, "),
            "{same}"
        );
    }

    #[test]
    fn fences_of_a_rule_file_with_unknown_keys_are_compared() {
        let fence = "[[fence]]\ninside = [\"a\"]\ndeny = [\"std::env\"]\nwhy = \"\"\ninstead = \"\"\n";
        let old = format!("unknown = 1\n{fence}");
        let (before, now) = (
            loaded(&[("architecture.toml", &old)]),
            loaded(&[("architecture.toml", fence)]),
        );
        let told = compare(&before, &now, "main");
        assert!(!told.contains("may not name"), "{told}");
        assert!(
            told.contains("- unknown = 1") && told.contains("cannot compare all"),
            "{told}"
        );
    }
}
