//! Scenario 3 of the build plan: from an LLM Run that failed to everything that belongs to it, with a real SDK.
//!
//! The routes of the timeline and of the audit ledger are another part of the product: what they say of this LLM Run is
//! in its logs.

use serde_json::{Value, json};
use testkit::upstream::Fault;

use crate::harness::{Home, Tenant, World, nano};
use crate::sdk;

/// The words of the events of a timeline, in its order.
fn events(timeline: &Value) -> Vec<&str> {
    let list = timeline.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|one| one["event_type"].as_str()).collect()
}

async fn check(home: Home) {
    let world = World::with(home, "");
    let tenant = world.tenant("Harbour Pilots").await;

    // 1. A run fails; an Incident is opened and a Policy Rule proposed.
    world.provider.fault(Fault::DropAfterEvents { events: 3 });
    let failed = sdk::step("scenario_3.py", &world, &tenant, "fail");
    let incident = &failed["incidents"][0];
    let run = &incident["llm_run_id"];
    assert_eq!(failed["incidents"].as_array().map(Vec::len), Some(1), "{failed}");
    assert_eq!(
        failed["proposals"][0]["triggering_incident_id"],
        incident["incident_id"]
    );
    let paid = nano(&tenant.run(run).await["cost_nano_usd"]);
    assert!(paid > 0, "what was streamed before the break is paid");

    // 2. and 3. From the run to the Incident, and back.
    let traced = sdk::step_with(
        "scenario_3.py",
        &world,
        &tenant,
        "trace",
        &[run.as_str().unwrap()],
    );
    assert_eq!(
        traced["incidents"]["items"][0]["incident_id"], incident["incident_id"],
        "{traced}"
    );
    assert_eq!(traced["source_run"]["run_id"], *run);

    costs(&tenant, &traced, paid).await;
    on_record(&traced, incident);
}

/// 4. What it cost: the run that failed, and the two that tried again.
async fn costs(tenant: &Tenant, traced: &Value, paid: i64) {
    let cost = &traced["cost_impact"];
    let mut again = 0;
    for attempt in traced["attempts"].as_array().unwrap() {
        again += nano(&tenant.run(attempt).await["cost_nano_usd"]);
    }
    let shown = [
        "failed_runs_cost",
        "recovery_cost",
        "total_cost",
        "estimated_savings",
    ];
    let shown = shown.map(|name| nano(&cost[format!("{name}_nano_usd")]));
    assert_eq!(shown, [paid, again, paid + again, paid + again], "{cost}");
    assert_eq!(
        [&cost["runs_affected"], &cost["recovered"], &cost["complete"]],
        [&json!(3), &json!(true), &json!(true)]
    );
}

/// 5. and 6., as far as they are about this run: in order, with one id, and who governed.
fn on_record(traced: &Value, incident: &Value) {
    let logs = &traced["logs"];
    let told = ["run_started", "run_failed", "incident_created", "policy_proposed"];
    assert_eq!(events(&logs["timeline"]), told, "{logs}");
    assert_eq!(logs["request_id"], incident["correlation_id"]);
    assert_eq!(logs["incident_ids"], json!([incident["incident_id"]]));
    assert_eq!(events(&logs["audit"]), ["IncidentCreated"], "{logs}");
    assert!(!logs.to_string().contains("berth"), "what was asked is not there");
    let learned = &traced["learnings"];
    assert_eq!(
        (
            &learned["insights"][0]["insight_type"],
            &learned["resolution_summary"]["recovery_attempted"]
        ),
        (&json!("prevention"), &json!(true)),
        "{learned}"
    );
    assert_eq!(
        traced["patterns"]["failures"][0]["latest_incident_id"],
        incident["incident_id"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_run_that_failed_everything_that_belongs_to_it_is_reached_on_sqlite() {
    check(Home::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_run_that_failed_everything_that_belongs_to_it_is_reached_on_postgres() {
    check(Home::postgres()).await;
}
