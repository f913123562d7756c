//! How do rules become one verdict: run, fingerprint, exempt, compare with the baseline, sort?

mod baseline;
mod budget;
mod date;
mod expect;
mod fingerprint;
mod meta;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rayon::prelude::*;

pub(crate) use baseline::{Baseline, render as render_baseline};
pub(crate) use budget::Budgets;
pub(crate) use date::{Date, today};
pub(crate) use meta::META;

use crate::config::Config;
use crate::lock::Lock;
use crate::model::{Broken, Workspace};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::Words;

/// What to run on what.
pub(crate) struct Job<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) config: &'a Config,
    pub(crate) words: &'a Words,
    pub(crate) rules: Vec<&'static dyn Rule>,
    pub(crate) baseline: Option<Baseline>,
    pub(crate) today: Date,
    /// Shows, while the rules run, that they are armed.
    pub(crate) prove: Option<&'a (dyn Fn() -> Shown + Sync)>,
}

/// What a run shows of its own rules: pairs of a rule and a crate in which a violation was planted.
#[derive(Default)]
pub(crate) struct Shown {
    /// How many pairs there are in architecture.lock.
    pub(crate) claims: usize,
    pub(crate) found: BTreeSet<(&'static str, String)>,
    pub(crate) silent: BTreeSet<(&'static str, String)>,
}

/// What a run found.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) findings: Vec<Finding>,
    /// Findings that an `arch:expect` answers, with its reason.
    pub(crate) exempt: Vec<(Finding, String)>,
    /// Findings that the baseline knows.
    pub(crate) known: Vec<Finding>,
    pub(crate) rules: Vec<Ran>,
    pub(crate) budgets: Budgets,
    pub(crate) shown: Shown,
    pub(crate) broken: Vec<Broken>,
}

/// One rule of a run.
pub(crate) struct Ran {
    pub(crate) info: &'static Info,
    pub(crate) examined: BTreeMap<String, usize>,
    pub(crate) off: Option<&'static str>,
    pub(crate) data: serde_json::Value,
    pub(crate) took: Duration,
}

impl Ran {
    pub(crate) fn total(&self) -> usize {
        self.examined.values().sum()
    }
}

impl Outcome {
    /// 0 clean, 1 findings, 2 the input is broken.
    pub(crate) fn exit_code(&self) -> u8 {
        match (self.broken.is_empty(), self.findings.is_empty()) {
            (false, _) => 2,
            (true, false) => 1,
            (true, true) => 0,
        }
    }
}

/// The words that the rules look for.
pub(crate) fn words(rules: &[&'static dyn Rule]) -> Words {
    Words::new(rules.iter().flat_map(|rule| rule.info().needles.iter().copied()))
}

/// Runs the rules; never stops at a finding.
pub(crate) fn run(job: &Job<'_>) -> Outcome {
    let lock = Lock::read(job.workspace, &job.config.path);
    let ctx = Ctx {
        workspace: job.workspace,
        config: job.config,
        lock: &lock,
        words: job.words,
    };
    let mut outcome = Outcome {
        broken: job.workspace.broken.clone(),
        ..Outcome::default()
    };
    outcome
        .broken
        .extend(job.rules.iter().filter_map(|rule| rule.options(job.config).err()));
    outcome.broken.extend(meta::unknown_rules(job.config));
    let mut findings = Vec::new();
    let prove = || job.prove.map(|prove| prove()).unwrap_or_default();
    let (all, shown) = rayon::join(|| run_rules(&ctx, &job.rules), prove);
    outcome.shown = shown;
    for (found, ran) in all {
        findings.extend(found);
        outcome.rules.push(ran);
    }
    // Rules that look at less are what broken input leads to: it is told once, as what it is.
    if outcome.broken.is_empty() {
        findings.extend(meta::idle(&ctx, &outcome.rules));
        findings.extend(meta::disarmed(&ctx, &outcome.rules));
        findings.extend(meta::silent(&ctx, &outcome.shown));
    }
    fingerprint::complete(&ctx, &mut findings);
    let mut answered = expect::apply(&ctx, job, findings);
    fingerprint::complete(&ctx, &mut answered.left);
    outcome.exempt = answered.exempt;
    outcome.rules.extend(answered.ran);
    outcome.budgets = answered.budgets;
    outcome.findings = answered.left;
    if let Some(baseline) = &job.baseline {
        let judged = baseline.apply(outcome.findings);
        outcome.known = judged.known;
        outcome.findings = judged.left;
        outcome.rules.push(judged.ran);
    }
    outcome.findings.sort();
    outcome.exempt.sort();
    outcome.broken.sort();
    outcome.broken.dedup();
    outcome
}

/// What each rule found, in the order of the rules.
fn run_rules(ctx: &Ctx<'_>, rules: &[&'static dyn Rule]) -> Vec<(Vec<Finding>, Ran)> {
    let rules = rules.iter().enumerate();
    let rules: Vec<_> = rules
        .filter(|(_, rule)| rule.info().family != Family::Meta)
        .collect();
    let (waiting, free): (Vec<_>, Vec<_>) = rules.into_iter().partition(|(_, rule)| rule.waits());
    let run = |(at, rule): (usize, &&'static dyn Rule)| (at, run_rule(ctx, *rule));
    let all = |rules: Vec<_>| -> Vec<_> { rules.into_par_iter().with_max_len(1).map(run).collect() };
    // What is shared is made in steps, not all of which keep all cores busy: the other rules fill the gaps.
    let prepared = || {
        for (_, rule) in &waiting {
            rule.prepare(ctx);
        }
        all(waiting)
    };
    let (mut ran, others) = rayon::join(prepared, || all(free));
    ran.extend(others);
    ran.sort_by_key(|(at, _)| *at);
    ran.into_iter().map(|(_, ran)| ran).collect()
}

fn run_rule(ctx: &Ctx<'_>, rule: &dyn Rule) -> (Vec<Finding>, Ran) {
    let start = Instant::now();
    let mut sink = Sink::new(rule.info());
    rule.check(ctx, &mut sink);
    let ran = Ran {
        info: rule.info(),
        examined: sink.counted(),
        off: sink.off,
        data: sink.data,
        took: start.elapsed(),
    };
    (sink.findings, ran)
}
