//! Which rule would have prevented a failure, and does it get along with the others?

mod conflicts;
mod demand;
mod diff;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use model::id::SignatureId;
use model::incident::{Failure, RequestTraits, Signature};
use model::permille::Permille;
use model::policy::{
    Definition, EnforcementMode, OnStream, PREVENTION_CONFIDENCE, RuleScope, RuleType, Stage,
};
use model::severity::Severity;
use model::text::is_hidden;

use self::demand::Demand;

pub use self::conflicts::{ActiveRule, ActiveRules, Conflict, ConflictKind};
pub use self::diff::{Change, all, diff};

/// How many failures of one family are worth a proposal, whatever their severity.
pub const RECURRENCES: usize = 3;

/// An LLM Run of the past.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// What its request looked like.
    pub request: RequestTraits,
    /// How it failed, if it did.
    pub failure: Option<Failure>,
}

/// A rule that would have prevented a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What the rule is to say.
    pub definition: Definition,
    /// The failure it is made for, or its family if the input is left out.
    pub signature: SignatureId,
    /// How sure it is that the rule meets the failure and nothing else; see [`confidence`].
    pub confidence: Permille,
    /// How many failures of the history it would have met, the one it is made for included.
    pub failures_met: usize,
    /// How many successful runs of the history it would have met.
    pub successes_met: usize,
}

/// Whether a failure is worth a proposal: from severity high on, or from three of the family on.
pub fn is_worth_a_proposal(severity: Severity, family_count: usize) -> bool {
    severity <= Severity::Sev2 || family_count >= RECURRENCES
}

/// How sure a rule is: the share of failures among the runs it meets, times what so many failures can prove (0.600 for
/// one, 0.700 for two, 0.800 for three, then 0.050 more for each, at most 0.950); rounded down to thousandths.
pub fn confidence(failures_met: usize, successes_met: usize) -> Permille {
    let proof = match failures_met {
        0 => 0_u64,
        1 => 600,
        2 => 700,
        more => {
            let further = u64::try_from(more.saturating_sub(3)).unwrap_or(u64::MAX);
            further.saturating_mul(50).saturating_add(800).min(950)
        }
    };
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let met = number(failures_met).saturating_add(number(successes_met));
    let share = u64::from(Permille::of(number(failures_met), met).thousandths());
    Permille::of(share.saturating_mul(proof), 1_000_000)
}

/// Drafts the rule that prevents a failure.
///
/// Its condition says everything about the request that the signature knows, so that it meets as little else as possible.
/// Where a condition that names all tools would be longer than one may be, it names fewer of them, and how many there are.
/// The input is left out only if the same failure is on record with another input, and the wider rule is sure enough to
/// prevent ([`PREVENTION_CONFIDENCE`]). A draft that is not sure enough warns; any other blocks, once a person has
/// approved it.
pub fn draft_from(signature: &Signature, history: &[Recorded]) -> Draft {
    let exact = &signature.request;
    let family = RequestTraits {
        input_fingerprint: None,
        ..exact.clone()
    };
    let (exact, family) = (Demand::of(exact), Demand::of(&family));
    let other_input = history.iter().any(|run| {
        run.failure.as_ref() == Some(&signature.failure)
            && family.meets(&run.request)
            && run.request.input_fingerprint != signature.request.input_fingerprint
    });
    let narrow = count(&exact, signature, history);
    let wide = count(&family, signature, history);
    let widened = other_input && confidence(wide.0, wide.1) >= PREVENTION_CONFIDENCE;
    let (demand, (failures_met, successes_met)) = if widened {
        (&family, wide)
    } else {
        (&exact, narrow)
    };
    let confidence = confidence(failures_met, successes_met);
    let sure = confidence >= PREVENTION_CONFIDENCE;
    Draft {
        definition: Definition {
            name: format!(
                "Prevent {} with {}",
                signature.failure.code.as_str(),
                model_name(demand.request)
            ),
            description: Some(format!(
                "Meets requests like the one that failed with {}; {failures_met} failures and {successes_met} successes \
                 on record.",
                signature.failure.error_class
            )),
            rule_type: RuleType::Condition,
            stage: Stage::Input,
            condition: Some(demand.condition.clone()),
            min_confidence: PREVENTION_CONFIDENCE,
            scope: RuleScope::Tenant,
            scope_id: None,
            mode: if sure {
                EnforcementMode::Block
            } else {
                EnforcementMode::Warn
            },
            on_stream: OnStream::Block,
        },
        signature: if widened {
            signature.family()
        } else {
            signature.id()
        },
        confidence,
        failures_met,
        successes_met,
    }
}

/// What people see of the model's name: nothing that a name of a rule may not have.
fn model_name(request: &RequestTraits) -> String {
    let name = request.model.as_deref().unwrap_or("any model");
    name.chars().filter(|character| !is_hidden(*character)).collect()
}

/// How many failures like this and how many successes a rule for such requests would have met. The failure itself counts
/// once, whether it is on record or not.
fn count(wanted: &Demand<'_>, signature: &Signature, history: &[Recorded]) -> (usize, usize) {
    let met: Vec<_> = history.iter().filter(|run| wanted.meets(&run.request)).collect();
    let failed = met
        .iter()
        .filter(|run| run.failure.as_ref() == Some(&signature.failure))
        .count();
    let succeeded = met.iter().filter(|run| run.failure.is_none()).count();
    (failed.max(1), succeeded)
}

#[cfg(test)]
mod tests;
