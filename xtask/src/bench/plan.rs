//! Which crates does the generated workspace have, and which of them uses which: the same on every machine.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The crate that keeps things, and the one that defines errors; both are of the lowest layer.
pub(super) const STORE: usize = 0;
pub(super) const ERRORS: usize = 1;
/// Every so many crates above use the store.
const STORE_EVERY: usize = 3;
/// Layers with their share of the crates, in twentieths, lowest first.
pub(super) const LAYERS: [(&str, usize); 7] = [
    ("L6", 4),
    ("L5", 3),
    ("L4", 6),
    ("L3", 2),
    ("L2", 2),
    ("L1", 1),
    ("L7", 2),
];
/// Every so many crates, one uses a layer above its own.
const PLANTED_EVERY: usize = 10;
/// Bytes of a file, about.
pub(super) const FILE_BYTES: usize = 5_100;

/// What was written.
pub(super) struct Tree {
    pub(super) files: usize,
    pub(super) bytes: usize,
    /// Forbidden edges, to be found exactly.
    pub(super) planted: usize,
}

pub(super) struct Crate {
    pub(super) name: String,
    layer: usize,
    pub(super) uses: Vec<usize>,
    /// Whether the last use is forbidden.
    pub(super) planted: bool,
}

impl Crate {
    pub(super) fn layer_name(&self) -> &'static str {
        LAYERS.get(self.layer).map_or("L6", |layer| layer.0)
    }

    /// What source calls it.
    pub(super) fn lib(&self) -> String {
        self.name.replace('-', "_")
    }

    /// The crate that one of its files uses.
    pub(super) fn used_by(&self, file: usize) -> Option<usize> {
        self.uses.get(file % self.uses.len().max(1)).copied()
    }
}

pub(super) fn put(dir: &Path, name: &str, text: &str) -> Result<()> {
    let path = dir.join(name);
    let parent = path.parent().context("a file without a directory")?;
    fs::create_dir_all(parent)?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

pub(super) fn plan(count: usize) -> Vec<Crate> {
    let shares: usize = LAYERS.iter().map(|layer| layer.1).sum();
    let mut crates: Vec<Crate> = Vec::new();
    let mut seed = 1_u64;
    for number in 0..count {
        let mut place = number * shares / count.max(1);
        let layer = LAYERS.iter().position(|(_, share)| {
            let inside = place < *share;
            place = place.saturating_sub(*share);
            inside
        });
        let layer = layer.unwrap_or(0);
        let below: Vec<usize> = (0..number)
            .filter(|other| crates.get(*other).is_some_and(|c| c.layer < layer))
            .collect();
        let mut uses = Vec::new();
        if layer > 0 {
            uses.extend(number.is_multiple_of(STORE_EVERY).then_some(STORE));
            uses.push(ERRORS);
        }
        for _ in 0..4 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let index = usize::try_from(seed >> 33).unwrap_or(0) % below.len().max(1);
            uses.extend(
                below
                    .get(index)
                    .filter(|other| !uses.contains(*other))
                    .copied()
                    .into_iter()
                    .collect::<Vec<_>>(),
            );
        }
        crates.push(Crate {
            name: format!(
                "{}-{number:03}",
                LAYERS.get(layer).map_or("l", |l| l.0).to_lowercase()
            ),
            layer,
            uses,
            planted: false,
        });
    }
    // A crate of the lowest layer uses its upper neighbour: no circle, since nothing below points back at it alone.
    for number in (0..count).step_by(PLANTED_EVERY) {
        let peer = crates.get(number).map(|krate| krate.layer);
        let next = (number + 1..count).find(|other| crates.get(*other).map(|krate| krate.layer) == peer);
        if let (Some(next), Some(krate)) = (next, crates.get_mut(number)) {
            krate.uses.push(next);
            krate.planted = true;
        }
    }
    crates
}
