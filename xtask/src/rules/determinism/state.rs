//! Does an engine remember anything between two decisions?

use super::{Named, engines, tell};
use crate::rule::{Ctx, Family, Info, Rule, Sink};

/// `ARCH-DET-006`.
pub(super) struct State;

const INFO: Info = Info {
    id: "ARCH-DET-006",
    title: "engines remember nothing between two decisions",
    family: Family::Determinism,
    why: "What the last call left behind is an input that no snapshot holds: the same facts are then decided \
          otherwise.",
    fix: "Make it a field of the input, or a `const`.",
    scope: "product code of `determinism.inside`: static mut, atomics, cells, locks, once and lazy values, \
            thread_local!",
    needles: NAMES,
};

const NAMES: &[&str] = &[
    "static",
    "thread_local",
    "lazy_static",
    "AtomicBool",
    "AtomicI8",
    "AtomicI16",
    "AtomicI32",
    "AtomicI64",
    "AtomicIsize",
    "AtomicPtr",
    "AtomicU8",
    "AtomicU16",
    "AtomicU32",
    "AtomicU64",
    "AtomicUsize",
    "Cell",
    "RefCell",
    "UnsafeCell",
    "OnceCell",
    "LazyCell",
    "OnceLock",
    "LazyLock",
    "Once",
    "Lazy",
    "Mutex",
    "RwLock",
    "once_cell",
    "spin",
    "critical_section",
];

impl Rule for State {
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
                let counts = match word {
                    "static" => file.word(at + 1) == "mut",
                    "spin" | "critical_section" | "once_cell" => {
                        file.is(at + 1, b':') && file.is(at + 2, b':')
                    }
                    "thread_local" | "lazy_static" => {
                        file.is(at + 1, b'!') || file.is(at.wrapping_sub(1), b':')
                    }
                    _ => true,
                };
                let word = if word == "static" { "static mut" } else { word };
                if counts {
                    tell(
                        file,
                        at,
                        &format!("`{word}`, a memory between two calls"),
                        INFO.fix,
                        out,
                    );
                }
            }
        }
    }
}
