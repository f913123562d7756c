//! Is a provider called with its own key and again only when it did nothing, and what comes back?

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use model::amounts::Amounts;
use model::hold::{Hold, HoldStatus};
use model::id::{DecisionId, HoldId, TenantId};
use model::run::Operation;
use model::time::Timestamp;
use workers::upstream::{
    AskUsage, ProviderKey, SettingsError, Timeouts, UpstreamError, UpstreamKind, UpstreamPool,
    UpstreamRequest, UpstreamResponse, UpstreamSettings,
};

use super::provider::{Act, Provider, answer};

const SECRET: &str = "sk-very-secret";
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_millis(500),
    first_byte: Duration::from_millis(500),
    idle: Duration::from_millis(200),
};

fn settings(name: &str, kind: UpstreamKind, base_url: &str, models: &[&str]) -> UpstreamSettings {
    UpstreamSettings {
        name: name.to_owned(),
        kind,
        base_url: base_url.to_owned(),
        api_key: ProviderKey::new(SECRET),
        provider: "openai".to_owned(),
        models: models.iter().map(|&m| m.to_owned()).collect(),
        ask_usage: AskUsage::Always,
    }
}

fn pool(kind: UpstreamKind, base_url: &str) -> UpstreamPool {
    UpstreamPool::new(&[settings("one", kind, base_url, &[])], TIMEOUTS, 2).unwrap()
}

fn request(operation: Operation, client: &[(&'static str, &'static str)]) -> UpstreamRequest {
    let hold = Hold {
        id: HoldId::from_bits(7),
        tenant: TenantId::from_bits(1),
        status: HoldStatus::Pending,
        decision: DecisionId::from_bits(1),
        run: None,
        subject: std::sync::Arc::default(),
        requested: Amounts::ZERO,
        settled: None,
        items: Vec::new(),
        created_at: Timestamp::from_micros(0),
        expires_at: Timestamp::from_micros(1),
        ended_at: None,
    };
    let headers: HeaderMap = client
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    UpstreamRequest::new(&hold, operation, Bytes::from_static(b"{\"a\":1}"), &headers)
}

async fn chat(provider: &Provider) -> Result<UpstreamResponse, UpstreamError> {
    let pool = pool(UpstreamKind::Openai, &provider.address);
    let upstream = pool.route(Operation::Chat, "gpt-5").unwrap();
    upstream.send(request(Operation::Chat, &[])).await
}

async fn text(mut response: UpstreamResponse) -> Result<String, UpstreamError> {
    let mut all = Vec::new();
    while let Some(chunk) = response.body.next().await {
        all.extend_from_slice(&chunk?);
    }
    Ok(String::from_utf8(all).unwrap())
}

#[tokio::test]
async fn the_credentials_of_the_client_are_replaced_by_those_of_the_provider() {
    let provider = Provider::start(vec![answer(200, "set-cookie: a=b\r\nx-request-id: r1\r\n", "ok")]).await;
    let client = [
        ("authorization", "Bearer plim_live_x"),
        ("x-api-key", "plim_live_x"),
        ("anthropic-beta", "b1"),
    ];
    for (kind, operation) in [
        (UpstreamKind::Openai, Operation::Responses),
        (UpstreamKind::Anthropic, Operation::CountTokens),
    ] {
        let pool = pool(kind, &provider.address);
        let upstream = pool.route(operation, "m").unwrap();
        let traced = request(operation, &client).with_traceparent("00-abc-def-01");
        let response = upstream.send(traced).await.unwrap();
        assert_eq!(response.headers.get("x-upstream-request-id").unwrap(), "r1");
        assert!(response.headers.get("set-cookie").is_none());
        assert_eq!(text(response).await.unwrap(), "ok");
        assert!(!format!("{pool:?}{upstream:?}").contains(SECRET));
    }
    let [openai, anthropic] = provider.asked().try_into().unwrap();
    assert!(openai.starts_with("post /v1/responses http/1.1\r\n"), "{openai}");
    assert!(openai.contains("authorization: bearer sk-very-secret\r\n"));
    assert!(openai.contains("traceparent: 00-abc-def-01\r\n"));
    assert!(openai.ends_with("\r\n\r\n{\"a\":1}"));
    assert!(anthropic.starts_with("post /v1/messages/count_tokens http/1.1\r\n"));
    assert!(anthropic.contains("x-api-key: sk-very-secret\r\n"));
    assert!(anthropic.contains("anthropic-version: 2023-06-01\r\n"));
    assert!(anthropic.contains("anthropic-beta: b1\r\n"));
    for sent in [openai, anthropic] {
        assert!(!sent.contains("plim_live_x") && !sent.contains("accept-encoding"));
    }
}

#[tokio::test]
async fn an_answer_that_says_not_now_is_asked_again_after_the_pause_it_names() {
    let not_now = answer(503, "retry-after: 0\r\n", "busy");
    let script = vec![
        not_now.clone(),
        answer(429, "retry-after-ms: 20\r\n", ""),
        answer(200, "", "ok"),
    ];
    let provider = Provider::start(script).await;
    let response = chat(&provider).await.unwrap();
    assert_eq!((response.status.as_u16(), response.retries), (200, 2));

    let provider = Provider::start(vec![not_now]).await;
    let response = chat(&provider).await.unwrap();
    assert_eq!((response.status.as_u16(), response.retries), (503, 2));
    assert_eq!(text(response).await.unwrap(), "busy");
}

#[tokio::test]
async fn a_refusal_or_a_long_pause_is_handed_to_the_client_at_once() {
    for act in [
        answer(400, "", "bad"),
        answer(429, "retry-after: 60\r\n", ""),
        answer(500, "x-should-retry: false\r\n", ""),
    ] {
        let provider = Provider::start(vec![act]).await;
        let response = chat(&provider).await.unwrap();
        assert_eq!((response.retries, provider.asked().len()), (0, 1));
        let pause = response.headers.get("retry-after");
        assert_eq!(pause.is_some(), response.status.as_u16() == 429);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let provider = Provider::start(vec![answer(307, "location: http://127.0.0.1:1/\r\n", "")]).await;
    let response = chat(&provider).await.unwrap();
    assert_eq!(response.status.as_u16(), 307);
    assert!(response.headers.get("location").is_none());
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_tried_again_and_then_named_so() {
    let pool = pool(UpstreamKind::Openai, "http://127.0.0.1:1");
    let upstream = pool.route(Operation::Chat, "m").unwrap();
    let error = upstream.send(request(Operation::Chat, &[])).await.unwrap_err();
    assert_eq!((error.code(), error.retries()), ("upstream_unreachable", 2));
    assert!(!error.may_have_run());
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(SECRET) && !shown.contains("/v1/chat"), "{shown}");
}

#[tokio::test]
async fn a_request_that_stays_unanswered_is_not_sent_twice() {
    let provider = Provider::start(vec![Act::Silence]).await;
    let error = chat(&provider).await.unwrap_err();
    assert_eq!((error.code(), error.retries()), ("upstream_timeout", 0));
    let provider = Provider::start(vec![Act::SayAndHangUp("HTTP/1.1 200".to_owned())]).await;
    assert_eq!(chat(&provider).await.unwrap_err().code(), "upstream_error");
    assert_eq!(provider.asked().len(), 1);
}

#[tokio::test]
async fn a_call_that_breaks_when_it_is_tried_again_knows_that_it_was() {
    let not_now = answer(503, "retry-after: 0\r\n", "busy");
    let provider = Provider::start(vec![not_now, Act::SayAndHangUp("HTTP/1.1 200".to_owned())]).await;
    let error = chat(&provider).await.unwrap_err();
    assert_eq!((error.code(), error.retries()), ("upstream_error", 1));
    assert_eq!(provider.asked().len(), 2);
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_an_error_of_the_body() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_owned();
    let broken = Provider::start(vec![Act::SayAndHangUp(head.clone())]).await;
    let error = text(chat(&broken).await.unwrap()).await.unwrap_err();
    assert_eq!(error.code(), "upstream_error");
    let silent = Provider::start(vec![Act::Say(head)]).await;
    let error = text(chat(&silent).await.unwrap()).await.unwrap_err();
    assert_eq!(error, UpstreamError::IdleTimeout { after: TIMEOUTS.idle });
}

#[test]
fn the_pattern_that_says_most_wins_and_among_equals_the_first() {
    let all = [
        settings("any", UpstreamKind::Openai, "https://a.example", &[]),
        settings(
            "gpt",
            UpstreamKind::OpenaiCompatible,
            "https://b.example/x/v4/",
            &["gpt-*", "o3"],
        ),
        settings(
            "mini",
            UpstreamKind::OpenaiCompatible,
            "https://c.example",
            &["gpt-*-mini", "gpt-5"],
        ),
        settings(
            "mini2",
            UpstreamKind::Openai,
            "https://d.example",
            &["gpt-*-mini"],
        ),
        settings(
            "claude",
            UpstreamKind::Anthropic,
            "https://e.example/v1",
            &["claude-*"],
        ),
    ];
    let pool = UpstreamPool::new(&all, TIMEOUTS, 0).unwrap();
    let route = |operation, model| pool.route(operation, model).map(|u| u.name().to_owned());
    for (operation, model, expected) in [
        (Operation::Chat, "gpt-4", Some("gpt")),
        (Operation::Chat, "gpt-4-mini", Some("mini")),
        (Operation::Chat, "gpt-5", Some("mini")),
        (Operation::Embeddings, "text-embedding-3-small", Some("any")),
        (Operation::Messages, "claude-5", Some("claude")),
        (Operation::Messages, "gpt-5", None),
        (Operation::Chat, "claude-5", Some("any")),
    ] {
        assert_eq!(route(operation, model).as_deref(), expected, "{model}");
    }
}

#[test]
fn settings_that_cannot_work_say_which_and_why() {
    let try_one = |url: &str, key: &str| {
        let mut one = settings("one", UpstreamKind::Openai, url, &[]);
        one.api_key = ProviderKey::new(key);
        UpstreamPool::new(&[one.clone(), one], TIMEOUTS, 0).unwrap_err()
    };
    for url in [
        "api.openai.com",
        "ftp://x",
        "https://u:p@x",
        "https://x?a=b",
        "https://x#f",
        "",
    ] {
        assert!(
            matches!(try_one(url, "k"), SettingsError::BaseUrl { .. }),
            "{url}"
        );
    }
    for key in ["", " ", "a\nb"] {
        assert!(
            matches!(try_one("https://x", key), SettingsError::Key { .. }),
            "{key}"
        );
    }
    assert!(matches!(
        try_one("https://x", "k"),
        SettingsError::Duplicate { .. }
    ));
}
