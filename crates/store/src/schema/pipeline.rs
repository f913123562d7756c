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
