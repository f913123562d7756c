//! The generated workspace once more, in Python: the same modules, imports and layers, files of the same size.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use super::plan::{Crate, FILE_BYTES, LAYERS, Tree, plan, put};

/// The package that holds one package for each crate.
pub(super) const ROOT: &str = "tree";

/// Writes the tree with the configuration of import-linter and Tach into a directory, which must not exist.
pub(super) fn write(dir: &Path, count: usize, files: usize) -> Result<Tree> {
    let crates = plan(count);
    let mut tree = Tree {
        files: 1,
        bytes: 0,
        planted: crates.iter().filter(|krate| krate.planted).count(),
    };
    put(dir, ".importlinter", &import_linter(&crates))?;
    put(dir, "tach.toml", &tach(&crates))?;
    put(dir, &format!("{ROOT}/__init__.py"), "")?;
    for krate in &crates {
        let home = dir.join(ROOT).join(krate.lib());
        for file in 0..files {
            let text = source(krate, &crates, file);
            tree.bytes += text.len();
            put(&home, &format!("m{file}.py"), &text)?;
        }
        tree.files += files + 1;
        put(&home, "__init__.py", "")?;
    }
    Ok(tree)
}

/// Packages of a layer are independent of each other, as crates of a layer are.
fn import_linter(crates: &[Crate]) -> String {
    let mut text = format!(
        "[importlinter]\nroot_package = {ROOT}\n\n[importlinter:contract:layers]\nname = layers\ntype = layers\n\
         containers =\n    {ROOT}\nlayers =\n"
    );
    for (layer, _) in LAYERS.iter().rev() {
        let of_layer = crates.iter().filter(|krate| krate.layer_name() == *layer);
        let names: Vec<_> = of_layer.map(Crate::lib).collect();
        if !names.is_empty() {
            let _ = writeln!(text, "    {}", names.join(" | "));
        }
    }
    text
}

/// Lower layers are open, what is used of the own layer must be declared: nothing is.
fn tach(crates: &[Crate]) -> String {
    let layers: Vec<_> = LAYERS
        .iter()
        .rev()
        .map(|layer| format!("\"{}\"", layer.0))
        .collect();
    let mut text = format!(
        "source_roots = [\".\"]\nexclude = []\nroot_module = \"ignore\"\nlayers = [{}]\n",
        layers.join(", ")
    );
    for krate in crates {
        let _ = write!(
            text,
            "\n[[modules]]\npath = \"{ROOT}.{}\"\nlayer = \"{}\"\ndepends_on = []\n",
            krate.lib(),
            krate.layer_name()
        );
    }
    text
}

fn source(krate: &Crate, crates: &[Crate], file: usize) -> String {
    let mut text = format!(
        "\"\"\"What does part {file} of {} decide?\"\"\"\n\nfrom dataclasses import dataclass\n\n",
        krate.name
    );
    if let Some(other) = krate.used_by(file).and_then(|other| crates.get(other)) {
        let _ = writeln!(
            text,
            "from {ROOT}.{}.m{file} import decide_0 as other_0, Input as Other\n",
            other.lib()
        );
    }
    text.push_str("\n@dataclass\nclass Input:\n    tenant: str\n    amount: int\n\n");
    let mut number = 0;
    while text.len() < FILE_BYTES {
        let _ = write!(
            text,
            "\ndef decide_{number}(input: Input, known: dict[str, int]) -> int:\n    \
             \"\"\"Decides case {number}: what is over the limit is refused, and the reason is kept.\"\"\"\n    \
             # The limit of a tenant that nobody knows is zero.\n    \
             limit = known.get(input.tenant, 0)\n    if input.amount > limit:\n        \
             raise ValueError(f\"{{input.amount}} is over the limit of {{limit}}\")\n    \
             return limit - input.amount + {number}\n\n"
        );
        number += 1;
    }
    text
}
