//! What can be learned from an Incident and from those that are like it?
//!
//! What is like it is looked for among the newest Incidents of [`WINDOW_DAYS`] days, and everything that is said rests on
//! the few that are shown.

use std::collections::{BTreeMap, BTreeSet};

use model::id::{IncidentId, ProposalId, RuleId, RunId, TenantId};
use model::incident::{Incident, IncidentLifecycle, ResolutionMethod, Signature};
use model::pattern::{InsightType, Similarity};
use model::permille::Permille;
use model::time::Timestamp;
use store::incidents::Brief;
use store::{StoreResult, Tx};

use super::{IncidentError, cost_impact, shown};
use crate::context::Context;

/// The days that are looked back over.
pub const WINDOW_DAYS: i64 = 90;
/// The most Incidents that are said to be like it.
const SIMILAR: usize = 5;

/// An Incident that is like another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Similar {
    /// How alike.
    pub similarity: Similarity,
    /// Which it is.
    pub incident: Incident,
    /// Whether somebody tried again what had failed.
    pub is_tried_again: bool,
}

impl Similar {
    fn is_resolved(&self) -> bool {
        self.incident.lifecycle() == Some(IncidentLifecycle::Resolved)
    }

    fn method(&self) -> Option<ResolutionMethod> {
        self.incident
            .resolution
            .as_ref()
            .map(|resolution| resolution.method)
    }
}

/// What can be learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Insight {
    /// A Policy Rule refuses it before it runs.
    Prevented(RuleId),
    /// A Policy Rule that would is proposed, and nobody has said yes or no.
    Proposed(ProposalId),
    /// So many of those that are like it were resolved in the same way.
    SameMethod(ResolutionMethod, usize),
    /// Of so many of those that are like it somebody tried again what had failed.
    TriedAgain(usize),
    /// It takes so many milliseconds until those that are like it are over.
    TimeToResolution(i64),
    /// Nearly all of those that are like it are over.
    MostAreResolved(usize),
    /// Most of those that are like it are not over.
    FewAreResolved(usize),
}

impl Insight {
    /// What it is about.
    pub const fn insight_type(&self) -> InsightType {
        match self {
            Self::Prevented(_) | Self::Proposed(_) => InsightType::Prevention,
            Self::SameMethod(..)
            | Self::TriedAgain(_)
            | Self::TimeToResolution(_)
            | Self::MostAreResolved(_) => InsightType::Response,
            Self::FewAreResolved(_) => InsightType::Detection,
        }
    }
}

/// Something learned, how sure it is, and from which Incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// What.
    pub insight: Insight,
    /// How sure it is.
    pub confidence: Permille,
    /// From which Incidents.
    pub from: Vec<IncidentId>,
}

/// What can be learned from an Incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learnings {
    /// Which it is.
    pub incident: Incident,
    /// Whether somebody tried again what had failed.
    pub is_tried_again: bool,
    /// Those that are like it, the most alike first.
    pub similar: Vec<Similar>,
    /// What can be learned.
    pub learned: Vec<Learned>,
    /// Whether there were more Incidents than were looked at.
    pub is_cut: bool,
    /// When.
    pub at: Timestamp,
}

/// What can be learned from an Incident.
///
/// # Errors
/// [`IncidentError::NotFound`], also for one that nobody has approved.
pub async fn learnings(cx: &Context, tenant: TenantId, id: IncidentId) -> Result<Learnings, IncidentError> {
    let now = cx.clock.now();
    cx.db
        .read(move |tx| -> Result<Learnings, IncidentError> {
            let incident = shown(store::incidents::find(tx, tenant, id)?)?;
            Ok(learned(tx, incident, now)?)
        })
        .await
}

fn learned(tx: &mut impl Tx, incident: Incident, now: Timestamp) -> StoreResult<Learnings> {
    const DAY_SECONDS: i64 = 86_400;
    let from = now.plus_seconds(-WINDOW_DAYS * DAY_SECONDS);
    let lately = store::incidents::window(tx, incident.tenant, from, super::patterns::ROWS_MAX)?;
    let similar = similar(tx, &incident, &lately.rows)?;
    let linked = cost_impact::linked(tx, &incident)?;
    // Whether there is any is what is asked.
    let attempts = cost_impact::attempts(tx, incident.tenant, linked.into_keys().collect(), 0)?;
    let mut learned: Vec<Learned> = answer(tx, &incident)?.into_iter().collect();
    learned.extend(insights(&similar));
    Ok(Learnings {
        is_tried_again: !attempts.is_empty(),
        similar,
        learned,
        is_cut: lately.is_cut,
        at: now,
        incident,
    })
}

/// How alike a row is; nothing if it is not, or is the same.
fn alike(of: &Incident, row: &Brief) -> Option<Similarity> {
    let signature = of.creation.signature.as_ref();
    if row.id == of.id {
        return None;
    }
    if row.signature.is_some() && row.signature == signature.map(Signature::id) {
        return Some(Similarity::Failure);
    }
    if row.family.is_some() && row.family == signature.map(Signature::family) {
        return Some(Similarity::Family);
    }
    (row.category == of.creation.category).then_some(Similarity::Category)
}

fn similar(tx: &mut impl Tx, of: &Incident, rows: &[Brief]) -> StoreResult<Vec<Similar>> {
    let alike = rows.iter().filter_map(|row| Some((alike(of, row)?, row.id)));
    let mut alike: Vec<(Similarity, IncidentId)> = alike.collect();
    // They were the newest first, and stay so where they are equally alike.
    alike.sort_by_key(|(similarity, _)| std::cmp::Reverse(*similarity));
    alike.truncate(SIMILAR);
    let ids: Vec<IncidentId> = alike.iter().map(|(_, id)| *id).collect();
    let found = store::incidents::find_all(tx, of.tenant, &ids)?;
    let mut found: BTreeMap<IncidentId, Incident> = found.into_iter().map(|one| (one.id, one)).collect();
    let mut again: BTreeSet<RunId> = BTreeSet::new();
    for run in found.values().filter_map(|one| one.creation.run) {
        // Each by itself: of one the attempts could be so many that those of the others are not among them.
        if !store::runs::after(tx, of.tenant, &[run], &BTreeSet::new(), 1)?.is_empty() {
            again.insert(run);
        }
    }
    let similar = alike.into_iter().filter_map(|(similarity, id)| {
        let incident = found.remove(&id)?;
        Some(Similar {
            similarity,
            is_tried_again: incident.creation.run.is_some_and(|run| again.contains(&run)),
            incident,
        })
    });
    Ok(similar.collect())
}

/// What the product does about the failure, or would.
fn answer(tx: &mut impl Tx, of: &Incident) -> StoreResult<Option<Learned>> {
    let Some(signature) = &of.creation.signature else {
        return Ok(None);
    };
    let (tenant, names) = (of.tenant, [signature.id(), signature.family()]);
    let rules = store::policy_rules::answering(tx, tenant, &names)?;
    let learned = |insight, confidence| Learned {
        insight,
        confidence,
        from: vec![of.id],
    };
    if let Some(rule) = names.iter().find_map(|name| rules.get(name)) {
        return Ok(Some(learned(Insight::Prevented(*rule), Permille::ONE)));
    }
    for name in names {
        if let Some(proposal) = store::proposals::pending_for(tx, tenant, name)? {
            return Ok(Some(learned(Insight::Proposed(proposal.id), proposal.confidence)));
        }
    }
    Ok(None)
}

/// What those that are alike say together; one alone says nothing.
fn insights(similar: &[Similar]) -> Vec<Learned> {
    const LEAST: usize = 2;
    let share = |part: usize| {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Permille::of(number(part), number(similar.len()))
    };
    let learned = |insight, of: &[&Similar]| Learned {
        insight,
        confidence: share(of.len()),
        from: of.iter().map(|one| one.incident.id).collect(),
    };
    let which = |is: &dyn Fn(&Similar) -> bool| similar.iter().filter(|one| is(one)).collect::<Vec<_>>();
    let mut all = Vec::new();
    let methods: BTreeSet<ResolutionMethod> = similar.iter().filter_map(Similar::method).collect();
    for method in methods {
        let same = which(&|one| one.method() == Some(method));
        if same.len() >= LEAST {
            all.push(learned(Insight::SameMethod(method, same.len()), &same));
        }
    }
    let again = which(&|one| one.is_tried_again);
    if again.len() >= LEAST {
        all.push(learned(Insight::TriedAgain(again.len()), &again));
    }
    let resolved = which(&Similar::is_resolved);
    if let Some(mean) = mean_ms(&resolved).filter(|_| resolved.len() >= LEAST) {
        all.push(learned(Insight::TimeToResolution(mean), &resolved));
    }
    if similar.len() >= LEAST && share(resolved.len()) >= Permille::new(800) {
        all.push(learned(Insight::MostAreResolved(resolved.len()), &resolved));
    }
    if similar.len() >= LEAST && share(resolved.len()) < Permille::new(500) {
        let open = which(&|one| !one.is_resolved());
        all.push(learned(Insight::FewAreResolved(resolved.len()), &open));
    }
    all
}

/// How many milliseconds it took until an Incident was over.
pub fn time_to_resolution_ms(of: &Incident) -> Option<i64> {
    Some(of.over_at()?.millis_since(of.created_at))
}

fn mean_ms(resolved: &[&Similar]) -> Option<i64> {
    let times: Vec<i64> = resolved
        .iter()
        .filter_map(|one| time_to_resolution_ms(&one.incident))
        .collect();
    let sum = times.iter().fold(0_i64, |sum, ms| sum.saturating_add(*ms));
    sum.checked_div(i64::try_from(times.len()).ok()?)
}

#[cfg(test)]
mod tests {
    use testkit::governance::{TestIncident, acknowledged, incident, resolved};

    use super::*;

    fn one(number: u128, over_ms: Option<i64>, is_tried_again: bool) -> Similar {
        let at = Timestamp::from_micros(0);
        let made: TestIncident = incident(TenantId::from_bits(1), number, at);
        let made = match over_ms {
            Some(ms) => resolved(made, at.plus_millis(ms)),
            None => acknowledged(made, at),
        };
        Similar {
            similarity: Similarity::Category,
            incident: made.incident(),
            is_tried_again,
        }
    }

    /// What is learned, as `insight confidence number of Incidents`.
    fn shown(similar: &[Similar]) -> Vec<String> {
        let line = |of: Learned| format!("{:?} {} {}", of.insight, of.confidence, of.from.len());
        insights(similar).into_iter().map(line).collect()
    }

    #[test]
    fn what_is_alike_says_something_only_together() {
        assert_eq!(shown(&[]), [""; 0]);
        assert_eq!(shown(&[one(1, Some(10), true)]), [""; 0]);
        let all_over = [one(1, Some(10), true), one(2, Some(21), true)];
        assert_eq!(
            shown(&all_over),
            [
                "SameMethod(Manual, 2) 1.000 2",
                "TriedAgain(2) 1.000 2",
                "TimeToResolution(15) 1.000 2",
                "MostAreResolved(2) 1.000 2"
            ]
        );
        let few = [one(1, Some(10), false), one(2, None, false), one(3, None, true)];
        assert_eq!(shown(&few), ["FewAreResolved(1) 0.666 2"]);
    }
}
