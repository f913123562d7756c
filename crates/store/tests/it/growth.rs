//! Does what is asked while Incidents come to be cost the same, however many there were before?
//!
//! The plans are those of the very queries that the store asks, over so many rows that a walk through them would be seen.

use model::digest::Digest;
use model::id::{LimitId, RuleId, TenantId};
use model::limit::Limit;
use model::policy::Rule;
use model::signal::{Grade, SignalSource, SignalType};
use model::time::Timestamp;
use store::pipeline::Wanted;
use store::{Db, breaches, costs, enforcements, incidents, pipeline, preventions};
use testkit::db::TestDb;

use crate::policies::{NOBODY, rule, signature};
use crate::support::asked;
use crate::support::raw::Raw;
use crate::support::samples::{at, limit, tenant};

/// Nobody else's tests are about it.
const CROWDED: TenantId = TenantId::from_bits(0xc0de);

const ROWS: usize = 20_000;

/// In the last days of the rows, of which each has one.
const LATELY: Timestamp = Timestamp::from_micros(19_990 * 86_400_000_000 - 1);

/// The rows of each table, `n` of `ROWS`: the columns, and what stands in them.
const FILLING: [(&str, &str, &str); 12] = [
    (
        "runs",
        "tenant_id, id, status, operation, subject, stream, decision_id, estimated, usage_source, retries, started_at, correlation_id",
        "'T', 'run_000000000000000000' || (10000000 + n), 'failed', 'chat', '{}', FALSE, 'd', '{}', 'NONE', 0, n, 'c'",
    ),
    (
        "incidents",
        "tenant_id, id, state, topic, severity, category, cause_type, service, signature_id, fingerprint, cost, created_at, updated_at, version, head_hash, body",
        "'T', 'inc_000000000000000000000000' || (10000000 + n), CASE n % 8 WHEN 0 THEN 'PENDING' WHEN 1 THEN 'ARCHIVED' ELSE 'CLOSED' END, \
         CASE n % 8 WHEN 0 THEN 'pending' WHEN 1 THEN 'archived' ELSE 'over' END, 'SEV2', 'EXECUTION_FAILURE', 'LLM_RUN', \
         's' || (n % 2), 'S', CASE n % 8 WHEN 0 THEN 'alone ' || n ELSE 'same' END, 5, n, n, 1, 'h', '{}'",
    ),
    (
        "incident_runs",
        "tenant_id, incident_id, run_id, signature_id, cost, created_at",
        "'T', 'inc_000000000000000000000000' || (10000000 + n), 'run_000000000000000000' || (10000000 + n), CASE n % 100 WHEN 0 THEN 'S' END, 5, n",
    ),
    (
        "limit_breaches",
        "tenant_id, id, limit_owner, limit_id, decision_id, breach_type, value_at_breach, limit_value, breached_at",
        "'T', 'breach_' || n, 'T', 'L', 'd', 'BREACHED', 1, 1, n * 86400000000",
    ),
    (
        "limit_breach_days",
        "tenant_id, limit_owner, limit_id, day, breaches, last_at",
        "'T', 'T', 'L', n, 1, n * 86400000000",
    ),
    (
        "policy_rule_days",
        "tenant_id, rule_owner, rule_id, day, triggers, last_at",
        "'T', 'T', 'R', n, 1, n * 86400000000",
    ),
    (
        "policy_enforcements",
        "tenant_id, id, rule_owner, rule_id, rule_version, action_taken, stage, details, triggered_at",
        "'T', 'done_' || n, 'T', 'R', 1, 'LOGGED', 'INPUT', '{}', n * 86400000000",
    ),
    (
        "incident_breaches",
        "tenant_id, incident_id, breach_id, run_id, created_at",
        "'T', 'inc_000000000000000000000000' || (10000000 + n), 'breach_' || n, 'run_000000000000000000' || (10000000 + n), n",
    ),
    (
        "cost_records",
        "tenant_id, id, run_id, hold_id, input_tokens, output_tokens, usage, cost, source, created_at",
        "'T', 'cost_' || n, 'run_000000000000000000' || (10000000 + n), 'h', 1, 1, '{}', 5, 'GATEWAY', n",
    ),
    (
        "signals",
        "tenant_id, id, source, signal_type, service, severity, observed_at, ingested_at, checksum, body",
        "'T', 'sig_' || n, 'LLM_RUN', 'RUN_FAILED', 's1', 'SEV2', n, n, 'c', '{}'",
    ),
    (
        "detections",
        "tenant_id, id, signal_id, rule_id, source, signal_type, service, severity, dedupe_key, observed_at, detected_at, body",
        "'T', 'det_' || n, 'sig_' || n, 'llm-run-failed', 'LLM_RUN', 'RUN_FAILED', 's1', 'HIGH', 'run ' || n, n, n, '{}'",
    ),
    (
        "prevention_records",
        "tenant_id, id, rule_id, rule_version, signature_id, blocked_run_id, outcome, confidence, estimated_saving, created_at",
        "'T', 'prev_' || (10000000 + n), 'R', 1, 'S', 'run_000000000000000000' || (10000000 + n), 'prevented', 700, 5, n",
    ),
];

fn fill(raw: &mut Raw) {
    for (table, columns, values) in FILLING {
        let values = values
            .replace("'T'", &format!("'{CROWDED}'"))
            .replace("'L'", &format!("'{}'", limit(1).id))
            .replace("'R'", &format!("'{}'", rule(1).id))
            .replace("'S'", &format!("'{}'", signature().id()));
        raw.run(&format!(
            "INSERT INTO {table} ({columns}) WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < {ROWS}) \
             SELECT {values} FROM g"
        ))
        .unwrap();
    }
    // What people say about preventions is said of few.
    raw.run(&format!(
        "INSERT INTO prevention_feedback (tenant_id, prevention_id, false_positive, said_by, created_at) \
         SELECT tenant_id, id, TRUE, 'key_1', created_at FROM prevention_records WHERE tenant_id = '{CROWDED}' AND created_at % 100 = 0"
    ))
    .unwrap();
    raw.run(raw.pick("SELECT 1", "ANALYZE")).unwrap();
}

/// What is asked, and of each query of it the index that is to answer, with the last column that it is to be entered by.
struct Question {
    name: &'static str,
    /// What it answers is not looked at.
    ask: fn(&mut store::ReadTx<'_>),
    indexes: &'static [&'static str],
}

fn detected(wanted: &Wanted, tx: &mut store::ReadTx<'_>) {
    drop(pipeline::detections(tx, CROWDED, wanted, (at(0), at(9)), 500));
}

fn external() -> Wanted {
    Wanted {
        sources: vec![SignalSource::CustomApi],
        ..Wanted::default()
    }
}

/// Asked of what was said, and only then of what it was said of.
const FALSE_POSITIVES: &str = "what people called false positives";

const QUESTIONS: [Question; 13] = [
    Question {
        name: FALSE_POSITIVES,
        ask: |tx| {
            let marked = preventions::Filter {
                is_false_positive: Some(true),
                ..preventions::Filter::default()
            };
            drop(preventions::list(tx, CROWDED, &marked, 50));
        },
        indexes: &["KEY:prevention_feedback tenant_id"],
    },
    Question {
        name: "the same that is going on",
        ask: |tx| drop(incidents::same(tx, CROWDED, "same")),
        indexes: &["incidents_same fingerprint"],
    },
    Question {
        name: "what was there of a service",
        ask: |tx| drop(incidents::of_service(tx, CROWDED, "s1")),
        indexes: &["incidents_service_topic topic"; 4],
    },
    Question {
        name: "the newest about the same",
        ask: |tx| drop(incidents::latest(tx, CROWDED, "same")),
        indexes: &["incidents_fingerprint fingerprint"],
    },
    Question {
        name: "what a failure cost",
        ask: |tx| drop(incidents::of_signature(tx, CROWDED, signature().id())),
        indexes: &["incident_runs_signature signature_id"],
    },
    Question {
        name: "the Incidents of a run",
        ask: |tx| {
            drop(incidents::of_run(
                tx,
                CROWDED,
                "run_00000000000000000010000001".parse().unwrap(),
                200,
            ));
        },
        indexes: &[
            "incident_runs_run run_id",
            "incident_breaches_run run_id",
            "KEY:incidents id",
        ],
    },
    Question {
        name: "the costs of an Incident",
        ask: |tx| {
            drop(costs::of_incident(
                tx,
                CROWDED,
                "inc_00000000000000000000000010000001".parse().unwrap(),
            ));
        },
        indexes: &["cost_records_run run_id", "cost_records_run run_id"],
    },
    Question {
        name: "what belongs to a detection by its service",
        ask: |tx| {
            let wanted = Wanted {
                services: vec!["s1".to_owned()],
                severities: vec![Grade::Critical, Grade::High],
                ..external()
            };
            detected(&wanted, tx);
        },
        indexes: &["detections_service observed_at"],
    },
    Question {
        name: "by its rule",
        ask: |tx| {
            let wanted = Wanted {
                rules: vec!["llm-run-failed".to_owned()],
                ..external()
            };
            detected(&wanted, tx);
        },
        indexes: &["detections_rule observed_at"],
    },
    Question {
        name: "by its type",
        ask: |tx| {
            let wanted = Wanted {
                signal_types: vec![SignalType::RunFailed],
                ..external()
            };
            detected(&wanted, tx);
        },
        indexes: &["detections_type observed_at"],
    },
    Question {
        name: "by what its producer calls it",
        ask: |tx| {
            let wanted = Wanted {
                rules: vec!["llm-run-failed".to_owned()],
                services: vec!["s1".to_owned()],
                dedupe_key: Some("run 7".to_owned()),
                ..Wanted::default()
            };
            detected(&wanted, tx);
        },
        indexes: &["detections_key observed_at"],
    },
    // The part of a day in which a window begins is counted row by row: those of these limits, not all of that day.
    Question {
        name: "how often limits were hit lately",
        ask: |tx| {
            let ids: Vec<LimitId> = (1..=50).map(LimitId::from_bits).collect();
            drop(breaches::recent(tx, (CROWDED, CROWDED), &ids, LATELY));
        },
        indexes: &["ROWS:limit_breach_days day", "limit_breaches_limit breached_at"],
    },
    Question {
        name: "how often rules were triggered lately",
        ask: |tx| {
            let ids: Vec<RuleId> = (1..=50).map(RuleId::from_bits).collect();
            drop(enforcements::recent(tx, (CROWDED, CROWDED), &ids, LATELY));
        },
        indexes: &[
            "ROWS:policy_rule_days day",
            "policy_enforcements_rule triggered_at",
        ],
    },
];

testkit::both_databases! {
    async fn what_is_asked_of_incidents_is_a_step_along_an_index(db: TestDb) {
        db.write(|tx| {
            store::tenants::insert(tx, &tenant(CROWDED, "crowded"))?;
            store::limits::insert(tx, &Limit { tenant: CROWDED, ..limit(1) })?;
            let mut made = Rule { tenant: CROWDED, ..rule(1) };
            made.hash = made.hash_after(Digest::ZERO);
            store::policy_rules::insert(tx, &made, NOBODY)
        }).await.unwrap();
        let mut raw = Raw::to(&db);
        fill(&mut raw);
        asked::listen();
        let heard: Db = db.open_again();
        for Question { name, ask, indexes } in QUESTIONS {
            heard.read(move |tx| { ask(tx); Ok::<_, store::StoreError>(()) }).await.unwrap();
            let queries = asked::about(&CROWDED.to_string());
            assert_eq!(queries.len(), indexes.len(), "{name}: {queries:#?}");
            for (query, index) in queries.iter().zip(indexes) {
                let plan = raw.plan(query);
                let (index, column) = index.split_once(' ').unwrap();
                let key = index.strip_prefix("KEY:").map(|table| raw.pick(format!("sqlite_autoindex_{table}_1"), format!("{table}_pkey")));
                let rows = index.strip_prefix("ROWS:").map(|table| raw.pick("PRIMARY KEY".to_owned(), format!("{table}_pkey")));
                let index = key.or(rows).unwrap_or_else(|| index.to_owned());
                let step = plan.split_once(&index).unwrap_or_else(|| panic!("{name} is not served by {index}: {query}\n{plan}")).1;
                // How far it is entered: SQLite says it behind the name, PostgreSQL on the next line.
                let entered = step.lines().take(raw.pick(1, 2)).any(|line| line.contains(column));
                let behind = step.contains(raw.pick("prevention_records", "prevention_records_pkey"));
                assert!(name != FALSE_POSITIVES || behind, "{name} begins with all of them: {query}\n{plan}");
                assert!(entered, "{index} is not entered by {column} for {name}: {query}\n{plan}");
                // What was found by an index may be sorted into groups.
                let most = if query.contains("GROUP BY") { 2 } else { 4 };
                for walk in &["SCAN ", "Seq Scan", "TEMP B-TREE", "Sort"][..most] {
                    assert!(!plan.contains(*walk), "{name} is walked through: {query}\n{plan}");
                }
            }
        }
    }
}
