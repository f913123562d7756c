//! Which Policy Rules is a request judged by, without asking the database each time?
//!
//! A copy is used as it was read last. The ledger compares its version in the transaction that decides: a change of a
//! rule is seen by the next request, on every node.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::policy::Judgement;
use domain::policy::prepared::Prepared;
use model::id::{RuleId, TenantId};
use model::policy::Rule;
use serde_json::Value;
use store::{Db, StoreError, StoreResult, Tx};

use crate::ledger::{Born, Verdict};

/// Tenants whose rules are kept; beyond that the copies start anew.
const TENANTS_MAX: usize = 50_000;

type Rules = Arc<Vec<Arc<Prepared>>>;

/// The ACTIVE rules of an owner, ready to be judged.
#[derive(Debug, Clone, Default)]
struct Copy {
    /// The version of everything that governs.
    version: i64,
    /// The version of the rules alone: what is compiled stays as long as it is the same.
    rules_version: i64,
    rules: Rules,
    /// The installation's rules, and those with these ones after them.
    joined: Option<(Rules, Rules)>,
    born: Arc<BTreeMap<RuleId, Born>>,
}

/// The rules of tenants as they were read last.
#[derive(Debug, Default)]
pub(crate) struct RulesCache(Mutex<BTreeMap<TenantId, Copy>>);

/// What a tenant's requests are judged by: the installation's rules and its own.
#[derive(Debug, Clone)]
pub(crate) struct Governing {
    pub(crate) versions: [(TenantId, i64); 2],
    pub(crate) rules: Rules,
    /// What the tenant's own rules came from: what the installation's prevent is nobody's.
    born: Arc<BTreeMap<RuleId, Born>>,
}

impl Copy {
    /// The installation's rules, then these: put together once, not for every request.
    fn after(&mut self, platform: Rules) -> Rules {
        match (&self.joined, platform.is_empty(), self.rules.is_empty()) {
            (_, true, _) => Arc::clone(&self.rules),
            (_, _, true) => platform,
            (Some((of, joined)), ..) if Arc::ptr_eq(of, &platform) => Arc::clone(joined),
            _ => {
                let joined = Arc::new(platform.iter().chain(self.rules.iter()).cloned().collect());
                self.joined = Some((platform, Arc::clone(&joined)));
                joined
            }
        }
    }
}

impl Governing {
    /// What these rules said, as it is written down; none if they had nothing to say.
    pub(crate) fn verdict(&self, judgement: &Judgement, input: impl FnOnce() -> Value) -> Option<Verdict> {
        if judgement.matches.is_empty() && judgement.skipped.is_empty() {
            return None;
        }
        let born = judgement
            .matches
            .iter()
            .filter_map(|found| self.born.get(&found.rule));
        Some(Verdict {
            input: input(),
            born: born.copied().collect(),
            judgement: judgement.clone(),
        })
    }
}

impl RulesCache {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<TenantId, Copy>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, tenant: TenantId) -> Option<Governing> {
        let mut copies = self.lock();
        let platform = copies.get(&TenantId::PLATFORM)?;
        let (version, rules) = (platform.version, Arc::clone(&platform.rules));
        let own = copies.get_mut(&tenant)?;
        Some(Governing {
            versions: [(TenantId::PLATFORM, version), (tenant, own.version)],
            rules: own.after(rules),
            born: Arc::clone(&own.born),
        })
    }

    /// What a tenant's requests are judged by, as it was read last.
    ///
    /// # Errors
    /// What the database says, if it has to be asked.
    pub(crate) async fn governing(&self, db: &Db, tenant: TenantId) -> StoreResult<Governing> {
        match self.known(tenant) {
            Some(known) => Ok(known),
            None => self.renewed(db, tenant).await,
        }
    }

    /// The same, read anew.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn renewed(&self, db: &Db, tenant: TenantId) -> StoreResult<Governing> {
        let owners = [TenantId::PLATFORM, tenant];
        let before: BTreeMap<TenantId, Copy> = {
            let copies = self.lock();
            let known = |owner: &TenantId| Some((*owner, copies.get(owner)?.clone()));
            owners.iter().filter_map(known).collect()
        };
        let read = db.read(move |tx| read(tx, &owners, &before)).await?;
        {
            let mut copies = self.lock();
            if copies.len() >= TENANTS_MAX {
                copies.clear();
            }
            copies.extend(read);
        }
        // Somebody may have emptied it just now, and a tenant that is not there has no key.
        self.known(tenant).ok_or_else(StoreError::overtaken)
    }
}

fn read(
    tx: &mut impl Tx,
    owners: &[TenantId],
    before: &BTreeMap<TenantId, Copy>,
) -> StoreResult<Vec<(TenantId, Copy)>> {
    // The versions first: what is read after them is at least as new.
    let versions = store::limits::versions(tx, owners)?;
    let rules: BTreeMap<_, _> = store::policy_rules::owner_versions(tx, owners)?
        .into_iter()
        .collect();
    let copy = |(owner, version)| {
        let rules_version = rules.get(&owner).copied().unwrap_or_default();
        let known = before.get(&owner);
        let copy = match known {
            Some(known) if known.rules_version == rules_version => known.clone(),
            _ => load(tx, owner, known)?,
        };
        let copy = Copy {
            version,
            rules_version,
            ..copy
        };
        Ok((owner, copy))
    };
    versions.into_iter().map(copy).collect()
}

/// The ACTIVE rules of an owner. Those that are as they were stay compiled, and what they came from is not asked again:
/// with a thousand rules, a change of one costs one.
fn load(tx: &mut impl Tx, owner: TenantId, before: Option<&Copy>) -> StoreResult<Copy> {
    let known: BTreeMap<RuleId, &Arc<Prepared>> = before
        .iter()
        .flat_map(|before| before.rules.iter())
        .map(|known| (known.rule().id, known))
        .collect();
    let (mut rules, mut born) = (Vec::new(), BTreeMap::new());
    for rule in store::policy_rules::active(tx, owner)? {
        let same = known.get(&rule.id).filter(|known| *known.rule() == rule);
        let failed = match (same, before) {
            (Some(_), Some(before)) => before.born.get(&rule.id).copied(),
            _ => origin_of(tx, &rule)?,
        };
        born.extend(failed.map(|failed| (rule.id, failed)));
        rules.push(same.map_or_else(|| Arc::new(Prepared::new(rule)), |known| Arc::clone(known)));
    }
    Ok(Copy {
        rules: Arc::new(rules),
        born: Arc::new(born),
        ..Copy::default()
    })
}

/// The failure that a rule came from, with what that one failure had cost: the same whenever it is read, however often it
/// has happened since.
fn origin_of(tx: &mut impl Tx, rule: &Rule) -> StoreResult<Option<Born>> {
    let born = |incident, signature, cost| Born {
        rule: rule.id,
        incident,
        signature,
        cost,
    };
    if let Some(incident) = rule.source_incident {
        let found = store::incidents::find(tx, rule.tenant, incident)?;
        let creation = found.map(|found| found.creation);
        return Ok(creation.and_then(|it| Some(born(Some(incident), it.signature?.id(), it.cost))));
    }
    // What is less than high opens no Incident and is proposed when it recurs.
    let (Some(proposal), Some(run)) = (rule.source_proposal, rule.source_run) else {
        return Ok(None);
    };
    let proposal = store::proposals::find(tx, rule.tenant, proposal)?;
    let Some(signature) = proposal.and_then(|found| found.provenance.signature) else {
        return Ok(None);
    };
    let run = store::runs::find(tx, rule.tenant, run)?;
    let cost = run.and_then(|run| run.cost).unwrap_or_default();
    Ok(Some(born(None, signature, cost)))
}
