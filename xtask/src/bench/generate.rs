//! A workspace as large as one wants, with a known number of forbidden edges: the same on every machine.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use super::families;
use super::plan::{Crate, FILE_BYTES, LAYERS, Tree, plan, put};

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
    put(dir, "architecture.toml", &(layers() + &families::rules(&crates)))?;
    families::documents(dir, &crates)?;
    for (number, krate) in crates.iter().enumerate() {
        let home = dir.join("crates").join(&krate.name);
        put(&home, "Cargo.toml", &manifest(krate, &crates))?;
        let mut root = format!("//! What does {} do?\n\n", krate.name);
        for file in 0..files {
            let _ = writeln!(root, "pub mod m{file};");
            let text = source(&crates, number, file);
            tree.bytes += text.len();
            put(&home, &format!("src/m{file}.rs"), &text)?;
        }
        tree.files += files + 1;
        tree.bytes += root.len();
        put(&home, "src/lib.rs", &root)?;
    }
    Ok(tree)
}

fn layers() -> String {
    let mut text = String::new();
    for (index, (name, _)) in LAYERS.iter().enumerate() {
        let below: Vec<_> = LAYERS
            .iter()
            .take(index)
            .map(|layer| format!("\"{}\"", layer.0))
            .collect();
        let _ = writeln!(text, "[layers.{name}]\nmay_use = [{}]\n", below.join(", "));
    }
    text
}

fn manifest(krate: &Crate, crates: &[Crate]) -> String {
    let layer = krate.layer_name();
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

fn source(crates: &[Crate], number: usize, file: usize) -> String {
    let Some(krate) = crates.get(number) else {
        return String::new();
    };
    let mut text = format!(
        "//! What does part {file} of {} decide?\n\nuse std::collections::BTreeMap;\n\n",
        krate.name
    );
    if let Some(other) = krate.used_by(file).and_then(|other| crates.get(other)) {
        let _ = writeln!(
            text,
            "use {}::m{file}::{{decide_0, Input as Other}};\n",
            other.lib()
        );
    }
    text.push_str(&families::items(crates, number, file));
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
