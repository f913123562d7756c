//! How are Policy Rules made, changed, looked at and retired?

mod backtest;
mod change;
pub mod integrity;
mod told;

use domain::policy::backtest::NotOnRecord;
use domain::policy::draft::{FieldProblem, refuses_everything, validate};
use domain::policy::proposals::{ActiveRule, ActiveRules, Conflict, ConflictKind};
use model::digest::Digest;
use model::id::{IdGenerator, IncidentId, ProposalId, RuleId, RunId};
use model::integrity::Integrity;
use model::page::PageRequest;
use model::policy::{Definition, EnforcementMode, Rule, RuleScope, RuleSource, RuleStatus, RuleType};
use model::time::Timestamp;
use store::policy_rules::Version;
use store::{LockTx, StoreError, StoreResult, Tx, TxError, Writes};

use crate::audit::{self, Author};
use crate::context::Context;
use crate::names;
use crate::once::{Done, Once, OnceError, Render};
use crate::owner::{Named, Owner};

pub use self::backtest::{Backtested, backtest};
pub use self::change::{Change, update};

pub(crate) use self::change::apply;

/// The most ACTIVE Policy Rules an owner may have.
pub const RULES_MAX: i64 = 1_000;

/// Why a Policy Rule cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// There is no such rule, or it is not the caller's.
    #[error("there is no such rule")]
    NotFound,
    /// Fields are not what they should be.
    #[error("the rule is not valid")]
    Invalid(Vec<FieldProblem>),
    /// It takes two persons: one who proposes it, and another one who approves.
    #[error("a rule takes two persons")]
    TwoPersons,
    /// It would refuse every request of its owner.
    #[error("the rule would refuse everything")]
    Lockout,
    /// Only operators set GLOBAL rules, and they set nothing else.
    #[error("the scope is not the caller's to set")]
    Scope,
    /// An ACTIVE rule demands the same and does the same.
    #[error("there is a rule like this")]
    Exists(RuleId),
    /// There are as many rules as there may be.
    #[error("there are too many rules")]
    Quota,
    /// What is stored is not what was decided last.
    #[error("the rule does not match its history")]
    Tampered,
    /// It was retired, for good.
    #[error("the rule is retired")]
    Retired,
    /// Somebody has changed it meanwhile; this is its version now.
    #[error("the rule has another version")]
    Version(u32),
    /// What it asks about is not on record.
    #[error("the rule cannot be tried")]
    NotOnRecord(#[source] NotOnRecord),
    /// The tenant goes through as many histories as it may at once.
    #[error("too many histories are gone through at once")]
    Busy,
    /// The idempotency key cannot be used.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// The database failed.
    #[error("the rules could not be read or written")]
    Store(#[from] StoreError),
}

impl TxError for PolicyError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Once(OnceError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

/// A Policy Rule with what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The rule.
    pub rule: Rule,
    /// Whether it is what was decided; none for a rule that is older than its check.
    pub integrity: Option<Integrity>,
    /// The ACTIVE rules it is at odds with; of a rule that was made or changed just now.
    pub conflicts: Vec<Conflict>,
}

/// Where a Policy Rule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Who made it.
    pub source: RuleSource,
    /// The proposal.
    pub proposal: Option<ProposalId>,
    /// The Incident.
    pub incident: Option<IncidentId>,
    /// The LLM Run.
    pub run: Option<RunId>,
}

impl Origin {
    /// Somebody wrote it: a person of a tenant, or an operator for the installation.
    const fn written_for(owner: Owner) -> Self {
        Self {
            source: match owner {
                Owner::Tenant(_) => RuleSource::Manual,
                Owner::Platform => RuleSource::System,
            },
            proposal: None,
            incident: None,
            run: None,
        }
    }
}

/// Makes a Policy Rule: from the next request on it is judged by it, on every node.
///
/// # Errors
/// [`PolicyError`].
pub async fn create(
    cx: &Context,
    owner: Owner,
    author: Author,
    definition: Definition,
    once: Option<Once>,
    render: Render<Known>,
) -> Result<Done<Known>, PolicyError> {
    let (now, ids) = (cx.clock.now(), cx.ids.clone());
    let definition = valid(owner, definition)?;
    cx.db
        .locked(move |tx| -> Result<Done<Known>, PolicyError> {
            if let Some(before) = once.as_ref().map(|once| once.before(tx)).transpose()?.flatten() {
                return Ok(Done::Before(before));
            }
            refuse_alone(tx, owner)?;
            let made = make(
                tx,
                ids.as_ref(),
                owner,
                &author,
                (definition.clone(), Origin::written_for(owner)),
                now,
            )?;
            finish(tx, once.as_ref(), 201, made, render, now)
        })
        .await
}

/// Nobody else makes or changes a rule of the owner until this transaction ends: what is found at odds with none of them
/// stays so. Locked before a single rule is.
pub(crate) fn lock_all(tx: &mut LockTx<'_>, owner: Owner) -> StoreResult<()> {
    store::tenants::lock(tx, owner.id()).map(drop)
}

/// Whether the rules of an owner take two persons.
pub(crate) fn takes_two(tx: &mut impl Tx, owner: Owner) -> StoreResult<bool> {
    Ok(store::tenants::find(tx, owner.id())?.is_some_and(|tenant| tenant.two_person_review))
}

/// Refuses what one person does alone where two are needed.
fn refuse_alone(tx: &mut impl Tx, owner: Owner) -> Result<(), PolicyError> {
    if takes_two(tx, owner)? {
        return Err(PolicyError::TwoPersons);
    }
    Ok(())
}

/// The definition in its one spelling, if it is one that this owner may set.
pub(crate) fn valid(owner: Owner, definition: Definition) -> Result<Definition, PolicyError> {
    let definition = Definition {
        name: names::normal(&definition.name),
        ..definition
    };
    let condition = validate(&definition).map_err(PolicyError::Invalid)?;
    if refuses_everything(&definition, condition.as_ref()) {
        return Err(PolicyError::Lockout);
    }
    if (definition.scope == RuleScope::Global) != (owner == Owner::Platform) {
        return Err(PolicyError::Scope);
    }
    Ok(definition)
}

/// Makes a rule of a valid definition, with its first version, its integrity, and what is written down of it, in a
/// transaction that may do more.
pub(crate) fn make(
    tx: &mut LockTx<'_>,
    ids: &dyn IdGenerator,
    owner: Owner,
    author: &Author,
    (definition, origin): (Definition, Origin),
    now: Timestamp,
) -> Result<Known, PolicyError> {
    lock_all(tx, owner)?;
    refuse_unknown(tx, owner, &definition)?;
    let active = store::policy_rules::active(tx, owner.id())?;
    let conflicts = at_odds(&definition, &active, None);
    if let Some(twin) = conflicts.iter().find(|it| it.kind == ConflictKind::Duplicate) {
        return Err(PolicyError::Exists(twin.rule));
    }
    let by = author.actor.name().to_owned();
    let mut rule = Rule {
        id: RuleId::generate(ids),
        tenant: owner.id(),
        version: 1,
        definition,
        status: RuleStatus::Active,
        hash: Digest::ZERO,
        source: origin.source,
        source_proposal: origin.proposal,
        source_incident: origin.incident,
        source_run: origin.run,
        parent: None,
        created_by: Some(by.clone()),
        retirement: None,
        created_at: now,
        updated_at: now,
    };
    rule.hash = rule.hash_after(Digest::ZERO);
    let change = store::policy_rules::Change {
        by: Some(&by),
        reason: None,
    };
    store::policy_rules::insert(tx, &rule, change)?;
    if store::policy_rules::count_active(tx, owner.id())? > RULES_MAX {
        return Err(PolicyError::Quota);
    }
    audit::record(tx, ids, author, told::created(&rule), now)?;
    known(tx, rule, conflicts)
}

/// Refuses a rule about a project or an agent that the owner has not made: it would never match, and nobody would notice.
pub(crate) fn refuse_unknown(
    tx: &mut impl Tx,
    owner: Owner,
    definition: &Definition,
) -> Result<(), PolicyError> {
    let named = definition
        .scope_id
        .as_deref()
        .and_then(|id| match definition.scope {
            RuleScope::Project => Some(Named::Project(id)),
            RuleScope::Agent => Some(Named::Agent(id)),
            RuleScope::Global | RuleScope::Tenant => None,
        });
    let Some(named) = named else { return Ok(()) };
    if named.is_made(tx, owner.id())? {
        return Ok(());
    }
    let problem = FieldProblem {
        field: "scope_id",
        detail: named.problem().to_owned(),
        condition: None,
    };
    Err(PolicyError::Invalid(vec![problem]))
}

/// The ACTIVE rules that a definition is at odds with; `but` is the rule that it is of.
pub(crate) fn at_odds(definition: &Definition, active: &[Rule], but: Option<RuleId>) -> Vec<Conflict> {
    let others: ActiveRules<'_> = active
        .iter()
        .map(|rule| ActiveRule {
            id: rule.id,
            definition: &rule.definition,
            signature: None,
        })
        .collect();
    others.conflicts(definition, None, but)
}

fn known(tx: &mut impl Tx, rule: Rule, conflicts: Vec<Conflict>) -> Result<Known, PolicyError> {
    let found = store::policy_rules::found(tx, rule.tenant, rule.id)?;
    Ok(Known {
        rule,
        integrity: found.map(|found| found.integrity),
        conflicts,
    })
}

fn finish(
    tx: &mut impl Writes,
    once: Option<&Once>,
    status: u16,
    done: Known,
    render: Render<Known>,
    now: Timestamp,
) -> Result<Done<Known>, PolicyError> {
    let body = render(&done);
    if let Some(once) = once {
        once.record(tx, status, &body, now)?;
    }
    Ok(Done::Now(done, body))
}

/// One rule.
///
/// # Errors
/// [`PolicyError::NotFound`].
pub async fn get(cx: &Context, owner: Owner, id: RuleId) -> Result<Known, PolicyError> {
    cx.db
        .read(move |tx| -> Result<Known, PolicyError> {
            let rule = store::policy_rules::find(tx, owner.id(), id)?.ok_or(PolicyError::NotFound)?;
            known(tx, rule, Vec::new())
        })
        .await
}

/// Everything that a rule has said, oldest first.
///
/// # Errors
/// [`PolicyError::NotFound`].
pub async fn versions(cx: &Context, owner: Owner, id: RuleId) -> Result<Vec<Version>, PolicyError> {
    let found = cx
        .db
        .read(move |tx| store::policy_rules::versions(tx, owner.id(), id))
        .await?;
    if found.is_empty() {
        return Err(PolicyError::NotFound);
    }
    Ok(found)
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Only this status.
    pub status: Option<RuleStatus>,
    /// Only this mode.
    pub mode: Option<EnforcementMode>,
    /// Only this scope.
    pub scope: Option<RuleScope>,
    /// Only this source.
    pub source: Option<RuleSource>,
    /// Only this type.
    pub rule_type: Option<RuleType>,
}

/// Rules, newest first, with whether there are more.
///
/// # Errors
/// [`PolicyError::Store`].
pub async fn list(
    cx: &Context,
    owner: Owner,
    filter: ListFilter,
    page: PageRequest,
) -> Result<(Vec<Known>, bool), PolicyError> {
    let most = i64::from(page.limit);
    let filter = store::policy_rules::Filter {
        status: filter.status,
        mode: filter.mode,
        scope: filter.scope,
        source: filter.source,
        rule_type: filter.rule_type,
        before: page.after.and_then(|cursor| cursor.id.parse().ok()),
    };
    let mut items = cx
        .db
        .read(move |tx| -> Result<Vec<Known>, PolicyError> {
            let rules = store::policy_rules::list(tx, owner.id(), &filter, most + 1)?;
            let ids: Vec<RuleId> = rules.iter().map(|rule| rule.id).collect();
            let found = store::policy_rules::found_of(tx, owner.id(), &ids)?;
            let known = |rule: Rule| Known {
                integrity: found.get(&rule.id).map(|found| found.integrity),
                rule,
                conflicts: Vec::new(),
            };
            Ok(rules.into_iter().map(known).collect())
        })
        .await?;
    let more = items.len() > usize::try_from(page.limit).unwrap_or(usize::MAX);
    if more {
        items.pop();
    }
    Ok((items, more))
}
