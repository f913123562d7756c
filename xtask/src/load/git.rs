//! What did the tree look like in another revision? Read from git's store, without a checkout.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
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
            Ok(contents) => paths.into_iter().zip(contents.into_iter().map(Ok)).collect(),
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
