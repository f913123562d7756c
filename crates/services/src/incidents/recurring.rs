//! What does not stay over?
//!
//! Looked for among the Incidents of some days, as [`super::patterns`] looks at them.

use std::collections::BTreeSet;

use model::id::{IncidentId, RuleId, SignatureId, TenantId};
use model::incident::{IncidentCategory, ResolutionMethod};
use model::money::NanoUsd;
use model::time::Timestamp;
use store::incidents::{Brief, Lately};
use store::{StoreError, StoreResult};

use super::patterns::{ROWS_MAX, answers, by, cost};
use crate::context::Context;

const DAY_SECONDS: i64 = 86_400;
/// The Incidents that are named for each.
const NAMED: usize = 5;

/// What to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// How many days are looked back over.
    pub days: i64,
    /// How often it has to have happened.
    pub threshold: usize,
    /// The most that is listed of each kind.
    pub most: usize,
}

/// Incidents of one category that were ended in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The category.
    pub category: IncidentCategory,
    /// How they were resolved; none for those that are not, or that were none.
    pub method: Option<ResolutionMethod>,
    /// How many there are.
    pub total: usize,
    /// On how many days (UTC) they came to be.
    pub distinct_days: usize,
    /// When the first did.
    pub first_at: Timestamp,
    /// When the last did.
    pub last_at: Timestamp,
    /// The newest five.
    pub recent: Vec<IncidentId>,
}

/// A failure that has led to several Incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComesBack {
    /// Which failure.
    pub signature: SignatureId,
    /// How many Incidents it has led to.
    pub total: usize,
    /// How many of them are over.
    pub times_over: usize,
    /// How many of them came to be when an earlier one was over.
    pub times_back: usize,
    /// When the first came to be.
    pub first_at: Timestamp,
    /// When the last did.
    pub last_at: Timestamp,
    /// What they cost together.
    pub cost: NanoUsd,
    /// The ACTIVE Policy Rule that was made for it, if there is one.
    pub rule: Option<RuleId>,
    /// The newest five.
    pub recent: Vec<IncidentId>,
}

/// What does not stay over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurring {
    /// By category and how they were resolved, the most frequent first.
    pub groups: Vec<Group>,
    /// By failure, the most frequent first.
    pub failures: Vec<ComesBack>,
    /// How many Incidents were looked at.
    pub looked_at: usize,
    /// Whether there were more, which were not.
    pub is_cut: bool,
    /// When.
    pub at: Timestamp,
}

/// What does not stay over.
///
/// # Errors
/// What the database says.
pub async fn recurring(cx: &Context, tenant: TenantId, asked: Asked) -> Result<Recurring, StoreError> {
    let now = cx.clock.now();
    let from = now.plus_seconds(-asked.days * DAY_SECONDS);
    cx.db
        .read(move |tx| -> StoreResult<Recurring> {
            let Lately { rows, is_cut } = store::incidents::window(tx, tenant, from, ROWS_MAX)?;
            let failures = failures(&rows, asked);
            let rules = answers(tx, tenant, &failures)?;
            let back = failures.into_iter().filter_map(|(signature, rows)| {
                let family = rows.first().and_then(|row| row.family);
                let rule = rules.get(&signature).or_else(|| rules.get(&family?));
                comes_back(signature, &rows, rule.copied())
            });
            Ok(Recurring {
                groups: groups(&rows, asked),
                failures: back.collect(),
                looked_at: rows.len(),
                is_cut,
                at: now,
            })
        })
        .await
}

fn recent(rows: &[&Brief]) -> Vec<IncidentId> {
    rows.iter().take(NAMED).map(|row| row.id).collect()
}

fn groups(rows: &[Brief], asked: Asked) -> Vec<Group> {
    let day = |row: &&Brief| {
        row.at
            .as_micros()
            .div_euclid(DAY_SECONDS * Timestamp::MICROS_PER_SECOND)
    };
    let frequent = by(rows, |row| Some((row.category, row.method))).into_iter();
    let frequent = frequent.filter(|(_, rows)| rows.len() >= asked.threshold);
    let mut groups: Vec<Group> = frequent
        .filter_map(|((category, method), rows)| {
            Some(Group {
                category,
                method,
                total: rows.len(),
                distinct_days: rows.iter().map(day).collect::<BTreeSet<_>>().len(),
                first_at: rows.last()?.at,
                last_at: rows.first()?.at,
                recent: recent(&rows),
            })
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse((group.total, group.last_at)));
    groups.truncate(asked.most);
    groups
}

fn failures(rows: &[Brief], asked: Asked) -> Vec<(SignatureId, Vec<&Brief>)> {
    let frequent = by(rows, |row| row.signature).into_iter();
    let mut frequent: Vec<_> = frequent
        .filter(|(_, rows)| rows.len() >= asked.threshold)
        .collect();
    frequent.sort_by_key(|(_, rows)| std::cmp::Reverse((rows.len(), rows.first().map(|row| row.at))));
    frequent.truncate(asked.most);
    frequent
}

/// What became of a failure whose Incidents, newest first, these are.
fn comes_back(signature: SignatureId, rows: &[&Brief], rule: Option<RuleId>) -> Option<ComesBack> {
    let over = rows.iter().filter_map(|row| row.over_at);
    let first_over = over.clone().min();
    let is_back = |row: &&&Brief| first_over.is_some_and(|over| over <= row.at);
    Some(ComesBack {
        signature,
        total: rows.len(),
        times_over: over.count(),
        times_back: rows.iter().filter(is_back).count(),
        first_at: rows.last()?.at,
        last_at: rows.first()?.at,
        cost: cost(rows),
        rule,
        recent: recent(rows),
    })
}

#[cfg(test)]
mod tests {
    use model::digest::Digest;
    use model::incident::IncidentLifecycle;
    use model::severity::Severity;

    use super::*;

    fn signature() -> SignatureId {
        SignatureId::of(Digest::of(b"the same"))
    }

    fn brief(n: i64, over: Option<i64>, method: Option<ResolutionMethod>) -> Brief {
        let at = |second| Timestamp::from_micros(0).plus_seconds(second);
        Brief {
            id: IncidentId::derive(TenantId::from_bits(1), &n.to_string()),
            at: at(n),
            severity: Severity::Sev2,
            category: IncidentCategory::ExecutionFailure,
            lifecycle: IncidentLifecycle::Active,
            run: None,
            signature: Some(signature()),
            family: None,
            cost: NanoUsd(2),
            over_at: over.map(at),
            method,
        }
    }

    const ALL: Asked = Asked {
        days: 30,
        threshold: 2,
        most: 20,
    };

    #[test]
    fn what_comes_back_after_it_was_over_is_counted() {
        let auto = Some(ResolutionMethod::Auto);
        // At 5 the first is over; what came to be at 3 is no return of it.
        let rows = [
            brief(9, None, None),
            brief(6, Some(8), auto),
            brief(3, Some(7), auto),
            brief(1, Some(5), auto),
        ];
        let found = failures(&rows, ALL);
        let (signature, of) = found.first().unwrap();
        let back = comes_back(*signature, of, None).unwrap();
        assert_eq!(
            (back.total, back.times_over, back.times_back, back.cost),
            (4, 3, 2, NanoUsd(8))
        );
        let groups = groups(&rows, ALL);
        let shown: Vec<_> = groups
            .iter()
            .map(|group| (group.method, group.total, group.distinct_days))
            .collect();
        assert_eq!(shown, [(auto, 3, 1)], "one that is open is no group of two");
    }

    #[test]
    fn what_happened_less_often_than_asked_for_is_left_out() {
        let rows = [brief(86_400 * 2, None, None), brief(1, None, None)];
        assert_eq!(groups(&rows, Asked { threshold: 3, ..ALL }), []);
        assert_eq!(failures(&rows, Asked { threshold: 3, ..ALL }).len(), 0);
        assert_eq!(
            groups(&rows, ALL).first().map(|group| group.distinct_days),
            Some(2)
        );
        assert_eq!(failures(&rows, Asked { most: 0, ..ALL }).len(), 0);
    }
}
