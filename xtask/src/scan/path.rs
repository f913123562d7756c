//! A path that a file names.

use std::ops::Range;

/// A path that a file names, resolved as far as tokens can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathUse {
    /// `std::time::Instant`, `crate::limits::check`; the first segment is what source calls the crate. One text for
    /// all segments: a large workspace has a million of them.
    pub(super) text: Box<str>,
    pub(crate) tokens: Range<usize>,
    /// Whether it stands in a `use` line.
    pub(crate) import: bool,
    /// Whether it is `pub use`.
    pub(crate) public: bool,
}

impl PathUse {
    /// The crate that it leads to: `crate` for the own one.
    pub(crate) fn root(&self) -> &str {
        first(&self.text)
    }

    pub(crate) fn last(&self) -> &str {
        last(&self.text)
    }

    /// The segment before the last one.
    pub(crate) fn owner(&self) -> Option<&str> {
        self.text.rsplit("::").nth(1)
    }

    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        // Between the two colons stands nothing.
        self.text.split(':').step_by(2)
    }

    /// What follows the first segment: empty, or `::limits::check`.
    pub(crate) fn behind_root(&self) -> &str {
        let root = self.root().len();
        self.text.get(root..).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the path is `prefix` or lies under it; `prefix` is `std::time`.
    pub(crate) fn is_under(&self, prefix: &str) -> bool {
        let rest = self.text.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

/// The first name of a path. Names have no colon: to look for one is less than to look for two.
pub(crate) fn first(path: &str) -> &str {
    path.find(':').and_then(|end| path.get(..end)).unwrap_or(path)
}

/// The last name of a path.
pub(crate) fn last(path: &str) -> &str {
    path.rfind(':')
        .and_then(|end| path.get(end + 1..))
        .unwrap_or(path)
}
