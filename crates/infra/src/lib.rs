//! What every layer with side effects needs and no one may show.
//!
//! L6, ambient: errors as forensic records, the correlation of everything that belongs to one
//! request, logs, configuration, secrets, the wall clock and the ways to stop. Nothing in here is
//! ever part of an answer to a client, and `adapters` and `consoles` cannot even name it.

pub mod correlation;
pub mod envelope;
pub mod telemetry;

pub mod config;
pub mod secrets;
pub mod sigv4;

pub mod clock;
pub mod shutdown;
pub mod stop;
