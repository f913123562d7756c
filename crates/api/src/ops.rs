//! The operators' routes below `/api/v1/ops`, and the probes.

pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod limits_overrides;
pub(crate) mod rules;
pub(crate) mod tenants;
