//! Is every bad input of the list (reliability, section 7) refused in words that help?
//!
//! One table per section. A line is a number of the list, a request and the status and code that it gets; an empty
//! code stands for an answer of the HTTP library, which has no body.

mod credentials;
mod holds;
mod json;
mod limits;
mod lists;
mod members;
mod policies;
mod transport;

use crate::harness::{Answer, Call, World};

/// What must not come back, whatever was sent: the words of databases, languages and libraries.
const INTERNALS: [&str; 9] = [
    "sqlite", "SQLITE", "postgres", "diesel", "SELECT", "panicked", "src/", "serde", "called `",
];

/// Sends a request of line `row` and compares.
async fn expect(row: &str, call: Call<'_>, status: u16, code: &str) -> Answer {
    let body = call.body.as_ref().map(|body| {
        String::from_utf8_lossy(body)
            .chars()
            .take(200)
            .collect::<String>()
    });
    let title = format!(
        "row {row}: {} {} {}",
        call.method,
        call.path,
        body.unwrap_or_default()
    );
    let answer = call.send().await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (status, code),
        "{title}: {}",
        answer.body
    );
    is_clean(&title, &answer);
    answer
}

/// A refusal is a problem document of its status that tells nothing about the inside.
fn is_clean(title: &str, answer: &Answer) {
    if answer.status < 400 || answer.body.is_empty() {
        return;
    }
    assert!(
        INTERNALS.iter().all(|word| !answer.body.contains(word)),
        "{title}: {}",
        answer.body
    );
    let problem = answer.json();
    assert_eq!(problem["status"], answer.status, "{title}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{title}"
    );
    let kind = problem["type"].as_str().unwrap();
    assert!(kind.ends_with(&format!("/{}", answer.code())), "{title}: {kind}");
    let id = problem["request_id"].as_str().unwrap();
    assert_eq!(answer.header("x-request-id"), Some(id), "{title}");
    assert!(
        !problem["detail"].as_str().unwrap().contains("``"),
        "{title}: {}",
        answer.body
    );
}

/// The server still does its work.
async fn still_works(world: &World) {
    world.get("/api/v1/limits").send().await.ok(200);
}
