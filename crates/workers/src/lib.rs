//! Runs things later and elsewhere and knows no rule.
//!
//! What is here executes: it calls a provider and reads its answer to the end, and sends messages to where customers
//! want them. What may be called or sent, to whom and at which price is decided in the layers above.

pub mod upstream;
pub mod webhooks;
