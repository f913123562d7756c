//! What can go wrong in the database, and is it worth another try?

use std::sync::Arc;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// What went wrong. Cheap to clone, because one failed commit answers every request in its batch.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The queue of the writer is full.
    #[error("too many writes are waiting")]
    Overloaded,
    /// The database cannot be reached, or is held by somebody else.
    #[error("the database is unavailable")]
    Unavailable(#[source] Arc<DieselError>),
    /// The database cannot be reached at all.
    #[error("cannot connect to the database")]
    Connect(#[source] Arc<diesel::ConnectionError>),
    /// Concurrent transactions got into each other's way; the whole transaction may be repeated.
    #[error("concurrent transactions conflict")]
    Contention(#[source] Arc<DieselError>),
    /// A statement or a lock took longer than it may.
    #[error("the database took too long")]
    TimedOut(#[source] Arc<DieselError>),
    /// The disk is full.
    #[error("the storage is full")]
    Full(#[source] Arc<DieselError>),
    /// The storage failed; nothing can be promised about what was written.
    #[error("the storage failed")]
    Io(#[source] Arc<DieselError>),
    /// The connection broke while the transaction was being committed.
    #[error("it is unknown whether the transaction was committed")]
    OutcomeUnknown(#[source] Arc<DieselError>),
    /// A row like this exists.
    #[error("a unique constraint is violated")]
    Duplicate(#[source] Arc<DieselError>),
    /// A row refers to one that does not exist, or is referred to.
    #[error("a foreign key is violated")]
    ForeignKey(#[source] Arc<DieselError>),
    /// A check, a NOT NULL or a trigger refused the row.
    #[error("a constraint is violated")]
    Constraint(#[source] Arc<DieselError>),
    /// A transaction that promised to read only has written.
    #[error("a read-only transaction tried to write")]
    ReadOnly(#[source] Arc<DieselError>),
    /// A stored value is not what it should be.
    #[error("column {column} of {table} is corrupt")]
    Corrupt {
        /// Where it is.
        table: &'static str,
        /// Which column.
        column: &'static str,
    },
    /// A query failed for a reason of its own.
    #[error("a query failed")]
    Query(#[source] Arc<DieselError>),
    /// The work inside the transaction panicked; nothing was written.
    #[error("the work inside a transaction panicked")]
    Panicked,
    /// The store has been shut down.
    #[error("the store is shutting down")]
    Stopped,
    /// The settings cannot be used.
    #[error("the database cannot be opened: {0}")]
    Settings(String),
    /// The schema could not be brought up to date.
    #[error("a migration failed: {0}")]
    Migration(String),
}

/// A result of the store.
pub type StoreResult<T> = Result<T, StoreError>;

impl StoreError {
    /// Whether repeating the same transaction at once can help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Contention(_) => true,
            Self::Overloaded
            | Self::Unavailable(_)
            | Self::Connect(_)
            | Self::TimedOut(_)
            | Self::Full(_)
            | Self::Io(_)
            | Self::OutcomeUnknown(_)
            | Self::Duplicate(_)
            | Self::ForeignKey(_)
            | Self::Constraint(_)
            | Self::ReadOnly(_)
            | Self::Corrupt { .. }
            | Self::Query(_)
            | Self::Panicked
            | Self::Stopped
            | Self::Settings(_)
            | Self::Migration(_) => false,
        }
    }

    /// What this transaction has read was changed by another one before it came to a lock: to be repeated.
    pub fn overtaken() -> Self {
        let what = "what was read has been changed meanwhile".to_owned();
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, Box::new(what)).into()
    }

    /// Whether the connection and everything else in the same commit are lost with it.
    pub(crate) fn ends_transaction(&self) -> bool {
        matches!(
            self,
            Self::Full(_) | Self::Io(_) | Self::Unavailable(_) | Self::OutcomeUnknown(_)
        )
    }

    /// Whether one command of a batch may be the cause, so that the others deserve a try of their own.
    pub(crate) fn may_be_poison(&self) -> bool {
        matches!(
            self,
            Self::Duplicate(_)
                | Self::ForeignKey(_)
                | Self::Constraint(_)
                | Self::Query(_)
                | Self::Panicked
                | Self::Corrupt { .. }
        )
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        let shared = Arc::new(error);
        let DieselError::DatabaseError(kind, info) = &*shared else {
            return Self::Query(shared);
        };
        match kind {
            DatabaseErrorKind::UniqueViolation => Self::Duplicate(shared),
            DatabaseErrorKind::ForeignKeyViolation | DatabaseErrorKind::RestrictViolation => {
                Self::ForeignKey(shared)
            }
            DatabaseErrorKind::NotNullViolation
            | DatabaseErrorKind::CheckViolation
            | DatabaseErrorKind::ExclusionViolation => Self::Constraint(shared),
            DatabaseErrorKind::SerializationFailure => Self::Contention(shared),
            DatabaseErrorKind::ReadOnlyTransaction => Self::ReadOnly(shared),
            DatabaseErrorKind::ClosedConnection => Self::Unavailable(shared),
            // Neither engine's driver has a kind for these; the texts are those of SQLite and of
            // PostgreSQL with lc_messages=C, which every connection of ours sets where it may.
            _ => {
                let message = info.message().to_owned();
                by_message(&message, shared)
            }
        }
    }
}

fn by_message(message: &str, shared: Arc<DieselError>) -> StoreError {
    let has = |part: &str| message.contains(part);
    if has("deadlock detected") {
        StoreError::Contention(shared)
    } else if has("database is locked") || has("database table is locked") {
        StoreError::Unavailable(shared)
    } else if has("statement timeout") || has("lock timeout") {
        StoreError::TimedOut(shared)
    } else if has("database or disk is full") || has("No space left on device") {
        StoreError::Full(shared)
    } else if has("disk I/O error") || has("database disk image is malformed") {
        StoreError::Io(shared)
    } else if has("attempt to write a readonly database") {
        StoreError::ReadOnly(shared)
    } else if has("is append-only") || has("cannot store ") {
        // The latter is a STRICT table of SQLite that is given a number beyond 64 bits.
        StoreError::Constraint(shared)
    } else if has("terminating connection") || has("server closed the connection") || has("no connection to")
    {
        StoreError::Unavailable(shared)
    } else {
        StoreError::Query(shared)
    }
}

impl From<diesel::ConnectionError> for StoreError {
    fn from(error: diesel::ConnectionError) -> Self {
        Self::Connect(Arc::new(error))
    }
}
