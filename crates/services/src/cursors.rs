//! Where did the previous page of a list end?
//!
//! A cursor is a position in a list and a keyed hash of it with the list: who owns it, and how it is filtered. So one
//! that was altered, or that belongs to another list, is none. Nothing is stored; the key is the installation's, so
//! that a cursor of one node is one on every node.

use infra::secrets::{constant_time_eq, hex, keyed_hash};
use model::id::TenantId;
use store::StoreResult;

use crate::context::Context;

/// Bytes of the hash that a cursor carries: 128 bits, which nobody guesses.
const TAG: usize = 16;

/// A list that is given in pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// What is listed. A position in one list means nothing in another.
    pub name: &'static str,
    /// Whose.
    pub owner: TenantId,
    /// Everything that decides what is in the list, in one spelling.
    pub filter: String,
}

/// The cursor for what comes after this position.
///
/// # Errors
/// What the database says.
pub async fn sign(cx: &Context, list: &List, position: &str) -> StoreResult<String> {
    let tag = tag(&key(cx).await?, list, position);
    Ok(format!("{position}.{tag}"))
}

/// The position of a cursor of this list; none if it is not one.
///
/// # Errors
/// What the database says.
pub async fn position<'a>(cx: &Context, list: &List, cursor: &'a str) -> StoreResult<Option<&'a str>> {
    let key = key(cx).await?;
    Ok(cursor
        .rsplit_once('.')
        .filter(|(position, sent)| constant_time_eq(tag(&key, list, position).as_bytes(), sent.as_bytes()))
        .map(|(position, _)| position))
}

async fn key(cx: &Context) -> StoreResult<String> {
    let read = || async { cx.db.read(|tx| store::installation::cursor_key(tx)).await };
    cx.cursor_key.get_or_try_init(read).await.cloned()
}

fn tag(key: &str, list: &List, position: &str) -> String {
    let List { name, owner, filter } = list;
    // The filter is what clients write: its length tells where it ends.
    let text = format!(
        "cursor 1\n{name}\n{owner}\n{}\n{filter}\n{position}",
        filter.len()
    );
    let hash = keyed_hash(key.as_bytes(), text.as_bytes());
    hex(hash.get(..TAG).unwrap_or(&hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_covers_the_key_the_list_and_the_position() {
        let list = |name, owner, filter: &str| List {
            name,
            owner: TenantId::from_bits(owner),
            filter: filter.to_owned(),
        };
        let mut tags = vec![
            tag("k", &list("runs", 1, "a"), "7"),
            tag("l", &list("runs", 1, "a"), "7"),
            tag("k", &list("limits", 1, "a"), "7"),
            tag("k", &list("runs", 2, "a"), "7"),
            tag("k", &list("runs", 1, "a\n7"), ""),
            tag("k", &list("runs", 1, "a"), "8"),
        ];
        assert!(tags.iter().all(|tag| tag.len() == 2 * TAG));
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), 6);
    }
}
