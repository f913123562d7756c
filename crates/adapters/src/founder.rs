//! What may the people who run the installation see?

pub mod tenants;
