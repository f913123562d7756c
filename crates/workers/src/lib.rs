//! Runs things later and elsewhere and knows no rule.
//!
//! What is here executes: it calls a provider and reads its answer to the end. What may be called, for
//! whom and at which price is decided in the layers above.

pub mod upstream;
