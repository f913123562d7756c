//! One function per use case: load, decide, commit.
//!
//! A service draws `now` and its ids first, loads what the engine asks for, lets the engine decide and commits
//! what follows in one transaction. It makes no HTTP answer and no SQL.

mod beliefs;
pub mod context;
pub mod cursors;
pub mod names;
pub mod once;
pub mod owner;
pub mod projections;

pub mod auth;
pub mod identity;
pub mod keys;
pub mod principals;
pub mod tenants;

mod governing;
pub mod ledger;
pub mod limits;
pub mod policies;
pub mod prices;
pub mod proposals;
mod snapshot;

pub mod gateway;

pub mod automation;
pub mod effectiveness;
pub mod history;
pub mod incidents;
pub mod outbox;
mod post;
pub mod preventions;
mod recorded;
mod seats;
pub mod webhooks;

pub mod analytics;
pub mod audit;
pub mod runs;

pub mod journal;
mod measure;
pub mod upkeep;

pub use context::Context;
pub use store::StoreError;

/// Words of the engines that L2 needs to parse and to answer.
pub mod words {
    pub use domain::limits::draft::{Draft, Problem};
    pub use domain::limits::{CheckOutput, LimitReport};
    pub use domain::policy::Judgement;
    pub use domain::policy::backtest::NotOnRecord;
    pub use domain::policy::draft::FieldProblem as RuleProblem;
    pub use domain::policy::outcome::header as outcome_header;
}
