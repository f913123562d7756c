//! Do the tables of the console show what they promise?

use std::collections::BTreeSet;

use model::id::RunId;
use model::incident::{CauseType, IncidentCategory};
use model::policy::{EnforcementMode, Rule, RuleScope, RuleSource, RuleStatus};
use model::severity::Severity;
use model::time::Clock as _;
use serde_json::{Value, json};
use testkit::db::TestDb;
use testkit::governance::{acknowledged, add_incidents, add_rules, incident, resolved, rule, trigger};
use testkit::history::{add_runs, stand_in};

use crate::harness::{Answer, World, budget};
use crate::log::Log;

const DAY: i64 = 86_400;

const NOTHING: &str = r#"{"items":[],"total":0,"has_more":false}"#;

/// What the rows say in one member, and how many rows there are in all.
fn column(answer: &Answer, member: &str) -> (Vec<String>, i64) {
    let body = answer.ok(200).json();
    let items = body["items"].as_array().unwrap().iter();
    let said = items.map(|row| row[member].as_str().unwrap().to_owned());
    (said.collect(), body["total"].as_i64().unwrap())
}

/// Every wrong value of every parameter is refused, and all that are wrong at once.
async fn refused(world: &World, log: &mut Log, path: &str, wrong: &[&str]) {
    for query in wrong {
        let answer = log
            .send(&format!("refused: {query}"), world.get(&format!("{path}{query}")))
            .await;
        answer.is(422, "validation-failed");
    }
}

/// The members of the envelope and of a row, and no others.
fn has_members(answer: &Answer, row: &[&str]) {
    let names = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    let all = |list: &[&str]| -> BTreeSet<String> { list.iter().map(|&name| name.to_owned()).collect() };
    let body = answer.json();
    assert_eq!(names(&body), all(&["items", "total", "has_more"]));
    assert_eq!(names(&body["items"][0]), all(row));
}

testkit::both_databases! {
    async fn the_table_of_incidents_shows_one_topic_newest_first(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let (table, at) = ("/api/v1/runtime/incidents", world.clock.now());
        let nothing = log.send("nothing yet", world.get(&format!("{table}?topic=ACTIVE"))).await;
        assert_eq!(nothing.ok(200).body, NOTHING);
        let runs = [1, 3].map(|number| stand_in(world.tenant, RunId::from_bits(number), at));
        add_runs(&world.cx.db, runs.into()).await;
        let of = |number: u128| {
            let mut made = incident(world.tenant, number, at.plus_seconds(i64::try_from(number).unwrap()));
            made.creation.run = Some(RunId::from_bits(number));
            made
        };
        let mut failed = of(2);
        failed.creation.severity = Severity::Sev1;
        failed.creation.cause_type = CauseType::System;
        failed.creation.run = None;
        failed.creation.category = IncidentCategory::BudgetExceeded;
        let seen = acknowledged(failed, at.plus_seconds(9));
        let over = resolved(of(3), at.plus_seconds(10));
        add_incidents(&world.cx.db, vec![of(1), seen, over]).await;
        let active = log.send("what is open, acknowledged or not", world.get(&format!("{table}?topic=ACTIVE"))).await;
        assert_eq!(column(&active, "lifecycle_state"), (vec!["ACKED".to_owned(), "ACTIVE".to_owned()], 2));
        has_members(&active, &[
            "incident_id", "lifecycle_state", "severity", "category", "title", "llm_run_id", "cause_type", "created_at",
            "resolved_at",
        ]);
        let resolved = log.send("what is over", world.get(&format!("{table}?topic=RESOLVED"))).await;
        assert_eq!(column(&resolved, "lifecycle_state"), (vec!["RESOLVED".to_owned()], 1));
        for (filter, total) in [
            ("&severity=critical", 1), ("&severity=low", 0), ("&cause_type=SYSTEM", 1), ("&category=BUDGET_EXCEEDED", 1),
            ("&category=budget", 0), ("&severity=high&cause_type=SYSTEM", 0),
        ] {
            let found = world.get(&format!("{table}?topic=ACTIVE{filter}")).send().await;
            assert_eq!(found.ok(200).at("/total"), json!(total), "{filter}");
        }
        refused(&world, &mut log, table, &[
            "", "?topic=ACKED", "?topic=active", "?topic=ACTIVE&limit=0", "?topic=ACTIVE&limit=101", "?topic=ACTIVE&limit=ten",
            "?topic=ACTIVE&offset=-1", "?topic=ACTIVE&severity=HIGH", "?topic=ACTIVE&cause_type=llm_run",
            "?topic=ACTIVE&category=", "?topic=ACTIVE&category=%E2%80%8B", "?topic=ACTIVE&created_after=yesterday",
            "?topic=ACTIVE&created_before=2026-02-30T00:00:00Z", "?severity=bad&offset=x&limit=0",
        ]).await;
        log.assert("runtime_incidents");
    }

    async fn twenty_five_incidents_are_two_pieces_and_both_ends_of_a_time_belong_to_it(db: TestDb) {
        let world = World::new(db).await;
        let (table, at) = ("/api/v1/runtime/incidents?topic=ACTIVE", world.clock.now());
        let all = (1..=25).map(|number| {
            let mut made = incident(world.tenant, number, at.plus_seconds(i64::try_from(number).unwrap()));
            // Every fifth is worse.
            if number % 5 == 0 {
                made.creation.severity = Severity::Sev1;
            }
            made
        });
        add_incidents(&world.cx.db, all.collect()).await;
        let first = world.get(table).send().await;
        let (titles, total) = column(&first, "title");
        assert_eq!((titles.len(), total, first.at("/has_more")), (20, 25, json!(true)));
        assert_eq!((titles[0].as_str(), titles[19].as_str()), ("Execution Timeout 25", "Execution Timeout 6"));
        let rest = world.get(&format!("{table}&offset=20")).send().await;
        let (titles, _) = column(&rest, "title");
        assert_eq!((titles.len(), rest.at("/has_more")), (5, json!(false)));
        let beyond = world.get(&format!("{table}&offset=25")).send().await;
        assert_eq!(beyond.ok(200).body, r#"{"items":[],"total":25,"has_more":false}"#);
        let severe = world.get(&format!("{table}&severity=critical&limit=2")).send().await;
        assert_eq!((severe.at("/total"), severe.at("/has_more")), (json!(5), json!(true)));
        let (from, to) = (rest.text("/items/3/created_at"), rest.text("/items/1/created_at"));
        let between = world.get(&format!("{table}&created_after={from}&created_before={to}")).send().await;
        assert_eq!(between.ok(200).at("/total"), json!(3), "both ends are part of it");
        let (_, rival) = world.other_tenant("rival").await;
        assert_eq!(world.get(table).with(&rival).send().await.ok(200).body, NOTHING);
    }

    async fn the_table_of_rules_shows_what_was_triggered_last_first(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let (table, at) = ("/api/v1/runtime/policies/rules?status=ACTIVE", world.clock.now());
        log.send("nothing yet", world.get(table)).await.ok(200);
        let made = |number: u128| rule(world.tenant, number, at.plus_seconds(i64::try_from(number).unwrap()));
        let mut warns = made(4);
        (warns.definition.mode, warns.definition.description) = (EnforcementMode::Warn, None);
        warns.hash = warns.hash_after(model::digest::Digest::ZERO);
        let mut agent = made(5);
        (agent.definition.scope, agent.definition.scope_id) = (RuleScope::Agent, Some("support".to_owned()));
        agent.hash = agent.hash_after(model::digest::Digest::ZERO);
        let gone = Rule {
            status: RuleStatus::Retired,
            retirement: Some(model::policy::Retirement {
                at, by: "key_1".to_owned(), reason: "replaced".to_owned(), superseded_by: None,
            }),
            ..made(6)
        };
        add_rules(&world.cx.db, vec![made(1), made(2), made(3), warns, agent, gone]).await;
        world.clock.advance_seconds(40 * 86_400);
        let now = world.clock.now();
        let ago = |days: i64, seconds: i64| now.plus_seconds(seconds - days * DAY);
        // The first was triggered twice ten days ago and once long before, the second exactly at the window's edge.
        trigger(&world.cx.db, made(1), 1, vec![ago(40, 9), ago(10, -5), ago(10, 0)]).await;
        trigger(&world.cx.db, made(2), 4, vec![ago(30, -1), ago(30, 0)]).await;
        trigger(&world.cx.db, made(3), 6, vec![ago(30, -1)]).await;
        let shown = log.send("three were not triggered lately", world.get(table)).await;
        assert_eq!(column(&shown, "name").0, ["rule 1", "rule 2", "rule 5", "rule 4", "rule 3"]);
        let counted = |row: usize| (shown.at(&format!("/items/{row}/trigger_count_30d")), shown.at(&format!("/items/{row}/last_triggered_at")));
        assert_eq!(counted(0), (json!(2), json!(ago(10, 0))));
        assert_eq!(counted(1), (json!(1), json!(ago(30, 0))));
        assert_eq!(counted(4), (json!(0), Value::Null));
        has_members(&shown, &[
            "rule_id", "name", "description", "rule_type", "scope", "enforcement_mode", "status", "integrity_status",
            "integrity_score", "trigger_count_30d", "last_triggered_at", "created_at",
        ]);
        // However it is cut in pieces, it is the same order.
        let mut pieces = Vec::new();
        for offset in 0..5 {
            pieces.extend(column(&world.get(&format!("{table}&limit=1&offset={offset}")).send().await, "name").0);
        }
        assert_eq!(pieces, column(&shown, "name").0);
        let middle = world.get(&format!("{table}&limit=3&offset=1")).send().await;
        assert_eq!((column(&middle, "name").0, middle.at("/has_more")), (pieces[1..4].to_vec(), json!(true)));
        let beyond = world.get(&format!("{table}&limit=3&offset=5")).send().await;
        assert_eq!(beyond.ok(200).body, r#"{"items":[],"total":5,"has_more":false}"#);
        for (filter, names) in [
            ("status=ACTIVE&enforcement_mode=WARN", vec!["rule 4"]), ("status=ACTIVE&scope=AGENT", vec!["rule 5"]),
            ("status=RETIRED", vec!["rule 6"]), ("status=ACTIVE&scope=AGENT&enforcement_mode=LOG", vec![]),
        ] {
            let found = world.get(&format!("/api/v1/runtime/policies/rules?{filter}")).send().await;
            assert_eq!(column(&found, "name").0, names, "{filter}");
        }
        let same = shown.text("/items/3/created_at");
        let one = world.get(&format!("{table}&created_after={same}&created_before={same}")).send().await;
        assert_eq!(column(&one, "name"), (vec!["rule 4".to_owned()], 1), "both ends are part of it");
        // A second later the edge has passed the second one.
        world.clock.advance_seconds(1);
        let later = world.get(&format!("{table}&limit=2")).send().await;
        assert_eq!(column(&later, "name").0, ["rule 1", "rule 5"]);
        let (_, rival) = world.other_tenant("rival").await;
        assert_eq!(world.get(table).with(&rival).send().await.ok(200).body, NOTHING);
        refused(&world, &mut log, "/api/v1/runtime/policies/rules", &[
            "", "?status=DRAFT", "?status=ACTIVE&limit=0", "?status=ACTIVE&limit=101", "?status=ACTIVE&offset=-1",
            "?status=ACTIVE&enforcement_mode=DISABLED", "?status=ACTIVE&source=ME", "?status=ACTIVE&scope=PROVIDER", "?status=ACTIVE&created_after=now",
            "?status=ACTIVE&created_before=2026", "?scope=ME&offset=x&limit=0",
        ]).await;
        log.assert("runtime_rules");
    }

    async fn the_table_of_rules_shows_those_of_one_source(db: TestDb) {
        let world = World::new(db).await;
        let at = world.clock.now();
        let made = |number: u128| rule(world.tenant, number, at.plus_seconds(i64::try_from(number).unwrap()));
        let mut learned = Rule { source: RuleSource::Learned, ..made(2) };
        learned.hash = learned.hash_after(model::digest::Digest::ZERO);
        add_rules(&world.cx.db, vec![made(1), learned, made(3), made(4)]).await;
        trigger(&world.cx.db, made(1), 1, vec![at.plus_seconds(9)]).await;
        world.clock.advance_seconds(60);
        for (filter, names, total) in [
            ("source=LEARNED", vec!["rule 2"], 1), ("source=MANUAL", vec!["rule 1", "rule 4", "rule 3"], 3),
            ("source=MANUAL&limit=1&offset=1", vec!["rule 4"], 3), ("source=SYSTEM", vec![], 0),
            ("source=LEARNED&enforcement_mode=WARN", vec![], 0), ("source=LEARNED&created_after=2026-01-01T00:00:00Z", vec!["rule 2"], 1),
        ] {
            let found = world.get(&format!("/api/v1/runtime/policies/rules?status=ACTIVE&{filter}")).send().await;
            assert_eq!((column(&found, "name").0, found.at("/total")), (names.into_iter().map(str::to_owned).collect(), json!(total)), "{filter}");
        }
    }

    async fn a_row_of_the_table_of_limits_has_the_members_of_the_contract(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(5)).await;
        let shown = world.get("/api/v1/runtime/policies/limits?type=BUDGET").send().await;
        has_members(&shown, &[
            "limit_id", "name", "limit_category", "limit_type", "scope", "enforcement", "status", "max_value",
            "window_seconds", "reset_period", "integrity_status", "integrity_score", "breach_count_30d", "last_breached_at",
            "created_at",
        ]);
    }

    async fn a_definition_that_was_changed_by_hand_is_found_by_the_job_and_shown_in_the_tables(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let limit = world.limit(&budget(5)).await;
        add_rules(&world.cx.db, vec![rule(world.tenant, 1, world.clock.now())]).await;
        let tables = [
            ("/api/v1/runtime/policies/limits?type=BUDGET", "UPDATE limits SET max_value = max_value * 100"),
            ("/api/v1/runtime/policies/rules?status=ACTIVE", "UPDATE policy_rules SET enforcement_mode = 'LOG'"),
        ];
        for (table, statement) in tables {
            let before = world.get(table).send().await.ok(200).at("/items/0/integrity_status");
            assert_eq!(before, "VERIFIED", "{table}");
            world.db.by_hand(statement);
        }
        assert_eq!(services::limits::integrity::check_all(&world.cx, -1).await.unwrap(), (1, 1));
        assert_eq!(services::policies::integrity::check_all(&world.cx, -1).await.unwrap(), (1, 1));
        for (table, _) in tables {
            let found = log.send(table, world.get(table)).await.ok(200).json();
            assert_eq!((&found["items"][0]["integrity_status"], &found["items"][0]["integrity_score"]), (&json!("FAILED"), &json!(0.0)), "{found}");
        }
        // What was not decided is not built on, and disabling it mends nothing.
        let path = format!("/api/v1/limits/{limit}");
        for (status, want) in [("DISABLED", 200), ("ACTIVE", 409)] {
            let change = json!({ "status": status });
            log.send(&format!("becomes {status}"), world.put(&path, &change)).await.ok(want);
        }
        assert_eq!(services::limits::integrity::check_all(&world.cx, -1).await.unwrap(), (1, 1));
        log.assert("runtime_integrity");
    }

    async fn the_labels_name_every_column_of_the_tables_in_its_order(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let labels = log.send("the labels", world.get("/api/v1/contract/labels")).await.ok(200).json();
        world.limit(&budget(5)).await;
        let at = world.clock.now();
        add_rules(&world.cx.db, vec![rule(world.tenant, 1, at)]).await;
        add_incidents(&world.cx.db, vec![incident(world.tenant, 1, at)]).await;
        let prompt = json!({ "model": "gpt-4o-mini", "max_tokens": 5, "messages": [] });
        world.post("/v1/chat/completions", &prompt).send().await.ok(200);
        let columns = |name: &str| -> Vec<String> {
            let tables = labels["tables"].as_array().unwrap();
            let table = tables.iter().find(|table| table["name"] == name).unwrap();
            let names = table["columns"].as_array().unwrap().iter();
            names.map(|column| column["name"].as_str().unwrap().to_owned()).collect()
        };
        for (name, path) in [
            ("incidents", "/api/v1/runtime/incidents?topic=ACTIVE"),
            ("policy_rules", "/api/v1/runtime/policies/rules?status=ACTIVE"),
            ("limits", "/api/v1/runtime/policies/limits?type=BUDGET"),
        ] {
            let shown = world.get(path).send().await.ok(200).body.clone();
            let row = &shown[shown.find("[{").unwrap()..];
            // The order of members is that of the text.
            let mut places: Vec<_> = columns(name).iter().map(|column| row.find(&format!("\"{column}\":")).unwrap()).collect();
            let in_order = places.clone();
            places.sort_unstable();
            assert_eq!(places, in_order, "{name}: {row}");
            let members = serde_json::from_str::<Value>(&shown).unwrap()["items"][0].as_object().unwrap().len();
            assert_eq!(members, columns(name).len(), "{name}: {row}");
        }
        // Of an LLM Run the consoles show a part.
        let run = world.get("/api/v1/runs").send().await.ok(200).at("/items/0");
        for column in columns("llm_runs") {
            assert!(run.get(&column).is_some(), "{column}: {run}");
        }
        log.assert("contract_labels");
    }
}
