//! The incident control plane: `/incidents`, with signed requests and errors of its own shape.

pub(crate) mod error;
