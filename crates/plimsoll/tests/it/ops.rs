//! Do the alarms and the dashboard that are shipped ask for what there is, and does the document tell of each?

use std::collections::BTreeSet;

use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

const METRICS: &str = include_str!("../../../../docs/metrics.md");
const DOCUMENT: &str = include_str!("../../../../docs/observability.md");
const RULES: &str = include_str!("../../../../ops/prometheus/plimsoll.rules.yml");
const DASHBOARD: &str = include_str!("../../../../ops/grafana/incidents.json");

/// The metrics of docs/metrics.md with their labels.
fn known() -> Vec<(String, BTreeSet<String>)> {
    let row = |line: &str| {
        let name = line.strip_prefix("| `")?.split('`').next()?;
        let (name, labels) = name.split_once('{').unwrap_or((name, ""));
        let labels = labels.trim_end_matches('}').split(',');
        let labels = labels.filter(|label| !label.is_empty()).map(str::to_owned);
        Some((name.to_owned(), labels.collect()))
    };
    METRICS.lines().filter_map(row).collect()
}

/// What an expression of `PromQL` asks for: the metrics, each with the labels that it names in braces behind it.
fn asked(expr: &str) -> Vec<(String, BTreeSet<String>)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    let mut rest = expr;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        rest = &rest[start..];
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        rest = &rest[end..];
        let mut labels = BTreeSet::new();
        if let Some(inside) = rest.strip_prefix('{') {
            let (inside, after) = inside.split_once('}').unwrap();
            rest = after;
            labels = inside
                .split("\",")
                .filter_map(|one| Some(one.split(['=', '!']).next()?.trim().to_owned()))
                .collect();
        }
        if word.starts_with("plimsoll_") || word.starts_with("http_") {
            let name = ["_bucket", "_count", "_sum"]
                .iter()
                .find_map(|end| word.strip_suffix(end))
                .unwrap_or(word);
            found.push((name.to_owned(), labels));
        }
    }
    found
}

/// Everything that it asks for is there, with the labels by which it picks.
#[track_caller]
fn is_known(place: &str, expr: &str) {
    let asked = asked(expr);
    assert!(!asked.is_empty(), "{place} asks for nothing of ours: {expr}");
    for (name, labels) in asked {
        let known = known().into_iter().find(|(known, _)| *known == name);
        let (_, has) =
            known.unwrap_or_else(|| panic!("{place} asks for {name}, which docs/metrics.md does not have"));
        assert!(
            labels.is_subset(&has),
            "{place}: {name} has {has:?}, not {labels:?}"
        );
    }
}

/// The name and the expression of every alarm.
fn alarms(text: &str) -> Vec<(String, String, Yaml)> {
    let documents = YamlLoader::load_from_str(text).unwrap();
    let groups = documents[0]["groups"].as_vec().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_vec().unwrap());
    let of = |rule: &Yaml| {
        let word = |name: &str| {
            rule[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name}: {rule:?}"))
                .to_owned()
        };
        (word("alert"), word("expr"), rule.clone())
    };
    rules.map(of).collect()
}

#[test]
fn every_alarm_asks_for_what_there_is_and_has_its_page() {
    let alarms = alarms(RULES);
    assert!(alarms.len() >= 15, "{}", alarms.len());
    let names: BTreeSet<&str> = alarms.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names.len(), alarms.len(), "two alarms have one name");
    for (name, expr, rule) in &alarms {
        is_known(name, expr);
        let severity = rule["labels"]["severity"].as_str();
        assert!(
            matches!(severity, Some("page" | "ticket")),
            "{name}: {severity:?}"
        );
        assert!(
            rule["annotations"]["summary"]
                .as_str()
                .is_some_and(|text| text.ends_with('.')),
            "{name}"
        );
        let page = format!("docs/observability.md#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook"].as_str(), Some(page.as_str()));
        assert!(
            DOCUMENT.contains(&format!("\n### {name}\n")),
            "docs/observability.md does not tell of {name}"
        );
    }
    let told = DOCUMENT.lines().filter_map(|line| line.strip_prefix("### "));
    assert_eq!(
        told.collect::<BTreeSet<_>>(),
        names,
        "docs/observability.md tells of others"
    );
}

#[test]
fn every_panel_of_the_dashboard_asks_for_what_there_is() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 12, "{}", panels.len());
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            is_known(title, target["expr"].as_str().unwrap());
        }
    }
}

/// What the kill switch refuses is no failure, in the alarm as on the dashboard; and where nothing has failed yet there is no
/// series of failures, which must not leave the panel empty.
#[test]
fn the_dashboard_counts_failures_as_the_alarm_does() {
    let refused = "(sum(rate(plimsoll_api_errors_total{code=\"KILL_SWITCH_ACTIVE\"}[5m])) or vector(0))";
    let failed = "sum(rate(http_requests_total{code=~\"5..\"}[5m]))";
    let alarms = alarms(RULES);
    let alarm = alarms.iter().find(|(name, ..)| name == "PlimsollApiAvailability");
    let (_, alarm, _) = alarm.unwrap();
    assert!(alarm.contains(&format!("({failed} - {refused})")), "{alarm}");
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let panel = panels
        .iter()
        .find(|panel| panel["title"] == "Availability of the API");
    let shown = panel.unwrap()["targets"][0]["expr"].as_str().unwrap();
    assert!(
        shown.contains(&format!("(({failed} or vector(0)) - {refused})")),
        "{shown}"
    );
}

#[test]
fn what_becomes_of_a_replay_has_an_alarm_each() {
    let alarms = alarms(RULES);
    for (result, severity) in [("broken", "page"), ("failed", "ticket")] {
        let asks = format!("plimsoll_incident_replays_total{{result=\"{result}\"}}");
        let alarm = alarms.iter().find(|(_, expr, _)| expr.contains(&asks));
        let (_, _, rule) = alarm.unwrap_or_else(|| panic!("no alarm about {result}"));
        assert_eq!(rule["labels"]["severity"].as_str(), Some(severity));
    }
}

#[test]
fn an_alarm_about_what_is_not_there_would_be_found() {
    let text =
        "groups: [{name: g, rules: [{alert: A, expr: 'rate(plimsoll_incidents_closed_total[5m]) > 0'}]}]";
    let [(name, expr, _)] = &alarms(text)[..] else {
        panic!()
    };
    assert!(std::panic::catch_unwind(|| is_known(name, expr)).is_err());
    let label = "plimsoll_outbox_lag_seconds{tenant=\"x\"} > 0";
    assert!(std::panic::catch_unwind(|| is_known("a label", label)).is_err());
    assert!(std::panic::catch_unwind(|| is_known("nothing", "up == 0")).is_err());
    is_known(
        "as it is",
        "sum by (le) (rate(http_request_duration_seconds_bucket{route=~\"/a|/b\"}[5m])) > 0.1",
    );
    assert!(YamlLoader::load_from_str("groups: [").is_err());
}
