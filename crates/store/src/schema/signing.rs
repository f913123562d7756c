//! Which tables hold who signs requests, and whether the product may act without one?

diesel::table! {
    principals (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        name -> Text,
        created_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    principal_roles (tenant_id, principal_id, role) {
        tenant_id -> Text,
        principal_id -> Text,
        role -> Text,
    }
}

diesel::table! {
    principal_keys (tenant_id, access_key_id) {
        tenant_id -> Text,
        access_key_id -> Text,
        principal_id -> Text,
        secret -> Text,
        last4 -> Text,
        created_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    used_signatures (tenant_id, access_key_id, signature) {
        tenant_id -> Text,
        access_key_id -> Text,
        signature -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    automation_switches (tenant_id) {
        tenant_id -> Text,
        paused -> Bool,
        reason -> Text,
        changed_by -> Text,
        changed_at -> BigInt,
    }
}
