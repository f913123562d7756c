//! What does the control plane take from somebody's monitoring, and what does it tell whoever runs it?

use std::process::Command;

use serde_json::json;

use super::Signers;
use crate::harness::output;

/// Somebody's monitoring sends a signal, signed at this time.
pub(super) fn signalled(signers: &Signers, date: &str) {
    let [year, month, day, hour, minute] =
        [0..4, 4..6, 6..8, 9..11, 11..13].map(|part| date.get(part).unwrap());
    let signal = json!({
        "source": "CUSTOM_API", "signalType": "METRIC_BREACH", "service": "checkout", "severity": "SEV3",
        "confidence": "HIGH", "dedupeKey": "checkout-latency", "title": "Latency of checkout",
        "observedAt": format!("{year}-{month}-{day}T{hour}:{minute}:00Z"), "authority": {"authorityType": "ON_CALL_SRE"},
    })
    .to_string();
    let taken = signers.curl("POST", "/signals", &["-d", &signal]);
    assert_eq!(
        (taken.status, &taken.body["isNew"]),
        (201, &json!(true)),
        "{}",
        taken.body
    );
    let again = signers.curl("POST", "/signals", &["-H", "x-amz-nonce: 2", "-d", &signal]);
    assert_eq!(
        (again.status, &again.body["isNew"]),
        (200, &json!(false)),
        "{}",
        again.body
    );
    signers
        .plain("POST", "/signals", &["-d", &signal])
        .is(401, "AUTHENTICATION_REQUIRED");
    let nobodys = "/incidents/inc_00000000000000000000000000000000/promotion";
    let body = json!({"authority": {"authorityType": "ON_CALL_SRE"}}).to_string();
    signers
        .curl("POST", nobodys, &["-d", &body])
        .is(404, "INCIDENT_NOT_FOUND");
}

/// What is counted and logged of all of that.
pub(super) fn told(signers: &Signers, authorization: &str) {
    let mut command = Command::new("curl");
    command.args(["-sS", "--noproxy", "*", &signers.world.server.metrics_url]);
    let metrics = output(command).stdout;
    for (outcome, count) in [("keyed", 3), ("hit", 1), ("conflict", 1)] {
        let line = format!("plimsoll_idempotency_total{{outcome=\"{outcome}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    let log = signers.world.server.stderr();
    let signer = format!("\"access_key\":\"{}\"", signers.access_key);
    let refused = "a signed request was refused";
    for (what, who, code) in [
        ("a signed request was answered", signer.as_str(), "\"status\":201"),
        (refused, &signer, "SIGNATURE_REPLAYED"),
        (refused, &signer, "SIGNATURE_MISMATCH"),
        (refused, "PLIMAAAAAAAAAAAAAAAA", "SIGNATURE_MISMATCH"),
    ] {
        let is_told = |line: &str| {
            [what, who, code, "127.0.0.1"]
                .iter()
                .all(|part| line.contains(part))
        };
        assert!(log.lines().any(is_told), "{what} {who} {code}: {log}");
    }
    let replayed = log
        .lines()
        .find(|line| line.contains("SIGNATURE_REPLAYED"))
        .unwrap();
    assert!(
        replayed.contains(":principal/pager") && replayed.contains("\"method\":\"PATCH\""),
        "{replayed}"
    );
    let (_, signature) = authorization.rsplit_once("Signature=").unwrap();
    for secret in [
        signature,
        &signers.secret,
        "For the forger",
        "service=api-gateway",
    ] {
        assert!(!log.contains(secret), "{secret}");
    }
}
