//! Where is it: which bytes of which file, which line and column?

use std::fmt;
use std::ops::Range;

/// A place in the tree: a file, or bytes of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Span {
    pub(crate) path: String,
    /// Empty (`0..0`) when the file as a whole is meant.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    /// The file as a whole.
    pub(crate) fn file(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            start: 0,
            end: 0,
        }
    }

    pub(crate) fn bytes(path: impl Into<String>, bytes: Range<usize>) -> Self {
        Self {
            path: path.into(),
            start: bytes.start,
            end: bytes.end,
        }
    }

    pub(crate) fn is_file(&self) -> bool {
        self.end == 0
    }

    pub(crate) fn range(&self) -> Range<usize> {
        self.start..self.end.max(self.start)
    }
}

/// The text of line `number` (from 1) without its indentation, as a place.
pub(crate) fn line_span(path: &str, text: &str, number: usize) -> Span {
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if index + 1 == number {
            let body = line.trim_end();
            let indent = body.len() - body.trim_start().len();
            return Span::bytes(path, start + indent..start + body.len());
        }
        start += line.len();
    }
    Span::file(path)
}

/// Line and column of a byte, both from 1; columns count characters.
pub(crate) fn line_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte.min(text.len())).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(start..).map_or(0, |rest| rest.chars().count()) + 1;
    (line, column)
}

/// How many lines a text has.
pub(crate) fn line_count(text: &str) -> usize {
    // No count of a piece overflows a byte, so that the processor counts many bytes at once.
    let pieces = text.as_bytes().chunks(255);
    let ends = pieces.map(|piece| {
        piece
            .iter()
            .fold(0_u8, |count, byte| count.wrapping_add(u8::from(*byte == b'\n')))
    });
    let ends: usize = ends.map(usize::from).sum();
    ends + usize::from(!text.is_empty() && !text.ends_with('\n'))
}

/// Input that could not be read: the run proves nothing and ends with exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Broken {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) what: String,
}

impl Broken {
    pub(crate) fn file(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line: 0,
            column: 0,
            what: what.into(),
        }
    }

    pub(crate) fn at(path: impl Into<String>, text: &str, byte: usize, what: impl Into<String>) -> Self {
        let (line, column) = line_column(text, byte);
        Self {
            path: path.into(),
            line,
            column,
            what: what.into(),
        }
    }

    /// An error of the TOML parser, at the place that it names.
    pub(crate) fn toml(path: &str, text: &str, error: &toml::de::Error) -> Self {
        let what = error.message().to_owned();
        match error.span() {
            Some(span) => Self::at(path, text, span.start, what),
            None => Self::file(path, what),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            _ if self.path.is_empty() => f.write_str(&self.what),
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}:{}: {}", self.path, self.column, self.what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let text = "ä = 1\n  b = 2\n";
        assert_eq!(line_column(text, 0), (1, 1));
        assert_eq!(line_column(text, 3), (1, 3));
        assert_eq!(line_column(text, 9), (2, 3));
        let span = line_span("a", text, 2);
        assert_eq!(text.get(span.range()), Some("b = 2"));
        assert!(line_span("a", text, 9).is_file());
    }
}
