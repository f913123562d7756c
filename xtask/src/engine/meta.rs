//! Does the checker itself do what it says: does every rule look at something, is every exemption needed?

use crate::config::Config;
use crate::model::{Broken, Span};
use crate::registry;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::suggest;

use super::{Ran, Shown};

/// Rules whose findings come from the engine.
pub(crate) const META: &[&'static dyn Rule] =
    &[&Meta(&IDLE), &Meta(&ARMED), &Meta(&EXPECT), &Meta(&BASELINE)];

struct Meta(&'static Info);

impl Rule for Meta {
    fn info(&self) -> &'static Info {
        self.0
    }

    fn check(&self, _: &Ctx<'_>, _: &mut Sink<'_>) {}
}

pub(super) const IDLE: Info = Info {
    id: "ARCH-IDLE-001",
    title: "a rule looks at something, and at no less than was accepted",
    family: Family::Meta,
    why: "A gate that examines nothing is green for ever. Most gates that failed elsewhere failed this way.",
    fix: "Correct what the rule selects; accept a smaller count with `cargo xtask check-layers --accept`.",
    scope: "every rule of every run, against the floors in architecture.lock",
    needles: &[],
};

pub(super) const ARMED: Info = Info {
    id: "ARCH-ARMED-001",
    title: "a rule still looks at every crate in which it was armed",
    family: Family::Meta,
    why: "A rule that lost one crate is green there for ever, and the sum of what it looked at hardly moves.",
    fix: "Correct what the rule selects; when the crate has nothing for it any more, accept that with `cargo xtask \
          check-layers --accept`.",
    scope: "rules and crates in architecture.lock: what each counted, and whether it finds a violation of its own in a \
            small tree in memory; `check --self-test` plants one for each pair in the whole tree",
    needles: &[],
};

pub(super) const EXPECT: Info = Info {
    id: "ARCH-EXPECT-001",
    title: "an exemption has a rule, a reason, a last day, a budget, and something to exempt",
    family: Family::Meta,
    why: "Exemptions that nobody needs any more hide the next violation.",
    fix: "Write `// arch:expect(RULE): reason of 15 characters or more; until=YYYY-MM-DD`, or remove it.",
    scope: "comments of Rust files, comment lines of manifests and migrations, and [exemptions] of the rule file",
    needles: &[],
};

pub(super) const BASELINE: Info = Info {
    id: "ARCH-BASELINE-001",
    title: "a baseline only shrinks",
    family: Family::Meta,
    why: "A baseline entry without a finding is room for a new violation; an entry that comes back, or changes places \
          with another, is one.",
    fix: "Remove the entry from the baseline file.",
    scope: "the file given with --baseline, against the findings and against itself at the merge base with the default \
            branch, or with `--since`",
    needles: &[],
};

/// A finding of one of these rules.
pub(super) fn finding(info: &'static Info, span: Span, message: String, remedy: &str) -> Finding {
    Finding {
        rule: info.id,
        ..Finding::new(span, message, remedy)
    }
}

/// Rules that looked at nothing, or at less than the lock says.
pub(super) fn idle(ctx: &Ctx<'_>, ran: &[Ran]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in ran {
        let (id, count, floor) = (rule.info.id, rule.total(), ctx.lock.floor(rule.info.id));
        if rule.off.is_some() && ctx.config.path.is_empty() {
            continue;
        }
        let message = match rule.off {
            _ if count >= floor.max(1) => continue,
            Some(why) if floor == 0 => {
                let _ = why;
                continue;
            }
            _ if count == 0 => format!("{id} examined nothing, so it proves nothing"),
            _ => format!("{id} examined {count}; at least {floor} were accepted"),
        };
        let place = if ctx.config.path.is_empty() {
            "Cargo.toml"
        } else {
            &ctx.config.path
        };
        findings.push(finding(&IDLE, Span::file(place), message, IDLE.fix));
    }
    findings
}

/// Crates that a rule looked at when the lock was accepted, and does not any more.
pub(super) fn disarmed(ctx: &Ctx<'_>, ran: &[Ran]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in ran {
        let id = rule.info.id;
        let left = |name: &&str| {
            let looks = rule.examined.get(*name).is_some_and(|count| *count > 0);
            !looks && ctx.workspace.krate(name).is_some()
        };
        for krate in ctx.lock.looks(id).filter(left) {
            let message = format!("{id} looks at nothing in `{krate}` any more, where it was armed");
            findings.push(finding(&ARMED, Span::file(&ctx.lock.path), message, ARMED.fix));
        }
    }
    findings
}

/// Rules that do not find a violation that was planted in this run.
pub(super) fn silent(ctx: &Ctx<'_>, shown: &Shown) -> Vec<Finding> {
    let pairs = shown.silent.iter();
    pairs
        .map(|(id, krate)| {
            let message = format!("{id} does not find a violation that was planted in `{krate}`, in memory");
            finding(&ARMED, Span::file(&ctx.lock.path), message, ARMED.fix)
        })
        .collect()
}

/// `[rules.X]`, or an exemption, for a rule that does not exist.
pub(super) fn unknown_rules(config: &Config) -> Vec<Broken> {
    let known: Vec<_> = registry::all().iter().map(|rule| rule.info().id).collect();
    let options = config.rules.keys().map(|id| ("rules", id));
    let exempt = config.exemptions.keys().map(|id| ("exemptions", id));
    options
        .chain(exempt)
        .filter(|(_, id)| !known.contains(&id.as_str()))
        .map(|(table, id)| {
            let hint = suggest::hint(id, known.iter().copied());
            config.broken(&[table, id], format!("there is no rule `{id}`{hint}"))
        })
        .collect()
}
