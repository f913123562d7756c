//! Who receives messages in a test?
//!
//! A server on a free port of 127.0.0.1 that answers what the script says, and remembers all it was sent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use workers::webhooks::{Reach, Sender, SystemNames};

/// What the receiver does with one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Answers with this status, and with these header lines, each with its line break.
    Answer(u16, String),
    /// Writes this, whatever it is, and hangs up.
    Write(String),
    /// Says nothing and keeps the connection.
    Silence,
}

impl Act {
    /// An answer without more.
    pub fn status(status: u16) -> Self {
        Self::Answer(status, String::new())
    }
}

/// What was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The lines above the body; names of headers in lower case.
    pub head: Vec<(String, String)>,
    /// The first line.
    pub line: String,
    /// The body.
    pub body: String,
}

impl Received {
    /// The value of a header; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        let found = self.head.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Book {
    script: Vec<Act>,
    received: Vec<Received>,
    connections: usize,
}

/// A listening receiver.
#[derive(Debug, Clone)]
pub struct Receiver {
    address: String,
    book: Arc<Mutex<Book>>,
}

impl Receiver {
    /// Answers 200 until it is told otherwise.
    pub async fn start() -> Self {
        Self::with(None).await
    }

    /// The same over TLS, as this server.
    pub async fn start_tls(acceptor: TlsAcceptor) -> Self {
        Self::with(Some(acceptor)).await
    }

    async fn with(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.unwrap_or_else(|error| panic!("no free port: {error}"));
        let address = listener.local_addr().map(|address| address.to_string());
        let book = Arc::<Mutex<Book>>::default();
        let known = Arc::clone(&book);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                lock(&known).connections += 1;
                tokio::spawn(meet(stream, acceptor.clone(), Arc::clone(&known)));
            }
        });
        Self {
            address: address.unwrap_or_default(),
            book,
        }
    }

    /// Where it is: `http://127.0.0.1:PORT/hook`.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        let port = self.address.rsplit_once(':').map(|(_, port)| port.parse());
        port.and_then(Result::ok).unwrap_or_default()
    }

    /// What it does next, in turn; the last act for ever.
    pub fn play(&self, script: &[Act]) {
        let mut script = script.to_vec();
        script.reverse();
        lock(&self.book).script = script;
    }

    /// What it was sent so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.book).received.clone()
    }

    /// How often somebody has connected.
    pub fn connections(&self) -> usize {
        lock(&self.book).connections
    }
}

/// A way out to receivers of tests, which gives up soon.
pub fn sender() -> Sender {
    let reach = Reach {
        http: true,
        private: true,
    };
    let made = Sender::with_names(reach, Arc::new(SystemNames), Duration::from_secs(4));
    made.unwrap_or_else(|error| panic!("no client: {error}"))
}

fn lock(book: &Mutex<Book>) -> std::sync::MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn meet(stream: TcpStream, acceptor: Option<TlsAcceptor>, book: Arc<Mutex<Book>>) {
    let Some(acceptor) = acceptor else {
        return serve(stream, book).await;
    };
    // Who does not trust the certificate hangs up.
    if let Ok(stream) = acceptor.accept(stream).await {
        serve(stream, book).await;
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, book: Arc<Mutex<Book>>) {
    while let Some(received) = read(&mut stream).await {
        let act = {
            let mut book = lock(&book);
            book.received.push(received);
            if book.script.len() > 1 {
                book.script.pop()
            } else {
                book.script.first().cloned()
            }
        };
        match act.unwrap_or_else(|| Act::status(200)) {
            Act::Answer(status, headers) => {
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n{headers}\r\nok");
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
            Act::Write(text) => {
                // Whoever has heard enough hangs up.
                stream.write_all(text.as_bytes()).await.ok();
                return;
            }
            Act::Silence => std::future::pending().await,
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut text = String::new();
    let mut buffer = [0; 4_096];
    loop {
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        text.push_str(&String::from_utf8_lossy(buffer.get(..read)?));
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let mut lines = head.lines();
        let line = lines.next().unwrap_or_default().to_owned();
        let head: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = head.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            let body = body.to_owned();
            return Some(Received { head, line, body });
        }
    }
}
