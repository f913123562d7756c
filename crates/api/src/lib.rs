//! Parse, authorise, one service, one view.
//!
//! A handler has its actor as an argument, so that a route without authorisation is visible in its signature.
//! What a client sees of an error is a problem document, or the shape of its SDK's provider.

pub mod openapi;
pub mod routes;
pub mod server;

mod actor;
mod body;
mod idempotency;
mod middleware;
mod paging;
mod problem;
mod state;

mod llm;
mod ops;
mod v1;

pub use server::Settings;
