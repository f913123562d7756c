//! How is a Policy Rule changed or retired?

use domain::policy::draft::FieldProblem;
use domain::policy::proposals::{Conflict, ConflictKind};
use model::digest::Digest;
use model::id::{IdGenerator, RuleId};
use model::permille::Permille;
use model::policy::{Definition, EnforcementMode, OnStream, Retirement, Rule, RuleStatus};
use model::text::is_hidden;
use model::time::Timestamp;
use store::{LockTx, Tx};

use super::{Known, PolicyError, at_odds, finish, known, lock_all, refuse_alone, told, valid};
use crate::audit::{self, Author};
use crate::context::Context;
use crate::once::{Done, Once, Render};
use crate::owner::Owner;

/// How long a reason is, in characters.
const REASON_MAX: usize = 500;

/// What is to be changed of a rule; what is none stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// What it is to say as a whole, with what it no longer says; with nothing of the next six beside it.
    pub whole: Option<Definition>,
    /// What people call it.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The condition.
    pub condition: Option<String>,
    /// The least confidence of a finding that counts.
    pub min_confidence: Option<Permille>,
    /// What happens when it matches.
    pub mode: Option<EnforcementMode>,
    /// What happens when it matches in a stream.
    pub on_stream: Option<OnStream>,
    /// Whether it applies. RETIRED is for good.
    pub status: Option<RuleStatus>,
    /// Why it is changed.
    pub reason: Option<String>,
    /// Why it is retired.
    pub retirement_reason: Option<String>,
    /// The rule that takes its place.
    pub superseded_by: Option<RuleId>,
    /// The version that the change is made on; refused if the rule has another one.
    pub expected_version: Option<u32>,
}

/// Changes or retires a rule: a new version. What changes nothing makes none.
///
/// # Errors
/// [`PolicyError`].
pub async fn update(
    cx: &Context,
    owner: Owner,
    author: Author,
    (id, change): (RuleId, Change),
    once: Option<Once>,
    render: Render<Known>,
) -> Result<Done<Known>, PolicyError> {
    let (clock, ids) = (cx.clock.clone(), cx.ids.clone());
    cx.db
        .locked(move |tx| -> Result<Done<Known>, PolicyError> {
            if let Some(before) = once.as_ref().map(|once| once.before(tx)).transpose()?.flatten() {
                return Ok(Done::Before(before));
            }
            refuse_alone(tx, owner)?;
            let now = clock.now();
            let done = apply(tx, ids.as_ref(), owner, &author, (id, &change), now)?;
            finish(tx, once.as_ref(), 200, done, render, now)
        })
        .await
}

/// The same in a transaction that may do more.
pub(crate) fn apply(
    tx: &mut LockTx<'_>,
    ids: &dyn IdGenerator,
    owner: Owner,
    author: &Author,
    (id, change): (RuleId, &Change),
    now: Timestamp,
) -> Result<Known, PolicyError> {
    lock_all(tx, owner)?;
    let before = store::policy_rules::lock(tx, owner.id(), id)?.ok_or(PolicyError::NotFound)?;
    if change
        .expected_version
        .is_some_and(|expected| expected != before.version)
    {
        return Err(PolicyError::Version(before.version));
    }
    let (after, conflicts) = changed(tx, owner, author, &before, change, now)?;
    if after.definition == before.definition && after.status == before.status {
        return known(tx, before, conflicts);
    }
    let known_root = refuse_tampered(tx, &before, &after)?;
    let previous = store::policy_rules::newest_hash(tx, owner.id(), id)?;
    let after = Rule {
        hash: after.hash_after(previous),
        ..after
    };
    let reason = change.retirement_reason.as_ref().or(change.reason.as_ref());
    let written = store::policy_rules::Change {
        by: Some(author.actor.name()),
        reason: reason.map(String::as_str),
    };
    store::policy_rules::update(tx, &after, written)?;
    if let Some(root) = known_root {
        // The last version says what somebody has put there by other means: it must not pass for what was decided.
        store::policy_rules::distrust(tx, &after, root)?;
    }
    if let Some(successor) = change.superseded_by {
        store::policy_rules::set_parent(tx, owner.id(), (successor, id))?;
    }
    let told = told::changed(&before, &after, reason.cloned());
    audit::record(tx, ids, author, told, now)?;
    known(tx, after, conflicts)
}

fn changed(
    tx: &mut LockTx<'_>,
    owner: Owner,
    author: &Author,
    before: &Rule,
    change: &Change,
    now: Timestamp,
) -> Result<(Rule, Vec<Conflict>), PolicyError> {
    let retires = change.status == Some(RuleStatus::Retired);
    if before.status == RuleStatus::Retired {
        return Err(PolicyError::Retired);
    }
    let problems = wrong(tx, owner, before, change, retires)?;
    if !problems.is_empty() {
        return Err(PolicyError::Invalid(problems));
    }
    let next = Rule {
        version: before.version.saturating_add(1),
        updated_at: now,
        ..before.clone()
    };
    if retires {
        let retirement = Retirement {
            at: now,
            by: author.actor.name().to_owned(),
            reason: change.retirement_reason.clone().unwrap_or_default(),
            superseded_by: change.superseded_by,
        };
        let ended = Rule {
            status: RuleStatus::Retired,
            retirement: Some(retirement),
            ..next
        };
        return Ok((ended, Vec::new()));
    }
    let known = before.definition.clone();
    let definition = if let Some(whole) = &change.whole {
        // What kind of rule it is and where it applies stays as it is.
        Definition {
            rule_type: known.rule_type,
            stage: known.stage,
            scope: known.scope,
            scope_id: known.scope_id,
            ..whole.clone()
        }
    } else {
        let mode = change.mode.unwrap_or(known.mode);
        let known = known.in_mode(mode);
        Definition {
            name: change.name.clone().unwrap_or(known.name),
            description: change.description.clone().or(known.description),
            condition: change.condition.clone().or(known.condition),
            min_confidence: change.min_confidence.unwrap_or(known.min_confidence),
            on_stream: change.on_stream.unwrap_or(known.on_stream),
            ..known
        }
    };
    let definition = valid(owner, definition)?;
    let active = store::policy_rules::active(tx, owner.id())?;
    let conflicts = at_odds(&definition, &active, Some(before.id));
    if let Some(twin) = conflicts.iter().find(|it| it.kind == ConflictKind::Duplicate) {
        return Err(PolicyError::Exists(twin.rule));
    }
    Ok((Rule { definition, ..next }, conflicts))
}

/// What is wrong with the parts of a change that say why and by what.
fn wrong(
    tx: &mut impl Tx,
    owner: Owner,
    before: &Rule,
    change: &Change,
    retires: bool,
) -> Result<Vec<FieldProblem>, PolicyError> {
    let mut problems = Vec::new();
    let mut add = |field, detail: &str| {
        problems.push(FieldProblem {
            field,
            detail: detail.to_owned(),
            condition: None,
        });
    };
    let is_reason = |text: &String| {
        let length = text.trim().chars().count();
        (1..=REASON_MAX).contains(&length) && !text.chars().any(|c| is_hidden(c) && c != '\n')
    };
    if change.reason.as_ref().is_some_and(|text| !is_reason(text)) {
        add("change_reason", "1 to 500 characters, none of them invisible");
    }
    match &change.retirement_reason {
        Some(_) if !retires => add("retirement_reason", "only with the status RETIRED"),
        Some(text) if !is_reason(text) => {
            add("retirement_reason", "1 to 500 characters, none of them invisible");
        }
        None if retires => add("retirement_reason", "needed to retire a Policy Rule"),
        Some(_) | None => {}
    }
    let says_more = change.whole.is_some()
        || change.name.is_some()
        || change.description.is_some()
        || change.condition.is_some()
        || change.min_confidence.is_some()
        || change.mode.is_some()
        || change.on_stream.is_some();
    if retires && says_more {
        add("status", "a Policy Rule is retired or changed, not both");
    }
    if let Some(successor) = change.superseded_by {
        if !retires {
            add("superseded_by", "only with the status RETIRED");
        } else if successor == before.id || store::policy_rules::find(tx, owner.id(), successor)?.is_none() {
            add("superseded_by", "must be another Policy Rule of yours");
        }
    }
    Ok(problems)
}

/// Refuses to build on a definition that somebody has changed by other means: it would look decided. Such a rule can be
/// retired; then this is the root that was recorded for it.
fn refuse_tampered(tx: &mut impl Tx, before: &Rule, after: &Rule) -> Result<Option<Digest>, PolicyError> {
    if store::policy_rules::is_intact(tx, before)? {
        return Ok(None);
    }
    if after.status != RuleStatus::Retired {
        return Err(PolicyError::Tampered);
    }
    let recorded = store::policy_rules::found(tx, before.tenant, before.id)?;
    Ok(recorded.map(|found| found.integrity.hash_root))
}
