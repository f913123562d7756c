//! Which tables hold how something that was noticed became an Incident, and what that is about?

diesel::table! {
    incident_runs (tenant_id, incident_id, run_id) {
        tenant_id -> Text,
        incident_id -> Text,
        run_id -> Text,
        signature_id -> Nullable<Text>,
        family_id -> Nullable<Text>,
        cost -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    signals (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        source -> Text,
        signal_type -> Text,
        service -> Text,
        severity -> Text,
        observed_at -> BigInt,
        ingested_at -> BigInt,
        checksum -> Text,
        body -> Text,
    }
}

diesel::table! {
    detections (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        signal_id -> Text,
        rule_id -> Text,
        source -> Text,
        signal_type -> Text,
        service -> Text,
        severity -> Text,
        dedupe_key -> Text,
        observed_at -> BigInt,
        detected_at -> BigInt,
        body -> Text,
    }
}

diesel::table! {
    candidates (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        detection_id -> Text,
        evidence_id -> Text,
        rule_id -> Text,
        service -> Text,
        severity -> Text,
        created_at -> BigInt,
        body -> Text,
        evidence -> Text,
        graph -> Text,
    }
}

diesel::table! {
    promotion_decisions (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        candidate_id -> Text,
        decision -> Text,
        rejection_code -> Nullable<Text>,
        policy_id -> Text,
        incident_id -> Nullable<Text>,
        decided_at -> BigInt,
        body -> Text,
    }
}

diesel::table! {
    incident_breaches (tenant_id, breach_id) {
        tenant_id -> Text,
        incident_id -> Text,
        breach_id -> Text,
        run_id -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    cost_days (tenant_id, entity_type, day, entity_id) {
        tenant_id -> Text,
        day -> BigInt,
        entity_type -> Text,
        entity_id -> Text,
        cost -> BigInt,
        requests -> BigInt,
        input_tokens -> BigInt,
        summed_at -> BigInt,
        retries -> BigInt,
    }
}

diesel::table! {
    cost_anomalies (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        day -> BigInt,
        anomaly_type -> Text,
        severity -> Text,
        entity_type -> Text,
        entity_id -> Text,
        current_value -> BigInt,
        expected -> BigInt,
        deviation_pct -> BigInt,
        threshold_pct -> BigInt,
        days -> BigInt,
        derived_cause -> Nullable<Text>,
        limit_id -> Nullable<Text>,
        incident_id -> Nullable<Text>,
        detected_at -> BigInt,
        updated_at -> BigInt,
    }
}
