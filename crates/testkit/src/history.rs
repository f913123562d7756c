//! Which LLM Runs are on record when a test begins?
//!
//! They are written straight into the database, as they ended.

use std::sync::Arc;

use model::amounts::Amounts;
use model::cost::TokenUsage;
use model::hold::Subject;
use model::id::{DecisionId, HoldId, RunId, TenantId};
use model::money::NanoUsd;
use model::run::{Operation, Run, RunStatus, UsageSource};
use model::time::Timestamp;
use store::Db;

/// What a run asked for and what it cost, in nano-USD, and over which time.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// When it started.
    pub at: Timestamp,
    /// How long it took.
    pub lasted_ms: i64,
    /// The most that it could cost.
    pub asked: i64,
    /// What it cost.
    pub cost: i64,
}

/// A run that succeeded.
pub fn run(tenant: TenantId, number: u128, spent: Spent) -> Run {
    let ended = spent.at.plus_millis(spent.lasted_ms);
    Run {
        id: RunId::from_bits(number),
        tenant,
        status: RunStatus::Succeeded,
        operation: Operation::Chat,
        subject: Arc::new(Subject {
            provider: Some("openai".to_owned()),
            model: Some("gpt-4o-mini".to_owned()),
            ..Subject::default()
        }),
        served_model: Some("gpt-4o-mini".to_owned()),
        stream: false,
        decision: DecisionId::from_bits(number),
        hold: Some(HoldId::from_bits(number)),
        estimated: Amounts {
            cost: NanoUsd(spent.asked),
            input_tokens: 80,
            output_tokens: 40,
            requests: 1,
        },
        usage: Some(TokenUsage {
            input: 50,
            output: 20,
            ..TokenUsage::default()
        }),
        usage_source: UsageSource::Provider,
        cost: Some(NanoUsd(spent.cost)),
        http_status: Some(200),
        error_code: None,
        retries: 0,
        started_at: spent.at,
        first_byte_at: Some(ended),
        completed_at: Some(ended),
        correlation_id: "req_test".to_owned(),
        tools: Vec::new(),
        input_fingerprint: None,
        parent: None,
    }
}

/// A run of which nothing matters but that it is on record.
pub fn stand_in(tenant: TenantId, id: RunId, at: Timestamp) -> Run {
    let spent = Spent {
        at,
        lasted_ms: 0,
        asked: 0,
        cost: 0,
    };
    run(tenant, id.bits(), spent)
}

/// The same run when the provider failed it: nothing of it was used.
#[must_use]
pub fn failed(run: Run, error_code: &str) -> Run {
    Run {
        status: RunStatus::Failed,
        usage: None,
        usage_source: UsageSource::None,
        cost: None,
        http_status: None,
        error_code: Some(error_code.to_owned()),
        first_byte_at: None,
        ..run
    }
}

/// The same run when it was refused before it ran.
#[must_use]
pub fn refused(run: Run) -> Run {
    Run {
        status: RunStatus::Blocked,
        hold: None,
        completed_at: Some(run.started_at),
        ..failed(run, "DAILY_COST_BUDGET_EXCEEDED")
    }
}

/// Seven runs of a tenant that ask for and cost so many `unit`s. What a budget of 100 a day does to them:
///
/// | run | starts (UTC) | ends | asks | costs | settled + held before | after | |
/// |---|---|---|---|---|---|---|---|
/// | 1 | 2026-11-20 09:00 | 09:01 | 60 | 40 | 0 | 60 | fits |
/// | 2 | 09:02 | 09:03 | 60 | 50 | 40 | 100 | fits: equality passes |
/// | 3 | 09:04 | 09:05 | 11 | 7 | 90 | 101 | refused |
/// | 4 | 09:06 | 09:07 | 10 | 10 | 90 | 100 | fits: 3 is not counted |
/// | 5 | 2026-11-21 00:00 | 00:10 | 70 | 70 | 0 | 70 | fits: a new day |
/// | 6 | 00:05 | 00:06 | 40 | 1 | 70 (held) | 110 | refused |
/// | 7 | 00:10 | 00:11 | 30 | 30 | 70 | 100 | fits: 5 ends as it starts |
///
/// Together the two that are refused cost 8. Had nothing been refused, 107 would have been used on the 20th with run 4
/// (40 + 50 + 7 + 10), and 110 on the 21st with run 6 (70 + 40).
pub fn a_spreadsheet(tenant: TenantId, unit: i64) -> Vec<Run> {
    // Midnight before the 20th of November 2026.
    const FIRST: Timestamp = Timestamp::start_of_day(20_777);
    let rows = [
        (9 * 60, 1, 60, 40),
        (9 * 60 + 2, 1, 60, 50),
        (9 * 60 + 4, 1, 11, 7),
        (9 * 60 + 6, 1, 10, 10),
        (24 * 60, 10, 70, 70),
        (24 * 60 + 5, 1, 40, 1),
        (24 * 60 + 10, 1, 30, 30),
    ];
    (1..)
        .zip(rows)
        .map(|(number, (minute, minutes, asked, cost))| {
            let spent = Spent {
                at: FIRST.plus_seconds(minute * 60),
                lasted_ms: minutes * 60_000,
                asked: asked * unit,
                cost: cost * unit,
            };
            run(tenant, number, spent)
        })
        .collect()
}

/// Adds runs as they are.
pub async fn add_runs(db: &Db, runs: Vec<Run>) {
    let added = db.write(move |tx| {
        runs.chunks(500)
            .try_for_each(|runs| store::runs::insert(tx, runs))
    });
    added.await.unwrap_or_else(|error| panic!("no runs: {error:?}"));
}
