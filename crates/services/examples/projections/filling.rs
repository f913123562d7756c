//! What does a tenant have that has been here for a while?

use std::sync::Arc;

use model::amounts::Amounts;
use model::breach::{Breach, BreachType};
use model::hold::Subject;
use model::id::{BreachId, DecisionId, EnforcementId, LimitId, RunId, TenantId};
use model::limit::{Enforcement, Handling, Limit, LimitCategory, LimitScope, LimitStatus, LimitType};
use model::policy::{Enforcement as Done, EnforcementAction, Stage};
use model::run::{Operation, Run, RunStatus, UsageSource};
use model::severity::Severity;
use model::tenant::{FreezeState, Tenant};
use model::time::Timestamp;
use model::window::{ResetPeriod, WindowSpec};
use store::policy_rules::Change;
use store::{Db, StoreError, StoreResult};
use testkit::governance::{TestIncident, acknowledged, incident, resolved, rule};

/// Who has all of it.
pub(crate) const TENANT: TenantId = TenantId::from_bits(77);

/// Over how many seconds it was collected: 40 days, so that a part is older than what is counted.
const SPAN_SECONDS: u128 = 40 * 86_400;
/// Rows of a transaction.
const CHUNK: u128 = 2_000;

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Volume {
    runs: u128,
    breaches: u128,
    limits: u128,
    rules: u128,
    triggers: u128,
    incidents: u128,
}

impl Volume {
    pub(crate) const FULL: Self = Self {
        runs: 1_000_000,
        breaches: 100_000,
        limits: 1_000,
        rules: 10_000,
        triggers: 100_000,
        incidents: 100_000,
    };
    pub(crate) const TENTH: Self = Self {
        runs: 100_000,
        breaches: 10_000,
        limits: 100,
        rules: 1_000,
        triggers: 10_000,
        incidents: 10_000,
    };
}

/// The `n`th of `all` instants before `now`, evenly.
fn when(now: Timestamp, n: u128, all: u128) -> Timestamp {
    let ago = i64::try_from(SPAN_SECONDS * (all - n) / all).unwrap_or_default();
    now.plus_seconds(-ago)
}

/// Does something for the numbers from 1 on, in transactions of bounded size.
async fn in_chunks<F>(db: &Db, all: u128, work: F) -> StoreResult<()>
where
    F: Fn(&mut store::LockTx<'_>, std::ops::RangeInclusive<u128>) -> StoreResult<()> + Clone + Send + 'static,
{
    let mut next = 1;
    while next <= all {
        let last = (next + CHUNK - 1).min(all);
        let (work, numbers) = (work.clone(), next..=last);
        db.locked(move |tx| -> Result<(), StoreError> { work(tx, numbers.clone()) })
            .await?;
        next = last + 1;
    }
    Ok(())
}

pub(crate) async fn fill(db: &Db, volume: Volume, now: Timestamp) -> StoreResult<()> {
    let tenant = Tenant {
        id: TENANT,
        name: "bench".to_owned(),
        state: FreezeState::Active,
        freeze_reason: None,
        floor_price: None,
        two_person_review: false,
        created_at: now,
    };
    db.write(move |tx| store::tenants::insert(tx, &tenant)).await?;
    in_chunks(db, volume.limits, move |tx, numbers| {
        numbers
            .into_iter()
            .try_for_each(|n| store::limits::insert(tx, &limit(n, when(now, n, volume.limits))))
    })
    .await?;
    in_chunks(db, volume.rules, move |tx, numbers| {
        let nobody = Change {
            by: None,
            reason: None,
        };
        numbers.into_iter().try_for_each(|n| {
            store::policy_rules::insert(tx, &rule(TENANT, n, when(now, n, volume.rules)), nobody)
        })
    })
    .await?;
    in_chunks(db, volume.runs, move |tx, numbers| {
        let list: Vec<_> = numbers.map(|n| run(n, when(now, n, volume.runs))).collect();
        store::runs::insert(tx, &list)
    })
    .await?;
    in_chunks(db, volume.breaches, move |tx, numbers| {
        let list: Vec<_> = numbers
            .map(|n| breach(n, n % volume.limits + 1, when(now, n, volume.breaches)))
            .collect();
        store::breaches::insert(tx, &list)
    })
    .await?;
    in_chunks(db, volume.triggers, move |tx, numbers| {
        // Every other rule has something to do.
        let list: Vec<_> = numbers
            .map(|n| trigger(n, 2 * (n % (volume.rules / 2)) + 1, when(now, n, volume.triggers)))
            .collect();
        store::enforcements::insert(tx, &list)
    })
    .await?;
    in_chunks(db, volume.incidents, move |tx, numbers| {
        numbers.into_iter().try_for_each(|n| {
            store::incidents::append(tx, &made(n, when(now, n, volume.incidents)).history())
        })
    })
    .await
}

/// Two of three are over, one of ten is critical.
fn made(n: u128, at: Timestamp) -> TestIncident {
    let severity = if n.is_multiple_of(10) {
        Severity::Sev1
    } else {
        Severity::Sev2
    };
    let mut new = incident(TENANT, n, at);
    new.creation.severity = severity;
    match n % 6 {
        0 => new,
        1 => acknowledged(new, at),
        _ => resolved(new, at),
    }
}

fn limit(n: u128, at: Timestamp) -> Limit {
    Limit {
        id: LimitId::from_bits(n),
        tenant: TENANT,
        name: format!("budget {n}"),
        description: None,
        category: LimitCategory::Budget,
        limit_type: LimitType::CostUsd,
        scope: LimitScope::Tenant,
        scope_id: None,
        api_key_id: None,
        model: Some(format!("model-{n}")),
        feature: None,
        end_user: None,
        max: 1_000_000_000,
        raise: None,
        overrun: None,
        window: WindowSpec::Calendar {
            period: ResetPeriod::Daily,
            zone: model::zone::Zone::UTC,
            week_start: model::window::Weekday::Monday,
        },
        enforcement: Enforcement::Block,
        handling: Handling::default(),
        status: LimitStatus::Active,
        created_at: at,
        updated_at: at,
    }
}

fn run(n: u128, at: Timestamp) -> Run {
    Run {
        id: RunId::from_bits(n),
        tenant: TENANT,
        status: RunStatus::Succeeded,
        operation: Operation::Chat,
        subject: Arc::new(Subject {
            provider: Some("openai".to_owned()),
            model: Some("gpt-4o".to_owned()),
            ..Subject::default()
        }),
        served_model: None,
        stream: false,
        decision: DecisionId::from_bits(n),
        hold: None,
        estimated: Amounts::ZERO,
        usage: None,
        usage_source: UsageSource::None,
        cost: None,
        http_status: Some(200),
        error_code: None,
        retries: 0,
        started_at: at,
        first_byte_at: None,
        completed_at: Some(at),
        correlation_id: "req_bench".to_owned(),
        tools: Vec::new(),
        input_fingerprint: None,
        parent: None,
    }
}

fn breach(n: u128, limit: u128, at: Timestamp) -> Breach {
    Breach {
        id: BreachId::from_bits(n),
        tenant: TENANT,
        limit_owner: TENANT,
        limit: LimitId::from_bits(limit),
        run: Some(RunId::from_bits(n)),
        decision: DecisionId::from_bits(n),
        breach_type: BreachType::Breached,
        value: 2,
        max: 1,
        at,
    }
}

fn trigger(n: u128, rule: u128, at: Timestamp) -> Done {
    Done {
        id: EnforcementId::from_bits(n),
        tenant: TENANT,
        rule_owner: TENANT,
        rule: model::id::RuleId::from_bits(rule),
        rule_version: 1,
        run: Some(RunId::from_bits(n)),
        decision: None,
        action: EnforcementAction::Blocked,
        stage: Stage::Input,
        details: "{}".to_owned(),
        at,
    }
}
