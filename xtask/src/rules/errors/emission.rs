//! Does a layer emit a class of errors that is not its own, past the trait bound?

use crate::model::SourceFile;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::rules::intents::judge;
use crate::scan::{PathUse, Spelled};

/// `ARCH-ERR-001`.
pub(super) struct Emission;

const INFO: Info = Info {
    id: "ARCH-ERR-001",
    title: "a class of errors comes from its layer, through the trait bound",
    family: Family::Errors,
    why: "Rules of the product are reported by L4 and nowhere else; a record that was put together by hand, or a class \
          that was read from text, passes by the bound that says so.",
    fix: "Report through `ErrorEnvelope::new` with the layer of the own crate.",
    scope: "product code outside of the module of errors: words of classes in strings (also joined and formatted), \
            records made by hand, classes read from text or converted, `dyn`, reports in the name of another layer, \
            statements that add stored errors",
    needles: &[],
};

const READERS: [&str; 8] = [
    "parse",
    "from_str",
    "from_value",
    "from_slice",
    "from_reader",
    "try_from",
    "deserialize",
    "from_utf8",
];

impl Rule for Emission {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if !super::configured(ctx, out) {
            return;
        }
        let errors = &ctx.config.errors;
        let words = errors.prefixes.iter().chain([&errors.table]);
        let words = Spelled::new(words.filter(|word| !word.is_empty()));
        for krate in &ctx.workspace.crates {
            let roots = super::roots(ctx, krate);
            let files: Vec<_> = ctx.workspace.sources_of(krate).collect();
            out.each(&files, |file, out| {
                let module = super::module(krate, file);
                if file.is_test_file() || super::is_under(&module, &errors.module) {
                    return;
                }
                out.examined(&file.krate, 1);
                let stores = errors.stored_by.iter().any(|home| super::is_under(&module, home));
                paths(ctx, file, &roots, stores, out);
                if file.may_spell(&words) {
                    texts(ctx, file, stores, out);
                }
            });
        }
    }
}

fn texts(ctx: &Ctx<'_>, file: &SourceFile, stores: bool, out: &mut Sink<'_>) {
    let errors = &ctx.config.errors;
    for literal in file.literals() {
        if file.in_tests(literal.tokens.start) {
            continue;
        }
        let is_word = |rest: &str| {
            rest.chars()
                .all(|c| c.is_ascii_lowercase() || "_{}\u{FFFC}".contains(c))
        };
        let word = errors
            .prefixes
            .iter()
            .any(|prefix| literal.text.strip_prefix(prefix.as_str()).is_some_and(is_word));
        let span = || file.span_of(literal.tokens.clone());
        if word {
            let message = format!(
                "the class `{}` stands in a string",
                literal.text.replace('\u{FFFC}', "…")
            );
            out.report(Finding::new(
                span(),
                message,
                "name the variant of its type: the bound checks who emits it",
            ));
        }
        if !stores && judge(&literal.text).tables.contains(&errors.table) {
            let message = format!("a statement writes `{}` past the envelope", errors.table);
            out.report(Finding::new(
                span(),
                message,
                "report an envelope; the store writes it",
            ));
        }
    }
}

fn paths(ctx: &Ctx<'_>, file: &SourceFile, roots: &[String], stores: bool, out: &mut Sink<'_>) {
    let table = &ctx.config.errors.table;
    if !super::may_name(ctx, file, roots) && !file.may_say(table) {
        return;
    }
    for path in file.paths().iter().filter(|path| !path.import) {
        let start = path.tokens.start;
        let ours = roots.iter().any(|root| root == path.root());
        let says = |name: &str| path.segments().any(|part| part == name);
        if !ours && !says(table) || file.in_tests(start) {
            continue;
        }
        let names_table = says(table) && says("schema");
        let verbs = ["insert_into", "insert_or_ignore_into", "replace_into", "update"];
        let writes = start >= 2 && verbs.contains(&file.word(start - 2));
        let found = if names_table && writes && !stores {
            let message = format!("a statement writes `{table}` past the envelope");
            Some((message, "report an envelope; the store writes it"))
        } else {
            let leads = super::absolute(ctx, file, path);
            super::named(ctx, &leads).and_then(|name| misused(ctx, file, path, name, stores))
        };
        if let Some((message, remedy)) = found {
            out.report(Finding::new(file.span_of(path.tokens.clone()), message, remedy));
        }
    }
}

/// What is wrong with the use of a type of the module of errors, and what to do instead.
fn misused(
    ctx: &Ctx<'_>,
    file: &SourceFile,
    path: &PathUse,
    name: &str,
    stores: bool,
) -> Option<(String, &'static str)> {
    let errors = &ctx.config.errors;
    let (start, end) = (path.tokens.start, path.tokens.end);
    let class = errors.classes.iter().any(|class| class == name);
    let before = start.checked_sub(1);
    let word = before.map_or("", |at| file.word(at));
    let sign = |wanted: u8| before.is_some_and(|at| file.is(at, wanted));
    let near = |back: usize, words: &[&str]| {
        (start.saturating_sub(back)..start).any(|at| words.contains(&file.word(at)))
    };
    let reads = READERS.contains(&path.last()) || sign(b'<') && near(5, &READERS);
    let converts = word == "for" && near(12, &["From", "TryFrom", "FromStr", "Deserialize"]);
    let taken_apart =
        matches!(word, "for" | "let" | "impl" | "ref") || sign(b'<') || sign(b'>') || sign(b'|');
    let made = file.is(end, b'{') && !taken_apart && errors.forensic.iter().any(|own| own == name);
    if word == "dyn" {
        let message = format!("`dyn {name}` hides which layer emits what");
        return Some((message, "name the layer and the class"));
    }
    if class && reads {
        let message = format!("`{name}` is read from text");
        return Some((message, "name the variant: what is read passes by the bound"));
    }
    if class && converts {
        let message = format!("something becomes `{name}` by conversion");
        return Some((message, "choose the class where it is reported"));
    }
    if made && !stores {
        let message = format!("`{name}` is put together by hand");
        return Some((message, "make it with `new`, whose bound checks the class"));
    }
    let own = ctx
        .workspace
        .krate(&file.krate)
        .and_then(|krate| krate.layer_name());
    let may = errors.reporters.get(name)?;
    let foreign = !own.is_some_and(|own| may.iter().any(|layer| layer == own));
    let own = own.unwrap_or("no layer");
    let message = format!("a crate of {own} reports in the name of {name}");
    foreign.then_some((message, "report as the own layer"))
}
