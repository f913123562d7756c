//! What do the Incidents of the last hours have in common?
//!
//! At most [`ROWS_MAX`] of the newest are looked at, in a few words each, along one index: what a request costs does not
//! grow with the history of its tenant.

use std::collections::{BTreeMap, BTreeSet};

use model::id::{IncidentId, RuleId, RunId, SignatureId, TenantId};
use model::incident::{Incident, IncidentCategory};
use model::money::NanoUsd;
use model::pattern::PatternType;
use model::permille::Permille;
use model::severity::Severity;
use model::time::Timestamp;
use store::incidents::{Brief, Lately};
use store::{StoreError, StoreResult, Tx};

use crate::context::Context;

/// The most Incidents that one request looks at.
pub const ROWS_MAX: i64 = 5_000;
/// What is brought together by severity has happened within so many seconds.
const SPIKE_SECONDS: i64 = 3_600;

/// Something that several Incidents have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// What.
    pub pattern_type: PatternType,
    /// The category that they are of.
    pub category: Option<IncidentCategory>,
    /// The severity that they have.
    pub severity: Option<Severity>,
    /// The LLM Run that they come from.
    pub run: Option<RunId>,
    /// How sure it is that they belong together.
    pub confidence: Permille,
    /// Which they are, newest first.
    pub incidents: Vec<IncidentId>,
    /// When the first came to be.
    pub first_at: Timestamp,
    /// When the last did.
    pub last_at: Timestamp,
    /// What they cost together.
    pub cost: NanoUsd,
}

/// A failure and the Incidents of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failures {
    /// Which failure.
    pub signature: SignatureId,
    /// The newest of its Incidents.
    pub latest: Incident,
    /// How many Incidents it has.
    pub incidents: usize,
    /// How many of them are not over.
    pub open: usize,
    /// When the first came to be.
    pub first_at: Timestamp,
    /// When the last did.
    pub last_at: Timestamp,
    /// What they cost together.
    pub cost: NanoUsd,
    /// The ACTIVE Policy Rule that was made for it, if there is one.
    pub rule: Option<RuleId>,
}

/// What the Incidents of a window have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patterns {
    /// What several have in common, the surest first.
    pub patterns: Vec<Pattern>,
    /// The failures, the most frequent first.
    pub failures: Vec<Failures>,
    /// How many Incidents were looked at.
    pub looked_at: usize,
    /// Whether there were more, which were not.
    pub is_cut: bool,
    /// When.
    pub at: Timestamp,
}

/// What the Incidents of the last `hours` have in common, at most `most` of each kind.
///
/// # Errors
/// What the database says.
pub async fn patterns(
    cx: &Context,
    tenant: TenantId,
    hours: i64,
    most: usize,
) -> Result<Patterns, StoreError> {
    let now = cx.clock.now();
    let from = now.plus_seconds(-hours * 3_600);
    cx.db
        .read(move |tx| -> StoreResult<Patterns> {
            let Lately { rows, is_cut } = store::incidents::window(tx, tenant, from, ROWS_MAX)?;
            Ok(Patterns {
                patterns: found(&rows, most),
                failures: failures(tx, tenant, &rows, most)?,
                looked_at: rows.len(),
                is_cut,
                at: now,
            })
        })
        .await
}

/// So many thousandths, more of them with each Incident beyond the `least`.
fn confidence((base, step, cap): (u16, u16, u16), count: usize, least: usize) -> Permille {
    let more = u16::try_from(count.saturating_sub(least)).unwrap_or(u16::MAX);
    Permille::new(base.saturating_add(step.saturating_mul(more)).min(cap))
}

/// What several of the rows, newest first, have in common.
fn found(rows: &[Brief], most: usize) -> Vec<Pattern> {
    let mut patterns = clusters(rows);
    patterns.extend(spikes(rows));
    patterns.extend(cascades(rows));
    patterns.sort_by(|a, b| {
        let rank = |of: &Pattern| (of.confidence, of.incidents.len(), of.last_at);
        rank(b).cmp(&rank(a))
    });
    patterns.truncate(most);
    patterns
}

fn pattern(pattern_type: PatternType, confidence: Permille, rows: &[&Brief]) -> Option<Pattern> {
    let (last, first) = (rows.first()?, rows.last()?);
    Some(Pattern {
        pattern_type,
        category: None,
        severity: None,
        run: None,
        confidence,
        incidents: rows.iter().map(|row| row.id).collect(),
        first_at: first.at,
        last_at: last.at,
        cost: cost(rows),
    })
}

pub(super) fn cost(rows: &[&Brief]) -> NanoUsd {
    NanoUsd(
        rows.iter()
            .fold(0, |sum: i64, row| sum.saturating_add(row.cost.0)),
    )
}

/// The rows by what they have in common, each group newest first.
pub(super) fn by<K: Ord>(rows: &[Brief], key: impl Fn(&Brief) -> Option<K>) -> BTreeMap<K, Vec<&Brief>> {
    let mut groups: BTreeMap<K, Vec<&Brief>> = BTreeMap::new();
    for row in rows {
        if let Some(key) = key(row) {
            groups.entry(key).or_default().push(row);
        }
    }
    groups
}

fn clusters(rows: &[Brief]) -> Vec<Pattern> {
    const LEAST: usize = 3;
    let groups = by(rows, |row| Some(row.category)).into_iter();
    let groups = groups.filter(|(_, rows)| rows.len() >= LEAST);
    let cluster = |(category, rows): (IncidentCategory, Vec<&Brief>)| {
        let sure = confidence((500, 100, 950), rows.len(), LEAST);
        Some(Pattern {
            category: Some(category),
            ..pattern(PatternType::CategoryCluster, sure, &rows)?
        })
    };
    groups.filter_map(cluster).collect()
}

fn spikes(rows: &[Brief]) -> Vec<Pattern> {
    const LEAST: usize = 3;
    let severe = [(Severity::Sev1, 800), (Severity::Sev2, 700)].into_iter();
    let spike = |(severity, base)| {
        let rows: Vec<&Brief> = rows.iter().filter(|row| row.severity == severity).collect();
        let densest = densest(&rows);
        if densest.len() < LEAST {
            return None;
        }
        let sure = confidence((base, 50, 980), densest.len(), LEAST);
        Some(Pattern {
            severity: Some(severity),
            ..pattern(PatternType::SeveritySpike, sure, densest)?
        })
    };
    severe.filter_map(spike).collect()
}

/// The hour in which there were the most of them, the latest of several.
fn densest<'r, 'b>(rows: &'r [&'b Brief]) -> &'r [&'b Brief] {
    let mut best: &[&Brief] = &[];
    let mut end = 0;
    for (start, latest) in rows.iter().enumerate() {
        let from = latest.at.plus_seconds(-SPIKE_SECONDS);
        while rows.get(end).is_some_and(|row| row.at >= from) {
            end += 1;
        }
        if let Some(within) = rows.get(start..end)
            && within.len() > best.len()
        {
            best = within;
        }
    }
    best
}

fn cascades(rows: &[Brief]) -> Vec<Pattern> {
    const LEAST: usize = 2;
    let groups = by(rows, |row| row.run).into_iter();
    let groups = groups.filter(|(_, rows)| rows.len() >= LEAST);
    let cascade = |(run, rows): (RunId, Vec<&Brief>)| {
        let sure = confidence((750, 100, 950), rows.len(), LEAST);
        Some(Pattern {
            run: Some(run),
            ..pattern(PatternType::CascadeFailure, sure, &rows)?
        })
    };
    groups.filter_map(cascade).collect()
}

fn failures(tx: &mut impl Tx, tenant: TenantId, rows: &[Brief], most: usize) -> StoreResult<Vec<Failures>> {
    let mut groups: Vec<(SignatureId, Vec<&Brief>)> = by(rows, |row| row.signature).into_iter().collect();
    groups.sort_by(|(a, theirs), (b, others)| {
        let rank = |rows: &[&Brief]| (rows.len(), rows.first().map(|row| row.at));
        rank(others).cmp(&rank(theirs)).then(a.cmp(b))
    });
    groups.truncate(most);
    let latest: Vec<IncidentId> = groups
        .iter()
        .filter_map(|(_, rows)| Some(rows.first()?.id))
        .collect();
    let latest = store::incidents::find_all(tx, tenant, &latest)?;
    let mut latest: BTreeMap<IncidentId, Incident> = latest.into_iter().map(|one| (one.id, one)).collect();
    let mut shown: BTreeMap<SignatureId, Incident> = BTreeMap::new();
    for (signature, rows) in &groups {
        let first = rows.first().and_then(|row| latest.remove(&row.id));
        let newest = match first {
            Some(first) => Some(first),
            None => readable(tx, tenant, rows)?,
        };
        shown.extend(newest.map(|one| (*signature, one)));
    }
    let rules = answers(tx, tenant, &groups)?;
    let failures = groups.into_iter().filter_map(|(signature, rows)| {
        let (last, first) = (rows.first()?, rows.last()?);
        let rule = rules.get(&signature).or_else(|| rules.get(&last.family?));
        Some(Failures {
            signature,
            latest: shown.remove(&signature)?,
            incidents: rows.len(),
            open: rows.iter().filter(|row| row.over_at.is_none()).count(),
            first_at: first.at,
            last_at: last.at,
            cost: cost(&rows),
            rule: rule.copied(),
        })
    });
    Ok(failures.collect())
}

/// The newest that can be read: one that somebody has changed by hand must not hide the others of its failure.
fn readable(tx: &mut impl Tx, tenant: TenantId, rows: &[&Brief]) -> StoreResult<Option<Incident>> {
    for row in rows {
        let found = store::incidents::find_all(tx, tenant, &[row.id])?;
        if let Some(found) = found.into_iter().next() {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The ACTIVE Policy Rules that were made for these failures, or for their families.
pub(super) fn answers(
    tx: &mut impl Tx,
    tenant: TenantId,
    groups: &[(SignatureId, Vec<&Brief>)],
) -> StoreResult<BTreeMap<SignatureId, RuleId>> {
    let families = groups.iter().filter_map(|(_, rows)| rows.first()?.family);
    let wanted: BTreeSet<SignatureId> = groups
        .iter()
        .map(|(signature, _)| *signature)
        .chain(families)
        .collect();
    let wanted: Vec<SignatureId> = wanted.into_iter().collect();
    store::policy_rules::answering(tx, tenant, &wanted)
}

#[cfg(test)]
mod tests {
    use model::incident::IncidentLifecycle;

    use super::*;

    fn brief(n: u128, second: i64, severity: Severity, run: u128) -> Brief {
        let id = IncidentId::derive(TenantId::from_bits(1), &n.to_string());
        Brief {
            id,
            at: Timestamp::from_micros(0).plus_seconds(second),
            severity,
            category: IncidentCategory::ExecutionFailure,
            lifecycle: IncidentLifecycle::Active,
            run: Some(RunId::from_bits(run)),
            signature: None,
            family: None,
            cost: NanoUsd(3),
            over_at: None,
            method: None,
        }
    }

    /// The patterns as `type count confidence first..last cost`.
    fn shown(rows: &[Brief]) -> Vec<String> {
        let seconds = |at: Timestamp| at.as_micros() / Timestamp::MICROS_PER_SECOND;
        let line = |of: Pattern| {
            format!(
                "{} {} {} {}..{} {}",
                of.pattern_type.as_str(),
                of.incidents.len(),
                of.confidence,
                seconds(of.first_at),
                seconds(of.last_at),
                of.cost.0
            )
        };
        found(rows, 10).into_iter().map(line).collect()
    }

    #[test]
    fn what_belongs_together_is_found_and_two_of_a_category_are_not() {
        use Severity::{Sev1, Sev3};
        assert_eq!(shown(&[]), [""; 0]);
        assert_eq!(shown(&[brief(1, 2, Sev3, 1), brief(2, 1, Sev3, 2)]), [""; 0]);
        let one_run = [brief(1, 2, Sev3, 7), brief(2, 1, Sev3, 7)];
        assert_eq!(shown(&one_run), ["cascade_failure 2 0.750 1..2 6"]);
        let spread: Vec<Brief> = (1..=4)
            .map(|n| brief(n, 9_000 - i64::try_from(n).unwrap() * 2_000, Sev1, n))
            .collect();
        assert_eq!(shown(&spread), ["category_cluster 4 0.600 1000..7000 12"]);
        let dense: Vec<Brief> = (1..=4)
            .map(|n| brief(n, 9_000 - i64::try_from(n).unwrap() * 1_200, Sev1, n))
            .collect();
        assert_eq!(
            shown(&dense),
            [
                "severity_spike 4 0.850 4200..7800 12",
                "category_cluster 4 0.600 4200..7800 12"
            ]
        );
    }

    #[test]
    fn nothing_is_surer_than_its_cap() {
        let many: Vec<Brief> = (1..=30)
            .map(|n| brief(n, 100 - i64::try_from(n).unwrap(), Severity::Sev2, 1))
            .collect();
        assert_eq!(
            shown(&many),
            [
                "severity_spike 30 0.980 70..99 90",
                "category_cluster 30 0.950 70..99 90",
                "cascade_failure 30 0.950 70..99 90"
            ]
        );
    }
}
