//! Is every alteration refused, under a code of its own?

use super::*;

type Change = fn(&mut Sent);

/// What is changed behind the signature, and how that is answered.
const ALTERATIONS: [(&str, Change, (u16, &str)); 25] = [
    ("nothing", |_| {}, (200, "OK")),
    ("body", |sent| sent.body[0] ^= 1, (401, "SIGNATURE_MISMATCH")),
    (
        "path",
        |sent| sent.uri = sent.uri.replace("inc_1", "inc_2"),
        (401, "SIGNATURE_MISMATCH"),
    ),
    (
        "query",
        |sent| sent.uri = sent.uri.replace("a=1", "a=2"),
        (401, "SIGNATURE_MISMATCH"),
    ),
    ("method", |sent| sent.method = "PUT", (401, "SIGNATURE_MISMATCH")),
    (
        "signed header",
        |sent| sent.header("idempotency-key").push('2'),
        (401, "SIGNATURE_MISMATCH"),
    ),
    (
        "host",
        |sent| sent.header("host").push('s'),
        (401, "SIGNATURE_MISMATCH"),
    ),
    (
        "second of the time",
        |sent| sent.header("x-amz-date").replace_range(14..15, "7"),
        (401, "SIGNATURE_MISMATCH"),
    ),
    (
        "key id",
        |sent| {
            let parts = "Credential=PLIM";
            let key = sent.header("authorization").split(parts).nth(1).unwrap()[..16].to_owned();
            sent.replaced(&key, "AAAAAAAAAAAAAAAA");
        },
        (401, "SIGNATURE_MISMATCH"),
    ),
    (
        "key id of AWS",
        |sent| sent.replaced("Credential=PLIM", "Credential=AKIA"),
        (401, "SIGNATURE_MISMATCH"),
    ),
    (
        "bit of the signature",
        |sent| {
            let last = sent.header("authorization").pop().unwrap().to_digit(16).unwrap();
            sent.header("authorization")
                .push(char::from_digit(last ^ 1, 16).unwrap());
        },
        (401, "SIGNATURE_MISMATCH"),
    ),
    (
        "day",
        |sent| sent.replaced("/20261121/", "/20261122/"),
        (401, "INVALID_CREDENTIAL_SCOPE"),
    ),
    (
        "region",
        |sent| sent.replaced("us-east-1", "eu-west-1"),
        (401, "INVALID_CREDENTIAL_SCOPE"),
    ),
    (
        "service",
        |sent| sent.replaced("execute-api", "s3"),
        (401, "INVALID_CREDENTIAL_SCOPE"),
    ),
    (
        "no host",
        |sent| sent.replaced(";host", ""),
        (401, "HEADER_NOT_SIGNED"),
    ),
    (
        "unsigned key",
        |sent| sent.replaced(";idempotency-key", ""),
        (401, "HEADER_NOT_SIGNED"),
    ),
    (
        "unsigned token",
        |sent| sent.headers.push(("x-amz-security-token".into(), "t".into())),
        (401, "HEADER_NOT_SIGNED"),
    ),
    (
        "signed header gone",
        |sent| sent.headers.retain(|(name, _)| name != "content-type"),
        (401, "SIGNED_HEADER_MISSING"),
    ),
    (
        "doubled time",
        |sent| {
            let time = sent.header("x-amz-date").clone();
            sent.headers.push(("x-amz-date".into(), time));
        },
        (401, "DUPLICATE_HEADER"),
    ),
    (
        "doubled authorization",
        |sent| {
            let both = sent.header("authorization").clone();
            sent.headers.push(("authorization".into(), both));
        },
        (401, "DUPLICATE_HEADER"),
    ),
    (
        "no time",
        |sent| sent.headers.retain(|(name, _)| name != "x-amz-date"),
        (401, "INVALID_SIGNATURE_DATE"),
    ),
    (
        "no signature",
        |sent| sent.headers.retain(|(name, _)| name != "authorization"),
        (401, "AUTHENTICATION_REQUIRED"),
    ),
    (
        "another credential",
        |sent| *sent.header("authorization") = "Bearer plim_live_x".into(),
        (401, "WRONG_CREDENTIAL_KIND"),
    ),
    (
        "cut signature",
        |sent| {
            sent.header("authorization").pop();
        },
        (401, "MALFORMED_SIGNATURE"),
    ),
    (
        "signature in the query",
        |sent| sent.uri.push_str("&X-Amz-Signature=00"),
        (401, "PRESIGNED_URL_REFUSED"),
    ),
];

fn change_of(world: &World) -> Sent {
    let to = ("PATCH", "/incidents/inc_1/state?a=1&b=2");
    Sent::new(
        &world.signer(),
        world.time(),
        to,
        b"{\"newState\":\"MITIGATING\"}",
    )
}

#[tokio::test]
async fn every_alteration_is_refused_with_its_code_and_names_the_way_to_sign() {
    let world = World::new().await;
    for (name, change, expected) in ALTERATIONS {
        let mut sent = change_of(&world);
        change(&mut sent);
        let got = world.send(sent).await;
        assert_eq!(got.code(), expected, "{name}: {}", got.json);
        let challenge = (got.status == 401).then_some("AWS4-HMAC-SHA256");
        assert_eq!(got.challenge.as_deref(), challenge, "{name}");
    }
}

#[tokio::test]
async fn a_refusal_says_enough_to_mend_a_client_and_nothing_of_the_secret() {
    let world = World::new().await;
    let mut sent = change_of(&world);
    sent.body.push(b' ');
    let got = world.send(sent).await;
    let details = &got.json["error"]["details"];
    let to_sign = details["stringToSign"].as_str().unwrap();
    assert!(
        to_sign
            .starts_with("AWS4-HMAC-SHA256\n20261121T093000Z\n20261121/us-east-1/execute-api/aws4_request\n")
    );
    assert!(to_sign.ends_with(details["canonicalRequestSha256"].as_str().unwrap()));
    assert!(!got.json.to_string().contains(world.issued.secret.expose()));
    let mut sent = change_of(&world);
    sent.replaced(";host", "");
    let got = world.send(sent).await.json;
    assert_eq!(got["error"]["message"], "Host is not among the signed headers.");
    assert_eq!(got["error"]["details"], json!({ "header": "host" }));
    world.clock.advance_seconds(1_000);
    let old = Sent::new(
        &world.signer(),
        world.time().plus_seconds(-400),
        ("GET", "/incidents"),
        b"",
    );
    let got = world.send(old).await.json;
    assert_eq!(
        got["error"]["details"],
        json!({ "skewSeconds": 400, "allowedSeconds": 300 })
    );
    let message = got["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("The clock is 400 s off"), "{message}");
}

#[tokio::test]
async fn clocks_may_differ_by_five_minutes_and_not_by_a_second_more() {
    let world = World::new().await;
    for (seconds, expected) in [
        (300, (200, "OK")),
        (-300, (200, "OK")),
        (301, (401, "CLOCK_SKEW")),
        (-301, (401, "CLOCK_SKEW")),
    ] {
        let at = world.time().plus_seconds(seconds);
        let got = world
            .send(Sent::new(&world.signer(), at, ("GET", "/incidents"), b""))
            .await;
        assert_eq!(got.code(), expected, "{seconds}");
    }
}

#[tokio::test]
async fn a_change_that_is_sent_again_changes_nothing_and_a_read_may_be_repeated() {
    let world = World::new().await;
    let change = change_of(&world);
    assert_eq!(world.send(change.clone()).await.code(), (200, "OK"));
    assert_eq!(
        world.send(change.clone()).await.code(),
        (401, "SIGNATURE_REPLAYED")
    );
    world.clock.advance_seconds(300);
    assert_eq!(
        world.send(change.clone()).await.code(),
        (401, "SIGNATURE_REPLAYED")
    );
    world.clock.advance_seconds(1);
    assert_eq!(world.send(change).await.code(), (401, "CLOCK_SKEW"));
    let read = Sent::new(&world.signer(), world.time(), ("GET", "/incidents"), b"");
    for _ in 0..3 {
        assert_eq!(world.send(read.clone()).await.code(), (200, "OK"));
    }
    // Two equal changes within a second differ by a header that is signed.
    for nonce in ["1", "2"] {
        let mut sent = change_of(&world);
        sent.headers = world.signer().sign(
            world.time(),
            ("PATCH", "/incidents/inc_1/state?a=1&b=2"),
            &[("x-amz-nonce", nonce)],
            &sent.body,
        );
        assert_eq!(world.send(sent).await.code(), (200, "OK"), "{nonce}");
    }
}

#[tokio::test]
async fn a_role_leads_to_its_routes_and_authorities_only() {
    let world = World::new().await;
    let reader = signer(&principal(&world.cx, "acme", PrincipalRole::Reader).await);
    let (at, post) = (world.time(), ("POST", "/incidents"));
    let got = world
        .send(Sent::new(&reader, at, ("GET", "/incidents"), b""))
        .await;
    assert_eq!(got.code(), (200, "OK"));
    assert!(
        got.json["arn"].as_str().unwrap().ends_with(":principal/READER"),
        "{}",
        got.json
    );
    let got = world.send(Sent::new(&reader, at, post, b"{}")).await;
    assert_eq!(got.code(), (403, "UNAUTHORIZED"));
    assert_eq!(
        got.json["error"]["message"],
        "No role of the principal allows requests that open Incidents."
    );
    let got = world.send(Sent::new(&world.signer(), at, post, b"glass")).await;
    assert_eq!(got.code(), (403, "UNAUTHORIZED"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_anything_is_hashed() {
    let world = World::new().await;
    let post = ("POST", "/incidents");
    let fits = vec![b'x'; BODY_BYTES];
    let got = world
        .send(Sent::new(&world.signer(), world.time(), post, &fits))
        .await;
    assert_eq!(got.code(), (200, "OK"));
    let mut unsigned = Sent::new(&world.signer(), world.time(), post, &fits);
    unsigned.headers.clear();
    unsigned.body.push(b'x');
    assert_eq!(world.send(unsigned).await.code(), (413, "PAYLOAD_TOO_LARGE"));
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_when_there_is_room_again() {
    let world = World::new().await;
    let post = ("POST", "/incidents");
    let send = async |number: usize| {
        let body = format!("{{\"number\":{number}}}");
        world
            .send(Sent::new(&world.signer(), world.time(), post, body.as_bytes()))
            .await
    };
    for number in 0..60 {
        assert_eq!(send(number).await.code(), (200, "OK"), "{number}");
    }
    let got = send(60).await;
    assert_eq!(got.code(), (429, "RATE_LIMIT_EXCEEDED"));
    assert_eq!(got.json["error"]["details"], json!({ "retryAfter": 1 }));
    assert_eq!(got.retry_after.as_deref(), Some("1"));
    let read = world
        .send(Sent::new(
            &world.signer(),
            world.time(),
            ("GET", "/incidents"),
            b"",
        ))
        .await;
    assert_eq!(read.code(), (200, "OK"), "reads have a bucket of their own");
    world.clock.advance_seconds(1);
    assert_eq!(send(61).await.code(), (200, "OK"));
}

#[tokio::test]
async fn too_many_wrong_signatures_are_told_so_and_lock_nobody_out_who_signs_rightly() {
    let world = World::new().await;
    let wrong = TestSigner {
        secret: "x".repeat(40),
        ..world.signer()
    };
    let get = |signer: &TestSigner| Sent::new(signer, world.time(), ("GET", "/incidents"), b"");
    for _ in 0..60 {
        assert_eq!(world.send(get(&wrong)).await.code(), (401, "SIGNATURE_MISMATCH"));
    }
    let got = world.send(get(&wrong)).await;
    assert_eq!(got.code(), (429, "RATE_LIMIT_EXCEEDED"), "{}", got.json);
    assert!(got.challenge.is_none() && got.retry_after.is_some());
    assert_eq!(world.send(get(&world.signer())).await.code(), (200, "OK"));
}
