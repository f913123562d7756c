//! Which evidence is some?

use model::digest::Digest;
use model::signal::Grade;

use super::super::fixtures::{TENANT, alarm, at, found};
use super::*;

fn of(detections: &[Detection]) -> Result<EvidenceBundle, EvidenceError> {
    within(detections, "search", at(0), at(300))
}

fn within(
    detections: &[Detection],
    service: &str,
    window_start: Timestamp,
    window_end: Timestamp,
) -> Result<EvidenceBundle, EvidenceError> {
    bundle(&BundleInput {
        tenant: TENANT,
        service,
        window_start,
        window_end,
        detections,
        correlation_key: CorrelationKey::of(Digest::of(b"key")),
        now: at(400),
    })
}

fn seen(seconds: i64) -> Detection {
    alarm(|it| it.observed_at = at(seconds))
}

#[test]
fn a_bundle_has_the_numbers_of_its_detections_in_any_order() {
    let mut detections = found(|_| ());
    detections.push(seen(120));
    let made = of(&detections).unwrap();
    assert_eq!(made.signal_summary.signal_count, 3);
    assert_eq!(made.signal_summary.unique_rules, 2);
    assert_eq!(made.signal_summary.time_spread_ms, 120_000);
    assert_eq!(
        made.signal_summary.severity_distribution,
        BTreeMap::from([(Grade::High, 3)])
    );
    detections.reverse();
    assert_eq!(of(&detections).unwrap(), made);
    assert_eq!(derived(&made), (made.id, made.signal_summary.clone()));
    let mut foreign = made.clone();
    foreign.service = "other".into();
    assert_ne!(derived(&foreign).0, made.id);
}

#[test]
fn what_is_no_evidence_is_refused_as_a_whole() {
    let one = seen(0);
    assert_eq!(of(&[]), Err(EvidenceError::NoDetections));
    let many: Vec<_> = (0..101).map(|_| one.clone()).collect();
    assert_eq!(of(&many), Err(EvidenceError::TooManyDetections));
    for service in [" ", &"x".repeat(257)] {
        assert_eq!(
            within(&[seen(0)], service, at(0), at(300)),
            Err(EvidenceError::Service)
        );
    }
    assert_eq!(
        within(&[seen(0)], "other", at(0), at(300)),
        Err(EvidenceError::ServiceNotEvidenced)
    );
    assert_eq!(
        within(&[seen(0)], "search", at(1), at(0)),
        Err(EvidenceError::InvertedWindow)
    );
    assert_eq!(of(&[one.clone(), one.clone()]), Err(EvidenceError::Twice(one.id)));
    let mut foreign = one.clone();
    foreign.tenant = TenantId::from_bits(2);
    assert_eq!(of(&[foreign]), Err(EvidenceError::ForeignTenant(one.id)));
    let mut empty = one.clone();
    empty.signal_ids.clear();
    assert_eq!(of(&[empty]), Err(EvidenceError::NoSignals(one.id)));
    for (seconds, fits) in [(0, true), (300, true), (-1, false), (301, false)] {
        let mut moved = one.clone();
        moved.signal_timestamp = at(seconds);
        assert_eq!(of(&[moved]).is_ok(), fits, "{seconds}");
    }
}

#[test]
fn a_graph_shows_how_each_signal_became_the_incident() {
    let candidate = CandidateId::of(Digest::of(b"candidate"));
    let mut detections = found(|_| ());
    let incident = IncidentId::from_bits(7);
    let made = graph(TENANT, candidate, &detections, Some(incident));
    // Both rules found it in one signal.
    assert_eq!(
        (
            made.signal_ids.len(),
            made.normalized_signal_ids.len(),
            made.detection_ids.len()
        ),
        (1, 1, 2)
    );
    let kinds: Vec<_> = made.nodes.iter().map(|node| node.node_type).collect();
    assert_eq!(
        kinds,
        [
            NodeType::Signal,
            NodeType::NormalizedSignal,
            NodeType::Detection,
            NodeType::Detection,
            NodeType::Candidate,
            NodeType::Incident
        ]
    );
    assert_eq!(made.edges.len(), 1 + 2 + 2 + 1);
    let known = |id: &str| made.nodes.iter().any(|node| node.entity_id == id);
    assert!(made.edges.iter().all(|edge| known(&edge.from) && known(&edge.to)));
    detections.reverse();
    assert_eq!(graph(TENANT, candidate, &detections, Some(incident)), made);
    let open = graph(TENANT, candidate, &detections, None);
    assert_eq!(
        (open.id, open.nodes.len()),
        (made.id, 5),
        "the Incident is no part of its id"
    );
}

#[test]
fn every_signal_of_a_group_is_joined_to_its_own_form() {
    let mut detection = seen(0);
    let more = seen(60);
    detection.signal_ids.extend(more.signal_ids);
    detection.normalized_signal_ids.extend(more.normalized_signal_ids);
    let expected: Vec<_> = detection
        .signal_ids
        .iter()
        .zip(&detection.normalized_signal_ids)
        .collect();
    let made = graph(
        TENANT,
        CandidateId::of(Digest::of(b"c")),
        core::slice::from_ref(&detection),
        None,
    );
    for (signal, normalized) in expected {
        let edge = GraphEdge {
            from: signal.to_string(),
            to: normalized.to_string(),
        };
        assert!(made.edges.contains(&edge));
    }
    assert_eq!(made.edges.len(), 2 + 2 + 1);
}
