//! Does an engine depend on the order of hashes?

use super::{Named, engines, tell};
use crate::rule::{Ctx, Family, Info, Rule, Sink};

/// `ARCH-DET-004`.
pub(super) struct Hashes;

const INFO: Info = Info {
    id: "ARCH-DET-004",
    title: "engines have no hash maps",
    family: Family::Determinism,
    why: "The order of a hash map is another one in each process: whatever is decided, listed or added up in that \
          order differs between two runs.",
    fix: "Use a BTreeMap, a BTreeSet or a sorted Vec.",
    scope: "product code of `determinism.inside`: HashMap, HashSet and their like of every crate, hashers, under other \
            names too",
    needles: NAMES,
};

const NAMES: &[&str] = &[
    "HashMap",
    "HashSet",
    "HashTable",
    "hash_map",
    "hash_set",
    "hashbrown",
    "FxHashMap",
    "FxHashSet",
    "FxHasher",
    "FxBuildHasher",
    "AHashMap",
    "AHashSet",
    "AHasher",
    "DashMap",
    "DashSet",
    "FnvHashMap",
    "FnvHashSet",
    "RandomState",
    "DefaultHasher",
    "SipHasher",
    "BuildHasherDefault",
    "rustc_hash",
    "ahash",
    "foldhash",
];

impl Rule for Hashes {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some((_, files)) = engines(ctx, out) else {
            return;
        };
        let named = Named::new(ctx, NAMES);
        for file in files {
            for (at, word) in named.words(file) {
                let what = format!("`{word}`, whose order is chance");
                tell(file, at, &what, "use a BTreeMap, a BTreeSet or a sorted Vec", out);
            }
        }
    }
}
