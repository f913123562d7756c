//! Which tables hold what governs: histories, overrides, Policy Rules, Incidents, audit?

diesel::table! {
    limit_overrides (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        limit_id -> Text,
        limit_type -> Text,
        original_value -> BigInt,
        override_value -> BigInt,
        status -> Text,
        reason -> Text,
        requested_by -> Text,
        approved_by -> Nullable<Text>,
        cancelled_by -> Nullable<Text>,
        created_at -> BigInt,
        starts_at -> BigInt,
        expires_at -> BigInt,
        cancelled_at -> Nullable<BigInt>,
        open_until -> Nullable<BigInt>,
    }
}

diesel::table! {
    limit_versions (tenant_id, limit_id, version) {
        tenant_id -> Text,
        limit_id -> Text,
        version -> Integer,
        definition -> Text,
        hash -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    limit_integrity (tenant_id, limit_id) {
        tenant_id -> Text,
        limit_id -> Text,
        status -> Text,
        score -> BigInt,
        hash_root -> Text,
        first_broken -> Nullable<Integer>,
        computed_at -> BigInt,
    }
}

diesel::table! {
    audit_ledger (tenant_id, seq) {
        tenant_id -> Text,
        seq -> BigInt,
        id -> Text,
        event_type -> Text,
        entity_type -> Text,
        entity_id -> Text,
        actor_type -> Text,
        actor_id -> Nullable<Text>,
        reason -> Nullable<Text>,
        before_state -> Nullable<Text>,
        after_state -> Nullable<Text>,
        correlation_id -> Text,
        hash -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    domain_events (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        at -> BigInt,
        source_domain -> Text,
        event_type -> Text,
        entity_id -> Text,
        related -> Text,
        summary -> Text,
        data -> Text,
        correlation_id -> Text,
    }
}

diesel::table! {
    limit_breach_days (tenant_id, limit_owner, limit_id, day) {
        tenant_id -> Text,
        limit_owner -> Text,
        limit_id -> Text,
        day -> BigInt,
        breaches -> BigInt,
        last_at -> BigInt,
    }
}

diesel::table! {
    limit_recent (tenant_id, limit_owner, limit_id) {
        tenant_id -> Text,
        limit_owner -> Text,
        limit_id -> Text,
        last_at -> BigInt,
        told_at -> Nullable<BigInt>,
        audited_at -> Nullable<BigInt>,
        told_window -> Nullable<BigInt>,
        other_told_at -> Nullable<BigInt>,
        other_told_window -> Nullable<BigInt>,
    }
}

diesel::table! {
    policy_rules (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        version -> Integer,
        name -> Text,
        description -> Nullable<Text>,
        rule_type -> Text,
        stage -> Text,
        condition -> Nullable<Text>,
        min_confidence -> BigInt,
        scope -> Text,
        scope_id -> Nullable<Text>,
        enforcement_mode -> Text,
        on_stream -> Text,
        status -> Text,
        hash -> Text,
        source -> Text,
        source_proposal_id -> Nullable<Text>,
        source_incident_id -> Nullable<Text>,
        source_run_id -> Nullable<Text>,
        parent_rule_id -> Nullable<Text>,
        created_by -> Nullable<Text>,
        retired_at -> Nullable<BigInt>,
        retired_by -> Nullable<Text>,
        retirement_reason -> Nullable<Text>,
        superseded_by -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    policy_rule_versions (tenant_id, rule_id, version) {
        tenant_id -> Text,
        rule_id -> Text,
        version -> Integer,
        definition -> Text,
        snapshot -> Text,
        hash -> Text,
        change_reason -> Nullable<Text>,
        changed_by -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    policy_rule_integrity (tenant_id, rule_id) {
        tenant_id -> Text,
        rule_id -> Text,
        status -> Text,
        score -> BigInt,
        hash_root -> Text,
        first_broken -> Nullable<Integer>,
        computed_at -> BigInt,
    }
}

diesel::table! {
    policy_enforcements (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        rule_owner -> Text,
        rule_id -> Text,
        rule_version -> Integer,
        run_id -> Nullable<Text>,
        decision_id -> Nullable<Text>,
        action_taken -> Text,
        stage -> Text,
        details -> Text,
        triggered_at -> BigInt,
    }
}

diesel::table! {
    policy_rule_days (tenant_id, rule_owner, rule_id, day) {
        tenant_id -> Text,
        rule_owner -> Text,
        rule_id -> Text,
        day -> BigInt,
        triggers -> BigInt,
        last_at -> BigInt,
    }
}

diesel::table! {
    policy_rule_recent (tenant_id, rule_owner, rule_id) {
        tenant_id -> Text,
        rule_owner -> Text,
        rule_id -> Text,
        last_at -> BigInt,
    }
}

diesel::table! {
    incidents (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        state -> Text,
        topic -> Text,
        severity -> Text,
        category -> Text,
        cause_type -> Text,
        service -> Text,
        llm_run_id -> Nullable<Text>,
        signature_id -> Nullable<Text>,
        family_id -> Nullable<Text>,
        fingerprint -> Nullable<Text>,
        cost -> BigInt,
        resolved_at -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
        head_hash -> Text,
        body -> Text,
        lifecycle -> Nullable<Text>,
        resolution_method -> Nullable<Text>,
    }
}

diesel::table! {
    incident_events (tenant_id, incident_id, seq) {
        tenant_id -> Text,
        incident_id -> Text,
        seq -> BigInt,
        event_id -> Text,
        schema_version -> BigInt,
        event_type -> Text,
        at -> BigInt,
        actor -> Text,
        authority -> Text,
        previous_state -> Nullable<Text>,
        new_state -> Text,
        reason -> Nullable<Text>,
        metadata -> Text,
        request_id -> Text,
        idempotency_key -> Nullable<Text>,
        state_hash_before -> Nullable<Text>,
        state_hash_after -> Text,
        prev_event_hash -> Text,
        event_hash -> Text,
    }
}

diesel::table! {
    policy_proposals (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        proposal_type -> Text,
        status -> Text,
        name -> Text,
        reason -> Text,
        target_rule_id -> Nullable<Text>,
        target_version -> Nullable<Integer>,
        definition -> Nullable<Text>,
        confidence -> BigInt,
        proposed_by -> Text,
        triggering_run_id -> Nullable<Text>,
        triggering_incident_id -> Nullable<Text>,
        signature_id -> Nullable<Text>,
        reviewed_by -> Nullable<Text>,
        reviewed_at -> Nullable<BigInt>,
        review_notes -> Nullable<Text>,
        created_at -> BigInt,
        expires_at -> BigInt,
        open_until -> Nullable<BigInt>,
        created_by -> Nullable<Text>,
    }
}

diesel::table! {
    prevention_records (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        rule_id -> Text,
        rule_version -> Integer,
        signature_id -> Text,
        original_incident_id -> Nullable<Text>,
        blocked_run_id -> Text,
        outcome -> Text,
        confidence -> BigInt,
        estimated_saving -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    prevention_days (tenant_id, rule_id, day, outcome) {
        tenant_id -> Text,
        rule_id -> Text,
        day -> BigInt,
        outcome -> Text,
        times -> BigInt,
        saving -> BigInt,
        last_at -> BigInt,
    }
}

diesel::table! {
    prevention_feedback (tenant_id, prevention_id) {
        tenant_id -> Text,
        prevention_id -> Text,
        false_positive -> Bool,
        note -> Nullable<Text>,
        said_by -> Text,
        created_at -> BigInt,
    }
}
