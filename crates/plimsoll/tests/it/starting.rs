//! What does the first start say, and what does a wrong configuration?

use std::fs;

use serde_json::json;
use testkit::postgres::PrivatePostgres;

use crate::harness::{Ended, Home, Plimsoll, World, chat, nano};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_shows_the_operators_token_once_and_it_works() {
    let world = World::start();
    world.operator.get("/api/v1/ops/tenants").await.expect(200);
    let token = world.server.operator_token.clone().unwrap();
    assert_eq!(world.server.announced.matches(&token).count(), 1);
    let World {
        server,
        home,
        operator,
        provider: _provider,
    } = world;
    assert_eq!(server.terminate().0, 0);

    let again = home.serve();
    assert_eq!(again.operator_token, None);
    assert!(!again.announced.contains("plim_"), "{}", again.announced);
    let operator = operator.at(&again.base_url);
    operator.get("/api/v1/ops/tenants").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configured_floor_price_is_in_force() {
    let floor = "[prices.floor]\ninput_usd_per_mtok = \"5\"\noutput_usd_per_mtok = \"15\"\n";
    let world = World::with(Home::sqlite(), floor);
    let tenant = world.tenant("Harbour Freight").await;
    tenant.budget(json!(10), "NONE").await;
    let mut request = chat();
    request["model"] = json!("mystery-1");
    tenant
        .client
        .post("/v1/chat/completions", &request)
        .await
        .expect(200);
    let runs = tenant.client.get("/api/v1/runs").await.expect(200);
    let run = runs["items"][0]["run_id"].as_str().unwrap().to_owned();
    let cost = tenant
        .client
        .get(&format!("/api/v1/runs/{run}/cost"))
        .await
        .expect(200);
    let record = &cost["records"][0];
    assert_eq!(record["price_version"], "floor/configured:5/15", "{cost}");
    let tokens = |name: &str| record["usage"][name].as_i64().unwrap();
    let expected = tokens("input_tokens") * 5_000 + tokens("output_tokens") * 15_000;
    assert_eq!(nano(&record["cost_nano_usd"]), expected, "{cost}");
    assert_eq!(tenant.used().await, (expected, 0));
}

/// A configuration file with this in it, and how `serve` takes it.
fn served_with(text: &str) -> Ended {
    let home = Home::sqlite();
    fs::write(home.path().join("plimsoll.toml"), text).unwrap();
    home.run(&["serve"])
}

#[test]
fn an_unknown_key_is_named_with_what_was_probably_meant() {
    let ended = served_with("[server]\nlisten_adress = \"127.0.0.1:0\"\n");
    assert_eq!((ended.code, ended.stdout.as_str()), (78, ""));
    let said = &ended.stderr;
    assert!(said.contains("server.listen_adress"), "{said}");
    assert!(said.contains("plimsoll.toml"), "{said}");
}

#[test]
fn metrics_that_other_machines_reach_are_refused_at_the_start() {
    let ended = served_with("[server]\nmetrics_listen = \"0.0.0.0:0\"\n");
    assert_eq!((ended.code, ended.stdout.as_str()), (78, ""));
    let said = &ended.stderr;
    assert!(said.contains("server.metrics_listen"), "{said}");
    assert!(said.contains("server.metrics_exposure"), "{said}");
}

#[test]
fn a_database_that_is_none_is_named_and_its_password_is_not() {
    // The last one is one, at the place where libpq looks by default.
    for (url, code) in [
        ("mysql://root:canary-secret@db/x", 78),
        ("plimsoll", 78),
        ("postgres://", 1),
    ] {
        let ended = served_with(&format!("[database]\nurl = \"{url}\"\n"));
        assert_eq!(ended.code, code, "{url}: {}", ended.stderr);
        assert!(ended.stderr.contains("database.url"), "{url}: {}", ended.stderr);
        assert!(!ended.stderr.contains("canary-secret"), "{}", ended.stderr);
    }
}

#[test]
fn a_database_that_does_not_answer_is_said_without_its_password() {
    let url = "postgres://plimsoll:canary-secret@127.0.0.1:1/plimsoll";
    let ended = served_with(&format!("[database]\nurl = \"{url}\"\n"));
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains("database"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("canary-secret"), "{}", ended.stderr);
}

#[test]
fn a_wrong_flag_is_a_wrong_command_line() {
    let home = Home::sqlite();
    for args in [
        &["serve", "--listen", "nowhere"][..],
        &["serve", "--set", "server.workers=many"],
        &["serve", "--set", "no.such.key=1"],
        &["serve", "--no-such-flag"],
        &["no-such-command"],
        &["keys", "create"],
    ] {
        let ended = home.run(args);
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (2, ""),
            "{args:?}: {}",
            ended.stderr
        );
        let named = ["listen", "server.workers", "no.such.key", "no-such", "--tenant"];
        assert!(
            named.iter().any(|name| ended.stderr.contains(name)),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn every_command_ends_with_78_for_a_configuration_that_cannot_be_used_and_the_doctor_finds_it() {
    let home = Home::sqlite();
    fs::write(home.path().join("plimsoll.toml"), "[server]\nworkers = -1\n").unwrap();
    for args in [
        &["serve"][..],
        &["migrate"],
        &["tenants", "list"],
        &["keys", "list", "--tenant", "a"],
        &["operators", "create", "--name", "a"],
        &["verify", "ledger"],
    ] {
        let ended = home.run(args);
        assert_eq!((ended.code, ended.stdout.as_str()), (78, ""), "{args:?}");
        assert!(ended.stderr.contains("server.workers"), "{}", ended.stderr);
    }
    let doctor = home.run(&["doctor"]);
    assert!(
        doctor.code == 1 && doctor.stdout.contains("server.workers"),
        "{doctor:?}"
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let ended = served_with(
        "[server]\nworkers = -1\n[gateway]\nhold_ttl_ms = 1\n[log]\nformat = \"xml\"\n[upstreams.x]\nkind = \"y\"\n",
    );
    assert_eq!(ended.code, 78);
    for key in [
        "server.workers",
        "gateway.hold_ttl_ms",
        "log.format",
        "upstreams.x.kind",
    ] {
        assert!(ended.stderr.contains(key), "{key}: {}", ended.stderr);
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let home = Home::sqlite();
    home.configure("http://127.0.0.1:1", "");
    let taken = home.serve();
    let address = taken.base_url.trim_start_matches("http://");
    let other = Home::sqlite();
    other.configure("http://127.0.0.1:1", "");
    let ended = other.run(&["serve", "--listen", address]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains(address), "{}", ended.stderr);
    let served = other.serve();
    assert!(
        served.operator_token.is_some(),
        "a start that failed must not have used up the only look at the token"
    );
}

#[test]
fn a_second_server_on_one_sqlite_file_is_refused_until_the_first_is_gone() {
    let home = Home::sqlite();
    home.configure("http://127.0.0.1:1", "");
    let first = home.serve();
    let ended = home.run(&["serve"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (1, ""),
        "row 168: {}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("another server runs on") && ended.stderr.contains("plimsoll.db"),
        "{}",
        ended.stderr
    );
    // A command is no server.
    home.json(&["tenants", "list"]);
    first.kill();
    assert_eq!(home.serve().operator_token, None);
}

#[test]
fn a_server_without_migration_rights_says_that_the_schema_is_missing() {
    let home = Home::sqlite();
    home.configure("http://127.0.0.1:1", "");
    let ended = home.run(&["serve", "--no-migrate"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{}", ended.stderr);
    let said = ended.stderr;
    assert!(
        said.contains("run `plimsoll migrate`") && said.contains("00000000000001_foundation"),
        "{said}"
    );
    assert!(
        !home.path().join("plimsoll.db").exists(),
        "looking makes no database"
    );
    home.json(&["migrate"]);
    let server = Plimsoll::serve(home.path(), &["--no-migrate"]);
    assert!(server.operator_token.is_some());
}

#[test]
fn a_database_of_a_newer_release_is_refused_by_every_command_and_named_by_the_doctor() {
    let home = Home::postgres();
    home.configure("http://127.0.0.1:1", "");
    let (_, database) = home.database().rsplit_once('/').unwrap();
    let note = "INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000000')";
    PrivatePostgres::shared().sql(database, note).unwrap();
    for args in [
        &["serve"][..],
        &["serve", "--no-migrate"],
        &["migrate"],
        &["tenants", "list"],
    ] {
        let ended = home.run(args);
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (1, ""),
            "{args:?}: {}",
            ended.stderr
        );
        let said = &ended.stderr;
        assert!(
            said.contains("newer than this program") && said.contains("20990101000000"),
            "{args:?}: {said}"
        );
    }
    let sick = home.run(&["doctor"]);
    let line = sick
        .stdout
        .lines()
        .find(|line| line.starts_with("schema"))
        .unwrap();
    assert!(
        sick.code == 1 && line.contains("FAIL") && line.contains("20990101000000"),
        "{sick:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_of_test_keys_makes_and_takes_no_others() {
    let world = World::start();
    let tenant = world.tenant("Harbour Freight").await;
    tenant.client.get("/api/v1/limits").await.expect(200);
    let World {
        server,
        home,
        operator,
        provider: _provider,
    } = world;
    assert_eq!(server.terminate().0, 0);
    let server = Plimsoll::serve(home.path(), &["--set", "server.environment=test"]);
    let live = tenant.client.at(&server.base_url);
    live.get("/api/v1/limits").await.expect(401);
    let operator = operator.at(&server.base_url);
    let keys = format!("/api/v1/ops/tenants/{}/keys", tenant.id);
    operator
        .post(&keys, &json!({"name": "a", "environment": "live"}))
        .await
        .expect(422);
    let made = operator.post(&keys, &json!({"name": "a"})).await.expect(201);
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("plim_test_"), "{made}");
    operator.with_key(secret).get("/api/v1/limits").await.expect(200);
}
