//! What does a change do to the architecture? Two trees, compared fact by fact.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use crate::check::{Loaded, read_config};
use crate::load::{self, Revision};
use crate::lock::graph_facts;
use crate::model::{TargetKind, Workspace};
use crate::openapi::Document;

/// One kind of facts: how it is called, and how it is read from a tree. A family adds a line to `SOURCES`.
type Source = (&'static str, fn(&Loaded) -> BTreeSet<String>);

const SOURCES: &[Source] = &[
    ("crates and edges", |loaded| graph_facts(&loaded.workspace)),
    ("outside crates", |loaded| outside(&loaded.workspace)),
    ("rule file", |loaded| rule_file(loaded)),
    ("exemptions", |loaded| exemptions(&loaded.workspace)),
    ("intents", |loaded| registry(loaded)),
    ("operations", |loaded| operations(loaded)),
    ("public items", |loaded| public(&loaded.workspace)),
];

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
    let before = revision(&now.workspace.root, name)?;
    let mut text = String::new();
    for broken in before.workspace.broken.iter().chain(&now.workspace.broken) {
        let _ = writeln!(text, "cannot compare all: {broken}");
    }
    let mut changes = 0;
    for (title, facts) in SOURCES {
        let (old, new) = (facts(&before), facts(now));
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
    let _ = writeln!(text, "{changes} changes since {name}");
    Ok(text)
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

/// Every value of the rule file, with the keys that lead to it.
fn rule_file(loaded: &Loaded) -> BTreeSet<String> {
    let text = loaded.workspace.text(&loaded.config.path);
    let table: toml::Table = text.parse().unwrap_or_default();
    let mut facts = BTreeSet::new();
    flatten("", &toml::Value::Table(table), &mut facts);
    facts
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
