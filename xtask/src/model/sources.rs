//! Which Rust files are looked at? Trees that differ in a few files share all others.

use std::sync::Arc;

use super::SourceFile;

/// Lexed files, sorted by path.
#[derive(Default)]
pub(crate) struct Sources(pub(crate) Vec<Arc<SourceFile>>);

impl Sources {
    pub(crate) fn iter(&self) -> Iter<'_> {
        self.0.iter().map(Arc::as_ref)
    }

    pub(crate) fn get(&self, index: usize) -> Option<&SourceFile> {
        self.0.get(index).map(Arc::as_ref)
    }

    /// The file with this path, to be shared.
    pub(crate) fn shared(&self, path: &str) -> Option<&Arc<SourceFile>> {
        let at = self
            .0
            .binary_search_by(|file| file.path.as_str().cmp(path))
            .ok()?;
        self.0.get(at)
    }
}

type Iter<'a> =
    std::iter::Map<std::slice::Iter<'a, Arc<SourceFile>>, fn(&'a Arc<SourceFile>) -> &'a SourceFile>;

impl<'a> IntoIterator for &'a Sources {
    type Item = &'a SourceFile;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
