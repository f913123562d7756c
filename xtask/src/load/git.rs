//! What did the tree look like in another revision? Read from git's store, without a checkout.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

use super::tree::{Read as FileRead, Tree};

/// A commit of the repository at `root`.
pub(crate) struct Revision {
    root: PathBuf,
    commit: String,
}

impl Revision {
    pub(crate) fn new(root: PathBuf, name: &str) -> Result<Self> {
        let output = git(&root)
            .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
            .arg(format!("{name}^{{commit}}"))
            .output()
            .context("cannot run git")?;
        if !output.status.success() {
            bail!("`{name}` is no revision of this repository");
        }
        let commit = String::from_utf8(output.stdout)?.trim().to_owned();
        Ok(Self { root, commit })
    }

    /// Where the branch that is checked out left another one.
    pub(crate) fn merge_base(root: PathBuf, other: &str) -> Result<Self> {
        let other = Self::new(root.clone(), other)?;
        let output = git(&root)
            .args(["merge-base", "HEAD", &other.commit])
            .output()
            .context("cannot run git")?;
        if !output.status.success() {
            bail!(
                "HEAD and `{}` have no common commit here: fetch more history",
                other.commit
            );
        }
        let commit = String::from_utf8(output.stdout)?.trim().to_owned();
        Ok(Self { root, commit })
    }

    /// The first of the usual names of the default branch that exists.
    pub(crate) fn default_branch(root: &Path) -> Option<&'static str> {
        let names = ["origin/HEAD", "origin/main", "origin/master", "main", "master"];
        names
            .into_iter()
            .find(|name| Self::new(root.to_path_buf(), name).is_ok())
    }

    /// The commit, as short as people write it.
    pub(crate) fn short(&self) -> &str {
        self.commit.get(..10).unwrap_or(&self.commit)
    }

    /// The text of one file; `None` when the commit does not have it.
    pub(crate) fn text(&self, path: &str) -> Result<Option<String>> {
        let contents = self.contents(&[path.to_owned()])?.into_iter().next().flatten();
        let text = contents.map(String::from_utf8).transpose();
        text.with_context(|| format!("{path} at {} is not UTF-8", self.short()))
    }

    fn contents(&self, paths: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut child = git(&self.root)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run `git cat-file`")?;
        let mut input = child.stdin.take().context("git has no input")?;
        let mut output = BufReader::new(child.stdout.take().context("git has no output")?);
        let mut contents = Vec::new();
        thread::scope(|scope| -> Result<()> {
            let asked = scope.spawn(move || -> Result<()> {
                for path in paths {
                    writeln!(input, "{}:./{path}", self.commit)?;
                }
                Ok(())
            });
            for _ in paths {
                contents.push(object(&mut output)?);
            }
            asked
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        child.wait()?;
        Ok(contents)
    }
}

/// One answer of `git cat-file --batch`.
fn object(output: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let mut header = String::new();
    output.read_line(&mut header)?;
    if header.trim_end().ends_with("missing") {
        return Ok(None);
    }
    let size = header
        .split_whitespace()
        .last()
        .and_then(|size| size.parse::<u64>().ok());
    let size = size.with_context(|| format!("unexpected answer of git: {header}"))?;
    let mut bytes = Vec::new();
    output.by_ref().take(size).read_to_end(&mut bytes)?;
    output.read_exact(&mut [0])?;
    Ok(Some(bytes))
}

fn git(root: &PathBuf) -> Command {
    let mut command = Command::new("git");
    command.args(["-c", "safe.directory=*"]).current_dir(root);
    command
}

impl Tree for Revision {
    fn paths(&self) -> Result<Vec<String>> {
        let output = git(&self.root)
            .args(["ls-tree", "-r", "-z", "--name-only", &self.commit])
            .output()
            .context("cannot run `git ls-tree`")?;
        if !output.status.success() {
            bail!(
                "`git ls-tree` failed: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let listing = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
        Ok(listing
            .split('\0')
            .filter(|path| !path.is_empty())
            .map(str::to_owned)
            .collect())
    }

    fn read(&self, paths: Vec<String>) -> Vec<FileRead> {
        match self.contents(&paths) {
            Ok(contents) => paths
                .into_iter()
                .zip(contents.into_iter().map(|bytes| Ok(bytes.map(Into::into))))
                .collect(),
            Err(error) => {
                let what = format!("{error:#}");
                paths
                    .into_iter()
                    .map(|path| (path, Err(anyhow::anyhow!(what.clone()))))
                    .collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn run(root: &PathBuf, args: &[&str]) {
        let names = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let output = git(root).args(names).args(args).output().unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn commit(root: &PathBuf, text: &str) {
        fs::write(root.join("baseline.txt"), text).unwrap();
        run(root, &["add", "."]);
        run(root, &["commit", "-qm", text]);
    }

    #[test]
    fn a_branch_is_compared_with_where_it_began_not_with_where_main_is() {
        let root = std::env::temp_dir().join(format!("xtask-merge-base-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        run(&root, &["init", "-q", "-b", "main"]);
        commit(&root, "first");
        run(&root, &["checkout", "-qb", "work"]);
        commit(&root, "mine");
        run(&root, &["checkout", "-q", "main"]);
        commit(&root, "theirs");
        run(&root, &["checkout", "-q", "work"]);
        assert_eq!(Revision::default_branch(&root), Some("main"));
        let base = Revision::merge_base(root.clone(), "main").unwrap();
        assert_eq!(base.text("baseline.txt").unwrap().as_deref(), Some("first"));
        assert_eq!(base.text("gone.txt").unwrap(), None);
        assert!(Revision::merge_base(root.clone(), "gone").is_err());
        fs::remove_dir_all(&root).unwrap();
    }
}
