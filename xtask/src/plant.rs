//! What is a violation that is written into the tree in memory, and how does it change a file?

use std::ops::Range;

use crate::model::{Crate, Edge, join};

/// A violation in one file.
#[derive(Debug, Clone)]
pub(crate) struct Plant {
    pub(crate) path: String,
    change: Change,
}

#[derive(Debug, Clone)]
enum Change {
    /// A file of its own.
    File(String),
    Append(String),
    /// A text that stands in the file once, and what it becomes.
    Replace(String, String),
}

impl Plant {
    pub(crate) fn file(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            change: Change::File(text.into()),
        }
    }

    pub(crate) fn append(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            change: Change::Append(text.into()),
        }
    }

    pub(crate) fn replace(path: impl Into<String>, old: impl Into<String>, new: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            change: Change::Replace(old.into(), new.into()),
        }
    }

    /// A file in a module of the crate: `name` is an entry of the rule file, `crate` or `crate::module`.
    pub(crate) fn inside(krate: &Crate, name: &str, file: &str, text: &str) -> Option<Self> {
        let mut parts = name.split("::");
        if parts.next() != Some(krate.name.as_str()) {
            return None;
        }
        let path: Vec<_> = std::iter::once("src").chain(parts).chain([file]).collect();
        let path = join(&krate.dir, &format!("{}.rs", path.join("/")));
        Some(Self::file(path, format!("//! What is planted here?\n\n{text}")))
    }

    /// A dependency, behind a condition of its own so that it is no second table of that name.
    pub(crate) fn dependency(krate: &Crate, to: &str, how: &str) -> Self {
        let text = format!("\n[target.'cfg(planted = \"{to}\")'.dependencies]\n{to} = {how}\n");
        Self::append(krate.manifest(), text)
    }

    /// A dependency on another member.
    pub(crate) fn member(krate: &Crate, to: &Crate) -> Self {
        let up = "../".repeat(krate.dir.split('/').count());
        Self::dependency(krate, &to.name, &format!("{{ path = \"{up}{}\" }}", to.dir))
    }

    /// Whether rules must look at it apart from other plants: it changes what others stand on.
    pub(crate) fn is_apart(&self) -> bool {
        matches!(self.change, Change::Replace(..)) || self.path.ends_with("Cargo.toml")
    }

    /// What the file becomes, and where the violation is in it; `None` when it does not fit.
    pub(crate) fn apply(&self, before: &str) -> Option<(String, Range<usize>)> {
        match &self.change {
            Change::File(text) => Some((text.clone(), 0..usize::MAX)),
            Change::Append(text) => Some((format!("{before}{text}"), before.len()..usize::MAX)),
            Change::Replace(old, new) => {
                // Rules show the file, or the line that names the package.
                before
                    .contains(old.as_str())
                    .then(|| (before.replacen(old.as_str(), new, 1), 0..usize::MAX))
            }
        }
    }
}

/// Whether the crate has a dependency of this name already.
pub(crate) fn has_edge(krate: &Crate, to: &str) -> bool {
    krate
        .edges
        .iter()
        .map(|edge: &Edge| &edge.to)
        .any(|name| name == to)
}
