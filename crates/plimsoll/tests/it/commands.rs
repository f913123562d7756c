//! What do the commands print?

mod help;

use serde_json::{Value, json};
use testkit::postgres::PrivatePostgres;

use crate::harness::{Home, World};

/// The text with what differs from run to run replaced by words.
fn redacted(text: &str, words: &[(&str, &str)]) -> String {
    let named = words
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    // Columns are as wide as their widest cell, and times differ in their length.
    let squeeze = |line: &str| {
        line.split("  ")
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" | ")
    };
    named.lines().map(squeeze).collect::<Vec<_>>().join("\n")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {value}"))
}

fn printed(home: &Home, args: &[&str]) -> String {
    let ended = home.run(args);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{args:?}");
    ended.stdout
}

fn home() -> Home {
    let home = Home::sqlite();
    home.configure("http://127.0.0.1:1", "");
    home
}

#[test]
fn versions_are_printed_for_people_and_for_programs() {
    let home = home();
    let words = [(env!("CARGO_PKG_VERSION"), "[version]")];
    insta::assert_snapshot!(redacted(&printed(&home, &["version"]), &words), @r#"
    plimsoll [version]
    SQLite 3.53.2
    prices genai-prices/0.2.1
    "#);
    insta::assert_json_snapshot!(home.json(&["version"]), {".version" => "[version]"}, @r#"
    {
      "price_table": "genai-prices/0.2.1",
      "sqlite": "3.53.2",
      "version": "[version]"
    }
    "#);
}

#[test]
fn migrations_are_named_once() {
    let home = home();
    let first = printed(&home, &["migrate"]);
    assert!(
        first.lines().count() > 0 && first.lines().all(|line| line.starts_with("applied ")),
        "{first}"
    );
    insta::assert_snapshot!(printed(&home, &["migrate"]), @r#"The schema of the sqlite database is up to date."#);
    insta::assert_json_snapshot!(home.json(&["migrate"]), @r#"
    {
      "applied": [],
      "backend": "sqlite"
    }
    "#);
}

#[test]
fn tenants_are_made_listed_frozen_and_thawed() {
    let home = home();
    let made = home.json(&["tenants", "create", "--name", "Harbour Freight"]);
    insta::assert_json_snapshot!(made, {".tenant_id" => "[tenant]", ".created_at" => "[time]"}, @r#"
    {
      "created_at": "[time]",
      "floor_price_nano_usd": null,
      "freeze_reason": null,
      "name": "Harbour Freight",
      "status": "ACTIVE",
      "tenant_id": "[tenant]",
      "two_person_review": false
    }
    "#);
    let (id, at) = (text(&made, "tenant_id"), text(&made, "created_at"));
    let words = [(id, "[tenant]"), (at, "[time]")];
    let freeze = ["tenants", "freeze", "Harbour Freight", "--reason", "unpaid"];
    insta::assert_snapshot!(redacted(&printed(&home, &freeze), &words), @r#"
    TENANT | STATUS | MADE | NAME | REASON
    [tenant] | FROZEN | [time] | Harbour Freight | unpaid
    "#);
    insta::assert_snapshot!(redacted(&printed(&home, &["tenants", "list"]), &words), @r#"
    TENANT | STATUS | MADE | NAME | REASON
    [tenant] | FROZEN | [time] | Harbour Freight | unpaid
    "#);
    let thaw = ["tenants", "unfreeze", text(&made, "tenant_id")];
    insta::assert_snapshot!(redacted(&printed(&home, &thaw), &words), @r#"
    TENANT | STATUS | MADE | NAME | REASON
    [tenant] | ACTIVE | [time] | Harbour Freight
    "#);
    let twin = home.run(&["tenants", "create", "--name", "Harbour Freight"]);
    assert_eq!(twin.code, 1);
    insta::assert_snapshot!(twin.stderr, @r#"plimsoll: the tenant "Harbour Freight" could not be made: the name is taken"#);
    let nobody = home.run(&["tenants", "freeze", "Nobody"]);
    assert_eq!(nobody.code, 1);
    insta::assert_snapshot!(nobody.stderr, @r#"plimsoll: the tenant "Nobody" could not be found: there is no such tenant"#);
}

#[test]
fn an_empty_list_says_so_to_people_and_is_an_empty_list_to_programs() {
    let home = home();
    home.json(&["migrate"]);
    let said = home.run(&["tenants", "list"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{said:?}");
    assert_eq!(said.stderr, "no tenants yet\n");
    assert_eq!(home.json(&["tenants", "list"]), json!({"items": []}));
    home.json(&["tenants", "create", "--name", "Harbour Freight"]);
    let keys = ["keys", "list", "--tenant", "Harbour Freight"];
    let said = home.run(&keys);
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{said:?}");
    assert_eq!(said.stderr, "no keys of Harbour Freight yet\n");
    let empty = json!({"items": [], "has_more": false, "next_cursor": null});
    assert_eq!(home.json(&keys), empty);
}

#[test]
fn keys_are_made_listed_and_revoked_and_their_secret_is_shown_once() {
    let home = home();
    home.json(&["tenants", "create", "--name", "Harbour Freight"]);
    let of = ["--tenant", "Harbour Freight"];
    let create = [
        "keys", "create", "--name", "service", "--scopes", "llm,read", "--rpm", "60",
    ];
    let made = home.json(&[&create[..], &of].concat());
    insta::assert_json_snapshot!(made, {".api_key_id" => "[key]", ".secret" => "[secret]", ".last4" => "[last4]",
        ".created_at" => "[time]"}, @r#"
    {
      "api_key_id": "[key]",
      "created_at": "[time]",
      "environment": "live",
      "expires_at": null,
      "freeze_reason": null,
      "last4": "[last4]",
      "last_used_at": null,
      "name": "service",
      "rate_limit_rpm": 60,
      "revoked_at": null,
      "scopes": [
        "LLM",
        "READ"
      ],
      "secret": "[secret]",
      "status": "ACTIVE"
    }
    "#);
    let secret = text(&made, "secret");
    let list = printed(&home, &[&["keys", "list"], &of[..]].concat());
    assert!(!list.contains(secret), "{list}");
    let words = [
        (text(&made, "api_key_id"), "[key]"),
        (text(&made, "last4"), "[last4]"),
    ];
    insta::assert_snapshot!(redacted(&list, &words), @r#"
    KEY | STATUS | SECRET | SCOPES | RPM | EXPIRES | LAST USED | NAME
    [key] | ACTIVE | plim_live_…[last4] | LLM,READ | 60 | service
    "#);
    let revoke = [&["keys", "revoke", text(&made, "api_key_id")], &of[..]].concat();
    insta::assert_snapshot!(redacted(&printed(&home, &revoke), &words), @r#"
    KEY | STATUS | SECRET | SCOPES | RPM | EXPIRES | LAST USED | NAME
    [key] | REVOKED | plim_live_…[last4] | LLM,READ | 60 | service
    "#);
    let again = home.run(&revoke);
    let froze = home.run(&[&["keys", "freeze", text(&made, "api_key_id")], &of[..]].concat());
    assert_eq!(froze.code, 1, "{again:?} {froze:?}");
    insta::assert_snapshot!(redacted(&froze.stderr, &words), @r#"plimsoll: the key [key] could not be changed: the key has been revoked"#);
}

#[test]
fn operators_get_a_token_once() {
    let home = home();
    let made = home.json(&["operators", "create", "--name", "night shift"]);
    assert!(text(&made, "token").starts_with("plim_"), "{made}");
    insta::assert_json_snapshot!(made, {".operator_id" => "[operator]", ".token" => "[token]",
        ".created_at" => "[time]"}, @r#"
    {
      "created_at": "[time]",
      "name": "night shift",
      "operator_id": "[operator]",
      "token": "[token]"
    }
    "#);
}

#[test]
fn operators_are_listed_and_revoked_for_ever() {
    let home = home();
    let made = home.json(&["operators", "create", "--name", "night shift"]);
    let id = text(&made, "operator_id");
    let listed = home.json(&["operators", "list"]);
    assert_eq!(listed[0]["operator_id"], made["operator_id"]);
    assert_eq!(listed[0]["revoked_at"], Value::Null);
    assert!(text(&made, "token").ends_with(text(&listed[0], "token_last4")));
    home.json(&["operators", "revoke", id]);
    let again = home.run(&["operators", "revoke", id]);
    assert!(
        again.code == 1 && again.stderr.contains("it has been revoked"),
        "{again:?}"
    );
    assert!(home.json(&["operators", "list"])[0]["revoked_at"].is_string());
    assert!(home.run(&["operators", "list"]).stdout.starts_with("ID"));
}

#[test]
fn what_only_reads_or_changes_makes_no_database() {
    let home = home();
    let elsewhere = home.path().join("mistyped.db");
    let url = format!("sqlite:{}", elsewhere.display());
    for (args, code) in [
        (&["tenants", "list"][..], 1),
        (&["tenants", "freeze", "acme"], 1),
        (&["keys", "list", "--tenant", "acme"], 1),
        (&["operators", "list"], 1),
        (&["verify", "ledger"], 2),
        (&["replay", "incident", "--all"], 2),
    ] {
        let ended = home.run(&[args, &["--database-url", &url]].concat());
        assert!(
            ended.code == code && ended.stderr.contains("there is no database at"),
            "{args:?}: {ended:?}"
        );
    }
    assert!(!elsewhere.exists());
}

#[test]
fn a_name_that_people_cannot_see_is_refused_and_one_that_looks_the_same_is_taken() {
    let home = home();
    home.json(&["tenants", "create", "--name", "Zu\u{308}ri"]);
    let of = ["--tenant", "Z\u{fc}ri"];
    for name in ["", "  ", "a\u{1b}[31mb", "a\u{202e}b", "a\u{200b}b", "a\nb"] {
        for args in [
            &["tenants", "create", "--name", name][..],
            &["operators", "create", "--name", name],
            &[&["keys", "create", "--name", name][..], &of].concat(),
        ] {
            let ended = home.run(args);
            assert_eq!(ended.code, 1, "{args:?}: {ended:?}");
            assert!(
                ended.stderr.contains("`name`")
                    && !ended.stderr.contains(&['\u{1b}', '\u{202e}', '\u{200b}'][..]),
                "{ended:?}"
            );
        }
    }
    let twin = home.run(&["tenants", "create", "--name", " Z\u{fc}ri"]);
    assert!(
        twin.code == 1 && twin.stderr.contains("the name is taken"),
        "{twin:?}"
    );
    let made = home.run(
        &[
            &["keys", "create", "--name", "a", "--scopes", "LLM,Read"][..],
            &of,
        ]
        .concat(),
    );
    assert_eq!(
        made.code, 0,
        "scopes are written as the API writes them, too: {made:?}"
    );
    let test = home.run(&[&["keys", "create", "--name", "a", "--test"][..], &of].concat());
    assert!(
        test.code == 1 && test.stderr.contains("live keys only"),
        "{test:?}"
    );
}

#[test]
fn the_ledger_of_a_new_database_agrees_and_that_of_none_is_not_made() {
    let home = home();
    let none = home.run(&["verify", "ledger"]);
    assert!(
        none.code == 2 && none.stderr.contains("there is no database at"),
        "{none:?}"
    );
    printed(&home, &["migrate"]);
    insta::assert_snapshot!(printed(&home, &["verify", "ledger"]), @r#"0 holds add up to 0 counters."#);
    insta::assert_json_snapshot!(home.json(&["verify", "ledger"]), @r#"
    {
      "agrees": true,
      "counters": 0,
      "holds": 0,
      "mismatches": []
    }
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_was_tampered_with_is_found() {
    let world = World::with(Home::postgres(), "");
    let tenant = world.tenant("Harbour Freight").await;
    tenant.budget(json!(10), "NONE").await;
    let wanted = json!({"estimated_cost_usd": 1});
    tenant
        .client
        .post("/api/v1/limits/check", &wanted)
        .await
        .expect(200);
    assert_eq!(world.home.verify_ledger(), 1);

    let (_, database) = world.home.database().rsplit_once('/').unwrap();
    let steal = "UPDATE limit_counters SET held = held - 1 WHERE held > 0";
    PrivatePostgres::shared().sql(database, steal).unwrap();
    let found = world.home.run(&["verify", "ledger", "--output", "json"]);
    assert_eq!(found.code, 1, "{found:?}");
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    let mismatch = &found["mismatches"][0];
    assert_eq!(mismatch["tenant_id"], json!(tenant.id), "{found}");
    assert_eq!(mismatch["counted"], json!({"settled": 0, "held": 999_999_999}));
    assert_eq!(mismatch["holds"], json!({"settled": 0, "held": 1_000_000_000}));
    let said = world.home.run(&["verify", "ledger"]);
    assert_eq!(said.code, 1);
    assert!(
        said.stdout.starts_with("1 of 1 counters are not the sum"),
        "{said:?}"
    );
}

#[test]
fn the_doctor_looks_at_everything_and_fails_without_a_database() {
    let home = home();
    let sick = home.run(&["doctor", "--output", "json"]);
    assert_eq!(sick.code, 1, "{sick:?}");
    assert!(sick.stdout.contains("does not exist yet"), "{sick:?}");
    home.json(&["migrate"]);
    let healthy = home.json(&["doctor"]);
    let checks = healthy["checks"].as_array().unwrap();
    let names: Vec<String> = checks
        .iter()
        .map(|check| (text(check, "check"), text(check, "verdict")))
        .map(|(check, verdict)| match (check, verdict) {
            // A busy machine is slow, and a small one has few files.
            ("disk" | "disk clock" | "open files", "ok" | "warn") => format!("{check}: ok or warn"),
            _ => format!("{check}: {verdict}"),
        })
        .collect();
    insta::assert_snapshot!(names.join("\n"), @r#"
    configuration: ok
    database: ok
    schema: ok
    sqlite: ok
    disk: ok or warn
    disk clock: ok or warn
    upstreams: ok
    upstreams online: skipped
    prices: ok
    master key: ok
    clock: ok
    open files: ok or warn
    "#);
    assert_eq!(healthy["healthy"], true);
    let shown = healthy["configuration"].to_string();
    assert!(
        shown.contains("upstreams.openai.api_key") && shown.contains("***"),
        "{shown}"
    );
    assert!(!shown.contains(crate::harness::PROVIDER_KEY), "{shown}");
    let text = printed(&home, &["doctor"]);
    assert!(
        text.starts_with("CHECK") && text.contains("Configuration in force:"),
        "{text}"
    );
}

#[test]
fn completions_are_scripts_for_each_shell() {
    let home = home();
    for (shell, sign) in [
        ("bash", "complete -F _plimsoll"),
        ("zsh", "#compdef plimsoll"),
        ("fish", "complete -c plimsoll"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let script = printed(&home, &["completions", shell]);
        assert!(
            script.contains(sign) && script.contains("simulate-provider"),
            "{shell}"
        );
    }
}
