//! How long is a client waited for that sends what it promised, only slowly?

use std::time::Duration;

use serde_json::json;
use testkit::db::TestDb;

use crate::harness::{Answer, World};
use crate::raw::Raw;

/// Pieces of a body, and the pause before each: together longer than one pause may be.
const PIECES: usize = 14;
const PAUSE: Duration = Duration::from_millis(750);

/// Sends a body in pieces.
async fn slowly(world: &World, path: &str, body: &str) -> Answer {
    // White space in front keeps it JSON.
    let body = format!("{body:>length$}", length = PIECES * 4_000);
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        world.key,
        body.len()
    );
    let mut raw = Raw::to(world).await;
    raw.send(head.as_bytes()).await;
    for piece in body.as_bytes().chunks(4_000) {
        tokio::time::sleep(PAUSE).await;
        raw.send(piece).await;
    }
    raw.answer().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_keeps_coming_may_take_longer_than_it_may_pause() {
    let world = World::new(TestDb::sqlite()).await;
    let chat = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "Hello" }] });
    let (check, chat) = (json!({ "run_count": 1 }).to_string(), chat.to_string());
    let (native, llm) = tokio::join!(
        slowly(&world, "/api/v1/limits/check", &check),
        slowly(&world, "/v1/chat/completions", &chat),
    );
    native.ok(200);
    llm.ok(200);
}
