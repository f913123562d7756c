//! Scenario 1 of the build plan: the cost control loop.

use serde_json::json;

use crate::harness::{Home, World};

const USD: i64 = 1_000_000_000;

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
    check(Home::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_over_the_daily_budget_is_blocked_until_the_budget_is_raised_on_postgres() {
    check(Home::postgres()).await;
}
