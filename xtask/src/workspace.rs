//! What do the checks look at: which files, which crates, which edges between them?

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Everything that a check may look at, collected once.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) crates: Vec<Crate>,
    pub(crate) files: Files,
}

pub(crate) struct Crate {
    pub(crate) name: String,
    /// Relative to the root.
    pub(crate) dir: String,
    pub(crate) layer: Option<String>,
    pub(crate) edges: Vec<Edge>,
    /// Names of the dependencies that are not ours.
    pub(crate) externals: Vec<String>,
}

impl Crate {
    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.dir)
    }
}

/// A dependency on another crate of this workspace, as declared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) to: String,
    pub(crate) kind: Kind,
    pub(crate) target: Option<String>,
    pub(crate) rename: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// The files that git tracks or would track; text only of those kinds that some check reads.
#[derive(Default)]
pub(crate) struct Files(BTreeMap<String, Option<String>>);

const READ_EXTENSIONS: [&str; 4] = ["lock", "md", "rs", "toml"];

impl Files {
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path)?.as_deref()
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether `path` is a file or a directory with files in it.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let inside = format!("{path}/");
        path.is_empty() || self.paths().any(|p| p == path || p.starts_with(&inside))
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

fn extension_of(path: &str) -> Option<&str> {
    Path::new(path).extension()?.to_str()
}

fn is_fixture(path: &str) -> bool {
    path.split('/').any(|part| part == "fixtures")
}

impl Workspace {
    /// Reads the workspace around the current directory.
    pub(crate) fn read() -> Result<Self> {
        let metadata = MetadataCommand::new()
            .no_deps()
            .exec()
            .context("cannot read the workspace with `cargo metadata`")?;
        let root = metadata.workspace_root.clone().into_std_path_buf();
        Ok(Self {
            crates: crates(&metadata)?,
            files: files(&root)?,
            root,
        })
    }
}

fn crates(metadata: &Metadata) -> Result<Vec<Crate>> {
    let members = metadata.workspace_packages();
    let mut crates = Vec::new();
    for package in &members {
        let dir = directory(package)?;
        let relative = dir.strip_prefix(&metadata.workspace_root).unwrap_or(dir);
        let mut edges = Vec::new();
        let mut externals = Vec::new();
        for dependency in &package.dependencies {
            let target = members.iter().find(|member| {
                directory(member).ok() == dependency.path.as_deref() && dependency.path.is_some()
            });
            match target {
                Some(member) => edges.push(Edge {
                    to: member.name.to_string(),
                    kind: kind(dependency.kind)?,
                    target: dependency.target.as_ref().map(ToString::to_string),
                    rename: dependency.rename.clone(),
                }),
                None => externals.push(dependency.name.clone()),
            }
        }
        edges.sort();
        crates.push(Crate {
            name: package.name.to_string(),
            dir: relative.to_string(),
            layer: package
                .metadata
                .pointer("/layer/name")
                .and_then(|name| name.as_str())
                .map(str::to_owned),
            edges,
            externals,
        });
    }
    crates.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(crates)
}

fn directory(package: &Package) -> Result<&cargo_metadata::camino::Utf8Path> {
    package
        .manifest_path
        .parent()
        .context("a manifest without a directory")
}

fn kind(kind: DependencyKind) -> Result<Kind> {
    match kind {
        DependencyKind::Normal => Ok(Kind::Normal),
        DependencyKind::Build => Ok(Kind::Build),
        DependencyKind::Development => Ok(Kind::Dev),
        other => bail!("unknown kind of dependency: {other}"),
    }
}

fn files(root: &Path) -> Result<Files> {
    let listing = Command::new("git")
        // A checkout may belong to another user; only names are read here.
        .args(["-c", "safe.directory=*"])
        .args(["ls-files", "-z", "-co", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("cannot run `git ls-files`")?;
    if !listing.status.success() {
        bail!(
            "`git ls-files` failed: {}",
            String::from_utf8_lossy(&listing.stderr)
        );
    }
    let listing = String::from_utf8(listing.stdout).context("a file name is not UTF-8")?;
    let mut files = BTreeMap::new();
    for path in listing.split('\0').filter(|path| !path.is_empty()) {
        let file = root.join(path);
        // A tracked file may be deleted in the working tree.
        if !file.is_file() {
            continue;
        }
        let read = extension_of(path).is_some_and(|e| READ_EXTENSIONS.contains(&e));
        let text = read
            .then(|| fs::read_to_string(&file).with_context(|| format!("cannot read {path}")))
            .transpose()?;
        files.insert(path.to_owned(), text);
    }
    Ok(Files(files))
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    impl Workspace {
        /// A workspace that exists in memory only.
        pub(crate) fn of(files: &[(&str, &str)]) -> Self {
            let files = files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned())));
            Self {
                root: PathBuf::new(),
                crates: Vec::new(),
                files: Files(files.collect()),
            }
        }

        pub(crate) fn with(mut self, krate: Crate) -> Self {
            self.crates.push(krate);
            self
        }
    }

    impl Crate {
        /// A crate in `crates/` with nothing but its name and layer.
        pub(crate) fn of(name: &str, layer: &str) -> Self {
            Self {
                name: name.to_owned(),
                dir: format!("crates/{name}"),
                layer: (!layer.is_empty()).then(|| layer.to_owned()),
                edges: Vec::new(),
                externals: Vec::new(),
            }
        }

        pub(crate) fn using(mut self, to: &str, kind: Kind) -> Self {
            self.edges.push(Edge {
                to: to.to_owned(),
                kind,
                target: None,
                rename: None,
            });
            self
        }

        pub(crate) fn needing(mut self, external: &str) -> Self {
            self.externals.push(external.to_owned());
            self
        }
    }
}
