//! Where does a server-sent event end, and what does it say?
//!
//! Lines end with LF or CRLF, as all providers write them. An event ends with an empty line.

use std::borrow::Cow;

use memchr::memchr_iter;

/// Finds the ends of events in a stream of chunks that are cut anywhere.
#[derive(Debug, Default)]
pub struct Boundaries {
    line: Line,
}

/// What of the current line came with earlier chunks.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Line {
    #[default]
    Empty,
    CarriageReturn,
    Text,
}

impl Boundaries {
    /// The offset behind the first event that ends in these bytes, which follow what was seen before. To go
    /// on, call it again with what lies behind that offset.
    pub fn next_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut start = 0;
        for newline in memchr_iter(b'\n', bytes) {
            let line = bytes.get(start..newline).unwrap_or_default();
            let empty = matches!(
                (self.line, line),
                (Line::Empty, [] | b"\r") | (Line::CarriageReturn, [])
            );
            self.line = Line::Empty;
            start = newline + 1;
            if empty {
                return Some(start);
            }
        }
        self.line = match (self.line, bytes.get(start..).unwrap_or_default()) {
            (before, []) => before,
            (Line::Empty, b"\r") => Line::CarriageReturn,
            _ => Line::Text,
        };
        None
    }
}

/// The data of one event, its lines joined; `None` if it has none (a comment, a keep-alive).
pub fn data(event: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut lines = event.split(|byte| *byte == b'\n').filter_map(data_of_line);
    let first = lines.next()?;
    let Some(second) = lines.next() else {
        return Some(Cow::Borrowed(first));
    };
    let mut joined = [first, second].join(&b'\n');
    for line in lines {
        joined.push(b'\n');
        joined.extend_from_slice(line);
    }
    Some(Cow::Owned(joined))
}

fn data_of_line(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let value = line.strip_prefix(b"data:")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(chunks: &[&[u8]]) -> Vec<usize> {
        let mut boundaries = Boundaries::default();
        let mut found = Vec::new();
        let mut before = 0;
        for chunk in chunks {
            let mut at = 0;
            while let Some(end) = boundaries.next_end(&chunk[at..]) {
                at += end;
                found.push(before + at);
            }
            before += chunk.len();
        }
        found
    }

    #[test]
    fn an_event_ends_with_an_empty_line_wherever_the_chunks_are_cut() {
        let stream = b"data: a\n\ndata: b\r\ndata: c\r\n\r\n:x\n\r\n\ndata: d";
        let whole = ends(&[stream]);
        assert_eq!(whole, [9, 29, 34, 35]);
        for cut in 0..stream.len() {
            let (left, right) = stream.split_at(cut);
            assert_eq!(ends(&[left, right]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(ends(&bytes), whole);
    }

    #[test]
    fn the_lines_of_data_are_joined_and_everything_else_is_left_out() {
        assert_eq!(
            data(b"event: x\ndata: {\r\ndata:}\nid: 1\n\n").as_deref(),
            Some(b"{\n}".as_slice())
        );
        assert_eq!(data(b"data:  a\n\n").as_deref(), Some(b" a".as_slice()));
        assert_eq!(data(b": keep-alive\n\n"), None);
    }
}
