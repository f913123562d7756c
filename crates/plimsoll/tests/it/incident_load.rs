//! Is everybody answered, and rightly, when many report Incidents while many more read them?
//!
//! Nothing is timed: how fast it is depends on the machine, and stands in docs/benchmarks.md. What is counted does not.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Home, World};
use crate::incident_killed::{CONFIGURATION, Signer};

/// As many Incidents as are to be reported in six seconds.
const REPORTS: usize = 100;
const READERS: usize = 50;
/// How often each reader reads.
const READS: usize = 10;

async fn report(signer: Signer, number: usize) -> String {
    let body = json!({
        "service": format!("service-{}", number % 10), "severity": "SEV2", "title": format!("Report {number}"),
        "authority": {"authorityType": "ON_CALL_SRE"},
    });
    let key = format!("report-{number}");
    let made = signer.once(Method::POST, "/incidents", &body, &key).await;
    made.expect("somebody answers")["incidentId"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Reads what there is, again and again, and follows what it finds.
async fn read(signer: Signer, number: usize) -> usize {
    let mut seen = 0;
    for _ in 0..READS {
        let path = format!("/incidents?limit=100&service=service-{}", number % 10);
        let listed = signer.reads(&path).await.expect("somebody answers");
        let items = listed["items"].as_array().unwrap();
        assert!(items.len() >= seen, "what was there is gone");
        seen = items.len();
        if let Some(first) = items.first() {
            let id = first["incidentId"].as_str().unwrap();
            let one: Value = signer
                .reads(&format!("/incidents/{id}"))
                .await
                .expect("somebody answers");
            assert_eq!(
                (&one["incidentId"], &one["service"]),
                (&first["incidentId"], &first["service"])
            );
        }
    }
    seen
}

async fn check(home: Home) {
    let world = World::with(home, CONFIGURATION);
    let tenant = world.tenant("Harbour Freight").await.id;
    let signer = Signer::of(&world.home, &world.server.base_url, &tenant);
    let (mut reports, mut readers) = (JoinSet::new(), JoinSet::new());
    for number in 0..READERS {
        readers.spawn(read(signer.clone(), number));
    }
    for number in 0..REPORTS {
        reports.spawn(report(signer.clone(), number));
    }
    let made: BTreeSet<String> = reports.join_all().await.into_iter().collect();
    readers.join_all().await;
    assert_eq!(made.len(), REPORTS, "each report is an Incident of its own");
    let again = report(signer.clone(), 7).await;
    assert!(made.contains(&again), "and stays the same");
    let mut listed = BTreeSet::new();
    for number in 0..10 {
        let page = signer
            .reads(&format!("/incidents?limit=100&service=service-{number}"))
            .await
            .unwrap();
        let items = page["items"].as_array().unwrap().iter();
        listed.extend(items.map(|one| one["incidentId"].as_str().unwrap().to_owned()));
    }
    assert_eq!(listed, made);
    let found = world.home.json(&["replay", "incident", "--all"]);
    assert_eq!(
        (&found["incidents"], &found["events"], &found["agrees"]),
        (&json!(REPORTS), &json!(2 * REPORTS), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reports_or_reads_among_many_is_answered_rightly_on_sqlite() {
    check(Home::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reports_or_reads_among_many_is_answered_rightly_on_postgres() {
    check(Home::postgres()).await;
}
