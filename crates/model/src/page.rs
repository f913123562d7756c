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

impl<T> Page<T> {
    /// The piece that was asked for, of what was read: up to one item more, which says that there is more. `place` is
    /// where an item stands in the list.
    pub fn cut(mut items: alloc::vec::Vec<T>, limit: u32, place: impl Fn(&T) -> Cursor) -> Self {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > most;
        items.truncate(most);
        let next = items.last().filter(|_| more).map(place);
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;
    use alloc::vec;

    use super::*;

    fn place(item: i64) -> Cursor {
        Cursor {
            at_micros: item,
            id: item.to_string(),
        }
    }

    fn cut(items: alloc::vec::Vec<i64>) -> Page<i64> {
        Page::cut(items, 2, |item| place(*item))
    }

    #[test]
    fn one_more_than_was_asked_for_is_not_shown_and_says_that_there_is_more() {
        let page = cut(vec![3, 2, 1]);
        assert_eq!((page.items, page.next), (vec![3, 2], Some(place(2))));
        let whole = cut(vec![3, 2]);
        assert_eq!((whole.items, whole.next), (vec![3, 2], None));
        let nothing = cut(vec![]);
        assert_eq!((nothing.items, nothing.next), (vec![], None));
    }
}
