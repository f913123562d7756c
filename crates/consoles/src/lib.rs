//! The place of the two consoles: files that are embedded in the binary.
//!
//! There is no `ui/` yet and no server mounts these files. What is built there one day talks to the API over HTTP only;
//! without a build there is nothing to embed.

mod assets;

pub use assets::{Asset, asset, is_built};
