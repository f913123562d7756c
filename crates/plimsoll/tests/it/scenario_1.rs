//! Scenario 1 of the build plan: the cost control loop, by a real SDK and by a client that asks before it spends.

use serde_json::{Value, json};
use testkit::upstream::Reply;

use crate::harness::{Home, World, nano};
use crate::sdk;

const USD: i64 = 1_000_000_000;

/// A token of an answer costs $1, one of a question nothing.
const DEAR: &str = "[[prices.overrides]]\nprovider = \"openai\"\nmodel = \"mystery-*\"\n\
    effective_from = 2020-01-01T00:00:00Z\ninput_usd_per_mtok = \"0\"\noutput_usd_per_mtok = \"1000000\"";

/// How many LLM Runs have each status, in the list that the client was given.
fn with_status(listed: &Value, status: &str) -> usize {
    let runs = listed["runs"]["items"].as_array().unwrap();
    runs.iter().filter(|run| run["status"] == status).count()
}

/// The client sees that the budget is spent, which budget it is, and that trying again does not help.
fn says_why(refused: &Value) {
    assert_eq!(
        (&refused["raised"], &refused["status"]),
        (&json!("RateLimitError"), &json!(429)),
        "{refused}"
    );
    assert_eq!(
        (&refused["code"], &refused["type"]),
        (&json!("insufficient_quota"), &json!("insufficient_quota"))
    );
    let why = "Budget exceeded: `daily budget` has $5 of $50 left, $10 was requested.";
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains(why), "{message}");
    assert_eq!(refused["headers"]["x-should-retry"], "false", "{refused}");
}

/// Once more if it fails and the day (UTC) has changed meanwhile: a daily budget is new then.
async fn on_one_day<F>(scenario: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let day = || std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs() / 86_400;
    loop {
        let began = day();
        match tokio::spawn(scenario()).await {
            Ok(()) => return,
            Err(failed) if day() == began => std::panic::resume_unwind(failed.into_panic()),
            Err(_) => {}
        }
    }
}

async fn check_sdk(home: Home) {
    let world = World::with(home, DEAR);
    world.provider.reply(Reply::of_tokens(12, 1_000));
    let tenant = world.tenant("Harbour Freight").await;

    // 1. and 2. A daily budget of $50 is set, and runs that total $45 are executed.
    let spent = sdk::step("scenario_1.py", &world, &tenant, "spend");
    let limit = &spent["limit"]["limit_id"];
    for (run, usd) in spent["spent_by"].as_array().unwrap().iter().zip([20, 15, 10]) {
        let run = tenant.run(run).await;
        assert_eq!(run["status"], "succeeded", "{run}");
        assert_eq!(nano(&run["cost_nano_usd"]), usd * USD, "{run}");
    }
    assert_eq!(spent["costs"]["total_cost_usd"], 45, "{spent}");

    // 3. and 4. A run that would cost $10 is blocked before it is sent, and the SDK does not try it again.
    says_why(&spent["refused"]);
    assert_eq!(world.provider.request_count(), 3);
    assert_eq!(
        (with_status(&spent, "succeeded"), with_status(&spent, "blocked")),
        (3, 1),
        "{spent}"
    );
    let blocked = tenant
        .run(&spent["refused"]["headers"]["x-plimsoll-run-id"])
        .await;
    assert_eq!(
        (&blocked["status"], &blocked["cost_usd"]),
        (&json!("blocked"), &Value::Null)
    );
    let row = &spent["limits"]["items"][0];
    assert_eq!(
        (&row["limit_id"], &row["breach_count_30d"], &row["max_value"]),
        (limit, &json!(1), &json!(50)),
        "{spent}"
    );

    // 5. to 7. The budget is raised to $100, and the same run succeeds.
    let raised = sdk::step("scenario_1.py", &world, &tenant, "raise");
    assert_eq!(
        (&raised["limit"]["limit_id"], &raised["limit"]["max_value"]),
        (limit, &json!(100)),
        "{raised}"
    );
    let run = tenant.run(&raised["run_id"]).await;
    assert_eq!(
        (&run["status"], nano(&run["cost_nano_usd"])),
        (&json!("succeeded"), 10 * USD)
    );
    assert_eq!(world.provider.request_count(), 4);

    // 8. The costs show $55, and so does the budget.
    let costs = &raised["costs"];
    assert_eq!(
        (&costs["total_cost_usd"], &costs["total_requests"]),
        (&json!(55), &json!(4)),
        "{costs}"
    );
    assert_eq!(costs["total_cost_nano_usd"], json!((55 * USD).to_string()));
    assert_eq!(tenant.used().await, (55 * USD, 0));
    assert_eq!(world.home.verify_ledger(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_is_refused_what_would_pass_the_daily_budget_until_it_is_raised_on_sqlite() {
    on_one_day(|| check_sdk(Home::sqlite())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_is_refused_what_would_pass_the_daily_budget_until_it_is_raised_on_postgres() {
    on_one_day(|| check_sdk(Home::postgres())).await;
}

async fn check(home: Home) {
    let world = World::with(home, "");
    let tenant = world.tenant("Harbour Freight").await;
    let client = &tenant.client;

    // 1. The customer sets a daily budget of $50.
    let limit = tenant.budget(json!(50), "DAILY").await;
    // 2. The customer runs executions that total $45.
    for cost in [20, 15, 10] {
        let hold = client
            .post("/api/v1/limits/check", &json!({"estimated_cost_usd": cost}))
            .await
            .expect(200);
        assert_eq!(hold["allowed"], json!(true), "{hold}");
        let settle = format!("/api/v1/holds/{}/settle", hold["hold_id"].as_str().unwrap());
        let settled = client.post(&settle, &json!({"cost_usd": cost})).await.expect(200);
        assert_eq!(settled["status"], "SETTLED");
    }
    assert_eq!(tenant.used().await, (45 * USD, 0));

    // 3. and 4. A run that would cost $10 is blocked.
    let wanted = json!({"estimated_cost_usd": 10});
    let blocked = client.post("/api/v1/limits/check", &wanted).await.expect(200);
    assert_eq!(
        (&blocked["decision"], &blocked["allowed"]),
        (&json!("BLOCK"), &json!(false))
    );
    let message = blocked["message"].as_str().unwrap();
    assert!(message.starts_with("Budget exceeded"), "{message}");
    assert_eq!(blocked["hold_id"], json!(null));
    assert_eq!(blocked["blocking_limits"][0]["limit_id"], json!(limit));

    // 5. to 7. The customer raises the budget to $100, and the same run succeeds.
    let raised = client
        .put(&format!("/api/v1/limits/{limit}"), &json!({"max_value": 100}))
        .await;
    assert_eq!(raised.expect(200)["max_value"], json!(100));
    let hold = client.post("/api/v1/limits/check", &wanted).await.expect(200);
    assert_eq!(hold["allowed"], json!(true), "{hold}");
    let settle = format!("/api/v1/holds/{}/settle", hold["hold_id"].as_str().unwrap());
    client.post(&settle, &json!({"cost_usd": 10})).await.expect(200);

    // 8. The costs show $55.
    let costs = client.get("/api/v1/analytics/costs").await.expect(200);
    assert_eq!(costs["total_cost_usd"], json!(55), "{costs}");
    assert_eq!(costs["total_cost_nano_usd"], json!((55 * USD).to_string()));
    assert_eq!(tenant.used().await, (55 * USD, 0));
    assert_eq!(world.home.verify_ledger(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_over_the_daily_budget_is_blocked_until_the_budget_is_raised_on_sqlite() {
    on_one_day(|| check(Home::sqlite())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_over_the_daily_budget_is_blocked_until_the_budget_is_raised_on_postgres() {
    on_one_day(|| check(Home::postgres())).await;
}
