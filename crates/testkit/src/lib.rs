//! Databases, fixed clock and ids, builders and the scripted LLM upstream for tests.
//!
//! Nothing here reaches a customer: only tests, benchmarks and scenario scripts use it.

pub mod clock;
pub mod data;
pub mod db;
pub mod governance;
pub mod history;
pub mod ids;
pub mod postgres;
pub mod providers;
pub mod receiver;
pub mod sigv4;
pub mod tls;
pub mod upstream;
