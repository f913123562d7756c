//! What does a row of every kind look like?

use infra::envelope::{ErrorEnvelope, ErrorId, ErrorRecord, ErrorSeverity, InfraClass, L6};
use model::amounts::Amounts;
use model::cost::{CostRecord, CostSource, TokenUsage};
use model::hold::{Hold, HoldItem, HoldStatus, Subject};
use model::id::{CostId, DecisionId, HoldId, KeyId, LimitId, RunId, TenantId};
use model::key::{ApiKey, KeyScope, KeyStatus};
use model::limit::{Enforcement, Handling, Limit, LimitCategory, LimitScope, LimitStatus, LimitType};
use model::money::NanoUsd;
use model::run::{Operation, Run, RunStatus, UsageSource};
use model::tenant::{FreezeState, Tenant};
use model::time::Timestamp;
use model::window::{ResetPeriod, Weekday, WindowSpec};
use model::zone::Zone;
use store::Db;
use testkit::clock::START;

/// So many seconds after the start of the test's time.
pub(crate) fn at(seconds: i64) -> Timestamp {
    START.plus_seconds(seconds)
}

pub(crate) const ACME: TenantId = TenantId::from_bits(1);

pub(crate) fn tenant(id: TenantId, name: &str) -> Tenant {
    Tenant {
        id,
        name: name.to_owned(),
        state: FreezeState::Active,
        freeze_reason: None,
        floor_price: None,
        two_person_review: false,
        created_at: at(0),
    }
}

pub(crate) fn key(n: u128) -> ApiKey {
    ApiKey {
        id: KeyId::from_bits(n),
        tenant: ACME,
        name: format!("key {n}"),
        last4: "a1b2".to_owned(),
        live: true,
        scopes: vec![KeyScope::Llm, KeyScope::Read],
        status: KeyStatus::Active,
        freeze_reason: None,
        rpm: Some(60),
        expires_at: Some(at(3600)),
        created_at: at(0),
        last_used_at: None,
        revoked_at: None,
        root: KeyId::from_bits(n),
    }
}

pub(crate) fn limit(n: u128) -> Limit {
    Limit {
        id: LimitId::from_bits(n),
        tenant: ACME,
        name: format!("limit {n}"),
        description: Some("keeps the month in order".to_owned()),
        category: LimitCategory::Budget,
        limit_type: LimitType::CostUsd,
        scope: LimitScope::Tenant,
        scope_id: None,
        api_key_id: None,
        // No two samples count the same.
        model: Some(format!("model-{n}")),
        feature: None,
        end_user: None,
        max: 50_000_000_000,
        window: WindowSpec::Calendar {
            period: ResetPeriod::Daily,
            zone: Zone::UTC,
            week_start: Weekday::Monday,
        },
        enforcement: Enforcement::Block,
        handling: Handling::default(),
        status: LimitStatus::Active,
        raise: None,
        overrun: None,
        created_at: at(0),
        updated_at: at(0),
    }
}

pub(crate) fn amounts(cost: i64) -> Amounts {
    Amounts {
        cost: NanoUsd(cost),
        input_tokens: 10,
        output_tokens: 20,
        requests: 1,
    }
}

pub(crate) fn subject() -> Subject {
    Subject {
        api_key_id: Some(KeyId::from_bits(3)),
        project_id: Some("search".to_owned()),
        agent_id: Some("crawler".to_owned()),
        feature: Some("summary".to_owned()),
        session_id: Some("s-1".to_owned()),
        end_user: Some("u-1".to_owned()),
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o".to_owned()),
    }
}

pub(crate) fn hold(n: u128) -> Hold {
    Hold {
        id: HoldId::from_bits(n),
        tenant: ACME,
        status: HoldStatus::Pending,
        decision: DecisionId::from_bits(n),
        run: Some(RunId::from_bits(n)),
        subject: subject().into(),
        requested: amounts(700),
        settled: None,
        items: vec![HoldItem {
            owner: ACME,
            limit: LimitId::from_bits(1),
            counts: LimitType::CostUsd,
            window_start: 0,
            amount: 700,
            settled: 0,
            carried: false,
        }],
        created_at: at(0),
        expires_at: at(600),
        ended_at: None,
    }
}

pub(crate) fn run(n: u128, started_at: Timestamp) -> Run {
    Run {
        id: RunId::from_bits(n),
        tenant: ACME,
        status: RunStatus::Running,
        operation: Operation::Chat,
        subject: subject().into(),
        served_model: None,
        stream: true,
        decision: DecisionId::from_bits(n),
        hold: Some(HoldId::from_bits(n)),
        estimated: amounts(700),
        usage: None,
        usage_source: UsageSource::None,
        cost: None,
        http_status: None,
        error_code: None,
        retries: 0,
        started_at,
        first_byte_at: None,
        completed_at: None,
        correlation_id: format!("req_{n}"),
        tools: vec!["shell".to_owned()],
        input_fingerprint: Some("f1".to_owned()),
        parent: None,
    }
}

pub(crate) fn usage() -> TokenUsage {
    TokenUsage {
        input: 10,
        cache_read: 4,
        cache_write: 1,
        input_audio: 0,
        output: 20,
        reasoning: 7,
        output_audio: 0,
    }
}

pub(crate) fn cost(n: u128) -> CostRecord {
    CostRecord {
        id: CostId::from_bits(n),
        tenant: ACME,
        run: Some(RunId::from_bits(n)),
        hold: HoldId::from_bits(n),
        subject: subject().into(),
        model: Some("gpt-4o".to_owned()),
        usage: usage(),
        cost: NanoUsd(450),
        price_version: Some("2026-11-01".to_owned()),
        source: CostSource::Gateway,
        created_at: at(0),
        is_retry: n.is_multiple_of(2),
    }
}

pub(crate) fn error(n: u128) -> ErrorRecord {
    ErrorEnvelope::new::<L6, _>(
        InfraClass::Database,
        ErrorSeverity::Error,
        "store::db",
        "the disk is slow",
        ErrorId::from_bits(n),
        at(0),
    )
    .with_run_id(RunId::from_bits(n))
    .with_context("attempt", 3)
    .to_record()
}

/// Adds the tenant that most tests are about.
pub(crate) async fn add_acme(db: &Db) {
    db.write(|tx| store::tenants::insert(tx, &tenant(ACME, "acme")))
        .await
        .unwrap();
}

/// Adds the tenant with what costs and Incidents name: keys 3 and 4, and runs 1 to `runs`.
pub(crate) async fn add_spenders(db: &Db, runs: u128) {
    add_acme(db).await;
    db.write(move |tx| {
        store::keys::insert(tx, &key(3), "hash 3")?;
        store::keys::insert(tx, &key(4), "hash 4")?;
        store::runs::insert(tx, &(1..=runs).map(|n| run(n, at(0))).collect::<Vec<_>>())
    })
    .await
    .unwrap();
}

/// Adds the tenant with limits 1 to `count`.
pub(crate) async fn add_limits(db: &Db, count: u128) {
    add_acme(db).await;
    db.write(move |tx| (1..=count).try_for_each(|n| store::limits::insert(tx, &limit(n))))
        .await
        .unwrap();
}
