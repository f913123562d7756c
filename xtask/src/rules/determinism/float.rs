//! Is money ever a float?

use super::{NONE, Named};
use crate::model::{Crate, SourceFile};
use crate::plant::Plant;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-DET-003`.
pub(super) struct Floats;

const INFO: Info = Info {
    id: "ARCH-DET-003",
    title: "no floats in engines and money",
    family: Family::Determinism,
    why: "A tenth has no float. Sums of floats depend on their order, and two machines may round apart: a budget is \
          then passed on one and kept on the other.",
    fix: "Count in whole units (nano-USD), compare ratios as products, and convert in the modules of \
          `determinism.floats` only.",
    scope: "product code of `determinism.inside` and `determinism.money`: f32, f64, literals with a point or an \
            exponent, conversions such as as_f64; not in the modules of `determinism.floats`",
    needles: WORDS,
};

const WORDS: &[&str] = &[
    "f16",
    "f32",
    "f64",
    "f128",
    "as_f32",
    "as_f64",
    "to_f32",
    "to_f64",
    "from_f32",
    "from_f64",
    "as_secs_f32",
    "as_secs_f64",
    "from_secs_f32",
    "from_secs_f64",
    "mul_f32",
    "mul_f64",
    "div_f32",
    "div_f64",
    "from_f64_retain",
    "visit_f32",
    "visit_f64",
    "serialize_f32",
    "serialize_f64",
];

impl Rule for Floats {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn plants(&self, ctx: &Ctx<'_>, krate: &Crate) -> Vec<Plant> {
        let tables = ctx.config.determinism.iter();
        let names = tables.flat_map(|table| table.inside.iter().chain(&table.money));
        let text = "const PLANTED: f64 = 1.5;\n";
        names
            .filter_map(|name| Plant::inside(krate, name.as_ref(), "planted_float", text))
            .collect()
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(table) = &ctx.config.determinism else {
            out.off(NONE);
            return;
        };
        let named = Named::new(ctx, WORDS);
        let mut needed = vec![false; table.floats.len()];
        let places: Vec<_> = table.inside.iter().chain(&table.money).collect();
        for file in ctx.workspace.inside(&places).filter(|file| !file.is_test_file()) {
            out.examined(&file.krate, 1);
            let found = floats(&named, file);
            let excused = table
                .floats
                .iter()
                .position(|excused| file.is_in(excused.at.as_ref()));
            if let Some(needed) = excused.and_then(|at| needed.get_mut(at)) {
                *needed |= !found.is_empty();
                continue;
            }
            for at in found {
                let message = format!("a float in `{}`: `{}`", file.krate, file.raw(at));
                out.report(Finding::new(file.span(at), message, INFO.fix));
            }
        }
        for (excused, needed) in table.floats.iter().zip(needed) {
            if !needed {
                let message = format!("`{}` has no floats: the entry is not needed", excused.at.as_ref());
                let finding = Finding::new(ctx.config.span(&excused.at), message, "remove the entry");
                out.report(finding.label(format!("excused because: {}", excused.why)));
            }
        }
    }
}

/// Tokens that are floats or make them.
fn floats(named: &Named, file: &SourceFile) -> Vec<usize> {
    let mut found: Vec<_> = named.words(file).into_iter().map(|(at, _)| at).collect();
    let field = |at: usize| at > 0 && file.is(at - 1, b'.') && !file.is(at.wrapping_sub(2), b'.');
    found.extend(file.numbers().filter(|at| !field(*at) && is_float(file.raw(*at))));
    found.retain(|at| !file.in_tests(*at));
    found.sort_unstable();
    found
}

/// `1.0`, `1.`, `1e3`, `1_f64`; not `0x1e3`, and not the field in `a.0.1`, which is read as a number.
fn is_float(number: &str) -> bool {
    let prefixed = number.starts_with("0x") || number.starts_with("0b") || number.starts_with("0o");
    if prefixed {
        return false;
    }
    let suffixed = number.ends_with("f32") || number.ends_with("f64");
    suffixed
        || number.contains('.')
        || number.bytes().any(|byte| matches!(byte, b'e' | b'E')) && !number.ends_with("size")
}

#[cfg(test)]
mod tests {
    use super::is_float;

    #[test]
    fn numbers_are_told_apart() {
        for float in ["1.0", "1.", "1e3", "1E-3", "2f64", "1_000_f32"] {
            assert!(is_float(float), "{float}");
        }
        for integer in ["1", "0x1e3", "0xf32", "1_000u64", "7usize", "3isize", "0b1"] {
            assert!(!is_float(integer), "{integer}");
        }
    }
}
