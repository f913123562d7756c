//! What has a Policy Rule prevented, and what would that have cost?

use std::collections::BTreeMap;

use model::audit::{AuditEvent, EntityType};
use model::id::{PreventionId, RuleId, SignatureId, TenantId};
use model::money::NanoUsd;
use model::permille::Permille;
use model::policy::{PreventionOutcome, Rule};
use model::text::is_hidden;
use model::time::Timestamp;
use model::timeline::SourceDomain;
use serde_json::json;
use store::preventions::Sum;
use store::{StoreError, StoreResult, Tx, TxError};

use crate::audit::{self, Author, Changed};
use crate::context::Context;
use crate::once::{Done, Once, OnceError, Render};
use crate::projections::WINDOW_DAYS;

/// The days that are looked back over, if nobody says.
pub const DAYS_DEFAULT: i64 = WINDOW_DAYS;
/// The most days that are looked back over.
pub const DAYS_MAX: i64 = 365;
const DAY_SECONDS: i64 = 86_400;
/// How long a reason is, in characters.
const REASON: std::ops::RangeInclusive<usize> = 10..=500;

/// Why nobody can say how effective a rule is, or that it was wrong.
#[derive(Debug, thiserror::Error)]
pub enum EffectivenessError {
    /// There is no such rule or prevention, or it is not the caller's.
    #[error("there is no such rule or prevention")]
    NotFound,
    /// The reason is not what it should be.
    #[error("the reason is not valid")]
    Reason,
    /// The idempotency key cannot be used.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// The database failed.
    #[error("the preventions could not be read or written")]
    Store(#[from] StoreError),
}

impl TxError for EffectivenessError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Once(OnceError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

/// What became of the LLM Runs that a rule met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// They did not run.
    pub prevented: i64,
    /// They ran, and the harm was less.
    pub mitigated: i64,
    /// They ran and failed all the same.
    pub failed: i64,
    /// What failing would have cost those that did not run, without false positives.
    pub saved: NanoUsd,
}

impl Counts {
    /// Takes what was no failure out of what was saved.
    fn take_out(&mut self, wrong: &Sum) {
        if wrong.outcome == PreventionOutcome::Prevented {
            self.saved = NanoUsd(self.saved.0.saturating_sub(wrong.saving.0).max(0));
        }
    }

    fn add(&mut self, sum: &Sum) {
        let of = match sum.outcome {
            PreventionOutcome::Prevented => &mut self.prevented,
            PreventionOutcome::Mitigated => &mut self.mitigated,
            PreventionOutcome::Failed => &mut self.failed,
        };
        *of = of.saturating_add(sum.times);
        // What ran was paid for, whatever came of it.
        if sum.outcome == PreventionOutcome::Prevented {
            self.saved = NanoUsd(self.saved.0.saturating_add(sum.saving.0));
        }
    }
}

/// How effective a rule was in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effectiveness {
    /// Which rule.
    pub rule: RuleId,
    /// How many days the window has.
    pub window_days: i64,
    /// All of it.
    pub counts: Counts,
    /// When it last prevented one, in the window.
    pub last_prevented_at: Option<Timestamp>,
    /// The failure that it came from, in Incidents: how often in the window before it was made, and how many since, at
    /// most the window's.
    pub incidents: (i64, i64),
    /// How many preventions people have called false positives.
    pub false_positives: i64,
    /// The share of what it met or missed that it rightly kept from running: prevented without false positives, of
    /// prevented, mitigated, failed and Incidents since; none if there was nothing.
    pub rate: Option<Permille>,
    /// Day by day (UTC): the first instant of each day of the window, oldest first, and what happened in it.
    pub trend: Vec<(Timestamp, Counts)>,
}

/// How effective a rule was in the last `days` days, today included.
///
/// # Errors
/// [`EffectivenessError::NotFound`].
pub async fn of_rule(
    cx: &Context,
    tenant: TenantId,
    rule: RuleId,
    days: i64,
) -> Result<Effectiveness, EffectivenessError> {
    let now = cx.clock.now();
    cx.db
        .read(move |tx| -> Result<Effectiveness, EffectivenessError> {
            let rule = store::policy_rules::find(tx, tenant, rule)?.ok_or(EffectivenessError::NotFound)?;
            Ok(measured(tx, tenant, &rule, (now, days))?)
        })
        .await
}

fn measured(
    tx: &mut impl Tx,
    tenant: TenantId,
    rule: &Rule,
    (now, days): (Timestamp, i64),
) -> StoreResult<Effectiveness> {
    let today = now
        .as_micros()
        .div_euclid(DAY_SECONDS * Timestamp::MICROS_PER_SECOND);
    let start_of = |day: i64| Timestamp::from_micros(day * DAY_SECONDS * Timestamp::MICROS_PER_SECOND);
    let first = today - days + 1;
    let since = start_of(first);
    let sums = store::preventions::sums(tx, tenant, rule.id, since)?;
    let mut by_day: BTreeMap<i64, Counts> = (first..=today).map(|day| (day, Counts::default())).collect();
    let mut counts = Counts::default();
    for sum in &sums {
        counts.add(sum);
        by_day.entry(sum.day).or_default().add(sum);
    }
    let prevented = sums
        .iter()
        .filter(|sum| sum.outcome == PreventionOutcome::Prevented);
    let last_prevented_at = prevented.map(|sum| sum.last_at).max();
    let wrong = store::preventions::false_positives(tx, tenant, rule.id, since)?;
    for sum in &wrong {
        counts.take_out(sum);
        by_day.entry(sum.day).or_default().take_out(sum);
    }
    let false_positives: i64 = wrong.iter().map(|sum| sum.times).sum();
    let wrongly: i64 = wrong
        .iter()
        .filter(|sum| sum.outcome == PreventionOutcome::Prevented)
        .map(|sum| sum.times)
        .sum();
    let incidents = incidents_of(tx, tenant, rule, (since, now, days))?;
    let met = counts.prevented + counts.mitigated + counts.failed + incidents.1;
    let right = (counts.prevented - wrongly).max(0);
    let share = |part: i64, whole: i64| {
        Permille::of(
            u64::try_from(part).unwrap_or(0),
            u64::try_from(whole).unwrap_or(0),
        )
    };
    Ok(Effectiveness {
        rule: rule.id,
        window_days: days,
        last_prevented_at,
        incidents,
        false_positives,
        rate: (met > 0).then(|| share(right, met)),
        trend: by_day
            .into_iter()
            .map(|(day, counts)| (start_of(day), counts))
            .collect(),
        counts,
    })
}

/// How often the failure that a rule was made for was in Incidents: in as many days before it, and since.
fn incidents_of(
    tx: &mut impl Tx,
    tenant: TenantId,
    rule: &Rule,
    (since, now, days): (Timestamp, Timestamp, i64),
) -> StoreResult<(i64, i64)> {
    let Some(failure) = failure_of(tx, tenant, rule)? else {
        return Ok((0, 0));
    };
    // What opened the Incident that it came from was before it, also in the same instant.
    let made = rule.created_at;
    let behind = Timestamp::from_micros(made.as_micros().saturating_add(1));
    let before = (made.plus_seconds(-days * DAY_SECONDS), behind);
    let after = (behind.max(since), now.plus_millis(1));
    Ok((
        store::incidents::of_failure(tx, tenant, failure, before)?,
        store::incidents::of_failure(tx, tenant, failure, after)?,
    ))
}

/// The failure that a rule was made for: that of its proposal, or of the Incident that it came from.
fn failure_of(tx: &mut impl Tx, tenant: TenantId, rule: &Rule) -> StoreResult<Option<SignatureId>> {
    if let Some(proposal) = rule.source_proposal
        && let Some(found) = store::proposals::find(tx, tenant, proposal)?
        && let Some(signature) = found.provenance.signature
    {
        return Ok(Some(signature));
    }
    let Some(incident) = rule.source_incident else {
        return Ok(None);
    };
    let found = store::incidents::find(tx, tenant, incident)?;
    Ok(found
        .and_then(|incident| incident.creation.signature)
        .map(|signature| signature.id()))
}

/// Writes down that a rule was wrong to prevent an LLM Run. Saying it again changes the reason.
///
/// # Errors
/// [`EffectivenessError`].
pub async fn false_positive(
    cx: &Context,
    author: Author,
    (tenant, id): (TenantId, PreventionId),
    reason: String,
    once: Option<Once>,
    render: Render<PreventionId>,
) -> Result<Done<PreventionId>, EffectivenessError> {
    let length = reason.trim().chars().count();
    if !REASON.contains(&length) || reason.chars().any(|c| is_hidden(c) && c != '\n') {
        return Err(EffectivenessError::Reason);
    }
    let (clock, ids) = (cx.clock.clone(), cx.ids.clone());
    cx.db
        .write(move |tx| -> Result<Done<PreventionId>, EffectivenessError> {
            if let Some(before) = once.as_ref().map(|once| once.before(tx)).transpose()?.flatten() {
                return Ok(Done::Before(before));
            }
            let now = clock.now();
            let rule = store::preventions::rule_of(tx, tenant, id)?.ok_or(EffectivenessError::NotFound)?;
            let by = author.actor.name();
            store::preventions::say(tx, (tenant, id), true, (by, Some(reason.trim())), now)?;
            audit::record(
                tx,
                ids.as_ref(),
                &author,
                said(tenant, rule, id, reason.trim()),
                now,
            )?;
            let body = render(&id);
            if let Some(once) = &once {
                once.record(tx, 200, &body, now)?;
            }
            Ok(Done::Now(id, body))
        })
        .await
}

fn said(tenant: TenantId, rule: RuleId, id: PreventionId, reason: &str) -> Changed {
    Changed {
        tenant,
        event: AuditEvent::PreventionMarkedFalsePositive,
        entity_type: EntityType::PolicyRule,
        entity_id: rule.to_string(),
        reason: Some(reason.to_owned()),
        before: None,
        after: Some(json!({ "prevention_id": id, "false_positive": true })),
        source: SourceDomain::Policies,
        event_type: "prevention_marked_false_positive",
        summary: format!("A prevention of {rule} was called a false positive"),
        related: json!({ "rule_id": rule, "prevention_id": id }),
    }
}
