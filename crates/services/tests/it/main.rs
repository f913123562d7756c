//! The tests of the services on real databases.

mod books;
mod harness;
mod ledger;
mod ledger_model;
mod ledger_race;
