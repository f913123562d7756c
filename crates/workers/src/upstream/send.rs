//! How is a provider called, and when is it called again?
//!
//! Only before the first byte, and only where the provider did nothing with the request: no connection, or
//! an answer that says "not now". A request that was sent and stays unanswered is not sent twice.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tokio::time::{Instant, sleep, timeout};

use super::error::{UpstreamError, reason};
use super::headers;
use super::pool::Upstream;
use super::request::UpstreamRequest;
use super::response::{UpstreamBody, UpstreamResponse};
use super::settings::UpstreamKind;

const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const FIRST_DELAY: Duration = Duration::from_millis(250);
const LAST_DELAY: Duration = Duration::from_secs(2);
/// A provider that wants a longer pause is not asked again: the client is told how long to wait.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(5);

impl Upstream {
    /// Calls the provider and returns as soon as the head of its answer is there, whatever its status.
    pub async fn send(&self, request: UpstreamRequest) -> Result<UpstreamResponse, UpstreamError> {
        let sent_at = Instant::now();
        let mut delays = delays(
            &request,
            request
                .retries_max
                .map_or(self.max_retries, |most| most.min(self.max_retries)),
        );
        let mut retries: u32 = 0;
        loop {
            let outcome = self.attempt(&request, retries).await;
            let wanted = match &outcome {
                Ok(response) if is_not_now(response) => retry_after(response.headers()),
                Err(UpstreamError::Connect { .. }) => None,
                Ok(_) | Err(_) => return outcome.map(|r| self.response(r, retries, sent_at)),
            };
            let asked_too_much = wanted.is_some_and(|pause| pause > LONGEST_RETRY_AFTER);
            let Some(ours) = delays.next().filter(|_| !asked_too_much) else {
                return outcome.map(|r| self.response(r, retries, sent_at));
            };
            drop(outcome);
            sleep(wanted.unwrap_or(ours)).await;
            retries = retries.saturating_add(1);
        }
    }

    async fn attempt(
        &self,
        request: &UpstreamRequest,
        retries: u32,
    ) -> Result<reqwest::Response, UpstreamError> {
        let mut call = reqwest::Request::new(Method::POST, self.url(request.operation));
        *call.headers_mut() = request.headers.clone();
        let (name, key) = self.key_header.clone();
        call.headers_mut().insert(name, key);
        if self.kind() == UpstreamKind::Anthropic {
            call.headers_mut()
                .entry(ANTHROPIC_VERSION)
                .or_insert(HeaderValue::from_static("2023-06-01"));
        }
        *call.body_mut() = Some(request.body.clone().into());

        let patience = self.timeouts.connect.saturating_add(self.timeouts.first_byte);
        match timeout(patience, self.client.execute(call)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => Err(UpstreamError::Connect {
                reason: reason(error),
                retries,
            }),
            Ok(Err(error)) => Err(UpstreamError::Broken {
                reason: reason(error),
                retries,
            }),
            Err(_elapsed) => Err(UpstreamError::FirstByteTimeout {
                after: patience,
                retries,
            }),
        }
    }

    fn response(&self, response: reqwest::Response, retries: u32, sent_at: Instant) -> UpstreamResponse {
        let status = response.status();
        let headers = headers::backward(response.headers());
        let broken = move |error| UpstreamError::Broken {
            reason: reason(error),
            retries,
        };
        let stream = response.bytes_stream().map(move |item| item.map_err(broken));
        UpstreamResponse {
            status,
            headers,
            retries,
            sent_at,
            body: UpstreamBody::new(stream, self.timeouts.idle),
        }
    }
}

/// Growing pauses that differ from request to request; what makes them differ is the id of the hold.
fn delays(request: &UpstreamRequest, max_retries: u32) -> impl Iterator<Item = Duration> + use<> {
    let bits = request.hold.bits() % u128::from(u64::MAX);
    ExponentialBuilder::new()
        .with_min_delay(FIRST_DELAY)
        .with_max_delay(LAST_DELAY)
        .with_max_times(usize::try_from(max_retries).unwrap_or(usize::MAX))
        .with_jitter()
        .with_jitter_seed(u64::try_from(bits).unwrap_or_default())
        .build()
}

/// Whether the answer says "not now", and not that asking again is of no use (a quota that is spent, say).
fn is_not_now(response: &reqwest::Response) -> bool {
    let refused = response
        .headers()
        .get("x-should-retry")
        .is_some_and(|value| value == "false");
    !refused && matches!(response.status().as_u16(), 429 | 500 | 502 | 503 | 504)
}

/// The pause that the provider asks for: `retry-after-ms`, or `retry-after` in seconds. A date is not read;
/// our own pause is taken instead.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &HeaderName| -> Option<u64> { headers.get(name)?.to_str().ok()?.trim().parse().ok() };
    let millis = number(&HeaderName::from_static("retry-after-ms")).map(Duration::from_millis);
    millis.or_else(|| number(&header::RETRY_AFTER).map(Duration::from_secs))
}
