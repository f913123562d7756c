//! What was noticed, what was made of it, and what did the gate say?
//!
//! Nothing here is ever changed. Every id follows from what it is the id of: what is told twice is written once.

mod wanted;

use diesel::prelude::*;
use model::candidate::{Candidate, EvidenceBundle, EvidenceGraph};
use model::detection::Detection;
use model::id::{CandidateId, IncidentId, PromotionDecisionId, SignalId, TenantId};
use model::promotion::PromotionDecision;
use model::signal::Signal;
use model::verdict::Verdict;

use crate::dialect::insert_new;
use crate::error::{StoreError, StoreResult};
use crate::rows::{Table, to_json};
use crate::schema::{candidates, detections, promotion_decisions, signals};
use crate::tx::{Tx, Writes};

pub use self::wanted::{Wanted, detections};

#[derive(Insertable)]
#[diesel(table_name = signals)]
struct SignalRow {
    tenant_id: String,
    id: String,
    source: &'static str,
    signal_type: &'static str,
    service: String,
    severity: &'static str,
    observed_at: i64,
    ingested_at: i64,
    checksum: String,
    body: String,
}

#[derive(Insertable)]
#[diesel(table_name = detections)]
struct DetectionRow {
    tenant_id: String,
    id: String,
    signal_id: String,
    rule_id: String,
    source: &'static str,
    signal_type: &'static str,
    service: String,
    severity: &'static str,
    dedupe_key: String,
    observed_at: i64,
    detected_at: i64,
    body: String,
}

#[derive(Insertable)]
#[diesel(table_name = candidates)]
struct CandidateRow {
    tenant_id: String,
    id: String,
    detection_id: String,
    evidence_id: String,
    rule_id: String,
    service: String,
    severity: &'static str,
    created_at: i64,
    body: String,
    evidence: String,
    graph: String,
}

#[derive(Insertable)]
#[diesel(table_name = promotion_decisions)]
struct DecisionRow {
    tenant_id: String,
    id: String,
    candidate_id: String,
    decision: &'static str,
    rejection_code: Option<&'static str>,
    policy_id: String,
    incident_id: Option<String>,
    decided_at: i64,
    body: String,
}

/// Adds a signal, unless it is there; whether it is new.
///
/// # Errors
/// What the database says.
pub fn add_signal(tx: &mut impl Writes, signal: &Signal) -> StoreResult<bool> {
    let row = SignalRow {
        tenant_id: signal.tenant.to_string(),
        id: signal.id.to_string(),
        source: signal.source.as_str(),
        signal_type: signal.signal_type.as_str(),
        service: signal.service.clone(),
        severity: signal.severity.as_str(),
        observed_at: signal.observed_at.as_micros(),
        ingested_at: signal.ingested_at.as_micros(),
        checksum: signal.raw_checksum.to_string(),
        body: to_json(signal),
    };
    Ok(insert_new!(tx.conn(), signals::table, [row]) > 0)
}

/// Adds what rules have found in a signal, each unless it is there.
///
/// # Errors
/// What the database says.
pub fn add_detections(tx: &mut impl Writes, signal: SignalId, found: &[Detection]) -> StoreResult<()> {
    let rows = found.iter().map(|detection| DetectionRow {
        tenant_id: detection.tenant.to_string(),
        id: detection.id.to_string(),
        signal_id: signal.to_string(),
        rule_id: detection.rule.id.to_string(),
        source: detection.source.as_str(),
        signal_type: detection.signal_type.as_str(),
        service: detection.service.clone(),
        severity: detection.severity.as_str(),
        dedupe_key: detection.dedupe_key.clone(),
        observed_at: detection.signal_timestamp.as_micros(),
        detected_at: detection.detected_at.as_micros(),
        body: to_json(detection),
    });
    insert_new!(tx.conn(), detections::table, rows.collect::<Vec<_>>());
    Ok(())
}

/// Adds a candidate with what it rests on, unless it is there.
///
/// # Errors
/// What the database says.
pub fn add_candidate(
    tx: &mut impl Writes,
    candidate: &Candidate,
    (evidence, graph): (&EvidenceBundle, &EvidenceGraph),
) -> StoreResult<()> {
    let row = CandidateRow {
        tenant_id: candidate.tenant.to_string(),
        id: candidate.id.to_string(),
        detection_id: candidate.primary_detection_id.to_string(),
        evidence_id: candidate.evidence_id.to_string(),
        rule_id: candidate.correlation_rule.id.to_string(),
        service: candidate.suggested_service.clone(),
        severity: candidate.suggested_severity.as_str(),
        created_at: candidate.created_at.as_micros(),
        body: to_json(candidate),
        evidence: to_json(evidence),
        graph: to_json(graph),
    };
    insert_new!(tx.conn(), candidates::table, [row]);
    Ok(())
}

/// Adds what the gate has said.
///
/// # Errors
/// [`StoreError::Contention`] if it was asked the same meanwhile: repeated, the transaction asks once more.
pub fn add_decision(tx: &mut impl Writes, decision: &PromotionDecision) -> StoreResult<()> {
    let row = DecisionRow {
        tenant_id: decision.tenant.to_string(),
        id: decision.id.to_string(),
        candidate_id: decision.candidate_id.to_string(),
        decision: decision.decision.as_str(),
        rejection_code: decision
            .rejection_code
            .map(model::promotion::RejectionCode::as_str),
        policy_id: decision.policy.id.to_string(),
        incident_id: decision.incident_id.map(|id| id.to_string()),
        decided_at: decision.decided_at.as_micros(),
        body: to_json(decision),
    };
    let inserted = diesel::insert_into(promotion_decisions::table)
        .values(row)
        .execute(tx.conn());
    match inserted.map_err(StoreError::from) {
        Err(StoreError::Duplicate(source)) => Err(StoreError::Contention(source)),
        inserted => inserted.map(drop),
    }
}

/// One signal.
///
/// # Errors
/// What the database says.
pub fn signal(tx: &mut impl Tx, tenant: TenantId, id: SignalId) -> StoreResult<Option<Signal>> {
    let body: Option<String> = signals::table
        .find((tenant.to_string(), id.to_string()))
        .select(signals::body)
        .get_result(tx.conn())
        .optional()?;
    body.map(|body| Table("signals").json("body", &body)).transpose()
}

/// A candidate, and what it rests on.
///
/// # Errors
/// What the database says.
pub fn candidate(
    tx: &mut impl Tx,
    tenant: TenantId,
    id: CandidateId,
) -> StoreResult<Option<(Candidate, EvidenceBundle)>> {
    let row: Option<(String, String)> = candidates::table
        .find((tenant.to_string(), id.to_string()))
        .select((candidates::body, candidates::evidence))
        .get_result(tx.conn())
        .optional()?;
    let table = Table("candidates");
    row.map(|(body, evidence)| Ok((table.json("body", &body)?, table.json("evidence", &evidence)?)))
        .transpose()
}

/// What the gate has said about a candidate before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// How often it was asked.
    pub times: u32,
    /// The decision that promoted it.
    pub promoted: Option<PromotionDecisionId>,
}

/// What the gate has said about a candidate before.
///
/// # Errors
/// What the database says.
pub fn asked(tx: &mut impl Tx, tenant: TenantId, candidate: CandidateId) -> StoreResult<Asked> {
    let rows: Vec<(String, String)> = promotion_decisions::table
        .filter(promotion_decisions::tenant_id.eq(tenant.to_string()))
        .filter(promotion_decisions::candidate_id.eq(candidate.to_string()))
        .order((promotion_decisions::decided_at, promotion_decisions::id))
        .select((promotion_decisions::id, promotion_decisions::decision))
        .load(tx.conn())?;
    let table = Table("promotion_decisions");
    let promoted = rows
        .iter()
        .find(|(_, decision)| decision == Verdict::Promote.as_str());
    Ok(Asked {
        times: u32::try_from(rows.len()).unwrap_or(u32::MAX),
        promoted: promoted.map(|(id, _)| table.parse("id", id)).transpose()?,
    })
}

/// What the gate has said about an Incident, oldest first.
///
/// # Errors
/// What the database says.
pub fn decisions_of(
    tx: &mut impl Tx,
    tenant: TenantId,
    incident: IncidentId,
) -> StoreResult<Vec<PromotionDecision>> {
    let bodies: Vec<String> = promotion_decisions::table
        .filter(promotion_decisions::tenant_id.eq(tenant.to_string()))
        .filter(promotion_decisions::incident_id.eq(incident.to_string()))
        .order((promotion_decisions::decided_at, promotion_decisions::id))
        .select(promotion_decisions::body)
        .load(tx.conn())?;
    let table = Table("promotion_decisions");
    bodies.iter().map(|body| table.json("body", body)).collect()
}

/// What the gate has refused of late, the latest first.
///
/// # Errors
/// What the database says.
pub fn refusals(tx: &mut impl Tx, tenant: TenantId, most: i64) -> StoreResult<Vec<PromotionDecision>> {
    let bodies: Vec<String> = promotion_decisions::table
        .filter(promotion_decisions::tenant_id.eq(tenant.to_string()))
        .filter(promotion_decisions::decision.ne(Verdict::Promote.as_str()))
        .order((
            promotion_decisions::decided_at.desc(),
            promotion_decisions::id.desc(),
        ))
        .limit(most)
        .select(promotion_decisions::body)
        .load(tx.conn())?;
    let table = Table("promotion_decisions");
    bodies.iter().map(|body| table.json("body", body)).collect()
}
