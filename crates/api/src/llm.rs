//! The routes of the providers' SDKs below `/v1`.

mod cut;
pub(crate) mod errors;
pub(crate) mod headers;
pub(crate) mod serve;
