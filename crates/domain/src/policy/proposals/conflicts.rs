//! Does a rule get along with those that are active?
//!
//! Conditions are compared as texts: what both demand with `&&` at their outermost level, in any order. Two conditions
//! that say the same in other words are not recognised.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use model::id::{RuleId, SignatureId};
use model::policy::{Definition, EnforcementMode, OnStream, RuleScope, Stage};

/// A rule that is active.
#[derive(Debug, Clone, Copy)]
pub struct ActiveRule<'a> {
    /// Which.
    pub id: RuleId,
    /// What it says.
    pub definition: &'a Definition,
    /// The failure it was made for.
    pub signature: Option<SignatureId>,
}

/// How two rules are at odds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ConflictKind {
    /// The same is demanded, and something else is done.
    ContradictingMode,
    /// A rule that meets at least as much demands the same and does the same.
    Duplicate,
    /// An active rule was made for the same failure.
    SameSignature,
    /// A broader rule does as much already.
    Shadowed,
}

/// A rule that is at odds with the draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// Which.
    pub rule: RuleId,
    /// How.
    pub kind: ConflictKind,
    /// Whether it keeps a proposal from being approved.
    pub blocking: bool,
}

/// Rules that are active, ready to be compared with any number of drafts: each condition is taken apart once.
#[derive(Debug, Clone, Default)]
pub struct ActiveRules<'a>(Vec<(ActiveRule<'a>, BTreeSet<String>)>);

impl<'a> FromIterator<ActiveRule<'a>> for ActiveRules<'a> {
    fn from_iter<I: IntoIterator<Item = ActiveRule<'a>>>(rules: I) -> Self {
        let apart = |rule: ActiveRule<'a>| (rule, demands(rule.definition.condition.as_deref()));
        Self(rules.into_iter().map(apart).collect())
    }
}

impl ActiveRules<'_> {
    /// The rules that a draft is at odds with, the blocking conflicts first; `but` is the rule that it is of. Only rules
    /// of the same stage and type whose scopes overlap are compared; a rule that is being tried (`DRY_RUN`) contradicts
    /// and shadows nothing.
    pub fn conflicts(
        &self,
        draft: &Definition,
        signature: Option<SignatureId>,
        but: Option<RuleId>,
    ) -> Vec<Conflict> {
        let wanted = demands(draft.condition.as_deref());
        let others = self.0.iter().filter(|(rule, _)| Some(rule.id) != but);
        let mut found: Vec<Conflict> = others
            .filter_map(|(rule, theirs)| {
                let kind = between((draft, &wanted, signature), rule, theirs)?;
                Some(Conflict {
                    rule: rule.id,
                    kind,
                    blocking: is_blocking(kind, draft, rule.definition),
                })
            })
            .collect();
        found.sort_by_key(|conflict| (!conflict.blocking, conflict.kind, conflict.rule));
        found
    }
}

fn between(
    (draft, wanted, signature): (&Definition, &BTreeSet<String>, Option<SignatureId>),
    rule: &ActiveRule<'_>,
    theirs: &BTreeSet<String>,
) -> Option<ConflictKind> {
    let other = rule.definition;
    let comparable =
        draft.stage == other.stage && draft.rule_type == other.rule_type && overlap(draft, other);
    if !comparable {
        return None;
    }
    let tried = draft.mode == EnforcementMode::DryRun || other.mode == EnforcementMode::DryRun;
    let is_twin = draft.mode == other.mode
        && draft.min_confidence == other.min_confidence
        && cuts(draft) == cuts(other);
    if wanted == theirs && is_twin && covers(other, draft) {
        Some(ConflictKind::Duplicate)
    } else if wanted == theirs && draft.mode != other.mode && !tried {
        Some(ConflictKind::ContradictingMode)
    } else if signature.is_some() && signature == rule.signature {
        Some(ConflictKind::SameSignature)
    } else if theirs.is_subset(wanted)
        && other.min_confidence <= draft.min_confidence
        && other.mode >= draft.mode
        && cuts(other) >= cuts(draft)
        && covers(other, draft)
        && !tried
    {
        Some(ConflictKind::Shadowed)
    } else {
        None
    }
}

/// Whether it keeps the draft from being approved. Two modes for two scopes are no mistake: where both apply, the more
/// severe one wins.
fn is_blocking(kind: ConflictKind, draft: &Definition, other: &Definition) -> bool {
    match kind {
        ConflictKind::Duplicate => true,
        ConflictKind::ContradictingMode => draft.scope == other.scope && draft.scope_id == other.scope_id,
        ConflictKind::SameSignature | ConflictKind::Shadowed => false,
    }
}

/// Whether it ends a stream in which it finds something. Nothing of a request is streamed, and what refuses nothing
/// annotates in any case.
fn cuts(of: &Definition) -> bool {
    of.stage == Stage::Output && of.mode.refuses() && of.on_stream == OnStream::Block
}

/// Whether a request can be in both scopes: it has a project and an agent.
fn overlap(one: &Definition, other: &Definition) -> bool {
    one.scope != other.scope || !one.scope.is_named() || one.scope_id == other.scope_id
}

/// Whether every request in the scope of the second is in that of the first.
fn covers(first: &Definition, second: &Definition) -> bool {
    match first.scope {
        RuleScope::Global => true,
        RuleScope::Tenant => second.scope != RuleScope::Global,
        RuleScope::Project | RuleScope::Agent => {
            first.scope == second.scope && first.scope_id == second.scope_id
        }
    }
}

/// What a condition demands: its parts between `&&` at the outermost level, without white space outside of texts. A
/// condition with `||` or `?` at that level, or with a comment, is one part.
fn demands(condition: Option<&str>) -> BTreeSet<String> {
    let Some(condition) = condition else {
        return BTreeSet::new();
    };
    let (mut parts, mut part, mut whole) = (BTreeSet::new(), String::new(), String::new());
    let (mut depth, mut quote, mut escaped, mut joined) = (0_usize, None, false, true);
    let mut characters = condition.chars().peekable();
    while let Some(character) = characters.next() {
        match quote {
            Some(open) => {
                if character == open && !escaped {
                    quote = None;
                }
                escaped = character == '\\' && !escaped;
            }
            None => match character {
                '"' | '\'' => quote = Some(character),
                '(' | '[' | '{' => depth = depth.saturating_add(1),
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                '?' | '|' if depth == 0 => joined = false,
                '/' if characters.peek() == Some(&'/') => joined = false,
                '&' if depth == 0 && characters.peek() == Some(&'&') => {
                    characters.next();
                    whole.push_str("&&");
                    parts.insert(core::mem::take(&mut part));
                    continue;
                }
                _ if character.is_whitespace() => continue,
                _ => {}
            },
        }
        part.push(character);
        whole.push(character);
    }
    parts.insert(part);
    if joined { parts } else { BTreeSet::from([whole]) }
}

#[cfg(test)]
mod tests;
