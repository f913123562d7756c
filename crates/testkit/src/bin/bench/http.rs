//! HTTP/1.1 with as little work as it can be done with: the generator shares the cores of what it measures.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Outcome;

/// A request, ready to be written.
pub(crate) fn request(method: &str, path: &str, key: Option<&str>, body: &str) -> Vec<u8> {
    let key = key.map_or(String::new(), |key| format!("authorization: Bearer {key}\r\n"));
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\n{key}content-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    unchunked: Vec<u8>,
}

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

/// Where the body of an answer is.
struct Shape {
    status: u16,
    starts: usize,
    length: Option<usize>,
}

impl Connection {
    pub(crate) async fn open(addr: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: Vec::with_capacity(16 * 1024),
            unchunked: Vec::new(),
        })
    }

    /// Sends the request and waits for the whole answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Outcome<Reply<'_>> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let shape = loop {
            self.more().await?;
            if let Some(shape) = shape(&self.received)? {
                break shape;
            }
        };
        let body = match shape.length {
            Some(length) => {
                while self.received.len() < shape.starts + length {
                    self.more().await?;
                }
                self.received.get(shape.starts..).unwrap_or_default()
            }
            None => self.chunks(shape.starts).await?,
        };
        Ok(Reply {
            status: shape.status,
            body,
        })
    }

    async fn more(&mut self) -> Outcome<()> {
        if self.stream.read_buf(&mut self.received).await? == 0 {
            return Err("the server closed a connection".into());
        }
        Ok(())
    }

    /// The body that comes in chunks, put together.
    async fn chunks(&mut self, starts: usize) -> Outcome<&[u8]> {
        self.unchunked.clear();
        let mut at = starts;
        loop {
            let rest = self.received.get(at..).unwrap_or_default();
            let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
                self.more().await?;
                continue;
            };
            let size = std::str::from_utf8(rest.get(..end).unwrap_or_default())?;
            let size = usize::from_str_radix(size.trim(), 16)?;
            let data = at + end + 2;
            while self.received.len() < data + size + 2 {
                self.more().await?;
            }
            if size == 0 {
                return Ok(&self.unchunked);
            }
            let chunk = self.received.get(data..data + size).unwrap_or_default();
            self.unchunked.extend_from_slice(chunk);
            at = data + size + 2;
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

    #[test]
    fn the_head_says_where_the_body_is() {
        let reply = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        let shape = shape(reply).unwrap().unwrap();
        assert_eq!(
            (shape.status, shape.length, &reply[shape.starts..]),
            (201, Some(2), &b"{}"[..])
        );
        assert!(super::shape(b"HTTP/1.1 200 OK\r\nconten").unwrap().is_none());
        let chunked = super::shape(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        assert_eq!(chunked.unwrap().unwrap().length, None);
    }
}
