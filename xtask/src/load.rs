//! How does a tree of files become the model: from disk, from a git revision, or from memory?

mod cargo_view;
mod git;
mod manifest;
mod members;
mod sources;
mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

pub(crate) use cargo_view::{ask as cargo_view, differences as cargo_differences};
pub(crate) use git::Revision;
pub(crate) use members::normal;
pub(crate) use tree::{Disk, Overlay, Text, Tree};

use crate::model::{Broken, Files, Shared, Sources, Workspace, extension_of};
use crate::scan::Words;

/// Kinds of files whose text some rule reads.
const READ: [&str; 10] = [
    "json", "lock", "md", "rs", "snap", "sql", "toml", "txt", "yaml", "yml",
];
/// A larger document is data.
const MAX_BYTES: usize = 4 << 20;

/// Reads the tree once; what cannot be read is listed in `broken`, and nothing stops early.
pub(crate) fn load(tree: &dyn Tree, words: &Words) -> Workspace {
    let mut workspace = Workspace::default();
    let is_read = |path: &str| extension_of(path).is_some_and(|extension| READ.contains(&extension));
    let (read, named) = match tree.files(is_read) {
        Ok(files) => files,
        Err(error) => {
            workspace.broken.push(Broken::file("", format!("{error:#}")));
            return workspace;
        }
    };
    let mut files: BTreeMap<String, Option<Arc<str>>> = named.into_iter().map(|path| (path, None)).collect();
    let decoded: Vec<_> = read.into_par_iter().map(decode).collect();
    for file in decoded {
        match file {
            Ok(Some((path, text))) => {
                files.insert(path, text);
            }
            Ok(None) => {}
            Err(broken) => workspace.broken.push(broken),
        }
    }
    workspace.files = Files(files);
    complete(workspace, words, &Sources::default())
}

/// The tree with some files replaced, added or taken away (`None`); all other files are shared with it. The mark of a
/// test module in a file of its own stays what it was when only the file that declares it is replaced.
pub(crate) fn with_files(
    base: &Workspace,
    edits: impl IntoIterator<Item = (String, Option<String>)>,
    words: &Words,
) -> Workspace {
    let mut files = base.files.0.clone();
    // What rules share is made of sources, manifests, the rule file, migrations and the HTTP contract.
    let mut same = true;
    for (path, text) in edits {
        same &= !matches!(extension_of(&path), Some("rs" | "toml" | "sql" | "snap" | "json"));
        match text {
            Some(text) => files.insert(path, Some(text.into())),
            None => files.remove(&path),
        };
    }
    let workspace = Workspace {
        root: base.root.clone(),
        files: Files(files),
        shared: if same {
            base.shared.clone()
        } else {
            Shared::default()
        },
        ..Workspace::default()
    };
    complete(workspace, words, &base.sources)
}

/// Crates and sources of a tree whose files are known.
fn complete(mut workspace: Workspace, words: &Words, before: &Sources) -> Workspace {
    members::read(&mut workspace);
    workspace.sources = sources::lex_all(&workspace, words, before);
    let sources = workspace.sources.0.iter().enumerate();
    let sources: Vec<_> = sources.collect();
    // Files of a crate lie together, but for crates within crates.
    for own in sources.chunk_by(|(_, one), (_, other)| one.krate == other.krate) {
        let Some((_, first)) = own.first() else { continue };
        let known = workspace.of_crate.entry(first.krate.clone()).or_default();
        known.extend(own.iter().map(|(at, _)| *at));
    }
    let broken: Vec<_> = workspace
        .sources
        .0
        .par_iter()
        .filter_map(|source| {
            let (byte, what) = source.tokens.broken?;
            Some(Broken::at(&source.path, &source.text, byte, what))
        })
        .collect();
    workspace.broken.extend(broken);
    workspace.broken.sort();
    workspace
}

/// A path with its text; no text for what is too large, nothing for a file that is gone.
type Decoded = Option<(String, Option<Arc<str>>)>;

fn decode((path, text): tree::Read) -> Result<Decoded, Broken> {
    let text = match text {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(None),
        Err(error) => return Err(Broken::file(path, format!("{error:#}"))),
    };
    match text {
        tree::Text::Utf8(text) => {
            let is_data = text.len() > MAX_BYTES && extension_of(&path) != Some("rs");
            Ok(Some((path, (!is_data).then_some(text))))
        }
        tree::Text::Other(bytes) => {
            let valid = std::str::from_utf8(&bytes)
                .err()
                .map_or(0, |error| error.valid_up_to());
            let text = String::from_utf8_lossy(&bytes);
            Err(Broken::at(&path, &text, valid, "the file is not UTF-8"))
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::model::SourceFile;

    /// A file of the crate `a`, lexed, without a workspace around it.
    pub(crate) fn source(path: &str, text: &str) -> SourceFile {
        source_with(path, text, &[])
    }

    pub(crate) fn source_with(path: &str, text: &str, externs: &[&str]) -> SourceFile {
        let externs = externs.iter().map(|name| (*name).to_owned()).collect();
        sources::lex_one(
            path,
            Arc::from(text),
            "a",
            "crates/a",
            &Arc::new(externs),
            &Words::new([]),
        )
    }

    /// A workspace that exists in memory only.
    pub(crate) fn workspace(files: &[(&str, &str)]) -> Workspace {
        load(&Overlay::of(files), &Words::new([]))
    }
}
