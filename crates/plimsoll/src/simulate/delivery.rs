//! How does an answer get to the client, and how fast?

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::rt::time::sleep;
use bytes::Bytes;
use futures_util::stream;

/// What a request gets.
#[derive(Debug)]
pub(super) enum Answer {
    /// A JSON document, which took as many tokens.
    Whole(Vec<u8>, usize),
    /// Server-sent events.
    Events(Vec<Bytes>),
}

/// How fast the provider is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    latency: Duration,
    per_token: Duration,
}

impl Pace {
    pub(super) fn new(latency: Duration, tokens_per_second: Option<u32>) -> Self {
        let per_token = tokens_per_second.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Self { latency, per_token }
    }

    fn of_tokens(self, tokens: usize) -> Duration {
        self.per_token
            .saturating_mul(u32::try_from(tokens).unwrap_or(u32::MAX))
    }
}

/// An event as OpenAI writes it, without a name.
pub(super) fn data(json: &str) -> Bytes {
    Bytes::from(["data: ", json, "\n\n"].concat())
}

/// An event with a name.
pub(super) fn event(name: &str, json: &str) -> Bytes {
    Bytes::from(["event: ", name, "\ndata: ", json, "\n\n"].concat())
}

/// Sends an answer at this pace, with the number of the request under this header.
pub(super) async fn deliver(answer: Answer, pace: Pace, id: (&'static str, u64)) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((id.0, format!("req_sim{:016x}", id.1)));
    match answer {
        Answer::Whole(body, tokens) => {
            pause(pace.latency.saturating_add(pace.of_tokens(tokens))).await;
            response.content_type(ContentType::json()).body(body)
        }
        Answer::Events(events) => {
            pause(pace.latency).await;
            response
                .content_type("text/event-stream")
                .insert_header((CACHE_CONTROL, "no-cache"));
            if pace.per_token.is_zero() {
                return response.streaming(stream::iter(events.into_iter().map(Ok::<_, actix_web::Error>)));
            }
            response.streaming(stream::unfold(events.into_iter(), move |mut rest| async move {
                let next = rest.next()?;
                sleep(pace.per_token).await;
                Some((Ok::<_, actix_web::Error>(next), rest))
            }))
        }
    }
}

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        sleep(duration).await;
    }
}
