//! What may each audience see?
//!
//! A view names every field of what it shows, so that a new field has to be shown, redacted or dropped by
//! somebody's decision. Nothing here can name an error envelope or a row.

pub mod control;
pub mod customer;
pub mod founder;
pub mod number;
pub mod preflight;
pub mod problem;
