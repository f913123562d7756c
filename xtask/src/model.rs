//! What do the rules look at: which crates, which edges, which files?

mod shared;
mod source;
mod sources;
mod span;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use shared::Shared;
pub(crate) use source::{SourceFile, TargetKind};
pub(crate) use sources::Sources;
pub(crate) use span::{Broken, Span, line_column, line_count, line_span};

/// Everything that a rule may look at, collected once.
#[derive(Default)]
pub(crate) struct Workspace {
    /// Where the tree is on disk; empty for a tree that exists in memory only.
    pub(crate) root: PathBuf,
    /// Sorted by name.
    pub(crate) crates: Vec<Crate>,
    pub(crate) files: Files,
    /// Rust files of the crates, sorted by path, lexed.
    pub(crate) sources: Sources,
    /// Which of them belong to each crate, by its name.
    pub(crate) of_crate: BTreeMap<String, Vec<usize>>,
    /// What could not be read, parsed or lexed: the run ends with exit code 2.
    pub(crate) broken: Vec<Broken>,
    /// What rules share.
    pub(crate) shared: Shared,
}

impl Workspace {
    pub(crate) fn krate(&self, name: &str) -> Option<&Crate> {
        let at = self
            .crates
            .binary_search_by(|krate| krate.name.as_str().cmp(name))
            .ok()?;
        self.crates.get(at)
    }

    /// The Rust files of one crate.
    pub(crate) fn sources_of<'a>(&'a self, krate: &'a Crate) -> impl Iterator<Item = &'a SourceFile> {
        let own = self.of_crate.get(&krate.name).into_iter().flatten();
        own.filter_map(|at| self.sources.get(*at))
    }

    /// The Rust files in these crates and modules, crate by crate.
    pub(crate) fn inside<'a, S: AsRef<String>>(
        &'a self,
        names: &'a [S],
    ) -> impl Iterator<Item = &'a SourceFile> {
        self.crates.iter().flat_map(move |krate| {
            let concerns = |name: &&S| {
                let rest = name.as_ref().strip_prefix(krate.name.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            };
            let own: Vec<_> = names.iter().filter(concerns).collect();
            let files = (!own.is_empty()).then(|| self.sources_of(krate));
            let is_inside = move |file: &&SourceFile| own.iter().any(|name| file.is_in(name.as_ref()));
            files.into_iter().flatten().filter(is_inside)
        })
    }

    /// Whether `crate` or `crate::module` exists.
    pub(crate) fn has_module(&self, name: &str) -> bool {
        let krate = name.split("::").next().unwrap_or_default();
        self.krate(krate)
            .is_some_and(|krate| krate.name == name || self.sources_of(krate).any(|file| file.is_in(name)))
    }

    /// SQL files outside of fixtures: path and text.
    pub(crate) fn migrations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.with_extension("sql")
    }

    pub(crate) fn text(&self, path: &str) -> &str {
        self.files.text(path).unwrap_or_default()
    }
}

/// A member of the workspace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Crate {
    pub(crate) name: String,
    /// Relative to the root, empty for a package in the root itself.
    pub(crate) dir: String,
    pub(crate) layer: Option<Layer>,
    /// Declared dependencies on members and on outside crates, in the order of the manifest.
    pub(crate) edges: Vec<Edge>,
    /// What other crates call it in source: the name of its library.
    pub(crate) lib_name: String,
}

impl Crate {
    pub(crate) fn manifest(&self) -> String {
        join(&self.dir, "Cargo.toml")
    }

    pub(crate) fn layer_name(&self) -> Option<&str> {
        self.layer.as_ref().map(|layer| layer.name.as_str())
    }

    /// Dependencies on other members.
    pub(crate) fn inside(&self) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(|edge| edge.member)
    }

    /// Dependencies on crates from elsewhere.
    pub(crate) fn outside(&self) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(|edge| !edge.member)
    }
}

/// The layer that a crate claims in `[package.metadata.layer]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) name: String,
    pub(crate) span: Span,
}

/// One declared dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The package's name, not what the manifest renames it to.
    pub(crate) to: String,
    /// Whether it leads to a member of this workspace (by directory, not by name).
    pub(crate) member: bool,
    pub(crate) kind: Kind,
    pub(crate) optional: bool,
    pub(crate) target: Option<String>,
    pub(crate) features: Vec<String>,
    pub(crate) renamed: Option<String>,
    /// Whether the crate takes it from `[workspace.dependencies]`.
    pub(crate) inherited: bool,
    /// The line of the crate's manifest.
    pub(crate) span: Span,
}

impl Edge {
    /// What source code calls the dependency.
    pub(crate) fn extern_name(&self) -> String {
        self.renamed.as_deref().unwrap_or(&self.to).replace('-', "_")
    }

    /// `normal`, with everything that makes the edge conditional.
    pub(crate) fn how(&self) -> String {
        let mut text = self.kind.to_string();
        if self.optional {
            text.push_str(", optional");
        }
        if let Some(target) = &self.target {
            text = format!("{text}, for target {target}");
        }
        if let Some(renamed) = &self.renamed {
            text = format!("{text}, renamed `{renamed}`");
        }
        if self.inherited {
            text.push_str(", inherited from the workspace");
        }
        text
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Build => "build",
            Self::Dev => "dev",
        })
    }
}

/// All files of the tree; text only of those kinds that some rule reads.
#[derive(Default)]
pub(crate) struct Files(pub(crate) BTreeMap<String, Option<Arc<str>>>);

impl Files {
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path)?.as_deref()
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether `path` is a file or a directory with files in it.
    pub(crate) fn exists(&self, path: &str) -> bool {
        path.is_empty() || self.0.contains_key(path) || self.under(&format!("{path}/")).next().is_some()
    }

    /// Paths that begin with `prefix`.
    pub(crate) fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let after = self.0.range(prefix.to_owned()..).map(|(path, _)| path.as_str());
        after.take_while(move |path| path.starts_with(prefix))
    }

    /// Files with this extension and their text. Fixtures of tests are data, not sources.
    pub(crate) fn with_extension<'a>(
        &'a self,
        extension: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(path, text)| {
            let wanted = extension_of(path) == Some(extension) && !is_fixture(path);
            text.as_deref()
                .filter(|_| wanted)
                .map(|text| (path.as_str(), text))
        })
    }
}

pub(crate) fn extension_of(path: &str) -> Option<&str> {
    Path::new(path).extension()?.to_str()
}

pub(crate) fn is_fixture(path: &str) -> bool {
    path.split('/').any(|part| part == "fixtures")
}

/// `dir/name`, or `name` in the root.
pub(crate) fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() {
        name.to_owned()
    } else {
        format!("{dir}/{name}")
    }
}
