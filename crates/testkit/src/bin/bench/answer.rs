//! Has the whole answer of HTTP/1.1 arrived, and what is in it?
//!
//! Without I/O, so that the closed loop, which is asynchronous, and the open loop, which has threads, read alike.

use crate::Outcome;

/// An answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Reply<'_> {
    /// The body as text, for messages.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.body).into_owned()
    }
}

/// An answer that arrives piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Arriving {
    received: Vec<u8>,
    unchunked: Vec<u8>,
    shape: Option<Shape>,
    /// How far the chunks are read.
    at: usize,
}

/// Where the body of an answer is.
#[derive(Debug, Clone, Copy)]
struct Shape {
    status: u16,
    starts: usize,
    /// None if it comes in chunks.
    length: Option<usize>,
}

impl Arriving {
    /// Gets ready for the next answer.
    pub(crate) fn clear(&mut self) {
        self.received.clear();
        self.unchunked.clear();
        self.shape = None;
    }

    /// Where to put what was read.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        &mut self.received
    }

    /// Whether a byte of the body is there.
    pub(crate) fn has_begun(&self) -> bool {
        self.shape.is_some_and(|shape| self.received.len() > shape.starts)
    }

    /// Looks at what has come so far.
    pub(crate) fn is_whole(&mut self) -> Outcome<bool> {
        if self.shape.is_none() {
            self.shape = shape(&self.received)?;
            self.at = self.shape.map_or(0, |shape| shape.starts);
        }
        match self.shape {
            None => Ok(false),
            Some(Shape {
                starts,
                length: Some(length),
                ..
            }) => Ok(self.received.len() >= starts + length),
            Some(Shape { length: None, .. }) => self.read_chunks(),
        }
    }

    /// The answer, once it is whole.
    pub(crate) fn reply(&self) -> Reply<'_> {
        let Some(shape) = self.shape else {
            return Reply { status: 0, body: b"" };
        };
        Reply {
            status: shape.status,
            body: match shape.length {
                Some(_) => self.received.get(shape.starts..).unwrap_or_default(),
                None => &self.unchunked,
            },
        }
    }

    /// Puts the chunks together that are whole; says whether the last one was among them.
    fn read_chunks(&mut self) -> Outcome<bool> {
        loop {
            let rest = self.received.get(self.at..).unwrap_or_default();
            let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
                return Ok(false);
            };
            let size = std::str::from_utf8(rest.get(..end).unwrap_or_default())?;
            let size = usize::from_str_radix(size.trim(), 16)?;
            let data = end + 2;
            let Some(chunk) = rest.get(data..data + size + 2) else {
                return Ok(false);
            };
            if size == 0 {
                return Ok(true);
            }
            self.unchunked
                .extend_from_slice(chunk.get(..size).unwrap_or_default());
            self.at += data + size + 2;
        }
    }
}

/// What the head says, once it is there.
fn shape(received: &[u8]) -> Outcome<Option<Shape>> {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(received.get(..end).unwrap_or_default())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.ok_or("an answer without a status")?.parse()?;
    let mut length = None;
    let mut chunked = false;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse()?);
        }
        chunked |= name.eq_ignore_ascii_case("transfer-encoding");
    }
    Ok(Some(Shape {
        status,
        starts: end + 4,
        length: length.or((!chunked).then_some(0)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets an answer arrive byte by byte; it must be whole with the last one and no earlier.
    fn check(bytes: &[u8], status: u16, body: &[u8]) {
        let mut arriving = Arriving::default();
        for round in 0..2 {
            arriving.clear();
            for (index, byte) in bytes.iter().enumerate() {
                arriving.room().push(*byte);
                let whole = arriving.is_whole().unwrap();
                assert_eq!(whole, index + 1 == bytes.len(), "round {round}, byte {index}");
            }
            let reply = arriving.reply();
            assert_eq!((reply.status, reply.body), (status, body));
        }
    }

    #[test]
    fn the_head_says_where_the_body_is() {
        check(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}", 201, b"{}");
        check(b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"");
    }

    #[test]
    fn chunks_are_put_together() {
        let chunked =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\nA\r\n0123456789\r\n0\r\n\r\n";
        check(chunked, 200, b"ab0123456789");
    }

    #[test]
    fn the_body_begins_after_the_head() {
        let mut arriving = Arriving::default();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
        arriving.room().extend_from_slice(head);
        assert!(!arriving.is_whole().unwrap() && !arriving.has_begun());
        arriving.room().push(b'x');
        assert!(!arriving.is_whole().unwrap() && arriving.has_begun());
    }
}
