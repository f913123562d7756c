//! `/api/v1/incidents/stream`: what happens to Incidents, as it happens.

use std::convert::Infallible;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use adapters::problem::Problem;
use futures_util::stream;
use serde::Deserialize;
use services::outbox::stream::{Listening, StreamError, Told, listen};
use utoipa::IntoParams;

use crate::actor::ReadActor;
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;

const LAST: &str = "last-event-id";
/// After how many milliseconds a client comes back, and that somebody is there.
const HELLO: &str = "retry: 2000\n\n";

/// From where on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamQuery {
    /// As `Last-Event-ID`, for clients that cannot send it; the header wins. 0 is the oldest that is kept.
    #[param(value_type = Option<i64>)]
    last_event_id: Option<String>,
}

/// Listen to what happens to Incidents
///
/// Server-sent events: `id` is the place of the message, `event` its type and `data` what a webhook is sent. A comment comes
/// when nothing has happened for 15 seconds. The answer ends after ten minutes, and within a second when
/// the key is revoked or frozen or its tenant frozen; a client that comes back with the last `id`
/// misses nothing of the last seven days. Where something is no longer kept, an event `gap` says so.
#[utoipa::path(get, path = "/api/v1/incidents/stream", operation_id = "stream_incidents", tag = "Incidents",
    params(StreamQuery, ("Last-Event-ID" = Option<i64>, Header)),
    responses((status = 200, description = "Events, without an end", content_type = "text/event-stream", body = String),
              (status = 400, description = "The place is no number", body = Problem),
              (status = 429, description = "Ten of the tenant listen already", body = Problem)))]
pub(crate) async fn stream(
    actor: ReadActor,
    state: Data<State>,
    request: HttpRequest,
    query: Query<StreamQuery>,
) -> Result<HttpResponse, ApiError> {
    let after = place(&request, &query)?;
    let listening = listen(&state.cx, &actor.0, after)
        .await
        .map_err(|error| match error {
            StreamError::Busy => ApiError::new(
                429,
                "rate-limited",
                "Rate limited",
                "Ten of you listen to this process already. End one of them.",
            )
            .retry_after(2),
            StreamError::Full => ApiError::new(
                503,
                "too-many-streams",
                "Too many streams",
                "As many listen to this process as may. Try again in a moment.",
            )
            .retry_after(2),
            StreamError::Store(error) => error.into(),
        })?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // A proxy that waits for more passes nothing on.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events(listening)))
}

fn place(request: &HttpRequest, query: &StreamQuery) -> Result<Option<i64>, ApiError> {
    let number = |text: &str| text.parse().ok().filter(|place: &i64| *place >= 0);
    if let Some(value) = request.headers().get(LAST) {
        let place = value.to_str().ok().and_then(number).ok_or_else(|| {
            ApiError::new(
                400,
                "invalid-header",
                "Invalid header",
                "Send the `id` of an event as Last-Event-ID.",
            )
        })?;
        return Ok(Some(place));
    }
    let wrong = || ApiError::parameter("last_event_id", "must be the `id` of an event");
    let text = query.last_event_id.as_deref();
    text.map(|text| number(text).ok_or_else(wrong)).transpose()
}

/// The next event is asked for when the one before it was taken, so that nothing piles up here.
fn events(listening: Listening) -> impl stream::Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((Some(listening), true), async |(listening, is_first)| {
        let mut listening = listening?;
        if is_first {
            return Some((Ok(Bytes::from_static(HELLO.as_bytes())), (Some(listening), false)));
        }
        // A client that is cut off comes back, and is told then what is wrong.
        let told = listening.next().await.ok()??;
        Some((Ok(event(&told)), (Some(listening), false)))
    })
}

fn event(told: &Told) -> Bytes {
    let text = match told {
        Told::Message(placed) => format!(
            "id: {}\nevent: {}\ndata: {}\n\n",
            placed.place,
            placed.message.topic.as_str(),
            placed.message.body
        ),
        Told::Gap(place) => format!("id: {place}\nevent: gap\ndata: {{\"not_kept_up_to\":{place}}}\n\n"),
        Told::Quiet => ": nothing has happened\n\n".to_owned(),
    };
    Bytes::from(text)
}
