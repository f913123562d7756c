//! The rules, one file each. A family is a folder whose file lists its rules.

pub(crate) mod contract;
pub(crate) mod determinism;
pub(crate) mod errors;
pub(crate) mod intents;
pub(crate) mod layers;
pub(crate) mod patterns;
pub(crate) mod schema;
pub(crate) mod tidy;
