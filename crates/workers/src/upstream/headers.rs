//! Which headers cross over to a provider, and which come back?
//!
//! Both ways there is a list of what may pass; whatever is not on it stays behind.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

const FORWARD: [HeaderName; 6] = [
    header::CONTENT_TYPE,
    header::ACCEPT,
    header::USER_AGENT,
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("openai-beta"),
];

/// Without `content-length` (the answer is framed anew) and without `x-ratelimit-*` (ours are sent).
const BACKWARD: [HeaderName; 8] = [
    header::CONTENT_TYPE,
    // Nobody asked for an encoding, but whoever sends one anyway must be understood by the client.
    header::CONTENT_ENCODING,
    header::CACHE_CONTROL,
    header::RETRY_AFTER,
    HeaderName::from_static("retry-after-ms"),
    HeaderName::from_static("x-should-retry"),
    HeaderName::from_static("openai-processing-ms"),
    HeaderName::from_static("openai-version"),
];

/// The provider's name for the exchange, under our own name: ours is `x-request-id`.
pub(super) const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");

/// What of the client's headers goes to the provider.
pub(super) fn forward(client: &HeaderMap) -> HeaderMap {
    let mut headers = pick(client, &FORWARD);
    headers
        .entry(header::CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    headers
}

/// What of the provider's headers goes back to the client.
pub(super) fn backward(provider: &HeaderMap) -> HeaderMap {
    let mut headers = pick(provider, &BACKWARD);
    let id = provider
        .get("x-request-id")
        .or_else(|| provider.get("request-id"));
    if let Some(id) = id {
        headers.insert(UPSTREAM_REQUEST_ID, id.clone());
    }
    headers
}

fn pick(from: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let mut picked = HeaderMap::new();
    for name in names {
        for value in from.get_all(name) {
            picked.append(name.clone(), value.clone());
        }
    }
    picked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn credentials_cookies_and_addresses_of_the_client_stay_behind() {
        let sent = forward(&headers(&[
            ("authorization", "Bearer plim_live_x"),
            ("x-api-key", "plim_live_x"),
            ("cookie", "a=b"),
            ("host", "evil.example"),
            ("x-forwarded-for", "10.0.0.1"),
            ("openai-organization", "org-1"),
            ("anthropic-beta", "a"),
            ("user-agent", "sdk/1"),
        ]));
        let expected = [
            ("user-agent", "sdk/1"),
            ("anthropic-beta", "a"),
            ("content-type", "application/json"),
        ];
        assert_eq!(sent, headers(&expected));
    }

    #[test]
    fn of_the_answer_only_what_is_listed_comes_back() {
        let back = backward(&headers(&[
            ("content-type", "text/event-stream"),
            ("set-cookie", "a=b"),
            ("transfer-encoding", "chunked"),
            ("connection", "keep-alive"),
            ("content-length", "5"),
            ("x-ratelimit-remaining-tokens", "5"),
            ("anthropic-ratelimit-tokens-limit", "5"),
            ("openai-organization", "org-1"),
            ("openai-processing-ms", "7"),
            ("request-id", "req_1"),
        ]));
        let expected = [
            ("content-type", "text/event-stream"),
            ("openai-processing-ms", "7"),
            ("x-upstream-request-id", "req_1"),
        ];
        assert_eq!(back, headers(&expected));
    }
}
