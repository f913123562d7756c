//! The only crate that speaks SQL.
//!
//! [`Db`] gives out transactions and nothing else: the type of a query function's parameter ([`ReadTx`],
//! [`WriteTx`], [`LockTx`]) is its intent. Query functions take and return words of `model`; they make
//! neither ids nor times. SQLite and PostgreSQL differ in `dialect` only.

mod dialect;
mod integrity;
mod lately;
mod rollbacks;
mod rows;
mod schema;

pub mod batch;
pub mod db;
pub mod error;
pub mod migrate;
pub mod settings;
pub mod tx;

pub mod automation;
pub mod counters;
pub mod holds;
pub mod idempotency;
pub mod limit_overrides;
pub mod limits;
pub mod policy_rules;
pub mod preventions;
pub mod proposals;

pub mod audit;
pub mod breaches;
pub mod costs;
pub mod decisions;
pub mod enforcements;
pub mod incidents;
pub mod infra_errors;
pub mod ops_events;
pub mod outbox;
pub mod pipeline;
pub mod retention;
pub mod runs;
pub mod timeline;
mod totals;

pub mod credentials;
pub mod installation;
pub mod keys;
pub mod operators;
pub mod principals;
pub mod tenants;
pub mod webhooks;

pub use batch::{BatchHandler, Batcher};
pub use db::Db;
pub use error::{StoreError, StoreResult};
pub use integrity::Found;
pub use lately::Recent;
pub use settings::Settings;
pub use tx::{LockTx, ReadTx, Tx, TxError, WriteTx, Writes};
