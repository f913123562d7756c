//! How is a Policy Rule made ready to be judged?
//!
//! Once per version: its condition is compiled, and what a decision says about it is copied.

use alloc::string::String;
use alloc::vec::Vec;

use model::id::TenantId;
use model::policy::{EnforcementMode, OnStream, Rule, RuleScope, RuleStatus, RuleType, Stage};

use super::condition::{Compiled, Fault, compile};
use super::context::{Context, Needs};
use super::findings::Finding;
use super::{Match, Reason, Skipped};

/// A Policy Rule that is ready to be judged.
#[derive(Debug, Clone)]
pub struct Prepared {
    rule: Rule,
    condition: Condition,
}

#[derive(Debug, Clone)]
enum Condition {
    None,
    Compiled(Compiled),
    /// What is stored does not compile: it was written past the check, or by a version that knew more.
    Broken,
}

/// How a rule matched.
#[derive(Debug)]
pub(super) enum Hit {
    Condition,
    Findings(Vec<Finding>),
}

impl Prepared {
    /// Prepares a rule. One whose condition does not compile can be prepared too: it cannot be judged, and refuses if
    /// its mode is BLOCK.
    pub fn new(rule: Rule) -> Self {
        let condition = match rule.definition.condition.as_deref() {
            None if rule.definition.rule_type.needs_condition() => Condition::Broken,
            None => Condition::None,
            Some(source) => compile(source).map_or(Condition::Broken, Condition::Compiled),
        };
        Self { rule, condition }
    }

    /// The rule.
    pub const fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Whether it asks about what the evaluators find, so that somebody must let them look.
    pub fn needs_findings(&self) -> bool {
        let asks = self.needs(Needs::Findings) || self.needs(Needs::Accuracy);
        self.rule.definition.rule_type != RuleType::Condition || asks
    }

    /// Whether it asks about statements that nobody told the model.
    pub fn needs_accuracy(&self) -> bool {
        self.rule.definition.rule_type == RuleType::ContentAccuracy || self.needs(Needs::Accuracy)
    }

    /// Whether it asks about the failures on record.
    pub fn needs_failure(&self) -> bool {
        self.needs(Needs::Failure)
    }

    fn needs(&self, part: Needs) -> bool {
        matches!(&self.condition, Condition::Compiled(compiled) if compiled.needs(part))
    }

    /// Whether it applies at this stage to a request of this tenant: it is ACTIVE, it is the tenant's own or the
    /// platform's GLOBAL one, and the request is in its scope.
    pub fn applies(&self, tenant: TenantId, stage: Stage, context: &Context<'_>) -> bool {
        let definition = &self.rule.definition;
        let named = |name: &str| !name.is_empty() && definition.scope_id.as_deref() == Some(name);
        let in_scope = match definition.scope {
            RuleScope::Global => self.rule.tenant == TenantId::PLATFORM,
            RuleScope::Tenant => self.rule.tenant == tenant,
            RuleScope::Project => self.rule.tenant == tenant && named(context.project),
            RuleScope::Agent => self.rule.tenant == tenant && named(context.agent),
        };
        in_scope && self.rule.status == RuleStatus::Active && definition.stage == stage
    }

    /// What it does when it matches; on a stream (`streamed`), a rule that annotates streams refuses nothing.
    pub const fn mode(&self, streamed: bool) -> EnforcementMode {
        match (self.rule.definition.mode, self.rule.definition.on_stream) {
            (EnforcementMode::Block, OnStream::Annotate) if streamed => EnforcementMode::Warn,
            (mode, _) => mode,
        }
    }

    /// How it matches, if it does.
    pub(super) fn hit(&self, context: &Context<'_>, findings: &[Finding]) -> Result<Option<Hit>, Fault> {
        let definition = &self.rule.definition;
        let own: Vec<Finding> = match definition.rule_type {
            RuleType::Condition => Vec::new(),
            evaluator => findings
                .iter()
                .filter(|finding| {
                    finding.kind.evaluator() == evaluator && finding.confidence >= definition.min_confidence
                })
                .copied()
                .collect(),
        };
        if definition.rule_type != RuleType::Condition && own.is_empty() {
            return Ok(None);
        }
        let holds = match &self.condition {
            Condition::None => true,
            Condition::Compiled(compiled) => compiled.holds(context)?,
            Condition::Broken => return Err(Fault::Defect),
        };
        Ok(holds.then_some(if own.is_empty() {
            Hit::Condition
        } else {
            Hit::Findings(own)
        }))
    }

    pub(super) fn matched(&self, mode: EnforcementMode, reason: Reason) -> Match {
        let (rule, definition) = (&self.rule, &self.rule.definition);
        Match {
            rule: rule.id,
            version: rule.version,
            hash: rule.hash,
            name: definition.name.clone(),
            rule_type: definition.rule_type,
            scope: definition.scope,
            mode,
            on_stream: definition.on_stream,
            reason,
            source_incident: rule.source_incident,
            source_run: rule.source_run,
        }
    }

    pub(super) const fn skipped(&self, detail: String) -> Skipped {
        Skipped {
            rule: self.rule.id,
            version: self.rule.version,
            mode: self.rule.definition.mode,
            detail,
        }
    }
}
