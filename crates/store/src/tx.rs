//! What may a transaction do? The answer is its type.

use crate::dialect::AnyConnection;
use crate::error::StoreError;

pub(crate) mod sealed {
    use crate::dialect::AnyConnection;

    /// The connection behind a transaction; cannot be named outside of this crate.
    pub trait Connected {
        fn conn(&mut self) -> &mut AnyConnection;
    }
}

/// Any transaction: what can be read in one can be read in all.
pub trait Tx: sealed::Connected {}

/// A transaction that also writes: [`WriteTx`] or [`LockTx`].
pub trait Writes: Tx {}

macro_rules! transactions {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name<'c>(&'c mut AnyConnection);

        impl<'c> $name<'c> {
            pub(crate) fn new(conn: &'c mut AnyConnection) -> Self {
                Self(conn)
            }
        }

        impl sealed::Connected for $name<'_> {
            fn conn(&mut self) -> &mut AnyConnection {
                self.0
            }
        }

        impl Tx for $name<'_> {}

        impl std::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}

transactions! {
    /// `READ_ONLY`: sees one state of the database; a write is refused by the engine itself.
    ReadTx;
    /// `ATOMIC_WRITE`: everything or nothing.
    WriteTx;
    /// `LOCKED_MUTATION`: may lock rows, reads what it locked and decides on it.
    LockTx;
}

impl Writes for WriteTx<'_> {}
impl Writes for LockTx<'_> {}

/// An error that the work inside a transaction may end with. Any error rolls the transaction back; one that
/// the store may retry is found through [`TxError::store_error`].
pub trait TxError: From<StoreError> + Send + 'static {
    /// The store's error behind this one, if that is what it is.
    fn store_error(&self) -> Option<&StoreError>;
}

impl TxError for StoreError {
    fn store_error(&self) -> Option<&StoreError> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
