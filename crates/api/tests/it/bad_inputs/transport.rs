//! 7.1 Transport and framing.

use std::time::Duration;

use testkit::db::TestDb;

use super::{expect, is_clean, still_works};
use crate::harness::{World, budget, settings};
use crate::raw::{Raw, exchange};

/// A request line and headers, with `{key}` in place of the key, and `{body}` of a check.
const RAW: &[(&str, &str, u16, &str)] = &[
    (
        "1",
        "POST /api/v1/limits/check HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        400,
        "",
    ),
    (
        "2",
        "POST /api/v1/limits/check HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        400,
        "",
    ),
    (
        "2",
        "POST /api/v1/limits/check HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        400,
        "",
    ),
    (
        "3",
        "POST /api/v1/limits/check HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n{}   ",
        400,
        "",
    ),
    (
        "3",
        "POST /api/v1/limits/check HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n{}",
        400,
        "",
    ),
    (
        "4",
        "POST /api/v1/limits/check HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        400,
        "",
    ),
    (
        "4",
        "POST /api/v1/limits/check HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        400,
        "",
    ),
    (
        "5",
        "POST /api/v1/limits/check HTTP/1.1\r\nHost: a\r\n{key}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n",
        400,
        "malformed-request",
    ),
    (
        "5",
        "POST /api/v1/limits/check HTTP/1.1\r\nHost: a\r\n{key}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
        400,
        "malformed-request",
    ),
    ("6", "GET /api/v1/limits HTTP/1.1\r\n\r\n", 400, ""),
    (
        "6",
        "GET /api/v1/limits HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        400,
        "",
    ),
    (
        "8",
        "GET /api/v1/limits HTTP/1.0\r\n\r\n",
        400,
        "malformed-request",
    ),
    (
        "9",
        "GET /api/v1/limits HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n",
        400,
        "",
    ),
    (
        "9",
        "GET /api/v1/limits HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
        400,
        "",
    ),
    (
        "9",
        "GET /api/v1/limits HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n",
        400,
        "",
    ),
    ("20", "\x16\x03\x01\x02\x00\x01\x00\x01\u{7f}\x03\x03", 400, ""),
    ("20", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, ""),
    (
        "21",
        "TRACE /api/v1/limits HTTP/1.1\r\nHost: a\r\n\r\n",
        405,
        "method-not-allowed",
    ),
    (
        "21",
        "FOO /api/v1/limits HTTP/1.1\r\nHost: a\r\n\r\n",
        405,
        "method-not-allowed",
    ),
    (
        "23",
        "GET /api/v1/../v1/limits HTTP/1.1\r\nHost: a\r\n\r\n",
        404,
        "not-found",
    ),
    (
        "23",
        "GET //api/v1/limits HTTP/1.1\r\nHost: a\r\n\r\n",
        404,
        "not-found",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn framing_that_can_be_read_in_two_ways_is_refused() {
    let world = World::new(TestDb::sqlite()).await;
    let key = format!("Authorization: Bearer {}\r\n", world.key);
    still_works(&world).await;
    for (row, request, status, code) in RAW {
        let title = format!("row {row}: {request:?}");
        let answer = exchange(&world, request.replace("{key}", &key).as_bytes()).await;
        let answer = answer.unwrap_or_else(|| panic!("{title}: hung up"));
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (*status, *code),
            "{title}: {}",
            answer.body
        );
        is_clean(&title, &answer);
    }
    still_works(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_is_refused() {
    let world = World::new(TestDb::sqlite()).await;
    let get = |path: &str| world.get(path);
    let mut call = get("/api/v1/limits");
    for number in 0..96 {
        call = call.header(&format!("x-{number}"), "a");
    }
    expect("10", call, 431, "").await;
    expect(
        "11",
        get("/api/v1/limits").header("x-long", &"a".repeat(17_000)),
        431,
        "headers-too-large",
    )
    .await;
    let huge = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n",
        "a".repeat(200_000)
    );
    let answer = exchange(&world, huge.as_bytes()).await;
    assert!(answer.is_none_or(|answer| answer.status == 431), "row 11");
    expect(
        "13",
        get(&format!("/api/v1/limits?cursor={}", "a".repeat(9_000))),
        414,
        "uri-too-long",
    )
    .await;
    let huge = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(70_000));
    exchange(&world, huge.as_bytes())
        .await
        .expect("row 13")
        .is(400, "");
    let body = format!("{{\"session_id\":\"{}\"}}", "a".repeat(70_000));
    let answer = expect(
        "17",
        world.call("POST", "/api/v1/limits/check").bytes(body),
        413,
        "payload-too-large",
    )
    .await;
    assert!(
        answer.text("/detail").contains("65536 bytes (limit_bytes)"),
        "{}",
        answer.body
    );
    for encoding in ["gzip", "deflate", "br", "identity"] {
        let call = world
            .post("/api/v1/limits", &budget(1))
            .header("content-encoding", encoding);
        expect("18", call, 415, "unsupported-encoding").await;
    }
    still_works(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_too_slowly_is_refused() {
    let impatient = api::Settings {
        request_timeout: Duration::from_secs(2),
        ..settings()
    };
    let world = World::with(TestDb::sqlite(), impatient).await;
    let head = |more: &str| {
        format!(
            "POST /api/v1/limits/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n{more}\r\n\r\n",
            world.key
        )
    };
    let open = async |text: String| {
        let mut raw = Raw::to(&world).await;
        raw.send(text.as_bytes()).await;
        raw
    };
    let second = Duration::from_millis(300);
    let (slow_head, drip, chunks, silence, promise, declared) = tokio::join!(
        async {
            open("GET / HTTP/1.1\r\nHost: a\r\n".to_owned())
                .await
                .drip(b"X-A: b\r\n", second)
                .await
        },
        async { open(head("Content-Length: 60000")).await.drip(b" ", second).await },
        async {
            open(head("Transfer-Encoding: chunked"))
                .await
                .drip(b"1\r\n \r\n", second)
                .await
        },
        async { open(head("Content-Length: 60000")).await.answer().await },
        async {
            open(head("Content-Length: 2\r\nExpect: 100-continue"))
                .await
                .answer()
                .await
        },
        async { open(head("Content-Length: 70000")).await.answer().await },
    );
    let slow_head = slow_head.expect("row 14");
    assert_eq!((slow_head.status, slow_head.body.as_str()), (408, ""), "row 14");
    for (row, answer) in [("15", drip), ("15", chunks), ("16", silence), ("19", promise)] {
        let answer = answer.unwrap_or_else(|| panic!("row {row}: hung up"));
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (408, "request-timeout"),
            "row {row}: {answer:?}"
        );
        is_clean(row, &answer);
    }
    declared.expect("row 16").is(413, "payload-too-large");
    still_works(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_hosts_that_are_configured_are_served() {
    let mut settings = settings();
    settings.allowed_hosts = vec!["plimsoll.example".to_owned(), "127.0.0.1".to_owned()];
    let world = World::with(TestDb::sqlite(), settings).await;
    let get = || world.get("/livez");
    for host in ["plimsoll.example", "PLIMSOLL.example:8080", "127.0.0.1:1"] {
        get().header("host", host).send().await.ok(200);
    }
    for host in [
        "evil.example",
        "plimsoll.example.evil.example",
        "evilplimsoll.example",
        "",
    ] {
        expect("7", get().header("host", host), 421, "misdirected-request").await;
    }
    // What is said about the host is not the host.
    for name in ["x-forwarded-host", "forwarded"] {
        let call = get()
            .header("host", "evil.example")
            .header(name, "host=plimsoll.example");
        expect("7", call.clone(), 421, "misdirected-request").await;
        expect(
            "7",
            call.header(name, "plimsoll.example"),
            421,
            "misdirected-request",
        )
        .await;
    }
    let absolute = "GET http://evil.example/livez HTTP/1.1\r\nHost: plimsoll.example\r\n\r\n";
    exchange(&world, absolute.as_bytes())
        .await
        .unwrap()
        .is(421, "misdirected-request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_path_does_not_take_is_told_from_those_it_takes() {
    let world = World::new(TestDb::sqlite()).await;
    for (method, path, allow) in [
        ("DELETE", "/api/v1/limits", "GET, HEAD, POST"),
        (
            "PATCH",
            "/api/v1/limits/LIM-01M7YQ1WE0000000000000ZZZZ",
            "GET, HEAD, PUT, DELETE",
        ),
        ("GET", "/api/v1/limits/check", "POST"),
        ("HEAD", "/api/v1/limits/check", "POST"),
        ("OPTIONS", "/api/v1/limits", "GET, HEAD, POST"),
        ("POST", "/livez", "GET, HEAD"),
    ] {
        let call = world.call(method, path);
        let code = if method == "HEAD" {
            ""
        } else {
            "method-not-allowed"
        };
        let answer = expect("21", call, 405, code).await;
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
    let got = world.get("/api/v1/limits").send().await;
    let head = world.call("HEAD", "/api/v1/limits").send().await;
    assert_eq!((head.status, head.body.as_str()), (200, ""), "row 22");
    assert_eq!(
        head.header("content-length"),
        got.header("content-length"),
        "row 22"
    );
    world.call("HEAD", "/api/v1/limits/nonsense").send().await.ok(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_not_there_and_one_that_cannot_be_read_are_told_apart() {
    let world = World::new(TestDb::sqlite()).await;
    for path in [
        "/",
        "/api",
        "/api/v1",
        "/api/v1/limits/",
        "/API/v1/limits",
        "/api/v1/incident",
        "/api//v1/limits",
        "/%2e%2e/",
        "/api/v1/limits/%20",
        "/api/v2/limits",
    ] {
        expect("23", world.get(path), 404, "not-found").await;
    }
    for path in [
        "/api/v1/limits/%00",
        "/api/v1/limits%2Fusage",
        "/api/v1/limits/%ff",
        "/api/v1/limits/%zz",
        "/api/v1/limits/%4",
        "/api/v1/limits/a%0d%0ab",
    ] {
        expect("83", world.get(path), 400, "malformed-request").await;
    }
    expect(
        "155",
        world.get("/api/v1/limits").header("accept", "text/xml"),
        406,
        "not-acceptable",
    )
    .await;
    for accept in [
        "*/*",
        "text/html, application/json;q=0.9",
        "application/*",
        "APPLICATION/PROBLEM+JSON",
    ] {
        world
            .get("/api/v1/limits")
            .header("accept", accept)
            .send()
            .await
            .ok(200);
    }
}
