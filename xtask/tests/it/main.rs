//! The checker as its users start it.

#[cfg(test)]
mod hook;
