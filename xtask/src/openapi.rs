//! What does an OpenAPI document promise, read from its committed snapshot?

use std::ops::Range;

use crate::json::{self, Node};
use crate::model::{Span, Workspace};

/// A document with the file that it is in.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) path: String,
    pub(crate) root: Node,
}

/// Where a document could not be read, and why.
pub(crate) type Refused = (Span, &'static str);

/// Methods that an operation may have.
pub(crate) const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// One operation: `GET /api/v1/limits`.
#[derive(Debug)]
pub(crate) struct Operation<'a> {
    /// In capitals.
    pub(crate) method: String,
    pub(crate) path: &'a str,
    pub(crate) node: &'a Node,
    pub(crate) item: &'a Node,
    /// The place of the method's name.
    pub(crate) range: Range<usize>,
}

impl Operation<'_> {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

impl Document {
    /// Reads a document, also behind the head of a snapshot; why not, and where.
    pub(crate) fn read(workspace: &Workspace, path: &str) -> Result<Self, Refused> {
        let Some(text) = workspace.files.text(path) else {
            return Err((Span::file(path), "there is no such file"));
        };
        let head = head(text);
        let root = json::parse(text.get(head..).unwrap_or_default(), head)
            .map_err(|(at, what)| (Span::bytes(path, at..(at + 1).min(text.len())), what))?;
        Ok(Self {
            path: path.to_owned(),
            root,
        })
    }

    pub(crate) fn span(&self, range: Range<usize>) -> Span {
        Span::bytes(&self.path, range)
    }

    pub(crate) fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.root.get("paths").map(Node::members).unwrap_or_default();
        let mut found = Vec::new();
        for (path, _, item) in paths {
            for (method, range, node) in item.members() {
                if METHODS.contains(&method.as_str()) {
                    found.push(Operation {
                        method: method.to_uppercase(),
                        path,
                        node,
                        item,
                        range: range.clone(),
                    });
                }
            }
        }
        found
    }

    /// The value that is meant, through a `$ref`.
    pub(crate) fn resolve<'a>(&'a self, node: &'a Node) -> &'a Node {
        let mut node = node;
        // A circle of references ends somewhere too.
        for _ in 0..16 {
            match node
                .get("$ref")
                .and_then(Node::text)
                .and_then(|place| self.root.pointer(place))
            {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }
}

/// Where the document begins: behind the `---` lines that insta writes.
fn head(text: &str) -> usize {
    if !text.starts_with("---\n") {
        return 0;
    }
    text.match_indices("\n---\n")
        .next()
        .map_or(0, |(at, end)| at + end.len())
}
