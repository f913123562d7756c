//! How is an LLM provider called, and how is its answer read to the end?
//!
//! [`UpstreamPool::route`] finds the provider, [`Upstream::send`] calls it with an [`UpstreamRequest`] (which
//! only a hold can make), [`tap::UsageTap`] watches the answer pass by, and [`pump`] reads it to its end
//! whatever the client does. [`sse`] finds the events in a stream.

mod error;
mod glob;
mod headers;
mod pool;
pub mod pump;
mod request;
mod response;
mod send;
mod settings;
pub mod sse;
pub mod tap;

pub use error::UpstreamError;
pub use glob::ModelGlob;
pub use pool::{Upstream, UpstreamPool};
pub use request::UpstreamRequest;
pub use response::{UpstreamBody, UpstreamResponse};
pub use settings::{AskUsage, ProviderKey, SettingsError, Timeouts, UpstreamKind, UpstreamSettings};
