//! Which hashes does the incident control plane define, digit by digit?
//!
//! These are the formulas as they were written down: joined parts, no tenant. They exist so that whoever has such an id
//! can check it. Our own ids ([`super::ids`]) take the same parts, but tell them apart by length and begin with the
//! tenant, because joined parts are ambiguous and equal facts of two tenants must differ.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use model::digest::Digest;
use model::json::Json;

/// `sha256(a|b|c)`.
fn joined(separator: &str, parts: &[&str]) -> Digest {
    Digest::of(parts.join(separator).as_bytes())
}

fn sorted<'a>(ids: &[&'a str]) -> Vec<&'a str> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}

/// A signal: the JSON object of these members in this order; `metadata` is the canonical form, as a text.
pub fn signal(
    source: &str,
    signal_type: &str,
    service: &str,
    severity: &str,
    identity_window: &str,
    metadata: &Json,
) -> Digest {
    let text = |text: &str| Json::from(text).canonical();
    let written = format!(
        r#"{{"source":{},"signalType":{},"service":{},"severity":{},"identityWindow":{},"metadata":{}}}"#,
        text(source),
        text(signal_type),
        text(service),
        text(severity),
        text(identity_window),
        text(&metadata.canonical()),
    );
    Digest::of(written.as_bytes())
}

/// A signal made of an alarm.
pub fn alarm_signal(alarm_name: &str, state_change_time: &str, new_state: &str) -> Digest {
    joined(
        "|",
        &["cloudwatch-alarm", alarm_name, state_change_time, new_state],
    )
}

/// A normalised signal.
pub fn normalized_signal(source_signal_id: &str, canonical_type: &str, timestamp: &str) -> Digest {
    joined("|", &["v1", source_signal_id, canonical_type, timestamp])
}

/// A detection in one normalised signal.
pub fn detection(rule_id: &str, rule_version: &str, normalized_signal_id: &str) -> Digest {
    joined("|", &[rule_id, rule_version, normalized_signal_id])
}

/// A detection in several signals, in any order.
pub fn detection_of_signals(signal_ids: &[&str], rule_id: &str, rule_version: &str) -> Digest {
    joined("|", &[&sorted(signal_ids).join("|"), rule_id, rule_version])
}

/// A bundle of evidence; detections in any order.
pub fn evidence(detection_ids: &[&str], window_start: &str, window_end: &str) -> Digest {
    joined("|", &[&sorted(detection_ids).join(","), window_start, window_end])
}

/// A graph of evidence; detections in any order.
pub fn evidence_graph(candidate_id: &str, detection_ids: &[&str]) -> Digest {
    joined("|", &[candidate_id, &sorted(detection_ids).join("|")])
}

/// What a correlation is told by: detections and key fields in any order; `windowTruncated` is one of the fields.
pub fn correlation_key(
    detection_ids: &[&str],
    rule_id: &str,
    rule_version: &str,
    key_fields: &[(&str, &str)],
) -> Digest {
    let mut fields: Vec<String> = key_fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    fields.sort_unstable();
    joined(
        "|",
        &[
            &sorted(detection_ids).join("|"),
            rule_id,
            rule_version,
            &fields.join("&"),
        ],
    )
}

/// A candidate.
pub fn candidate(correlation_key: &str) -> Digest {
    joined("|", &[correlation_key, "v1"])
}

/// What was asked of the gate.
pub fn request_context(candidate_id: &str, policy_id: &str, policy_version: &str) -> Digest {
    joined(":", &[candidate_id, policy_id, policy_version])
}

/// A decision of the gate. Who asked is no part of it.
pub fn decision(candidate_id: &str, policy_id: &str, policy_version: &str, request_context: &str) -> Digest {
    joined(":", &[candidate_id, policy_id, policy_version, request_context])
}

/// What the gate answered.
pub fn decision_hash(decision: &str, reason: &str, policy_version: &str, candidate_id: &str) -> Digest {
    joined(":", &[decision, reason, policy_version, candidate_id])
}

/// An Incident, by its evidence.
pub fn incident_of_evidence(service: &str, evidence_id: &str) -> Digest {
    joined("|", &[service, evidence_id])
}

/// An Incident, by the decision that made it.
pub fn incident_of_decision(decision_id: &str) -> Digest {
    Digest::of(decision_id.as_bytes())
}

/// The key under which evidence is looked for when a pipeline is replayed; detections in any order.
pub fn evidence_replay_key(detection_ids: &[&str]) -> String {
    format!("EVIDENCE:{}", joined("|", &sorted(detection_ids)))
}

/// How an Incident ended.
pub fn outcome(incident_id: &str, closed_at: &str) -> Digest {
    joined(":", &[incident_id, closed_at])
}

/// An entry about an automatic operation.
pub fn audit(operation: &str, start_time: &str, version: &str) -> Digest {
    joined(":", &[operation, start_time, version])
}

/// A document that people learn from: its lines end in one line feed each and in no blanks, the last one in neither.
pub fn document(title: &str, version: &str, content: &str) -> Digest {
    let content = content.replace("\r\n", "\n");
    let lines: Vec<&str> = content.trim_end().split('\n').map(str::trim_end).collect();
    joined("||", &[title, version, &lines.join("\n")])
}

/// The state of an Incident: the canonical form of the members that the state has.
pub fn state_hash(state: &Json) -> Digest {
    state.digest()
}

/// The body of a request.
pub fn request_hash(body: &Json) -> Digest {
    body.digest()
}

/// The key of a creation whose caller sent none: who asked, and for what.
pub fn auto_idempotency_key(principal: &str, body: &Json) -> Digest {
    joined(":", &[principal, "incident", "create", &body.canonical()])
}

#[cfg(test)]
mod tests;
