//! Where do files come from?

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use walkdir::WalkDir;

/// What was read: `None` for a file that is not there any more.
pub(crate) type Read = (String, Result<Option<Text>>);

/// What is in a file. It is decoded as soon as it is read, so that no second copy of all files is kept.
pub(crate) enum Text {
    Utf8(Arc<str>),
    Other(Vec<u8>),
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::Utf8(text.into()),
            Err(_) => Self::Other(bytes),
        }
    }
}

/// A set of files.
pub(crate) trait Tree: Sync {
    /// All paths, relative to the root, with `/`.
    fn paths(&self) -> Result<Vec<String>>;
    /// The contents of many files at once.
    fn read(&self, paths: Vec<String>) -> Vec<Read>;

    /// All files: those that are wanted with their contents, and the names of the others.
    fn files(&self, wanted: fn(&str) -> bool) -> Result<(Vec<Read>, Vec<String>)> {
        let (read, named) = self.paths()?.into_iter().partition(|path| wanted(path));
        Ok((self.read(read), named))
    }
}

/// A directory.
pub(crate) struct Disk {
    pub(crate) root: PathBuf,
}

impl Tree for Disk {
    /// What git tracks or would track; without git, everything but build output and hidden directories.
    fn paths(&self) -> Result<Vec<String>> {
        if self.is_known_to_git() {
            return Ok(self.files(|_| false)?.1);
        }
        let walk = WalkDir::new(&self.root).into_iter().filter_entry(|entry| {
            let name = entry.file_name().to_string_lossy();
            let skipped = name == "target" || name == "node_modules" || name.starts_with('.');
            entry.depth() == 0 || !skipped
        });
        let mut paths = Vec::new();
        for entry in walk {
            let entry = entry.map_err(|error| anyhow::anyhow!("cannot list the files: {error}"))?;
            if entry.file_type().is_file() {
                let path = entry.path().strip_prefix(&self.root).unwrap_or(entry.path());
                let path = path
                    .to_str()
                    .with_context(|| format!("{} is not UTF-8", path.display()))?;
                paths.push(path.replace('\\', "/"));
            }
        }
        Ok(paths)
    }

    fn read(&self, paths: Vec<String>) -> Vec<Read> {
        let read = |path: String| {
            let bytes = match fs::read(self.root.join(&path)) {
                Ok(bytes) => Ok(Some(bytes.into())),
                // A tracked file may be deleted in the working tree.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error).context("cannot read the file"),
            };
            (path, bytes)
        };
        paths.into_par_iter().map(read).collect()
    }

    fn files(&self, wanted: fn(&str) -> bool) -> Result<(Vec<Read>, Vec<String>)> {
        if !self.is_known_to_git() {
            let (read, named) = self.paths()?.into_iter().partition(|path| wanted(path));
            return Ok((self.read(read), named));
        }
        // New files are looked for in every directory: meanwhile those that git knows are read.
        let new = listing(&self.root, &["-o", "--exclude-standard"])?;
        let split = |git| -> Result<(Vec<Read>, Vec<String>)> {
            let paths = listed(&self.root, git)?.into_iter();
            let (read, named) = paths.partition(|path| wanted(path));
            Ok((self.read(read), named))
        };
        let known = listing(&self.root, &["-c"]).and_then(split);
        let (more, others) = split(new)?;
        let (mut read, mut named) = known?;
        read.extend(more);
        named.extend(others);
        Ok((read, named))
    }
}

impl Disk {
    fn is_known_to_git(&self) -> bool {
        self.root.join(".git").exists()
    }
}

/// Starts to list files with git.
fn listing(root: &Path, which: &[&str]) -> Result<Child> {
    let mut git = Command::new("git");
    // A checkout may belong to another user; only names are read here.
    git.args(["-c", "safe.directory=*", "ls-files", "-z"]).args(which);
    git.current_dir(root)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    git.spawn().context("cannot run `git ls-files`")
}

/// The paths that git lists. What is there under the name of a file, and is none, is left out.
fn listed(root: &Path, git: Child) -> Result<Vec<String>> {
    let listing = git.wait_with_output().context("cannot run `git ls-files`")?;
    if !listing.status.success() {
        bail!(
            "`git ls-files` failed: {}",
            String::from_utf8_lossy(&listing.stderr)
        );
    }
    let listing = String::from_utf8(listing.stdout).context("a file name is not UTF-8")?;
    let paths: Vec<_> = listing.split('\0').filter(|path| !path.is_empty()).collect();
    let files = paths.into_par_iter().filter(|path| root.join(path).is_file());
    Ok(files.map(str::to_owned).collect())
}

/// Files in memory, on top of another tree or of nothing.
#[derive(Default)]
pub(crate) struct Overlay<'a> {
    pub(crate) base: Option<&'a dyn Tree>,
    /// `None` takes a file away.
    pub(crate) files: BTreeMap<String, Option<String>>,
}

impl Overlay<'_> {
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned())));
        Self {
            base: None,
            files: files.collect(),
        }
    }
}

impl Tree for Overlay<'_> {
    fn paths(&self) -> Result<Vec<String>> {
        let mut paths = self.base.map_or_else(|| Ok(Vec::new()), Tree::paths)?;
        paths.retain(|path| !self.files.contains_key(path));
        let own = self.files.iter().filter(|(_, text)| text.is_some());
        paths.extend(own.map(|(path, _)| path.clone()));
        Ok(paths)
    }

    fn read(&self, paths: Vec<String>) -> Vec<Read> {
        let (own, below): (Vec<_>, Vec<_>) =
            paths.into_iter().partition(|path| self.files.contains_key(path));
        let mut read = self.base.map_or_else(Vec::new, |base| base.read(below));
        read.extend(own.into_iter().map(|path| {
            let text = self.files.get(&path).cloned().flatten();
            (path, Ok(text.map(|text| Text::Utf8(text.into()))))
        }));
        read
    }
}
