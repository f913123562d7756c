//! How often has this thread rolled a transaction back?
//!
//! SQLite counts changes that were rolled back like others, so a transaction that only read what another one of its
//! commit group had changed looks, after both were rolled back, as if nothing had happened. A connection to SQLite
//! belongs to one thread, and that knows.

use std::cell::Cell;

thread_local! {
    static ROLLBACKS: Cell<i64> = const { Cell::new(0) };
}

/// A transaction is rolled back.
pub(crate) fn note() {
    ROLLBACKS.set(ROLLBACKS.get().wrapping_add(1));
}

/// How many there were.
pub(crate) fn count() -> i64 {
    ROLLBACKS.get()
}
