//! How is something sent that no HTTP client would send?

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Answer, World};

/// Bytes for the server, one piece after the other.
pub(crate) struct Raw {
    stream: TcpStream,
}

impl Raw {
    pub(crate) async fn to(world: &World) -> Self {
        Self {
            stream: TcpStream::connect(world.authority()).await.unwrap(),
        }
    }

    /// Sends a piece; a server that has hung up already is none of its concern.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.ok();
    }

    /// Sends a piece every so often until the server answers.
    pub(crate) async fn drip(mut self, piece: &[u8], every: Duration) -> Option<Answer> {
        let mut answer = Vec::new();
        for _ in 0..100 {
            self.send(piece).await;
            let read = tokio::time::timeout(every, self.stream.read_buf(&mut answer)).await;
            if read.is_ok() {
                break;
            }
        }
        self.rest(answer).await
    }

    /// The answer; none if the server hung up without one. An interim answer is passed over.
    pub(crate) async fn answer(self) -> Option<Answer> {
        self.rest(Vec::new()).await
    }

    async fn rest(mut self, mut all: Vec<u8>) -> Option<Answer> {
        let reading = async {
            while !is_whole(&all) && self.stream.read_buf(&mut all).await.is_ok_and(|read| read > 0) {}
        };
        tokio::time::timeout(Duration::from_secs(20), reading)
            .await
            .expect("an answer within 20 s");
        parse(&all)
    }
}

/// Sends bytes at once and reads the answer.
pub(crate) async fn exchange(world: &World, bytes: &[u8]) -> Option<Answer> {
    let mut raw = Raw::to(world).await;
    raw.send(bytes).await;
    raw.answer().await
}

fn skip_interim(bytes: &[u8]) -> &[u8] {
    bytes
        .strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        .unwrap_or(bytes)
}

fn is_whole(bytes: &[u8]) -> bool {
    parse(bytes).is_some_and(|answer| {
        let length = answer
            .header("content-length")
            .and_then(|length| length.parse().ok());
        length.is_some_and(|length: usize| answer.body.len() >= length)
    })
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(skip_interim(bytes));
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    Some(Answer {
        status,
        headers,
        body: body.to_owned(),
    })
}
