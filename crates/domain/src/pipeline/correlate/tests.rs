//! Which detections belong together, and which rules are loaded?

use alloc::collections::BTreeSet;
use alloc::string::ToString as _;
use alloc::vec;

use model::id::TenantId;
use model::severity::Severity;
use proptest::prelude::*;
use serde_json::json;

use super::super::fixtures::{alarm, at};
use super::*;

fn written() -> serde_json::Value {
    json!({
        "id": "test", "version": "1.0.0", "description": "d", "owner": "o",
        "window": {"minutes": 5, "alignment": "FIXED", "truncation": "HOUR"},
        "groupBy": ["service"], "keyFields": ["service"],
        "threshold": {"minDetections": 1, "maxDetections": 100},
        "primarySelection": "HIGHEST_SEVERITY_THEN_EARLIEST_THEN_LEXICAL",
        "policy": {"id": "default", "version": "1.0.0"}
    })
}

fn load(rule: &serde_json::Value) -> Result<CorrelationRules, CorrelationProblem> {
    let rule = serde_json::from_value(rule.clone()).unwrap();
    CorrelationRules::load(vec![rule]).map_err(|error| error.problem)
}

/// The alarm of a service at so many seconds after 10:00, told apart by its key.
fn seen(service: &str, seconds: i64) -> Detection {
    alarm(|it| {
        it.service = service.into();
        it.observed_at = at(seconds);
        it.dedupe_key = seconds.to_string();
    })
}

fn with(change: impl FnOnce(&mut serde_json::Value)) -> CorrelationRules {
    let mut rule = written();
    change(&mut rule);
    load(&rule).unwrap()
}

/// How many detections each group that is large enough has.
fn groups(rules: &CorrelationRules, trigger: &Detection, known: &[Detection]) -> Vec<(String, usize)> {
    let found = correlate(rules, trigger, known).correlations;
    found
        .into_iter()
        .map(|it| (it.group_key, it.detections.len()))
        .collect()
}

#[test]
fn a_fixed_window_is_half_open_and_begins_at_multiples_of_its_length() {
    let rules = with(|_| ());
    let known: Vec<_> = [-301, -300, -1]
        .into_iter()
        .map(|second| seen("s", second))
        .collect();
    let found = correlate(&rules, &seen("s", -1), &known).correlations.remove(0);
    assert_eq!((found.window_start, found.window_end), (at(-300), at(0)));
    assert_eq!(found.window_truncated, "2026-01-16T09:00:00Z".parse().unwrap());
    assert_eq!(found.detections.len(), 2);
    // What is noticed at the end belongs to the next window.
    assert_eq!(groups(&rules, &seen("s", 0), &known), [("service=s".into(), 1)]);
}

#[test]
fn a_sliding_window_ends_with_the_detection_that_came() {
    let rules = with(|rule| rule["window"]["alignment"] = json!("SLIDING"));
    let known: Vec<_> = [-301, -300, -299, 1]
        .into_iter()
        .map(|second| seen("s", second))
        .collect();
    let found = correlate(&rules, &seen("s", 0), &known).correlations.remove(0);
    assert_eq!((found.window_start, found.window_end), (at(-300), at(0)));
    let times: Vec<_> = found.detections.iter().map(|it| it.signal_timestamp).collect();
    assert_eq!(
        times.len(),
        2,
        "the one that came is in, and what is five minutes older is not"
    );
    assert!(times.contains(&at(0)) && times.contains(&at(-299)));
}

#[test]
fn each_group_is_held_to_the_threshold_by_itself() {
    let rules = with(|rule| rule["threshold"]["minDetections"] = json!(3));
    let known = [seen("a", 1), seen("a", 2), seen("a", 3), seen("b", 4)];
    let correlated = correlate(&rules, &known[3], &known);
    let made: Vec<_> = correlated
        .correlations
        .iter()
        .map(|it| it.group_key.as_str())
        .collect();
    assert_eq!(made, ["service=a"]);
    let results: Vec<_> = correlated.results[0]
        .groups
        .iter()
        .map(|it| (it.group_key.as_str(), it.count, it.threshold_met))
        .collect();
    assert_eq!(results, [("service=a", 3, true), ("service=b", 1, false)]);
}

#[test]
fn a_detection_belongs_to_its_own_group_even_where_the_threshold_leaves_it_out() {
    let rules = with(|rule| rule["threshold"]["maxDetections"] = json!(1));
    let known = [seen("a", 1), seen("a", 2), seen("b", 3)];
    let found = correlate(&rules, &known[2], &known).correlations;
    let rule = rules.iter().next().unwrap();
    let belong: Vec<_> = found
        .iter()
        .map(|together| known.each_ref().map(|it| belongs(rule, together, it)))
        .collect();
    assert_eq!(belong, [[true, true, false], [false, false, true]]);
}

#[test]
fn of_more_than_the_threshold_allows_the_worst_are_taken() {
    let rules = with(|rule| rule["threshold"]["maxDetections"] = json!(2));
    let mut known: Vec<_> = (1..5).map(|second| seen("a", second)).collect();
    known[3].severity = model::signal::Grade::Critical;
    let found = correlate(&rules, &known[0], &known).correlations.remove(0);
    let mut times: Vec<_> = found.detections.iter().map(|it| it.signal_timestamp).collect();
    times.sort_unstable();
    assert_eq!(times, [at(1), at(4)]);
}

#[test]
fn every_key_tells_groups_apart() {
    let base = || seen("a", 1);
    for key in [
        "service",
        "source",
        "ruleId",
        "signalType",
        "severity",
        "identityWindow",
        "dedupeKey",
    ] {
        let rules = with(|rule| {
            rule["groupBy"] = json!([key]);
            rule["keyFields"] = json!([key]);
        });
        let other = match key {
            "service" => seen("b", 1),
            "source" => alarm(|it| it.source = model::signal::SignalSource::Eventbridge),
            "ruleId" => super::super::fixtures::found(|_| ()).pop().unwrap(),
            "signalType" => alarm(|it| it.signal_type = model::signal::SignalType::MetricBreach),
            "severity" => alarm(|it| it.severity = Severity::Sev3),
            "identityWindow" => seen("a", 60),
            _ => seen("a", 2),
        };
        assert_eq!(groups(&rules, &base(), &[other]).len(), 2, "{key}");
        let same = alarm(|it| {
            it.service = "a".into();
            it.observed_at = at(3);
            it.dedupe_key = "1".into();
        });
        let mut same = same;
        same.id = seen("z", 9).id;
        assert_eq!(groups(&rules, &base(), &[same]).len(), 1, "{key}");
    }
}

#[test]
fn a_service_that_looks_like_two_keys_is_not_taken_for_another_group() {
    let rules = with(|rule| rule["groupBy"] = json!(["service", "dedupeKey"]));
    let tricky = |service: &str, key: &str, seconds| {
        alarm(|it| {
            it.service = service.into();
            it.dedupe_key = key.into();
            it.observed_at = at(seconds);
        })
    };
    let known = [tricky("b", "x&service=a", 1), tricky("a&service=b", "x", 2)];
    assert_eq!(groups(&rules, &known[0], &known).len(), 2);
}

#[test]
fn a_filter_takes_what_is_in_all_of_its_lists() {
    let one = seen("a", 1);
    let all = json!({"ruleIds": ["external-alarm"], "sources": ["CUSTOM_API"], "signalTypes": ["ALARM_STATE_CHANGE"],
        "services": ["a"], "severities": ["HIGH"]});
    let matched = |filters: &serde_json::Value| {
        let rules = with(|rule| rule["filters"] = filters.clone());
        correlate(&rules, &one, &[]).results[0].matched
    };
    assert!(matched(&all));
    assert!(matched(&json!({})));
    for (list, other) in [
        ("ruleIds", "other"),
        ("sources", "LIMIT"),
        ("signalTypes", "RUN_FAILED"),
        ("services", "b"),
        ("severities", "LOW"),
    ] {
        let mut changed = all.clone();
        changed[list] = json!([other]);
        assert!(!matched(&changed), "{list}");
    }
}

#[test]
fn detections_of_another_tenant_are_never_brought_together_with_ours() {
    let mut foreign = seen("a", 2);
    foreign.tenant = TenantId::from_bits(2);
    assert_eq!(
        groups(&with(|_| ()), &seen("a", 1), &[foreign]),
        [("service=a".into(), 1)]
    );
}

#[test]
fn rules_that_cannot_be_meant_are_refused() {
    use CorrelationProblem as Problem;
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut rule = written();
        change(&mut rule);
        load(&rule).unwrap_err()
    };
    assert_eq!(
        refused(&|it| it["owner"] = json!("")),
        Problem::EmptyText { field: "owner" }
    );
    for minutes in [0, 1441] {
        assert_eq!(
            refused(&|it| it["window"]["minutes"] = json!(minutes)),
            Problem::Minutes
        );
    }
    for (least, most) in [(0, 1), (2, 1), (1, 101)] {
        let threshold = json!({"minDetections": least, "maxDetections": most});
        assert_eq!(
            refused(&|it| it["threshold"] = threshold.clone()),
            Problem::Threshold
        );
    }
    assert_eq!(refused(&|it| it["keyFields"] = json!([])), Problem::NoKeyField);
    let field = "ruleId";
    assert_eq!(
        refused(&|it| it["keyFields"] = json!([field])),
        Problem::KeyNotGrouped { field }
    );
    let template = |title: &str, description: &str| {
        refused(&|it| it["candidateTemplate"] = json!({"title": title, "description": description}))
    };
    assert_eq!(template(" ", "d"), Problem::TemplateLength { field: "title" });
    assert_eq!(
        template(&"x".repeat(201), "d"),
        Problem::TemplateLength { field: "title" }
    );
    assert_eq!(
        template("t", &"x".repeat(2049)),
        Problem::TemplateLength { field: "description" }
    );
    assert_eq!(
        template("{{host}}", "d"),
        Problem::UnknownVariable { name: "host".into() }
    );
    assert_eq!(
        template("{{ service }}", "d"),
        Problem::UnknownVariable {
            name: " service ".into()
        }
    );
    assert_eq!(
        template("t", "{{service}} {{"),
        Problem::UnknownVariable { name: String::new() }
    );
    assert_eq!(
        template("An Alert of {{service}}", "d"),
        Problem::ForbiddenWord { word: "alert" }
    );
    let mut rule = written();
    rule["enabledd"] = json!(true);
    assert!(serde_json::from_value::<CorrelationRule>(rule).is_err());
}

#[test]
fn two_versions_of_a_rule_are_refused_and_compared_as_numbers() {
    let rule = |version: &str| {
        let mut rule = written();
        rule["version"] = json!(version);
        serde_json::from_value::<CorrelationRule>(rule).unwrap()
    };
    let error = CorrelationRules::load(vec![rule("1.10.0"), rule("1.9.0")]).unwrap_err();
    assert_eq!(
        (error.problem, error.rule.version.to_string().as_str()),
        (CorrelationProblem::TwoVersions, "1.10.0")
    );
}

#[test]
fn what_has_to_be_loaded_for_a_rule_is_its_window() {
    let rules = with(|_| ());
    let rule = rules.iter().next().unwrap();
    assert_eq!(query_window(rule, at(1)), (at(0), at(300)));
    assert!(rules.get(&rule.reference()).is_some());
    assert!(rules.get(&"test@9.0.0".parse().unwrap()).is_none());
}

#[test]
fn windows_are_cut_to_minute_hour_and_day() {
    let cut = |truncation: &str| {
        let rules = with(|rule| rule["window"]["truncation"] = json!(truncation));
        correlate(&rules, &seen("a", 601), &[]).correlations[0]
            .window_truncated
            .to_string()
    };
    assert_eq!(cut("MINUTE"), "2026-01-16T10:10:00.000Z");
    assert_eq!(cut("HOUR"), "2026-01-16T10:00:00.000Z");
    assert_eq!(cut("DAY"), "2026-01-16T00:00:00.000Z");
}

fn one_of<T: PartialEq>(list: &[T], one: &T) -> bool {
    list.is_empty() || list.contains(one)
}

proptest! {
    #[test]
    fn neither_order_nor_repetition_is_a_difference(seconds in prop::collection::vec(-400_i64..400, 1..8), turn in 0_usize..8) {
        let rules = super::super::shipped::correlation_rules().unwrap();
        let known: Vec<_> = seconds.iter().map(|second| seen(if second % 3 == 0 { "a" } else { "b" }, *second)).collect();
        let trigger = &known[0];
        let mut turned = known.clone();
        turned.rotate_left(turn % known.len());
        turned.extend(known.clone());
        prop_assert_eq!(correlate(&rules, trigger, &turned), correlate(&rules, trigger, &known));
    }

    #[test]
    fn a_rule_makes_nothing_of_what_it_does_not_want_to_see(
        grouped in prop::sample::subsequence(&["service", "source", "severity", "dedupeKey", "identityWindow", "ruleId"][..], 1..4),
        filtered in prop::sample::subsequence(&[("services", "a"), ("sources", "CUSTOM_API"), ("severities", "HIGH")][..], 0..3),
        seen in prop::collection::vec((0_i64..400, any::<[bool; 4]>()), 1..12),
    ) {
        let rules = with(|rule| {
            rule["groupBy"] = json!(grouped);
            rule["keyFields"] = json!(grouped);
            rule["filters"] = filtered.iter().map(|(list, one)| ((*list).to_string(), json!([one]))).collect::<serde_json::Map<_, _>>().into();
        });
        let rule = rules.iter().next().unwrap();
        let mut known: Vec<_> = seen.iter().enumerate().map(|(nth, (second, [service, source, severity, key]))| alarm(|it| {
            it.service = if *service { "a" } else { "b" }.into();
            it.source = if *source { SignalSource::CustomApi } else { SignalSource::Eventbridge };
            it.severity = if *severity { Severity::Sev2 } else { Severity::Sev3 };
            it.dedupe_key = if *key { "one".to_string() } else { nth.to_string() };
            it.observed_at = at(*second);
        })).collect();
        let mut ids = BTreeSet::new();
        known.retain(|it| ids.insert(it.id));
        let own = |known: &[Detection]| {
            let mut found = correlate(&rules, &known[0], known).correlations;
            found.retain(|it| belongs(rule, it, &known[0]));
            found
        };
        let Some(wanted) = wanted(rule, &known[0]) else { return Ok(()) };
        let mut few = known.clone();
        few.retain(|it| {
            (wanted.from..=wanted.until).contains(&it.signal_timestamp)
                && one_of(&wanted.rules, &it.rule.id)
                && one_of(&wanted.sources, &it.source)
                && one_of(&wanted.services, &it.service)
                && one_of(&wanted.severities, &it.severity)
                && one_of(&wanted.signal_types, &it.signal_type)
                && wanted.dedupe_key.as_ref().is_none_or(|key| *key == it.dedupe_key)
        });
        prop_assert_eq!(own(&few), own(&known));
        // Nothing else comes along.
        let inside = few.iter().filter(|it| belongs(rule, &own(&known)[0], it)).count();
        prop_assert_eq!(inside, few.len());
    }
}
