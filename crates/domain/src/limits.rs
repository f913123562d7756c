//! Does a request fit all limits that apply to it?
//!
//! Strict limits (BLOCK, REJECT, QUEUE, DEGRADE) refuse what does not fit: settled + held + requested must not
//! be more than the maximum, and equality passes. WARN and ALERT limits are counted all the same and say so.
//! Either everything is held or nothing is.

pub mod draft;
pub mod history;
pub mod matching;
pub mod order;
pub mod outcome;
mod raise;
pub mod rate;
mod remedy;
mod report;

use alloc::string::String;
use alloc::vec::Vec;

use model::amounts::Amounts;
use model::breach::BreachType;
use model::decision::Outcome;
use model::hold::HoldItem;
use model::id::{LimitId, OverrideId, TenantId};
use model::limit::{Enforcement, Limit, LimitCategory, LimitScope, LimitType, Unit};
use model::time::Timestamp;
use model::window::{Window, WindowSpec};

pub use self::matching::applies;
pub use self::order::{Retry, Stage, order};
pub use self::remedy::Remedy;
pub use self::report::COST_UNKNOWN;

/// The engine's name in decision snapshots.
pub const NAME: &str = "limits";
/// The engine's version; raised with every change of what it decides.
pub const VERSION: &str = "7";

/// From which share of its maximum a limit is said to be approaching, in percent.
pub const APPROACHING_PCT: i64 = 80;

/// What one counter of a limit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The start of its window, in microseconds.
    pub window_start: i64,
    /// Used for good.
    pub settled: i64,
    /// Set aside by open holds.
    pub held: i64,
}

/// A limit that applies, with every counter that counts now.
#[derive(Debug, Clone)]
pub struct LimitState<'a> {
    /// The limit.
    pub limit: &'a Limit,
    /// Its counters: at most one for calendar windows, one per step for rolling ones, oldest first.
    pub counted: Vec<Counted>,
}

/// Everything the decision depends on.
#[derive(Debug, Clone)]
pub struct CheckInput<'a> {
    /// When it is decided.
    pub now: Timestamp,
    /// What the request asks for.
    pub amounts: Amounts,
    /// How many more LLM Runs it would be at one time; 1 for a single request.
    pub concurrency: i64,
    /// Whether anybody knows what it will cost. What nobody knows is not zero: a strict money limit refuses it, and another
    /// one says that it cannot count it.
    pub cost_known: bool,
    /// The limits that apply to it.
    pub limits: &'a [LimitState<'a>],
    /// The QUEUE limits before which others have been waiting for longer: what room they have is not for this request.
    pub crowded: &'a [LimitId],
    /// The DEGRADE limits whose wish is done with this request.
    pub degraded_by: &'a [LimitId],
}

/// How a request relates to one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitReport {
    /// Which limit.
    pub limit: LimitId,
    /// Who owns it.
    pub owner: TenantId,
    /// What people call it.
    pub name: String,
    /// Its category.
    pub category: LimitCategory,
    /// What it counts.
    pub limit_type: LimitType,
    /// Whose requests it applies to.
    pub scope: LimitScope,
    /// What it does.
    pub enforcement: Enforcement,
    /// The most at this time, in the unit of the type: what an override has raised it to, while one is on.
    pub max: i64,
    /// Used for good, before this request.
    pub settled: i64,
    /// Set aside, before this request.
    pub held: i64,
    /// What this request asks for.
    pub requested: i64,
    /// The first instant at which there will be more room; none if there never will.
    pub resets_at: Option<Timestamp>,
    /// The length of the window in seconds, where it has one.
    pub window_seconds: Option<i64>,
    /// One of the message codes of the contract.
    pub message_code: &'static str,
}

impl LimitReport {
    /// Whether the limit is the installation's own: what is used of it is used by all tenants together, and none of
    /// them may see how much that is.
    pub fn is_platform(&self) -> bool {
        self.owner == TenantId::PLATFORM
    }
}

/// What is left after this request, over all strict limits of the tenant's own; none where nothing limits. What is
/// left of the platform's limits would tell one tenant what the others spend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Headroom {
    /// Nano-USD.
    pub cost: Option<i64>,
    /// Tokens.
    pub tokens: Option<i64>,
    /// Requests, or places where LLM Runs at one time are limited.
    pub requests: Option<i64>,
}

/// A breach to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreachFact {
    /// Who owns the limit.
    pub owner: TenantId,
    /// Which limit.
    pub limit: LimitId,
    /// How.
    pub breach_type: BreachType,
    /// What the counter would have reached.
    pub value: i64,
    /// The maximum.
    pub max: i64,
    /// Whether the limit is an ALERT, so that an alert fires with it.
    pub alert: bool,
    /// Recorded only if it was not since then; none if it is recorded every time.
    pub once_since: Option<Timestamp>,
}

/// What was decided, with its effects as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOutput {
    /// ALLOW, WARN or BLOCK.
    pub outcome: Outcome,
    /// What is to be held; empty if refused.
    pub items: Vec<HoldItem>,
    /// The limits that refuse, in the order in which they are asked ([`order`]).
    pub blocking: Vec<LimitReport>,
    /// The money limits that refuse because the cost is not known.
    pub unpriced: Vec<LimitReport>,
    /// The limits that are passed or approaching, or that let pass what they cannot count.
    pub warnings: Vec<LimitReport>,
    /// Every counted limit of the tenant's own, the one with the least room first: for the headers of the answer.
    pub reports: Vec<LimitReport>,
    /// The overrides without which a limit would have been passed, by who owns the limit.
    pub overrides: Vec<(TenantId, OverrideId)>,
    /// What is left.
    pub headroom: Headroom,
    /// What is to be recorded.
    pub breaches: Vec<BreachFact>,
    /// Whether a strict limit counts money or tokens, so that the request may not use more than it asks for.
    pub bounds_usage: bool,
    /// How many limits were asked.
    pub checks: usize,
}

/// Decides.
pub fn check(input: &CheckInput<'_>) -> CheckOutput {
    let mut output = CheckOutput {
        outcome: Outcome::Allow,
        items: Vec::new(),
        blocking: Vec::new(),
        unpriced: Vec::new(),
        warnings: Vec::new(),
        reports: Vec::new(),
        overrides: Vec::new(),
        headroom: Headroom::default(),
        breaches: Vec::new(),
        bounds_usage: false,
        checks: input.limits.len(),
    };
    let mut limits: Vec<&LimitState<'_>> = input.limits.iter().collect();
    limits.sort_by_cached_key(|state| order(state.limit));
    for state in limits {
        if let Some(requested) = asked_for(state.limit.limit_type, &input.amounts, input.concurrency) {
            weigh(input, state, requested, &mut output);
        } else if let Some(overrun) = state.limit.overrun {
            rate::weigh(input, state.limit, overrun, &mut output);
        }
    }
    let blocked = !output.blocking.is_empty() || !output.unpriced.is_empty();
    if blocked {
        output.items.clear();
        output
            .breaches
            .retain(|breach| breach.breach_type != BreachType::Breached);
    }
    output.headroom = headroom(&output.reports, blocked);
    output
        .reports
        .retain(|report| report.category != LimitCategory::Threshold && !report.is_platform());
    output.reports.sort_by(report::by_least_room);
    output.outcome = match (blocked, output.warnings.is_empty()) {
        (true, _) => Outcome::Block,
        (false, false) => Outcome::Warn,
        (false, true) => Outcome::Allow,
    };
    output
}

/// What a request asks for; none where only the finished run can tell.
fn asked_for(limit_type: LimitType, amounts: &Amounts, concurrency: i64) -> Option<i64> {
    if limit_type.is_given_back() {
        return Some(concurrency);
    }
    limit_type.amount_of(amounts)
}

fn weigh(input: &CheckInput<'_>, state: &LimitState<'_>, requested: i64, output: &mut CheckOutput) {
    let (now, limit) = (input.now, state.limit);
    let window = limit.window.window_at(now);
    let settled = sum(state.counted.iter().map(|counted| counted.settled));
    let held = sum(state.counted.iter().map(|counted| counted.held));
    let before = settled.saturating_add(held);
    let after = before.saturating_add(requested);
    let max = limit.max_at(now);
    let mut report = LimitReport {
        limit: limit.id,
        owner: limit.tenant,
        name: limit.name.clone(),
        category: limit.category,
        limit_type: limit.limit_type,
        scope: limit.scope,
        enforcement: limit.enforcement,
        max,
        settled,
        held,
        requested,
        resets_at: report::resets_at(now, window, state, requested),
        window_seconds: limit.window.nominal_seconds(),
        message_code: report::message_code(limit),
    };
    let crowded = limit.enforcement == Enforcement::Queue && input.crowded.contains(&limit.id);
    let over = after > max || crowded;
    // A request that takes nothing of a limit cannot be what passes it.
    let refused = over && requested > 0 && limit.enforcement.is_strict();
    let money = limit.limit_type.unit() == Unit::NanoUsd;
    let usage = money || limit.limit_type.unit() == Unit::Tokens;
    output.bounds_usage |= usage && limit.enforcement.is_strict();
    let unknown = money && !input.cost_known;
    if unknown && limit.enforcement.is_strict() {
        output.unpriced.push(report.clone());
    } else if refused {
        output.blocking.push(report.clone());
        // A crowded limit refuses what it has room for, and is not passed by it.
        let passed = (after > max).then(|| breach(&report, refused_as(&report), after));
        output.breaches.extend(passed);
        output
            .warnings
            .extend(raise::expired(limit, window, now, &report));
    } else if over && requested > 0 {
        output.warnings.push(report.clone());
        // Also where it was passed before: by what a settlement added, or because the maximum is lower now.
        output.breaches.push(BreachFact {
            once_since: told_since(limit, window, now),
            ..breach(&report, BreachType::Breached, after)
        });
    } else if let Some(raise) = limit.raise.filter(|_| after > limit.max && requested > 0) {
        output.overrides.push((limit.tenant, raise.id));
        report.message_code = raise::APPLIED;
        output.warnings.push(report.clone());
    } else if let Some(code) = noted(limit, unknown, after, max) {
        report.message_code = code;
        output.warnings.push(report.clone());
    }
    if limit.category != LimitCategory::Threshold && requested > 0 {
        output.items.push(HoldItem {
            owner: limit.tenant,
            limit: limit.id,
            counts: limit.limit_type,
            window_start: window.start.as_micros(),
            amount: requested,
            settled: 0,
            carried: false,
        });
    }
    output.reports.push(report);
}

/// What is said of a limit that is not passed.
fn noted(limit: &Limit, unknown: bool, after: i64, max: i64) -> Option<&'static str> {
    if unknown {
        return Some(report::COST_UNKNOWN);
    }
    let near = approaching(after, max) && limit.category != LimitCategory::Threshold;
    near.then_some(report::APPROACHING)
}

fn breach(report: &LimitReport, breach_type: BreachType, value: i64) -> BreachFact {
    BreachFact {
        owner: report.owner,
        limit: report.limit,
        breach_type,
        value,
        max: report.max,
        alert: report.enforcement == Enforcement::Alert,
        once_since: None,
    }
}

/// Since when a limit that lets pass is told to be passed at most once: the beginning of its window, or when it was changed,
/// raised, or lowered again by the end of a raise, if that was later. What is given back has no window, and is told once a
/// day (UTC). None: each time.
pub fn told_since(limit: &Limit, window: Window, now: Timestamp) -> Option<Timestamp> {
    let began = match limit.window {
        WindowSpec::PerRun => return None,
        WindowSpec::Rolling { seconds } => now.plus_seconds(i64::from(seconds).saturating_neg()),
        WindowSpec::Calendar { .. } if limit.limit_type.is_given_back() => Timestamp::start_of_day(now.day()),
        WindowSpec::Calendar { .. } => window.start,
    };
    let raise = limit.raise.map(|raise| {
        if raise.until <= now {
            raise.until
        } else {
            raise.from
        }
    });
    let changes = [Some(limit.updated_at), raise];
    // Another node's clock may be ahead of this one.
    let changes = changes.into_iter().flatten().filter(|at| *at <= now);
    changes.chain([began]).max()
}

const fn refused_as(report: &LimitReport) -> BreachType {
    match report.category {
        // That others are under way is part of how it works, as with a rate.
        _ if report.limit_type.is_given_back() => BreachType::Throttled,
        LimitCategory::Budget => BreachType::Exhausted,
        LimitCategory::Rate => BreachType::Throttled,
        LimitCategory::Threshold => BreachType::Violated,
    }
}

fn approaching(after: i64, max: i64) -> bool {
    // Wider than the amounts, so that large ones do not end at one and the same number.
    i128::from(after).saturating_mul(100) >= i128::from(max).saturating_mul(i128::from(APPROACHING_PCT))
}

fn sum(amounts: impl Iterator<Item = i64>) -> i64 {
    amounts.fold(0, i64::saturating_add)
}

fn headroom(reports: &[LimitReport], blocked: bool) -> Headroom {
    let mut headroom = Headroom::default();
    for report in reports {
        let counts = report.enforcement.is_strict() && report.category != LimitCategory::Threshold;
        if !counts || report.is_platform() {
            continue;
        }
        let taken = if blocked { 0 } else { report.requested };
        let used = report.settled.saturating_add(report.held).saturating_add(taken);
        let left = report.max.saturating_sub(used).max(0);
        let slot = match report.limit_type.unit() {
            Unit::NanoUsd => &mut headroom.cost,
            Unit::Tokens => &mut headroom.tokens,
            Unit::Requests | Unit::Places => &mut headroom.requests,
            Unit::Milliseconds | Unit::Percent => continue,
        };
        *slot = Some(slot.map_or(left, |least| least.min(left)));
    }
    headroom
}

#[cfg(test)]
mod tests;
