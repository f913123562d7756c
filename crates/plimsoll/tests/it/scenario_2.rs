//! Scenario 2 of the build plan: from a failure to the Policy Rule that prevents the next one, with a real SDK.

use serde_json::json;
use testkit::upstream::Fault;

use crate::harness::{Home, World, nano};
use crate::sdk;

async fn check(home: Home) {
    let world = World::with(home, "");
    let tenant = world.tenant("Harbour Freight").await;

    // 1. and 2. A run breaks off in the middle; an Incident is opened, once.
    world.provider.fault(Fault::DropAfterEvents { events: 3 });
    let failed = sdk::step("scenario_2.py", &world, &tenant, "fail");
    assert_eq!(failed["incidents"]["total"], json!(1), "{failed}");
    let incident = &failed["incidents"]["items"][0];
    assert_eq!(
        (&incident["severity"], &incident["cause_type"]),
        (&json!("high"), &json!("LLM_RUN"))
    );
    // 3. It proposes a rule.
    let proposal = &failed["proposals"][0];
    assert_eq!(
        proposal["triggering_incident_id"], incident["incident_id"],
        "{failed}"
    );
    assert_eq!(proposal["triggering_run_id"], incident["llm_run_id"]);
    let run = tenant.run(&incident["llm_run_id"]).await;
    assert_eq!(
        (&run["status"], &run["tools"]),
        (&json!("failed"), &json!(["berths"]))
    );
    let cost = nano(&run["cost_nano_usd"]);
    assert!(cost > 0, "what was streamed before the break is paid: {run}");
    let asked = world.provider.request_count();

    // 4. to 6. It is approved; the same call is refused before it is sent, and no second Incident is opened.
    let prevented = sdk::step("scenario_2.py", &world, &tenant, "prevent");
    let refused = &prevented["refused"];
    assert_eq!(
        (&refused["raised"], &refused["code"]),
        (&json!("PermissionDeniedError"), &json!("policy_violation")),
        "{prevented}"
    );
    assert_eq!(refused["headers"]["x-plimsoll-rule-id"], prevented["rule_id"]);
    assert_eq!(
        refused["headers"]["x-plimsoll-incident-id"],
        incident["incident_id"]
    );
    let blocked = tenant.run(&refused["headers"]["x-plimsoll-run-id"]).await;
    assert_eq!(
        (&blocked["status"], &blocked["cost_usd"]),
        (&json!("blocked"), &json!(null))
    );
    assert_eq!(world.provider.request_count(), asked);
    assert_eq!(prevented["incidents"]["total"], json!(1));
    let rule = &prevented["rules"]["items"][0];
    assert_eq!(
        (&rule["rule_id"], &rule["trigger_count_30d"]),
        (&prevented["rule_id"], &json!(1))
    );

    // 7. The rule has prevented one, and saved what the failure had cost.
    let effect = &prevented["effectiveness"];
    assert_eq!(
        (&effect["prevented_count"], &effect["incidents_before"]),
        (&json!(1), &json!(1)),
        "{effect}"
    );
    assert_eq!(nano(&effect["estimated_cost_saved_nano_usd"]), cost);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_becomes_the_rule_that_prevents_the_next_one_on_sqlite() {
    check(Home::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_becomes_the_rule_that_prevents_the_next_one_on_postgres() {
    check(Home::postgres()).await;
}
