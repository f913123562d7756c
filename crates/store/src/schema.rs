//! Which tables and columns are there? Kept equal to both migrations by a test.

mod governance;
mod outbound;
mod pipeline;
mod signing;

pub(crate) use self::governance::*;
pub(crate) use self::outbound::*;
pub(crate) use self::pipeline::*;
pub(crate) use self::signing::*;

diesel::table! {
    tenants (id) {
        id -> Text,
        name -> Text,
        state -> Text,
        freeze_reason -> Nullable<Text>,
        floor_price -> Nullable<BigInt>,
        limits_version -> BigInt,
        created_at -> BigInt,
        rules_version -> BigInt,
        two_person_review -> Bool,
    }
}

diesel::table! {
    operators (id) {
        id -> Text,
        name -> Text,
        token_hash -> Text,
        last4 -> Text,
        created_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    projects (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        description -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    agents (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        project_id -> Nullable<Text>,
        description -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    api_keys (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        name -> Text,
        key_hash -> Text,
        last4 -> Text,
        live -> Bool,
        scopes -> Text,
        status -> Text,
        freeze_reason -> Nullable<Text>,
        rpm -> Nullable<Integer>,
        expires_at -> Nullable<BigInt>,
        created_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        root_id -> Nullable<Text>,
    }
}

diesel::table! {
    limits (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        name -> Text,
        description -> Nullable<Text>,
        category -> Text,
        limit_type -> Text,
        scope -> Text,
        scope_id -> Nullable<Text>,
        api_key_id -> Nullable<Text>,
        model -> Nullable<Text>,
        feature -> Nullable<Text>,
        end_user -> Nullable<Text>,
        max_value -> BigInt,
        reset_period -> Nullable<Text>,
        zone -> Nullable<Text>,
        week_start -> Nullable<Text>,
        window_seconds -> Nullable<Integer>,
        enforcement -> Text,
        queue_ms -> Nullable<BigInt>,
        degrade_model -> Nullable<Text>,
        degrade_output_tokens -> Nullable<BigInt>,
        consequence -> Nullable<Text>,
        measured_seconds -> Nullable<Integer>,
        raise_id -> Nullable<Text>,
        raised_max -> Nullable<BigInt>,
        raised_from -> Nullable<BigInt>,
        raised_until -> Nullable<BigInt>,
        status -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        overrun_value -> Nullable<BigInt>,
        overrun_runs -> Nullable<BigInt>,
        overrun_since -> Nullable<BigInt>,
    }
}

diesel::table! {
    limit_counters (tenant_id, limit_id, window_start) {
        tenant_id -> Text,
        limit_id -> Text,
        window_start -> BigInt,
        settled -> BigInt,
        held -> BigInt,
        moved_to -> Nullable<BigInt>,
    }
}

diesel::table! {
    holds (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        status -> Text,
        decision_id -> Text,
        run_id -> Nullable<Text>,
        subject -> Text,
        requested -> Text,
        settled -> Nullable<Text>,
        items -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    idempotency_keys (tenant_id, operation, key) {
        tenant_id -> Text,
        operation -> Text,
        key -> Text,
        principal -> Text,
        fingerprint -> Text,
        status -> Integer,
        body -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    runs (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        status -> Text,
        operation -> Text,
        subject -> Text,
        provider -> Nullable<Text>,
        model -> Nullable<Text>,
        api_key_id -> Nullable<Text>,
        served_model -> Nullable<Text>,
        stream -> Bool,
        decision_id -> Text,
        hold_id -> Nullable<Text>,
        estimated -> Text,
        usage -> Nullable<Text>,
        usage_source -> Text,
        cost -> Nullable<BigInt>,
        http_status -> Nullable<Integer>,
        error_code -> Nullable<Text>,
        retries -> Integer,
        started_at -> BigInt,
        first_byte_at -> Nullable<BigInt>,
        completed_at -> Nullable<BigInt>,
        correlation_id -> Text,
        tools -> Nullable<Text>,
        input_fingerprint -> Nullable<Text>,
        traits -> Nullable<Text>,
        unexplained_since -> Nullable<BigInt>,
        parent_run_id -> Nullable<Text>,
    }
}

diesel::table! {
    cost_records (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        run_id -> Nullable<Text>,
        hold_id -> Text,
        api_key_id -> Nullable<Text>,
        project_id -> Nullable<Text>,
        agent_id -> Nullable<Text>,
        feature -> Nullable<Text>,
        session_id -> Nullable<Text>,
        end_user -> Nullable<Text>,
        provider -> Nullable<Text>,
        model -> Nullable<Text>,
        input_tokens -> BigInt,
        output_tokens -> BigInt,
        usage -> Text,
        cost -> BigInt,
        price_version -> Nullable<Text>,
        source -> Text,
        created_at -> BigInt,
        is_retry -> Bool,
    }
}

diesel::table! {
    decisions (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        engine -> Text,
        engine_version -> Text,
        outcome -> Text,
        run_id -> Nullable<Text>,
        hold_id -> Nullable<Text>,
        input_hash -> Text,
        input -> Text,
        output -> Text,
        correlation_id -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    limit_breaches (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        limit_owner -> Text,
        limit_id -> Text,
        run_id -> Nullable<Text>,
        decision_id -> Text,
        breach_type -> Text,
        value_at_breach -> BigInt,
        limit_value -> BigInt,
        breached_at -> BigInt,
        unexplained_since -> Nullable<BigInt>,
    }
}

diesel::table! {
    ops_events (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        at -> BigInt,
        event_type -> Text,
        user_id -> Nullable<Text>,
        session_id -> Nullable<Text>,
        entity_type -> Nullable<Text>,
        entity_id -> Nullable<Text>,
        severity -> Nullable<Integer>,
        latency_ms -> Nullable<BigInt>,
        cost -> Nullable<BigInt>,
        metadata -> Text,
    }
}

diesel::table! {
    infra_error_events (error_id) {
        error_id -> Text,
        at -> BigInt,
        layer -> Text,
        component -> Text,
        error_class -> Text,
        severity -> Text,
        message -> Text,
        correlation_id -> Nullable<Text>,
        decision_id -> Nullable<Text>,
        run_id -> Nullable<Text>,
        agent_id -> Nullable<Text>,
        tenant_id -> Nullable<Text>,
        input_hash -> Nullable<Text>,
        exception_type -> Nullable<Text>,
        exception_chain -> Nullable<Text>,
        context -> Text,
        envelope_version -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    credential_changes (name) {
        name -> Text,
        version -> BigInt,
    }
}

diesel::table! {
    installation (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    listing_totals (tenant_id, listing, facets) {
        tenant_id -> Text,
        listing -> Text,
        facets -> Text,
        total -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    agents,
    api_keys,
    audit_ledger,
    cost_records,
    credential_changes,
    decisions,
    domain_events,
    holds,
    idempotency_keys,
    incident_breaches,
    incident_events,
    incident_runs,
    incidents,
    infra_error_events,
    installation,
    limit_breach_days,
    limit_breaches,
    limit_counters,
    limit_integrity,
    limit_overrides,
    limit_recent,
    limit_versions,
    limits,
    operators,
    ops_events,
    outbox,
    outbox_heads,
    policy_enforcements,
    policy_proposals,
    policy_rule_days,
    policy_rule_integrity,
    policy_rule_recent,
    policy_rule_versions,
    policy_rules,
    prevention_days,
    prevention_feedback,
    prevention_records,
    projects,
    runs,
    tenants,
    webhook_deliveries,
    webhooks,
);
