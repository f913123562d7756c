//! HTTP/1.1 with as little work as it can be done with: the generator shares the cores of what it measures.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Outcome;
use crate::answer::{Arriving, Reply};

/// The longest that an answer may keep silent before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that are read at a time.
const READ: usize = 16 * 1024;

/// A request, ready to be written.
pub(crate) fn request(method: &str, path: &str, key: Option<&str>, body: &str) -> Vec<u8> {
    request_with(method, path, key, &[], body)
}

/// The same with further headers.
pub(crate) fn request_with(
    method: &str,
    path: &str,
    key: Option<&str>,
    headers: &[(&str, &str)],
    body: &str,
) -> Vec<u8> {
    let mut more = key.map_or(String::new(), |key| format!("authorization: Bearer {key}\r\n"));
    for (name, value) in headers {
        more.extend([*name, ": ", *value, "\r\n"]);
    }
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\n{more}content-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A connection that is kept, for many on one thread.
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Arriving,
}

impl Connection {
    pub(crate) async fn open(addr: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            answer: Arriving::default(),
        })
    }

    /// Sends the request and waits for the whole answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Outcome<Reply<'_>> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        while !self.answer.is_whole()? {
            self.answer.room().reserve(READ);
            if self.stream.read_buf(self.answer.room()).await? == 0 {
                return Err("the server closed a connection".into());
            }
        }
        Ok(self.answer.reply())
    }
}

/// A connection that is kept, for a thread of its own.
///
/// A thread that blocks is woken by the kernel at once; a timer of the runtime ticks in milliseconds, which is as
/// much as we want to measure.
pub(crate) struct Line {
    stream: std::net::TcpStream,
    answer: Arriving,
    piece: Vec<u8>,
}

impl Line {
    pub(crate) fn open(addr: SocketAddr) -> Outcome<Self> {
        let stream = std::net::TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            answer: Arriving::default(),
            piece: vec![0; READ],
        })
    }

    /// Sends the request and waits for the whole answer; also says when its first byte came.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Outcome<(Reply<'_>, Instant)> {
        self.stream.write_all(request)?;
        self.answer.clear();
        let mut began = None;
        let mut whole = false;
        while !whole {
            let read = self.stream.read(&mut self.piece)?;
            if read == 0 {
                return Err("the server closed a connection".into());
            }
            let piece = self.piece.get(..read).unwrap_or_default();
            self.answer.room().extend_from_slice(piece);
            whole = self.answer.is_whole()?;
            if began.is_none() && self.answer.has_begun() {
                began = Some(Instant::now());
            }
        }
        Ok((self.answer.reply(), began.unwrap_or_else(Instant::now)))
    }
}
