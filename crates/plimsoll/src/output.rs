//! How do results and failures reach the terminal or the script?

use std::io::{self, Write as _};

use serde::Serialize;

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

impl Format {
    /// Writes the result to stdout: as one JSON document, or as the text that people read.
    pub(crate) fn result(self, json: &impl Serialize, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        let text = match self {
            Self::Json => serde_json::to_string_pretty(json)? + "\n",
            Self::Text => text(),
        };
        Ok(stdout(&text)?)
    }

    /// The same for a list. People are told on stderr that it is empty; scripts get no line that is no item.
    pub(crate) fn list(
        self,
        json: &impl Serialize,
        is_empty: bool,
        nothing: &str,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        if self == Self::Text && is_empty {
            return Ok(stderr(&format!("{nothing}\n"))?);
        }
        self.result(json, text)
    }
}

/// Writes to stdout at once.
pub(crate) fn stdout(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes to stderr at once.
pub(crate) fn stderr(text: &str) -> io::Result<()> {
    io::stderr().lock().write_all(text.as_bytes())
}

/// Columns under headings, as wide as their widest cell.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(headings);
    for row in rows {
        text.push_str(&line(row.each_ref().map(String::as_str)));
    }
    text
}

/// The failure and its causes as one sentence; none if there is nobody left to read it.
pub(crate) fn failure(error: &anyhow::Error) -> Option<String> {
    if is_closed_pipe(error) {
        return None;
    }
    let mut sentence = String::new();
    for cause in error.chain() {
        // libpq goes on in a second line that is indented.
        let cause = cause.to_string().trim().replace("\n\t", " ");
        // Some errors repeat their cause.
        if sentence.ends_with(&cause) {
            continue;
        }
        if !sentence.is_empty() {
            sentence.push_str(": ");
        }
        sentence.push_str(&cause);
    }
    Some(sentence)
}

/// Whether the reader of stdout has gone.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind =
        |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref::<io::Error>().map(io::Error::kind);
    error
        .chain()
        .any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        let rows = [
            ["a".to_owned(), "12".to_owned()],
            ["long".to_owned(), String::new()],
        ];
        assert_eq!(table(["k", "value"], &rows), "k     value\na     12\nlong\n");
    }

    #[test]
    fn a_failure_is_one_sentence_without_echoes() {
        let error = anyhow!("no such file")
            .context("cannot read x: no such file")
            .context("cannot start");
        assert_eq!(
            failure(&error).unwrap(),
            "cannot start: cannot read x: no such file"
        );
        let libpq = anyhow!("refused\n\tIs the server running?\n");
        assert_eq!(failure(&libpq).unwrap(), "refused Is the server running?");
        let closed = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(failure(&closed.context("cannot print")).is_none());
    }
}
