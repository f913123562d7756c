//! How does something that was noticed become an Incident, or why does it not?
//!
//! Each stage is a function of what the stage before it made, of rules or policies that are data with a version, and of
//! `now`:
//!
//! | stage | function | makes |
//! |---|---|---|
//! | ingest | [`signals::ingest`], [`signals::ingest_external`] | a `Signal` |
//! | normalise | [`signals::normalize`] | a `NormalizedSignal` |
//! | detect | [`detect::detect`] | `Detection`s |
//! | correlate | [`correlate::correlate`] | `Correlation`s |
//! | evidence, confidence, candidate | [`candidates::build`] | a `Candidate` with its `EvidenceBundle` and `EvidenceGraph` |
//! | promote | [`gate::evaluate`] | a `PromotionDecision` |
//!
//! The same facts give the same ids and, with the same `now`, the same bytes. Nothing here makes an Incident: the gate
//! says that one may be made, and which id it has.

pub mod candidates;
pub mod confidence;
pub mod correlate;
pub mod detect;
pub mod evidence;
#[cfg(test)]
mod fixtures;
pub mod formulas;
pub mod gate;
pub mod ids;
pub mod policy;
pub mod shipped;
pub mod signals;

/// The engine's name in decision snapshots.
pub const NAME: &str = "pipeline";
/// The engine's version; raised with every change of what it decides.
pub const VERSION: &str = "4";
