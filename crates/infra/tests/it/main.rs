//! Does the compiler refuse what it must, seen from another crate?

mod emission;
mod never_shown;
#[cfg(test)]
mod sigv4;
