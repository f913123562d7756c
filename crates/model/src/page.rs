//! How is a long list read in pieces?

/// The place in a newest-first list after which the next page starts: `(time, id)` of the last item shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Time of the last item in microseconds since the epoch.
    pub at_micros: i64,
    /// Id of the last item, which orders items of the same microsecond.
    pub id: alloc::string::String,
}

/// Which piece of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// At most this many items; the edge allows 1 to 200.
    pub limit: u32,
    /// Where the previous page ended, if this is not the first.
    pub after: Option<Cursor>,
}

/// One piece of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in order.
    pub items: alloc::vec::Vec<T>,
    /// Where the next page starts; none if this was the last.
    pub next: Option<Cursor>,
}
