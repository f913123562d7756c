//! Which tables hold what is told to the outside?

diesel::table! {
    outbox (tenant_id, incident_id, seq) {
        tenant_id -> Text,
        incident_id -> Text,
        seq -> BigInt,
        message_id -> Text,
        topic -> Text,
        body -> Text,
        at -> BigInt,
        place -> Nullable<BigInt>,
        placed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    outbox_heads (tenant_id) {
        tenant_id -> Text,
        placed -> BigInt,
        swept -> BigInt,
    }
}

diesel::table! {
    webhooks (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        url -> Text,
        description -> Nullable<Text>,
        topics -> Text,
        status -> Text,
        status_reason -> Nullable<Text>,
        secret -> Text,
        previous_secret -> Nullable<Text>,
        previous_until -> Nullable<BigInt>,
        failures -> BigInt,
        failing_since -> Nullable<BigInt>,
        rests_until -> BigInt,
        leased_until -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    webhook_deliveries (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        webhook_id -> Text,
        place -> BigInt,
        topic -> Text,
        status -> Text,
        attempts -> BigInt,
        step -> BigInt,
        unsent -> Nullable<BigInt>,
        due_at -> Nullable<BigInt>,
        last_at -> Nullable<BigInt>,
        last_status -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        created_at -> BigInt,
        finished_at -> Nullable<BigInt>,
    }
}
