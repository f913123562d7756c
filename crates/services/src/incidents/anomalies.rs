//! What becomes of costs that are not usual, or not allowed?
//!
//! Now and then each tenant's days are added up and its budgets looked at. What is found is kept, once a day; what is HIGH
//! opens an Incident, or is added to the one that is about the same. A warning opens none: it is kept.

use std::collections::BTreeSet;

use domain::anomalies::{Budget, HISTORY_DAYS, Input, detect};
use domain::attribution::{Facts, attribute};
use domain::pipeline::signals::{SignalDraft, own};
use model::anomaly::{Anomaly, AnomalyEntity, AnomalySeverity, AnomalyType, Finding};
use model::authority::AuthorityContext;
use model::id::{AnomalyId, IdGenerator, IncidentId, LimitId, TenantId};
use model::incident::{CauseType, Creation, IncidentCategory, IncidentSource, Occurrence};
use model::limit::{LimitCategory, LimitType};
use model::money::NanoUsd;
use model::time::Timestamp;
use model::timeline::SourceDomain;
use serde_json::json;
use store::costs::{anomalies, days};
use store::{StoreError, WriteTx};

use super::{ENGINE, IncidentError, Opened, again, pipeline};
use crate::audit::{self, Author, Told};
use crate::context::Context;
use crate::limits::LimitError;
use crate::measure::{self, Counted};

/// Tenants that are looked at in one go.
const TENANTS_MOST: i64 = 100;
/// How long after its end a day is added up for the last time, in seconds: what was served before is settled by then.
const DONE_AFTER_SECONDS: i64 = 3_600;
/// Anomalies that are shown of an Incident.
const SHOWN_MOST: i64 = 200;
/// What it happens to where nobody is named.
const SERVICE: &str = "llm";

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Anomalies that nobody had found that day.
    pub anomalies: u64,
    /// Incidents that were opened.
    pub incidents: u64,
    /// Anomalies that were added to an Incident that is going on.
    pub again: u64,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.anomalies += other.anomalies;
        self.incidents += other.incidents;
        self.again += other.again;
    }
}

/// Looks at the costs of every tenant. One whose costs cannot be looked at is logged, tried again at the next turn, and
/// holds up none of the others.
///
/// # Errors
/// What the database says.
pub async fn detect_all(cx: &Context) -> Result<Found, StoreError> {
    let (mut sum, mut before) = (Found::default(), None);
    loop {
        let tenants = cx
            .db
            .read(move |tx| store::tenants::list(tx, before, TENANTS_MOST))
            .await?;
        for tenant in &tenants {
            match detect_one(cx, tenant.id).await {
                Ok(found) => sum.add(found),
                Err(error) => {
                    let tenant_id = tenant.id;
                    tracing::error!(%error, %tenant_id, "the costs of a tenant could not be looked at yet");
                }
            }
        }
        before = tenants.last().map(|last| last.id);
        if i64::try_from(tenants.len()).is_ok_and(|found| found < TENANTS_MOST) {
            return Ok(sum);
        }
    }
}

/// Looks at the costs of one tenant.
///
/// # Errors
/// What the database says.
pub async fn detect_one(cx: &Context, tenant: TenantId) -> Result<Found, StoreError> {
    let now = cx.clock.now();
    let today = now.day();
    let from = today.saturating_sub(HISTORY_DAYS);
    add_up(cx, tenant, (from, now)).await?;
    let spent = cx.db.read(move |tx| days::since(tx, tenant, from)).await?;
    let allowed = budgets(cx, tenant).await?;
    let found = detect(&Input {
        today,
        days: &spent,
        budgets: &allowed,
    });
    let mut sum = Found::default();
    for finding in found {
        let (ids, about) = (cx.ids.clone(), finding.clone());
        let made = cx
            .db
            .write(move |tx| commit(tx, ids.as_ref(), (tenant, finding.clone()), now));
        match made.await {
            Ok((made, counted)) => {
                measure::pipeline(&counted);
                sum.add(made);
            }
            Err(error) => {
                let what = about.anomaly_type.as_str();
                tracing::warn!(%error, tenant_id = %tenant, what, "a cost anomaly could not be written down yet");
            }
        }
    }
    Ok(sum)
}

/// The anomalies that have led to an Incident.
///
/// # Errors
/// What the database says.
pub async fn of_incident(
    cx: &Context,
    tenant: TenantId,
    incident: IncidentId,
) -> Result<Vec<Anomaly>, StoreError> {
    cx.db
        .read(move |tx| anomalies::of_incident(tx, tenant, incident, SHOWN_MOST))
        .await
}

/// Adds up the days that are not done, from the first on that cost something: today, and those that nobody has looked at
/// since they were over. Of a tenant that spends nothing nothing is written.
async fn add_up(cx: &Context, tenant: TenantId, (from, now): (i64, Timestamp)) -> Result<(), StoreError> {
    let first = cx.db.read(move |tx| days::first(tx, tenant, from));
    let Some(from) = first.await? else {
        return Ok(());
    };
    let summed = cx.db.read(move |tx| days::summed(tx, tenant, from)).await?;
    let is_done = |(day, at): &(i64, Timestamp)| {
        let over = Timestamp::start_of_day(day.saturating_add(1));
        *at >= over.plus_seconds(DONE_AFTER_SECONDS)
    };
    let done: BTreeSet<i64> = summed
        .iter()
        .filter(|of| is_done(of))
        .map(|(day, _)| *day)
        .collect();
    for day in (from..=now.day()).filter(|day| !done.contains(day)) {
        let spent = cx.db.read(move |tx| days::of_records(tx, tenant, day)).await?;
        cx.db.write(move |tx| days::keep(tx, tenant, &spent, now)).await?;
    }
    Ok(())
}

/// The tenant's own budgets of money, with what was spent of each in its window.
async fn budgets(cx: &Context, tenant: TenantId) -> Result<Vec<Budget>, StoreError> {
    let used = match crate::limits::usage(cx, tenant).await {
        Ok(used) => used,
        Err(LimitError::Store(error)) => return Err(error),
        Err(_) => Vec::new(),
    };
    let is_money =
        |category, limit_type| category == LimitCategory::Budget && limit_type == LimitType::CostUsd;
    let own = used
        .into_iter()
        .filter(|of| of.limit.tenant == tenant && is_money(of.limit.category, of.limit.limit_type));
    Ok(own
        .map(|of| Budget {
            limit: of.limit.id.to_string(),
            spent: NanoUsd(of.settled),
            max: NanoUsd(of.max),
        })
        .collect())
}

/// Keeps what was found, and has an Incident opened where that is called for and has not been done.
fn commit(
    tx: &mut WriteTx<'_>,
    ids: &dyn IdGenerator,
    (tenant, finding): (TenantId, Finding),
    now: Timestamp,
) -> Result<(Found, Counted), IncidentError> {
    let (mut made, author, day) = (Found::default(), Author::system(), now.day());
    let before = anomalies::same(tx, (tenant, day), &finding)?;
    let is_new = before.is_none();
    let mut anomaly = Anomaly {
        id: before
            .as_ref()
            .map_or_else(|| AnomalyId::generate(ids), |it| it.id),
        tenant,
        day,
        limit: match finding.entity {
            AnomalyEntity::Limit => finding.entity_id.parse::<LimitId>().ok(),
            AnomalyEntity::Tenant | AnomalyEntity::User | AnomalyEntity::Feature => None,
        },
        incident: before.as_ref().and_then(|it| it.incident),
        detected_at: before.as_ref().map_or(now, |it| it.detected_at),
        updated_at: now,
        finding,
    };
    if is_new {
        anomalies::insert(tx, &anomaly)?;
        audit::tell(tx, ids, &author, told(&anomaly), now)?;
        made.anomalies = 1;
    }
    let mut counted = Counted::default();
    if anomaly.incident.is_none() && calls_for_one(&anomaly.finding) {
        anomaly.incident = open(tx, ids, (&author, &anomaly), (&mut made, &mut counted), now)?;
    }
    if !is_new || anomaly.incident.is_some() {
        anomalies::update(tx, &anomaly)?;
    }
    Ok((made, counted))
}

/// Whether an Incident comes of it: it is HIGH, and no warning of what has not happened yet.
fn calls_for_one(finding: &Finding) -> bool {
    finding.severity == AnomalySeverity::High && finding.anomaly_type != AnomalyType::BudgetWarning
}

/// The Incident of an anomaly: the one that is about the same today or still, else a new one. None if the gate says no.
fn open(
    tx: &mut WriteTx<'_>,
    ids: &dyn IdGenerator,
    (author, anomaly): (&Author, &Anomaly),
    (made, counted): (&mut Found, &mut Counted),
    now: Timestamp,
) -> Result<Option<IncidentId>, IncidentError> {
    let tenant = anomaly.tenant;
    let draft = own::cost_anomaly(anomaly, service(&anomaly.finding), now);
    let creation = creation(anomaly, &draft, author);
    let fingerprint = creation.fingerprint.as_deref().unwrap_or_default();
    let same = store::incidents::same(tx, tenant, fingerprint)?;
    if same.is_none()
        && let Some(id) = store::incidents::latest(tx, tenant, fingerprint)?
        && store::incidents::find(tx, tenant, id)?.is_some_and(|it| it.created_at.day() == anomaly.day)
    {
        // It was seen to today.
        return Ok(Some(id));
    }
    let incident = same.as_ref().map_or_else(
        || IncidentId::derive(tenant, &creation.identity),
        |same| same.incident.id,
    );
    let asked = pipeline::Asked {
        tenant,
        naming: pipeline::Naming::Given {
            incident,
            active: again::let_through(same.as_ref()),
        },
        authority: AuthorityContext::engine(ENGINE, now),
        request_id: author.correlation_id.clone(),
    };
    let noticed = pipeline::notice(tx, tenant, &draft, now)?;
    let decided = pipeline::decide(tx, &noticed, &asked, now)?;
    *counted = decided.counted;
    if let Some(same) = &same {
        let occurrence = Occurrence {
            signal_id: noticed.signal.id.to_string(),
            checksum: Some(noticed.signal.raw_checksum.to_string()),
            run: None,
            signature: None,
            cost: NanoUsd::ZERO,
        };
        made.again = 1;
        let is_opened = again::attach(tx, ids, author, (same, occurrence, decided.promotion()), now)?;
        made.incidents = u64::from(is_opened);
        return Ok(Some(incident));
    }
    let opening = super::open(tx, ids, author, (tenant, creation, decided.promotion()), now)?;
    made.incidents = u64::from(opening == Opened::Open);
    Ok((opening != Opened::Refused).then_some(incident))
}

/// Whose spending it is, where it has a name that a service may have.
fn service(finding: &Finding) -> &str {
    match finding.entity {
        AnomalyEntity::Feature => &finding.entity_id,
        AnomalyEntity::Tenant | AnomalyEntity::User | AnomalyEntity::Limit => SERVICE,
    }
}

fn creation(anomaly: &Anomaly, draft: &SignalDraft, author: &Author) -> Creation {
    let found = &anomaly.finding;
    let (category, fingerprint) = match anomaly.limit {
        // The same as of what breaches the Limit: it is one Incident.
        Some(limit) => (
            IncidentCategory::BudgetExceeded,
            format!("limit {} {limit} budget", anomaly.tenant),
        ),
        None => (
            IncidentCategory::CostAnomaly,
            format!(
                "cost-anomaly {} {} {}",
                found.anomaly_type.as_str(),
                found.entity.as_str(),
                found.entity_id
            ),
        ),
    };
    let share = if anomaly.limit.is_some() { "of it" } else { "more" };
    Creation {
        identity: format!("anomaly {}", anomaly.id),
        source: IncidentSource::Promotion,
        severity: draft.severity,
        category,
        cause_type: CauseType::System,
        attribution: attribute(&Facts::of_category(category)),
        service: draft.service.clone(),
        title: draft.title.clone(),
        description: format!(
            "{} was spent where {} was expected: {} % {share}.",
            found.current, found.expected, found.deviation_pct
        ),
        tags: vec!["cost-anomaly".to_owned()],
        run: None,
        error_code: Some(found.anomaly_type.as_str().to_owned()),
        signature: None,
        fingerprint: Some(fingerprint),
        cost: NanoUsd::ZERO,
        correlation_id: author.correlation_id.clone(),
    }
}

fn told(anomaly: &Anomaly) -> Told {
    let found = &anomaly.finding;
    let is_exceeded = found.anomaly_type == AnomalyType::BudgetExceeded;
    Told {
        tenant: anomaly.tenant,
        source: SourceDomain::Analytics,
        event_type: if is_exceeded {
            "budget_exceeded"
        } else {
            "anomaly_detected"
        },
        entity_id: anomaly.id.to_string(),
        related: json!({ "limit_id": anomaly.limit }),
        summary: format!(
            "{} was spent where {} was expected.",
            found.current, found.expected
        ),
        data: json!({
            "anomaly_type": found.anomaly_type,
            "severity": found.severity,
            "entity_type": found.entity,
            "entity_id": found.entity_id,
            "current_nano_usd": found.current.0.to_string(),
            "expected_nano_usd": found.expected.0.to_string(),
            "deviation_pct": found.deviation_pct,
            "derived_cause": found.derived_cause,
        }),
    }
}
