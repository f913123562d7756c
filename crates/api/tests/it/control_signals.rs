//! Does somebody's monitoring send signals that are signed, and is what is wrong with one said?

use model::principal::PrincipalRole;
use model::time::Clock as _;
use serde_json::{Value, json};
use testkit::db::TestDb;

use crate::harness::{Answer, World};
use crate::signers::Somebody;

impl Somebody<'_> {
    /// An alarm of one service.
    pub(crate) fn alarm(&self, key: &str, severity: &str) -> Value {
        json!({
            "source": "CLOUDWATCH_ALARM", "signalType": "ALARM_STATE_CHANGE", "service": "checkout", "severity": severity,
            "confidence": "DEFINITIVE", "dedupeKey": key, "observedAt": self.world.clock.now(),
            "title": "Latency of checkout", "attributes": { "tags": { "alarmArn": key } },
            "authority": { "authorityType": self.authority },
        })
    }

    pub(crate) async fn signals(&self, body: &Value) -> Answer {
        self.sends("POST", "/signals", &[], &body.to_string()).await
    }

    async fn signals_under(&self, key: &str, body: &Value) -> Answer {
        self.sends("POST", "/signals", &[("idempotency-key", key)], &body.to_string())
            .await
    }
}

/// What is wrong with a signal, in the order in which it is said.
const WRONG: [(&str, u16, &str); 9] = [
    ("too large", 413, "PAYLOAD_TOO_LARGE"),
    ("role", 403, "UNAUTHORIZED"),
    ("syntax", 400, "INVALID_REQUEST"),
    ("schema", 400, "VALIDATION_ERROR"),
    ("source", 400, "VALIDATION_ERROR"),
    ("claim", 403, "UNAUTHORIZED"),
    ("justification", 400, "INVALID_JUSTIFICATION"),
    ("key", 409, "IDEMPOTENCY_CONFLICT"),
    ("rate", 429, "RATE_LIMIT_EXCEEDED"),
];

/// The signal with everything wrong from this row on.
async fn signals(reader: &Somebody<'_>, sre: &Somebody<'_>, from: usize) -> Answer {
    let wrong = |what: &str| WRONG.iter().position(|(name, ..)| *name == what).unwrap() >= from;
    let by = if wrong("role") { reader } else { sre };
    let mut body = by.alarm("another", "SEV4");
    if wrong("claim") {
        body["authority"]["authorityType"] = json!("EMERGENCY_OVERRIDE");
    }
    if wrong("justification") {
        body["authority"]["justification"] = json!("too short");
    }
    if wrong("source") {
        body["source"] = json!("LLM_RUN");
        body["signalType"] = json!("RUN_FAILED");
    }
    if wrong("schema") {
        body["surprise"] = json!(1);
    }
    let mut text = body.to_string();
    if wrong("syntax") {
        text.push('}');
    }
    let key = if wrong("key") { "used" } else { "free" };
    let mut call = by.call("POST", "/signals", &[("idempotency-key", key)], &text);
    if wrong("too large") {
        call.body = Some(vec![b' '; 70_000]);
    }
    call.send().await
}

testkit::both_databases! {
    async fn alarms_that_belong_together_open_an_incident_and_each_is_told_once(db: TestDb) {
        let world = World::new(db).await;
        let pager = Somebody::new(&world, PrincipalRole::Service, "AUTO_ENGINE").await;
        for nth in 0..3 {
            let taken = pager.signals(&pager.alarm(&format!("alarm-{nth}"), "SEV3")).await;
            assert_eq!((taken.ok(201).at("/isNew"), taken.text("/decision/verdict")), (json!(true), "REJECT".to_owned()));
            assert_eq!((taken.at("/incidentId"), taken.text("/signalId").len()), (json!(null), 64));
        }
        let last = pager.alarm("alarm-3", "SEV3");
        let opened = pager.signals_under("one", &last).await;
        assert_eq!((opened.ok(201).text("/decision/verdict"), opened.header("x-idempotency-replayed")), ("PROMOTE".to_owned(), Some("false")));
        let id = opened.text("/incidentId");
        let again = pager.signals_under("one", &last).await;
        assert_eq!((again.ok(200).body.as_str(), again.header("x-idempotency-replayed")), (opened.body.as_str(), Some("true")));
        pager.signals_under("one", &pager.alarm("alarm-4", "SEV3")).await.is(409, "IDEMPOTENCY_CONFLICT");
        // The same without a key is the same within the minute.
        let known = pager.signals(&last).await;
        assert_eq!((known.ok(200).at("/isNew"), known.at("/decision")), (json!(false), json!(null)));
        assert_eq!(known.text("/signalId"), opened.text("/signalId"));
        let incident = pager.reads(&format!("/incidents/{id}")).await;
        assert_eq!((incident.ok(200).text("/state"), incident.text("/metadata/source")), ("OPEN".to_owned(), "PROMOTION".to_owned()));
        assert_eq!((incident.text("/service"), incident.at("/metadata/occurrences")), ("checkout".to_owned(), json!(1)));
        let more = pager.signals(&pager.alarm("alarm-5", "SEV3")).await;
        assert_eq!((more.ok(201).text("/decision/rejectionCode"), more.text("/incidentId")), ("ACTIVE_INCIDENT_EXISTS".to_owned(), id.clone()));
        let replayed = pager.reads(&format!("/incidents/{id}/replay")).await;
        assert_eq!(replayed.ok(200).at("/finalState/metadata/occurrences"), json!(2));
        let shown = world.get(&format!("/api/v1/incidents/{id}")).send().await;
        assert_eq!((shown.ok(200).text("/lifecycle_state"), shown.text("/cause_type")), ("ACTIVE".to_owned(), "SYSTEM".to_owned()));
    }

    async fn of_everything_that_is_wrong_with_a_signal_the_first_is_said(db: TestDb) {
        let world = World::new(db).await;
        let reader = Somebody::new(&world, PrincipalRole::Reader, "HUMAN_OPERATOR").await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        sre.signals_under("used", &sre.alarm("one", "SEV4")).await.ok(201);
        sre.exhausts(0).await;
        for (from, (name, status, code)) in WRONG.iter().enumerate() {
            let answer = signals(&reader, &sre, from).await;
            assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{name}: {}", answer.body);
        }
        world.clock.advance_seconds(60);
        signals(&reader, &sre, WRONG.len()).await.ok(201);
    }

    async fn a_signal_that_is_not_what_it_should_be_is_refused_and_named(db: TestDb) {
        let world = World::new(db).await;
        let creator = Somebody::new(&world, PrincipalRole::Creator, "HUMAN_OPERATOR").await;
        let whole = creator.alarm("one", "SEV3");
        let deep = (0..9).fold(json!({}), |inner, _| json!({ "deeper": inner }));
        for (field, value) in [
            ("source", json!("PAGER")),
            ("source", json!("MANUAL")),
            ("source", json!("CLOUDWATCH_LOGS")),
            ("signalType", json!("RUN_FAILED")),
            ("signalType", json!("alarm_state_change")),
            ("service", json!(" ")),
            ("service", json!("x".repeat(257))),
            ("severity", json!("SEV5")),
            ("confidence", json!(1)),
            ("dedupeKey", json!("")),
            ("dedupeKey", json!("ü".repeat(257))),
            ("dedupeKey", json!("a\u{202e}b")),
            ("observedAt", json!("yesterday")),
            ("observedAt", json!("2999-01-01T00:00:00Z")),
            ("title", json!("x".repeat(201))),
            ("attributes", json!([])),
            ("attributes", json!({ "value": 0.5 })),
            ("attributes", deep),
            ("attributes", json!({ "text": "x".repeat(17_000) })),
            ("signalId", json!("mine")),
            ("raw", json!("{}")),
            ("authority", json!("me")),
        ] {
            let mut body = whole.clone();
            body[field] = value;
            let answer = creator.signals(&body).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "VALIDATION_ERROR"), "{field}: {}", answer.body);
            let named = answer.text("/error/details/issues/0/field");
            let of_both = field == "source" && named == "signalType";
            assert!(named == field || of_both, "{field}: {}", answer.body);
        }
        for field in ["source", "signalType", "service", "severity", "confidence", "dedupeKey", "observedAt", "title", "authority"] {
            let mut body = whole.clone();
            body.as_object_mut().unwrap().remove(field);
            creator.signals(&body).await.is(400, "VALIDATION_ERROR");
        }
        // What was refused is not kept: it is new.
        assert_eq!(creator.signals(&whole).await.ok(201).at("/isNew"), json!(true));
    }
}
