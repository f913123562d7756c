//! To which node does a token belong?

use super::file::File;
use super::{Kind, Node};

/// The nodes that a token belongs to: the innermost function or closure, and all texts around it.
pub(super) struct Owners {
    /// Of each token: a set of owners.
    tokens: Vec<u32>,
    sets: Vec<Vec<usize>>,
}

impl Owners {
    /// `nodes` are those of the file; they are numbered among themselves.
    pub(super) fn new(file: &File<'_>, nodes: &[Node]) -> Self {
        let mut owners = Self {
            tokens: vec![0; file.source.tokens.list.len()],
            sets: vec![Vec::new()],
        };
        let mut own: Vec<_> = nodes.iter().enumerate().collect();
        own.sort_by_key(|(number, node)| (node.body.start, std::cmp::Reverse(node.body.end), *number));
        for (number, node) in own {
            let around = owners.of(node.body.start).to_vec();
            let is_text = |owner: &usize| nodes.get(*owner).is_some_and(|node| node.kind == Kind::Text);
            let keeps = |owner: &usize| node.kind == Kind::Text || is_text(owner);
            let mut set: Vec<_> = around.into_iter().filter(keeps).collect();
            set.push(number);
            let body = owners.tokens.get_mut(node.body.clone());
            body.unwrap_or_default()
                .fill(u32::try_from(owners.sets.len()).unwrap_or(0));
            owners.sets.push(set);
        }
        owners
    }

    pub(super) fn of(&self, at: usize) -> &[usize] {
        let set = self
            .tokens
            .get(at)
            .and_then(|set| self.sets.get(usize::try_from(*set).ok()?));
        set.map_or(&[], Vec::as_slice)
    }
}
