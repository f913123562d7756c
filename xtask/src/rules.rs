//! The rules, one file each. A family is a folder whose file lists its rules.

pub(crate) mod layers;
pub(crate) mod tidy;
