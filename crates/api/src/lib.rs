//! Parse, authorise, one service, one view.
//!
//! A handler has its actor as an argument, so that a route without authorisation is visible in its signature.
//! What a client sees of an error is a problem document, or the shape of its SDK's provider.

pub mod openapi;
pub mod routes;
pub mod server;

mod actor;
#[cfg(feature = "bench")]
mod bench;
mod body;
mod control_error;
mod decimal;
mod idempotency;
mod middleware;
mod mode;
mod order;
mod paging;
mod problem;
mod query;
mod share;
mod signed;
mod state;
mod text;

mod incidents;
mod llm;
mod ops;
mod v1;

pub use server::Settings;
