//! A workspace as large as one wants, with a known number of forbidden edges: the same on every machine.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Layers with their share of the crates, in twentieths, lowest first.
const LAYERS: [(&str, usize); 7] = [
    ("L6", 4),
    ("L5", 3),
    ("L4", 6),
    ("L3", 2),
    ("L2", 2),
    ("L1", 1),
    ("L7", 2),
];
/// Every so many crates, one uses a layer above its own.
const PLANTED_EVERY: usize = 10;
/// Bytes of a file, about.
const FILE_BYTES: usize = 5_100;

/// What was written.
pub(super) struct Tree {
    pub(super) files: usize,
    pub(super) bytes: usize,
    /// Forbidden edges, to be found exactly.
    pub(super) planted: usize,
}

struct Crate {
    name: String,
    layer: usize,
    uses: Vec<usize>,
    /// Whether the last use is forbidden.
    planted: bool,
}

/// Writes the workspace into a directory, which must not exist.
pub(super) fn write(dir: &Path, count: usize, files: usize) -> Result<Tree> {
    let crates = plan(count);
    let mut tree = Tree {
        files: 0,
        bytes: 0,
        planted: crates.iter().filter(|krate| krate.planted).count(),
    };
    put(
        dir,
        "Cargo.toml",
        "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n",
    )?;
    put(dir, "architecture.toml", &rules())?;
    for krate in &crates {
        let home = dir.join("crates").join(&krate.name);
        put(&home, "Cargo.toml", &manifest(krate, &crates))?;
        let mut root = format!("//! What does {} do?\n\n", krate.name);
        for file in 0..files {
            let _ = writeln!(root, "pub mod m{file};");
            let text = source(krate, &crates, file);
            tree.bytes += text.len();
            put(&home, &format!("src/m{file}.rs"), &text)?;
        }
        tree.files += files + 1;
        tree.bytes += root.len();
        put(&home, "src/lib.rs", &root)?;
    }
    Ok(tree)
}

fn put(dir: &Path, name: &str, text: &str) -> Result<()> {
    let path = dir.join(name);
    let parent = path.parent().context("a file without a directory")?;
    fs::create_dir_all(parent)?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn plan(count: usize) -> Vec<Crate> {
    let shares: usize = LAYERS.iter().map(|layer| layer.1).sum();
    let mut crates: Vec<Crate> = Vec::new();
    let mut seed = 1_u64;
    for number in 0..count {
        let mut place = number * shares / count.max(1);
        let layer = LAYERS.iter().position(|(_, share)| {
            let inside = place < *share;
            place = place.saturating_sub(*share);
            inside
        });
        let layer = layer.unwrap_or(0);
        let below: Vec<usize> = (0..number)
            .filter(|other| crates.get(*other).is_some_and(|c| c.layer < layer))
            .collect();
        let mut uses = Vec::new();
        for _ in 0..4 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let index = usize::try_from(seed >> 33).unwrap_or(0) % below.len().max(1);
            uses.extend(
                below
                    .get(index)
                    .filter(|other| !uses.contains(*other))
                    .copied()
                    .into_iter()
                    .collect::<Vec<_>>(),
            );
        }
        crates.push(Crate {
            name: format!(
                "{}-{number:03}",
                LAYERS.get(layer).map_or("l", |l| l.0).to_lowercase()
            ),
            layer,
            uses,
            planted: false,
        });
    }
    // A crate of the lowest layer uses its upper neighbour: no circle, since nothing below points back at it alone.
    for number in (0..count).step_by(PLANTED_EVERY) {
        let peer = crates.get(number).map(|krate| krate.layer);
        let next = (number + 1..count).find(|other| crates.get(*other).map(|krate| krate.layer) == peer);
        if let (Some(next), Some(krate)) = (next, crates.get_mut(number)) {
            krate.uses.push(next);
            krate.planted = true;
        }
    }
    crates
}

fn rules() -> String {
    let mut text = String::new();
    for (index, (name, _)) in LAYERS.iter().enumerate() {
        let below: Vec<_> = LAYERS
            .iter()
            .take(index)
            .map(|layer| format!("\"{}\"", layer.0))
            .collect();
        let _ = writeln!(text, "[layers.{name}]\nmay_use = [{}]\n", below.join(", "));
    }
    text.push_str(
        "[[fence]]\ninside = [\"l4-070\"]\ndeny = [\"std::fs\"]\nwhy = \"pure\"\ninstead = \"a parameter\"\n",
    );
    text
}

fn manifest(krate: &Crate, crates: &[Crate]) -> String {
    let layer = LAYERS.get(krate.layer).map_or("L6", |layer| layer.0);
    let mut text = format!(
        "[package]\nname = \"{}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[package.metadata.layer]\nname = \
         \"{layer}\"\n\n[dependencies]\n",
        krate.name
    );
    for other in krate.uses.iter().filter_map(|other| crates.get(*other)) {
        let _ = writeln!(text, "{} = {{ path = \"../{}\" }}", other.name, other.name);
    }
    text
}

fn source(krate: &Crate, crates: &[Crate], file: usize) -> String {
    let mut text = format!(
        "//! What does part {file} of {} decide?\n\nuse std::collections::BTreeMap;\n\n",
        krate.name
    );
    let used: Vec<_> = krate.uses.iter().filter_map(|other| crates.get(*other)).collect();
    if let Some(other) = used.get(file % used.len().max(1)) {
        let _ = writeln!(
            text,
            "use {}::m{file}::{{decide_0, Input as Other}};\n",
            other.name.replace('-', "_")
        );
    }
    text.push_str(
        "#[derive(Debug, Clone)]\npub struct Input {\n    pub tenant: String,\n    pub amount: u64,\n}\n\n",
    );
    let mut number = 0;
    while text.len() < FILE_BYTES - 300 {
        let _ = write!(
            text,
            "/// Decides case {number}: what is over the limit is refused, and the reason is kept.\n\
             pub fn decide_{number}(input: &Input, known: &BTreeMap<String, u64>) -> Result<u64, String> {{\n    \
             // The limit of a tenant that nobody knows is zero.\n    \
             let limit = known.get(&input.tenant).copied().unwrap_or(0);\n    \
             if input.amount > limit {{\n        \
             return Err(format!(\"{{}} is over the limit of {{limit}}\", input.amount));\n    }}\n    \
             Ok(limit - input.amount + {number})\n}}\n\n"
        );
        number += 1;
    }
    text.push_str("#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn nothing_is_over_nothing() {\n        \
                   println!(\"{:?}\", BTreeMap::<String, u64>::new());\n    }\n}\n");
    text
}
