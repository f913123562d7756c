//! How is a JSON body read, and what is refused?
//!
//! Only objects are taken, only with the members that are known, each once; size and time are bounded. An error
//! says where it is and what was expected, and repeats nothing of the input.

mod refusal;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING,
};
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{FromRequest, HttpRequest, dev};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::problem::ApiError;
use crate::state::State;

/// The longest that a body may pause, and what it may take before its rate counts.
const BODY_PAUSE: Duration = Duration::from_secs(10);

/// The least that must come in a second on average.
const BODY_RATE: u64 = 16 * 1024;

/// How long a body may have taken when so many bytes of it are there. What was announced does not count: a drip
/// would announce much.
fn body_time(received: usize) -> Duration {
    let received = u64::try_from(received).unwrap_or(u64::MAX);
    BODY_PAUSE.saturating_add(Duration::from_millis(received.saturating_mul(1_000) / BODY_RATE))
}

/// A body that a route reads.
pub(crate) trait Body: DeserializeOwned {
    /// Members that the resource has and that nobody writes: they are refused in other words than misspelt ones.
    const READ_ONLY: &'static [&'static str] = &[];
}

/// A JSON object of a request, with the bytes it was read from.
pub(crate) struct Json<T> {
    pub(crate) value: T,
    pub(crate) bytes: Bytes,
}

impl<T: Body + 'static> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let cap = request
            .app_data::<Data<State>>()
            .map_or(0, |state| state.settings.native_body_bytes);
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            check_headers(&request)?;
            let bytes = read(&request, payload, cap).await?;
            let value = parse(&bytes)?;
            Ok(Self { value, bytes })
        })
    }
}

/// A JSON object whose members may all be left out, and so may the body.
pub(crate) struct OptionalJson<T>(pub(crate) T, pub(crate) Bytes);

impl<T: Body + Default + 'static> FromRequest for OptionalJson<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        if has_no_body(request) {
            return Box::pin(std::future::ready(Ok(Self(T::default(), Bytes::new()))));
        }
        let json = Json::<T>::from_request(request, payload);
        Box::pin(async move { json.await.map(|json| Self(json.value, json.bytes)) })
    }
}

/// Whether the request says, by how it is framed, that nothing follows its headers.
fn has_no_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let length = headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
    !headers.contains_key(TRANSFER_ENCODING) && matches!(length, None | Some(b"0"))
}

/// Refuses what is not plain JSON by its headers.
pub(crate) fn check_headers(request: &HttpRequest) -> Result<(), ApiError> {
    if request.headers().contains_key(CONTENT_ENCODING) {
        return Err(ApiError::new(
            415,
            "unsupported-encoding",
            "Unsupported encoding",
            "Send the body without a Content-Encoding.",
        ));
    }
    let value = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut parts = value.split(';').map(str::trim);
    let json = parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let utf8 = parts.all(|part| match part.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    if json && utf8 {
        return Ok(());
    }
    Err(ApiError::new(
        415,
        "unsupported-media-type",
        "Unsupported media type",
        "Send `Content-Type: application/json` in UTF-8.",
    ))
}

/// Reads a body of at most `cap` bytes for as long as it keeps coming. One that says to be longer is refused before it
/// arrives.
pub(crate) async fn read(
    request: &HttpRequest,
    mut payload: dev::Payload,
    cap: usize,
) -> Result<Bytes, ApiError> {
    let declared = request.headers().get(CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > cap) {
        return Err(too_large(cap));
    }
    let (began, mut all) = (Instant::now(), BytesMut::new());
    loop {
        let until = (began + body_time(all.len())).min(Instant::now() + BODY_PAUSE);
        let Ok(chunk) = timeout_at(until, payload.next()).await else {
            return Err(too_slow());
        };
        let Some(chunk) = chunk else {
            return Ok(all.freeze());
        };
        let chunk = chunk.map_err(|error| {
            tracing::debug!(%error, "a request body broke off");
            ApiError::new(
                400,
                "malformed-request",
                "Malformed request",
                "The body could not be read.",
            )
        })?;
        if all.len() + chunk.len() > cap {
            return Err(too_large(cap));
        }
        all.extend_from_slice(&chunk);
    }
}

fn too_slow() -> ApiError {
    ApiError::new(
        408,
        "request-timeout",
        "Request timeout",
        "The body came too slowly. It may pause for 10 seconds, and after 10 seconds it must have come at 16 KiB a second.",
    )
}

fn too_large(cap: usize) -> ApiError {
    ApiError::new(
        413,
        "payload-too-large",
        "Payload too large",
        format!("The body may have {cap} bytes (limit_bytes)."),
    )
}

/// Reads one JSON object.
pub(crate) fn parse<T: Body>(bytes: &[u8]) -> Result<T, ApiError> {
    let first = bytes.iter().copied().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| byte != b'{') {
        let whole = serde_json::from_slice::<serde::de::IgnoredAny>(bytes);
        return Err(whole.map_or_else(
            |error| refusal::malformed(&error),
            |_| ApiError::field("", "must be a JSON object"),
        ));
    }
    if let Some(place) = refusal::nul(bytes) {
        return Err(place);
    }
    serde_json::from_slice(bytes)
        .ok()
        .ok_or_else(|| refusal::of::<T>(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_arrived_buys_time_and_what_was_announced_does_not() {
        for (received, seconds) in [
            (0, 10),
            (12, 10),
            (16 * 1024, 11),
            (20 * 1024 * 1024, 1_290),
            (usize::MAX, 1_125_899_906_852),
        ] {
            assert_eq!(body_time(received).as_secs(), seconds, "{received}");
        }
    }
}
