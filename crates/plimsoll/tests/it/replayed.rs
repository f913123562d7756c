//! Does `plimsoll replay` say of an Incident whether it is what its events say, to people, to programs and by its exit code?

use serde_json::{Value, json};
use testkit::governance::{add_incidents, incident, resolved};

use crate::harness::Home;

const UNKNOWN: &str = "inc_00000000000000000000000000000000";

/// Three Incidents of a tenant; which they are.
async fn three(home: &Home) -> Vec<String> {
    home.configure("http://127.0.0.1:1", "");
    let made = home.json(&["tenants", "create", "--name", "acme"]);
    let tenant = made["tenant_id"].as_str().unwrap().parse().unwrap();
    let at = model::time::Timestamp::from_micros(1_795_253_400_000_000);
    let made: Vec<_> = (1..=3)
        .map(|number| resolved(incident(tenant, number, at), at))
        .collect();
    let ids = made.iter().map(|one| one.id().to_string()).collect();
    let db = home.open();
    add_incidents(&db, made).await;
    ids
}

/// What a program is told.
fn said(home: &Home, args: &[&str], code: i32) -> Value {
    let ended = home.run(&[&["replay", "incident"], args, &["--output", "json"]].concat());
    assert_eq!(ended.code, code, "{args:?}: {ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

async fn check(home: Home) {
    let ids = three(&home).await;
    let whole = home.run(&["replay", "incident", &ids[0]]);
    assert_eq!(
        (whole.code, whole.stdout.as_str()),
        (0, "1 Incidents are what their 4 events say.\n"),
        "{whole:?}"
    );
    assert_eq!(
        said(&home, &[&ids[0]], 0),
        json!({ "agrees": true, "incidents": 1, "events": 4, "violations": [] })
    );
    assert_eq!(said(&home, &["--all"], 0)["incidents"], json!(3));

    home.by_hand(&format!(
        "UPDATE incidents SET body = replace(body, 'Execution', 'Accident') WHERE id = '{}'",
        ids[0]
    ));
    let damaged = home.run(&["replay", "incident", &ids[0]]);
    assert_eq!(damaged.code, 1, "{damaged:?}");
    assert!(
        damaged
            .stdout
            .starts_with("1 things do not fit in 1 Incidents (4 events):")
            && damaged.stdout.contains("PROJECTION_MISMATCH"),
        "{damaged:?}"
    );
    let told = said(&home, &[&ids[0]], 1);
    assert_eq!(
        (&told["agrees"], &told["violations"][0]["kind"]),
        (&json!(false), &json!("PROJECTION_MISMATCH"))
    );
    assert_eq!(told["violations"][0]["incident_id"], json!(ids[0]));
    let all = said(&home, &["--all"], 1);
    assert_eq!(
        (&all["incidents"], all["violations"].as_array().map(Vec::len)),
        (&json!(3), Some(1)),
        "{all}"
    );
    assert_eq!(home.run(&["replay", "incident", "--all"]).code, 1);
    assert_eq!(
        home.run(&["replay", "incident", &ids[1]]).code,
        0,
        "the others are whole"
    );

    // What could not be looked at is something else than what differs.
    let unknown = home.run(&["replay", "incident", UNKNOWN]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""), "{unknown:?}");
    assert!(
        unknown
            .stderr
            .contains(&format!("there is no Incident {UNKNOWN}")),
        "{unknown:?}"
    );
    for none in [
        "sqlite:/nowhere/plimsoll.db",
        "postgres://nobody@127.0.0.1:1/none",
    ] {
        for which in ["--all", &ids[0]] {
            let away = home.run(&["replay", "incident", which, "--database-url", none]);
            assert_eq!((away.code, away.stdout.as_str()), (2, ""), "{none}: {away:?}");
        }
    }
    assert_eq!(home.run(&["replay", "incident", "inc_1"]).code, 2);
    assert_eq!(home.run(&["replay", "incident"]).code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_incident_is_named_and_what_cannot_be_looked_at_is_something_else_on_sqlite() {
    check(Home::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_incident_is_named_and_what_cannot_be_looked_at_is_something_else_on_postgres() {
    check(Home::postgres()).await;
}
