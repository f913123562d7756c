//! The words of the product and the changes they allow.
//!
//! Everything here is plain data without I/O, clock or randomness, so that every layer may use it:
//! ids, money, time and windows, and the entities that Limits, Policy Rules, Incidents and LLM Runs are
//! made of. The crate is `no_std`, so that an engine that is handed these words cannot reach the outside
//! world through them.
#![no_std]

extern crate alloc;

pub mod digest;
pub mod id;
pub mod json;
pub mod money;
pub mod permille;
pub mod score;
pub mod text;
pub mod time;
pub mod versioned;
pub mod window;
mod wire;
pub mod zone;

pub mod amounts;
pub mod authority;
pub mod automation;
pub mod hold;
pub mod incident;
pub mod integrity;
pub mod limit;
pub mod limit_override;
pub mod pattern;
pub mod policy;
pub mod severity;
pub mod verdict;

pub mod candidate;
pub mod detection;
pub mod promotion;
pub mod signal;

pub mod anomaly;
pub mod audit;
pub mod breach;
pub mod cost;
pub mod decision;
pub mod event;
pub mod outbox;
pub mod run;
pub mod timeline;

pub mod key;
pub mod page;
pub mod principal;
pub mod tenant;
pub mod webhook;
