//! 7.2 Credentials.

use serde_json::json;
use testkit::db::TestDb;

use super::{expect, still_works};
use crate::harness::World;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_credential_is_refused_and_not_repeated() {
    let world = World::new(TestDb::sqlite()).await;
    let get = || world.get("/api/v1/limits");
    let missing = expect("24", get().anonymous(), 401, "authentication-required").await;
    assert_eq!(
        missing.header("www-authenticate"),
        Some("Bearer realm=\"plimsoll\"")
    );
    let mut mistyped = world.key.clone();
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == 'a' { 'b' } else { 'a' });
    let headers = [
        ("25", "Basic dXNlcjpwYXNz".to_owned()),
        ("25", "Bearer".to_owned()),
        ("25", "Bearer ".to_owned()),
        ("25", world.key.clone()),
        ("26", format!("Bearer {mistyped}")),
        ("26", format!("Bearer {}", &world.key[..world.key.len() - 1])),
        ("26", format!("Bearer {}x", world.key)),
        ("26", format!("Bearer sk-{}", world.key)),
        ("27", "Bearer ' OR 1=1 --".to_owned()),
        ("27", format!("Bearer {}", "a".repeat(8_000))),
        ("27", "Bearer 🔑".to_owned()),
        ("27", "Bearer plim_live_ünïcödé".to_owned()),
    ];
    for (row, value) in headers {
        let answer = expect(
            row,
            get().header("authorization", &value),
            401,
            "invalid-credential",
        )
        .await;
        assert_eq!(answer.text("/detail"), "The credential is not valid.");
        assert!(answer.header("www-authenticate").is_some());
    }
    let two = format!("Bearer {}", world.key);
    expect("25", get().more("authorization", &two), 400, "invalid-header").await;
    expect(
        "25",
        get()
            .anonymous()
            .more("x-api-key", &world.key)
            .more("x-api-key", &world.key),
        400,
        "invalid-header",
    )
    .await;
    // Anthropic's SDK sends its key like this.
    get()
        .anonymous()
        .header("x-api-key", &world.key)
        .send()
        .await
        .ok(200);
    get()
        .header("authorization", &format!("bearer   {}", world.key))
        .send()
        .await
        .ok(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_in_the_url_is_refused_before_it_is_looked_at() {
    let world = World::new(TestDb::sqlite()).await;
    for name in [
        "api_key",
        "API_KEY",
        "key",
        "access_token",
        "token",
        "apikey",
        "%61pi_key",
        "limit=1&token",
    ] {
        let call = world.get(&format!("/api/v1/limits?{name}={}", world.key));
        let answer = expect("31", call.clone(), 400, "credential-in-url").await;
        assert!(!answer.body.contains(&world.key));
        expect("31", call.anonymous(), 400, "credential-in-url").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_anybody_can_say_about_themselves_has_no_effect() {
    let world = World::new(TestDb::sqlite()).await;
    let (rival, rival_key) = world.other_tenant("rival").await;
    world
        .post("/api/v1/projects", &json!({ "project_id": "theirs" }))
        .with(&rival_key)
        .send()
        .await
        .ok(201);
    let mut call = world.get("/api/v1/projects");
    for name in [
        "x-tenant-id",
        "x-user-id",
        "x-forwarded-for",
        "x-real-ip",
        "x-forwarded-user",
        "x-plimsoll-tenant",
    ] {
        call = call.header(name, &rival.to_string());
    }
    let answer = call.send().await;
    assert!(!answer.ok(200).body.contains("theirs"), "row 41");
    let mut body = crate::harness::budget(1);
    body["tenant_id"] = json!(rival.to_string());
    expect("53", world.post("/api/v1/limits", &body), 422, "read-only-field").await;
    // An id that a client chose is taken over only if it can stand in a log.
    for (sent, taken) in [
        ("trace-17.a_b", true),
        ("a b", false),
        ("a\"b", false),
        ("", false),
    ] {
        let answer = world.get("/livez").header("x-request-id", sent).send().await;
        assert_eq!(answer.header("x-request-id") == Some(sent), taken, "{sent:?}");
    }
    let long = "a".repeat(5_000);
    let answer = world.get("/livez").header("x-request-id", &long).send().await;
    assert_ne!(answer.header("x-request-id"), Some(long.as_str()));
    still_works(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_names_another_tenant_finds_nothing() {
    let world = World::new(TestDb::sqlite()).await;
    let (rival, _) = world.other_tenant("rival").await;
    for route in [
        "/api/v1/runs",
        "/api/v1/projects",
        "/api/v1/limits",
        "/api/v1/limits/usage",
    ] {
        let own = format!("{route}?tenant_id={}", world.tenant);
        assert_eq!(
            world.get(&own).send().await.ok(200).body,
            world.get(route).send().await.body,
            "row 149"
        );
        for other in [rival.to_string(), "tnt_1".to_owned(), String::new()] {
            expect(
                "149",
                world.get(&format!("{route}?tenant_id={other}")),
                404,
                "not-found",
            )
            .await;
        }
        expect(
            "149",
            world.get(&format!("{own}&tenant_id={}", world.tenant)),
            400,
            "invalid-parameter",
        )
        .await;
        expect("145", world.get(&format!("{own}&x=1")), 400, "invalid-parameter").await;
    }
    let operators = format!("/api/v1/ops/tenants?tenant_id={rival}");
    expect(
        "149",
        world.get(&operators).by_operator(),
        400,
        "invalid-parameter",
    )
    .await;
}
