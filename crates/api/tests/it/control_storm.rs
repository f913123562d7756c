//! Is what many ask for at once done once, and the same wherever it is asked for?

use futures_util::future::join_all;
use model::principal::PrincipalRole;
use model::time::Clock as _;
use serde_json::{Value, json};
use testkit::db::TestDb;

use crate::harness::{Answer, World};
use crate::signers::{DONE, Somebody};

/// Rounds of ten who report the same.
const ROUNDS: usize = 20;

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut all: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    all.sort_unstable();
    all
}

/// What a client can see of everything that has happened.
async fn export(sre: &Somebody<'_>) -> Vec<String> {
    let listed = sre.reads("/incidents?limit=100").await;
    let ids: Vec<String> = listed
        .ok(200)
        .at("/items")
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["incidentId"].as_str().unwrap().to_owned())
        .collect();
    let mut all = vec![listed.body];
    for id in ids {
        all.push(sre.reads(&format!("/incidents/{id}/timeline")).await.body);
        all.push(sre.reads(&format!("/incidents/{id}/replay")).await.body);
    }
    all
}

/// Twelve Incidents of three services, two severities and two states, two of each instant.
async fn dozen(sre: &Somebody<'_>) -> Vec<Value> {
    let mut made = Vec::new();
    for number in 0..12 {
        let mut body = sre.report(["SEV2", "SEV3"][number % 2]);
        body["service"] = json!(["api-gateway", "search & find", "llm"][number % 3]);
        let answer = sre.reports(&format!("key-{number}"), &body).await;
        let id = answer.ok(201).text("/incidentId");
        if number % 4 == 0 {
            sre.takes(&id, "MITIGATING", json!({})).await.ok(200);
        }
        made.push(sre.reads(&format!("/incidents/{id}")).await.json());
        sre.world.clock.advance_seconds(u32::from(number % 2 == 1));
    }
    made
}

async fn listed(sre: &Somebody<'_>, query: &str) -> Value {
    let answer = sre.reads(&format!("/incidents?{query}")).await;
    answer.ok(200).json()
}

testkit::both_databases! {
    async fn a_storm_of_the_same_report_makes_one_incident(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let body = sre.report("SEV3");
        for (round, many) in std::iter::repeat_n(10, ROUNDS).chain([100]).enumerate() {
            let key = format!("round-{round}");
            let all = join_all((0..many).map(|_| sre.reports(&key, &body))).await;
            let mut expected = vec![200; many - 1];
            expected.push(201);
            assert_eq!(statuses(&all), expected, "round {round}");
            assert!(all.iter().all(|answer| answer.body == all[0].body));
            let id = all[0].text("/incidentId");
            let timeline = sre.reads(&format!("/incidents/{id}/timeline")).await;
            assert_eq!(timeline.at("/items").as_array().map(Vec::len), Some(2));
            world.clock.advance_seconds(60);
        }
        let found = services::incidents::replay::all(&world.cx).await.unwrap();
        let made = u64::try_from(ROUNDS + 1).unwrap();
        assert_eq!((found.incidents, found.events, found.broken), (made, made * 2, vec![]));
    }

    async fn without_a_key_whoever_reports_the_same_reports_it_once(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let other = Somebody::new(&world, PrincipalRole::Operator, "HUMAN_OPERATOR").await;
        let body = sre.report("SEV3");
        let (sre, other) = (&sre, &other);
        let send = |body: String| async move { sre.sends("POST", "/incidents", &[], &body).await };
        let first = send(body.to_string()).await;
        first.ok(201);
        let all = join_all((0..10).map(|_| send(body.to_string()))).await;
        assert_eq!(statuses(&all), [200; 10]);
        // The same in another order, and said again at another time.
        let mut again = body.clone();
        again["authority"]["timestamp"] = json!(world.clock.now().to_string());
        let text = again.to_string().replacen('{', "{ ", 1);
        let repeated = send(text).await;
        assert_eq!((repeated.ok(200).body.as_str(), repeated.header("x-idempotency-replayed")), (first.body.as_str(), Some("true")));
        let mut severe = body.clone();
        severe["severity"] = json!("SEV2");
        send(severe.to_string()).await.ok(201);
        let mut theirs = body;
        theirs["authority"]["authorityType"] = json!("HUMAN_OPERATOR");
        other.sends("POST", "/incidents", &[], &theirs.to_string()).await.ok(201);
        // A key is its principal's own.
        sre.reports("mine", &sre.report("SEV4")).await.ok(201);
        other.reports("mine", &other.report("SEV4")).await.is(403, "UNAUTHORIZED");
    }

    async fn of_two_who_change_the_same_incident_at_once_one_does(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        for round in 0..10 {
            let id = sre.reports(&format!("round-{round}"), &sre.report("SEV3")).await.text("/incidentId");
            let (mitigated, cancelled) = tokio::join!(
                sre.takes(&id, "MITIGATING", json!({ "expectedVersion": 2 })),
                sre.takes(&id, "CANCELLED", json!({ "expectedVersion": 2, "reason": DONE })),
            );
            let mut both = [mitigated.status, cancelled.status];
            both.sort_unstable();
            assert_eq!(both, [200, 409], "{} {}", mitigated.body, cancelled.body);
            let lost = if mitigated.status == 409 { &mitigated } else { &cancelled };
            lost.is(409, "CONFLICT");
            assert_eq!(lost.at("/error/details"), json!({ "incidentId": id, "expectedVersion": 2, "actualVersion": 3 }));
            let (one, other) = tokio::join!(sre.takes(&id, "CLOSED", json!({})), sre.takes(&id, "OPEN", json!({})));
            one.is(409, "ILLEGAL_TRANSITION");
            other.is(409, "ILLEGAL_TRANSITION");
            let read = sre.reads(&format!("/incidents/{id}")).await;
            assert_eq!(read.at("/metadata/version"), json!(3));
            world.clock.advance_seconds(60);
        }
        let found = services::incidents::replay::all(&world.cx).await.unwrap();
        assert_eq!((found.incidents, found.broken), (10, vec![]));
    }

    async fn the_same_requests_make_the_same_bytes_from_nothing_on_every_database(db: TestDb) {
        let (mut all, other) = (Vec::new(), TestDb::sqlite());
        for db in [db, other] {
            let world = World::new(db).await;
            let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
            let glass = Somebody::new(&world, PrincipalRole::BreakGlass, "EMERGENCY_OVERRIDE").await;
            for key in ["one", "two", "three"] {
                let id = sre.reports(key, &sre.report("SEV1")).await.text("/incidentId");
                world.clock.advance_seconds(7);
                glass.takes(&id, "MITIGATING", json!({})).await.ok(200);
                sre.takes(&id, "RESOLVED", json!({ "resolutionSummary": DONE, "resolutionType": "FIXED" })).await.ok(200);
            }
            all.push(export(&sre).await);
        }
        assert_eq!(all[0].len(), 7);
        assert_eq!(all[0], all[1]);
    }

    async fn all_filters_hold_together(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let made = dozen(&sre).await;
        let states = ["", "OPEN", "MITIGATING", "PENDING"];
        let services = ["", "api-gateway", "search & find", "nothing"];
        for (state, service, severity) in states.iter().flat_map(|state| {
            services.iter().flat_map(move |service| ["", "SEV2", "SEV4"].map(|severity| (*state, *service, severity)))
        }) {
            let fits = |item: &Value| {
                [("state", state), ("service", service), ("severity", severity)]
                    .iter()
                    .all(|(name, wanted)| wanted.is_empty() || item[*name] == json!(wanted))
            };
            let mut expected: Vec<_> = made.iter().filter(|item| fits(item)).cloned().collect();
            let place = |item: &Value| (item["createdAt"].to_string(), item["incidentId"].to_string());
            expected.sort_by_key(place);
            expected.reverse();
            // In the order of their names, as they are signed.
            let query: Vec<String> = [("service", service), ("severity", severity), ("state", state)]
                .iter()
                .filter(|(_, wanted)| !wanted.is_empty())
                .map(|(name, wanted)| format!("{name}={}", wanted.replace(' ', "%20").replace('&', "%26")))
                .collect();
            let found = listed(&sre, &query.join("&")).await;
            assert_eq!((&found["items"], &found["has_more"]), (&json!(expected), &json!(false)), "{query:?}");
        }
    }

    async fn pages_do_not_shift_and_a_cursor_is_of_its_list(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let made = dozen(&sre).await;
        // What is reported meanwhile is in none of the pages, and nothing is there twice or not at all.
        let whole = listed(&sre, "").await["items"].clone();
        let (mut seen, mut cursor, mut number) = (Vec::new(), String::new(), 100);
        loop {
            let page = listed(&sre, &format!("{cursor}limit=5")).await;
            seen.extend(page["items"].as_array().unwrap().clone());
            sre.reports(&format!("key-{number}"), &sre.report("SEV4")).await.ok(201);
            number += 1;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("cursor={next}&"),
                None => break,
            }
            assert_eq!(page["has_more"], json!(true));
        }
        assert_eq!(json!(seen), whole);
        // A cursor is of its list, its filter and its tenant.
        for query in [
            format!("{cursor}state=OPEN"), format!("{cursor}x=1"), "cursor=x".to_owned(), format!("{}0", cursor.trim_end_matches('&')),
            "limit=0".to_owned(), "limit=101".to_owned(), "limit=-1".to_owned(), "limit=x".to_owned(),
            "state=OPEN&state=PENDING".to_owned(), "state=open".to_owned(), "severity=SEV5".to_owned(),
            "createdAfter=2026-02-30T00%3A00%3A00Z".to_owned(), "createdAfter=2026-01-01T00%3A00%3A00".to_owned(),
            "createdAfter=2026-01-02T00%3A00%3A00Z&createdBefore=2026-01-01T00%3A00%3A00Z".to_owned(),
            "created_after=2026-01-01T00%3A00%3A00Z".to_owned(), "service=".to_owned(), format!("service={}", "x".repeat(257)),
        ] {
            let refused = sre.reads(&format!("/incidents?{query}")).await;
            refused.is(400, "INVALID_FILTERS");
        }
        let (first, last) = (&made[0]["createdAt"], &made[2]["createdAt"]);
        let encoded = |time: &Value| time.as_str().unwrap().replace(':', "%3A");
        let between = format!("createdAfter={}&createdBefore={}", encoded(first), encoded(last));
        assert_eq!(listed(&sre, &between).await["items"].as_array().map(Vec::len), Some(4));
    }
}
