//! A provider for tests: it says what the script says, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the provider does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Writes this and keeps the connection.
    Say(String),
    /// Writes this and hangs up.
    SayAndHangUp(String),
    /// Says nothing at all.
    Silence,
}

/// A listening provider.
pub(crate) struct Provider {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    /// Plays the acts in turn, the last one for ever.
    pub(crate) async fn start(script: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let book = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&book), script.clone()));
            }
        });
        Self { address, asked }
    }

    /// The requests so far, head and body, in lower case.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, asked: Arc<Mutex<Vec<String>>>, script: Vec<Act>) {
    while let Some(request) = read_request(&mut stream).await {
        let turn = {
            let mut asked = asked.lock().unwrap();
            asked.push(request.to_ascii_lowercase());
            asked.len() - 1
        };
        match script.get(turn).or(script.last()).unwrap() {
            Act::Say(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Act::SayAndHangUp(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                return;
            }
            Act::Silence => std::future::pending().await,
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.to_ascii_lowercase().lines().find_map(|line| {
            let value = line.strip_prefix("content-length:")?;
            value.trim().parse::<usize>().ok()
        });
        if body.len() >= length.unwrap_or(0) {
            return Some(text);
        }
    }
}

/// An answer with a length.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Act {
    let length = body.len();
    Act::Say(format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    ))
}
