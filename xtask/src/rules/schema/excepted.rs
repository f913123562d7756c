//! Which exceptions does the rule file declare, and is each of them still one?

use std::collections::BTreeSet;

use crate::config::Exception;
use crate::rule::{Ctx, Finding, Sink};

/// The exceptions of a rule, and which of them were needed.
pub(super) struct Excepted<'a> {
    list: &'a [Exception],
    used: BTreeSet<usize>,
}

impl<'a> Excepted<'a> {
    pub(super) fn new(list: &'a [Exception]) -> Self {
        Self {
            list,
            used: BTreeSet::new(),
        }
    }

    /// Whether this is declared; an exception that nobody asked for is a finding.
    pub(super) fn has(&mut self, at: &str) -> bool {
        let found = self.list.iter().position(|known| known.at.as_ref() == at);
        self.used.extend(found);
        found.is_some()
    }

    /// Reports exceptions that are none any more, and those without a reason.
    pub(super) fn finish(self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        for (index, known) in self.list.iter().enumerate() {
            let name = known.at.as_ref();
            let span = ctx.config.span(&known.at);
            if !self.used.contains(&index) {
                let message = format!("the exception `{name}` is none: nothing needs it");
                let remedy = "remove it from the rule file, so that the list stays true";
                out.report(Finding::new(span, message, remedy));
            } else if known.why.trim().len() < 10 {
                let message = format!("the exception `{name}` has no reason");
                out.report(Finding::new(span, message, "say in `why` why it has to be so"));
            }
        }
    }
}
