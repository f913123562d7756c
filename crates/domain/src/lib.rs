//! Facts in, decisions out.
//!
//! Every engine here is a function of one complete input: no I/O, no clock, no randomness, no floats. The crate
//! is `no_std`, so that these do not even resolve.
#![no_std]
#![cfg_attr(not(test), deny(clippy::float_arithmetic, clippy::arithmetic_side_effects))]

extern crate alloc;

pub mod anomalies;
pub mod attribution;
pub mod estimate;
pub mod incidents;
pub mod limits;
pub mod pipeline;
pub mod policy;
pub mod rates;
pub mod settle;
pub mod webhooks;
