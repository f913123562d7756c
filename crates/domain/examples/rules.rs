//! How long does it take to judge 100 Policy Rules, to look at a text, and to compare 200 proposals with 1,000 Policy Rules?
//!
//! `cargo run --release -p domain --example rules`

use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use domain::policy::context::Context;
use domain::policy::findings::accuracy::Unknowns;
use domain::policy::findings::scan;
use domain::policy::prepared::Prepared;
use domain::policy::proposals::{ActiveRule, ActiveRules};
use domain::policy::{JudgeInput, judge};
use model::digest::Digest;
use model::id::{RuleId, TenantId};
use model::money::NanoUsd;
use model::permille::Permille;
use model::policy::{
    Definition, EnforcementMode, OnStream, Rule, RuleScope, RuleSource, RuleStatus, RuleType, Stage,
};
use model::time::Timestamp;

const CONDITIONS: [&str; 5] = [
    "run.provider == 'openai' && run.model == 'gpt-4o' && !has(run.agent) && tools == ['a'] && input.fingerprint == 'x'",
    "run.model in ['gpt-4', 'gpt-4-turbo', 'o1', 'o3'] && estimate.cost_usd > 0.5",
    "tools.exists(t, t == 'shell' || t.startsWith('exec_'))",
    "run.model.matches('^(gpt|o)-?[0-9]') && (time.hour < 6 || time.weekday > 5)",
    "estimate.input_tokens + estimate.output_tokens > 100000 || findings.pii.count > 0",
];

fn written(id: u128, condition: &str) -> Definition {
    Definition {
        name: format!("rule {id}"),
        description: None,
        rule_type: RuleType::Condition,
        stage: Stage::Input,
        condition: Some(condition.to_owned()),
        min_confidence: Permille::new(600),
        scope: RuleScope::Tenant,
        scope_id: None,
        mode: EnforcementMode::Block,
        on_stream: OnStream::Block,
    }
}

fn rule(id: u128, condition: &str) -> Arc<Prepared> {
    Arc::new(Prepared::new(Rule {
        id: RuleId::from_bits(id),
        tenant: TenantId::from_bits(1),
        version: 1,
        definition: written(id, condition),
        status: RuleStatus::Active,
        hash: Digest::ZERO,
        source: RuleSource::Manual,
        source_proposal: None,
        source_incident: None,
        source_run: None,
        parent: None,
        created_by: None,
        retirement: None,
        created_at: Timestamp::from_micros(0),
        updated_at: Timestamp::from_micros(0),
    }))
}

/// The median and the 99th percentile of so many times, in nanoseconds.
fn measure(times: usize, mut work: impl FnMut()) -> (u128, u128) {
    let mut spent: Vec<u128> = (0..times)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_nanos()
        })
        .collect();
    spent.sort_unstable();
    let at = |per_mille: usize| spent.get(times * per_mille / 1000).copied().unwrap_or_default();
    (at(500), at(990))
}

/// 200 proposals against 1,000 Policy Rules, whose conditions are taken apart for each proposal, or once.
fn compare(out: &mut impl std::io::Write) -> std::io::Result<()> {
    let said = |id: u128| {
        let demands = format!(
            "run.model == 'model-{id}' && !has(run.agent) && tools.exists(tool, tool == 'tool_{id}')"
        );
        written(id, &demands)
    };
    let definitions: Vec<Definition> = (1..=1_000).map(said).collect();
    let active = || {
        let rules = (1..).zip(&definitions).map(|(id, definition)| ActiveRule {
            id: RuleId::from_bits(id),
            definition,
            signature: None,
        });
        rules.collect::<ActiveRules<'_>>()
    };
    let drafts = || definitions.iter().take(200);
    let mut found = 0;
    let (each, _) = measure(5, || {
        found += drafts()
            .map(|draft| active().conflicts(draft, None, None).len())
            .sum::<usize>();
    });
    let (once, _) = measure(5, || {
        let active = active();
        found += drafts()
            .map(|draft| active.conflicts(draft, None, None).len())
            .sum::<usize>();
    });
    writeln!(
        out,
        "200 proposals, 1000 rules: taken apart for each p50 {each} ns, once p50 {once} ns ({} times), {found} conflicts",
        each / once.max(1)
    )
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let rules: Vec<_> = CONDITIONS
        .iter()
        .cycle()
        .zip(1..=100)
        .map(|(source, id)| rule(id, source))
        .collect();
    let tools: Vec<String> = (0..32).map(|index| format!("tool_{index:02}")).collect();
    let tools: Vec<&str> = tools.iter().map(String::as_str).collect();
    let input = JudgeInput {
        tenant: TenantId::from_bits(1),
        stage: Stage::Input,
        context: Context {
            model: "gpt-4o",
            provider: "openai",
            tools: &tools,
            input_tokens: 1000,
            output_tokens: 500,
            cost: Some(NanoUsd(10_000_000)),
            hour: 12,
            weekday: 3,
            ..Context::default()
        },
        findings: &[],
        streamed: false,
        unread: false,
        unasked: false,
        rules: &rules,
    };
    let mut found = 0;
    let (median, tail) = measure(20_000, || found += judge(&input).matches.len());
    writeln!(
        out,
        "100 rules, 32 tools: p50 {median} ns, p99 {tail} ns, {found} matches"
    )?;
    let source = CONDITIONS.join(" || ");
    let (median, tail) = measure(500, || drop(domain::policy::condition::compile(&source)));
    writeln!(
        out,
        "compile {} bytes: p50 {median} ns, p99 {tail} ns",
        source.len()
    )?;
    let text = "The quick brown fox, order 4711 of 2026-11-21, asks how the system works. ".repeat(1000);
    for (name, text) in [
        ("prose", text),
        ("digits", "4 ".repeat(37_000)),
        ("phrases", "ignore how you ".repeat(5_000)),
    ] {
        let (median, tail) = measure(20, || drop(scan(&text, &Unknowns::named(["auto_renew"]))));
        writeln!(
            out,
            "scan {} bytes of {name}: p50 {median} ns, p99 {tail} ns",
            text.len()
        )?;
    }
    compare(&mut out)
}
