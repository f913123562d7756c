//! The two consoles, embedded.
//!
//! They are built from `ui/` and talk to the API over HTTP only. Without a build there is nothing to embed, and the
//! server says so.

mod assets;

pub use assets::{Asset, asset, is_built};
