//! Is everything counted that is done by breaking the glass, and what the kill switch refuses?

use std::process::Command;

use serde_json::{Value, json};

use super::{DONE, Signers};
use crate::harness::{Home, output};

fn scraped(signers: &Signers) -> String {
    let mut command = Command::new("curl");
    command.args(["-sS", "--noproxy", "*", &signers.world.server.metrics_url]);
    output(command).stdout
}

pub(super) fn check(home: Home) {
    let signers = Signers::of(home, "break-glass,operator,service");
    let authority = json!({"authorityType": "EMERGENCY_OVERRIDE", "justification": DONE});
    let sends = |method: &str, path: &str, mut body: Value, status: u16| {
        body["authority"] = authority.clone();
        let sent = signers.curl(method, path, &["-d", &body.to_string()]);
        assert_eq!(sent.status, status, "{path}: {}", sent.body);
        sent
    };
    let severe =
        json!({"service": "api-gateway", "severity": "SEV1", "title": "Down", "description": "since noon"});
    let made = sends("POST", "/incidents", severe, 201);
    let id = made.body["incidentId"].as_str().unwrap();
    let now = signers.curl("GET", &format!("/incidents/{id}/timeline"), &[]);
    let at = &now.body["items"][0]["timestamp"];
    let signal = json!({
        "source": "CUSTOM_API", "signalType": "METRIC_BREACH", "service": "checkout", "severity": "SEV1",
        "confidence": "DEFINITIVE", "dedupeKey": "latency", "title": "Latency of checkout", "observedAt": at,
    });
    let opened = sends("POST", "/signals", signal, 201);
    assert_eq!(opened.body["decision"]["verdict"], "PROMOTE", "{}", opened.body);
    sends("POST", "/kill-switch/disable", json!({}), 200);
    sends("POST", "/kill-switch/disable", json!({"scope": "TENANT"}), 200);
    sends(
        "PATCH",
        &format!("/incidents/{id}/state"),
        json!({"newState": "MITIGATING"}),
        200,
    );
    let waits = json!({"service": "search", "severity": "SEV1", "title": "Down", "description": "since noon",
        "authority": {"authorityType": "HUMAN_OPERATOR"}});
    let waits = signers.curl("POST", "/incidents", &["-d", &waits.to_string()]);
    assert_eq!(waits.body["state"], "PENDING", "{}", waits.body);
    let waits = waits.body["incidentId"].as_str().unwrap();
    sends("POST", &format!("/incidents/{waits}/promotion"), json!({}), 200);
    let program = json!({"newState": "MITIGATING", "authority": {"authorityType": "AUTO_ENGINE"}});
    signers.takes(id, &program).is(503, "KILL_SWITCH_ACTIVE");
    let page = scraped(&signers);
    for (action, count) in [
        ("report", 1),
        ("signal", 1),
        ("transition", 1),
        ("kill-switch", 1),
        ("promotion", 1),
    ] {
        let line = format!("plimsoll_emergency_overrides_total{{action=\"{action}\"}} {count}\n");
        assert!(page.contains(&line), "{line}{page}");
    }
    let line = "plimsoll_api_errors_total{code=\"KILL_SWITCH_ACTIVE\"} 1\n";
    assert!(page.contains(line), "{line}{page}");
}
