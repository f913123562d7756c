//! What stands in for a provider when there is none?
//!
//! A server on loopback that answers like OpenAI and Anthropic do, in their shapes and with usage that adds up.
//! The same request always gets the same answer, and its cap on output is obeyed. It is also the upstream of
//! benchmarks, so an answer costs a few microseconds.

mod delivery;
mod messages;
mod openai;
mod request;
mod responses;
mod template;
mod text;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data, PayloadConfig};
use actix_web::{App, HttpResponse, HttpServer};
use serde_json::json;

use delivery::{Answer, Pace, deliver};
use request::Request;

/// When everything here was made, as far as answers say: 2026-11-21.
const CREATED: i64 = 1_795_253_400;

/// The largest request that is read.
const BODY_MAX: usize = 64 * 1024 * 1024;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// Events that are sent of a stream that breaks off: the first words, and no usage.
const SENT_BEFORE_THE_BREAK: usize = 4;

/// How to serve.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Where.
    pub(crate) listen: SocketAddr,
    /// With how many threads.
    pub(crate) threads: usize,
    /// How long until the first byte of an answer.
    pub(crate) latency: Duration,
    /// How fast an answer is made; at once if not stated.
    pub(crate) tokens_per_second: Option<u32>,
    /// Streams of requests that offer this tool break off, as with a provider that fails.
    pub(crate) breaks_off: Option<String>,
}

/// A simulated provider that serves.
pub(crate) struct Simulator {
    addr: SocketAddr,
    handle: ServerHandle,
    server: tokio::task::JoinHandle<io::Result<()>>,
}

/// Numbers the answers, so that each has an id of its own.
#[derive(Debug, Default)]
struct Numbers(AtomicU64);

impl Numbers {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

struct State {
    pace: Pace,
    breaks_off: Option<Arc<str>>,
    numbers: Arc<Numbers>,
}

impl State {
    /// The answer, as far as it is sent.
    fn ended(&self, request: &Request<'_>, answer: Answer) -> Answer {
        match (&self.breaks_off, answer) {
            (Some(tool), Answer::Events(events)) if request.offers(tool) => {
                Answer::Events(events.into_iter().take(SENT_BEFORE_THE_BREAK).collect())
            }
            (_, answer) => answer,
        }
    }
}

/// Starts to serve.
pub(crate) fn start(options: Options) -> io::Result<Simulator> {
    let numbers = Arc::new(Numbers::default());
    let pace = Pace::new(options.latency, options.tokens_per_second);
    let breaks_off: Option<Arc<str>> = options.breaks_off.map(Arc::from);
    let server = HttpServer::new(move || {
        let state = Data::new(State {
            pace,
            breaks_off: breaks_off.clone(),
            numbers: Arc::clone(&numbers),
        });
        App::new()
            .app_data(state)
            .app_data(PayloadConfig::new(BODY_MAX))
            .route("/v1/chat/completions", web::post().to(chat))
            .route("/v1/completions", web::post().to(completion))
            .route("/v1/embeddings", web::post().to(embeddings))
            .route("/v1/responses", web::post().to(response))
            .route("/v1/messages", web::post().to(message))
            .route("/v1/messages/count_tokens", web::post().to(count_tokens))
            .route("/v1/models", web::get().to(models))
            .route("/livez", web::get().to(HttpResponse::Ok))
            .default_service(web::to(unknown))
    })
    .workers(options.threads.max(1))
    .backlog(BACKLOG)
    .disable_signals()
    .shutdown_timeout(1)
    .bind(options.listen)?;
    let addr = server.addrs().first().copied().unwrap_or(options.listen);
    let server = server.run();
    let handle = server.handle();
    Ok(Simulator {
        addr,
        handle,
        server: tokio::spawn(server),
    })
}

impl Simulator {
    /// Where it serves, as SDKs of OpenAI want it; those of Anthropic want it without `/v1`.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// Stops, and waits for what is being answered.
    pub(crate) async fn stop(self) {
        self.handle.stop(true).await;
        drop(self.server.await);
    }
}

async fn chat(state: Data<State>, body: Bytes) -> HttpResponse {
    openai_route(&state, &body, openai::chat).await
}

async fn completion(state: Data<State>, body: Bytes) -> HttpResponse {
    openai_route(&state, &body, openai::completion).await
}

async fn embeddings(state: Data<State>, body: Bytes) -> HttpResponse {
    openai_route(&state, &body, openai::embeddings).await
}

async fn response(state: Data<State>, body: Bytes) -> HttpResponse {
    openai_route(&state, &body, responses::response).await
}

async fn openai_route(state: &State, body: &[u8], answer: fn(&Request<'_>, u64) -> Answer) -> HttpResponse {
    let number = state.numbers.next();
    match Request::read(body) {
        Ok(request) => {
            let answer = state.ended(&request, answer(&request, number));
            deliver(answer, state.pace, ("x-request-id", number)).await
        }
        Err(problem) => openai::error(StatusCode::BAD_REQUEST, &problem),
    }
}

async fn message(state: Data<State>, body: Bytes) -> HttpResponse {
    anthropic_route(&state, &body, messages::message).await
}

async fn count_tokens(state: Data<State>, body: Bytes) -> HttpResponse {
    anthropic_route(&state, &body, |request, _| Ok(messages::count(request))).await
}

async fn anthropic_route(
    state: &State,
    body: &[u8],
    answer: fn(&Request<'_>, u64) -> Result<Answer, String>,
) -> HttpResponse {
    let number = state.numbers.next();
    let answered =
        Request::read(body).and_then(|request| Ok(state.ended(&request, answer(&request, number)?)));
    match answered {
        Ok(answer) => deliver(answer, state.pace, ("request-id", number)).await,
        Err(problem) => messages::error(StatusCode::BAD_REQUEST, &problem),
    }
}

async fn models() -> HttpResponse {
    let model = |id: &str, owner: &str| {
        json!({"id": id, "object": "model", "type": "model", "display_name": id, "owned_by": owner,
            "created": CREATED, "created_at": "2026-11-21T09:30:00Z"})
    };
    let data = [
        model("gpt-4o", "openai"),
        model("gpt-4o-mini", "openai"),
        model("text-embedding-3-small", "openai"),
        model("claude-haiku-4-5", "anthropic"),
    ];
    // The fields of both providers: neither SDK minds those of the other.
    let list = json!({"object": "list", "data": data, "has_more": false,
        "first_id": "gpt-4o", "last_id": "claude-haiku-4-5"});
    HttpResponse::Ok().json(list)
}

async fn unknown() -> HttpResponse {
    openai::error(StatusCode::NOT_FOUND, "the simulated provider has no such route")
}

#[cfg(test)]
mod tests;
